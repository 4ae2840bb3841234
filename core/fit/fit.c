/* SPDX-License-Identifier: Apache-2.0 */
/** @file fit.c @brief grkan_fit: checks the problem, samples it, fits from several starts, measures what came out. */
#include "model.h"

#include <math.h>
#include <stdlib.h>

/* Samples of each side of 0: enough for every swing of an error curve of 32 parameters, and to find its peaks. */
enum { FIT_SAMPLES = 384, MEASURE_SAMPLES = 8192 };

enum { MAX_CANDIDATES = 2 + GRKAN_MAX_COEFFICIENTS, MAX_POLISHED = 2 };

/* A candidate with an error so many times that of the best is not polished. */
#define HOPELESS 10

/* A parameter so small may be a rounding error. */
#define NOISE 1e-9L

/* An error, beside values of 1, that polishing cannot make smaller. */
#define EXACT 1e-17L

#define LEAST_X 1e-9
#define LARGEST 1e9

static const double pi = 3.14159265358979323846;

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

static grkan_status check_form(const grkan_fit_problem *problem)
{
    if (grkan_denominator_name(problem->denominator) == NULL)
        return grkan_fail(GRKAN_ERROR_INVALID_ARGUMENT, "problem.denominator is %d; expected a grkan_denominator",
                          (int)problem->denominator);
    const grkan_status status = check_degree("numerator_degree", problem->numerator_degree);
    return status == GRKAN_SUCCESS ? check_degree("denominator_degree", problem->denominator_degree) : status;
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

static void free_samples(fit_samples *samples)
{
    free(samples->x);
    free(samples->y);
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

/* ----------------------------------------------------------------------------------------------------- measuring */

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

static grkan_fit_error measure(const grkan_fit_problem *problem, const grkan_fit_result *result,
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

/* ------------------------------------------------------------------------------------------------------- fitting */

static fit_model model_of(const grkan_fit_problem *problem, int parameters, const fit_samples *samples)
{
    const grkan_denominator form = problem->denominator;
    fit_model model = {.form = form,
                       .has_bars = form == GRKAN_ABS_SUM || form == GRKAN_ABS_SUM_OFFSET,
                       .numerator_count = problem->numerator_degree + 1,
                       .parameters = parameters,
                       .samples = *samples};
    long double low = samples->x[0], high = low;
    for (size_t i = 0; i < samples->count; i++) {
        low = fminl(low, samples->x[i]);
        high = fmaxl(high, samples->x[i]);
        model.y_scale = fmaxl(model.y_scale, fabsl(samples->y[i]));
    }
    model.middle = (low + high) / 2;
    model.half_width = high > low ? (high - low) / 2 : fabsl(high);
    model.x_scale = fmaxl(fabsl(low), fabsl(high));
    model.y_scale = model.y_scale > 0 ? model.y_scale : 1;
    return model;
}

typedef struct candidate {
    long double error;
    long double parameters[FIT_PARAMETERS];
} candidate;

static int by_error(const void *left, const void *right)
{
    const long double l = ((const candidate *)left)->error, r = ((const candidate *)right)->error;
    return (l > r) - (l < r);
}

/** The best fit without bars, which is the best of all if its B is nowhere negative. */
static void fit_convex(const fit_model *model, long double *parameters)
{
    fit_model convex = *model;
    convex.has_bars = false;
    grkan_fit_least_squares(&convex, parameters);
    (void)grkan_fit_minimax(&convex, parameters);
}

/**
 * Fit in the sense of least squares: without bars from Q = 1, and with them from there and from each basis function
 * of B alone. @return how many candidates, best first
 */
static int list_candidates(const fit_model *model, candidate candidates[MAX_CANDIDATES])
{
    const int count = model->has_bars ? 2 + model->parameters - model->numerator_count : 1;
    for (int i = 0; i < count; i++) {
        candidates[i] = (candidate){0};
        if (i > 1)
            candidates[i].parameters[model->numerator_count + i - 2] = 0.5L;
        (i ? grkan_fit_least_squares : fit_convex)(model, candidates[i].parameters);
        candidates[i].error = grkan_fit_largest(model, candidates[i].parameters);
    }
    qsort(candidates, (size_t)count, sizeof *candidates, by_error);
    return count;
}

/** Make parameters 0 that are nothing but rounding errors: where it costs less than a millionth of the error. */
static void drop_noise(const fit_model *model, candidate *found)
{
    for (int k = 0; k < model->parameters; k++) {
        const long double kept = found->parameters[k];
        if (fabsl(kept) > NOISE)
            continue;
        found->parameters[k] = 0;
        if (!(grkan_fit_largest(model, found->parameters) <= found->error * (1 + 1e-6L) + EXACT))
            found->parameters[k] = kept;
    }
}

/** Keep a candidate if it is the best so far on the samples of a model. */
static void keep_best(const fit_model *model, const candidate *found, candidate *best)
{
    const long double error = grkan_fit_largest(model, found->parameters);
    if (error < best->error || !isfinite(best->error)) {
        *best = *found;
        best->error = error;
    }
}

/**
 * Polish the best candidates, and keep the best of them, before and after it, as the samples of measuring see it: one
 * that fits the samples of the fit may be off between them.
 */
static grkan_status fit(const fit_model *model, const fit_samples *measuring, candidate *best)
{
    candidate candidates[MAX_CANDIDATES];
    fit_model judge = *model;
    judge.samples = *measuring;
    best->error = INFINITY;
    const int count = list_candidates(model, candidates);
    const long double hopeless = HOPELESS * candidates[0].error;
    for (int i = 0; i < count && i < MAX_POLISHED && candidates[i].error <= hopeless && best->error > EXACT; i++) {
        keep_best(&judge, &candidates[i], best);
        if (grkan_fit_minimax(model, candidates[i].parameters) < 0)
            return grkan_fail(GRKAN_ERROR_OUT_OF_MEMORY, "no memory for a fit to %zu samples", model->samples.count);
        keep_best(&judge, &candidates[i], best);
    }
    drop_noise(&judge, best);
    return GRKAN_SUCCESS;
}

static grkan_status fit_samples_of(const grkan_fit_problem *problem, const fit_samples *coarse, const fit_samples *fine,
                                   int parameters, grkan_fit_result *result)
{
    const fit_model model = model_of(problem, parameters, coarse);
    candidate best = {0};
    grkan_fit_result found = {0};
    const grkan_status status = fit(&model, fine, &best);
    if (status != GRKAN_SUCCESS)
        return status;
    grkan_fit_convert(&model, best.parameters, &found);
    const grkan_fit_result rounded = rounded_to_f32(&found);
    found.f64 = measure(problem, &found, fine);
    found.f32 = measure(problem, &rounded, fine);
    *result = found;
    return GRKAN_SUCCESS;
}

grkan_status grkan_fit(const grkan_fit_problem *problem, grkan_fit_result *result)
{
    fit_samples coarse = {0}, fine = {0};
    fit_function function = NULL;
    if (problem == NULL || result == NULL)
        return grkan_fail(GRKAN_ERROR_INVALID_ARGUMENT, "%s is NULL", problem == NULL ? "problem" : "result");
    grkan_status status = check_form(problem);
    if (status != GRKAN_SUCCESS)
        return status;
    const int parameters = problem->numerator_degree + 1 + problem->denominator_degree +
                           (problem->denominator == GRKAN_ABS_SUM_OFFSET ? 1 : 0);
    if (problem->function != NULL)
        status = grkan_function_find("problem.function", problem->function, &function);
    if (status == GRKAN_SUCCESS)
        status = function ? check_range(problem) : check_points(problem, (size_t)parameters);
    if (status == GRKAN_SUCCESS)
        status = sample(problem, function, FIT_SAMPLES, &coarse);
    if (status == GRKAN_SUCCESS)
        status = sample(problem, function, MEASURE_SAMPLES, &fine);
    if (status == GRKAN_SUCCESS)
        status = fit_samples_of(problem, &coarse, &fine, parameters, result);
    free_samples(&coarse);
    free_samples(&fine);
    return status;
}
