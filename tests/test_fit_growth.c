/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file test_fit_growth.c
 * @brief Fits and presets outside their range: by the oracle, F grows at most linearly there, and has no pole.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "fits.h"
#include "misuse.h"

/** Points of each side, from the range's end to so many powers of ten times its half width. */
enum { POINTS = 3000, DECADES = 7 };

/** What the header says of a fit: beside the function, it may be that many times as steep. */
enum { STEEP = 8 };

/** x at a distance from the range. side: -1 or 1 */
static double outside(const grkan_fit_problem *problem, int side, int point, double *distance)
{
    const double half_width = (problem->high - problem->low) / 2;
    *distance = half_width * (pow(10, DECADES * (double)point / POINTS) - 1);
    return side < 0 ? problem->low - *distance : problem->high + *distance;
}

/** The largest |f| in the range, and the slope that the header describes. */
static double slope_of(const grkan_fit_problem *problem, double *height)
{
    double slope = 0, distance;
    *height = 0;
    for (int k = 0; k <= POINTS; k++) {
        const double x = problem->low + (problem->high - problem->low) * k / POINTS;
        *height = fmax(*height, fabs(function_at(problem->function, x)));
    }
    for (int side = -1; side <= 1; side += 2)
        for (int k = 1; k <= POINTS; k++) {
            const double y = function_at(problem->function, outside(problem, side, k, &distance));
            const double edge = function_at(problem->function, side < 0 ? problem->low : problem->high);
            slope = fmax(slope, fabs(y - edge) / distance);
        }
    return fmax(slope, 2 * *height / (problem->high - problem->low));
}

/** |F - f| beside height + slope distance, at most. */
static double steepness_of(const grkan_fit_problem *problem, const grkan_fit_result *result)
{
    double height, distance, steepness = 0;
    const double slope = slope_of(problem, &height);
    for (int side = -1; side <= 1; side += 2)
        for (int k = 1; k <= POINTS; k++) {
            const double x = outside(problem, side, k, &distance);
            const double off = fabs(value_of(problem, result, true, x) - function_at(problem->function, x)) - height;
            if (!(off <= steepness * slope * distance))
                steepness = isnan(off) ? INFINITY : off / (slope * distance);
        }
    return steepness;
}

static grkan_fit_result coefficients_of(const grkan_preset *preset)
{
    grkan_fit_result result = {.f32 = preset->f32};
    memcpy(result.numerator, preset->numerator, sizeof result.numerator);
    memcpy(result.denominator, preset->denominator, sizeof result.denominator);
    return result;
}

/* ------------------------------------------------------------------------------------------------------- presets */

/**
 * Only sin's, which is not one that anybody starts from outside of its range, are steeper than the function is, and gelu's
 * under square, where a flat one errs three times as much.
 */
static void presets_grow_at_most_linearly(void **state)
{
    (void)state;
    const grkan_preset *preset;
    for (int i = 0; (preset = grkan_preset_at(i)) != NULL; i++) {
        if (is_of_kat(preset))
            continue;
        const grkan_fit_problem problem = problem_of(preset->function, preset->form, 5, 4);
        const grkan_fit_result result = coefficients_of(preset);
        const double steepness = steepness_of(&problem, &result);
        const bool is_steep = strcmp(preset->function, "sin") == 0 ||
                              (preset->form == GRKAN_SQUARE && strcmp(preset->function, "gelu") == 0);
        if (!(steepness <= (is_steep ? STEEP : 1)))
            fail_msg("%s under %s: %g times as steep", preset->name, grkan_form_name(preset->form), steepness);
    }
}

/**
 * Above 0 a function that grows there has a preset that grows there, and no faster than twice as fast. Not under square:
 * its Q is of a higher degree than P, so that F tends to 0.
 */
static void presets_of_gelu_and_its_like_rise(void **state)
{
    (void)state;
    static const char *const functions[] = {"identity", "relu", "leaky_relu", "leaky_relu_0.1",
                                            "swish",    "gelu", "mish",       "softplus"};
    for (size_t i = 0; i < COUNT_OF(functions); i++)
        for (int form = 0; form < GRKAN_SQUARE; form++) {
            const grkan_preset *preset = NULL;
            assert_int_equal(grkan_preset_find(functions[i], (grkan_form)form, &preset), GRKAN_SUCCESS);
            const grkan_fit_problem problem = problem_of(functions[i], preset->form, 5, 4);
            const grkan_fit_result result = coefficients_of(preset);
            double before = value_of(&problem, &result, true, 3);
            for (double x = 3.25; x <= 1e6; x *= 1.1) {
                const double y = value_of(&problem, &result, true, x);
                if (!(y > before && y < 2 * x))
                    fail_msg("%s under %s at %g: %g after %g", preset->name, grkan_form_name(preset->form), x, y,
                             before);
                before = y;
            }
        }
}

/* ---------------------------------------------------------------------------------------------------------- fits */

