/* SPDX-License-Identifier: Apache-2.0 */
/** @file fits.h @brief What the tests of fits share: a fit that must succeed, and its values by the oracle. */
#ifndef FITS_H
#define FITS_H

#include <math.h>
#include <stdbool.h>
#include <string.h>

#include <grkan/fit.h>

#include "oracle.h"

enum { FORMS = 5 };

/** Every case is tried under every form (the program's argument "all"); without it under one, in a fifth of the time. */
static bool tries_all;

static inline bool is_tried(size_t number, int form)
{
    return tries_all || (number + (size_t)form) % FORMS == 0;
}

static inline grkan_fit_problem problem_of(const char *function, grkan_form form, int m, int n)
{
    grkan_fit_problem problem = GRKAN_FIT_PROBLEM_INIT;
    problem.function = function;
    problem.form = form;
    problem.numerator_degree = m;
    problem.denominator_degree = n;
    return problem;
}

static inline grkan_fit_result fit(const grkan_fit_problem *problem)
{
    grkan_fit_result result;
    if (grkan_fit(problem, &result) != GRKAN_SUCCESS)
        fail_msg("%s", grkan_last_error());
    return result;
}

/** F by the oracle, of the coefficients as they are or rounded to f32. */
static inline double value_of(const grkan_fit_problem *problem, const grkan_fit_result *result, bool rounded, double x)
{
    const int first = oracle_first_denominator(problem->form);
    oracle_function f = {
        .form = problem->form, .m = problem->numerator_degree, .n = problem->denominator_degree, .unit = 0x1p-53L};
    for (int i = 0; i <= f.m; i++)
        f.a[i] = rounded ? (float)result->numerator[i] : result->numerator[i];
    for (int j = first; j <= f.n; j++)
        f.b[j] = rounded ? (float)result->denominator[j - first] : result->denominator[j - first];
    oracle_element e;
    oracle_evaluate(&f, x, 1, &e);
    return (double)e.y.value;
}

static inline bool is_of_kat(const grkan_preset *preset)
{
    return strncmp(preset->name, "kat_", 4) == 0;
}

static inline double function_at(const char *function, double x)
{
    double y = NAN;
    assert_int_equal(grkan_function_value(function, x, &y), GRKAN_SUCCESS);
    return y;
}

#endif
