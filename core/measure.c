/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file measure.c
 * @brief What a device takes for a copy and for a standard layer, one of KAT's.
 *
 * Three sizes of it give the time of a launch, of a block and of an element; the same arithmetic done four times gives
 * the time of a flop. All that belongs together is measured in turns, many short ones: what disturbs a machine that
 * others share comes and goes within seconds, and only adds to times, so that their least is what the device reaches.
 */
#define _GNU_SOURCE 1 /* strtod_l */
#include <locale.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "internal.h"

enum {
    repeated = 4,       /* how often the arithmetic is done to see what it takes */
    atomics_share = 64, /* elements that add atomically one by one are so slow that this part of them will do */
    fewest_turns = 3,   /* of each thing that is measured */
    least_rows = 16,    /* and a multiple of them */
    pattern_bytes = 1 << 20
};

static const int64_t gpu_elements = (int64_t)32 << 20; /* of the largest size */
static const int64_t cpu_elements = (int64_t)1 << 20;  /* short enough to be done between two interruptions */
static const size_t copy_bytes = (size_t)256 << 20;
static const uint64_t largest_total = (uint64_t)384 << 20; /* of tensors that take turns, beyond the caches */
static const double sample_milliseconds = 0.5;
static const double warm_up_milliseconds = 5.0;
static const double samples_milliseconds = 20.0; /* of the samples of a turn together, at least */

/* ----------------------------------------------------------------------------------------------- a stopwatch */

typedef grkan_status (*timed_call)(const void *context, int64_t number);

/** A call that is measured. The rest is zero before. */
typedef struct timed {
    timed_call call;
    const void *context;
    int64_t number; /* of the next call */
    int64_t calls;  /* of a sample */
    double seconds; /* of one call, the least so far */
} timed;

static grkan_status time_calls(grkan_device *device, timed *one, double *milliseconds)
{
    grkan_status status = device->backend->timer_start(device->state);
    for (int64_t i = 0; i < one->calls && status == GRKAN_SUCCESS; ++i)
        status = one->call(one->context, one->number++);
    return status == GRKAN_SUCCESS ? device->backend->timer_stop(device->state, milliseconds) : status;
}

/** A warm-up, in which samples get long enough for the stopwatch, and then samples. @param spent grows by their time */
static grkan_status take_turn(grkan_device *device, timed *one, double *spent)
{
    double milliseconds = 0.0, warm_up = 0.0, samples = 0.0;
    grkan_status status = GRKAN_SUCCESS;
    for (; status == GRKAN_SUCCESS && warm_up < warm_up_milliseconds; warm_up += milliseconds) {
        status = time_calls(device, one, &milliseconds);
        if (milliseconds < sample_milliseconds)
            one->calls *= 2;
    }
    for (; status == GRKAN_SUCCESS && samples < samples_milliseconds; samples += milliseconds) {
        status = time_calls(device, one, &milliseconds);
        const double seconds = milliseconds * 1e-3 / (double)one->calls;
        one->seconds = seconds < one->seconds ? seconds : one->seconds;
    }
    *spent += 1e-3 * (warm_up + samples);
    return status;
}

/** strtod with a decimal point, whatever the caller's locale has there. */
static double parse_number(const char *text, char **end)
{
    const locale_t plain = newlocale(LC_ALL_MASK, "C", (locale_t)0);
    const double number = plain != (locale_t)0 ? strtod_l(text, end, plain) : strtod(text, end);
    if (plain != (locale_t)0)
        freelocale(plain);
    return number;
}

/** How long turns go on. The patient find the best of a machine that others disturb. */
static grkan_status seconds_to_spend(double *seconds)
{
    const char *const text = getenv("GRKAN_MEASURE_SECONDS");
    char *end = NULL;
    *seconds = 2.0;
    if (text == NULL || *text == '\0')
        return GRKAN_SUCCESS;
    *seconds = parse_number(text, &end);
    if (*end != '\0' || !(*seconds >= 0.0 && *seconds <= 3600.0))
        return grkan_fail(GRKAN_ERROR_INVALID_ARGUMENT,
                          "GRKAN_MEASURE_SECONDS is '%s'; expected a number of seconds from 0 to 3600", text);
    return GRKAN_SUCCESS;
}

