/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file vector.h
 * @brief The elements that a GPU's thread takes from a row at once: loaded and stored by one instruction each.
 */
#ifndef GRKAN_VECTOR_H
#define GRKAN_VECTOR_H

#include "family.h"
#include "storage.h"

#define ELEMENT_BYTES (GRKAN_DTYPE == 3 ? 8 : GRKAN_DTYPE == 0 ? 4 : 2)
#define SCALAR_BYTES (GRKAN_DTYPE == 3 ? 8 : 4)
#define VECTOR_BYTES (GRKAN_VECTOR * ELEMENT_BYTES)
#define IS_16_BIT (GRKAN_DTYPE == 1 || GRKAN_DTYPE == 2)

#if GRKAN_DTYPE == 0 || GRKAN_DTYPE == 3
typedef scalar storage;
#define UNPACK(s) (s)
#define PACK(s) (s)
#elif GRKAN_DTYPE == 1
typedef unsigned short storage;
#define UNPACK(s) HALF_TO_FLOAT(s)
#define PACK(s) ((storage)FLOAT_TO_HALF(s))
#define UNPACK_LOW(word) HALF_TO_FLOAT((word) & 0xFFFFu)
#define UNPACK_HIGH(word) HALF_TO_FLOAT((word) >> 16)
#ifdef PACK_HALVES
#define PACK_PAIR PACK_HALVES
#endif
#ifdef LARGER_HALVES
#define LARGER_PAIR LARGER_HALVES
#endif
#ifdef PLUS_ZERO_HALVES
#define PLUS_ZERO_PAIR PLUS_ZERO_HALVES
#endif
#else
typedef unsigned short storage;
#define UNPACK(s) bf16_to_float(s)
#define PACK(s) ((storage)FLOAT_TO_BF16(s))
#define UNPACK_LOW(word) FLOAT_OF((word) << 16)
#define UNPACK_HIGH(word) FLOAT_OF((word) & 0xFFFF0000u)
#ifdef PACK_BF16S
#define PACK_PAIR PACK_BF16S
#endif
#ifdef LARGER_BF16S
#define LARGER_PAIR LARGER_BF16S
#endif
#ifdef PLUS_ZERO_BF16S
#define PLUS_ZERO_PAIR PLUS_ZERO_BF16S
#endif
#endif
#if IS_16_BIT && !defined(PACK_PAIR)
#define PACK_PAIR(low, high) ((unsigned int)PACK(low) | (unsigned int)PACK(high) << 16)
#endif

/** A vector as it lies in memory, loaded and stored by one instruction. */
#if VECTOR_BYTES == 16
typedef words4 vector;
#elif VECTOR_BYTES == 8
typedef words2 vector;
#else
typedef unsigned int vector; /* of 2 bytes, too, as registers have them */
#endif

/** Word i of a vector; an expression, so that it stays in registers. */
#if VECTOR_BYTES == 16
#define WORD(c, i) ((i) == 0 ? (c).x : (i) == 1 ? (c).y : (i) == 2 ? (c).z : (c).w)
#elif VECTOR_BYTES == 8
#define WORD(c, i) ((i) == 0 ? (c).x : (c).y)
#else
#define WORD(c, i) (c)
#endif

DEVICE vector zero_vector(void)
{
    vector zero;
#if VECTOR_BYTES >= 8
    zero.x = zero.y = 0;
#endif
#if VECTOR_BYTES == 16
    zero.z = zero.w = 0;
#elif VECTOR_BYTES < 8
    zero = 0;
#endif
    return zero;
}

DEVICE vector load_vector(GLOBAL const storage *from)
{
#if VECTOR_BYTES == 2
    return *from;
#else
    return *(GLOBAL const vector *)from;
#endif
}

