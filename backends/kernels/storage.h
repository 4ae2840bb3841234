/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file storage.h
 * @brief 16-bit storage types to and from float, by integer operations: any device, every bit the same.
 *
 * Conversions to 16 bits round to nearest, ties to even; subnormals are kept; NaN stays NaN.
 * A dialect may define HALF_TO_FLOAT, FLOAT_TO_HALF and FLOAT_TO_BF16 where the hardware converts. The functions are of as
 * many numbers as STORED_FLOAT and STORED_BITS have, which are vectors where real is one.
 */
#ifndef GRKAN_STORAGE_H
#define GRKAN_STORAGE_H

#include "words.h"

/* Types of storage by grkan_dtype's number, for kernels that are specialised. */
#define X_DTYPE GRKAN_DTYPE        /* of x and dx */
#define Y_DTYPE GRKAN_OUTPUT_DTYPE /* of y and dy */
#define DTYPE_BYTES(dtype) ((dtype) == 3 ? 8 : (dtype) == 0 ? 4 : 2)
#define IS_16_BIT(dtype) ((dtype) == 1 || (dtype) == 2)

#ifndef STORED_FLOAT
#define STORED_FLOAT float
#define STORED_BITS unsigned int
#endif

DEVICE STORED_FLOAT bf16_to_float(STORED_BITS bits)
{
    return FLOAT_OF(bits << 16);
}

#ifndef FLOAT_TO_BF16
#define FLOAT_TO_BF16 float_to_bf16
DEVICE STORED_BITS float_to_bf16(STORED_FLOAT value)
{
    const STORED_BITS bits = BITS_OF(value);
    const STORED_BITS rounded = (bits + 0x7FFFu + ((bits >> 16) & 1u)) >> 16;
    return (bits & 0x7FFFFFFFu) > 0x7F800000u ? (STORED_BITS)0x7FC0u : rounded;
}
#endif

#ifndef HALF_TO_FLOAT
#define HALF_TO_FLOAT half_to_float
#define FLOAT_TO_HALF float_to_half

DEVICE STORED_FLOAT half_to_float(STORED_BITS bits)
{
    /* The exponents differ by 112; a product with 2^112 moves them, subnormals included. */
    const STORED_FLOAT magnitude = FLOAT_OF((bits & 0x7FFFu) << 13) * 5192296858534827628530496329220096.0f;
    const STORED_BITS special = (bits & 0x7C00u) == 0x7C00u ? (STORED_BITS)0x7F800000u : (STORED_BITS)0u;
    return FLOAT_OF(BITS_OF(magnitude) | special | ((bits & 0x8000u) << 16));
}

DEVICE STORED_BITS float_to_half(STORED_FLOAT value)
{
    const STORED_BITS bits = BITS_OF(value);
    const STORED_BITS sign = (bits >> 16) & 0x8000u;
    const STORED_BITS magnitude = bits & 0x7FFFFFFFu;
    /* Normal: shift the exponent by 112 and round the mantissa. */
    const STORED_BITS normal = (magnitude - (112u << 23) + 0xFFFu + ((magnitude >> 13) & 1u)) >> 13;
    /* Subnormal: 0.5 has an ulp of 2^-24, half's smallest, so the addition rounds to it. */
    const STORED_BITS subnormal = BITS_OF(FLOAT_OF(magnitude) + 0.5f) - BITS_OF(0.5f);
    const STORED_BITS small = magnitude < (113u << 23) ? subnormal : normal;
    const STORED_BITS finite =
        magnitude >= 0x477FF000u ? (STORED_BITS)0x7C00u : small; /* 65520 and above round to infinity */
    return sign | (magnitude > 0x7F800000u ? (STORED_BITS)0x7E00u : finite);
}
#endif

#endif
