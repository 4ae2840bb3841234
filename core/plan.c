/* SPDX-License-Identifier: Apache-2.0 */
/** @file plan.c @brief Plans: options checked, geometry fixed, kernels built. */
#include <stdlib.h>
#include <string.h>

#include "internal.h"

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
        return grkan_fail(GRKAN_ERROR_INVALID_ARGUMENT,
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

/** What was asked of the device against what it says of itself. */
static grkan_status check_device(const grkan_device *device, const grkan_plan_data *data)
{
    const grkan_device_properties *p = &device->properties;
    const grkan_dtype dtype = data->operation.dtype;
    if ((p->dtypes & (1u << dtype)) == 0)
        return grkan_fail(GRKAN_ERROR_UNSUPPORTED, "operation.dtype is %s; %s (%s) does not run it",
                          grkan_dtype_name(dtype), p->selector, p->name);
    if (data->options.determinism == GRKAN_DEVICE_TO_DEVICE && !p->is_ieee)
        return grkan_fail(GRKAN_ERROR_UNSUPPORTED,
                          "options.determinism is device_to_device; %s (%s) does not promise subnormals, fma and "
                          "correctly rounded division",
                          p->selector, p->name);
    if (data->options.strategy != GRKAN_STRATEGY_TREE && !p->has_atomics)
        return grkan_fail(GRKAN_ERROR_UNSUPPORTED, "options.strategy is %s; %s (%s) has no atomics for it",
                          grkan_strategy_name(data->options.strategy), p->selector, p->name);
    if (data->options.strategy != GRKAN_STRATEGY_TREE && dtype == GRKAN_F64 && device->limits.lacks_f64_atomics)
        return grkan_fail(GRKAN_ERROR_UNSUPPORTED, "options.strategy is %s; %s (%s) has no atomics of 64 bits for f64",
                          grkan_strategy_name(data->options.strategy), p->selector, p->name);
    return GRKAN_SUCCESS;
}

/** |x| up to 2^this is evaluated in x: powers stay below 2^60 (f32) or 2^480 (f64), far from overflow. */
static int32_t near_exponent(const grkan_operation *o)
{
    const int degree = o->numerator_degree > o->denominator_degree ? o->numerator_degree : o->denominator_degree;
    const int budget = o->dtype == GRKAN_F64 ? 480 : 60;
    const int exponent = budget / (degree > 0 ? degree : 1);
    return exponent < 62 ? exponent : 62;
}

grkan_status grkan_plan_decide(const grkan_operation *operation, const grkan_options *options, grkan_plan_data *data)
{
    grkan_status status;
    data->operation = *operation;
    if (options != NULL)
        data->options = *options;
    if ((status = grkan_operation_check(operation)) != GRKAN_SUCCESS ||
        (status = check_options(&data->options)) != GRKAN_SUCCESS)
        return status;
    if (data->options.strategy == GRKAN_STRATEGY_AUTO)
        data->options.strategy = GRKAN_STRATEGY_TREE;
    if (operation->numerator_groups == 1 && operation->denominator_groups == 1)
        data->operation.groups = 1; /* groups that share everything are one: wider chunks, fewer partial sums */
    data->denominator_coefficients = grkan_denominator_coefficients(operation);
    data->near_exponent = near_exponent(operation);
    data->repeats = 1;
    return GRKAN_SUCCESS;
}

/** The plan without its kernels, checked against the device. */
static grkan_status outline(const grkan_device *device, const grkan_operation *operation, const grkan_options *options,
                            grkan_plan_data *data)
{
    grkan_status status;
    if ((status = grkan_plan_decide(operation, options, data)) != GRKAN_SUCCESS ||
        (status = check_device(device, data)) != GRKAN_SUCCESS)
        return status;
    return grkan_plan_tile(&device->limits, data);
}

grkan_status grkan_plan_create(grkan_device *device, const grkan_operation *operation, const grkan_options *options,
                               grkan_plan **plan)
{
    grkan_plan *made;
    grkan_status status;
    if (plan == NULL)
        return grkan_fail(GRKAN_ERROR_INVALID_ARGUMENT, "plan is NULL; expected where to put the plan");
    *plan = NULL;
    if (device == NULL)
        return grkan_fail(GRKAN_ERROR_INVALID_ARGUMENT, "device is NULL; expected an open device");
    if (operation == NULL)
        return grkan_fail(GRKAN_ERROR_INVALID_ARGUMENT, "operation is NULL; expected an operation");
    made = calloc(1, sizeof *made);
    if (made == NULL)
        return grkan_fail(GRKAN_ERROR_OUT_OF_MEMORY, "no memory for a plan (%zu bytes)", sizeof *made);
    made->device = device;
    status = outline(device, operation, options, &made->data);
    if (status == GRKAN_SUCCESS)
        status = grkan_plan_build(made);
    if (status != GRKAN_SUCCESS) {
        free(made);
        return status;
    }
    if (device->backend->prepare != NULL)
        device->backend->prepare(device->state, &made->data);
    *plan = made;
    return GRKAN_SUCCESS;
}

void grkan_plan_destroy(grkan_plan *plan)
{
    free(plan); /* its kernels are the device's */
}

size_t grkan_plan_workspace_bytes(const grkan_plan *plan)
{
    return plan == NULL ? 0 : plan->data.workspace_bytes;
}
