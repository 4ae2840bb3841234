/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file fit.h
 * @brief Coefficients to start from: fits of a rational function to a function or to points, and presets.
 *
 * Everything here runs on the host and needs no device. Errors are reported as grkan.h says.
 */
#ifndef GRKAN_FIT_H
#define GRKAN_FIT_H

#include <grkan/grkan.h>

#ifdef __cplusplus
extern "C" {
#endif

/** Coefficients of a numerator or denominator, at most. */
#define GRKAN_MAX_COEFFICIENTS (GRKAN_MAX_DEGREE + 1)

/* ----------------------------------------------------------------------------------------------------- functions */

/**
 * @return the name of function index: identity, relu, leaky_relu (slope 0.01), leaky_relu_0.1, sigmoid, tanh, swish,
 *         gelu (the exact one, by erf), mish, softplus or sin; NULL from the end on, and below 0.
 */
GRKAN_API const char *grkan_function_name(int index);

/**
 * Evaluate a function that a fit may aim at, at any x: at an infinity it has its limit, sin NaN; of NaN it is NaN.
 * @param function a name that grkan_function_name gives
 * @param y        out, not NULL
 */
GRKAN_API grkan_status grkan_function_value(const char *function, double x, double *y);

/* ---------------------------------------------------------------------------------------------------------- fits */

/** How F = P / Q may grow outside the range. */
typedef enum grkan_growth {
    GRKAN_GROWTH_AUTO = 0,   /**< LINEAR for a function, all of which grow so, if m <= n + 1; else ANY */
    GRKAN_GROWTH_LINEAR = 1, /**< at most linearly, as grkan_fit says, and without a pole; needs m <= n + 1 */
    GRKAN_GROWTH_ANY = 2     /**< whatever gives the least error in the range, as x^2 and faster */
} grkan_growth;

/** @return "auto", "linear" or "any"; NULL for another value */
GRKAN_API const char *grkan_growth_name(grkan_growth growth);

/** What to approximate and with what. */
typedef struct grkan_fit_problem {
    const char *function; /**< a name that grkan_function_name gives; NULL: the points */
    double low, high;     /**< with a function: the range, low < high; the larger of |low|, |high| in 1e-9..1e9 */
    const double *x, *y;  /**< without one: [points] each, in any order, |x| and |y| at most 1e9; else NULL */
    size_t points;        /**< at least as many as coefficients; 0 with a function */
    grkan_form form;
    int numerator_degree;   /**< m, 0..GRKAN_MAX_DEGREE */
    int denominator_degree; /**< n, 0..GRKAN_MAX_DEGREE */
    grkan_dtype dtype;      /**< of the tensors: with GRKAN_F64 the error of the coefficients in f64 is made least, else
                                 that in f32, which the other types take */
    grkan_growth growth;
} grkan_fit_problem;

/** KAT's degrees and form over [-3, 3], in f32. Set function, or x, y and points. The members in their order. */
#define GRKAN_FIT_PROBLEM_INIT {NULL, -3.0, 3.0, NULL, NULL, 0, GRKAN_ABS_TERMS, 5, 4, GRKAN_F32, GRKAN_GROWTH_AUTO}

/** The largest |F(x) - f(x)| over the range (or over the points), and an x where it is reached. */
typedef struct grkan_fit_error {
    double error;
    double x;
} grkan_fit_error;

/** Coefficients as grkan_forward takes them; elements beyond the degrees are 0. */
typedef struct grkan_fit_result {
    double numerator[GRKAN_MAX_COEFFICIENTS];   /**< a0..am */
    double denominator[GRKAN_MAX_COEFFICIENTS]; /**< b1..bn; b0..bn for GRKAN_ABS_SUM_OFFSET */
    grkan_fit_error f64;                        /**< of these coefficients */
    grkan_fit_error f32; /**< of these coefficients rounded to f32, as tensors of f32, f16 and bf16 have them. F itself
                              is evaluated exactly in both; infinite where a coefficient leaves the range of f32. */
} grkan_fit_result;

/**
 * Fit: least squares first, then the largest error is made as small as it gets (minimax, by linear programs). The same
 * problem gives the same coefficients. On one core of an EPYC at 3.2 GHz gelu takes 20 ms at degrees (5, 4) and up to
 * 7 s at (15, 15), where the forms with |sum| take longest; relu takes more than twice as long there, and
 * GRKAN_SQUARE some times as long everywhere.
 *
 * For GRKAN_ABS_TERMS and GRKAN_PLAIN the functions within a given error form a convex set, so there is one best fit,
 * which this finds up to a small part of its error; for the others it is the best of several starts. A fit
 * with GRKAN_PLAIN keeps Q above 1/64 in the range, far from a pole. Degrees beyond about (9, 8) leave nothing to gain
 * for a smooth function; there the error is that of rounding.
 *
 * Outside the range the least error leaves F alone, and it may grow as x^2, or have poles. With GRKAN_GROWTH_LINEAR
 * |F(x) - f(x)| is at most h + s d there: h the largest |f| in the range, d the distance of x from it, and s the larger
 * of f's steepness, (f(x) - f(end of the range)) / d at most, and of h over half of the range's width. Where that
 * costs more than it is worth, three times the error, it is h + 8 s d. For points f is 0 outside. On [-3, 3] at (5, 4)
 * gelu's error is 0.0013 with and without it for GRKAN_ABS_TERMS; without it F(100) is 453, with it 188.
 *
 * Coefficients are of powers of x, so in a range that is narrow beside its distance from 0 they cancel, and what their
 * rounding adds may be more than what a high degree gains. Lower degrees are then tried too, with 0 for the
 * coefficients beyond, and compared by the error of coefficients as they are stored: no fit is worse than the best
 * constant.
 * @param result out, not NULL
 * @return GRKAN_ERROR_INVALID_ARGUMENT or GRKAN_ERROR_OUT_OF_MEMORY, or success
 */
GRKAN_API grkan_status grkan_fit(const grkan_fit_problem *problem, grkan_fit_result *result);

/* ------------------------------------------------------------------------------------------------------- presets */

/** Coefficients that are ready to use. Elements beyond the degrees are 0. */
typedef struct grkan_preset {
    const char *name;     /**< of a fit by grkan: the function's; of a table of KAT: "kat_" and KAT's name */
    const char *function; /**< what it approximates, as grkan_function_name gives it */
    grkan_form form;      /**< that it was fitted for */
    int numerator_degree;
    int denominator_degree;
    double low, high; /**< the range that it was fitted on */
    double numerator[GRKAN_MAX_COEFFICIENTS];
    double denominator[GRKAN_MAX_COEFFICIENTS];
    grkan_fit_error f32; /**< over the range, under its own form, of the coefficients in f32 */
} grkan_preset;

/**
 * @return preset index; NULL from the end on, and below 0. There is one for every function and form, of degrees (5, 4)
 *         on [-3, 3], fitted by grkan_fit so that they grow at most linearly outside; and those that the authors of
 *         KAT publish.
 */
GRKAN_API const grkan_preset *grkan_preset_at(int index);

/**
 * Find a preset by name and form. KAT's tables have one form each, and are found under no other: used under another
 * form they are far off (KAT does so with its gelu, fitted for abs_sum and used under abs_terms; the largest error on
 * [-3, 3] is then 1.46).
 * @param preset out, not NULL; lives as long as the process
 */
GRKAN_API grkan_status grkan_preset_find(const char *name, grkan_form form, const grkan_preset **preset);

#ifdef __cplusplus
}
#endif

#endif
