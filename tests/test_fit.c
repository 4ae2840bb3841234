/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file test_fit.c
 * @brief Fits, measured by the oracle: how large their error is, that it is what is reported, that none is smaller.
 */
#include <float.h>
#include <limits.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <grkan/fit.h>

#include "fits.h"
#include "misuse.h"

enum { GRID = 20000 };

static const char *const curved[] = {"sigmoid", "tanh", "swish", "gelu", "mish", "softplus", "sin", "relu"};

/** F - f at a point of an even grid, which is not that of the fit. */
static double error_at(const grkan_fit_problem *problem, const grkan_fit_result *result, bool rounded, int point)
{
    const double x = problem->low + (problem->high - problem->low) * point / GRID;
    return value_of(problem, result, rounded, x) - function_at(problem->function, x);
}

static double largest_error(const grkan_fit_problem *problem, const grkan_fit_result *result, bool rounded)
{
    double largest = 0;
    for (int k = 0; k <= GRID; k++) {
        const double error = fabs(error_at(problem, result, rounded, k));
        largest = error <= largest ? largest : error;
    }
    return largest;
}

/* ----------------------------------------------------------------------------------------------------- functions */

static void functions_have_their_values(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        double x, y;
    } values[] = {{"identity", -2.5, -2.5},
                  {"relu", -2, 0},
                  {"relu", 2, 2},
                  {"leaky_relu", -2, -0.02},
                  {"leaky_relu", 2, 2},
                  {"leaky_relu_0.1", -2, -0.2},
                  {"sigmoid", 1, 0.7310585786300049},
                  {"sigmoid", -800, 0},
                  {"tanh", 0.5, 0.46211715726000976},
                  {"swish", 1, 0.7310585786300049},
                  {"gelu", 1, 0.8413447460685429},
                  {"gelu", -10, -7.61985302416052e-23},
                  {"mish", 1, 0.8650983882673103},
                  {"softplus", 0, 0.6931471805599453},
                  {"softplus", 1000, 1000},
                  {"sin", 2, 0.9092974268256817}};
    for (size_t i = 0; i < COUNT_OF(values); i++) {
        const double y = function_at(values[i].name, values[i].x);
        if (!(fabs(y - values[i].y) <= 4 * DBL_EPSILON * fabs(values[i].y)))
            fail_msg("%s(%g) is %.17g, not %.17g", values[i].name, values[i].x, y, values[i].y);
    }
}

/** Limits at the infinities, NaN of NaN, and nothing that overflows or is lost on the way there. */
static void functions_have_values_everywhere(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        double minus_infinity, infinity; /* the limits */
        double left, right;              /* beside them, f is a number, or a number times x */
        bool grows_left, grows_right;
    } ends[] = {{"identity", -INFINITY, INFINITY, 1, 1, true, true},
                {"relu", 0, INFINITY, 0, 1, false, true},
                {"leaky_relu", -INFINITY, INFINITY, 0.01, 1, true, true},
                {"leaky_relu_0.1", -INFINITY, INFINITY, 0.1, 1, true, true},
                {"sigmoid", 0, 1, 0, 1, false, false},
                {"tanh", -1, 1, -1, 1, false, false},
                {"swish", 0, INFINITY, 0, 1, false, true},
                {"gelu", 0, INFINITY, 0, 1, false, true},
                {"mish", 0, INFINITY, 0, 1, false, true},
                {"softplus", 0, INFINITY, 0, 1, false, true}};
    static const double large[] = {1e4, 2e5, 1e30, 1e300, DBL_MAX};
    for (size_t i = 0; i < COUNT_OF(ends); i++) {
        const char *name = ends[i].name;
        assert_true(function_at(name, -INFINITY) == ends[i].minus_infinity);
        assert_true(function_at(name, INFINITY) == ends[i].infinity);
        for (size_t k = 0; k < COUNT_OF(large); k++) {
            const double x = large[k], left = ends[i].left * (ends[i].grows_left ? -x : 1);
            const double right = ends[i].right * (ends[i].grows_right ? x : 1);
            assert_true(fabs(function_at(name, -x) - left) <= 4 * DBL_EPSILON * fabs(left));
            assert_true(fabs(function_at(name, x) - right) <= 4 * DBL_EPSILON * fabs(right));
        }
    }
    assert_true(isnan(function_at("sin", INFINITY)) && isnan(function_at("sin", -INFINITY)));
    assert_true(fabs(function_at("sin", DBL_MAX)) <= 1);
    for (int i = 0; grkan_function_name(i) != NULL; i++) {
        const char *name = grkan_function_name(i);
        const double at_zero = function_at(name, 0.0), tiny = 0x1p-1074;
        assert_true(isnan(function_at(name, NAN)));
        assert_true(function_at(name, -0.0) == at_zero);
        assert_true(fabs(function_at(name, tiny) - at_zero) <= tiny);
        assert_true(fabs(function_at(name, -tiny) - at_zero) <= tiny);
    }
}

