/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file measure.c
 * @brief What a device takes for a copy and for a standard layer: KAT's, with 768 channels.
 *
 * Three sizes of it give the time of a launch, of a block and of an element; the same arithmetic done four times gives
 * the time of a flop.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "internal.h"

enum {
    channels = 768,
    repeated = 4,       /* how often the arithmetic is done to see what it takes */
    atomics_share = 64, /* elements that add atomically one by one are so slow that this part of them will do */
    fewest_samples = 5,
    pattern_bytes = 1 << 20
};

static const int64_t gpu_elements = (int64_t)32 << 20; /* of the largest size */
static const int64_t cpu_elements = (int64_t)1 << 20;  /* short enough to be done between two interruptions */
static const size_t copy_bytes = (size_t)256 << 20;
static const uint64_t largest_total = (uint64_t)384 << 20; /* of tensors that take turns, beyond the caches */
static const double sample_milliseconds = 0.5;
static const double warm_up_milliseconds = 20.0;
static const double samples_milliseconds = 100.0; /* of all samples together, at least */

/* ----------------------------------------------------------------------------------------------- a stopwatch */

typedef grkan_status (*timed_call)(const void *context, int64_t number);

static grkan_status time_calls(grkan_device *device, timed_call call, const void *context, int64_t calls,
                               int64_t *number, double *milliseconds)
{
    grkan_status status = device->backend->timer_start(device->state);
    for (int64_t i = 0; i < calls && status == GRKAN_SUCCESS; ++i)
        status = call(context, (*number)++);
    return status == GRKAN_SUCCESS ? device->backend->timer_stop(device->state, milliseconds) : status;
}

/** Seconds of one call: the best of some samples, after a warm-up, since what disturbs a measurement only adds to it. */
static grkan_status measure(grkan_device *device, timed_call call, const void *context, double *seconds)
{
    double milliseconds = 0.0, total = 0.0, best = INFINITY;
    int64_t number = 0, calls = 1;
    grkan_status status = time_calls(device, call, context, 1, &number, &milliseconds); /* may compile */
    for (; status == GRKAN_SUCCESS && total < warm_up_milliseconds; total += milliseconds) {
        status = time_calls(device, call, context, calls, &number, &milliseconds);
        if (milliseconds < sample_milliseconds)
            calls *= 2;
    }
    total = 0.0;
    for (int i = 0; status == GRKAN_SUCCESS && (i < fewest_samples || total < samples_milliseconds); ++i) {
        status = time_calls(device, call, context, calls, &number, &milliseconds);
        total += milliseconds;
        best = milliseconds < best ? milliseconds : best;
    }
    *seconds = best * 1e-3 / (double)calls;
    return status;
}

/* --------------------------------------------------------------------------------------------------- memory */

static size_t smaller(size_t a, size_t b)
{
    return a < b ? a : b;
}

/** Numbers of both signs in [0.5, 2), the same for every storage type up to their precision. */
static void fill_pattern(grkan_dtype dtype, void *pattern)
{
    const size_t element = grkan_dtype_bytes(dtype);
    uint64_t state = 1;
    for (size_t at = 0; at < pattern_bytes; at += element) {
        state = state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407); /* Knuth's MMIX generator */
        const uint64_t sign = state & UINT64_C(1) << 63;
        const uint64_t f64 = sign | UINT64_C(0x3FE0000000000000) | (state >> 10 & UINT64_C(0x001FFFFFFFFFFFFF));
        const uint32_t f32 = (uint32_t)(sign >> 32) | 0x3F000000u | (uint32_t)(state >> 39 & 0x00FFFFFFu);
        const uint16_t f16 = (uint16_t)(sign >> 48 | 0x3800u | (state >> 52 & 0x07FFu));
        const uint16_t bf16 = (uint16_t)(f32 >> 16);
        const void *const values[] = {[GRKAN_F32] = &f32, [GRKAN_F16] = &f16, [GRKAN_BF16] = &bf16, [GRKAN_F64] = &f64};
        memcpy((char *)pattern + at, values[dtype], element);
    }
}

