/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file search.c
 * @brief The search for the best coefficients: several starts, and lower degrees where rounding spoils the higher ones.
 */
#include "search.h"

#include <float.h>
#include <math.h>
#include <stdlib.h>

enum { MAX_CANDIDATES = 2 + 2 * GRKAN_MAX_COEFFICIENTS, MAX_POLISHED = 3 };

/* A candidate with an error so many times that of the best is not polished. */
#define HOPELESS 10

/* Candidates whose errors differ by no more than this part are the same. */
#define SAME 1e-3L

/* A parameter so small may be a rounding error. */
#define NOISE 1e-9L

/* An error, beside values of 1, that polishing cannot make smaller. */
#define EXACT 1e-17L

/* An error, beside the largest value, at which a line will do, if its coefficients survive their rounding. */
#define LINE 1e-15L

/* Coefficients whose rounding adds no more than this part to the error are as good as exact ones. */
#define ROUNDING 1e-3L

/* Least Q, and a little more, so that rounding does not take it below. */
#define LEAST_Q_OF_STEPS (FIT_LEAST_Q * (1 + 1e-6L))

/* How steep a fit may be outside where a flat one costs too much, beside the slope there; and what is too much. */
#define STEEP 8
#define PRICE 3

/* Polynomials up to this degree are tried where the degrees asked for do not do. */
enum { SAFE_DEGREE = 3 };

fit_range grkan_fit_range_of(const fit_samples *samples)
{
    fit_range range = {.low = samples->x[0], .high = samples->x[0]};
    for (size_t i = 0; i < samples->count; i++) {
        range.low = fminl(range.low, samples->x[i]);
        range.high = fmaxl(range.high, samples->x[i]);
        range.largest_y = fmaxl(range.largest_y, fabsl(samples->y[i]));
    }
    range.half_width = range.high > range.low ? (range.high - range.low) / 2 : fabsl(range.high);
    return range;
}

