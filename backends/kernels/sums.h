/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file sums.h
 * @brief Sums in twice the precision of the type, by additions alone, so that they need no wider type.
 *
 * The exact error of an addition is itself a number of the type (Knuth, The Art of Computer Programming, vol. 2,
 * 4.2.2); it is kept beside the sum.
 */

typedef struct pair {
    scalar high;
    scalar low;
} pair;

DEVICE pair pair_zero(void)
{
    pair zero;
    zero.high = 0;
    zero.low = 0;
    return zero;
}

DEVICE pair pair_add(pair sum, scalar term)
{
    const scalar high = sum.high + term;
    const scalar seen = high - sum.high;
    const scalar error = (sum.high - (high - seen)) + (term - seen);
    sum.high = high;
    sum.low = sum.low + error;
    return sum;
}

/** The sum, rounded once. An infinite sum has no error term that means anything. */
DEVICE scalar pair_value(pair sum)
{
    return sum.low == sum.low ? sum.high + sum.low : sum.high;
}