/** Allocate device memory and fill it: from the host a little, the rest by doubling. */
static grkan_status make_memory(grkan_device *device, grkan_dtype dtype, size_t bytes, void **base)
{
    const grkan_backend *backend = device->backend;
    void *const pattern = malloc(pattern_bytes);
    if (pattern == NULL)
        return grkan_fail(GRKAN_ERROR_OUT_OF_MEMORY, "no memory for %d bytes to measure with", (int)pattern_bytes);
    fill_pattern(dtype, pattern);
    grkan_status status = backend->allocate(device->state, bytes, base);
    size_t done = smaller(pattern_bytes, bytes);
    if (status == GRKAN_SUCCESS)
        status = backend->upload(device->state, (grkan_buffer){*base, 0}, pattern, done);
    for (; status == GRKAN_SUCCESS && done < bytes; done += smaller(done, bytes - done))
        status = backend->copy(device->state, (grkan_buffer){*base, done}, (grkan_buffer){*base, 0},
                               smaller(done, bytes - done));
    free(pattern);
    return status;
}

/** Allocate and upload a few numbers of the coefficients' type, scale / i! for the i-th power; zeros with scale 0. */
static grkan_status make_coefficients(grkan_device *device, grkan_dtype dtype, int count, double scale, void **base)
{
    double wide[64] = {0};
    float narrow[64] = {0};
    for (int i = 0; i < count; ++i) {
        wide[i] = scale / tgamma(i % 6 + 1.0);
        narrow[i] = (float)wide[i];
    }
    const size_t bytes = (size_t)count * grkan_coefficient_bytes(dtype);
    const grkan_status status = device->backend->allocate(device->state, bytes, base);
    if (status != GRKAN_SUCCESS)
        return status;
    return device->backend->upload(device->state, (grkan_buffer){*base, 0},
                                   dtype == GRKAN_F64 ? (const void *)wide : (const void *)narrow, bytes);
}

/* ------------------------------------------------------------------------------------------ the standard layer */

/** The tensors of the standard layer at its largest size; calls take turns in a tensor that is longer. */
typedef struct standard_layer {
    grkan_device *device;
    const grkan_plan *plan; /* at the size that is being measured */
    void *tensors[3];       /* x, dy, and y or dx */
    void *coefficients[4];  /* numerator, denominator, and their gradients */
    void *workspace;
    size_t workspace_bytes;
    size_t tensor_bytes; /* of one call at the size that is being measured */
    size_t total_bytes;  /* of one of the tensors */
} standard_layer;

static size_t offset_of(const standard_layer *layer, int64_t number)
{
    return (size_t)(number % (int64_t)(layer->total_bytes / layer->tensor_bytes)) * layer->tensor_bytes;
}

static grkan_status call_forward(const void *context, int64_t number)
{
    const standard_layer *l = context;
    const size_t offset = offset_of(l, number);
    const grkan_forward_arguments arguments = {.x = {l->tensors[0], offset},
                                               .numerator = {l->coefficients[0], 0},
                                               .denominator = {l->coefficients[1], 0},
                                               .y = {l->tensors[2], offset}};
    return grkan_forward(l->plan, &arguments, NULL);
}

static grkan_status call_backward(const void *context, int64_t number)
{
    const standard_layer *l = context;
    const size_t offset = offset_of(l, number);
    const grkan_backward_arguments arguments = {.x = {l->tensors[0], offset},
                                                .dy = {l->tensors[1], offset},
                                                .numerator = {l->coefficients[0], 0},
                                                .denominator = {l->coefficients[1], 0},
                                                .dx = {l->tensors[2], offset},
                                                .dnumerator = {l->coefficients[2], 0},
                                                .ddenominator = {l->coefficients[3], 0},
                                                .workspace = {l->workspace, 0},
                                                .workspace_bytes = l->workspace_bytes};
    return grkan_backward(l->plan, &arguments, NULL);
}

grkan_operation grkan_standard_operation(grkan_dtype dtype, int64_t rows)
{
    grkan_operation o = GRKAN_OPERATION_INIT;
    o.dtype = dtype;
    o.channels = channels;
    o.outer = rows;
    return o;
}

