/* SPDX-License-Identifier: Apache-2.0 */
/** @file model.c @brief The rational function of a fit: values, derivatives, and the way back to powers of x. */
#include "model.h"

#include <math.h>

bool grkan_fit_is_bounded(const fit_model *model, int parameter)
{
    return model->form == GRKAN_ABS_TERMS && parameter >= model->numerator_count;
}

bool grkan_fit_may_have_poles(const fit_model *model)
{
    return model->form != GRKAN_ABS_TERMS && !model->has_bars;
}

/** T_0(u) to T_(count-1)(u), times factor. */
static void chebyshev(long double u, long double factor, int count, long double *values)
{
    for (int k = 0; k < count; k++)
        values[k] = k == 0 ? factor : k == 1 ? u * factor : 2 * u * values[k - 1] - values[k - 2];
}

/** What the parameters are multiplied with, in P and B. */
static void fill_basis(const fit_model *model, long double x, long double *basis)
{
    const long double u = (x - model->middle) / model->half_width, t = x / model->x_scale;
    const int first = model->numerator_count, count = model->parameters - first;
    chebyshev(u, 1, first, basis);
    if (model->form != GRKAN_ABS_TERMS)
        chebyshev(u, model->form == GRKAN_ABS_SUM_OFFSET ? 1 : t, count, basis + first);
    else
        for (int k = 0; k < count; k++)
            basis[first + k] = fabsl(t) * (k ? basis[first + k - 1] : 1);
}

bool grkan_fit_evaluate(const fit_model *model, const long double *parameters, size_t sample, fit_residual *residual)
{
    long double basis[FIT_PARAMETERS], p = 0, b = 0;
    fill_basis(model, model->samples.x[sample], basis);
    for (int k = 0; k < model->parameters; k++)
        *(k < model->numerator_count ? &p : &b) += parameters[k] * basis[k];
    const long double direction = model->has_bars && b < 0 ? -1 : 1;
    const long double q = (model->form == GRKAN_ABS_SUM_OFFSET ? 0.1L : 1) + direction * b, f = p / q;
    residual->value = f - model->samples.y[sample] / model->y_scale;
    for (int k = 0; k < model->parameters; k++)
        residual->gradient[k] = basis[k] / q * (k < model->numerator_count ? 1 : -f * direction);
    residual->q = q;
    for (int k = model->numerator_count; k < model->parameters; k++)
        residual->q_gradient[k - model->numerator_count] = basis[k];
    return q >= FIT_LEAST_Q;
}

long double grkan_fit_largest(const fit_model *model, const long double *parameters)
{
    long double largest = 0;
    fit_residual residual;
    for (size_t i = 0; i < model->samples.count; i++) {
        if (!grkan_fit_evaluate(model, parameters, i, &residual))
            return INFINITY;
        largest = fmaxl(largest, fabsl(residual.value));
    }
    return largest;
}

/** Powers of t of sum_k c_k T_k(slope t + start). */
static void to_powers(long double slope, long double start, int count, const long double *c, long double *powers)
{
    long double before[GRKAN_MAX_COEFFICIENTS] = {0}, now[GRKAN_MAX_COEFFICIENTS] = {1};
    for (int i = 0; i < count; i++)
        powers[i] = 0;
    for (int k = 0; k < count; k++) {
        for (int i = 0; i <= k; i++)
            powers[i] += c[k] * now[i];
        const long double factor = k ? 2 : 1; /* T_1 = u, T_(k+1) = 2 u T_k - T_(k-1) */
        for (int i = k + 1; i >= 0 && k + 1 < count; i--) {
            const long double next = factor * (start * now[i] + (i ? slope * now[i - 1] : 0)) - before[i];
            before[i] = now[i];
            now[i] = next;
        }
    }
}

void grkan_fit_convert(const fit_model *model, const long double *parameters, grkan_fit_result *result)
{
    const long double slope = model->x_scale / model->half_width, start = -model->middle / model->half_width;
    const int first = model->numerator_count, count = model->parameters - first;
    long double a[GRKAN_MAX_COEFFICIENTS], b[GRKAN_MAX_COEFFICIENTS];
    to_powers(slope, start, first, parameters, a);
    if (model->form != GRKAN_ABS_TERMS)
        to_powers(slope, start, count, parameters + first, b);
    else
        for (int k = 0; k < count; k++)
            b[k] = parameters[first + k];
    const int lowest = model->form == GRKAN_ABS_SUM_OFFSET ? 0 : 1;
    for (int i = 0; i < GRKAN_MAX_COEFFICIENTS; i++) {
        result->numerator[i] = i < first ? (double)(a[i] * model->y_scale / powl(model->x_scale, i)) : 0;
        result->denominator[i] = i < count ? (double)(b[i] / powl(model->x_scale, i + lowest)) : 0;
    }
}
