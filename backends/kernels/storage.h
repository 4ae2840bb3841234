/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file storage.h
 * @brief 16-bit storage types to and from float, by integer operations: any device, every bit the same.
 *
 * Conversions to 16 bits round to nearest, ties to even; subnormals are kept; NaN stays NaN.
 * A dialect may define HALF_TO_FLOAT, FLOAT_TO_HALF and FLOAT_TO_BF16 where the hardware converts.
 */
#ifndef GRKAN_STORAGE_H
#define GRKAN_STORAGE_H

#include "words.h"

DEVICE float bf16_to_float(unsigned int bits)
{
    return FLOAT_OF(bits << 16);
}

#ifndef FLOAT_TO_BF16
#define FLOAT_TO_BF16 float_to_bf16
DEVICE unsigned int float_to_bf16(float value)
{
    const unsigned int bits = BITS_OF(value);
    const unsigned int rounded = (bits + 0x7FFFu + ((bits >> 16) & 1u)) >> 16;
    return (bits & 0x7FFFFFFFu) > 0x7F800000u ? 0x7FC0u : rounded;
}
#endif

#ifndef HALF_TO_FLOAT
#define HALF_TO_FLOAT half_to_float
#define FLOAT_TO_HALF float_to_half

DEVICE float half_to_float(unsigned int bits)
{
    /* The exponents differ by 112; a product with 2^112 moves them, subnormals included. */
    const float magnitude = FLOAT_OF((bits & 0x7FFFu) << 13) * 5192296858534827628530496329220096.0f;
    const unsigned int special = (bits & 0x7C00u) == 0x7C00u ? 0x7F800000u : 0u;
    return FLOAT_OF(BITS_OF(magnitude) | special | ((bits & 0x8000u) << 16));
}

DEVICE unsigned int float_to_half(float value)
{
    const unsigned int bits = BITS_OF(value);
    const unsigned int sign = (bits >> 16) & 0x8000u;
    const unsigned int magnitude = bits & 0x7FFFFFFFu;
    /* Normal: shift the exponent by 112 and round the mantissa. */
    const unsigned int normal = (magnitude - (112u << 23) + 0xFFFu + ((magnitude >> 13) & 1u)) >> 13;
    /* Subnormal: 0.5 has an ulp of 2^-24, half's smallest, so the addition rounds to it. */
    const unsigned int subnormal = BITS_OF(FLOAT_OF(magnitude) + 0.5f) - BITS_OF(0.5f);
    const unsigned int small = magnitude < (113u << 23) ? subnormal : normal;
    const unsigned int finite = magnitude >= 0x477FF000u ? 0x7C00u : small; /* 65520 and above round to infinity */
    return sign | (magnitude > 0x7F800000u ? 0x7E00u : finite);
}
#endif

#endif
