/* SPDX-License-Identifier: Apache-2.0 */
/** @file search.h @brief The search for coefficients, what it goes by, and how they are judged. Private to core/fit. */
#ifndef GRKAN_FIT_SEARCH_H
#define GRKAN_FIT_SEARCH_H

#include "model.h"

/** Samples in the range and outside of it. */
typedef struct fit_ground {
    fit_samples samples;
    fit_outside outside;
} fit_ground;

/** The range that samples span, and their largest |y|. */
typedef struct fit_range {
    long double low, high, half_width; /* half_width is never 0 */
    long double largest_y;
} fit_range;

fit_range grkan_fit_range_of(const fit_samples *samples);

/**
 * Sample both sides of the range, count times each, and say how far F may be off there: by as much as the function
 * is steep outside, or would be if it rose from 0 to its largest value over half of the range.
 * @param function  NULL for points
 * @param outside   out; what it has been given is the caller's to free, on failure too
 */
grkan_status grkan_fit_sample_outside(const fit_samples *samples, fit_function function, size_t count,
                                      fit_outside *outside);

/** Fill in result->f64 and result->f32, the largest errors of its coefficients at the samples. */
void grkan_fit_measure(const grkan_fit_problem *problem, const fit_samples *samples, grkan_fit_result *result);

/** Whether F, of coefficients as they are stored, stays where it shall outside; the slope times steepness. */
bool grkan_fit_stays(const grkan_fit_problem *problem, const fit_outside *outside, long double steepness,
                     const grkan_fit_result *result);

/**
 * Find coefficients.
 * @param coarse  to fit
 * @param fine    to judge by
 * @param result  untouched on failure
 */
grkan_status grkan_fit_search(const grkan_fit_problem *problem, const fit_ground *coarse, const fit_ground *fine,
                              grkan_fit_result *result);

#endif
