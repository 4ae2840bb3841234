/* SPDX-License-Identifier: Apache-2.0 */
/** @file runner.c @brief One case on one device. */
#include "runner.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "execute.h"
#include "judge.h"
#include "storage_types.h"

#define BITS GRKAN_DEVICE_TO_DEVICE
#define OPTIONS(promise, threads, simd)                                                                                \
    {.strategy = GRKAN_STRATEGY_TREE, .determinism = promise, .cpu_threads = threads, .cpu_simd = GRKAN_CPU_SIMD_##simd}

const check_variant check_cpu_variants[CHECK_CPU_VARIANTS] = {
    {"1 thread, 2 threads", OPTIONS(BITS, 1, AUTO), OPTIONS(BITS, 2, AUTO)},
    {"SIMD, scalar", OPTIONS(BITS, 2, AUTO), OPTIONS(BITS, 1, OFF)},
    {"SIMD, scalar, run_to_run", OPTIONS(GRKAN_RUN_TO_RUN, 2, AUTO), OPTIONS(GRKAN_RUN_TO_RUN, 2, OFF)},
};

static bool finish(check_report *report, check_outcome outcome, const char *text)
{
    report->outcome = outcome;
    snprintf(report->text, sizeof report->text, "%s", text);
    return outcome == CHECK_PASSED;
}

/** Why a device need not run a case; NULL if it must. */
static const char *excuse(const grkan_device_properties *properties, const check_case *one)
{
    const grkan_strategy strategy = one->options.strategy;
    if (!(properties->dtypes & (1u << one->operation.dtype)) ||
        !(properties->dtypes & (1u << check_tensor_dtype(one, CHECK_Y))))
        return "the device does not run this type";
    if (one->options.determinism == GRKAN_DEVICE_TO_DEVICE && !properties->is_ieee)
        return "the device cannot promise device_to_device";
    if (strategy != GRKAN_STRATEGY_ELEMENT && strategy != GRKAN_STRATEGY_BLOCK)
        return NULL;
    if (!properties->has_atomics)
        return "the device has no float atomics";
    return one->operation.dtype == GRKAN_F64 ? "the device has no f64 atomics" : NULL;
}

/** Whether the device runs a case that promises less. What it refuses for the size of its blocks alone no property announces: some are
    too small for all sums of some operations. */
static bool runs_for_itself(grkan_device *device, const check_case *one)
{
    grkan_options options = one->options;
    grkan_plan *plan = NULL;
    options.determinism = GRKAN_RUN_TO_RUN;
    const bool runs = grkan_plan_create(device, &one->operation, &options, &plan) == GRKAN_SUCCESS;
    grkan_plan_destroy(plan);
    return runs;
}

/** Begin a case; a refusal that the properties announce is a skip, and one of everybody's bits by a device with small blocks, any other a
    failure. */
static bool begin(execution *run, grkan_device *device, const check_case *one, const check_data *data,
                  check_report *report)
{
    grkan_device_properties properties;
    if (grkan_device_describe(device, &properties) != GRKAN_SUCCESS)
        return finish(report, CHECK_FAILED, grkan_last_error());
    const char *reason = excuse(&properties, one);
    const grkan_status status = execute_begin(run, device, one, data);
    if (status == GRKAN_SUCCESS) {
        if (!reason || one->operation.dtype == GRKAN_F64) /* atomics of f64 are nobody's duty, but allowed */
            return true;
        execute_end(run);
        return finish(report, CHECK_FAILED, "a plan was made although the device's properties exclude it");
    }
    if (status == GRKAN_ERROR_UNSUPPORTED && !reason && one->options.determinism == GRKAN_DEVICE_TO_DEVICE &&
        runs_for_itself(device, one))
        reason = "the device's blocks are too small for device_to_device";
    if (status == GRKAN_ERROR_UNSUPPORTED && reason)
        return finish(report, CHECK_SKIPPED, reason);
    return finish(report, CHECK_FAILED, run->text);
}

static bool judge(const execution *run, const check_data *results, check_report *report)
{
    grkan_plan_description description;
    judge_worst worst;
    if (grkan_plan_describe(run->plan, &description) != GRKAN_SUCCESS)
        return finish(report, CHECK_FAILED, grkan_last_error());
    if (!judge_results(run->one, run->data, results, &description, &worst))
        return finish(report, CHECK_FAILED, "host memory ran out");
    const int64_t elements = check_tensor_count(run->one, CHECK_X);
    report->worst = worst.fraction > 0 ? (double)worst.fraction : 0;
    if (worst.fraction > 1) {
        report->outcome = CHECK_FAILED;
        snprintf(report->text, sizeof report->text, "%s[%lld] is %.9Lg, should be %.9Lg, bound %.3Lg",
                 check_tensor_name(&run->one->operation, worst.tensor), (long long)worst.index, worst.got, worst.want,
                 worst.bound);
        return false;
    }
    if (run->one->values == CHECK_ORDINARY && worst.open > elements / 50 + 40)
        return finish(report, CHECK_FAILED, "the oracle's bounds are of no use here: the case should be changed");
    return true;
}

static long double function_at(const grkan_preset *preset, long double x)
{
    double y = NAN;
    (void)grkan_function_value(preset->function, (double)x, &y);
    return y;
}

/** y against the function that a preset stands for; one tenth of its error is left for rounding. */
static bool judge_published(const check_case *one, const check_data *data, const check_data *results,
                            check_report *report)
{
    const grkan_dtype dtype = check_tensor_dtype(one, CHECK_Y);
    for (int64_t i = 0; i < check_tensor_count(one, CHECK_Y); i++) {
        const long double x = storage_load(check_tensor_dtype(one, CHECK_X), data->tensor[CHECK_X], i);
        const long double got = storage_load(dtype, results->tensor[CHECK_Y], i), want = function_at(one->preset, x);
        const long double bound = 1.1L * one->preset->f32.error + 4 * storage_ulp(dtype, want);
        if (fabsl(got - want) <= bound)
            continue;
        report->outcome = CHECK_FAILED;
        snprintf(report->text, sizeof report->text, "%s(%.6Lg) is %.9Lg, should be %.9Lg, bound %.3Lg",
                 one->preset->name, x, got, want, bound);
        return false;
    }
    return true;
}

static bool same_bits(const check_case *one, const check_data *first, const check_data *second, const char *label,
                      bool has_sums, check_report *report)
{
    for (int t = CHECK_FIRST_OUTPUT; t < (has_sums ? CHECK_TENSORS : CHECK_GRADIENT); t++) {
        const check_tensor tensor = (check_tensor)t;
        const grkan_dtype dtype = check_tensor_dtype(one, tensor);
        if (!first->tensor[t] || !second->tensor[t])
            continue;
        const int64_t at = judge_bits(dtype, check_tensor_count(one, tensor), first->tensor[t], second->tensor[t]);
        if (at < 0)
            continue;
        report->outcome = CHECK_FAILED;
        snprintf(report->text, sizeof report->text, "%s: bits of %s[%lld] differ: %.17Lg, %.17Lg", label,
                 check_tensor_name(&one->operation, tensor), (long long)at, storage_load(dtype, first->tensor[t], at),
                 storage_load(dtype, second->tensor[t], at));
        return false;
    }
    return true;
}

/** Forward, and backward twice: the first time without memory for what is frozen. */
static bool run_calls(execution *run, check_data *first, check_data *second)
{
    if (check_has_tensor(run->one, CHECK_RSTD) && !execute_inference(run, second)) /* its y is compared */
        return false;
    if (!execute_forward(run, first) || !execute_backward(run, first))
        return false;
    run->shows_frozen = true;
    return execute_backward(run, second);
}

/** Whether y of forward and of backward is the same. */
static bool same_y(const check_case *one, const check_data *results, check_report *report)
{
    const check_data again = {.tensor = {[CHECK_Y] = results->tensor[CHECK_Y_AGAIN]}};
    return same_bits(one, results, &again, "forward, backward", false, report);
}

/** Whether what is wanted has the bits that it has where everything is. */
static bool same_as_whole(grkan_device *device, const check_case *one, const check_data *results, check_report *report)
{
    check_case whole = *one;
    check_data others;
    check_report of_whole;
    whole.options.frozen = 0;
    whole.options.writes_y = 0;
    bool good = check_run_results(device, &whole, &others, &of_whole);
    if (good)
        good = same_bits(one, results, &others, "some frozen, none", true, report);
    else
        *report = of_whole;
    check_data_free(&others);
    return good;
}

/** All that is checked of a case that has begun. */
static void run_all(execution *run, check_data *first, check_data *second, check_report *report)
{
    const check_case *one = run->one;
    const bool sums_repeat = one->options.determinism != GRKAN_NONE;
    const bool is_fixed = one->options.determinism == GRKAN_DEVICE_TO_DEVICE;
    if (!run_calls(run, first, second)) {
        finish(report, CHECK_FAILED, run->text);
        return;
    }
    bool good = judge(run, first, report) && same_bits(one, first, second, "the same call twice", sums_repeat, report);
    if (good && is_fixed)
        good = same_y(one, first, report) && (!one->options.frozen || same_as_whole(run->device, one, first, report));
    if (good && one->coefficients == CHECK_PUBLISHED)
        judge_published(one, run->data, first, report);
}

void check_run(grkan_device *device, const check_case *one, check_report *report)
{
    check_data data, first = {{0}}, second = {{0}};
    execution run;
    *report = (check_report){0};
    if (!check_data_create(one, &data)) {
        finish(report, CHECK_FAILED, "host memory ran out");
        return;
    }
    if (begin(&run, device, one, &data, report)) {
        run_all(&run, &first, &second, report);
        execute_end(&run);
    }
    check_data_free(&data);
    check_data_free(&first);
    check_data_free(&second);
}

bool check_run_results(grkan_device *device, const check_case *one, check_data *results, check_report *report)
{
    check_data data;
    execution run;
    *report = (check_report){0};
    *results = (check_data){{0}};
    if (!check_data_create(one, &data))
        return finish(report, CHECK_FAILED, "host memory ran out");
    bool good = begin(&run, device, one, &data, report);
    if (good) {
        good = execute_forward(&run, results) && execute_backward(&run, results);
        if (!good)
            finish(report, CHECK_FAILED, run.text);
        execute_end(&run);
    }
    check_data_free(&data);
    return good;
}

void check_compare(const check_case *one, const check_data *first, const check_data *second, const char *label,
                   check_report *report)
{
    *report = (check_report){0};
    same_bits(one, first, second, label, true, report);
}

void check_same_bits(grkan_device *first, const grkan_options *first_options, grkan_device *second,
                     const grkan_options *second_options, const check_case *one, const char *label,
                     check_report *report)
{
    check_data results[2] = {{{0}}, {{0}}};
    check_case variant[2] = {*one, *one};
    if (first_options)
        variant[0].options = *first_options;
    if (second_options)
        variant[1].options = *second_options;
    for (int i = 0; i < 2; i++) {
        variant[i].options.frozen = one->options.frozen;
        variant[i].options.writes_y = one->options.writes_y;
    }
    if (check_run_results(first, &variant[0], &results[0], report) &&
        check_run_results(second, &variant[1], &results[1], report))
        check_compare(one, &results[0], &results[1], label, report);
    check_data_free(&results[0]);
    check_data_free(&results[1]);
}
