/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file operations.h
 * @brief How cases and tests write an operation down, so that they name its members here alone.
 *
 *     {SHAPE(2500, 96, 1), GROUPS(8, SHARED, PER_GROUP), RATIONAL(5, 4, GRKAN_ABS_TERMS), .dtype = GRKAN_F32}
 */
#ifndef OPERATIONS_H
#define OPERATIONS_H

#include <grkan/grkan.h>

#define SHAPE(outer_, channels_, inner_) .outer = outer_, .channels = channels_, .inner = inner_

#define SHARED GRKAN_SCOPE_SHARED
#define PER_GROUP GRKAN_SCOPE_GROUP

/** How many groups there are, and who shares a row of numerator and of denominator. */
#define GROUPS(count, of_numerator, of_denominator)                                                                    \
    .groups = count, .rational.numerator_scope = of_numerator, .rational.denominator_scope = of_denominator

#define RATIONAL(m, n, form_) .rational.numerator_degree = m, .rational.denominator_degree = n, .rational.form = form_

/** Rows of a table of a scope that a rational's tables may have; the operation may be one that is refused. */
static inline int64_t rows_of_scope(const grkan_operation *operation, grkan_scope scope)
{
    return scope == GRKAN_SCOPE_SHARED ? 1 : operation->groups;
}

/** KAT's layer in f32, but with other groups. The numerator is shared. */
static inline grkan_operation layer_of_groups(int64_t rows, int64_t channels, int64_t groups)
{
    grkan_operation operation = GRKAN_OPERATION_INIT;
    operation.outer = rows;
    operation.channels = channels;
    operation.groups = groups;
    return operation;
}

/** KAT's layer in f32. */
static inline grkan_operation layer_of(int64_t rows, int64_t channels)
{
    return layer_of_groups(rows, channels, 8);
}

#endif
