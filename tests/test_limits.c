/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file test_limits.c
 * @brief One element with numbers near the limits of their type, worked out by hand; the rest of its results by the
 *        oracle. test_devices has such cases in numbers.
 */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "execute.h"
#include "judge.h"
#include "operations.h"
#include "storage_types.h"

enum { wanted = 4 };

/** A function, an element, and some of the results. */
typedef struct example {
    const char *name;
    grkan_dtype dtype;
    grkan_denominator form;
    int m, n;
    double a[6], b[6]; /* b as it is stored: from b_1, or from b_0 of abs_sum_offset */
    double x, dy;
    struct {
        check_tensor tensor;
        int index;
        double value;
    } want[wanted];
} example;

#define Y CHECK_Y, 0
#define DX CHECK_DX, 0
#define DA CHECK_DNUMERATOR
#define DB CHECK_DDENOMINATOR

static const example examples[] = {
    {"the leading coefficient counts for nothing",
     GRKAN_F32,
     GRKAN_ABS_TERMS,
     5,
     4,
     {0, 1},
     {0, 0, 0, 1e-38},
     1e5,
     1,
     {{Y, 1e5}, {DX, 1}, {DB, 0, -1e10}, {DB, 3, -1e25}}},
    {"dy / b4 is beyond the type",
     GRKAN_F32,
     GRKAN_ABS_TERMS,
     5,
     4,
     {0, 1},
     {0, 0, 0, 1e-30},
     1e10,
     1e10,
     {{Y, 1}, {DX, -3}, {DA, 0, 1}, {DB, 0, -1e10}}},
    {"P and Q are beyond the type",
     GRKAN_F32,
     GRKAN_ABS_TERMS,
     5,
     4,
     {0, 1e38},
     {1e38},
     100,
     1,
     {{Y, 1}, {DA, 0, 1e-40}, {DA, 1, 1e-38}, {DB, 0, -1e-38}}},
    {"the same in f64",
     GRKAN_F64,
     GRKAN_ABS_TERMS,
     5,
     4,
     {0, 1e308},
     {1e308},
     -1e10,
     1e10,
     {{Y, -1}, {DA, 0, 1e-308}, {DA, 1, -1e-298}, {DB, 0, 1e-298}}},
    {"a large constant beside a small slope",
     GRKAN_F32,
     GRKAN_PLAIN,
     5,
     4,
     {1e38, 1e-10},
     {0},
     2e4,
     1e20,
     {{Y, 1e38}, {DX, 1e10}, {DA, 0, 1e20}, {DA, 2, 4e28}}},
    {"B(0) is +0, whatever B nearby",
     GRKAN_F32,
     GRKAN_ABS_SUM,
     5,
     4,
     {3e38},
     {-1, 0, 0, 3e38},
     0,
     1e-38,
     {{Y, 3e38}, {DX, 3}, {DA, 0, 1e-38}, {DB, 0, 0}}},
    {"x is subnormal",
     GRKAN_F32,
     GRKAN_ABS_SUM,
     5,
     4,
     {1},
     {-1e38},
     1e-40,
     1,
     {{Y, 1 / 1.01}, {DA, 1, 1e-40 / 1.01}, {DX, -1e38 / 1.01 / 1.01}, {DB, 0, 1e-40 / 1.01 / 1.01}}},
    {"the squares of two are beyond the type",
     GRKAN_F32,
     GRKAN_ABS_SUM_OFFSET,
     0,
     0,
     {1e38},
     {-1e35},
     2,
     1e30,
     {{Y, 1e3}, {DX, 0}, {DA, 0, 1e-5}, {DB, 0, 1e-2}}},
    {"overflows of either sign",
     GRKAN_F32,
     GRKAN_PLAIN,
     5,
     4,
     {0, 0, 0, 0, 0, 1},
     {0},
     -1e30,
     1,
     {{Y, -INFINITY}, {DX, INFINITY}, {DA, 1, -1e30}, {DB, 3, INFINITY}}},
    {"overflow of Q",
     GRKAN_F32,
     GRKAN_ABS_TERMS,
     5,
     4,
     {1e30},
     {0, 0, 0, 1e30},
     1e3,
     1e38,
     {{Y, 1e-12}, {DX, -4e23}, {DA, 1, 1e-1}, {DB, 3, -1e-4}}},
    {"infinite x",
     GRKAN_F32,
     GRKAN_ABS_TERMS,
     5,
     4,
     {0, 1e38},
     {1e38},
     -INFINITY,
     1,
     {{Y, -1}, {DX, 0}, {DA, 0, 0}, {DA, 1, -1e-38}}},
    {"NaN beside a large coefficient",
     GRKAN_F32,
     GRKAN_ABS_TERMS,
     5,
     4,
     {0, 1e38},
     {1},
     NAN,
     1,
     {{Y, NAN}, {DX, NAN}, {DA, 1, NAN}, {DB, 0, NAN}}},
    {"NaN in a large constant",
     GRKAN_F32,
     GRKAN_PLAIN,
     0,
     0,
     {1e38},
     {0},
     NAN,
     1,
     {{Y, NAN}, {Y, NAN}, {Y, NAN}, {Y, NAN}}},
};

