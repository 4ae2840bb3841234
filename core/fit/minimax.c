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

enum { MAX_STEPS = 100 };

/** Stop when a step promises less than this part of the error. */
#define LEAST_GAIN 1e-5L

static void linearise(const fit_model *model, const long double *parameters, long double radius,
                      fit_residual *residuals, fit_program *program)
{
    for (size_t i = 0; i < model->samples.count; i++)
        (void)grkan_fit_evaluate(model, parameters, i, &residuals[i]);
    program->count = model->samples.count;
    program->residuals = residuals;
    program->numerator_count = model->numerator_count;
    program->parameters = model->parameters;
    program->may_have_poles = grkan_fit_may_have_poles(model);
    for (int k = 0; k < model->parameters; k++) {
        program->upper[k] = radius * (1 + fabsl(parameters[k]));
        program->lower[k] = -program->upper[k];
        if (grkan_fit_is_bounded(model, k))
            program->lower[k] = fmaxl(program->lower[k], -parameters[k]);
    }
}

/** One step. @return the largest error after it */
static long double improve(const fit_model *model, long double *parameters, long double error, long double *radius,
                           fit_residual *residuals, bool *is_over)
{
    fit_program program;
    long double next[FIT_PARAMETERS];
    linearise(model, parameters, *radius, residuals, &program);
    const long double promised = error - grkan_fit_solve(&program, next);
    for (int k = 0; k < model->parameters; k++)
        next[k] += parameters[k];
    const long double next_error = grkan_fit_largest(model, next), gained = error - next_error;
    *is_over = !(promised > LEAST_GAIN * error);
    if (gained < promised / 4)
        *radius /= 4;
    else if (gained > promised * 3 / 4)
        *radius *= 2;
    if (!(gained > 0))
        return error;
    for (int k = 0; k < model->parameters; k++)
        parameters[k] = next[k];
    return next_error;
}

long double grkan_fit_minimax(const fit_model *model, long double *parameters)
{
    fit_residual *residuals = calloc(model->samples.count, sizeof *residuals);
    if (residuals == NULL)
        return -1;
    long double radius = 1, error = grkan_fit_largest(model, parameters);
    bool is_over = false;
    for (int i = 0; i < MAX_STEPS && !is_over && radius > 1e-12L && error > 0; i++)
        error = improve(model, parameters, error, &radius, residuals, &is_over);
    free(residuals);
    return error;
}