static void functions_are_listed(void **state)
{
    (void)state;
    int count = 0;
    while (grkan_function_name(count) != NULL)
        (void)function_at(grkan_function_name(count++), 1);
    assert_int_equal(count, 11);
    static const int outside[] = {INT_MIN, INT_MIN + 1, -1, 11, 12, INT_MAX};
    for (size_t i = 0; i < COUNT_OF(outside); i++)
        assert_null(grkan_function_name(outside[i]));
}

/* -------------------------------------------------------------------------------------------------------- errors */

/** The bounds that grkan promises for the default form and KAT's degrees; rounded to f32, as a layer takes them. */
static void fits_keep_the_promised_errors(void **state)
{
    (void)state;
    static const struct {
        const char *function;
        double error;
    } promised[] = {{"gelu", 0.0045}, {"swish", 2e-6}, {"tanh", 5e-5}, {"sigmoid", 2e-5}};
    for (size_t i = 0; i < COUNT_OF(promised); i++) {
        const grkan_fit_problem problem = problem_of(promised[i].function, GRKAN_ABS_TERMS, 5, 4);
        const grkan_fit_result result = fit(&problem);
        const double error = largest_error(&problem, &result, true);
        printf("%s: %.3g, promised %.3g\n", promised[i].function, error, promised[i].error);
        assert_true(error <= promised[i].error);
    }
}

static void higher_degrees_are_better(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(curved); i++) {
        if (!is_tried(i, GRKAN_ABS_TERMS))
            continue;
        const grkan_fit_problem low = problem_of(curved[i], GRKAN_ABS_TERMS, 5, 4);
        const grkan_fit_problem high = problem_of(curved[i], GRKAN_ABS_TERMS, 7, 6);
        const grkan_fit_result first = fit(&low), second = fit(&high);
        const double coarse = largest_error(&low, &first, true), fine = largest_error(&high, &second, true);
        printf("%s: (5, 4) %.3g, (7, 6) %.3g\n", curved[i], coarse, fine);
        assert_true(fine < 0.9 * coarse);
    }
}

/** What is reported is what the oracle finds, for every form, exact and rounded. */
static void reported_errors_are_true(void **state)
{
    (void)state;
    for (int form = 0; form < FORMS; form++)
        for (int k = 0; k < 2; k++) {
            if (!is_tried((size_t)k, form))
                continue;
            const grkan_fit_problem problem = problem_of(k ? "relu" : "mish", (grkan_form)form, 5, 4);
            const grkan_fit_result result = fit(&problem);
            const double found = largest_error(&problem, &result, false);
            const double found_f32 = largest_error(&problem, &result, true);
            assert_true(found <= result.f64.error * 1.001 && found >= result.f64.error * 0.99);
            assert_true(found_f32 <= result.f32.error * 1.001 && found_f32 >= result.f32.error * 0.99);
            const double there = value_of(&problem, &result, false, result.f64.x);
            assert_true(fabs(fabs(there - function_at(problem.function, result.f64.x)) - result.f64.error) < 1e-12);
        }
}

/** The error of a best rational fit swings m + n + 2 times between the same bounds (Achieser). */
static void plain_fits_swing_between_equal_errors(void **state)
{
    (void)state;
    static const char *const functions[] = {"gelu", "sigmoid", "softplus"};
    for (size_t i = 0; i < COUNT_OF(functions); i++) {
        grkan_fit_problem problem = problem_of(functions[i], GRKAN_PLAIN, 4, 3);
        problem.growth = GRKAN_GROWTH_ANY;
        problem.low = -2; /* not the mirror of high: these functions are even or odd but for x / 2 or 1 / 2 */
        const grkan_fit_result result = fit(&problem);
        int swings = 0;
        double side = 0;
        for (int k = 0; k <= GRID; k++) {
            const double error = error_at(&problem, &result, false, k);
            if (fabs(error) >= 0.995 * result.f64.error && error * side <= 0) {
                swings++;
                side = error;
            }
        }
        assert_true(swings >= 4 + 3 + 2);
    }
}

static void denominators_of_abs_terms_are_not_negative(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(curved); i++) {
        const grkan_fit_problem problem = problem_of(curved[i], GRKAN_ABS_TERMS, 5, 4);
        const grkan_fit_result result = fit(&problem);
        for (int j = 0; j < 4; j++)
            assert_true(result.denominator[j] >= 0);
    }
}

