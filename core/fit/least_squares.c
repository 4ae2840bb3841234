/* SPDX-License-Identifier: Apache-2.0 */
/** @file least_squares.c @brief Least squares by Levenberg's and Marquardt's damped steps. */
#include "model.h"

#include <math.h>

enum { MAX_STEPS = 100 };

/** Steps that gain less than this part of the sum end the search: what follows does the rest. */
#define LEAST_GAIN 1e-6L

typedef struct normal_equations {
    long double matrix[FIT_PARAMETERS][FIT_PARAMETERS]; /* sum of gradient gradient^T; the lower triangle */
    long double right[FIT_PARAMETERS];                  /* -sum of value gradient */
} normal_equations;

static long double sum_of_squares(const fit_model *model, const long double *parameters)
{
    long double sum = 0;
    fit_term residual;
    for (size_t i = 0; i < model->samples.count; i++) {
        if (!grkan_fit_evaluate(model, parameters, i, &residual))
            return INFINITY;
        sum += residual.value * residual.value;
    }
    return sum;
}

static void add_up(const fit_model *model, const long double *parameters, normal_equations *equations)
{
    *equations = (normal_equations){0};
    fit_term residual;
    for (size_t i = 0; i < model->samples.count; i++) {
        (void)grkan_fit_evaluate(model, parameters, i, &residual);
        for (int j = 0; j < model->parameters; j++) {
            equations->right[j] -= residual.value * residual.gradient[j];
            for (int k = 0; k <= j; k++)
                equations->matrix[j][k] += residual.gradient[j] * residual.gradient[k];
        }
    }
}

/** A parameter that stands at its bound and is pushed against it stays there. */
static bool is_held(const fit_model *model, const long double *parameters, const normal_equations *equations, int k)
{
    return grkan_fit_is_bounded(model, k) && parameters[k] <= 0 && equations->right[k] <= 0;
}

/** Solve with the diagonal times 1 + damping, by Cholesky's factors. */
static void solve(const fit_model *model, const long double *parameters, const normal_equations *equations,
                  long double damping, long double *step)
{
    const int n = model->parameters;
    long double l[FIT_PARAMETERS][FIT_PARAMETERS], largest = 0;
    for (int j = 0; j < n; j++)
        largest = fmaxl(largest, equations->matrix[j][j]);
    for (int j = 0; j < n; j++) {
        const bool held = is_held(model, parameters, equations, j);
        step[j] = held ? 0 : equations->right[j];
        for (int k = 0; k <= j; k++) {
            l[j][k] = held || is_held(model, parameters, equations, k) ? 0 : equations->matrix[j][k];
            if (k == j)
                l[j][j] = held ? 1 : l[j][j] * (1 + damping) + largest * 1e-16L;
            for (int i = 0; i < k; i++)
                l[j][k] -= l[j][i] * l[k][i];
            l[j][k] = k < j ? l[j][k] / l[k][k] : sqrtl(fmaxl(l[j][j], largest * 1e-18L));
            if (k < j)
                step[j] -= l[j][k] * step[k];
        }
        step[j] /= l[j][j];
    }
    for (int j = n - 1; j >= 0; j--) {
        for (int k = j + 1; k < n; k++)
            step[j] -= l[k][j] * step[k];
        step[j] /= l[j][j];
    }
}

/** Take the first of ever shorter steps that makes the sum smaller. @return the sum after it; the same if none does */
static long double improve(const fit_model *model, long double *parameters, long double sum, long double *damping)
{
    normal_equations equations;
    add_up(model, parameters, &equations);
    for (; *damping < 1e12L; *damping *= 8) {
        long double next[FIT_PARAMETERS];
        solve(model, parameters, &equations, *damping, next);
        for (int k = 0; k < model->parameters; k++) {
            next[k] += parameters[k];
            if (grkan_fit_is_bounded(model, k))
                next[k] = fmaxl(next[k], 0);
        }
        const long double next_sum = sum_of_squares(model, next);
        if (next_sum < sum) {
            for (int k = 0; k < model->parameters; k++)
                parameters[k] = next[k];
            *damping = fmaxl(*damping / 8, 1e-15L);
            return next_sum;
        }
    }
    return sum;
}

void grkan_fit_least_squares(const fit_model *model, long double *parameters)
{
    long double damping = 1e-3L, sum = sum_of_squares(model, parameters), before;
    int steps = 0;
    do {
        before = sum;
        sum = improve(model, parameters, sum, &damping);
    } while (before - sum > LEAST_GAIN * before && ++steps < MAX_STEPS);
}
