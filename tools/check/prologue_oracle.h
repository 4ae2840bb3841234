/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file prologue_oracle.h
 * @brief What prologues should give, in long double and straight from the formulas, with a bound on a device's error.
 *
 * As oracle.h, of what stands before F: z = prologue(x), and dx from dz.
 */
#ifndef GRKAN_CHECK_PROLOGUE_ORACLE_H
#define GRKAN_CHECK_PROLOGUE_ORACLE_H

#include "oracle.h"

/** A norm over the channels of a row. */
typedef struct oracle_norm {
    grkan_prologue kind; /**< GRKAN_PROLOGUE_LAYER_NORM or _RMS_NORM */
    long double epsilon;
    int64_t channels;
    const long double *scale, *shift; /**< [channels]; NULL: there is none */
    long double unit, tiny;           /**< as oracle_function has them */
} oracle_norm;

/** Of a row. For rms_norm, mean is 0. */
typedef struct oracle_statistics {
    oracle_number mean, rstd;
} oracle_statistics;

/** What forward finds of a row x, [channels]. A NaN in it makes both NaN; of an infinity nothing is said. */
oracle_statistics oracle_statistics_of(const oracle_norm *norm, const long double *x);

/** (x - mean) rstd of one element. Statistics that are read, not computed, have no error. */
oracle_number oracle_standardised(const oracle_norm *norm, const oracle_statistics *statistics, long double x);

/** z of one element: xhat scale + shift. */
oracle_number oracle_scaled(const oracle_norm *norm, oracle_number xhat, int64_t channel);

/** What an element adds to the gradient of its channel's scale. That of its shift is dz itself. */
oracle_number oracle_scale_share(const oracle_norm *norm, oracle_number xhat, oracle_number dz);

/**
 * Backward of a row. A NaN in dz makes all of dx NaN, an infinity all of it infinite or NaN.
 * @param xhat, dz [channels]
 * @param dx       out, [channels]; may be dz
 */
void oracle_norm_gradient(const oracle_norm *norm, const oracle_statistics *statistics, const oracle_number *xhat,
                          const oracle_number *dz, oracle_number *dx);

/** z = x + bias. */
oracle_number oracle_biased(long double x, long double bias, long double unit);

#endif
