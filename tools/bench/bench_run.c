/* SPDX-License-Identifier: Apache-2.0 */
/** @file bench_run.c @brief Measuring one case: its plan, its tensors, its timing. */
#include <stdlib.h>

#include "bench.h"
#include "../../core/platform/platform.h"
#include "check/device_layer.h"

/**
 * The memory of a case. When its tensors are smaller than the caches, each of x, dy and y or dx is there several times,
 * `stride` bytes apart, and calls take the copies in turn, so that none finds its data in a cache. Which of them meet
 * changes from call to call: caches hold some distances between tensors badly, and no case shall be measured at one
 * alone.
 */
typedef struct case_memory {
    grkan_device *device;
    const grkan_plan *plan;
    device_layer layer; /**< with the first copy of each */
    size_t stride;
    int64_t copies;
} case_memory;

/** The layer of a call, by the call's number. out: CHECK_Y or CHECK_DX */
static device_layer layer_of_call(const case_memory *memory, int64_t number, check_tensor out)
{
    const int64_t copies = memory->copies;
    device_layer layer = memory->layer;
    layer.tensor[CHECK_X].offset = (size_t)(number % copies) * memory->stride;
    layer.tensor[CHECK_DY].offset = (size_t)((number + number / copies) % copies) * memory->stride;
    layer.tensor[out].offset = (size_t)(copies - 1 - number % copies) * memory->stride;
    layer.tensor[CHECK_Y_AGAIN].offset = (size_t)(copies - 1 - (number + number / copies) % copies) * memory->stride;
    return layer;
}

static grkan_status call_forward(const void *context, int64_t number)
{
    const case_memory *memory = context;
    const device_layer layer = layer_of_call(memory, number, CHECK_Y);
    return device_layer_forward(memory->plan, &layer);
}

static grkan_status call_backward(const void *context, int64_t number)
{
    const case_memory *memory = context;
    const device_layer layer = layer_of_call(memory, number, CHECK_DX);
    return device_layer_backward(memory->plan, &layer);
}

/** An output, which gets x's values, so that its pages are mapped before the first timed call. */
static grkan_status make_output(case_memory *memory, check_tensor tensor, size_t bytes)
{
    grkan_buffer *const made = &memory->layer.tensor[tensor];
    const grkan_status status = grkan_memory_allocate(memory->device, bytes, &made->base);
    return status == GRKAN_SUCCESS ? grkan_memory_copy(memory->device, *made, memory->layer.tensor[CHECK_X], bytes)
                                   : status;
}

/** x, dy, and the outputs of the pass that are wanted. */
static grkan_status make_tensors(case_memory *memory, const bench_case *one)
{
    const check_tensor outputs[2][2] = {{CHECK_Y, CHECK_Y}, {CHECK_DX, CHECK_Y_AGAIN}};
    const check_case like = {.operation = one->operation, .options = one->options};
    grkan_buffer *const tensor = memory->layer.tensor;
    size_t bytes = (size_t)memory->copies * memory->stride;
    const grkan_dtype of_dy = grkan_operation_output_dtype(&one->operation);
    grkan_status status = bench_random_memory(memory->device, one->operation.dtype, bytes, 2, &tensor[CHECK_X]);
    if (status == GRKAN_SUCCESS && one->pass == BENCH_BACKWARD)
        status = bench_random_memory(memory->device, of_dy, bytes, 3, &tensor[CHECK_DY]);
    for (int i = 0; i <= (int)one->pass && status == GRKAN_SUCCESS; i++)
        if (check_has_tensor(&like, outputs[one->pass][i]))
            status = make_output(memory, outputs[one->pass][i], bytes);
    return status;
}

/** The statistics of rows: what forward writes, and what backward reads, of x as it is. */
static grkan_status make_statistics(case_memory *memory, const bench_case *one)
{
    const check_case like = {.operation = one->operation};
    const double one_in_f64 = 1.0;
    const float one_in_f32 = 1.0f;
    const bool is_f64 = one->operation.dtype == GRKAN_F64;
    grkan_buffer *const tensor = memory->layer.tensor;
    const size_t number = grkan_coefficient_bytes(one->operation.dtype);
    grkan_status status = device_zeros(memory->device, check_tensor_bytes(&like, CHECK_MEAN), &tensor[CHECK_MEAN]);
    return status == GRKAN_SUCCESS
               ? device_repeat(memory->device, check_tensor_bytes(&like, CHECK_RSTD),
                               is_f64 ? (const void *)&one_in_f64 : &one_in_f32, number, &tensor[CHECK_RSTD])
               : status;
}

