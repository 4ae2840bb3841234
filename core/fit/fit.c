/* SPDX-License-Identifier: Apache-2.0 */
/** @file fit.c @brief grkan_fit: checks the problem and samples it. */
#include "search.h"

#include "../platform/float_environment.h"

#include <math.h>
#include <stdlib.h>

/* Samples of each side of 0: enough for every swing of an error curve of 32 parameters, and to find its peaks. */
enum { FIT_SAMPLES = 384, MEASURE_SAMPLES = 8192 };

/* Samples of each side of the range. */
enum { FIT_OUTSIDE = 96, MEASURE_OUTSIDE = 1000 };

#define LEAST_X 1e-9
#define LARGEST 1e9

static const double pi = 3.14159265358979323846;

static const char *const growth_names[] = {"auto", "linear", "any"};

const char *grkan_growth_name(grkan_growth growth)
{
    const int value = (int)growth;
    return value >= 0 && value < (int)(sizeof growth_names / sizeof *growth_names) ? growth_names[value] : NULL;
}

static grkan_status fail_range(const char *argument, double value, const char *expected)
{
    return grkan_fail(GRKAN_ERROR_INVALID_ARGUMENT, "problem.%s is %g; expected %s", argument, value, expected);
}

static grkan_status check_degree(const char *argument, int degree)
{
    if (degree < 0 || degree > GRKAN_MAX_DEGREE)
        return grkan_fail(GRKAN_ERROR_INVALID_ARGUMENT, "problem.%s is %d; expected 0 to %d", argument, degree,
                          GRKAN_MAX_DEGREE);
    return GRKAN_SUCCESS;
}

static grkan_status check_shape(const grkan_fit_problem *problem)
{
    if (grkan_form_name(problem->form) == NULL)
        return grkan_fail(GRKAN_ERROR_INVALID_ARGUMENT, "problem.form is %d; expected a grkan_form",
                          (int)problem->form);
    if (grkan_dtype_name(problem->dtype) == NULL)
        return grkan_fail(GRKAN_ERROR_INVALID_ARGUMENT, "problem.dtype is %d; expected a grkan_dtype",
                          (int)problem->dtype);
    if (grkan_growth_name(problem->growth) == NULL)
        return grkan_fail(GRKAN_ERROR_INVALID_ARGUMENT, "problem.growth is %d; expected a grkan_growth",
                          (int)problem->growth);
    grkan_status status = check_degree("numerator_degree", problem->numerator_degree);
    if (status == GRKAN_SUCCESS)
        status = check_degree("denominator_degree", problem->denominator_degree);
    if (status == GRKAN_SUCCESS && problem->growth == GRKAN_GROWTH_LINEAR &&
        problem->numerator_degree > problem->denominator_degree + 1)
        return grkan_fail(
            GRKAN_ERROR_INVALID_ARGUMENT,
            "problem.growth is linear and problem.numerator_degree %d; expected at most %d, one more than "
            "problem.denominator_degree",
            problem->numerator_degree, problem->denominator_degree + 1);
    return status;
}

static grkan_status check_range(const grkan_fit_problem *problem)
{
    if (problem->points != 0 || problem->x != NULL || problem->y != NULL)
        return grkan_fail(GRKAN_ERROR_INVALID_ARGUMENT,
                          "problem has a function and points; expected x and y NULL and points 0 with a function");
    if (!(fabs(problem->low) <= LARGEST))
        return fail_range("low", problem->low, "a number from -1e9 to 1e9");
    if (!(fabs(problem->high) <= LARGEST))
        return fail_range("high", problem->high, "a number from -1e9 to 1e9");
    if (!(problem->low < problem->high))
        return grkan_fail(GRKAN_ERROR_INVALID_ARGUMENT, "problem.low is %g and problem.high %g; expected low < high",
                          problem->low, problem->high);
    if (fmax(fabs(problem->low), fabs(problem->high)) < LEAST_X)
        return grkan_fail(GRKAN_ERROR_INVALID_ARGUMENT,
                          "problem.low is %g and problem.high %g; expected one of them at least 1e-9 from 0",
                          problem->low, problem->high);
    return GRKAN_SUCCESS;
}

static grkan_status check_points(const grkan_fit_problem *problem, size_t coefficients)
{
    double largest = 0;
    if (problem->x == NULL || problem->y == NULL)
        return grkan_fail(GRKAN_ERROR_INVALID_ARGUMENT, "problem.%s is NULL; expected a function, or points in x and y",
                          problem->x == NULL ? "x" : "y");
    if (problem->points < coefficients)
        return grkan_fail(GRKAN_ERROR_INVALID_ARGUMENT,
                          "problem.points is %zu; expected at least %zu, as many as there are coefficients",
                          problem->points, coefficients);
    for (size_t i = 0; i < problem->points; i++) {
        const bool is_x = !(fabs(problem->x[i]) <= LARGEST);
        if (is_x || !(fabs(problem->y[i]) <= LARGEST))
            return grkan_fail(GRKAN_ERROR_INVALID_ARGUMENT, "problem.%s[%zu] is %g; expected a number from -1e9 to 1e9",
                              is_x ? "x" : "y", i, is_x ? problem->x[i] : problem->y[i]);
        largest = fmax(largest, fabs(problem->x[i]));
    }
    return largest < LEAST_X ? fail_range("x", largest, "one of the points at least 1e-9 from 0") : GRKAN_SUCCESS;
}

