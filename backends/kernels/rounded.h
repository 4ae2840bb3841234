/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file rounded.h
 * @brief Correctly rounded quotients and square roots by fma, for devices whose own are only close.
 *
 * A dialect whose DIVIDE is rounded_quotient, or whose SQRT is rounded_root, says how close its device comes:
 *
 *     ROOT_ESTIMATE(v)         the root of a normal number, off by one unit in the last place at most
 *     QUOTIENT_ESTIMATE(a, b)  a / b, for any a and b: right, or one unit too close to zero
 *     INVERSE_ESTIMATE(b)      instead: 1 / b for 1 <= b < 2, off by 2^-16 of it at most (f64: 2^-35)
 *     SCALAR_BITS(value), SCALAR_OF(bits)   of a scalar: an unsigned integer of its size, the type scalar_bits
 *
 * The device keeps subnormals, and its sums, products and fma are IEEE 754's. tests/test_rounded.c compiles this for the
 * host, with estimates that are as far off as is said here.
 */
#ifndef GRKAN_ROUNDED_H
#define GRKAN_ROUNDED_H

#include "words.h"

#if defined(ROOT_ESTIMATE) || defined(QUOTIENT_ESTIMATE) || defined(INVERSE_ESTIMATE)
/** Of a value that is not zero, what is so many units in the last place further from zero. */
DEVICE scalar neighbour(scalar value, int units)
{
    return SCALAR_OF(SCALAR_BITS(value) + (scalar_bits)units);
}
#endif

#ifdef ROOT_ESTIMATE
#if GRKAN_DTYPE == 3
#define SMALL_SQUARE SCALAR(0x1p-700)
#define SQUARE_FACTOR SCALAR(0x1p200)
#define ROOT_FACTOR SCALAR(0x1p-100)
#else
#define SMALL_SQUARE SCALAR(0x1p-96)
#define SQUARE_FACTOR SCALAR(0x1p64)
#define ROOT_FACTOR SCALAR(0x1p-32)
#endif

/**
 * The sign of v - root * neighbour says on which side of the middle between the two v lies. That remainder is exact unless v
 * is small; then v is multiplied by a power of 4 first.
 */
DEVICE scalar rounded_root(scalar v)
{
    const int is_small = v < SMALL_SQUARE;
    const scalar scaled = is_small ? v * SQUARE_FACTOR : v;
    const scalar root = ROOT_ESTIMATE(scaled);
    const scalar below = neighbour(root, -1), above = neighbour(root, 1);
    scalar best = FMA(-below, root, scaled) <= SCALAR(0.0) ? below : root;
    best = FMA(-above, root, scaled) > SCALAR(0.0) ? above : best;
    best = is_small ? best * ROOT_FACTOR : best;
    return v == SCALAR(0.0) || v == (scalar)INFINITY ? v : best;
}
#endif

#ifdef QUOTIENT_ESTIMATE
/** Of the two, the one that leaves less. */
DEVICE scalar rounded_quotient(scalar a, scalar b)
{
    const scalar q = QUOTIENT_ESTIMATE(a, b);
    const scalar next = neighbour(q, 1);
    return SCALAR_ABS(FMA(-b, next, a)) < SCALAR_ABS(FMA(-b, q, a)) ? next : q;
}
#endif

#ifdef INVERSE_ESTIMATE
#if GRKAN_DTYPE == 3
#define FRACTION_BITS 52
#define LARGEST_EXPONENT 1023
#else
#define FRACTION_BITS 23
#define LARGEST_EXPONENT 127
#endif

/** 2^exponent, which is a normal number. */
DEVICE scalar power_of_two(int exponent)
{
    return SCALAR_OF((scalar_bits)(exponent + LARGEST_EXPONENT) << FRACTION_BITS);
}

/** A positive number is significand 2^exponent, 1 <= significand < 2. */
typedef struct binary_parts {
    scalar significand;
    int exponent;
} binary_parts;

DEVICE binary_parts binary_parts_of(scalar value)
{
    const int shift = value < power_of_two(1 - LARGEST_EXPONENT) ? FRACTION_BITS : 0;
    const scalar_bits bits = SCALAR_BITS(value * power_of_two(shift));
    binary_parts parts;
    parts.significand = SCALAR_OF((bits & (((scalar_bits)1 << FRACTION_BITS) - 1)) | SCALAR_BITS(SCALAR(1.0)));
    parts.exponent = (int)(bits >> FRACTION_BITS) - LARGEST_EXPONENT - shift;
    return parts;
}

/**
 * The quotient of two significands within less than one of its units, and then its neighbour if it leaves more than half a
 * one. Where the result is subnormal its unit is a larger one: coarse + q, whose last place has that unit, is rounded and
 * stepped in place of q. In the middle between two lie quotients that q has exactly, and the sum takes the even one.
 */
DEVICE scalar quotient_of_finite(scalar a, scalar b)
{
    const binary_parts n = binary_parts_of(a), d = binary_parts_of(b);
    const int is_less = n.significand < d.significand; /* then the quotient's exponent is one less */
    const scalar numerator = is_less ? n.significand + n.significand : n.significand;
    const scalar inverse = INVERSE_ESTIMATE(d.significand);
    int exponent = n.exponent - d.exponent - is_less, lost;
    scalar q = numerator * inverse, coarse, sum, rest, half_unit;
    q = FMA(FMA(-q, d.significand, numerator), inverse, q); /* 1 to 2 */

    exponent = exponent > LARGEST_EXPONENT + 1 ? LARGEST_EXPONENT + 1 : exponent; /* too large in any case */
    lost = 1 - LARGEST_EXPONENT - exponent;
    lost = lost < 0 ? 0 : lost > FRACTION_BITS + 2 ? FRACTION_BITS + 2 : lost; /* then nothing is left */
    exponent = lost > 0 ? 1 - LARGEST_EXPONENT - lost : exponent;

    coarse = lost > 0 ? power_of_two(lost) : SCALAR(0.0);
    sum = coarse + q;
    rest = FMA(-(sum - coarse), d.significand, numerator);
    half_unit = d.significand * power_of_two(lost - FRACTION_BITS - 1);
    if (SCALAR_ABS(rest) > half_unit)
        sum = neighbour(sum, rest > SCALAR(0.0) ? 1 : -1);
    return (sum - coarse) * power_of_two(exponent / 2) * power_of_two(exponent - exponent / 2);
}

/** Where nothing is rounded the device's own quotient serves. */
DEVICE scalar rounded_quotient(scalar a, scalar b)
{
    const scalar numerator = SCALAR_ABS(a), denominator = SCALAR_ABS(b);
    const scalar_bits signs = SCALAR_BITS(a) ^ SCALAR_BITS(b);
    scalar q;
    if (!(numerator > SCALAR(0.0) && numerator < (scalar)INFINITY && denominator > SCALAR(0.0) &&
          denominator < (scalar)INFINITY))
        return a / b;
    q = quotient_of_finite(numerator, denominator);
    return signs >> (FRACTION_BITS + 1) > LARGEST_EXPONENT ? -q : q;
}

#if defined(LANES) && defined(OVERLOADED)
OVERLOADED scalar rounded_reciprocal(scalar q)
{
    return rounded_quotient(SCALAR(1.0), q);
}
OVERLOADED real rounded_reciprocal(real q)
{
    scalar each[GRKAN_LANES];
    STORE_LANES(PRIVATE, each, q);
    UNROLL
    for (int i = 0; i < GRKAN_LANES; ++i)
        each[i] = rounded_quotient(SCALAR(1.0), each[i]);
    return LOAD_LANES(PRIVATE, each);
}
#endif
#endif

#endif
