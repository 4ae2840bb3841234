/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file bench_ceilings.c
 * @brief What a device reaches at best with its kernels, and the predictions that start from it.
 *
 * Ceilings come from a layer of KAT's: at one row, at two larger sizes, and at the highest degrees. Each is a case
 * like those that are asked for, measured in the same rounds by the same loop; the least of its samples counts, since what
 * disturbs a measurement only adds to it.
 */
#include <stdlib.h>

#include <grkan/predict.h>

#include "bench.h"

enum { ONE_ROW, SMALL, LARGE, STEEP, SIZES, PASSES = 2 };

/** Kernels that have ceilings of their own, and the layers that tell them. */
struct bench_kernels {
    grkan_dtype dtype;
    grkan_output_dtype output_dtype;
    grkan_options options;
    int64_t channels;
    bench_case layers[SIZES * PASSES]; /**< [size][pass] */
};

/* ------------------------------------------------------------------------------------------------------- layers */

/**
 * A processor's blocks are fastest where they are as wide as a row: wider rows are read in pieces, and narrower ones have
 * short groups. So each of the three has a layer of its own. On a GPU threads read all at once.
 */
static int64_t layer_channels(const bench_device *device, const grkan_operation *operation)
{
    enum { NARROW = 192, WHOLE = 768, WIDE = 3072, LEAST_WHOLE = 513, LEAST_WIDE = 1025 };
    const int64_t row = operation->channels * operation->inner;
    if (device->properties.is_gpu)
        return WHOLE;
    return row < LEAST_WHOLE ? NARROW : row < LEAST_WIDE ? WHOLE : WIDE;
}

/** Rows of the largest size: enough for a GPU to be full, few enough for a processor not to be interrupted. */
static int64_t layer_rows(const bench_device *device, const bench_kernels *kernels)
{
    enum { GPU_ELEMENTS = 1 << 25, OTHER_ELEMENTS = 1 << 20, ATOMICS_SHARE = 64, ROWS_STEP = 16 };
    const uint64_t room = device->properties.memory_bytes / 64 / grkan_dtype_bytes(kernels->dtype);
    int64_t elements = device->properties.is_gpu ? GPU_ELEMENTS : OTHER_ELEMENTS;
    if (room > 0 && (uint64_t)elements > room)
        elements = (int64_t)room;
    if (kernels->options.strategy == GRKAN_STRATEGY_ELEMENT) /* so slow that this part of them will do */
        elements /= ATOMICS_SHARE;
    const int64_t rows = elements / kernels->channels / ROWS_STEP * ROWS_STEP;
    return rows > 0 ? rows : ROWS_STEP;
}

static void add_layers(const bench_device *device, bench_kernels *kernels)
{
    const int64_t rows = layer_rows(device, kernels);
    const int64_t sizes[SIZES] = {[ONE_ROW] = 1, [SMALL] = rows / 4, [LARGE] = rows, [STEEP] = rows / 4};
    for (int size = 0; size < SIZES; size++) {
        grkan_operation operation = GRKAN_OPERATION_INIT;
        operation.outer = sizes[size];
        operation.channels = kernels->channels;
        operation.dtype = kernels->dtype;
        operation.output_dtype = kernels->output_dtype;
        if (size == STEEP)
            operation.rational.numerator_degree = operation.rational.denominator_degree = GRKAN_MAX_DEGREE;
        for (int pass = 0; pass < PASSES; pass++)
            kernels->layers[size * PASSES + pass] =
                (bench_case){.operation = operation, .options = kernels->options, .pass = (bench_pass)pass};
    }
}

static int are_kernels_of(const bench_device *device, const bench_kernels *kernels, const bench_case *one)
{
    return kernels->dtype == one->operation.dtype && kernels->output_dtype == one->operation.output_dtype &&
           kernels->options.strategy == one->options.strategy &&
           kernels->options.determinism == one->options.determinism &&
           kernels->channels == layer_channels(device, &one->operation);
}

static bench_kernels *find_kernels(const bench_device *device, const bench_case *one)
{
    for (int i = 0; i < device->kernels_count; i++)
        if (are_kernels_of(device, &device->kernels[i], one))
            return &device->kernels[i];
    return NULL;
}

