/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file minimax.c
 * @brief The smallest largest error, by linear programs: F is linear in a step of its parameters to first order, so the
 * best step within a region where that holds is a linear program (as Gauss and Newton's, with the largest error in
 * place of the sum of squares). The region shrinks when a step keeps less than it promised.
 */
#include "model.h"

#include <math.h>
#include <stdlib.h>

/** Steps in all, and as long as none has led within the limits. */
enum { MAX_STEPS = 100, MAX_STEPS_OUTSIDE = 10 };

/** Stop when a step promises less than this part of the error. */
#define LEAST_GAIN 1e-5L

/** The parameters, and room for what linear programs are made of. */
typedef struct descent {
    const fit_model *model;
    long double *parameters;
    long double error; /* infinite where F does not stay within the limits outside */
    long double radius;
    fit_term *residuals, *limits;
} descent;

static fit_program linearise(const descent *d)
{
    const fit_model *model = d->model;
    fit_program program = {.residual_count = model->samples.count,
                           .limit_count = grkan_fit_limit_count(model),
                           .residuals = d->residuals,
                           .limits = d->limits,
                           .parameters = model->parameters};
    for (size_t i = 0; i < model->samples.count; i++)
        (void)grkan_fit_evaluate(model, d->parameters, i, &d->residuals[i]);
    grkan_fit_limits(model, d->parameters, d->limits);
    for (int k = 0; k < model->parameters; k++) {
        program.upper[k] = d->radius * (1 + fabsl(d->parameters[k]));
        program.lower[k] = -program.upper[k];
        if (grkan_fit_is_bounded(model, k))
            program.lower[k] = fmaxl(program.lower[k], -d->parameters[k]);
    }
    return program;
}

static void move_to(descent *d, const long double *parameters, long double error)
{
    for (int k = 0; k < d->model->parameters; k++)
        d->parameters[k] = parameters[k];
    d->error = error;
}

/**
 * One step. Outside the limits any step will do that leads within: without bars there is one in a region of radius 1,
 * since all parameters 0 are within the limits. @return whether another is worth its while
 */
static bool improve(descent *d)
{
    long double next[FIT_PARAMETERS];
    const fit_program program = linearise(d);
    const long double promised = d->error - grkan_fit_solve(&program, next);
    for (int k = 0; k < d->model->parameters; k++)
        next[k] += d->parameters[k];
    const long double next_error = grkan_fit_error_within(d->model, next), gained = d->error - next_error;
    if (isinf(d->error)) {
        move_to(d, next, next_error);
        return true;
    }
    const bool is_worth_it = promised > LEAST_GAIN * d->error;
    if (gained < promised / 4)
        d->radius /= 4;
    else if (gained > promised * 3 / 4)
        d->radius *= 2;
    if (gained > 0)
        move_to(d, next, next_error);
    return is_worth_it;
}

long double grkan_fit_minimax(const fit_model *model, long double *parameters)
{
    descent d = {
        .model = model, .parameters = parameters, .error = grkan_fit_error_within(model, parameters), .radius = 1};
    d.residuals = calloc(model->samples.count, sizeof *d.residuals);
    d.limits = calloc(grkan_fit_limit_count(model) + 1, sizeof *d.limits); /* never none: that may be NULL */
    const bool has_memory = d.residuals != NULL && d.limits != NULL;
    bool is_over = !has_memory;
    for (int i = 0; !is_over && d.radius > 1e-12L && d.error > 0; i++)
        is_over = !improve(&d) || i >= (isinf(d.error) ? MAX_STEPS_OUTSIDE : MAX_STEPS);
    free(d.residuals);
    free(d.limits);
    return has_memory ? d.error : -1;
}
