/* SPDX-License-Identifier: Apache-2.0 */
/** @file arithmetic.h @brief What is counted with 64 bits. Private: not installed. */
#ifndef GRKAN_ARITHMETIC_H
#define GRKAN_ARITHMETIC_H

#include <stdint.h>

static inline int64_t ceil_div(int64_t a, int64_t b)
{
    return a / b + (a % b != 0);
}

static inline int64_t smaller(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

static inline int64_t larger(int64_t a, int64_t b)
{
    return a > b ? a : b;
}

/** What kernels multiply by in the place of a division: 2^31 / divisor, rounded up. */
static inline unsigned int inverse_of(int64_t divisor)
{
    return (unsigned int)ceil_div(INT64_C(1) << 31, divisor);
}

#endif