DEVICE void unpack_vector(vector c, real *out)
{
    UNROLL
    for (int v = 0; v < GRKAN_VECTOR; ++v) {
#if IS_16_BIT && GRKAN_VECTOR > 1
        out[v] = v % 2 == 0 ? UNPACK_LOW(WORD(c, v / 2)) : UNPACK_HIGH(WORD(c, v / 2));
#elif IS_16_BIT
        out[v] = UNPACK(c);
#elif GRKAN_DTYPE == 3
        out[v] = DOUBLE_OF(WORD(c, 2 * v), WORD(c, 2 * v + 1));
#else
        out[v] = FLOAT_OF(WORD(c, v));
#endif
    }
}

/** The element of `count` that unpack_plus_zero has last. */
#define LAST_UNPACKED(count) (IS_16_BIT && GRKAN_VECTOR > 1 ? (count) - 2 : (count) - 1)

/** As unpack_vector, and through PLUS_ZERO where the sign of an element is asked for. */
DEVICE void unpack_plus_zero(vector c, real *out)
{
#if ASKS_SIGN_OF_X && defined(PLUS_ZERO_PAIR) && VECTOR_BYTES >= 4
    UNROLL
    for (int v = 0; v < GRKAN_VECTOR; v += 2) {
        const unsigned int pair = PLUS_ZERO_PAIR(WORD(c, v / 2));
        out[v + 1] = UNPACK_HIGH(pair);
        out[v] = UNPACK_LOW(pair);
    }
#else
    unpack_vector(c, out);
    UNROLL
    for (int v = 0; v < GRKAN_VECTOR; ++v)
        out[v] = ASKS_SIGN_OF_X ? PLUS_ZERO(out[v]) : out[v];
#endif
}

/** The largest absolute value in count vectors. */
DEVICE real largest_in(const vector *c, int count)
{
    real largest = REAL(0.0);
#if defined(LARGER_PAIR) && VECTOR_BYTES >= 4
    unsigned int pair = 0;
    UNROLL
    for (int i = 0; i < count; ++i) {
        unsigned int own = WORD(c[i], 0);
#if VECTOR_BYTES >= 8
        own = LARGER_PAIR(own, WORD(c[i], 1));
#endif
#if VECTOR_BYTES == 16
        own = LARGER_PAIR(own, LARGER_PAIR(WORD(c[i], 2), WORD(c[i], 3)));
#endif
        pair = i == 0 ? own : LARGER_PAIR(pair, own);
    }
    largest = MAXIMUM(ABS(UNPACK_LOW(pair)), ABS(UNPACK_HIGH(pair)));
#else
    UNROLL
    for (int i = 0; i < count; ++i) {
        real values[GRKAN_VECTOR];
        unpack_vector(c[i], values);
        UNROLL
        for (int v = 0; v < GRKAN_VECTOR; ++v)
            largest = MAXIMUM(largest, ABS(values[v]));
    }
#endif
    return largest;
}

DEVICE void store_vector(GLOBAL storage *to, const real *in)
{
#if VECTOR_BYTES == 2
    *to = PACK(in[0]);
#else
    unsigned int word[4];
    UNROLL
    for (int i = 0; i < VECTOR_BYTES / 4; ++i) {
#if IS_16_BIT
        word[i] = PACK_PAIR(in[2 * i], in[2 * i + 1]);
#elif GRKAN_DTYPE == 3
        word[i] = i % 2 == 0 ? LOW_OF(in[i / 2]) : HIGH_OF(in[i / 2]);
#else
        word[i] = BITS_OF(in[i]);
#endif
    }
#if VECTOR_BYTES == 16
    words4 w;
    w.x = word[0];
    w.y = word[1];
    w.z = word[2];
    w.w = word[3];
    *(GLOBAL words4 *)to = w;
#elif VECTOR_BYTES == 8
    words2 w;
    w.x = word[0];
    w.y = word[1];
    *(GLOBAL words2 *)to = w;
#else
    *(GLOBAL unsigned int *)to = word[0];
#endif
#endif
}

#endif
