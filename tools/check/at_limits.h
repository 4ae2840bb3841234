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
typedef enum limits_extreme {
    LIMITS_COEFFICIENTS, /**< one coefficient is large, the others, x and dy are of any size */
    LIMITS_X,            /**< x is large, coefficients and dy are of any size */
    LIMITS_NEITHER,      /**< x is of any size; coefficients and dy stay where plain arithmetic has room for them */
    LIMITS_EXTREMES
} limits_extreme;

limits_extreme limits_extreme_of(const check_case *one, int64_t group);

/** One group's coefficients. */
void limits_coefficients(const check_case *one, check_random *random, limits_extreme extreme, double *values,
                         int count);

/** One element. */
void limits_element(const check_case *one, check_random *random, limits_extreme extreme, long double *x,
                    long double *dy);

/** How often its own size an underflow may count, by a power of x that it is multiplied by. */
long double limits_underflow(const check_case *one, limits_extreme extreme);

#endif
