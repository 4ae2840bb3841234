/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file vector.h
 * @brief The elements that a GPU's thread takes from a row at once: loaded and stored by one instruction each, or by two
 * where a block would have too few threads for a row.
 *
 * x and dx are of one storage type, y and dy of another or the same. Tensors are bytes here, and functions get the type
 * (grkan_dtype's number) as a constant, so that a compiler keeps what that type needs.
 */
#ifndef GRKAN_VECTOR_H
#define GRKAN_VECTOR_H

#include "family.h"
#include "storage.h"

#define SCALAR_BYTES (X_DTYPE == 3 ? 8 : 4)

/** Of an element of whichever type has fewer. */
#define NARROW_BYTES (DTYPE_BYTES(X_DTYPE) < DTYPE_BYTES(Y_DTYPE) ? DTYPE_BYTES(X_DTYPE) : DTYPE_BYTES(Y_DTYPE))
#define VECTOR_BYTES(dtype) (GRKAN_VECTOR * DTYPE_BYTES(dtype))

/** A pointer so many elements or vectors of `bytes` each further on. Counted in bytes it would take compilers an instruction
    and a register more. @param space GLOBAL, GLOBAL const or SHARED */
#define FURTHER(space, pointer, bytes, count)                                                                          \
    ((bytes) == 32   ? (space char *)((space words4 *)(pointer) + 2 * (count))                                         \
     : (bytes) == 16 ? (space char *)((space words4 *)(pointer) + (count))                                             \
     : (bytes) == 8  ? (space char *)((space words2 *)(pointer) + (count))                                             \
     : (bytes) == 4  ? (space char *)((space unsigned int *)(pointer) + (count))                                       \
                     : (space char *)((space unsigned short *)(pointer) + (count)))

/** Bytes of as many elements of a type as are so many bytes of another. */
#define CONVERTED_BYTES(bytes, from, to)                                                                               \
    (DTYPE_BYTES(to) >= DTYPE_BYTES(from) ? (bytes) * (DTYPE_BYTES(to) / DTYPE_BYTES(from))                            \
                                          : (bytes) / (DTYPE_BYTES(from) / DTYPE_BYTES(to)))

/** Words of a vector of whichever type has more. */
#define WIDEST_VECTOR_BYTES                                                                                            \
    (VECTOR_BYTES(X_DTYPE) > VECTOR_BYTES(Y_DTYPE) ? VECTOR_BYTES(X_DTYPE) : VECTOR_BYTES(Y_DTYPE))
#define VECTOR_WORDS (WIDEST_VECTOR_BYTES < 4 ? 1 : WIDEST_VECTOR_BYTES / 4)

/** A vector of any type, in registers: its first words, as it lies in memory. One of 2 bytes is the low half of a word. */
#if VECTOR_WORDS > 1
typedef struct vector {
    unsigned int word[VECTOR_WORDS];
} vector;
#define WORD(c, i) ((c).word[(i) % VECTOR_WORDS]) /* i may be beyond where the type at hand has no such code */
#else /* no struct of one word, which NVRTC makes branches of: an eighth more instructions in segmented loops */
typedef unsigned int vector;
#define WORD(c, i) (c)
#endif

DEVICE vector zero_vector(void)
{
    vector zero;
    UNROLL
    for (int i = 0; i < VECTOR_WORDS; ++i)
        WORD(zero, i) = 0;
    return zero;
}

/** A vector that nobody looks at. */
DEVICE vector any_vector(void)
{
    vector any;
    UNROLL
    for (int i = 0; i < VECTOR_WORDS; ++i)
        WORD(any, i) = ANY_WORD();
    return any;
}

/* The second half of a vector of two accesses. */
#if VECTOR_WORDS > 4
#define LOAD_SECOND(dtype, space, from, c)                                                                             \
    if (VECTOR_BYTES(dtype) == 32) {                                                                                   \
        const words4 second = ((space const words4 *)(from))[1];                                                       \
        WORD(c, 4) = second.x;                                                                                         \
        WORD(c, 5) = second.y;                                                                                         \
        WORD(c, 6) = second.z;                                                                                         \
        WORD(c, 7) = second.w;                                                                                         \
    }
#else
#define LOAD_SECOND(dtype, space, from, c)
#endif

/** A function that loads a vector from an address space. */
#define LOAD_FUNCTION(name, space)                                                                                     \
    DEVICE vector name(int dtype, space const char *from)                                                              \
    {                                                                                                                  \
        vector c;                                                                                                      \
        if (VECTOR_BYTES(dtype) >= 16) {                                                                               \
            const words4 words = *(space const words4 *)from;                                                          \
            WORD(c, 0) = words.x;                                                                                      \
            WORD(c, 1) = words.y;                                                                                      \
            WORD(c, 2) = words.z;                                                                                      \
            WORD(c, 3) = words.w;                                                                                      \
            LOAD_SECOND(dtype, space, from, c)                                                                         \
        } else if (VECTOR_BYTES(dtype) == 8) {                                                                         \
            const words2 words = *(space const words2 *)from;                                                          \
            WORD(c, 0) = words.x;                                                                                      \
            WORD(c, 1) = words.y;                                                                                      \
        } else if (VECTOR_BYTES(dtype) == 4) {                                                                         \
            WORD(c, 0) = *(space const unsigned int *)from;                                                            \
        } else {                                                                                                       \
            WORD(c, 0) = *(space const unsigned short *)from;                                                          \
        }                                                                                                              \
        return c;                                                                                                      \
    }
LOAD_FUNCTION(load_global, GLOBAL)
#ifdef COPY_ASYNC
LOAD_FUNCTION(load_shared, SHARED)
#endif
#undef LOAD_FUNCTION

/* ------------------------------------------------------------------------------------------------------ one element */

/** An element of a 16-bit type by its bits; an element of a word of two. */
#define UNPACK_BITS(dtype, bits) ((dtype) == 1 ? HALF_TO_FLOAT(bits) : bf16_to_float(bits))
#define UNPACK_LOW(dtype, word) ((dtype) == 1 ? HALF_TO_FLOAT((word) & 0xFFFFu) : FLOAT_OF((word) << 16))
#define UNPACK_HIGH(dtype, word) ((dtype) == 1 ? HALF_TO_FLOAT((word) >> 16) : FLOAT_OF((word) & 0xFFFF0000u))

/** And back. */
#define PACK_BITS(dtype, value) ((unsigned short)((dtype) == 1 ? FLOAT_TO_HALF(value) : FLOAT_TO_BF16(value)))
#define PACK_BOTH(dtype, low, high) ((unsigned int)PACK_BITS(dtype, low) | (unsigned int)PACK_BITS(dtype, high) << 16)
#ifndef PACK_HALVES
#define PACK_HALVES(low, high) PACK_BOTH(1, low, high)
#endif
#ifndef PACK_BF16S
#define PACK_BF16S(low, high) PACK_BOTH(2, low, high)
#endif

/** Element i of a tensor. */
DEVICE real load_element(int dtype, GLOBAL const char *tensor, grkan_int64 i)
{
#if X_DTYPE != 3
    if (IS_16_BIT(dtype))
        return UNPACK_BITS(dtype, ((GLOBAL const unsigned short *)tensor)[i]);
#endif
    return ((GLOBAL const scalar *)tensor)[i];
}

DEVICE void store_element(int dtype, GLOBAL char *tensor, grkan_int64 i, real value)
{
#if X_DTYPE != 3
    if (IS_16_BIT(dtype)) {
        ((GLOBAL unsigned short *)tensor)[i] = PACK_BITS(dtype, value);
        return;
    }
#endif
    ((GLOBAL scalar *)tensor)[i] = value;
}

/* --------------------------------------------------------------------------------------------------------- vectors */

DEVICE void unpack_vector(int dtype, vector c, real *out)
{
    UNROLL
    for (int v = 0; v < GRKAN_VECTOR; ++v) {
#if X_DTYPE == 3
        out[v] = DOUBLE_OF(WORD(c, 2 * v), WORD(c, 2 * v + 1));
#else
        if (!IS_16_BIT(dtype))
            out[v] = FLOAT_OF(WORD(c, v));
        else if (GRKAN_VECTOR == 1)
            out[v] = UNPACK_BITS(dtype, WORD(c, 0));
        else
            out[v] = v % 2 == 0 ? UNPACK_LOW(dtype, WORD(c, v / 2)) : UNPACK_HIGH(dtype, WORD(c, v / 2));
#endif
    }
}

/* What takes both elements of a word of x at once, where that is one instruction. */
#if X_DTYPE == 1 && defined(LARGER_HALVES) && GRKAN_VECTOR > 1
#define LARGER_PAIR LARGER_HALVES
#elif X_DTYPE == 2 && defined(LARGER_BF16S) && GRKAN_VECTOR > 1
#define LARGER_PAIR LARGER_BF16S
#endif
#if X_DTYPE == 1 && defined(PLUS_ZERO_HALVES) && GRKAN_VECTOR > 1
#define PLUS_ZERO_PAIR PLUS_ZERO_HALVES
#elif X_DTYPE == 2 && defined(PLUS_ZERO_BF16S) && GRKAN_VECTOR > 1
#define PLUS_ZERO_PAIR PLUS_ZERO_BF16S
#endif

/** The element of `count` that unpack_plus_zero has last. */
#define LAST_UNPACKED(count) (IS_16_BIT(X_DTYPE) && GRKAN_VECTOR > 1 ? (count) - 2 : (count) - 1)

/** A vector of x, through PLUS_ZERO where the sign of an element is asked for. */
DEVICE void unpack_plus_zero(vector c, real *out)
{
#if ASKS_SIGN_OF_X && defined(PLUS_ZERO_PAIR)
    UNROLL
    for (int v = 0; v < GRKAN_VECTOR; v += 2) {
        const unsigned int pair = PLUS_ZERO_PAIR(WORD(c, v / 2));
        out[v + 1] = UNPACK_HIGH(X_DTYPE, pair);
        out[v] = UNPACK_LOW(X_DTYPE, pair);
    }
#else
    unpack_vector(X_DTYPE, c, out);
    UNROLL
    for (int v = 0; v < GRKAN_VECTOR; ++v)
        out[v] = ASKS_SIGN_OF_X ? PLUS_ZERO(out[v]) : out[v];
#endif
}

/** The largest absolute value in count vectors of x. */
DEVICE real largest_in(const vector *c, int count)
{
    real largest = REAL(0.0);
#ifdef LARGER_PAIR
    unsigned int pair = 0;
    UNROLL
    for (int i = 0; i < count; ++i) {
        unsigned int own = WORD(c[i], 0);
#if VECTOR_BYTES(X_DTYPE) >= 8
        own = LARGER_PAIR(own, WORD(c[i], 1));
#endif
#if VECTOR_BYTES(X_DTYPE) == 16
        own = LARGER_PAIR(own, LARGER_PAIR(WORD(c[i], 2), WORD(c[i], 3)));
#endif
        pair = i == 0 ? own : LARGER_PAIR(pair, own);
    }
    largest = MAXIMUM(ABS(UNPACK_LOW(X_DTYPE, pair)), ABS(UNPACK_HIGH(X_DTYPE, pair)));
#else
    UNROLL
    for (int i = 0; i < count; ++i) {
        real values[GRKAN_VECTOR];
        unpack_vector(X_DTYPE, c[i], values);
        UNROLL
        for (int v = 0; v < GRKAN_VECTOR; ++v)
            largest = MAXIMUM(largest, ABS(values[v]));
    }
#endif
    return largest;
}

/** The largest absolute value of count. */
DEVICE real largest_of(const real *values, int count)
{
    real largest = REAL(0.0);
    UNROLL
    for (int i = 0; i < count; ++i)
        largest = MAXIMUM(largest, ABS(values[i]));
    return largest;
}

DEVICE vector pack_vector(int dtype, const real *in)
{
    vector c = zero_vector();
    UNROLL
    for (int i = 0; i < VECTOR_BYTES(dtype) / 4; ++i) {
#if X_DTYPE == 3
        WORD(c, i) = i % 2 == 0 ? LOW_OF(in[i / 2]) : HIGH_OF(in[i / 2]);
#else
        WORD(c, i) = dtype == 1   ? PACK_HALVES(in[2 * i], in[2 * i + 1])
                     : dtype == 2 ? PACK_BF16S(in[2 * i], in[2 * i + 1])
                                  : BITS_OF(in[i]);
#endif
    }
    return c;
}

DEVICE void store_vector(int dtype, GLOBAL char *to, const real *in)
{
    const vector c = pack_vector(dtype, in);
    if (VECTOR_BYTES(dtype) >= 16) {
        words4 words;
        words.x = WORD(c, 0);
        words.y = WORD(c, 1);
        words.z = WORD(c, 2);
        words.w = WORD(c, 3);
        *(GLOBAL words4 *)to = words;
#if VECTOR_WORDS > 4
        if (VECTOR_BYTES(dtype) == 32) {
            words4 second;
            second.x = WORD(c, 4);
            second.y = WORD(c, 5);
            second.z = WORD(c, 6);
            second.w = WORD(c, 7);
            ((GLOBAL words4 *)to)[1] = second;
        }
#endif
    } else if (VECTOR_BYTES(dtype) == 8) {
        words2 words;
        words.x = WORD(c, 0);
        words.y = WORD(c, 1);
        *(GLOBAL words2 *)to = words;
    } else if (VECTOR_BYTES(dtype) == 4) {
        *(GLOBAL unsigned int *)to = WORD(c, 0);
    } else {
        store_element(dtype, to, 0, in[0]);
    }
}

#endif
