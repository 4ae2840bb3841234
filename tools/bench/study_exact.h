/* SPDX-License-Identifier: Apache-2.0 */
/** @file study_exact.h @brief Random tensors on the host, and the exact gradients of the coefficients over them. */
#ifndef GRKAN_STUDY_EXACT_H
#define GRKAN_STUDY_EXACT_H

#include "check/data.h"

enum { STUDY_TABLES = 2 }; /* numerator, denominator */

/** The layer of a study on the host: one numerator for all groups, inner = 1. */
typedef struct study_layer {
    check_case one;             /**< of which only the operation counts */
    check_data data;            /**< the inputs */
    oracle_function *functions; /**< of each group */
} study_layer;

/** A gradient, and beside each of its numbers the sum of the absolute values of what it is the sum of. */
typedef struct study_gradient {
    int64_t count;
    long double *value;
    long double *size;
} study_gradient;

/** Take memory for x and dy, and set the coefficients: KAT's table for swish, varied a little by group. */
void study_layer_create(const grkan_operation *operation, study_layer *layer);

void study_layer_free(study_layer *layer);

/** Fill x and dy with nearly normal numbers that follow from seed alone, on all cores. */
void study_layer_fill(study_layer *layer, uint64_t seed);

/** Room for the gradient of one of the tables: CHECK_GRADIENT + k. Free value and size. */
study_gradient study_gradient_create(const study_layer *layer, check_tensor tensor);

/** The gradients of both tables in long double, whose own rounding is 2^-40 of those of f32, on all cores. */
void study_exact(const study_layer *layer, study_gradient gradients[STUDY_TABLES]);

#endif
