/* SPDX-License-Identifier: Apache-2.0 */
/** @file bench_run.c @brief Measuring one case: its plan, its tensors, its timing. */
#include <stdlib.h>

#include "bench.h"

/**
 * The memory of a case. When a set of tensors is smaller than the caches, each of x, dy and out holds several tensors,
 * `stride` bytes apart, and calls take them in turn, so that none finds its data in a cache. Which of them meet changes
 * from call to call: caches hold some distances between tensors badly, and no case shall be measured at one alone.
 */
typedef struct case_memory {
    grkan_device *device;
    const grkan_plan *plan;
    void *x;
    void *dy;
    void *out; /**< y or dx */
    void *numerator;
    void *denominator;
    void *dnumerator;
    void *ddenominator;
    void *workspace;
    size_t workspace_bytes;
    size_t stride;
    int64_t sets;
} case_memory;

static grkan_buffer x_of(const case_memory *memory, int64_t number)
{
    return (grkan_buffer){memory->x, (size_t)(number % memory->sets) * memory->stride};
}

static grkan_buffer dy_of(const case_memory *memory, int64_t number)
{
    return (grkan_buffer){memory->dy, (size_t)((number + number / memory->sets) % memory->sets) * memory->stride};
}

static grkan_buffer out_of(const case_memory *memory, int64_t number)
{
    return (grkan_buffer){memory->out, (size_t)(memory->sets - 1 - number % memory->sets) * memory->stride};
}

static grkan_status call_forward(const void *context, int64_t number)
{
    const case_memory *memory = context;
    grkan_forward_arguments arguments = {
        .x = x_of(memory, number),
        .numerator = {memory->numerator, 0},
        .denominator = {memory->denominator, 0},
        .y = out_of(memory, number),
    };
    return grkan_forward(memory->plan, &arguments, NULL);
}

static grkan_status call_backward(const void *context, int64_t number)
{
    const case_memory *memory = context;
    grkan_backward_arguments arguments = {
        .x = x_of(memory, number),
        .dy = dy_of(memory, number),
        .numerator = {memory->numerator, 0},
        .denominator = {memory->denominator, 0},
        .dx = out_of(memory, number),
        .dnumerator = {memory->dnumerator, 0},
        .ddenominator = {memory->ddenominator, 0},
        .accumulation = GRKAN_OVERWRITE,
        .workspace = {memory->workspace, 0},
        .workspace_bytes = memory->workspace_bytes,
    };
    return grkan_backward(memory->plan, &arguments, NULL);
}

/** x, dy and out. out gets x's values, so that its pages are mapped before the first timed call. */
static grkan_status make_tensors(case_memory *memory, const bench_case *one)
{
    size_t bytes = (size_t)memory->sets * memory->stride;
    grkan_dtype dtype = one->operation.dtype;
    grkan_status status = bench_random_memory(memory->device, dtype, bytes, 2, &memory->x);
    if (status == GRKAN_SUCCESS && one->pass == BENCH_BACKWARD)
        status = bench_random_memory(memory->device, dtype, bytes, 3, &memory->dy);
    if (status == GRKAN_SUCCESS)
        status = grkan_memory_allocate(memory->device, bytes, &memory->out);
    if (status == GRKAN_SUCCESS)
        status = grkan_memory_copy(memory->device, (grkan_buffer){memory->out, 0}, (grkan_buffer){memory->x, 0}, bytes);
    return status;
}

static grkan_status make_coefficients(case_memory *memory, const grkan_operation *operation)
{
    grkan_device *device = memory->device;
    grkan_dtype dtype = operation->dtype;
    int columns = operation->numerator_degree + 1;
    int64_t rows = operation->numerator_groups;
    size_t bytes = (size_t)rows * (size_t)columns * grkan_coefficient_bytes(dtype);
    grkan_status status = bench_coefficient_memory(device, dtype, rows, columns, 0, 1.0, &memory->numerator);
    if (status == GRKAN_SUCCESS)
        status = bench_zero_memory(device, bytes, &memory->dnumerator);
    columns = grkan_denominator_coefficients(operation);
    rows = operation->denominator_groups;
    bytes = (size_t)rows * (size_t)columns * grkan_coefficient_bytes(dtype);
    if (status == GRKAN_SUCCESS)
        status = bench_coefficient_memory(device, dtype, rows, columns, 1, 0.05, &memory->denominator);
    if (status == GRKAN_SUCCESS)
        status = bench_zero_memory(device, bytes, &memory->ddenominator);
    return status;
}

static grkan_status make_memory(case_memory *memory, const bench_case *one, const grkan_device_properties *properties)
{
    const grkan_operation *operation = &one->operation;
    size_t elements = (size_t)(operation->outer * operation->channels * operation->inner);
    size_t tensor_bytes = elements * grkan_dtype_bytes(operation->dtype);
    memory->stride = (tensor_bytes + 255) / 256 * 256;
    memory->sets = (int64_t)((bench_working_set(properties) + one->cost.bytes - 1) / one->cost.bytes);
    memory->workspace_bytes = grkan_plan_workspace_bytes(memory->plan);
    grkan_status status = make_tensors(memory, one);
    if (status == GRKAN_SUCCESS)
        status = make_coefficients(memory, operation);
    if (status == GRKAN_SUCCESS)
        status = bench_zero_memory(memory->device, memory->workspace_bytes, &memory->workspace);
    return status;
}

static void free_memory(case_memory *memory)
{
    void *const all[] = {memory->x,           memory->dy,         memory->out,          memory->numerator,
                         memory->denominator, memory->dnumerator, memory->ddenominator, memory->workspace};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        grkan_memory_free(memory->device, all[i]);
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
    free_memory(&memory);
    return status;
}

grkan_status bench_run_case(const bench_device *device, bench_case *one, bench_effort effort, bench_measurement measure)
{
    grkan_plan *plan = NULL;
    if (one->refusal != NULL) /* in an earlier round */
        return GRKAN_SUCCESS;
    double start = bench_clock();
    grkan_status status = grkan_plan_create(device->device, &one->operation, &one->options, &plan);
    one->plan_milliseconds = bench_clock() - start;
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