/** A model of some degrees that may be steepness times as steep outside as the slope there. */
static fit_model model_of(grkan_form form, int m, int n, const fit_ground *ground, long double steepness)
{
    const fit_range range = grkan_fit_range_of(&ground->samples);
    fit_model model = {.form = form,
                       .has_bars = form == GRKAN_ABS_SUM || form == GRKAN_ABS_SUM_OFFSET,
                       .has_square = form == GRKAN_SQUARE,
                       .least_q = form == GRKAN_PLAIN ? LEAST_Q_OF_STEPS : 0,
                       .numerator_count = m + 1,
                       .parameters = m + 1 + n + (form == GRKAN_ABS_SUM_OFFSET ? 1 : 0),
                       .middle = (range.low + range.high) / 2,
                       .half_width = range.half_width,
                       .x_scale = fmaxl(fabsl(range.low), fabsl(range.high)),
                       .y_scale = range.largest_y > 0 ? range.largest_y : 1,
                       .samples = ground->samples,
                       .outside = ground->outside};
    model.outside.slope *= steepness;
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

/** The best fit whose B is nowhere negative. */
static void fit_convex(const fit_model *model, long double *parameters)
{
    fit_model convex = *model;
    convex.has_bars = false;
    if (model->has_bars)
        convex.least_q = model->form == GRKAN_ABS_SUM_OFFSET ? 0.1L : 1;
    grkan_fit_least_squares(&convex, parameters);
    (void)grkan_fit_minimax(&convex, parameters);
}

/** Keep a candidate if it is the best so far on the samples of a model. */
static void keep_best(const fit_model *model, const candidate *found, candidate *best)
{
    const long double error = grkan_fit_error_within(model, found->parameters);
    if (error < best->error || !isfinite(best->error)) {
        *best = *found;
        best->error = error;
    }
}

/**
 * The first start of a fit. Start 0 is Q = 1 without bars, 1 the same with them, and from 2 on come the basis functions of
 * B alone, times 1/2, and for B^2 times 1, too.
 */
static int first_start(const fit_model *model)
{
    const bool has_b = model->parameters > model->numerator_count;
    return model->has_square && has_b ? 2 : 0; /* at B = 0, B^2 has no slope */
}

static int last_start(const fit_model *model)
{
    const int count = model->parameters - model->numerator_count;
    return model->has_bars ? 1 + count : model->has_square ? 1 + 2 * count : 0;
}

/**
 * Fit in the sense of least squares, from every start. Those with bars or squares may not stay where they shall outside,
 * and be far off once they do: the first is kept.
 * @return how many candidates, best first
 */
static int list_candidates(const fit_model *model, const fit_model *judge, candidate candidates[MAX_CANDIDATES],
                           candidate *best)
{
    const int first = model->numerator_count, count_b = model->parameters - first;
    int count = 0;
    for (int start = first_start(model); start <= last_start(model); start++) {
        candidate *const found = &candidates[count++];
        *found = (candidate){0};
        if (start > 1)
            found->parameters[first + (start - 2) % count_b] = start - 2 < count_b ? 0.5L : 1;
        (start ? grkan_fit_least_squares : fit_convex)(model, found->parameters);
        found->error = grkan_fit_largest(model, found->parameters);
    }
    keep_best(judge, &candidates[0], best);
    qsort(candidates, (size_t)count, sizeof *candidates, by_error);
    return count;
}

/** Leave out candidates that other starts have led to, too: with B^2, about half of them. @return how many are left */
static int drop_same(candidate *candidates, int count)
{
    int kept = 0;
    for (int i = 0; i < count; i++)
        if (kept == 0 || candidates[i].error > candidates[kept - 1].error * (1 + SAME))
            candidates[kept++] = candidates[i];
    return kept;
}

/** Make parameters 0 that are nothing but rounding errors: where it costs less than a millionth of the error. */
static void drop_noise(const fit_model *model, candidate *found)
{
    for (int k = 0; k < model->parameters; k++) {
        const long double kept = found->parameters[k];
        if (fabsl(kept) > NOISE)
            continue;
        found->parameters[k] = 0;
        if (!(grkan_fit_error_within(model, found->parameters) <= found->error * (1 + 1e-6L) + EXACT))
            found->parameters[k] = kept;
    }
}

/** F = 0 is within the limits outside, whatever B is: where minimax steps can start. */
static void clear_numerator(const fit_model *model, long double *parameters)
{
    for (int k = 0; k < model->numerator_count; k++)
        parameters[k] = 0;
}

/**
 * Polish the best candidates, and keep the best of them, before and after it, as the samples of measuring see it: one
 * that fits the samples of the fit may be off between them.
 */
static grkan_status fit(const fit_model *model, const fit_ground *measuring, candidate *best)
{
    candidate candidates[MAX_CANDIDATES];
    fit_model judge = *model;
    judge.samples = measuring->samples;
    judge.outside = measuring->outside;
    judge.outside.slope = model->outside.slope;
    best->error = INFINITY;
    int count = list_candidates(model, &judge, candidates, best);
    if (model->has_square)
        count = drop_same(candidates, count);
    const int polished = model->has_square ? MAX_POLISHED : 2;
    const long double hopeless = HOPELESS * candidates[0].error;
    for (int i = 0; i < count && i < polished && candidates[i].error <= hopeless && best->error > EXACT; i++) {
        keep_best(&judge, &candidates[i], best);
        if (model->has_square && isinf(grkan_fit_error_within(model, candidates[i].parameters)))
            clear_numerator(model, candidates[i].parameters);
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
    const fit_ground *coarse, *fine; /* for fitting and for measuring */
    long double steepness;
    grkan_fit_result best;
    double error; /* of them, as they will be stored */
} search;

/** Keep the coefficients of a model if they have a smaller error than the best. */
static void keep_coefficients(search *s, const fit_model *model, const long double *parameters)
{
    grkan_fit_result found = {0};
    grkan_fit_convert(model, parameters, &found);
    grkan_fit_measure(s->problem, &s->fine->samples, &found);
    double error = s->problem->dtype == GRKAN_F64 ? found.f64.error : found.f32.error;
    if (!grkan_fit_stays(s->problem, &s->fine->outside, s->steepness, &found))
        error = INFINITY;
    if (error < s->error || !isfinite(s->error)) {
        s->best = found;
        s->error = error;
    }
}

/** Fit with some degrees. @param exact  out: the error, were there no rounding of coefficients */
static grkan_status attempt(search *s, int m, int n, long double *exact)
{
    const fit_model model = model_of(s->problem->form, m, n, s->coarse, s->steepness);
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
    const fit_model model = model_of(s->problem->form, 0, 0, s->fine, s->steepness);
    const fit_samples *samples = &s->fine->samples;
    long double parameters[FIT_PARAMETERS] = {0}, least = samples->y[0], most = least;
    for (size_t i = 0; i < samples->count; i++) {
        least = fminl(least, samples->y[i]);
        most = fmaxl(most, samples->y[i]);
    }
    parameters[0] = (least + most) / 2 / model.y_scale;
    if (model.form == GRKAN_ABS_SUM_OFFSET)
        parameters[1] = 0.9L; /* Q = 1 */
    keep_coefficients(s, &model, parameters);
}

/**
 * The narrower a range, and the further from 0, the more digits cancel between powers of x. Degrees are halved, then
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
    for (m = highest; m > 1 && status == GRKAN_SUCCESS && exact < s->error; m--)
        status = attempt(s, m, 0, &exact);
    if (status == GRKAN_SUCCESS)
        attempt_constant(s);
    return status;
}

/** Search with one steepness. What a line does needs no P and Q with a common factor. */
static grkan_status run(search *s)
{
    const int m = s->problem->numerator_degree, n = s->problem->denominator_degree;
    const long double scale = grkan_fit_range_of(&s->coarse->samples).largest_y;
    long double exact = 0;
    grkan_status status = attempt(s, m < 1 ? m : 1, 0, &exact);
    if (status != GRKAN_SUCCESS || (exact <= LINE * scale && s->error <= FLT_EPSILON * scale))
        return status;
    status = attempt(s, m, n, &exact);
    /* Where n is even, B / x has a root, and 1 + B^2 a spike there that may be outside: not so without b_n. */
    if (status == GRKAN_SUCCESS && s->problem->form == GRKAN_SQUARE && n > 0 && n % 2 == 0)
        status = attempt(s, m, n - 1, &exact);
    const bool is_good = isfinite(s->error) && s->error <= exact * (1 + ROUNDING);
    return status == GRKAN_SUCCESS && !is_good ? attempt_lower(s) : status;
}

/** Of a fit that may be steep outside, and one that may not, the latter, unless it is much worse in the range. */
grkan_status grkan_fit_search(const grkan_fit_problem *problem, const fit_ground *coarse, const fit_ground *fine,
                              grkan_fit_result *result)
{
    search steep = {.problem = problem, .coarse = coarse, .fine = fine, .steepness = STEEP, .error = INFINITY};
    search flat = steep;
    flat.steepness = 1;
    grkan_status status = run(&steep);
    const bool is_flat = grkan_fit_stays(problem, &fine->outside, 1, &steep.best);
    if (status == GRKAN_SUCCESS && !is_flat)
        status = run(&flat);
    if (status == GRKAN_SUCCESS)
        *result = is_flat || flat.error > PRICE * steep.error ? steep.best : flat.best;
    return status;
}