static void elements_beyond_the_degrees_are_zero(void **state)
{
    (void)state;
    for (int form = 0; form < FORMS; form++) {
        const grkan_fit_problem problem = problem_of("tanh", (grkan_form)form, 3, 2);
        const grkan_fit_result result = fit(&problem);
        for (int i = 4; i < GRKAN_MAX_COEFFICIENTS; i++)
            assert_true(result.numerator[i] == 0);
        for (int j = form == GRKAN_ABS_SUM_OFFSET ? 3 : 2; j < GRKAN_MAX_COEFFICIENTS; j++)
            assert_true(result.denominator[j] == 0);
    }
}

static void the_same_problem_gives_the_same_coefficients(void **state)
{
    (void)state;
    const grkan_fit_problem problem = problem_of("relu", GRKAN_ABS_SUM, 4, 3);
    const grkan_fit_result first = fit(&problem), second = fit(&problem);
    assert_memory_equal(&first, &second, sizeof first);
}

/* -------------------------------------------------------------------------------------------------------- points */

enum { POINTS = 60 };

static void points_of_a_rational_give_it_back(void **state)
{
    (void)state;
    double x[POINTS], y[POINTS];
    for (int i = 0; i < POINTS; i++) {
        x[i] = (i * 37 % POINTS) / 10.0 - 2.5; /* in no order */
        y[i] = (1 + 2 * x[i] - x[i] * x[i]) / (1 + 0.5 * fabs(x[i]) + 0.25 * x[i] * x[i]);
    }
    grkan_fit_problem problem = problem_of(NULL, GRKAN_ABS_TERMS, 2, 2);
    problem.x = x;
    problem.y = y;
    problem.points = POINTS;
    const grkan_fit_result result = fit(&problem);
    const double a[] = {1, 2, -1}, b[] = {0.5, 0.25};
    for (int i = 0; i < 3; i++)
        assert_true(fabs(result.numerator[i] - a[i]) < 1e-9);
    for (int j = 0; j < 2; j++)
        assert_true(fabs(result.denominator[j] - b[j]) < 1e-9);
    assert_true(result.f64.error < 1e-12);
}

/** The largest error of a constant is least halfway between the largest and the least value. */
static void points_have_a_minimax_constant(void **state)
{
    (void)state;
    const double x[] = {0, 1, 2, 3}, y[] = {1, 1, 1, 5};
    grkan_fit_problem problem = problem_of(NULL, GRKAN_PLAIN, 0, 0);
    problem.x = x;
    problem.y = y;
    problem.points = 4;
    const grkan_fit_result result = fit(&problem);
    assert_true(fabs(result.numerator[0] - 3) < 1e-4);
    assert_true(fabs(result.f64.error - 2) < 1e-4);
}

/** There is no range then; halfway between the values is still the best. */
static void points_at_one_place(void **state)
{
    (void)state;
    const double x[] = {4000, 4000, 4000, 4000, 4000, 4000}, y[] = {1, 2, 1, 3, 2, 2};
    for (int form = 0; form < FORMS; form++) {
        grkan_fit_problem problem = problem_of(NULL, (grkan_form)form, 2, 2);
        problem.x = x;
        problem.y = y;
        problem.points = COUNT_OF(x);
        assert_true(fabs(fit(&problem).f64.error - 1) < 1e-4);
    }
}

/* -------------------------------------------------------------------------------------------------------- misuse */

#define NAMES "identity, relu, leaky_relu, leaky_relu_0.1, sigmoid, tanh, swish, gelu, mish, softplus, sin"

/** Refused, with the text, and nothing written. */
static void refuse(const grkan_fit_problem *problem, const char *text)
{
    grkan_fit_result result, before;
    memset(&result, 0x5a, sizeof result);
    before = result;
    EXPECT_INVALID(grkan_fit(problem, &result), text);
    assert_memory_equal(&result, &before, sizeof result);
}

static void wrong_forms_and_degrees(void **state)
{
    (void)state;
    static const struct {
        int form, m, n;
        const char *text;
    } cases[] = {{5, 5, 4, "problem.form is 5; expected a grkan_form"},
                 {-1, 5, 4, "problem.form is -1; expected a grkan_form"},
                 {0, -1, 4, "problem.numerator_degree is -1; expected 0 to 15"},
                 {0, 16, 4, "problem.numerator_degree is 16; expected 0 to 15"},
                 {0, 5, -1, "problem.denominator_degree is -1; expected 0 to 15"},
                 {0, 5, 16, "problem.denominator_degree is 16; expected 0 to 15"}};
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        const grkan_fit_problem problem = problem_of("gelu", (grkan_form)cases[i].form, cases[i].m, cases[i].n);
        refuse(&problem, cases[i].text);
    }
    grkan_fit_problem problem = problem_of("gelu", GRKAN_PLAIN, 5, 4);
    problem.dtype = (grkan_dtype)4;
    refuse(&problem, "problem.dtype is 4; expected a grkan_dtype");
    problem = problem_of("gelo", GRKAN_PLAIN, 5, 4);
    refuse(&problem, "problem.function is \"gelo\"; expected one of " NAMES);
}

