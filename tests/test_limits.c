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
    grkan_form form;
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
    {.name = "the leading coefficient counts for nothing",
     .dtype = GRKAN_F32,
     .form = GRKAN_ABS_TERMS,
     .m = 5,
     .n = 4,
     .a = {0, 1},
     .b = {0, 0, 0, 1e-38},
     .x = 1e5,
     .dy = 1,
     .want = {{Y, 1e5}, {DX, 1}, {DB, 0, -1e10}, {DB, 3, -1e25}}},
    {.name = "dy / b4 is beyond the type",
     .dtype = GRKAN_F32,
     .form = GRKAN_ABS_TERMS,
     .m = 5,
     .n = 4,
     .a = {0, 1},
     .b = {0, 0, 0, 1e-30},
     .x = 1e10,
     .dy = 1e10,
     .want = {{Y, 1}, {DX, -3}, {DA, 0, 1}, {DB, 0, -1e10}}},
    {.name = "P and Q are beyond the type",
     .dtype = GRKAN_F32,
     .form = GRKAN_ABS_TERMS,
     .m = 5,
     .n = 4,
     .a = {0, 1e38},
     .b = {1e38},
     .x = 100,
     .dy = 1,
     .want = {{Y, 1}, {DA, 0, 1e-40}, {DA, 1, 1e-38}, {DB, 0, -1e-38}}},
    {.name = "the same in f64",
     .dtype = GRKAN_F64,
     .form = GRKAN_ABS_TERMS,
     .m = 5,
     .n = 4,
     .a = {0, 1e308},
     .b = {1e308},
     .x = -1e10,
     .dy = 1e10,
     .want = {{Y, -1}, {DA, 0, 1e-308}, {DA, 1, -1e-298}, {DB, 0, 1e-298}}},
    {.name = "a large constant beside a small slope",
     .dtype = GRKAN_F32,
     .form = GRKAN_PLAIN,
     .m = 5,
     .n = 4,
     .a = {1e38, 1e-10},
     .b = {0},
     .x = 2e4,
     .dy = 1e20,
     .want = {{Y, 1e38}, {DX, 1e10}, {DA, 0, 1e20}, {DA, 2, 4e28}}},
    {.name = "B(0) is +0, whatever B nearby",
     .dtype = GRKAN_F32,
     .form = GRKAN_ABS_SUM,
     .m = 5,
     .n = 4,
     .a = {3e38},
     .b = {-1, 0, 0, 3e38},
     .x = 0,
     .dy = 1e-38,
     .want = {{Y, 3e38}, {DX, 3}, {DA, 0, 1e-38}, {DB, 0, 0}}},
    {.name = "x is subnormal",
     .dtype = GRKAN_F32,
     .form = GRKAN_ABS_SUM,
     .m = 5,
     .n = 4,
     .a = {1},
     .b = {-1e38},
     .x = 1e-40,
     .dy = 1,
     .want = {{Y, 1 / 1.01}, {DA, 1, 1e-40 / 1.01}, {DX, -1e38 / 1.01 / 1.01}, {DB, 0, 1e-40 / 1.01 / 1.01}}},
    {.name = "the squares of two are beyond the type",
     .dtype = GRKAN_F32,
     .form = GRKAN_ABS_SUM_OFFSET,
     .m = 0,
     .n = 0,
     .a = {1e38},
     .b = {-1e35},
     .x = 2,
     .dy = 1e30,
     .want = {{Y, 1e3}, {DX, 0}, {DA, 0, 1e-5}, {DB, 0, 1e-2}}},
    {.name = "overflows of either sign",
     .dtype = GRKAN_F32,
     .form = GRKAN_PLAIN,
     .m = 5,
     .n = 4,
     .a = {0, 0, 0, 0, 0, 1},
     .b = {0},
     .x = -1e30,
     .dy = 1,
     .want = {{Y, -INFINITY}, {DX, INFINITY}, {DA, 1, -1e30}, {DB, 3, INFINITY}}},
    {.name = "overflow of Q",
     .dtype = GRKAN_F32,
     .form = GRKAN_ABS_TERMS,
     .m = 5,
     .n = 4,
     .a = {1e30},
     .b = {0, 0, 0, 1e30},
     .x = 1e3,
     .dy = 1e38,
     .want = {{Y, 1e-12}, {DX, -4e23}, {DA, 1, 1e-1}, {DB, 3, -1e-4}}},
    {.name = "infinite x",
     .dtype = GRKAN_F32,
     .form = GRKAN_ABS_TERMS,
     .m = 5,
     .n = 4,
     .a = {0, 1e38},
     .b = {1e38},
     .x = -INFINITY,
     .dy = 1,
     .want = {{Y, -1}, {DX, 0}, {DA, 0, 0}, {DA, 1, -1e-38}}},
    {.name = "B^2 is beyond the type",
     .dtype = GRKAN_F32,
     .form = GRKAN_SQUARE,
     .m = 5,
     .n = 4,
     .a = {0, 0, 0, 0, 0, 1},
     .b = {0, 0, 0, 1e5},
     .x = -1e7,
     .dy = 1e30,
     .want = {{Y, -1e-31}, {DX, -3e-8}, {DA, 1, -1e-29}, {DB, 3, 2e-6}}},
    {.name = "the square of a coefficient is beyond the type",
     .dtype = GRKAN_F32,
     .form = GRKAN_SQUARE,
     .m = 5,
     .n = 4,
     .a = {1e20},
     .b = {1e20},
     .x = -1e-20,
     .dy = 1e-10,
     .want = {{Y, 5e19}, {DX, 5e29}, {DA, 1, -5e-31}, {DB, 0, -5e-11}}},
    {.name = "it is in f64",
     .dtype = GRKAN_F64,
     .form = GRKAN_SQUARE,
     .m = 5,
     .n = 4,
     .a = {0, 0, 0, 1e308},
     .b = {1e160},
     .x = 1e-10,
     .dy = 1e10,
     .want = {{Y, 1e-22}, {DX, 1e-2}, {DA, 2, 1e-310}, {DB, 0, -2e-172}}},
    {.name = "0 times four large numbers",
     .dtype = GRKAN_F64,
     .form = GRKAN_SQUARE,
     .m = 5,
     .n = 4,
     .a = {1e300},
     .b = {1e300},
     .x = 0,
     .dy = 1e300,
     .want = {{Y, 1e300}, {DX, 0}, {DA, 1, 0}, {DB, 0, 0}}},
    {.name = "infinite x under a square",
     .dtype = GRKAN_F32,
     .form = GRKAN_SQUARE,
     .m = 5,
     .n = 4,
     .a = {0, 0, 3},
     .b = {-1},
     .x = -INFINITY,
     .dy = 1,
     .want = {{Y, 3}, {DX, 0}, {DA, 2, 1}, {DB, 0, 6}}},
    {.name = "NaN beside a large coefficient",
     .dtype = GRKAN_F32,
     .form = GRKAN_ABS_TERMS,
     .m = 5,
     .n = 4,
     .a = {0, 1e38},
     .b = {1},
     .x = NAN,
     .dy = 1,
     .want = {{Y, NAN}, {DX, NAN}, {DA, 1, NAN}, {DB, 0, NAN}}},
    {.name = "NaN in a large constant",
     .dtype = GRKAN_F32,
     .form = GRKAN_PLAIN,
     .m = 0,
     .n = 0,
     .a = {1e38},
     .b = {0},
     .x = NAN,
     .dy = 1,
     .want = {{Y, NAN}, {Y, NAN}, {Y, NAN}, {Y, NAN}}},
};

