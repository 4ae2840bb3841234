/* SPDX-License-Identifier: Apache-2.0 */
/** @file large.c @brief Large tensors with periodic data. */
#include "large.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "device_layer.h"
#include "judge.h"
#include "operations.h"
#include "storage_types.h"

#define PERIOD 1048576
#define ROUGH_LIMIT 1e-5

/* Rows of 768 channels as KAT has them, one row of one channel, rows of one element, and rows of three groups. Terms
   have random signs, so how large their sum is depends on the seed: one run tells its error's size only. */
static const struct shape {
    const char *name;
    grkan_operation like;
    int seeds;
    double limit;
} shapes[LARGE_CASES] = {
    {"KAT-B",
     {SHAPE(201728, 768, 1), GROUPS(8, SHARED, PER_GROUP), RATIONAL(5, 4, GRKAN_ABS_TERMS), .dtype = GRKAN_F32},
     LARGE_SEEDS,
     3e-7},
    {"rows of 768",
     {SHAPE(0, 768, 1), GROUPS(8, SHARED, PER_GROUP), RATIONAL(5, 4, GRKAN_ABS_TERMS), .dtype = GRKAN_F32},
     1,
     ROUGH_LIMIT},
    {"one row",
     {SHAPE(1, 1, 0), GROUPS(1, SHARED, SHARED), RATIONAL(5, 4, GRKAN_ABS_TERMS), .dtype = GRKAN_BF16},
     1,
     ROUGH_LIMIT},
    {"rows of 1",
     {SHAPE(0, 1, 1), GROUPS(1, SHARED, SHARED), RATIONAL(5, 4, GRKAN_ABS_TERMS), .dtype = GRKAN_F16},
     1,
     ROUGH_LIMIT},
    {"groups of 1",
     {SHAPE(0, 3, 1), GROUPS(3, SHARED, PER_GROUP), RATIONAL(5, 4, GRKAN_ABS_TERMS), .dtype = GRKAN_BF16},
     1,
     ROUGH_LIMIT},
};

