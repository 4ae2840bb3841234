/* SPDX-License-Identifier: Apache-2.0 */
/** @file study_exact.c @brief Random tensors on the host, and the exact gradients of the coefficients over them. */
#include "study_exact.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "check/random.h"
#include "check/storage_types.h"
#include "common/parallel.h"
#include "common/tools.h"

/* ------------------------------------------------------------------------------------------------------- tensors */

static void fill_coefficients(study_layer *layer)
{
    const grkan_operation *const o = &layer->one.operation;
    const grkan_dtype dtype = storage_of_coefficients(o->dtype);
    const int n = o->rational.denominator_degree;
    const grkan_preset *swish = NULL;
    (void)grkan_preset_find("kat_swish", GRKAN_ABS_TERMS, &swish); /* the library has it */
    for (int i = 0; i <= o->rational.numerator_degree; i++)
        storage_store(dtype, layer->data.tensor[CHECK_NUMERATOR], i, swish->numerator[i]);
    for (int64_t i = 0; i < o->groups * n; i++)
        storage_store(dtype, layer->data.tensor[CHECK_DENOMINATOR], i,
                      (1 + 0.01L * (long double)(i / n)) * swish->denominator[i % n]);
}

void study_layer_create(const grkan_operation *operation, study_layer *layer)
{
    static const check_tensor inputs[] = {CHECK_X, CHECK_DY, CHECK_NUMERATOR, CHECK_DENOMINATOR};
    *layer = (study_layer){.one = {.operation = *operation},
                           .functions = tool_allocate((size_t)operation->groups * sizeof(oracle_function))};
    for (size_t i = 0; i < sizeof inputs / sizeof *inputs; i++)
        layer->data.tensor[inputs[i]] = tool_allocate(check_tensor_bytes(&layer->one, inputs[i]));
    fill_coefficients(layer);
    for (int64_t group = 0; group < operation->groups; group++)
        layer->functions[group] = check_function(&layer->one, &layer->data, group);
}

void study_layer_free(study_layer *layer)
{
    check_data_free(&layer->data);
    free(layer->functions);
}

/** A layer that is filled. */
typedef struct filling {
    study_layer *layer;
    uint64_t seed;
} filling;

static void fill_rows(void *context, int64_t first, int64_t end)
{
    const filling *const f = context;
    const grkan_operation *const o = &f->layer->one.operation;
    void *const *const tensor = f->layer->data.tensor;
    for (int64_t row = first; row < end; row++) {
        check_random random = check_random_stream(f->seed, (uint64_t)row);
        for (int64_t i = row * o->channels; i < (row + 1) * o->channels; i++) {
            storage_store(o->dtype, tensor[CHECK_X], i, check_random_normal(&random));
            storage_store(o->dtype, tensor[CHECK_DY], i, check_random_normal(&random));
        }
    }
}

void study_layer_fill(study_layer *layer, uint64_t seed)
{
    tool_parallel(layer->one.operation.outer, fill_rows, &(filling){layer, seed});
}

/* ------------------------------------------------------------------------------------------------------ gradients */

study_gradient study_gradient_create(const study_layer *layer, check_tensor tensor)
{
    const int64_t count = check_tensor_count(&layer->one, tensor);
    return (study_gradient){.count = count,
                            .value = tool_allocate((size_t)count * sizeof(long double)),
                            .size = tool_allocate((size_t)count * sizeof(long double))};
}

/** What one group's elements add to each coefficient. */
typedef struct group_sums {
    long double value[STUDY_TABLES][ORACLE_COEFFICIENTS];
    long double size[STUDY_TABLES][ORACLE_COEFFICIENTS];
} group_sums;

/** Rows are added in so many parts, whatever the cores: the exact gradients are the same on any machine. */
enum { PARTS = 256 };

/** Sums of all rows, by part and group. */
typedef struct addition {
    const study_layer *layer;
    group_sums *sums;
} addition;

static void add_group(const study_layer *layer, int64_t row, int64_t group, group_sums *sums)
{
    const grkan_operation *const o = &layer->one.operation;
    const oracle_function *const function = &layer->functions[group];
    const int64_t begin = check_group_start(o, group), end = check_group_start(o, group + 1);
    for (int64_t i = row * o->channels + begin; i < row * o->channels + end; i++) {
        oracle_shares shares;
        oracle_share(function, storage_load(o->dtype, layer->data.tensor[CHECK_X], i),
                     storage_load(o->dtype, layer->data.tensor[CHECK_DY], i), &shares);
        for (int k = 0; k <= function->m; k++) {
            sums->value[0][k] += shares.da[k];
            sums->size[0][k] += fabsl(shares.da[k]);
        }
        for (int k = 0; k <= function->n; k++) {
            sums->value[1][k] += shares.db[k];
            sums->size[1][k] += fabsl(shares.db[k]);
        }
    }
}

static void add_parts(void *context, int64_t first, int64_t end)
{
    const addition *const a = context;
    const int64_t rows = a->layer->one.operation.outer, groups = a->layer->one.operation.groups;
    for (int64_t part = first; part < end; part++)
        for (int64_t row = part * rows / PARTS; row < (part + 1) * rows / PARTS; row++)
            for (int64_t group = 0; group < groups; group++)
                add_group(a->layer, row, group, &a->sums[part * groups + group]);
}

/** Add the sums of one group to the gradient of a table. */
static void merge(const long double *value, const long double *size, int32_t width, int64_t start,
                  study_gradient *gradient)
{
    for (int i = 0; i < width; i++) {
        gradient->value[start + i] += value[i];
        gradient->size[start + i] += size[i];
    }
}

void study_exact(const study_layer *layer, study_gradient gradients[STUDY_TABLES])
{
    const grkan_operation *const o = &layer->one.operation;
    addition a = {layer, tool_allocate(PARTS * (size_t)o->groups * sizeof(group_sums))};
    tool_parallel(PARTS, add_parts, &a);
    for (int k = 0; k < STUDY_TABLES; k++) {
        const grkan_table table = check_table_of(o, k);
        const int first = k == GRKAN_NUMERATOR ? 0 : oracle_first_denominator(o->rational.form);
        memset(gradients[k].value, 0, (size_t)gradients[k].count * sizeof(long double));
        memset(gradients[k].size, 0, (size_t)gradients[k].count * sizeof(long double));
        for (int64_t i = 0; i < PARTS * o->groups; i++)
            merge(a.sums[i].value[k] + first, a.sums[i].size[k] + first, table.width,
                  check_row_start(&table, i % o->groups), &gradients[k]);
    }
    free(a.sums);
}
