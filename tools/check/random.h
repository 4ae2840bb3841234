/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file random.h
 * @brief A small generator, the same everywhere: what a case runs on follows from its seed alone.
 *
 * SplitMix64 (Steele, Lea and Flood, "Fast Splittable Pseudorandom Number Generators", OOPSLA 2014).
 */
#ifndef GRKAN_CHECK_RANDOM_H
#define GRKAN_CHECK_RANDOM_H

#include <stdint.h>

/** The state: any seed will do. */
typedef struct check_random {
    uint64_t state;
} check_random;

static inline uint64_t check_random_bits(check_random *random)
{
    uint64_t z = random->state += UINT64_C(0x9e3779b97f4a7c15);
    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return z ^ (z >> 31);
}

/**
 * One of a seed's streams of numbers. They begin at unrelated places of the generator's cycle: states that differ by a
 * multiple of its step would give the same numbers, shifted.
 */
static inline check_random check_random_stream(uint64_t seed, uint64_t stream)
{
    check_random random = {(seed << 40) + stream};
    return (check_random){check_random_bits(&random)};
}

/** 0 <= result < count, for a small count > 0. */
static inline int check_random_below(check_random *random, int count)
{
    return (int)(check_random_bits(random) % (uint64_t)count);
}

/** 0 <= result < 1. */
static inline double check_random_uniform(check_random *random)
{
    return (double)(check_random_bits(random) >> 11) * 0x1p-53;
}

/** Mean 0, variance 1, within [-6, 6]: the sum of 12 uniform numbers, which needs no libm and so has the same bits. */
static inline double check_random_normal(check_random *random)
{
    double sum = -6;
    for (int i = 0; i < 12; i++)
        sum += check_random_uniform(random);
    return sum;
}

#endif