static check_case case_of(const example *e, grkan_determinism determinism, grkan_cpu_simd simd)
{
    return (check_case){
        .operation = {SHAPE(1, 1, 1), GROUPS(1, SHARED, SHARED), RATIONAL(e->m, e->n, e->form), .dtype = e->dtype},
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

static void assert_result(const example *e, const check_case *one, const check_data *results, int k)
{
    const double want = e->want[k].value;
    const double got = (double)storage_load(e->dtype, results->tensor[e->want[k].tensor], e->want[k].index);
    const double ulp = (double)storage_ulp(e->dtype, isfinite(want) ? want : 0);
    if (isnan(want) ? !isnan(got) : isinf(want) ? got != want : !(fabs(got - want) <= 40 * ulp))
        fail_msg("%s: %s[%d] is %.9g, should be %.9g", e->name, check_tensor_name(&one->operation, e->want[k].tensor),
                 e->want[k].index, got, want);
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
        assert_result(e, &one, &results, k);
    assert_int_equal(grkan_plan_describe(run.plan, &plan), GRKAN_SUCCESS);
    assert_true(judge_results(&one, &data, &results, &plan, &worst));
    if (worst.fraction > 1)
        fail_msg("%s: %s[%lld] is %.9Lg, should be %.9Lg, bound %.3Lg", e->name,
                 check_tensor_name(&one.operation, worst.tensor), (long long)worst.index, worst.got, worst.want,
                 worst.bound);
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