/** The least seconds of a call for each of several, which take turns. */
static grkan_status measure(grkan_device *device, timed *all, int count)
{
    double spent = 0.0, patience;
    grkan_status status = seconds_to_spend(&patience);
    for (int i = 0; i < count && status == GRKAN_SUCCESS; ++i) {
        double milliseconds;
        all[i].calls = 1;
        all[i].seconds = INFINITY;
        status = time_calls(device, &all[i], &milliseconds); /* may compile */
    }
    for (int turn = 0; status == GRKAN_SUCCESS && (turn < fewest_turns * count || spent < patience); ++turn)
        status = take_turn(device, &all[turn % count], &spent);
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
    void *tensors[3];      /* x, dy, and y or dx */
    void *coefficients[4]; /* numerator, denominator, and their gradients */
    void *workspace;
    size_t workspace_bytes;
    size_t total_bytes; /* of one of the tensors */
} standard_layer;

/** The standard layer at one size, and what it takes. */
typedef struct sample {
    const standard_layer *layer;
    int64_t rows;
    int repeats; /* of the arithmetic */
    grkan_plan *plan;
    size_t tensor_bytes;
    double elements;
    double blocks[2];
    double seconds[2]; /* forward, backward */
} sample;

/** Where x, dy and result of a call lie. Caches hold some distances between them badly, so that these change. */
typedef struct offsets {
    size_t x, dy, result;
} offsets;

static offsets offsets_of(const sample *one, int64_t number)
{
    const int64_t sets = (int64_t)(one->layer->total_bytes / one->tensor_bytes);
    const int64_t x = number % sets, dy = (number + number / sets) % sets, result = sets - 1 - x;
    const size_t bytes = one->tensor_bytes;
    return (offsets){(size_t)x * bytes, (size_t)dy * bytes, (size_t)result * bytes};
}

static grkan_status call_forward(const void *context, int64_t number)
{
    const sample *one = context;
    const standard_layer *l = one->layer;
    const offsets at = offsets_of(one, number);
    const grkan_forward_arguments arguments = {.x = {l->tensors[0], at.x},
                                               .numerator = {l->coefficients[0], 0},
                                               .denominator = {l->coefficients[1], 0},
                                               .y = {l->tensors[2], at.result}};
    return grkan_forward(one->plan, &arguments, NULL);
}

static grkan_status call_backward(const void *context, int64_t number)
{
    const sample *one = context;
    const standard_layer *l = one->layer;
    const offsets at = offsets_of(one, number);
    const grkan_backward_arguments arguments = {.x = {l->tensors[0], at.x},
                                                .dy = {l->tensors[1], at.dy},
                                                .numerator = {l->coefficients[0], 0},
                                                .denominator = {l->coefficients[1], 0},
                                                .dx = {l->tensors[2], at.result},
                                                .dnumerator = {l->coefficients[2], 0},
                                                .ddenominator = {l->coefficients[3], 0},
                                                .workspace = {l->workspace, 0},
                                                .workspace_bytes = l->workspace_bytes};
    return grkan_backward(one->plan, &arguments, NULL);
}

/**
 * A processor's blocks are fastest where they are as wide as a row: wider rows are read in pieces, and narrower ones have
 * short groups. So each of the three has a layer of its own. On a GPU threads read all at once.
 */
static int64_t standard_channels(const grkan_device *device, const grkan_tiling *t)
{
    enum { whole = 768, narrow = whole / 4, wide = whole * 4 };
    if (device->properties.is_gpu)
        return whole;
    return t->row_lanes > 1 ? narrow : t->spans * t->folds > 1 ? wide : whole;
}