static void fits_grow_at_most_linearly(void **state)
{
    (void)state;
    static const struct {
        const char *function;
        int m, n;
        double low, high;
    } cases[] = {{"gelu", 4, 3, -3, 3},  {"gelu", 7, 6, -3, 3},     {"gelu", 5, 4, -3, 0}, {"swish", 3, 2, -6, 2},
                 {"sin", 5, 4, -1, 2},   {"softplus", 6, 5, 0, 3},  {"tanh", 3, 4, -5, 5}, {"mish", 5, 4, -1e-3, 1e-3},
                 {"relu", 2, 1, -1, 10}, {"sigmoid", 5, 4, 40, 41}, {"gelu", 1, 0, -3, 3}};
    for (size_t i = 0; i < COUNT_OF(cases); i++)
        for (int form = 0; form < FORMS; form++) {
            if (!is_tried(i + 1, form))
                continue;
            grkan_fit_problem problem = problem_of(cases[i].function, (grkan_form)form, cases[i].m, cases[i].n);
            problem.low = cases[i].low;
            problem.high = cases[i].high;
            const grkan_fit_result result = fit(&problem);
            const double steepness = steepness_of(&problem, &result);
            if (!(steepness <= STEEP))
                fail_msg("%s at (%d, %d) on [%g, %g] under %s: %g times as steep", cases[i].function, cases[i].m,
                         cases[i].n, problem.low, problem.high, grkan_form_name(problem.form), steepness);
        }
}

/** For KAT's form linear growth costs next to nothing; without a pole, or a jump of |B|, gelu has no better fit. */
static void linear_growth_costs_little(void **state)
{
    (void)state;
    static const char *const functions[] = {"gelu", "swish", "mish", "sin"};
    for (size_t i = 0; i < COUNT_OF(functions); i++) {
        grkan_fit_problem problem = problem_of(functions[i], GRKAN_ABS_TERMS, 5, 4);
        const double linear = fit(&problem).f64.error;
        problem.growth = GRKAN_GROWTH_ANY;
        const double any = fit(&problem).f64.error;
        printf("%s: %.4g, without bounds on its growth %.4g\n", functions[i], linear, any);
        assert_true(linear <= 1.02 * any + 1e-9);
    }
}

static void fits_may_grow_as_they_like(void **state)
{
    (void)state;
    grkan_fit_problem problem = problem_of("gelu", GRKAN_ABS_TERMS, 5, 4);
    problem.growth = GRKAN_GROWTH_ANY;
    grkan_fit_result result = fit(&problem);
    assert_true(fabs(value_of(&problem, &result, true, 1e6)) > 1e9);
    problem = problem_of("sin", GRKAN_ABS_TERMS, 9, 0); /* a polynomial: its degree decides */
    result = fit(&problem);
    assert_true(result.f64.error < 1e-3);
    assert_true(fabs(value_of(&problem, &result, true, 1e6)) > 1e30);
}

/** Nothing is known of points outside: what is bounded there, if that is asked for, is F itself. */
static void points(void **state)
{
    (void)state;
    double x[61], y[61];
    for (int i = 0; i < 61; i++) {
        x[i] = (i - 30) / 10.0;
        y[i] = x[i] * x[i];
    }
    for (int form = 0; form < FORMS; form++) {
        if (!is_tried(FORMS - 1, form))
            continue;
        grkan_fit_problem problem = problem_of(NULL, (grkan_form)form, 5, 4);
        problem.x = x;
        problem.y = y;
        problem.points = COUNT_OF(x);
        grkan_fit_result result = fit(&problem);
        assert_true(result.f32.error < 1e-5);
        problem.growth = GRKAN_GROWTH_LINEAR;
        result = fit(&problem);
        assert_true(result.f32.error < 0.1);
        for (int side = -1; side <= 1; side += 2)
            for (int k = 1; k <= POINTS; k++) {
                double distance;
                const double there = outside(&problem, side, k, &distance);
                assert_true(fabs(value_of(&problem, &result, true, there)) <= 9 + STEEP * 3 * distance);
            }
    }
}

/* -------------------------------------------------------------------------------------------------------- misuse */

static void wrong_growth(void **state)
{
    (void)state;
    grkan_fit_result result;
    grkan_fit_problem problem = problem_of("gelu", GRKAN_ABS_TERMS, 7, 4);
    problem.growth = GRKAN_GROWTH_LINEAR;
    EXPECT_INVALID(grkan_fit(&problem, &result),
                   "problem.growth is linear and problem.numerator_degree 7; expected at most 5, one more than "
                   "problem.denominator_degree");
    problem.growth = (grkan_growth)3;
    EXPECT_INVALID(grkan_fit(&problem, &result), "problem.growth is 3; expected a grkan_growth");
    assert_null(grkan_growth_name((grkan_growth)3));
    assert_null(grkan_growth_name((grkan_growth)-1));
    assert_string_equal(grkan_growth_name(GRKAN_GROWTH_LINEAR), "linear");
}

int main(int argc, char **argv)
{
    tries_all = argc > 1 && strcmp(argv[1], "all") == 0;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(presets_grow_at_most_linearly),
        cmocka_unit_test(presets_of_gelu_and_its_like_rise),
        cmocka_unit_test(fits_grow_at_most_linearly),
        cmocka_unit_test(linear_growth_costs_little),
        cmocka_unit_test(fits_may_grow_as_they_like),
        cmocka_unit_test(points),
        cmocka_unit_test(wrong_growth),
    };
    return cmocka_run_group_tests_name("fit_growth", tests, NULL, NULL);
}
