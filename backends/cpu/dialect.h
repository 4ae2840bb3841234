/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file dialect.h
 * @brief The kernels' words in C. CPU_LANES 1: the plain reference. More: `real` is a vector of that many lanes, one
 * for each of as many neighbouring threads of a block.
 *
 * The build defines CPU_DOUBLE (1: arithmetic is f64; 0: f32) and CPU_BYTES (of a vector; 0 for the reference).
 */
#include <limits.h>
#include <math.h>
#include <string.h>

#define GRKAN_IEEE 1
#define DEVICE static inline __attribute__((always_inline, unused))
#define GLOBAL
#define SHARED
#define NO_UNROLL _Pragma("GCC unroll 1")
#define SEGMENTS(g) ((g)->columns.segments)
#define VECTOR_ELEMENTS(g) ((g)->columns.vector)
#define TILE_SEGMENTS(g) ((g)->columns.tile_segments)
#define PADS_TILES 1
#define VECTOR_GROUPS(g) 1
#define BLOCK_THREADS(g) ((g)->columns.block)
#define GRKAN_IEEE 1
#define PROLOGUE_TABLES 2 /* of any plan: one without a prologue has nothing for them */

#if CPU_DOUBLE
typedef double scalar;
typedef int64_t scalar_bits;
#define SCALAR_SIGN INT64_MIN
#define SCALAR_FMA __builtin_fma
#define SCALAR_ABS __builtin_fabs
#define SQRT __builtin_sqrt
#else
typedef float scalar;
typedef int32_t scalar_bits;
#define SCALAR_SIGN INT32_MIN
#define SCALAR_FMA __builtin_fmaf
#define SCALAR_ABS __builtin_fabsf
#define SQRT __builtin_sqrtf
#endif

static inline unsigned int bits_of(float value)
{
    unsigned int bits;
    memcpy(&bits, &value, sizeof bits);
    return bits;
}

static inline float float_of(unsigned int bits)
{
    float value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

#define BITS_OF bits_of
#define FLOAT_OF float_of

#if CPU_DOUBLE
static inline double double_of(unsigned int low, unsigned int high)
{
    const uint64_t bits = (uint64_t)high << 32 | low;
    double value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

static inline unsigned int high_of(double value)
{
    uint64_t bits;
    memcpy(&bits, &value, sizeof bits);
    return (unsigned int)(bits >> 32);
}

#define DOUBLE_OF double_of
#define HIGH_OF high_of
#endif

#define DIVIDE(a, b) ((a) / (b))
#define SCALAR(c) ((scalar)(c))
#define PLUS_ZERO(x) (x)

#if CPU_BYTES == 0

#define CPU_LANES 1
#define UNROLL
typedef scalar real;
typedef scalar_bits real_bits;
#define REAL(c) ((scalar)(c))
#define FMA SCALAR_FMA
#define ABS SCALAR_ABS
#define RECIPROCAL(q) ((scalar)1 / (q))
#define FLIP(v, by) ((by) < 0 ? -(v) : (v))
#define IS_ABOVE(v, limit) (-(scalar_bits)((v) > (limit)))
#define LANE(v, lane) (v)
#define SET_LANES_FROM(v, lane, value) ((void)(lane), (v) = (value))

#else

#define CPU_LANES (CPU_BYTES / (int)sizeof(scalar))
#define LANES
#define UNROLL _Pragma("GCC unroll 16")
typedef scalar real __attribute__((vector_size(CPU_BYTES)));
typedef scalar_bits real_bits __attribute__((vector_size(CPU_BYTES)));

#define CHOOSE(mask, a, b) ((real)((real_bits)(b) ^ (((real_bits)(a) ^ (real_bits)(b)) & (mask))))

DEVICE real broadcast(scalar value)
{
    return value - (real){0};
}

DEVICE real set_lanes_from(real v, int lane, scalar value)
{
    real_bits is_behind;
    if (lane == 0)
        return broadcast(value);
    for (int i = 0; i < CPU_LANES; ++i)
        is_behind[i] = -(scalar_bits)(i >= lane);
    return CHOOSE(is_behind, broadcast(value), v);
}

#define REAL(c) broadcast((scalar)(c))
#define FMA vector_fma
#define ABS(v) ((real)((real_bits)(v) & ~SCALAR_SIGN))
#define RECIPROCAL(q) ((scalar)1 / (q))
/* The sum is off the way from x to the results; a comparison takes one more instruction. */
#define FLIP(v, by) ((real)((real_bits)(v) ^ ((real_bits)((by) + (scalar)0) & SCALAR_SIGN)))
#define IS_ABOVE(v, limit) ((v) > (limit))
#define LANE(v, lane) ((v)[lane])
/** Set a lane and those behind it. */
#define SET_LANES_FROM(v, lane, value) ((v) = set_lanes_from(v, lane, value))

#endif

DEVICE real load_lanes(const scalar *from)
{
    real lanes;
    memcpy(&lanes, from, sizeof lanes);
    return lanes;
}

DEVICE void store_lanes(scalar *to, real lanes)
{
    memcpy(to, &lanes, sizeof lanes);
}

/** Atomic addition by compare and exchange. */
static inline void atomic_add(scalar *sum, scalar term)
{
    scalar old, next;
    __atomic_load(sum, &old, __ATOMIC_RELAXED);
    do {
        next = old + term;
    } while (!__atomic_compare_exchange(sum, &old, &next, 0, __ATOMIC_RELAXED, __ATOMIC_RELAXED));
}
#define ATOMIC_ADD atomic_add

#include "instructions.h"
