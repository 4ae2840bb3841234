/* SPDX-License-Identifier: Apache-2.0 */
/** @file storage_types.c @brief f32, f16, bf16 and f64 in software. */
#include "storage_types.h"

#include <math.h>
#include <string.h>

/** IEEE 754 binary formats: bits of the significand with the hidden one, and the exponents of max and min normal. */
typedef struct format {
    int precision;
    int max_exponent; /* 2^max_exponent <= max < 2^(max_exponent + 1) */
    int min_exponent; /* min normal = 2^min_exponent */
} format;

static format format_of(grkan_dtype dtype)
{
    switch (dtype) {
    case GRKAN_F16:
        return (format){11, 15, -14};
    case GRKAN_BF16:
        return (format){8, 127, -126};
    case GRKAN_F64:
        return (format){53, 1023, -1022};
    case GRKAN_F32:
    default:
        return (format){24, 127, -126};
    }
}

grkan_dtype storage_of_coefficients(grkan_dtype dtype)
{
    return dtype == GRKAN_F64 ? GRKAN_F64 : GRKAN_F32;
}

long double storage_max(grkan_dtype dtype)
{
    const format f = format_of(dtype);
    return ldexpl(2.0L - ldexpl(1.0L, 1 - f.precision), f.max_exponent);
}

long double storage_min_normal(grkan_dtype dtype)
{
    return ldexpl(1.0L, format_of(dtype).min_exponent);
}

long double storage_ulp(grkan_dtype dtype, long double value)
{
    const format f = format_of(dtype);
    int exponent = f.min_exponent;
    if (value != 0) {
        frexpl(value, &exponent);
        exponent--;
    }
    if (exponent < f.min_exponent)
        exponent = f.min_exponent;
    return ldexpl(1.0L, exponent - f.precision + 1);
}

long double storage_round(grkan_dtype dtype, long double value)
{
    if (!isfinite(value) || value == 0)
        return value;
    const long double ulp = storage_ulp(dtype, value);
    const long double rounded = rintl(value / ulp) * ulp;
    return fabsl(rounded) > storage_max(dtype) ? copysignl(INFINITY, value) : rounded;
}

/** The 16 bits of a value of f16 that has been rounded. */
static uint16_t encode_f16(long double value)
{
    const unsigned sign = signbit(value) ? 0x8000u : 0u;
    const long double magnitude = fabsl(value);
    if (isnan(value))
        return (uint16_t)(sign | 0x7e00u);
    if (isinf(value))
        return (uint16_t)(sign | 0x7c00u);
    if (magnitude < 0x1p-14L)
        return (uint16_t)(sign | (unsigned)(magnitude * 0x1p24L));
    int exponent;
    const long double fraction = frexpl(magnitude, &exponent); /* 0.5 <= fraction < 1 */
    return (uint16_t)(sign | ((unsigned)(exponent + 14) << 10) | ((unsigned)(fraction * 2048) & 0x3ffu));
}

static long double decode_f16(uint16_t bits)
{
    const int exponent = (bits >> 10) & 31;
    const int fraction = bits & 0x3ff;
    const long double sign = bits & 0x8000 ? -1 : 1;
    if (exponent == 31)
        return fraction ? NAN : sign * INFINITY;
    if (exponent == 0)
        return sign * ldexpl(fraction, -24);
    return sign * ldexpl(1024 + fraction, exponent - 25);
}

static uint32_t bits_of_float(float value)
{
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    return bits;
}

static float float_of_bits(uint32_t bits)
{
    float value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

long double storage_load(grkan_dtype dtype, const void *array, int64_t index)
{
    switch (dtype) {
    case GRKAN_F16:
        return decode_f16(((const uint16_t *)array)[index]);
    case GRKAN_BF16:
        return (long double)float_of_bits((uint32_t)((const uint16_t *)array)[index] << 16);
    case GRKAN_F64:
        return (long double)((const double *)array)[index];
    case GRKAN_F32:
    default:
        return (long double)((const float *)array)[index];
    }
}

void storage_store(grkan_dtype dtype, void *array, int64_t index, long double value)
{
    switch (dtype) {
    case GRKAN_F16:
        ((uint16_t *)array)[index] = encode_f16(storage_round(dtype, value));
        break;
    case GRKAN_BF16: /* a rounded bf16 is a float whose low half is zero; a NaN keeps its quiet bit */
        ((uint16_t *)array)[index] = (uint16_t)(bits_of_float((float)storage_round(dtype, value)) >> 16);
        break;
    case GRKAN_F64: /* C rounds as IEEE 754 has it */
        ((double *)array)[index] = (double)value;
        break;
    case GRKAN_F32:
    default:
        ((float *)array)[index] = (float)value;
        break;
    }
}