/** Rows of the largest size. */
static int64_t standard_rows(const grkan_device *device, const grkan_plan_data *kind)
{
    int64_t elements = device->properties.is_gpu ? gpu_elements : cpu_elements;
    const uint64_t room = device->properties.memory_bytes / 64 / grkan_dtype_bytes(kind->operation.dtype);
    if (room > 0 && (uint64_t)elements > room)
        elements = (int64_t)room;
    if (kind->options.strategy == GRKAN_STRATEGY_ELEMENT)
        elements /= atomics_share;
    return elements / channels / 16 * 16;
}

static void free_layer(standard_layer *layer)
{
    const grkan_backend *backend = layer->device->backend;
    void *const all[] = {layer->tensors[0],      layer->tensors[1],      layer->tensors[2],      layer->coefficients[0],
                         layer->coefficients[1], layer->coefficients[2], layer->coefficients[3], layer->workspace};
    for (size_t i = 0; i < sizeof all / sizeof *all; ++i)
        if (all[i] != NULL)
            backend->free(layer->device->state, all[i]);
}

static grkan_status make_layer(grkan_device *device, const grkan_plan_data *kind, standard_layer *layer)
{
    const grkan_dtype dtype = kind->operation.dtype;
    const size_t row = channels * grkan_dtype_bytes(dtype);
    const size_t one = (size_t)standard_rows(device, kind) * row;
    const uint64_t beyond_caches = 4 * device->properties.cache_bytes;
    const uint64_t total = beyond_caches < largest_total ? beyond_caches : largest_total;
    const int counts[] = {6, 32, 6, 32};
    const double scales[] = {1.0, 0.05, 0.0, 0.0};
    grkan_status status = GRKAN_SUCCESS;
    *layer = (standard_layer){.device = device, .total_bytes = one};
    if (total / 3 > one)
        layer->total_bytes = (size_t)(total / 3) / row * row;
    for (int i = 0; i < 3 && status == GRKAN_SUCCESS; ++i)
        status = make_memory(device, dtype, layer->total_bytes, &layer->tensors[i]);
    for (int i = 0; i < 4 && status == GRKAN_SUCCESS; ++i)
        status = make_coefficients(device, dtype, counts[i], scales[i], &layer->coefficients[i]);
    return status;
}

/** The workspace of a plan, zero as it has to be. */
static grkan_status make_workspace(standard_layer *layer, size_t bytes)
{
    const grkan_backend *backend = layer->device->backend;
    void *zeros;
    grkan_status status;
    if (layer->workspace_bytes >= bytes)
        return GRKAN_SUCCESS;
    if (layer->workspace != NULL)
        backend->free(layer->device->state, layer->workspace);
    layer->workspace = NULL;
    layer->workspace_bytes = bytes;
    zeros = calloc(1, bytes);
    if (zeros == NULL)
        return grkan_fail(GRKAN_ERROR_OUT_OF_MEMORY, "no memory for %zu bytes to measure with", bytes);
    status = backend->allocate(layer->device->state, bytes, &layer->workspace);
    if (status == GRKAN_SUCCESS)
        status = backend->upload(layer->device->state, (grkan_buffer){layer->workspace, 0}, zeros, bytes);
    free(zeros);
    return status;
}

/** What one size takes. */
typedef struct sample {
    double elements;
    double blocks[2];
    double seconds[2]; /* forward, backward */
} sample;

static grkan_status measure_size(standard_layer *layer, const grkan_plan_data *kind, int64_t rows, int repeats,
                                 sample *one)
{
    const grkan_operation o = grkan_standard_operation(kind->operation.dtype, rows);
    grkan_plan *plan = NULL;
    grkan_status status = grkan_plan_create_repeated(layer->device, &o, &kind->options, repeats, &plan);
    if (status != GRKAN_SUCCESS)
        return status;
    layer->plan = plan;
    layer->tensor_bytes = (size_t)rows * channels * grkan_dtype_bytes(o.dtype);
    one->elements = (double)(rows * channels);
    one->blocks[0] = (double)(plan->data.forward.stripes * plan->data.forward.spans);
    one->blocks[1] = (double)(plan->data.backward.stripes * plan->data.backward.spans);
    status = make_workspace(layer, plan->data.workspace_bytes);
    if (status == GRKAN_SUCCESS)
        status = measure(layer->device, call_forward, layer, &one->seconds[0]);
    if (status == GRKAN_SUCCESS)
        status = measure(layer->device, call_backward, layer, &one->seconds[1]);
    grkan_plan_destroy(plan);
    return status;
}

