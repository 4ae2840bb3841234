/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file fma.c
 * @brief fma by the processor's instruction where it has one, else in integers.
 *
 * Results are those of IEEE 754, to the nearest, ties to even. Numbers are m 2^e with m of all bits, so that subnormal ones
 * are no special case before the end.
 */
#include <math.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

double grkan_fma(double x, double y, double z);
float grkan_fmaf(float x, float y, float z);
double grkan_fma_in_integers(double x, double y, double z);
float grkan_fmaf_in_integers(float x, float y, float z);

typedef unsigned __int128 wide;

/* --------------------------------------------------------------------------------------------------- in software */

enum { mantissa_bits = 52, exponent_bias = 1075, least_exponent = -1022 };

/** A finite number other than 0: m 2^exponent, where m has 53 bits. */
typedef struct number {
    uint64_t m;
    int exponent;
    bool is_negative;
} number;

static number take_apart(double value)
{
    uint64_t bits;
    memcpy(&bits, &value, sizeof bits);
    const uint64_t fraction = bits & (((uint64_t)1 << mantissa_bits) - 1);
    const int biased = (int)(bits >> mantissa_bits) & 0x7ff;
    number parts = {fraction | (uint64_t)1 << mantissa_bits, biased - exponent_bias, bits >> 63 != 0};
    if (biased == 0) {
        const int shift = __builtin_clzll(fraction) - 11;
        parts.m = fraction << shift;
        parts.exponent = 1 - exponent_bias - shift;
    }
    return parts;
}

/** m 2^-shift, its last bit telling whether anything was lost. */
static wide shift_right(wide m, int shift)
{
    if (shift >= 128)
        return m != 0;
    return shift > 0 ? m >> shift | ((m & (((wide)1 << shift) - 1)) != 0) : m;
}

/** m 2^exponent, m not being 0, rounded to the nearest. */
static double put_together(wide m, int exponent, bool is_negative)
{
    const int zeros =
        (uint64_t)(m >> 64) != 0 ? __builtin_clzll((uint64_t)(m >> 64)) : 64 + __builtin_clzll((uint64_t)m);
    m <<= zeros;
    const int first = exponent - zeros + 127; /* the first bit's */
    const int below = first < least_exponent ? least_exponent - first : 0;
    m = shift_right(
        m, 64 + (below < 64 ? below : 63)); /* 64 bits, or fewer of a subnormal number; the last tells of the rest */
    const uint64_t kept = (uint64_t)m, half = 1 << 10, rest = kept & (2 * half - 1);
    uint64_t bits = kept >> 11;
    bits += rest > half || (rest == half && (bits & 1) != 0);
    if (below == 0)
        bits +=
            (uint64_t)(first + 1022) << mantissa_bits; /* to which the first bit adds 1, or 2 when rounding carried */
    if (bits >= (uint64_t)0x7ff << mantissa_bits || first > 1023)
        bits = (uint64_t)0x7ff << mantissa_bits;
    bits |= (uint64_t)is_negative << 63;
    double value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

double grkan_fma_in_integers(double x, double y, double z)
{
    if (!isfinite(x) || !isfinite(y) || x == 0 || y == 0)
        return x * y + z;
    if (!isfinite(z))
        return z + 1;
    if (z == 0)
        return x * y;
    const number a = take_apart(x), b = take_apart(y), c = take_apart(z);
    wide product = (wide)a.m * b.m, added = c.m; /* of 105 or 106 bits, and of 53 */
    int exponent = a.exponent + b.exponent;
    int above = c.exponent - exponent; /* of the last bits */
    /* Either all bits find room, or one of the two is so much smaller that nothing cancels: its last ones may merge. */
    if (above < 0) {
        product <<= 20;
        exponent -= 20;
        above += 20;
        added = above < 0 ? shift_right(added, -above) : added << above;
    } else {
        const int most = 70, beyond = above > most ? above - most : 0;
        product = shift_right(product, beyond);
        exponent += beyond;
        added <<= above - beyond;
    }
    const bool is_negative = a.is_negative != b.is_negative;
    if (is_negative == c.is_negative)
        return put_together(product + added, exponent, is_negative);
    if (product == added)
        return 0;
    return product > added ? put_together(product - added, exponent, is_negative)
                           : put_together(added - product, exponent, c.is_negative);
}

/** In double the product is exact; the sum's last bit is made odd where it is not, so that the second rounding is right. */
float grkan_fmaf_in_integers(float x, float y, float z)
{
    const double product = (double)x * y, added = z;
    double sum = product + added;
    const double of_added = sum - product, lost = (product - (sum - of_added)) + (added - of_added);
    uint64_t bits;
    memcpy(&bits, &sum, sizeof bits);
    if (isfinite(sum) && lost != 0 && (bits & 1) == 0) {
        bits = (lost > 0) == (sum > 0) ? bits + 1 : bits - 1;
        memcpy(&sum, &bits, sizeof sum);
    }
    return (float)sum;
}

/* --------------------------------------------------------------------------------------------------- in hardware */

__attribute__((target("fma"))) static double in_hardware(double x, double y, double z)
{
    return __builtin_fma(x, y, z);
}

__attribute__((target("fma"))) static float in_hardware_f(float x, float y, float z)
{
    return __builtin_fmaf(x, y, z);
}

double grkan_fma(double x, double y, double z)
{
    return __builtin_cpu_supports("fma") ? in_hardware(x, y, z) : grkan_fma_in_integers(x, y, z);
}

float grkan_fmaf(float x, float y, float z)
{
    return __builtin_cpu_supports("fma") ? in_hardware_f(x, y, z) : grkan_fmaf_in_integers(x, y, z);
}
