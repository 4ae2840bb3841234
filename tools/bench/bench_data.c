/* SPDX-License-Identifier: Apache-2.0 */
/** @file bench_data.c @brief Device memory with the data that bench runs on. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "bench.h"
#include "check/device_layer.h"

/** Elements made on the host and uploaded again and again; more would only take longer to make. */
enum { PATTERN_ELEMENTS = 1 << 20 };

/** SplitMix64 (Steele, Lea and Flood, "Fast splittable pseudorandom number generators", OOPSLA 2014). */
static uint64_t next_random(uint64_t *state)
{
    uint64_t z = *state += 0x9e3779b97f4a7c15u;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 27) * 0x94d049bb133111ebu;
    return z ^ z >> 31;
}

uint64_t bench_stream(uint64_t seed, uint64_t stream)
{
    uint64_t state = (seed << 40) + stream;
    return next_random(&state);
}

/** The sum of four uniform numbers, shifted and scaled to mean 0 and variance 1: nearly normal. */
float bench_normal(uint64_t *state)
{
    uint64_t bits = next_random(state);
    uint64_t sum = (bits & 0xffff) + (bits >> 16 & 0xffff) + (bits >> 32 & 0xffff) + (bits >> 48);
    return (float)(((double)sum / 65536.0 - 2.0) * sqrt(3.0));
}

static uint16_t bf16_of(uint32_t f32)
{
    return (uint16_t)((f32 + 0x8000u) >> 16);
}

/** For the values made here: abs(value) < 4, and what is too small for a normal half becomes 0. */
static uint16_t f16_of(uint32_t f32)
{
    uint32_t magnitude = f32 & 0x7fffffffu;
    uint32_t sign = f32 >> 16 & 0x8000u;
    if (magnitude < 0x38800000u)
        return (uint16_t)sign;
    return (uint16_t)(sign | (magnitude - 0x38000000u + 0x1000u) >> 13);
}

void bench_store(void *to, size_t index, grkan_dtype dtype, float value)
{
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    switch (dtype) {
    case GRKAN_F64:
        ((double *)to)[index] = value;
        break;
    case GRKAN_F16:
        ((uint16_t *)to)[index] = f16_of(bits);
        break;
    case GRKAN_BF16:
        ((uint16_t *)to)[index] = bf16_of(bits);
        break;
    default:
        ((float *)to)[index] = value;
    }
}

grkan_status bench_random_memory(grkan_device *device, grkan_dtype dtype, size_t bytes, uint64_t seed,
                                 grkan_buffer *buffer)
{
    size_t element = grkan_dtype_bytes(dtype);
    size_t elements = bytes / element < PATTERN_ELEMENTS ? bytes / element : PATTERN_ELEMENTS;
    void *pattern = tool_allocate(elements * element);
    for (size_t i = 0; i < elements; i++)
        bench_store(pattern, i, dtype, bench_normal(&seed));
    grkan_status status = device_repeat(device, bytes, pattern, elements * element, buffer);
    free(pattern);
    return status;
}

grkan_status bench_coefficient_memory(grkan_device *device, grkan_dtype dtype, int64_t rows, int columns,
                                      int first_power, double scale, grkan_buffer *buffer)
{
    *buffer = (grkan_buffer){NULL, 0};
    size_t width = (size_t)columns;
    size_t count = (size_t)rows * width;
    if (count == 0)
        return GRKAN_SUCCESS;
    grkan_dtype type = dtype == GRKAN_F64 ? GRKAN_F64 : GRKAN_F32;
    size_t bytes = count * grkan_coefficient_bytes(dtype);
    void *values = tool_allocate(bytes);
    for (size_t i = 0; i < count; i++) {
        double row_factor = 1.0 + 0.01 * (double)(i / width % 8);
        double factorial = tgamma((double)(i % width) + first_power + 1.0);
        bench_store(values, i, type, (float)(scale * row_factor / factorial));
    }
    grkan_status status = device_repeat(device, bytes, values, bytes, buffer);
    free(values);
    return status;
}
