/* SPDX-License-Identifier: Apache-2.0 */
/** @file plan.c @brief Plans: decided, checked against the device, shaped for it, and their kernels loaded. */
#include <stdlib.h>

#include "plan/plan.h"
#include "prologues.h"
#include "specialise.h"

/** What was asked of the device against what it says of itself. */
static grkan_status check_device(const grkan_device *device, const grkan_plan_data *data)
{
    const grkan_device_properties *p = &device->properties;
    const grkan_dtype dtype = data->operation.dtype, output = grkan_operation_output_dtype(&data->operation);
    if ((p->dtypes & (1u << dtype)) == 0)
        return grkan_fail(GRKAN_ERROR_UNSUPPORTED, "operation.dtype is %s; %s (%s) does not run it",
                          grkan_dtype_name(dtype), p->selector, p->name);
    if ((p->dtypes & (1u << output)) == 0)
        return grkan_fail(GRKAN_ERROR_UNSUPPORTED, "operation.output_dtype is %s; %s (%s) does not run it",
                          grkan_dtype_name(output), p->selector, p->name);
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

/** The plan without its kernels, checked against the device. */
static grkan_status outline(const grkan_device *device, const grkan_operation *operation, const grkan_options *options,
                            grkan_plan_data *data)
{
    grkan_status status;
    if ((status = grkan_plan_decide(operation, options, data)) != GRKAN_SUCCESS ||
        (status = check_device(device, data)) != GRKAN_SUCCESS)
        return status;
    return grkan_plan_shape(&device->limits, data);
}

/** The bytes of a call's tensors. */
static void count_bytes(grkan_plan *plan)
{
    const grkan_plan_data *const data = &plan->data;
    const int64_t elements = grkan_operation_elements(&data->operation);
    const int statistics = grkan_row_statistics(&data->operation);
    plan->x_element = grkan_dtype_bytes(data->operation.dtype);
    plan->y_element = grkan_dtype_bytes(grkan_operation_output_dtype(&data->operation));
    plan->number_bytes = grkan_coefficient_bytes(data->operation.dtype);
    plan->x_bytes = elements * (int64_t)plan->x_element;
    plan->y_bytes = elements * (int64_t)plan->y_element;
    plan->dx_bytes = (data->options.frozen & GRKAN_FROZEN_X) != 0 ? 0 : plan->x_bytes;
    plan->y_again_bytes = data->options.writes_y ? plan->y_bytes : 0;
    plan->mean_bytes = statistics > 1 ? data->operation.outer * (int64_t)plan->number_bytes : 0;
    plan->rstd_bytes = statistics > 0 ? data->operation.outer * (int64_t)plan->number_bytes : 0;
    for (int32_t k = 0; k < data->table_count; ++k) {
        plan->table_bytes[k] = data->tables[k].rows * data->tables[k].width * (int64_t)plan->number_bytes;
        plan->gradient_bytes[k] = (data->options.frozen >> k & 1) != 0 ? 0 : plan->table_bytes[k];
    }
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
    if (status == GRKAN_SUCCESS) {
        count_bytes(made);
        status = grkan_specialise(made);
    }
    if (status == GRKAN_SUCCESS && device->backend->prepare != NULL)
        status = device->backend->prepare(made->program, &made->data);
    if (status != GRKAN_SUCCESS) {
        free(made);
        return status;
    }
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
