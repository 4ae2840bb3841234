/* SPDX-License-Identifier: Apache-2.0 */
/** @file search.h @brief The search for coefficients, and how they are judged. Private to core/fit. */
#ifndef GRKAN_FIT_SEARCH_H
#define GRKAN_FIT_SEARCH_H

#include "model.h"

/** Fill in result->f64 and result->f32, the largest errors of its coefficients at the samples. */
void grkan_fit_measure(const grkan_fit_problem *problem, const fit_samples *samples, grkan_fit_result *result);

/**
 * Find coefficients.
 * @param coarse  samples to fit
 * @param fine    samples to judge by
 * @param result  untouched on failure
 */
grkan_status grkan_fit_search(const grkan_fit_problem *problem, const fit_samples *coarse, const fit_samples *fine,
                              grkan_fit_result *result);

#endif