static grkan_status make_tables(case_memory *memory, const grkan_operation *operation)
{
    grkan_buffer *const tensor = memory->layer.tensor;
    grkan_status status = GRKAN_SUCCESS;
    for (int k = 0; k < GRKAN_MOST_TABLES && status == GRKAN_SUCCESS; k++) {
        const grkan_table table = check_table_of(operation, k);
        const size_t bytes = (size_t)(table.rows * table.width) * grkan_coefficient_bytes(operation->dtype);
        status = bench_table_memory(memory->device, operation, k, &tensor[CHECK_TABLE + k]);
        if (status == GRKAN_SUCCESS)
            status = device_zeros(memory->device, bytes, &tensor[CHECK_GRADIENT + k]);
    }
    return status;
}

static grkan_status make_memory(case_memory *memory, const bench_case *one, const grkan_device_properties *properties)
{
    const grkan_operation *operation = &one->operation;
    device_layer *const layer = &memory->layer;
    size_t elements = (size_t)(operation->outer * operation->channels * operation->inner);
    const size_t x_bytes = grkan_dtype_bytes(operation->dtype);
    const size_t y_bytes = grkan_dtype_bytes(grkan_operation_output_dtype(operation));
    memory->stride = (elements * (x_bytes > y_bytes ? x_bytes : y_bytes) + 255) / 256 * 256;
    memory->copies = (int64_t)((bench_working_set(properties) + one->cost.bytes - 1) / one->cost.bytes);
    layer->workspace_bytes = grkan_plan_workspace_bytes(memory->plan);
    grkan_status status = make_tensors(memory, one);
    if (status == GRKAN_SUCCESS)
        status = make_statistics(memory, one);
    if (status == GRKAN_SUCCESS)
        status = make_tables(memory, operation);
    if (status == GRKAN_SUCCESS)
        status = device_zeros(memory->device, layer->workspace_bytes, &layer->workspace);
    return status;
}

/** What follows from the median, the necessary bytes and the device's copy. */
static void derive(bench_case *one, double copy_gb_per_s)
{
    one->gb_per_s = (double)one->cost.bytes / one->milliseconds.median / 1e6;
    one->fraction_of_copy = one->gb_per_s / copy_gb_per_s;
}

grkan_status bench_device_time(const bench_device *device, bench_call call, const void *context, bench_effort effort,
                               bench_case *one)
{
    grkan_status status = bench_measure(device->device, call, context, effort, &one->samples);
    if (status != GRKAN_SUCCESS)
        return status;
    one->milliseconds = bench_summary(one->samples.values, one->samples.count);
    derive(one, device->copy_gb_per_s);
    return status;
}

static grkan_status measure_plan(const bench_device *device, const grkan_plan *plan, bench_case *one,
                                 bench_effort effort, bench_measurement measure)
{
    grkan_plan_description description;
    grkan_status status = grkan_plan_describe(plan, &description);
    if (status != GRKAN_SUCCESS)
        return status;
    int is_forward = one->pass == BENCH_FORWARD;
    one->options.strategy = description.strategy;
    one->options.determinism = description.determinism;
    one->cost = is_forward ? description.forward : description.backward;
    one->is_compiled = description.is_compiled;
    one->workspace_bytes = grkan_plan_workspace_bytes(plan);
    case_memory memory = {.device = device->device, .plan = plan};
    status = make_memory(&memory, one, &device->properties);
    if (status == GRKAN_SUCCESS)
        status = measure(device, is_forward ? call_forward : call_backward, &memory, effort, one);
    device_layer_free(device->device, &memory.layer);
    return status;
}

grkan_status bench_run_case(const bench_device *device, bench_case *one, bench_effort effort, bench_measurement measure)
{
    grkan_plan *plan = NULL;
    if (one->refusal != NULL) /* in an earlier round */
        return GRKAN_SUCCESS;
    double start = grkan_milliseconds();
    grkan_status status = grkan_plan_create(device->device, &one->operation, &one->options, &plan);
    one->plan_milliseconds = grkan_milliseconds() - start;
    if (status == GRKAN_ERROR_UNSUPPORTED) {
        one->refusal = tool_copy_text(grkan_last_error());
        return GRKAN_SUCCESS;
    }
    if (status != GRKAN_SUCCESS)
        return status;
    status = measure_plan(device, plan, one, effort, measure);
    grkan_plan_destroy(plan);
    return status;
}
