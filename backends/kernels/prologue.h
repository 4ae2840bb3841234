/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file prologue.h
 * @brief What stands before a family's function: z = prologue(x), and what that adds to derivatives.
 *
 *     bias          z = x + bias
 *     layer_norm    xhat = (x - mean) rstd     z = xhat scale + shift
 *     rms_norm      xhat = x rstd              z = xhat scale + shift
 *
 * mean and rstd are a row's, bias, scale and shift a channel's. Each operation is rounded as written, so these functions
 * fix the bits of every backend; which sums mean and rstd come from says row_reduction.h.
 */
#ifndef GRKAN_PROLOGUE_H
#define GRKAN_PROLOGUE_H

#include "words.h"

/** Which prologue; constants once a kernel is specialised. */
typedef struct prologue {
    int kind;      /* PROLOGUE_... */
    int has_scale; /* of the norms */
    int has_shift; /* of the norms, and 1 for a bias */
} prologue;

DEVICE prologue prologue_from(int kind, int has_scale, int has_shift)
{
    prologue p;
    p.kind = kind;
    p.has_scale = has_scale;
    p.has_shift = has_shift;
    return p;
}

#ifdef GRKAN_PARAMETER_0 /* specialised kernels; macros, as #if needs them */
#ifdef GRKAN_PROLOGUE
#define HAS_PROLOGUE 1
#define HAS_MEAN (GRKAN_PROLOGUE == PROLOGUE_LAYER_NORM)
#define HAS_NORM (GRKAN_PROLOGUE != PROLOGUE_BIAS)
#else
#define HAS_PROLOGUE 0
#define HAS_MEAN 0
#define HAS_NORM 0
#endif
#if HAS_NORM
#define HAS_SCALE GRKAN_HAS_SCALE
#define HAS_SHIFT GRKAN_HAS_SHIFT
#define PROLOGUE_TABLES 2
#else
#define HAS_SCALE 0
#define HAS_SHIFT HAS_PROLOGUE
#define PROLOGUE_TABLES HAS_PROLOGUE
#endif

/** Of a prologue's tables, the place of each among them. */
#define SCALE_TABLE 0
#define SHIFT_TABLE (HAS_NORM ? 1 : 0)

#if HAS_PROLOGUE
DEVICE prologue the_prologue(void)
{
    return prologue_from(GRKAN_PROLOGUE, HAS_SCALE, HAS_SHIFT);
}
#endif

#if HAS_NORM
#ifndef GRKAN_EPSILON_HIGH /* bits of f64 */
#define GRKAN_EPSILON_HIGH 0
#endif
DEVICE scalar the_epsilon(void)
{
#ifdef DOUBLE_OF
    return DOUBLE_OF((unsigned int)(GRKAN_EPSILON_LOW), (unsigned int)(GRKAN_EPSILON_HIGH));
#else
    return FLOAT_OF((unsigned int)(GRKAN_EPSILON_LOW));
#endif
}
#endif
#endif

/** What a channel's elements need. */
typedef struct channel {
    real scale; /* any where there is none */
    real shift; /* or the bias */
} channel;

/** What a row's elements need: of the norms alone. */
typedef struct row_statistics {
    real mean; /* of layer_norm */
    real rstd;
} row_statistics;

/** x - mean, where there is one: what rstd is computed from, too. */
DEVICE real centred(prologue p, row_statistics row, real x)
{
    return p.kind == PROLOGUE_LAYER_NORM ? x - row.mean : x;
}

/** What sums over a row's channels are divided by, or, where bits are not everybody's, multiplied with. */
DEVICE scalar divisor_of(scalar channels)
{
#if GRKAN_IEEE
    return channels;
#else
    return RECIPROCAL(channels);
#endif
}

DEVICE scalar quotient_by(scalar sum, scalar divisor)
{
#if GRKAN_IEEE
    return DIVIDE(sum, divisor);
#else
    return sum * divisor;
#endif
}

/** A mean over a row's channels. The sum of zeros is +0, whatever their signs, and however many are behind the row's end. */
DEVICE scalar mean_of(scalar sum, scalar divisor)
{
    return quotient_by(sum + (scalar)0, divisor);
}

/** rstd, from the sum of the squares of a row's centred elements. */
DEVICE scalar rstd_of(scalar squares, scalar divisor, scalar epsilon)
{
    return RECIPROCAL_ROOT(quotient_by(squares, divisor) + epsilon);
}

/** xhat of the norms; x itself else. */
DEVICE real normalised(prologue p, row_statistics row, real x)
{
    return p.kind == PROLOGUE_NONE || p.kind == PROLOGUE_BIAS ? x : centred(p, row, x) * row.rstd;
}

/** z. @param xhat of `normalised` */
DEVICE real argument_of(prologue p, channel c, real xhat)
{
    if (p.has_scale)
        return p.has_shift ? FMA(xhat, c.scale, c.shift) : xhat * c.scale;
    return p.has_shift ? xhat + c.shift : xhat;
}

/** The gradient of xhat, from that of z. */
DEVICE real gradient_of_xhat(prologue p, channel c, real dz)
{
    return p.has_scale ? dz * c.scale : dz;
}

/**
 * dx of the norms, from the gradient of xhat.
 * @param mean of the gradients of a row's xhat
 * @param product the mean of these times xhat
 */
DEVICE real gradient_of_x(prologue p, row_statistics row, real xhat, real gradient, real mean, real product)
{
    return row.rstd * FMA(-xhat, product, p.kind == PROLOGUE_LAYER_NORM ? gradient - mean : gradient);
}

#endif
