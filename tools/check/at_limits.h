/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file at_limits.h
 * @brief Numbers at the ends of their types' range: what a case of CHECK_LIMITS holds, as docs/architecture.md promises
 *        ("Range") that they give the right results. Private to the checks.
 */
#ifndef GRKAN_CHECK_AT_LIMITS_H
#define GRKAN_CHECK_AT_LIMITS_H

#include "cases.h"
#include "random.h"

/** What is at the limits differs from group to group. */
typedef enum limits_kind {
    LIMITS_COEFFICIENTS, /**< one coefficient is large, the others, x and dy are of any size */
    LIMITS_X,            /**< x is large, coefficients and dy are of any size */
    LIMITS_NEITHER,      /**< x is of any size; coefficients and dy stay where plain arithmetic has room for them */
    LIMITS_KINDS
} limits_kind;

limits_kind limits_kind_of(const check_case *one, int64_t group);

/** One group's coefficients. */
void limits_coefficients(const check_case *one, check_random *random, limits_kind kind, double *values, int count);

/** One element. */
void limits_element(const check_case *one, check_random *random, limits_kind kind, long double *x, long double *dy);

/** How often its own size an underflow may count, by a power of x that it is multiplied by. */
long double limits_underflow(const check_case *one, limits_kind kind);

#endif