static check_case case_of(const example *e, grkan_determinism determinism, grkan_cpu_simd simd)
{
    return (check_case){
        .operation = {SHAPE(1, 1, 1), GROUPS(1, 1, 1), RATIONAL(e->m, e->n, e->form), .dtype = e->dtype},
        .options = {.strategy = GRKAN_STRATEGY_TREE, .determinism = determinism, .cpu_simd = simd}};
}

static void fill(const example *e, const check_case *one, check_data *data)
{
    assert_true(check_data_create(one, data));
    storage_store(e->dtype, data->tensor[CHECK_X], 0, e->x);
    storage_store(e->dtype, data->tensor[CHECK_DY], 0, e->dy);
    for (int i = 0; i <= e->m; i++)
        storage_store(e->dtype, data->tensor[CHECK_NUMERATOR], i, e->a[i]);
    for (int j = 0; j < check_tensor_count(one, CHECK_DENOMINATOR); j++)
        storage_store(e->dtype, data->tensor[CHECK_DENOMINATOR], j, e->b[j]);
}

static void assert_result(const example *e, const check_data *results, int k)
{
    const double want = e->want[k].value;
    const double got = (double)storage_load(e->dtype, results->tensor[e->want[k].tensor], e->want[k].index);
    const double ulp = (double)storage_ulp(e->dtype, isfinite(want) ? want : 0);
    if (isnan(want) ? !isnan(got) : isinf(want) ? got != want : !(fabs(got - want) <= 40 * ulp))
        fail_msg("%s: %s[%d] is %.9g, should be %.9g", e->name, check_tensor_name(e->want[k].tensor), e->want[k].index,
                 got, want);
}

static void check_example(grkan_device *device, const example *e, grkan_determinism determinism, grkan_cpu_simd simd)
{
    const check_case one = case_of(e, determinism, simd);
    check_data data, results = {{0}};
    grkan_plan_description plan;
    judge_worst worst;
    execution run;
    fill(e, &one, &data);
    assert_int_equal(execute_begin(&run, device, &one, &data), GRKAN_SUCCESS);
    assert_true(execute_forward(&run, &results) && execute_backward(&run, &results));
    for (int k = 0; k < wanted; k++)
        assert_result(e, &results, k);
    assert_int_equal(grkan_plan_describe(run.plan, &plan), GRKAN_SUCCESS);
    assert_true(judge_results(&one, &data, &results, &plan, &worst));
    if (worst.fraction > 1)
        fail_msg("%s: %s[%lld] is %.9Lg, should be %.9Lg, bound %.3Lg", e->name, check_tensor_name(worst.tensor),
                 (long long)worst.index, worst.got, worst.want, worst.bound);
    execute_end(&run);
    check_data_free(&data);
    check_data_free(&results);
}

static void examples_are_right(void **state)
{
    grkan_device *device;
    (void)state;
    assert_int_equal(grkan_device_open("cpu", &device), GRKAN_SUCCESS);
    for (size_t i = 0; i < sizeof examples / sizeof examples[0]; i++)
        for (int k = 0; k < 4; k++)
            check_example(device, &examples[i], k / 2 ? GRKAN_RUN_TO_RUN : GRKAN_DEVICE_TO_DEVICE,
                          k % 2 ? GRKAN_CPU_SIMD_OFF : GRKAN_CPU_SIMD_AUTO);
    grkan_device_close(device);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(examples_are_right)};
    return cmocka_run_group_tests_name("limits", tests, NULL, NULL);
}