/* --------------------------------------------------------------------------------------------- measurements */

typedef struct copied {
    grkan_device *device;
    void *from;
    void *to;
    size_t bytes;
} copied;

static grkan_status call_copy(const void *context, int64_t number)
{
    const copied *c = context;
    (void)number;
    return c->device->backend->copy(c->device->state, (grkan_buffer){c->to, 0}, (grkan_buffer){c->from, 0}, c->bytes);
}

grkan_status grkan_measure_copy(grkan_device *device, const grkan_plan_data *kind, double *values)
{
    copied c = {.device = device, .bytes = copy_bytes};
    (void)kind;
    if (device->properties.memory_bytes > 0)
        c.bytes = smaller(c.bytes, (size_t)(device->properties.memory_bytes / 32) / 64 * 64);
    grkan_status status = make_memory(device, GRKAN_F32, c.bytes, &c.from);
    if (status == GRKAN_SUCCESS)
        status = make_memory(device, GRKAN_F32, c.bytes, &c.to);
    if (status == GRKAN_SUCCESS)
        status = measure(device, call_copy, &c, &values[0]);
    values[0] /= 2.0 * (double)c.bytes;
    if (c.from != NULL)
        device->backend->free(device->state, c.from);
    if (c.to != NULL)
        device->backend->free(device->state, c.to);
    return status;
}

static double not_negative(double value)
{
    return value > 0.0 ? value : 0.0;
}

grkan_status grkan_measure_kind(grkan_device *device, const grkan_plan_data *kind, double *values)
{
    const int64_t rows[3] = {1, standard_rows(device, kind) / 4, standard_rows(device, kind)};
    sample samples[3];
    standard_layer layer;
    grkan_status status = make_layer(device, kind, &layer);
    for (int i = 0; i < 3 && status == GRKAN_SUCCESS; ++i)
        status = measure_size(&layer, kind, rows[i], 1, &samples[i]);
    free_layer(&layer);
    for (int pass = 0; pass < 2 && status == GRKAN_SUCCESS; ++pass) {
        const sample *small = &samples[1], *large = &samples[2];
        const double launch = samples[0].seconds[pass];
        const double apart = (large->seconds[pass] - small->seconds[pass]) / (large->elements - small->elements);
        const double slope = apart > 0.0 ? apart : large->seconds[pass] / large->elements; /* lost in noise */
        const double start = small->seconds[pass] - small->elements * slope;
        values[3 * pass] = launch;
        values[3 * pass + 1] = not_negative(start - launch) / small->blocks[pass];
        values[3 * pass + 2] = slope;
    }
    return status;
}

grkan_status grkan_measure_flops(grkan_device *device, const grkan_plan_data *kind, double *values)
{
    const int64_t rows = standard_rows(device, kind) / 4;
    const grkan_operation o = grkan_standard_operation(kind->operation.dtype, rows);
    sample once, often;
    standard_layer layer;
    grkan_status status = make_layer(device, kind, &layer);
    if (status == GRKAN_SUCCESS)
        status = measure_size(&layer, kind, rows, 1, &once);
    if (status == GRKAN_SUCCESS)
        status = measure_size(&layer, kind, rows, repeated, &often);
    free_layer(&layer);
    for (int pass = 0; pass < 2 && status == GRKAN_SUCCESS; ++pass)
        values[pass] = not_negative(often.seconds[pass] - once.seconds[pass]) /
                       ((repeated - 1) * once.elements * (double)grkan_element_flops(&o, pass));
    return status;
}
