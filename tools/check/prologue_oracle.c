/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file prologue_oracle.c
 * @brief Norms and the bias in long double, and the bound on a device's error.
 *
 * How the bounds come about. u is the unit roundoff of the device's arithmetic, C the channels, and A = ceil(log2 C) the additions
 * that follow one another in a sum over a row, which is a tree. A fast division is good to 2.5 ulp, a fast square root to 3 (OpenCL 1.2,
 * 7.4): 5 u and 6 u; a correct one to u. Each operation's own rounding is u times its result.
 *
 *   mean    (A + 5) u mean|x|: the additions, each u of a partial sum of absolute values, and the division
 *   d       x - mean: the error e of the mean, which is that of all elements of the row, and a rounding of its own, u (|d| + e)
 *   mean d^2  The common error adds e^2 alone, since the sum of all x - mean is 0: that is why a mean far beyond the spread
 *           does no harm in two passes. Own roundings r of d count as 2 |d| r + 2 e r + r^2; then u for each square,
 *           A u for the additions, 5 u for the division
 *   rstd    between 1 / sqrt(v + error) and 1 / sqrt(v - error), v = mean d^2 + epsilon (a rounding for epsilon, one for the sum),
 *           and 11 u for root and division. Where v - error <= 0, nothing can be said of the row
 *   xhat    d rstd: both errors, and u
 *   z       xhat scale + shift: the error of xhat times scale; u of the product, which is not there if it is fused, and of the sum
 *   dx      g = dz scale: that of dz times scale, and u. The means of g and of g xhat: those of their terms, (A + 5) u of the
 *           means of absolute values, u for a product. rstd (g - m1 - xhat m2): each operation's u, and its operands' errors
 *
 * Sums have an error of the oracle's own, C 2^-63, which counts beside u = 2^-53. Every underflow may lose `tiny`.
 */
#include "prologue_oracle.h"

#include <float.h>
#include <math.h>
#include <stdbool.h>

enum { DIVISION = 5, ROOT = 6 }; /* units that they may be off by */

static const oracle_number open_number = {0, INFINITY};
static const oracle_number nan_number = {NAN, 0};

static bool is_nan(oracle_number a)
{
    return isnan(a.value) && a.error == 0;
}

static bool is_plain(oracle_number a)
{
    return isfinite(a.value) && isfinite(a.error);
}

/** What an operation gives whose operands are not both plain: NaN of a NaN, else not finite or unknown. */
static oracle_number beyond(oracle_number a, oracle_number b)
{
    if (is_nan(a) || is_nan(b))
        return nan_number;
    return isinf(a.value) || isinf(b.value) ? (oracle_number){INFINITY, INFINITY} : open_number;
}

/** A number after an operation that rounds by `roundings`. */
static oracle_number rounded(oracle_number a, long double roundings)
{
    return (oracle_number){a.value, a.error + roundings * (fabsl(a.value) + a.error)};
}

static oracle_number exact(long double value)
{
    return isnan(value) ? nan_number : (oracle_number){value, isinf(value) ? INFINITY : 0};
}

static oracle_number sum_of(oracle_number a, oracle_number b, long double unit)
{
    if (!is_plain(a) || !is_plain(b))
        return beyond(a, b);
    return rounded((oracle_number){a.value + b.value, a.error + b.error}, unit);
}

static oracle_number product_of(oracle_number a, oracle_number b, long double unit, long double tiny)
{
    if (!is_plain(a) || !is_plain(b))
        return beyond(a, b);
    const long double error = fabsl(a.value) * b.error + fabsl(b.value) * a.error + a.error * b.error;
    const oracle_number made = rounded((oracle_number){a.value * b.value, error}, unit);
    return (oracle_number){made.value, made.error + tiny};
}

/** Additions that follow one another, in units, and what the oracle's own lose. */
static long double row_roundings(const oracle_norm *norm)
{
    int additions = 0;
    while (additions < 62 && (INT64_C(1) << additions) < norm->channels)
        additions++;
    return (long double)additions * norm->unit + (long double)norm->channels * LDBL_EPSILON;
}

/** A mean over the channels: of terms whose sum, sum of absolute values and sum of errors are given. */
static oracle_number mean_of(const oracle_norm *norm, long double sum, long double size, long double errors)
{
    const long double channels = (long double)norm->channels;
    const long double error = errors + (row_roundings(norm) + DIVISION * norm->unit) * (size + errors);
    return (oracle_number){sum / channels, error / channels + norm->tiny};
}

/* -------------------------------------------------------------------------------------------------------- forward */

static oracle_number mean_of_row(const oracle_norm *norm, const long double *x)
{
    long double sum = 0, size = 0;
    for (int64_t c = 0; c < norm->channels; c++) {
        sum += x[c];
        size += fabsl(x[c]);
    }
    return mean_of(norm, sum, size, 0);
}