grkan_operation grkan_standard_operation(const grkan_device *device, const grkan_plan_data *plan, int pass)
{
    grkan_operation o = GRKAN_OPERATION_INIT;
    o.dtype = plan->operation.dtype;
    o.channels = standard_channels(device, pass == 0 ? &plan->forward : &plan->backward);
    o.outer = 1;
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
    const int64_t rows = elements / kind->operation.channels / least_rows * least_rows;
    return rows > 0 ? rows : least_rows;
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
    const size_t row = (size_t)kind->operation.channels * grkan_dtype_bytes(dtype);
    const size_t one = (size_t)standard_rows(device, kind) * row;
    const uint64_t cache = device->properties.cache_bytes;
    const uint64_t total = cache == 0 || 4 * cache > largest_total ? largest_total : 4 * cache;
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

static grkan_status make_plan(standard_layer *layer, const grkan_plan_data *kind, sample *one)
{
    grkan_operation o = kind->operation;
    o.outer = one->rows;
    grkan_status status = grkan_plan_create_repeated(layer->device, &o, &kind->options, one->repeats, &one->plan);
    if (status != GRKAN_SUCCESS)
        return status;
    const grkan_plan_data *data = &one->plan->data;
    one->layer = layer;
    one->tensor_bytes = (size_t)(o.outer * o.channels) * grkan_dtype_bytes(o.dtype);
    one->elements = (double)(o.outer * o.channels);
    one->blocks[0] = (double)(data->forward.stripes * data->forward.spans);
    one->blocks[1] = (double)(data->backward.stripes * data->backward.spans);
    return make_workspace(layer, data->workspace_bytes);
}

enum { most_sizes = 3 };

/** Fill in what the standard layer takes at up to most_sizes sizes. */
static grkan_status measure_sizes(grkan_device *device, const grkan_plan_data *kind, sample *samples, int count)
{
    standard_layer layer;
    timed all[2 * most_sizes];
    grkan_status status = make_layer(device, kind, &layer);
    for (int i = 0; i < count && status == GRKAN_SUCCESS; ++i)
        status = make_plan(&layer, kind, &samples[i]);
    for (int i = 0; i < 2 * count; ++i)
        all[i] = (timed){.call = i % 2 == 0 ? call_forward : call_backward, .context = &samples[i / 2]};
    if (status == GRKAN_SUCCESS)
        status = measure(device, all, 2 * count);
    for (int i = 0; i < 2 * count && status == GRKAN_SUCCESS; ++i)
        samples[i / 2].seconds[i % 2] = all[i].seconds;
    for (int i = 0; i < count; ++i)
        grkan_plan_destroy(samples[i].plan);
    free_layer(&layer);
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
    timed one = {.call = call_copy, .context = &c};
    if (status == GRKAN_SUCCESS)
        status = measure(device, &one, 1);
    values[0] = one.seconds / (2.0 * (double)c.bytes);
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
    const int64_t rows = standard_rows(device, kind);
    sample samples[] = {{.rows = 1, .repeats = 1}, {.rows = rows / 4, .repeats = 1}, {.rows = rows, .repeats = 1}};
    const sample *small = &samples[1], *large = &samples[2];
    const grkan_status status = measure_sizes(device, kind, samples, 3);
    for (int pass = 0; pass < 2 && status == GRKAN_SUCCESS; ++pass) {
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
    sample samples[] = {{.rows = rows, .repeats = 1}, {.rows = rows, .repeats = repeated}};
    const grkan_status status = measure_sizes(device, kind, samples, 2);
    for (int pass = 0; pass < 2 && status == GRKAN_SUCCESS; ++pass)
        values[pass] = not_negative(samples[1].seconds[pass] - samples[0].seconds[pass]) /
                       ((repeated - 1) * samples[0].elements * (double)grkan_element_flops(&kind->operation, pass));
    return status;
}
