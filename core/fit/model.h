/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file model.h
 * @brief A rational function over well-conditioned bases, and what the steps of a fit share. Private to core/fit.
 *
 * Powers of x are nearly dependent over a range, so a fit does not see the coefficients of the operation. With
 * t = x / s, s the largest |x|, and T_k(u) Chebyshev's polynomials over the range, mapped to u in [-1, 1]:
 *
 *     P = sum_k p_k T_k(u)                                 B = sum_k p_k |t|^k, k >= 1, p_k >= 0    (abs_terms)
 *     Q = 0.1 + |B| (abs_sum_offset), else 1 + |B|         B = t sum_k p_k T_k(u)          (abs_sum, plain, square)
 *         or 1 + B (abs_terms, plain) or 1 + B^2 (square)  B = sum_k p_k T_k(u)            (abs_sum_offset)
 *
 * The parameters p are those of P and then those of B. Values are scaled to a largest of 1.
 */
#ifndef GRKAN_FIT_MODEL_H
#define GRKAN_FIT_MODEL_H

#include <grkan/fit.h>

#include "../internal.h"

/** Parameters of a fit, at most. */
#define FIT_PARAMETERS (2 * GRKAN_MAX_COEFFICIENTS)

typedef long double (*fit_function)(long double x);

/** The function of a name; the error's text names the argument. */
grkan_status grkan_function_find(const char *argument, const char *name, fit_function *function);

/** Where F is compared with what it shall be. */
typedef struct fit_samples {
    size_t count;
    long double *x, *y;
} fit_samples;

/**
 * Where F is kept from growing: outside the range |F(x) - y| is at most height + slope * distance from the range. y is
 * the function, or 0 for points. F = 0 is within that, and for forms without bars the set of all F that are is convex.
 */
typedef struct fit_outside {
    size_t count; /* 0: F may grow as it likes */
    long double *x, *y, *distance;
    long double height; /* the largest |y| in the range */
    long double slope;
} fit_outside;

typedef struct fit_model {
    grkan_form form;
    bool has_bars;       /**< |B|. Without bars and squares the functions within a given error are convex. */
    bool has_square;     /**< B^2 */
    long double least_q; /**< that steps keep to; 0: the form sees to it */
    int numerator_count, parameters;
    long double middle, half_width; /* of the range */
    long double x_scale, y_scale;
    fit_samples samples;
    fit_outside outside;
} fit_model;

/** F - y at one sample, or something that shall not be negative, and its derivatives by the parameters. */
typedef struct fit_term {
    long double value;
    long double gradient[FIT_PARAMETERS];
} fit_term;

/** Whether a parameter may not be negative. */
bool grkan_fit_is_bounded(const fit_model *model, int parameter);

/** Q's least value. A smaller one would be next to a pole, and F would lose digits in f32. */
#define FIT_LEAST_Q 0x1p-6L

/** @return false where Q is too small */
bool grkan_fit_evaluate(const fit_model *model, const long double *parameters, size_t sample, fit_term *residual);

/** How many things shall not be negative: what Q has above its least value, and the room for F outside. */
size_t grkan_fit_limit_count(const fit_model *model);

/** Them. @param limits  out, [grkan_fit_limit_count] */
void grkan_fit_limits(const fit_model *model, const long double *parameters, fit_term *limits);

/** The largest |F - y|; infinite with a pole. */
long double grkan_fit_largest(const fit_model *model, const long double *parameters);

/** The same; infinite too if F does not stay where it shall outside. */
long double grkan_fit_error_within(const fit_model *model, const long double *parameters);

/** The coefficients of the operation. */
void grkan_fit_convert(const fit_model *model, const long double *parameters, grkan_fit_result *result);

/** Improve parameters in the sense of least squares (Levenberg and Marquardt). */
void grkan_fit_least_squares(const fit_model *model, long double *parameters);

/**
 * Make the largest error as small as it gets, within the limits.
 * @return it; infinite if nothing within the limits was found; -1 without memory
 */
long double grkan_fit_minimax(const fit_model *model, long double *parameters);

/**
 * A linear program: |value + gradient . step| <= t at all residuals, lower <= step <= upper, t least; and
 * value + gradient . step >= 0 at all limits.
 */
typedef struct fit_program {
    size_t residual_count, limit_count;
    const fit_term *residuals, *limits;
    int parameters;
    long double lower[FIT_PARAMETERS], upper[FIT_PARAMETERS];
} fit_program;

/** Solve it. @return t */
long double grkan_fit_solve(const fit_program *program, long double step[FIT_PARAMETERS]);

#endif
