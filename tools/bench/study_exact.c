/* SPDX-License-Identifier: Apache-2.0 */
/** @file study_exact.c @brief Random tensors on the host, and the exact gradients of the coefficients over them. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include <grkan/fit.h>

#include "bench.h"
#include "check/storage_types.h"
#include "common/parallel.h"
#include "study_exact.h"

enum { MOST_COUNT = GRKAN_MAX_DEGREE + 1 };

int64_t study_elements(const grkan_operation *operation)
{
    return operation->outer * operation->channels;
}

void study_layer_create(const grkan_operation *operation, study_layer *layer)
{
    const grkan_preset *swish = NULL;
    size_t bytes = (size_t)study_elements(operation) * grkan_dtype_bytes(operation->dtype);
    size_t groups = (size_t)operation->groups;
    size_t m = (size_t)operation->numerator_degree, n = (size_t)operation->denominator_degree;
    grkan_dtype dtype = storage_of_coefficients(operation->dtype);
    (void)grkan_preset_find("kat_swish", GRKAN_ABS_TERMS, &swish); /* the library has it */
    *layer = (study_layer){.operation = *operation,
                           .x = tool_allocate(bytes),
                           .dy = tool_allocate(bytes),
                           .numerator = tool_allocate((m + 1) * sizeof(long double)),
                           .denominator = tool_allocate(groups * n * sizeof(long double))};
    for (size_t i = 0; i <= m; i++)
        layer->numerator[i] = storage_round(dtype, swish->numerator[i]);
    for (size_t i = 0; i < groups * n; i++)
        layer->denominator[i] = storage_round(dtype, (1 + 0.01L * (long double)(i / n)) * swish->denominator[i % n]);
}

void study_layer_free(study_layer *layer)
{
    free(layer->x);
    free(layer->dy);
    free(layer->numerator);
    free(layer->denominator);
}

/** A layer that is filled. */
typedef struct filling {
    study_layer *layer;
    uint64_t seed;
} filling;

static void fill_rows(void *context, int64_t first, int64_t end)
{
    const filling *const f = context;
    const int64_t channels = f->layer->operation.channels;
    for (int64_t row = first; row < end; row++) {
        uint64_t state = bench_stream(f->seed, (uint64_t)row);
        for (int64_t i = row * channels; i < (row + 1) * channels; i++) {
            bench_store(f->layer->x, (size_t)i, f->layer->operation.dtype, bench_normal(&state));
            bench_store(f->layer->dy, (size_t)i, f->layer->operation.dtype, bench_normal(&state));
        }
    }
}

void study_layer_fill(study_layer *layer, uint64_t seed)
{
    tool_parallel(layer->operation.outer, fill_rows, &(filling){layer, seed});
}

study_gradient study_gradient_create(const grkan_operation *operation, int is_denominator)
{
    int64_t count = is_denominator ? operation->denominator_groups * operation->denominator_degree
                                   : operation->numerator_degree + 1;
    return (study_gradient){.count = count,
                            .value = tool_allocate((size_t)count * sizeof(long double)),
                            .size = tool_allocate((size_t)count * sizeof(long double))};
}

/** What one group's elements of a row, or of several, add up to. */
typedef struct group_sums {
    long double value[2][MOST_COUNT];
    long double size[2][MOST_COUNT];
} group_sums;

/** One element: w x^i, and -w F dQ/db_j, from the formulas of grkan.h. */
static void add_element(const study_layer *layer, const long double *b, long double x, long double dy, group_sums *sums)
{
    const int m = layer->operation.numerator_degree, n = layer->operation.denominator_degree;
    long double p = layer->numerator[m], q = 0;
    for (int i = m - 1; i >= 0; i--)
        p = p * x + layer->numerator[i];
    for (int j = n - 1; j >= 0; j--)
        q = (q + fabsl(b[j])) * fabsl(x);
    const long double w = dy / (1 + q), u = -w * (p / (1 + q));
    long double term = w;
    for (int i = 0; i <= m; i++, term *= x) {
        sums->value[0][i] += term;
        sums->size[0][i] += fabsl(term);
    }
    term = u;
    for (int j = 0; j < n; j++) {
        term *= fabsl(x);
        sums->value[1][j] += b[j] < 0 ? -term : term;
        sums->size[1][j] += fabsl(term);
    }
}

static void add_group(const study_layer *layer, int64_t row, int64_t group, group_sums *sums)
{
    const grkan_operation *o = &layer->operation;
    const long double *b = layer->denominator + group * o->denominator_degree;
    const int64_t width = o->channels / o->groups, first = row * o->channels + group * width;
    for (int64_t i = first; i < first + width; i++)
        add_element(layer, b, storage_load(o->dtype, layer->x, i), storage_load(o->dtype, layer->dy, i), sums);
}

/** Add the sums of one group to the gradients: the numerator is shared by all. */
static void merge(const study_layer *layer, int64_t group, const group_sums *sums, study_gradient gradients[2])
{
    const int n = layer->operation.denominator_degree;
    for (int i = 0; i <= layer->operation.numerator_degree; i++) {
        gradients[0].value[i] += sums->value[0][i];
        gradients[0].size[i] += sums->size[0][i];
    }
    for (int j = 0; j < n; j++) {
        gradients[1].value[group * n + j] += sums->value[1][j];
        gradients[1].size[group * n + j] += sums->size[1][j];
    }
}

/** Gradients that rows are added to. */
typedef struct addition {
    const study_layer *layer;
    study_gradient *gradients;
    grkan_lock lock; /* of the gradients */
} addition;

static void add_rows(void *context, int64_t first, int64_t end)
{
    addition *const a = context;
    const grkan_operation *const o = &a->layer->operation;
    group_sums *const sums = tool_allocate((size_t)o->groups * sizeof *sums);
    for (int64_t row = first; row < end; row++)
        for (int64_t group = 0; group < o->groups; group++)
            add_group(a->layer, row, group, &sums[group]);
    grkan_lock_take(&a->lock);
    for (int64_t group = 0; group < o->groups; group++)
        merge(a->layer, group, &sums[group], a->gradients);
    grkan_lock_release(&a->lock);
    free(sums);
}

void study_exact(const study_layer *layer, study_gradient gradients[2])
{
    addition a = {layer, gradients, GRKAN_LOCK_INIT};
    for (int k = 0; k < 2; k++) {
        memset(gradients[k].value, 0, (size_t)gradients[k].count * sizeof(long double));
        memset(gradients[k].size, 0, (size_t)gradients[k].count * sizeof(long double));
    }
    tool_parallel(layer->operation.outer, add_rows, &a);
}
