/* SPDX-License-Identifier: Apache-2.0 */
/** @file model.c @brief The rational function of a fit: values, derivatives, and the way back to powers of x. */
#include "model.h"

#include <math.h>

bool grkan_fit_is_bounded(const fit_model *model, int parameter)
{
    return model->form == GRKAN_ABS_TERMS && parameter >= model->numerator_count;
}

/** T_0(u) to T_(count-1)(u), times factor. */
static void chebyshev(long double u, long double factor, int count, long double *values)
{
    for (int k = 0; k < count; k++)
        values[k] = k == 0 ? factor : k == 1 ? u * factor : 2 * u * values[k - 1] - values[k - 2];
}

/** What the parameters are multiplied with, in P and B, times factor. */
static void fill_basis(const fit_model *model, long double x, long double factor, long double *basis)
{
    const long double u = (x - model->middle) / model->half_width, t = x / model->x_scale;
    const int first = model->numerator_count, count = model->parameters - first;
    chebyshev(u, factor, first, basis);
    if (model->form != GRKAN_ABS_TERMS)
        chebyshev(u, model->form == GRKAN_ABS_SUM_OFFSET ? factor : t * factor, count, basis + first);
    else
        for (int k = 0; k < count; k++)
            basis[first + k] = fabsl(t) * (k ? basis[first + k - 1] : factor);
}

/** P, Q and derivatives at an x, all times factor. Q's derivatives are those of the side of 0 that B is on. */
typedef struct fraction {
    long double p, q;
    long double basis[FIT_PARAMETERS];
} fraction;

static fraction fraction_at(const fit_model *model, const long double *parameters, long double x, long double factor)
{
    fraction f = {0};
    fill_basis(model, x, factor, f.basis);
    for (int k = 0; k < model->parameters; k++)
        *(k < model->numerator_count ? &f.p : &f.q) += parameters[k] * f.basis[k];
    if (model->has_bars && f.q < 0) {
        f.q = -f.q;
        for (int k = model->numerator_count; k < model->parameters; k++)
            f.basis[k] = -f.basis[k];
    }
    if (model->has_square) {
        const long double b = f.q / factor;
        f.q *= b;
        for (int k = model->numerator_count; k < model->parameters; k++)
            f.basis[k] *= 2 * b;
    }
    f.q += (model->form == GRKAN_ABS_SUM_OFFSET ? 0.1L : 1) * factor;
    return f;
}

bool grkan_fit_evaluate(const fit_model *model, const long double *parameters, size_t sample, fit_term *residual)
{
    const fraction at = fraction_at(model, parameters, model->samples.x[sample], 1);
    const long double f = at.p / at.q;
    residual->value = f - model->samples.y[sample] / model->y_scale;
    for (int k = 0; k < model->parameters; k++)
        residual->gradient[k] = at.basis[k] / at.q * (k < model->numerator_count ? 1 : -f);
    return at.q >= FIT_LEAST_Q;
}

/* -------------------------------------------------------------------------------------------------------- limits */

/** The part of the room outside that steps leave to what is between the samples. */
#define SPARE 0.05L

/** A violation that is nothing but rounding errors. */
#define ROUNDING 1e-12L

size_t grkan_fit_limit_count(const fit_model *model)
{
    return (model->least_q > 0 ? model->samples.count + model->outside.count : 0) + 2 * model->outside.count;
}

/** By multiplications alone: powl's last digits are each C library's own, and a search may end elsewhere for them. */
static long double power(long double x, int exponent)
{
    long double product = 1;
    for (int i = 0; i < exponent; i++)
        product *= x;
    return product;
}

/** A power of the distance from the middle that keeps P and Q outside in the range of numbers. */
static long double factor_outside(const fit_model *model, size_t sample)
{
    const int first = model->numerator_count, n = (model->parameters - first) * (model->has_square ? 2 : 1);
    const long double u = fabsl((model->outside.x[sample] - model->middle) / model->half_width);
    return 1 / power(u, first > n + 1 ? first : n + 1);
}

/** What Q has above its least value. */
static fit_term excess(const fit_model *model, const long double *parameters, long double x, long double factor)
{
    const fraction at = fraction_at(model, parameters, x, factor);
    fit_term limit = {.value = at.q - model->least_q * factor};
    for (int k = model->numerator_count; k < model->parameters; k++)
        limit.gradient[k] = at.basis[k];
    return limit;
}

/** What is left of a part of the room above F (side 1) or below it (-1), (room + side y) Q - side P, over room Q. */
static fit_term room_outside(const fit_model *model, const long double *parameters, size_t sample, long double side,
                             long double part)
{
    const fit_outside *outside = &model->outside;
    const long double factor = factor_outside(model, sample);
    const fraction at = fraction_at(model, parameters, outside->x[sample], factor);
    const long double room = part * (outside->height + outside->slope * outside->distance[sample]) / model->y_scale;
    const long double bound = room + side * outside->y[sample] / model->y_scale;
    const long double unit = room > 0 ? room * fmaxl(at.q, factor) : factor;
    fit_term limit = {.value = (bound * at.q - side * at.p) / unit};
    for (int k = 0; k < model->parameters; k++)
        limit.gradient[k] = at.basis[k] * (k < model->numerator_count ? -side : bound) / unit;
    return limit;
}

void grkan_fit_limits(const fit_model *model, const long double *parameters, fit_term *limits)
{
    const bool has_least = model->least_q > 0;
    for (size_t i = 0; has_least && i < model->samples.count; i++)
        *limits++ = excess(model, parameters, model->samples.x[i], 1);
    for (size_t i = 0; has_least && i < model->outside.count; i++)
        *limits++ = excess(model, parameters, model->outside.x[i], factor_outside(model, i));
    for (size_t i = 0; i < model->outside.count; i++) {
        *limits++ = room_outside(model, parameters, i, 1, 1 - SPARE);
        *limits++ = room_outside(model, parameters, i, -1, 1 - SPARE);
    }
}

long double grkan_fit_largest(const fit_model *model, const long double *parameters)
{
    long double largest = 0;
    fit_term residual;
    for (size_t i = 0; i < model->samples.count; i++) {
        if (!grkan_fit_evaluate(model, parameters, i, &residual))
            return INFINITY;
        largest = fmaxl(largest, fabsl(residual.value));
    }
    return largest;
}

static bool stays(const fit_model *model, const long double *parameters)
{
    for (size_t i = 0; i < model->outside.count; i++)
        for (int side = -1; side <= 1; side += 2)
            if (!(room_outside(model, parameters, i, side, 1).value >= -ROUNDING))
                return false;
    return true;
}

long double grkan_fit_error_within(const fit_model *model, const long double *parameters)
{
    return stays(model, parameters) ? grkan_fit_largest(model, parameters) : INFINITY;
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
        result->numerator[i] = i < first ? (double)(a[i] * model->y_scale / power(model->x_scale, i)) : 0;
        result->denominator[i] = i < count ? (double)(b[i] / power(model->x_scale, i + lowest)) : 0;
    }
}
