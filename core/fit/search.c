/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file search.c
 * @brief The search for the best coefficients: several starts, and lower degrees where rounding spoils the higher ones.
 */
#include "search.h"

#include <math.h>
#include <stdlib.h>

enum { MAX_CANDIDATES = 2 + GRKAN_MAX_COEFFICIENTS, MAX_POLISHED = 2 };

/* A candidate with an error so many times that of the best is not polished. */
#define HOPELESS 10

/* A parameter so small may be a rounding error. */
#define NOISE 1e-9L

/* An error, beside values of 1, that polishing cannot make smaller. */
#define EXACT 1e-17L

/* Coefficients whose rounding adds no more than this part to the error are as good as exact ones. */
#define ROUNDING 1e-3L

/* Polynomials up to this degree are tried where the degrees asked for do not do. */
enum { SAFE_DEGREE = 3 };

static fit_model model_of(grkan_denominator form, int m, int n, const fit_samples *samples)
{
    fit_model model = {.form = form,
                       .has_bars = form == GRKAN_ABS_SUM || form == GRKAN_ABS_SUM_OFFSET,
                       .numerator_count = m + 1,
                       .parameters = m + 1 + n + (form == GRKAN_ABS_SUM_OFFSET ? 1 : 0),
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

/* ------------------------------------------------------------------------------------------------ degrees that do */

/** The best coefficients so far. */
typedef struct search {
    const grkan_fit_problem *problem;
    const fit_samples *coarse, *fine; /* for fitting and for measuring */
    grkan_fit_result best;
    double error; /* of them, as they will be stored */
} search;

/** Keep the coefficients of a model if they have a smaller error than the best. */
static void keep_coefficients(search *s, const fit_model *model, const long double *parameters)
{
    grkan_fit_result found = {0};
    grkan_fit_convert(model, parameters, &found);
    grkan_fit_measure(s->problem, s->fine, &found);
    const double error = s->problem->dtype == GRKAN_F64 ? found.f64.error : found.f32.error;
    if (error < s->error || !isfinite(s->error)) {
        s->best = found;
        s->error = error;
    }
}

/** Fit with some degrees. @param exact  out: the error, were there no rounding of coefficients */
static grkan_status attempt(search *s, int m, int n, long double *exact)
{
    const fit_model model = model_of(s->problem->denominator, m, n, s->coarse);
    candidate best = {0};
    const grkan_status status = fit(&model, s->fine, &best);
    if (status == GRKAN_SUCCESS)
        keep_coefficients(s, &model, best.parameters);
    *exact = best.error * model.y_scale;
    return status;
}

/** A constant halfway between the least and the largest value: none has a smaller error. */
static void attempt_constant(search *s)
{
    const fit_model model = model_of(s->problem->denominator, 0, 0, s->fine);
    long double parameters[FIT_PARAMETERS] = {0}, least = s->fine->y[0], most = least;
    for (size_t i = 0; i < s->fine->count; i++) {
        least = fminl(least, s->fine->y[i]);
        most = fmaxl(most, s->fine->y[i]);
    }
    parameters[0] = (least + most) / 2 / model.y_scale;
    if (model.form == GRKAN_ABS_SUM_OFFSET)
        parameters[1] = 0.9L; /* Q = 1 */
    keep_coefficients(s, &model, parameters);
}

/**
 * The narrower a range, and the further from 0, the more digits cancel between powers of x. Degrees are halved, and then
 * polynomials tried, as long as a fit with exact coefficients would be better than the best so far.
 */
static grkan_status attempt_lower(search *s)
{
    const int highest = s->problem->numerator_degree < SAFE_DEGREE ? s->problem->numerator_degree : SAFE_DEGREE;
    grkan_status status = GRKAN_SUCCESS;
    long double exact = 0;
    int m = s->problem->numerator_degree, n = s->problem->denominator_degree;
    while (n > 0 && status == GRKAN_SUCCESS && exact < s->error)
        status = attempt(s, m /= 2, n /= 2, &exact);
    exact = 0;
    for (m = highest; m > 0 && status == GRKAN_SUCCESS && exact < s->error; m--)
        status = attempt(s, m, 0, &exact);
    if (status == GRKAN_SUCCESS)
        attempt_constant(s);
    return status;
}

grkan_status grkan_fit_search(const grkan_fit_problem *problem, const fit_samples *coarse, const fit_samples *fine,
                              grkan_fit_result *result)
{
    search s = {.problem = problem, .coarse = coarse, .fine = fine, .error = INFINITY};
    long double exact = 0;
    grkan_status status = attempt(&s, problem->numerator_degree, problem->denominator_degree, &exact);
    if (status == GRKAN_SUCCESS && !(s.error <= exact * (1 + ROUNDING)))
        status = attempt_lower(&s);
    if (status == GRKAN_SUCCESS)
        *result = s.best;
    return status;
}