/* ------------------------------------------------------------------------------------------------------- samples */

static grkan_status allocate_samples(size_t count, fit_samples *samples)
{
    *samples = (fit_samples){count, calloc(count, sizeof(long double)), calloc(count, sizeof(long double))};
    return samples->x && samples->y ? GRKAN_SUCCESS
                                    : grkan_fail(GRKAN_ERROR_OUT_OF_MEMORY, "no memory for %zu samples", count);
}

static void free_ground(fit_ground *ground)
{
    free(ground->samples.x);
    free(ground->samples.y);
    free(ground->outside.x);
    free(ground->outside.y);
    free(ground->outside.distance);
}

/** Samples of a piece, denser at its ends, which are among them. */
static void fill_piece(fit_function function, double low, double high, size_t count, fit_samples *samples, size_t first)
{
    for (size_t i = 0; i < count; i++) {
        const double part = 0.5 - 0.5 * cos(pi * (double)i / (double)(count - 1));
        const double x = i == 0 ? low : i == count - 1 ? high : low + part * (high - low);
        samples->x[first + i] = x;
        samples->y[first + i] = function(x);
    }
}

/** Sample a function, or take the points. Around 0, where |x| has a kink, samples are dense. */
static grkan_status sample(const grkan_fit_problem *problem, fit_function function, size_t count, fit_samples *samples)
{
    const bool has_zero = function && problem->low < 0 && problem->high > 0;
    const size_t pieces = has_zero ? 2 * count - 1 : count;
    const grkan_status status = allocate_samples(function ? pieces : problem->points, samples);
    if (status != GRKAN_SUCCESS)
        return status;
    if (function)
        fill_piece(function, problem->low, has_zero ? 0 : problem->high, count, samples, 0);
    if (has_zero)
        fill_piece(function, 0, problem->high, count, samples, count - 1);
    for (size_t i = 0; i < problem->points; i++) {
        samples->x[i] = problem->x[i];
        samples->y[i] = problem->y[i];
    }
    return GRKAN_SUCCESS;
}

/** F shall grow at most linearly: asked for, or the function does and the degrees allow it. */
static bool is_linear(const grkan_fit_problem *problem)
{
    const bool can_be = problem->numerator_degree <= problem->denominator_degree + 1;
    return problem->growth == GRKAN_GROWTH_LINEAR ||
           (problem->growth == GRKAN_GROWTH_AUTO && problem->function != NULL && can_be);
}

static grkan_status survey(const grkan_fit_problem *problem, fit_function function, size_t count, size_t outside,
                           fit_ground *ground)
{
    const grkan_status status = sample(problem, function, count, &ground->samples);
    return status == GRKAN_SUCCESS && is_linear(problem)
               ? grkan_fit_sample_outside(&ground->samples, function, outside, &ground->outside)
               : status;
}

static grkan_status check_and_fit(const grkan_fit_problem *problem, grkan_fit_result *result)
{
    fit_ground coarse = {0}, fine = {0};
    fit_function function = NULL;
    if (problem == NULL)
        return grkan_fail(GRKAN_ERROR_INVALID_ARGUMENT, "problem is NULL; expected what to fit");
    if (result == NULL)
        return grkan_fail(GRKAN_ERROR_INVALID_ARGUMENT, "result is NULL; expected where to put the coefficients");
    grkan_status status = check_shape(problem);
    if (status != GRKAN_SUCCESS)
        return status;
    const int parameters =
        problem->numerator_degree + 1 + problem->denominator_degree + (problem->form == GRKAN_ABS_SUM_OFFSET ? 1 : 0);
    if (problem->function != NULL)
        status = grkan_function_find("problem.function", problem->function, &function);
    if (status == GRKAN_SUCCESS)
        status = function ? check_range(problem) : check_points(problem, (size_t)parameters);
    if (status == GRKAN_SUCCESS)
        status = survey(problem, function, FIT_SAMPLES, FIT_OUTSIDE, &coarse);
    if (status == GRKAN_SUCCESS)
        status = survey(problem, function, MEASURE_SAMPLES, MEASURE_OUTSIDE, &fine);
    if (status == GRKAN_SUCCESS)
        status = grkan_fit_search(problem, &coarse, &fine, result);
    free_ground(&coarse);
    free_ground(&fine);
    return status;
}

/** The same problem gives the same coefficients: however the caller rounds, and also if exceptions trap. */
grkan_status grkan_fit(const grkan_fit_problem *problem, grkan_fit_result *result)
{
    grkan_whole_environment own;
    grkan_float_enter_whole(&own);
    const grkan_status status = check_and_fit(problem, result);
    grkan_float_leave_whole(&own);
    return status;
}
