/* SPDX-License-Identifier: Apache-2.0 */
/** @file decide.c @brief What a plan is whatever the device: options checked, tables and parameters of the family. */
#include "../families.h"
#include "plan.h"

enum { most_threads = 1024 };

static grkan_status check_options(const grkan_options *options)
{
    if (grkan_strategy_name(options->strategy) == NULL)
        return grkan_fail(GRKAN_ERROR_INVALID_ARGUMENT, "options.strategy is %d; expected a grkan_strategy",
                          (int)options->strategy);
    if (grkan_determinism_name(options->determinism) == NULL)
        return grkan_fail(GRKAN_ERROR_INVALID_ARGUMENT, "options.determinism is %d; expected a grkan_determinism",
                          (int)options->determinism);
    if (options->cpu_threads < 0 || options->cpu_threads > most_threads)
        return grkan_fail(GRKAN_ERROR_INVALID_ARGUMENT, "options.cpu_threads is %d; expected 0 (automatic) to %d",
                          options->cpu_threads, (int)most_threads);
    if (options->cpu_simd != GRKAN_CPU_SIMD_AUTO && options->cpu_simd != GRKAN_CPU_SIMD_OFF)
        return grkan_fail(GRKAN_ERROR_INVALID_ARGUMENT, "options.cpu_simd is %d; expected a grkan_cpu_simd",
                          (int)options->cpu_simd);
    if (options->cpu_parallel_for == NULL && options->cpu_parallel_context != NULL)
        return grkan_fail(
            GRKAN_ERROR_INVALID_ARGUMENT,
            "options.cpu_parallel_context is %p but options.cpu_parallel_for is NULL; expected a function",
            options->cpu_parallel_context);
    if (options->determinism != GRKAN_NONE && options->strategy != GRKAN_STRATEGY_AUTO &&
        options->strategy != GRKAN_STRATEGY_TREE)
        return grkan_fail(GRKAN_ERROR_UNSUPPORTED,
                          "options.strategy %s adds in no fixed order and cannot keep options.determinism %s; "
                          "expected strategy tree, or determinism none",
                          grkan_strategy_name(options->strategy), grkan_determinism_name(options->determinism));
    return GRKAN_SUCCESS;
}

/** The rows of a table that groups, channels or nobody has for itself. */
static int64_t rows_of(const grkan_operation *operation, grkan_scope scope)
{
    return scope == GRKAN_SHARED ? 1 : scope == GRKAN_PER_GROUP ? operation->groups : operation->channels;
}

static void fill_tables(const grkan_family *family, grkan_plan_data *data)
{
    bool all_are_shared = true;
    data->table_count = family->table_count;
    for (int32_t k = 0; k < family->table_count; ++k) {
        family->table(&data->operation, k, &data->tables[k]);
        data->tables[k].rows = rows_of(&data->operation, data->tables[k].scope);
        all_are_shared = all_are_shared && data->tables[k].scope == GRKAN_SHARED;
    }
    if (all_are_shared)
        data->operation.groups = 1; /* groups that share everything are one: wider vectors, fewer partial sums */
}

grkan_status grkan_plan_decide(const grkan_operation *operation, const grkan_options *options, grkan_plan_data *data)
{
    const grkan_family *const family = grkan_family_of(operation);
    grkan_status status;
    data->operation = *operation;
    if (options != NULL)
        data->options = *options;
    if ((status = grkan_operation_check(operation)) != GRKAN_SUCCESS ||
        (status = family->check(operation)) != GRKAN_SUCCESS ||
        (status = grkan_operation_check_size(operation)) != GRKAN_SUCCESS ||
        (status = check_options(&data->options)) != GRKAN_SUCCESS)
        return status;
    if (data->options.strategy == GRKAN_STRATEGY_AUTO)
        data->options.strategy = GRKAN_STRATEGY_TREE;
    fill_tables(family, data);
    family->parameters(operation, data->parameters);
    data->may_have_poles = family->may_have_poles(operation);
    return GRKAN_SUCCESS;
}
