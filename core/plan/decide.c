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
    if (options->writes_y != 0 && options->writes_y != 1)
        return grkan_fail(GRKAN_ERROR_INVALID_ARGUMENT, "options.writes_y is %d; expected 0 or 1", options->writes_y);
    return GRKAN_SUCCESS;
}

/** What options say of an operation's tables and prologue. */
static grkan_status check_against(const grkan_options *options, const grkan_plan_data *data)
{
    const uint32_t known = GRKAN_FROZEN_X | ((1u << data->table_count) - 1);
    if ((options->frozen & ~known) != 0)
        return grkan_fail(GRKAN_ERROR_INVALID_ARGUMENT,
                          "options.frozen is 0x%x; expected bits of the operation's %d tables and GRKAN_FROZEN_X alone",
                          (unsigned)options->frozen, (int)data->table_count);
    if (options->strategy != GRKAN_STRATEGY_TREE &&
        (data->operation.prologue != GRKAN_PROLOGUE_NONE || options->frozen != 0 || options->writes_y))
        return grkan_fail(GRKAN_ERROR_UNSUPPORTED,
                          "options.strategy is %s; expected tree with a prologue, frozen gradients or y again",
                          grkan_strategy_name(options->strategy));
    return GRKAN_SUCCESS;
}

/** A table with a row for each of one group has one row: it is shared, which takes wider vectors and fewer partial sums. */
static void list_tables(grkan_plan_data *data)
{
    bool all_are_shared = true;
    data->table_count = grkan_list_tables(&data->operation, data->tables);
    for (int32_t k = 0; k < data->table_count; ++k) {
        if (data->tables[k].scope == GRKAN_SCOPE_CHANNEL)
            continue;
        if (data->tables[k].rows == 1)
            data->tables[k].scope = GRKAN_SCOPE_SHARED;
        all_are_shared = all_are_shared && data->tables[k].scope == GRKAN_SCOPE_SHARED;
    }
    if (all_are_shared)
        data->operation.groups = 1; /* likewise */
}

grkan_status grkan_plan_decide(const grkan_operation *operation, const grkan_options *options, grkan_plan_data *data)
{
    grkan_status status;
    data->operation = *operation;
    if (options != NULL)
        data->options = *options;
    if ((status = grkan_check_operation(operation)) != GRKAN_SUCCESS ||
        (status = check_options(&data->options)) != GRKAN_SUCCESS)
        return status;
    if (data->options.strategy == GRKAN_STRATEGY_AUTO)
        data->options.strategy = GRKAN_STRATEGY_TREE;
    list_tables(data);
    if ((status = check_against(&data->options, data)) != GRKAN_SUCCESS)
        return status;
    grkan_family_of(operation)->parameters(operation, data->parameters);
    data->may_have_poles = grkan_family_of(operation)->may_have_poles(operation);
    return GRKAN_SUCCESS;
}