void bench_list_kernels(bench_device *device)
{
    for (int i = 0; i < device->case_count; i++) {
        bench_case *one = &device->cases[i];
        if (one->options.strategy == GRKAN_STRATEGY_AUTO)
            one->options.strategy = GRKAN_STRATEGY_TREE; /* what it means: the same kernels */
        if (find_kernels(device, one) != NULL)
            continue;
        const size_t count = (size_t)device->kernels_count + 1;
        device->kernels = tool_resize(device->kernels, count * sizeof *device->kernels);
        device->kernels[count - 1] = (bench_kernels){.dtype = one->operation.dtype,
                                                     .output_dtype = one->operation.output_dtype,
                                                     .options = one->options,
                                                     .channels = layer_channels(device, &one->operation)};
        device->kernels[count - 1].options.frozen = 0; /* they are of other tables */
        device->kernels[count - 1].options.writes_y = 0;
        add_layers(device, &device->kernels[count - 1]);
        device->kernels_count = (int)count;
    }
}

int bench_layer_count(const bench_device *device)
{
    return device->kernels_count * SIZES * PASSES;
}

bench_case *bench_layer(bench_device *device, int index)
{
    return &device->kernels[index / (SIZES * PASSES)].layers[index % (SIZES * PASSES)];
}

void bench_free_kernels(bench_device *device)
{
    for (int i = 0; i < bench_layer_count(device); i++)
        bench_free_case(bench_layer(device, i));
    free(device->kernels);
    device->kernels = NULL;
    device->kernels_count = 0;
}

/* --------------------------------------------------------------------------------------------------- prediction */

static double not_negative(double value)
{
    return value > 0.0 ? value : 0.0;
}

static double elements_of(const bench_case *one)
{
    return (double)(one->operation.outer * one->operation.channels * one->operation.inner);
}

static double seconds_of(const bench_case *one)
{
    return 1e-3 * one->milliseconds.min;
}

static grkan_pass_ceilings pass_ceilings(const bench_kernels *kernels, int pass)
{
    const bench_case *one_row = &kernels->layers[ONE_ROW * PASSES + pass],
                     *small = &kernels->layers[SMALL * PASSES + pass];
    const bench_case *large = &kernels->layers[LARGE * PASSES + pass], *steep = &kernels->layers[STEEP * PASSES + pass];
    const double apart = (seconds_of(large) - seconds_of(small)) / (elements_of(large) - elements_of(small));
    const double element = apart > 0.0 ? apart : seconds_of(large) / elements_of(large); /* lost in noise */
    const double start = seconds_of(small) - elements_of(small) * element;
    const double flops = (double)(steep->cost.flops - small->cost.flops);
    return (grkan_pass_ceilings){.launch = seconds_of(one_row),
                                 .block = not_negative(start - seconds_of(one_row)) / (double)small->cost.blocks,
                                 .element = element,
                                 .flop = not_negative(seconds_of(steep) - seconds_of(small)) / flops};
}

/** 0 if the device does not do one of the layers. */
static int has_ceilings(const bench_kernels *kernels)
{
    for (int i = 0; i < SIZES * PASSES; i++)
        if (kernels->layers[i].refusal != NULL)
            return 0;
    return 1;
}

static grkan_status predict(const bench_device *device, const bench_kernels *kernels, bench_case *one)
{
    const grkan_ceilings ceilings = {.byte = 1e-9 / device->copy_gb_per_s,
                                     .forward = pass_ceilings(kernels, BENCH_FORWARD),
                                     .backward = pass_ceilings(kernels, BENCH_BACKWARD)};
    grkan_prediction prediction;
    grkan_plan *plan = NULL;
    grkan_status status = grkan_plan_create(device->device, &one->operation, &one->options, &plan);
    if (status == GRKAN_SUCCESS)
        status = grkan_plan_predict(plan, &ceilings, &prediction);
    grkan_plan_destroy(plan);
    if (status != GRKAN_SUCCESS)
        return status;
    const grkan_pass_prediction *pass = one->pass == BENCH_FORWARD ? &prediction.forward : &prediction.backward;
    one->predicted_milliseconds = 1e3 * (pass->launch + pass->elements);
    return status;
}

grkan_status bench_predict(bench_device *device)
{
    grkan_status status = GRKAN_SUCCESS;
    if (device->kernels_count == 0)
        return status;
    for (int i = 0; i < device->case_count && status == GRKAN_SUCCESS; i++) {
        const bench_kernels *kernels = find_kernels(device, &device->cases[i]);
        if (device->cases[i].refusal == NULL && has_ceilings(kernels))
            status = predict(device, kernels, &device->cases[i]);
    }
    return status;
}
