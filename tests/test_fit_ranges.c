/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file test_fit_ranges.c
 * @brief Fits over ranges of any size and place: how large their error is, and that rounding does not spoil them.
 */
#include <float.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "fits.h"
#include "misuse.h"

static void ranges_of_any_size_and_place(void **state)
{
    (void)state;
    static const struct {
        const char *function;
        double low, high, error;
        int m, n;
    } ranges[] = {
        {"identity", -1e9, 1e9, 1e-3, 5, 4},   {"identity", -1e-9, 1e-9, 1e-24, 5, 4}, {"relu", 0, 1e6, 1e-6, 3, 2},
        {"softplus", 20, 21, 1e-9, 3, 2},      {"gelu", -8, -2, 1e-3, 5, 4},           {"sin", 100, 101, 1e-6, 5, 0},
        {"swish", -1e-6, 1e-6, 1e-15, 3, 2},   {"sin", -10, 10, 2e-3, 15, 0},          {"tanh", -3, 3, 1, 0, 0},
        {"leaky_relu", -1e9, -1, 1e-3, 1, 15},
    };
    for (size_t i = 0; i < COUNT_OF(ranges); i++)
        for (int form = 0; form < FORMS; form++) {
            if (!is_tried(i, form))
                continue;
            grkan_fit_problem problem = problem_of(ranges[i].function, (grkan_form)form, ranges[i].m, ranges[i].n);
            problem.low = ranges[i].low;
            problem.high = ranges[i].high;
            problem.dtype = GRKAN_F64;
            const grkan_fit_result result = fit(&problem);
            if (!(result.f64.error <= ranges[i].error))
                fail_msg("%s on [%g, %g] under %s: %g", ranges[i].function, problem.low, problem.high,
                         grkan_form_name(problem.form), result.f64.error);
            assert_in_range(result.f64.x >= problem.low && result.f64.x <= problem.high, 1, 1);
        }
}

/** b_j of 1e-9^-j are fine in f64; in f32 they are infinite, and that is said. A fit for f32 has none of them. */
static void coefficients_beyond_f32_are_reported(void **state)
{
    (void)state;
    grkan_fit_problem problem = problem_of("relu", GRKAN_PLAIN, 9, 8);
    problem.low = -1e-9;
    problem.high = 1e-9;
    problem.dtype = GRKAN_F64;
    const grkan_fit_result result = fit(&problem);
    assert_true(result.f64.error < 1e-11);
    bool is_beyond = false;
    for (int i = 0; i <= 9; i++)
        is_beyond = is_beyond || isinf((float)result.numerator[i]) || isinf((float)result.denominator[i]);
    assert_true(is_beyond);
    assert_true(isinf(result.f32.error));
    problem.dtype = GRKAN_BF16;
    assert_true(fit(&problem).f32.error < 0.25e-9 / 2); /* half of a line's */
}

/* ------------------------------------------------------------------------------------------------ narrow ranges */

/** Where powers of x are all but dependent, so that a high degree cancels in its own rounding. */
static const struct {
    double low, high;
} narrow[] = {{1, 1 + 0x1p-52},    {100, 100.0001}, {-100.0001, -100},  {3, 3 + 1e-7}, {1e9 - 1, 1e9},
              {-1e9, -1e9 + 2e-7}, {1e-9, 2e-9},    {-0x1p-1060, 1e-9}, {1e5, 1e5 + 3}};

static double stored_error(const grkan_fit_problem *problem)
{
    const grkan_fit_result result = fit(problem);
    return problem->dtype == GRKAN_F64 ? result.f64.error : result.f32.error;
}

/** Half of what a function spans over the range, and what the rounding of a constant may add to it. */
static double error_of_a_constant(const grkan_fit_problem *problem, double *unit)
{
    enum { STEPS = 1000 };
    double least = INFINITY, most = -INFINITY;
    for (int k = 0; k <= STEPS; k++) {
        const double part = (double)k / STEPS;
        const double y = function_at(problem->function, problem->low * (1 - part) + problem->high * part);
        least = fmin(least, y);
        most = fmax(most, y);
    }
    const double largest = fmax(fabs(least), fabs(most));
    *unit = problem->dtype == GRKAN_F64 ? fmax(largest * 0x1p-52, 0x1p-1074) : fmax(largest * 0x1p-23, 0x1p-149);
    return (most - least) / 2 + *unit;
}

static grkan_fit_problem narrow_problem(size_t range, const char *function, int form, int m, int n, grkan_dtype dtype)
{
    grkan_fit_problem problem = problem_of(function, (grkan_form)form, m, n);
    problem.low = narrow[range].low;
    problem.high = narrow[range].high;
    problem.dtype = dtype;
    return problem;
}

static void fits_to_narrow_ranges_are_no_worse_than_lower_degrees(void **state)
{
    (void)state;
    static const char *const functions[] = {"gelu", "sin", "sigmoid", "leaky_relu"};
    for (size_t i = 0; i < COUNT_OF(narrow); i++)
        for (int form = 0; form < FORMS; form++) {
            if (!is_tried(i + 1, form))
                continue;
            const char *function = functions[(i + (size_t)form) % 4];
            const grkan_dtype dtype = (i / 2 + (size_t)form / 2) % 2 ? GRKAN_F32 : GRKAN_F64;
            const grkan_fit_problem problem = narrow_problem(i, function, form, 5, 4, dtype);
            const grkan_fit_problem line = narrow_problem(i, function, form, 1, 0, dtype);
            double unit = 0;
            const double error = stored_error(&problem), constant = error_of_a_constant(&problem, &unit);
            if (!(error <= constant))
                fail_msg("%s on [%.17g, %.17g] under %s in %s: %g, a constant has %g", function, problem.low,
                         problem.high, grkan_form_name(problem.form), grkan_dtype_name(dtype), error, constant);
            assert_true(error <= 1.01 * stored_error(&line) + unit);
        }
}

/** Degrees that a range has no use for, and few points far from 0. */
static void points_far_from_zero(void **state)
{
    (void)state;
    double x[20], y[20];
    for (int i = 0; i < 20; i++) {
        x[i] = 1e6 + i * 1e-4;
        y[i] = i % 2 ? 3 : 5;
    }
    for (int form = 0; form < FORMS; form++) {
        grkan_fit_problem problem = problem_of(NULL, (grkan_form)form, 7, 6);
        problem.x = x;
        problem.y = y;
        problem.points = COUNT_OF(x);
        assert_true(stored_error(&problem) <= 1 + 1e-6);
        problem.dtype = GRKAN_F64;
        assert_true(stored_error(&problem) <= 1 + 1e-6);
    }
}

int main(int argc, char **argv)
{
    tries_all = argc > 1 && strcmp(argv[1], "all") == 0;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ranges_of_any_size_and_place),
        cmocka_unit_test(coefficients_beyond_f32_are_reported),
        cmocka_unit_test(fits_to_narrow_ranges_are_no_worse_than_lower_degrees),
        cmocka_unit_test(points_far_from_zero),
    };
    return cmocka_run_group_tests_name("fit_ranges", tests, NULL, NULL);
}
