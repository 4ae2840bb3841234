/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file operations.h
 * @brief How tests write an operation down, so that they name its members here alone; tests of misuse name them, too.
 *
 *     {SHAPE(2500, 96, 1), GROUPS(8, 1, 8), RATIONAL(5, 4, GRKAN_ABS_TERMS), .dtype = GRKAN_F32}
 */
#ifndef OPERATIONS_H
#define OPERATIONS_H

#include <grkan/grkan.h>

#define SHAPE(outer_, channels_, inner_) .outer = outer_, .channels = channels_, .inner = inner_

/** How many groups there are, and how many rows the tables of numerator and denominator have. */
#define GROUPS(count, numerators, denominators)                                                                        \
    .groups = count, .numerator_groups = numerators, .denominator_groups = denominators

#define RATIONAL(m, n, form) .numerator_degree = m, .denominator_degree = n, .denominator = form

/** KAT's layer in f32, but with other groups. The numerator is shared. */
static inline grkan_operation layer_of_groups(int64_t rows, int64_t channels, int64_t groups)
{
    grkan_operation operation = GRKAN_OPERATION_INIT;
    operation.outer = rows;
    operation.channels = channels;
    operation.groups = operation.denominator_groups = groups;
    return operation;
}

/** KAT's layer in f32. */
static inline grkan_operation layer_of(int64_t rows, int64_t channels)
{
    return layer_of_groups(rows, channels, 8);
}

#endif
