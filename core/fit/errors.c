/* SPDX-License-Identifier: Apache-2.0 */
/** @file errors.c @brief How far F is off, of the coefficients as they are handed out: in f64, and rounded to f32. */
#include "search.h"

#include <math.h>

static long double polynomial(const double *c, int count, long double x)
{
    long double sum = 0;
    for (int i = count - 1; i >= 0; i--)
        sum = sum * x + c[i];
    return sum;
}

/** B(x): Q without its constant and its bars or its square. */
static long double inner_of(const grkan_fit_problem *problem, const grkan_fit_result *result, long double x)
{
    const bool has_constant = problem->form == GRKAN_ABS_SUM_OFFSET;
    const long double of = problem->form == GRKAN_ABS_TERMS ? fabsl(x) : x; /* fits have no b_j < 0 then */
    const long double b = polynomial(result->denominator, problem->denominator_degree + (has_constant ? 1 : 0), of);
    return has_constant ? b : of * b;
}

static bool has_bars(const grkan_fit_problem *problem)
{
    return problem->form == GRKAN_ABS_SUM || problem->form == GRKAN_ABS_SUM_OFFSET;
}

/** F(x) of the coefficients as they are handed out. */
static long double value_of(const grkan_fit_problem *problem, const grkan_fit_result *result, long double x)
{
    const long double b = inner_of(problem, result, x);
    const long double q = (problem->form == GRKAN_ABS_SUM_OFFSET ? 0.1L : 1) + (has_bars(problem) ? fabsl(b)
                                                                                : problem->form == GRKAN_SQUARE ? b * b
                                                                                                                : b);
    return polynomial(result->numerator, problem->numerator_degree + 1, x) / q;
}

static grkan_fit_error largest_error(const grkan_fit_problem *problem, const grkan_fit_result *result,
                                     const fit_samples *samples)
{
    grkan_fit_error worst = {0, (double)samples->x[0]};
    for (size_t i = 0; i < samples->count; i++) {
        const long double error = fabsl(value_of(problem, result, samples->x[i]) - samples->y[i]);
        if (!(error <= (long double)worst.error)) {
            worst.error = isfinite(error) ? (double)error : INFINITY;
            worst.x = (double)samples->x[i];
        }
    }
    return worst;
}

static grkan_fit_result rounded_to_f32(const grkan_fit_result *result)
{
    grkan_fit_result rounded = *result;
    for (int i = 0; i < GRKAN_MAX_COEFFICIENTS; i++) {
        rounded.numerator[i] = (float)result->numerator[i];
        rounded.denominator[i] = (float)result->denominator[i];
    }
    return rounded;
}

/** Whether F(x) is within the room that there is at a sample outside, at or next to x. */
static bool stays_at(const grkan_fit_problem *problem, const fit_outside *outside, long double steepness,
                     const grkan_fit_result *stored, size_t i, long double x)
{
    const long double room = outside->height + steepness * outside->slope * outside->distance[i];
    return fabsl(value_of(problem, stored, x) - outside->y[i]) <= room;
}

/** Where B is 0 between two samples: |B| and B^2 make a spike there that neither may see. */
static long double root_of(const grkan_fit_problem *problem, const grkan_fit_result *stored, long double x,
                           long double other)
{
    const bool is_above = inner_of(problem, stored, x) > 0;
    for (int i = 0; i < 64; i++) {
        const long double middle = (x + other) / 2;
        *((inner_of(problem, stored, middle) > 0) == is_above ? &x : &other) = middle;
    }
    return x;
}

bool grkan_fit_stays(const grkan_fit_problem *problem, const fit_outside *outside, long double steepness,
                     const grkan_fit_result *result)
{
    const grkan_fit_result stored = problem->dtype == GRKAN_F64 ? *result : rounded_to_f32(result);
    for (size_t i = 0; i < outside->count; i++) {
        const long double x = outside->x[i];
        if (!stays_at(problem, outside, steepness, &stored, i, x))
            return false;
        if (!(has_bars(problem) || problem->form == GRKAN_SQUARE) || i == 0 ||
            outside->distance[i] < outside->distance[i - 1])
            continue;
        const long double before = outside->x[i - 1];
        if (inner_of(problem, &stored, before) * inner_of(problem, &stored, x) < 0 &&
            !stays_at(problem, outside, steepness, &stored, i, root_of(problem, &stored, x, before)))
            return false;
    }
    return true;
}

void grkan_fit_measure(const grkan_fit_problem *problem, const fit_samples *samples, grkan_fit_result *result)
{
    const grkan_fit_result rounded = rounded_to_f32(result);
    result->f64 = largest_error(problem, result, samples);
    result->f32 = largest_error(problem, &rounded, samples);
}