/** The mean of d^2, all of whose d share the error of the mean. */
static oracle_number mean_square(const oracle_norm *norm, const long double *x, oracle_number mean)
{
    const long double own = norm->kind == GRKAN_PROLOGUE_LAYER_NORM ? norm->unit : 0; /* x - 0 is exact */
    const long double e = mean.error;
    long double sum = 0, errors = (long double)norm->channels * e * e;
    for (int64_t c = 0; c < norm->channels; c++) {
        const long double d = x[c] - mean.value, r = own * (fabsl(d) + e);
        sum += d * d;
        errors += 2 * (fabsl(d) + e) * r + r * r;
    }
    errors += norm->unit * (sum + errors); /* of the squares */
    return mean_of(norm, sum, sum, errors);
}

static oracle_number inverse_root(oracle_number v, long double unit)
{
    if (!(v.value > v.error))
        return open_number;
    const long double value = 1 / sqrtl(v.value);
    const long double low = 1 / sqrtl(v.value + v.error), high = 1 / sqrtl(v.value - v.error);
    return rounded((oracle_number){value, fmaxl(high - value, value - low)}, (ROOT + DIVISION) * unit);
}

oracle_statistics oracle_statistics_of(const oracle_norm *norm, const long double *x)
{
    oracle_statistics s = {{0, 0}, {0, 0}};
    bool is_finite = true;
    for (int64_t c = 0; c < norm->channels; c++) {
        if (isnan(x[c]))
            return (oracle_statistics){nan_number, nan_number};
        is_finite = is_finite && isfinite(x[c]);
    }
    if (!is_finite)
        return (oracle_statistics){open_number, open_number};
    if (norm->kind == GRKAN_PROLOGUE_LAYER_NORM)
        s.mean = mean_of_row(norm, x);
    const oracle_number square = mean_square(norm, x, s.mean);
    const oracle_number epsilon = {norm->epsilon, norm->unit * norm->epsilon}; /* rounded to the device's arithmetic */
    s.rstd = inverse_root(sum_of(square, epsilon, norm->unit), norm->unit);
    return s;
}

oracle_number oracle_standardised(const oracle_norm *norm, const oracle_statistics *s, long double x)
{
    const oracle_number minus_mean = {-s->mean.value, s->mean.error};
    const oracle_number d =
        norm->kind == GRKAN_PROLOGUE_LAYER_NORM ? sum_of(exact(x), minus_mean, norm->unit) : exact(x);
    return product_of(d, s->rstd, norm->unit, norm->tiny);
}

oracle_number oracle_scaled(const oracle_norm *norm, oracle_number xhat, int64_t channel)
{
    oracle_number z = xhat;
    if (norm->scale != NULL)
        z = product_of(z, exact(norm->scale[channel]), norm->unit, norm->tiny);
    return norm->shift != NULL ? sum_of(z, exact(norm->shift[channel]), norm->unit) : z;
}

oracle_number oracle_biased(long double x, long double bias, long double unit)
{
    if (!isfinite(x))
        return (oracle_number){x, 0};
    return sum_of(exact(x), exact(bias), unit);
}

/* ------------------------------------------------------------------------------------------------------- backward */

oracle_number oracle_scale_share(const oracle_norm *norm, oracle_number xhat, oracle_number dz)
{
    return product_of(xhat, dz, norm->unit, norm->tiny);
}

/** dz scale. */
static oracle_number scaled_gradient(const oracle_norm *norm, oracle_number dz, int64_t channel)
{
    return norm->scale == NULL ? dz : product_of(dz, exact(norm->scale[channel]), norm->unit, norm->tiny);
}

void oracle_norm_gradient(const oracle_norm *norm, const oracle_statistics *s, const oracle_number *xhat,
                          const oracle_number *dz, oracle_number *dx)
{
    const long double unit = norm->unit, tiny = norm->tiny;
    long double sums[2] = {0, 0}, sizes[2] = {0, 0}, errors[2] = {0, 0};
    oracle_number all = {0, 0}; /* what one element that is not plain makes of all */
    for (int64_t c = 0; c < norm->channels; c++) {
        const oracle_number g = scaled_gradient(norm, dz[c], c);
        const oracle_number terms[2] = {g, product_of(g, xhat[c], unit, tiny)};
        for (int k = 0; k < 2; k++) {
            sums[k] += terms[k].value;
            sizes[k] += fabsl(terms[k].value);
            errors[k] += terms[k].error;
        }
        if (!is_plain(terms[1]))
            all = is_plain(all) ? terms[1] : beyond(all, terms[1]);
    }
    const oracle_number m1 = mean_of(norm, sums[0], sizes[0], errors[0]);
    const oracle_number m2 = mean_of(norm, sums[1], sizes[1], errors[1]);
    for (int64_t c = 0; c < norm->channels; c++) {
        const oracle_number centred =
            norm->kind == GRKAN_PROLOGUE_LAYER_NORM
                ? sum_of(scaled_gradient(norm, dz[c], c), (oracle_number){-m1.value, m1.error}, unit)
                : scaled_gradient(norm, dz[c], c);
        const oracle_number along = product_of((oracle_number){-xhat[c].value, xhat[c].error}, m2, unit, tiny);
        dx[c] = is_plain(all) ? product_of(s->rstd, sum_of(centred, along, unit), unit, tiny) : all;
    }
}