static int64_t smaller(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

large_case large_case_at(int index, int64_t elements)
{
    const struct shape *shape = &shapes[index];
    large_case made = {.name = shape->name, .operation = shape->like, .seeds = shape->seeds, .limit = shape->limit};
    grkan_operation *const o = &made.operation;
    if (o->inner == 0) {
        o->inner = elements;
        made.period.operation = *o;
        made.period.operation.inner = smaller(PERIOD, 1 + elements / 3);
    } else {
        const int64_t rows = 1 + elements / o->channels;
        o->outer = o->outer == 0 ? rows : smaller(o->outer, rows);
        made.period.operation = *o;
        /* Odd, or threads whose rows lie a power of two apart would see the same ones again and again. */
        made.period.operation.outer = smaller(PERIOD / o->channels, o->outer / 3) | 1;
    }
    made.period.seed = 1 + (uint64_t)index;
    made.period.coefficients = CHECK_PUBLISHED;
    (void)grkan_preset_find("kat_swish", GRKAN_ABS_TERMS, &made.period.preset); /* the library has it */
    return made;
}

/** A case in progress. */
typedef struct run_state {
    grkan_device *device;
    const large_case *one;
    grkan_plan *plan;
    check_case period;   /* the case's, with the seed of this run */
    check_data data;     /* the inputs of one period */
    check_data results;  /* y and dx of one period, and the gradients */
    device_layer layer;  /* without dx, which goes where y was */
    size_t bytes;        /* of a tensor */
    size_t period_bytes; /* of a period of it */
    double error[LARGE_TABLES];
    large_report *report;
} run_state;

static bool fail(run_state *run, check_outcome outcome, const char *text)
{
    run->report->check.outcome = outcome;
    snprintf(run->report->check.text, sizeof run->report->check.text, "%s", text);
    return false;
}

static bool called(run_state *run, grkan_status status)
{
    return status == GRKAN_SUCCESS || fail(run, CHECK_FAILED, grkan_last_error());
}

/** Whether x, dy and one output fit, with room for what else is there. */
static bool fits(run_state *run)
{
    grkan_device_properties properties;
    char text[128];
    if (!called(run, grkan_device_describe(run->device, &properties)))
        return false;
    if (properties.memory_bytes / 10 * 9 > 3 * (uint64_t)run->bytes)
        return true;
    snprintf(text, sizeof text, "three tensors of %zu MiB do not fit into the device's memory of %llu MiB",
             run->bytes >> 20, (unsigned long long)properties.memory_bytes >> 20);
    return fail(run, CHECK_SKIPPED, text);
}

/** Allocate a tensor of so many bytes, and repeat in it what the inputs of one period have. */
static bool fill(run_state *run, check_tensor tensor, size_t bytes)
{
    return called(run, device_repeat(run->device, bytes, run->data.tensor[tensor],
                                     check_tensor_bytes(&run->period, tensor), &run->layer.tensor[tensor]));
}

static bool fill_small(run_state *run, check_tensor tensor)
{
    return fill(run, tensor, check_tensor_bytes(&run->period, tensor));
}

static bool fill_tables(run_state *run)
{
    for (int k = 0; k < LARGE_TABLES; k++)
        if (!fill_small(run, (check_tensor)(CHECK_TABLE + k)) || !fill_small(run, (check_tensor)(CHECK_GRADIENT + k)))
            return false;
    return true;
}

static bool start(run_state *run)
{
    const grkan_operation *o = &run->one->operation;
    if (!called(run, grkan_plan_create(run->device, o, NULL, &run->plan)))
        return false;
    device_layer *const layer = &run->layer;
    layer->workspace_bytes = grkan_plan_workspace_bytes(run->plan);
    return called(run, device_zeros(run->device, layer->workspace_bytes, &layer->workspace)) &&
           fill(run, CHECK_X, run->bytes) && fill(run, CHECK_DY, run->bytes) &&
           called(run, grkan_memory_allocate(run->device, run->bytes, &layer->tensor[CHECK_Y].base)) &&
           fill_tables(run);
}

/** Download an output. Its first period goes to the results; all others must have the same bits. */
static bool fetch_periods(run_state *run, check_tensor tensor)
{
    char *const first = run->results.tensor[tensor] = malloc(run->period_bytes);
    char *const next = malloc(run->period_bytes);
    bool good = first && next;
    if (!good)
        fail(run, CHECK_FAILED, "host memory ran out");
    for (size_t at = 0; at < run->bytes && good; at += run->period_bytes) {
        const size_t part = run->period_bytes < run->bytes - at ? run->period_bytes : run->bytes - at;
        good = called(run, grkan_memory_download(run->device, at == 0 ? first : next,
                                                 (grkan_buffer){run->layer.tensor[CHECK_Y].base, at}, part));
        if (good && at > 0 && memcmp(first, next, part) != 0) {
            char text[128];
            snprintf(text, sizeof text, "%s: among %zu bytes from byte %zu on, some are not those one period before",
                     check_tensor_name(&run->one->operation, tensor), part, at);
            good = fail(run, CHECK_FAILED, text);
        }
    }
    free(next);
    return good;
}

static bool fetch_sums(run_state *run, check_tensor tensor)
{
    const size_t bytes = check_tensor_bytes(&run->period, tensor);
    run->results.tensor[tensor] = malloc(bytes + 1);
    if (run->results.tensor[tensor] == NULL)
        return fail(run, CHECK_FAILED, "host memory ran out");
    return called(run,
                  grkan_memory_download(run->device, run->results.tensor[tensor], run->layer.tensor[tensor], bytes));
}

static bool fetch_all_sums(run_state *run)
{
    for (int k = 0; k < LARGE_TABLES; k++)
        if (!fetch_sums(run, (check_tensor)(CHECK_GRADIENT + k)))
            return false;
    return true;
}

/** Forward, then backward with dx where y was. */
static bool run_passes(run_state *run)
{
    device_layer layer = run->layer;
    layer.tensor[CHECK_DX] = layer.tensor[CHECK_Y];
    return called(run, device_layer_forward(run->plan, &layer)) && fetch_periods(run, CHECK_Y) &&
           called(run, device_layer_backward(run->plan, &layer)) && fetch_periods(run, CHECK_DX) && fetch_all_sums(run);
}

/* ------------------------------------------------------------------------------------------------------ judging */

/** Exact sums of the whole tensor. */
typedef struct exact_sums {
    grkan_table tables[LARGE_TABLES];
    long double *of[LARGE_TABLES];
} exact_sums;

static void note(run_state *run, check_tensor tensor, int64_t index, oracle_number want)
{
    const grkan_dtype dtype = check_tensor_dtype(&run->period, tensor);
    const long double got = storage_load(dtype, run->results.tensor[tensor], index);
    long double bound;
    const double fraction = (double)judge_number(dtype, want, got, &bound);
    check_report *const report = &run->report->check;
    if (fraction > report->worst)
        report->worst = fraction;
    if (fraction > 1 && report->outcome == CHECK_PASSED) {
        report->outcome = CHECK_FAILED;
        snprintf(report->text, sizeof report->text, "%s[%lld] is %.9Lg; expected %.9Lg within %.3Lg",
                 check_tensor_name(&run->one->operation, tensor), (long long)index, got, want.value, bound);
    }
}

/** Judge an element of the first period, and add what it and its repetitions give to the sums. */
static void judge_element(run_state *run, const oracle_function *function, int64_t group, int64_t index,
                          exact_sums *sums)
{
    const grkan_operation *o = &run->one->operation;
    const int64_t whole = o->outer * o->channels * o->inner, period = check_tensor_count(&run->period, CHECK_X);
    const long double times = (long double)(whole / period + (index < whole % period));
    oracle_element e;
    oracle_evaluate(function, storage_load(o->dtype, run->data.tensor[CHECK_X], index),
                    storage_load(o->dtype, run->data.tensor[CHECK_DY], index), &e);
    note(run, CHECK_Y, index, e.y);
    note(run, CHECK_DX, index, e.dx);
    for (int k = 0; k < LARGE_TABLES; k++) {
        const oracle_number *const added = oracle_added(function, &e, k);
        const int64_t start = check_row_start(&sums->tables[k], group);
        for (int i = 0; i < sums->tables[k].width; i++)
            sums->of[k][start + i] += times * added[i].value;
    }
}

static void judge_elements(run_state *run, exact_sums *sums)
{
    const grkan_operation *o = &run->period.operation;
    for (int64_t group = 0; group < o->groups; group++) {
        const oracle_function function = check_function(&run->period, &run->data, group);
        const int64_t begin = check_group_start(o, group) * o->inner, end = check_group_start(o, group + 1) * o->inner;
        for (int64_t outer = 0; outer < o->outer; outer++)
            for (int64_t k = begin; k < end; k++)
                judge_element(run, &function, group, outer * o->channels * o->inner + k, sums);
    }
}

/** |got - exact| / |exact| */
static double relative_error(const run_state *run, check_tensor tensor, const long double *exact)
{
    const check_case *one = &run->period;
    long double error = 0, size = 0;
    for (int64_t i = 0; i < check_tensor_count(one, tensor); i++) {
        const long double got = storage_load(check_tensor_dtype(one, tensor), run->results.tensor[tensor], i);
        error += (got - exact[i]) * (got - exact[i]);
        size += exact[i] * exact[i];
    }
    return (double)sqrtl(error / size);
}

static void judge(run_state *run)
{
    const check_case *one = &run->period;
    exact_sums sums;
    bool made = true;
    for (int k = 0; k < LARGE_TABLES; k++) {
        sums.tables[k] = check_table_of(&one->operation, k);
        sums.of[k] = calloc((size_t)check_tensor_count(one, (check_tensor)(CHECK_GRADIENT + k)), sizeof(long double));
        made = made && sums.of[k] != NULL;
    }
    if (made)
        judge_elements(run, &sums);
    else
        fail(run, CHECK_FAILED, "host memory ran out");
    for (int k = 0; k < LARGE_TABLES; k++) {
        run->error[k] = made ? relative_error(run, (check_tensor)(CHECK_GRADIENT + k), sums.of[k]) : 0;
        free(sums.of[k]);
    }
}

/** One run. @return whether there are errors to tell of */
static bool run_seed(grkan_device *device, const large_case *one, uint64_t seed, double error[LARGE_TABLES],
                     large_report *report)
{
    const grkan_operation *o = &one->operation;
    run_state run = {.device = device, .one = one, .period = one->period, .report = report};
    run.period.seed += seed;
    run.bytes = (size_t)(o->outer * o->channels * o->inner) * grkan_dtype_bytes(o->dtype);
    run.period_bytes = check_tensor_bytes(&one->period, CHECK_X);
    if (!fits(&run))
        return false;
    if (!check_data_create(&run.period, &run.data))
        fail(&run, CHECK_FAILED, "host memory ran out");
    else if (start(&run) && run_passes(&run))
        judge(&run);
    device_layer_free(device, &run.layer);
    grkan_plan_destroy(run.plan);
    check_data_free(&run.data);
    check_data_free(&run.results);
    memcpy(error, run.error, sizeof run.error);
    return report->check.outcome == CHECK_PASSED;
}

static int compare(const void *left, const void *right)
{
    const double a = *(const double *)left, b = *(const double *)right;
    return (a > b) - (a < b);
}

void large_run(grkan_device *device, const large_case *one, large_report *report)
{
    double errors[LARGE_TABLES][LARGE_SEEDS];
    *report = (large_report){0};
    for (int k = 0; k < one->seeds; k++) {
        double error[LARGE_TABLES];
        if (!run_seed(device, one, (uint64_t)k, error, report))
            return;
        for (int i = 0; i < LARGE_TABLES; i++)
            errors[i][k] = error[i];
    }
    for (int i = 0; i < LARGE_TABLES; i++) {
        qsort(errors[i], (size_t)one->seeds, sizeof errors[i][0], compare);
        report->error[i] = errors[i][one->seeds / 2];
        if (!(report->error[i] <= one->limit)) {
            report->check.outcome = CHECK_FAILED;
            snprintf(report->check.text, sizeof report->check.text, "%s is too far from exact sums",
                     check_tensor_name(&one->operation, (check_tensor)(CHECK_GRADIENT + i)));
        }
    }
}