static void wrong_ranges(void **state)
{
    (void)state;
    static const struct {
        double low, high;
        const char *text;
    } cases[] = {
        {3, -3, "problem.low is 3 and problem.high -3; expected low < high"},
        {1, 1, "problem.low is 1 and problem.high 1; expected low < high"},
        {-1e10, 3, "problem.low is -1e+10; expected a number from -1e9 to 1e9"},
        {NAN, 3, "problem.low is nan; expected a number from -1e9 to 1e9"},
        {-3, INFINITY, "problem.high is inf; expected a number from -1e9 to 1e9"},
        {-1e-10, 1e-10, "problem.low is -1e-10 and problem.high 1e-10; expected one of them at least 1e-9 from 0"}};
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        grkan_fit_problem problem = problem_of("gelu", GRKAN_ABS_TERMS, 5, 4);
        problem.low = cases[i].low;
        problem.high = cases[i].high;
        refuse(&problem, cases[i].text);
    }
}

static void wrong_points(void **state)
{
    (void)state;
    double x[] = {0, 1, 2, 3}, y[] = {0, 1, 4, 9};
    grkan_fit_problem problem = problem_of(NULL, GRKAN_ABS_SUM_OFFSET, 1, 1);
    refuse(&problem, "problem.x is NULL; expected a function, or points in x and y");
    problem.x = x;
    refuse(&problem, "problem.y is NULL; expected a function, or points in x and y");
    problem.y = y;
    problem.points = 3;
    refuse(&problem, "problem.points is 3; expected at least 4, as many as there are coefficients");
    problem.points = 4;
    y[2] = NAN;
    refuse(&problem, "problem.y[2] is nan; expected a number from -1e9 to 1e9");
    x[1] = -1e300;
    refuse(&problem, "problem.x[1] is -1e+300; expected a number from -1e9 to 1e9");
    memset(x, 0, sizeof x);
    memset(y, 0, sizeof y);
    refuse(&problem, "problem.x is 0; expected one of the points at least 1e-9 from 0");
    problem.function = "gelu";
    refuse(&problem, "problem has a function and points; expected x and y NULL and points 0 with a function");
}

static void wrong_pointers(void **state)
{
    (void)state;
    const grkan_fit_problem problem = problem_of("gelu", GRKAN_ABS_TERMS, 5, 4);
    grkan_fit_result result;
    double y = 7;
    EXPECT_INVALID(grkan_fit(NULL, &result), "problem is NULL; expected what to fit");
    EXPECT_INVALID(grkan_fit(&problem, NULL), "result is NULL; expected where to put the coefficients");
    EXPECT_INVALID(grkan_function_value(NULL, 1, &y), "function is NULL; expected the name of a function");
    EXPECT_INVALID(grkan_function_value("gelu", 1, NULL), "y is NULL; expected where to put the value");
    EXPECT_INVALID(grkan_function_value("", 1, &y), "function is \"\"; expected one of " NAMES);
    assert_true(y == 7);
}

int main(int argc, char **argv)
{
    tries_all = argc > 1 && strcmp(argv[1], "all") == 0;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(functions_have_their_values),
        cmocka_unit_test(functions_have_values_everywhere),
        cmocka_unit_test(functions_are_listed),
        cmocka_unit_test(fits_keep_the_promised_errors),
        cmocka_unit_test(higher_degrees_are_better),
        cmocka_unit_test(reported_errors_are_true),
        cmocka_unit_test(plain_fits_swing_between_equal_errors),
        cmocka_unit_test(denominators_of_abs_terms_are_not_negative),
        cmocka_unit_test(elements_beyond_the_degrees_are_zero),
        cmocka_unit_test(the_same_problem_gives_the_same_coefficients),
        cmocka_unit_test(points_of_a_rational_give_it_back),
        cmocka_unit_test(points_have_a_minimax_constant),
        cmocka_unit_test(points_at_one_place),
        cmocka_unit_test(wrong_forms_and_degrees),
        cmocka_unit_test(wrong_ranges),
        cmocka_unit_test(wrong_points),
        cmocka_unit_test(wrong_pointers),
    };
    return cmocka_run_group_tests_name("fit", tests, NULL, NULL);
}
