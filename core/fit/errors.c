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

/** F(x) of the coefficients as they are handed out. */
static long double value_of(const grkan_fit_problem *problem, const grkan_fit_result *result, long double x)
{
    const long double p = polynomial(result->numerator, problem->numerator_degree + 1, x);
    switch (problem->denominator) {
    case GRKAN_ABS_TERMS: /* fits have no b_j < 0 */
        return p / (1 + fabsl(x) * polynomial(result->denominator, problem->denominator_degree, fabsl(x)));
    case GRKAN_ABS_SUM:
        return p / (1 + fabsl(x * polynomial(result->denominator, problem->denominator_degree, x)));
    case GRKAN_ABS_SUM_OFFSET:
        return p / (0.1L + fabsl(polynomial(result->denominator, problem->denominator_degree + 1, x)));
    case GRKAN_PLAIN:
        break;
    }
    return p / (1 + x * polynomial(result->denominator, problem->denominator_degree, x));
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

void grkan_fit_measure(const grkan_fit_problem *problem, const fit_samples *samples, grkan_fit_result *result)
{
    const grkan_fit_result rounded = rounded_to_f32(result);
    result->f64 = largest_error(problem, result, samples);
    result->f32 = largest_error(problem, &rounded, samples);
}
