/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file chunk.h
 * @brief The elements that a GPU's thread takes from a row at once: loaded and stored by one instruction each.
 *
 * For the dialects of gpu.h; beside the words that it names, PACK_HALVES and PACK_BF16S may convert two floats at once.
 */

#define ELEMENT_BYTES (GRKAN_DTYPE == 3 ? 8 : GRKAN_DTYPE == 0 ? 4 : 2)
#define CHUNK_BYTES (GRKAN_VECTOR * ELEMENT_BYTES)
#define IS_16_BIT (GRKAN_DTYPE == 1 || GRKAN_DTYPE == 2)

#if GRKAN_DTYPE == 0 || GRKAN_DTYPE == 3
typedef scalar storage;
#define UNPACK(s) (s)
#define PACK(s) (s)
#elif GRKAN_DTYPE == 1
typedef unsigned short storage;
#define UNPACK(s) HALF_TO_FLOAT(s)
#define PACK(s) ((storage)FLOAT_TO_HALF(s))
#define UNPACK_LOW(word) HALF_TO_FLOAT((word)&0xFFFFu)
#define UNPACK_HIGH(word) HALF_TO_FLOAT((word) >> 16)
#ifdef PACK_HALVES
#define PACK_PAIR PACK_HALVES
#endif
#else
typedef unsigned short storage;
#define UNPACK(s) bf16_to_float(s)
#define PACK(s) ((storage)float_to_bf16(s))
#define UNPACK_LOW(word) FLOAT_OF((word) << 16)
#define UNPACK_HIGH(word) FLOAT_OF((word)&0xFFFF0000u)
#ifdef PACK_BF16S
#define PACK_PAIR PACK_BF16S
#endif
#endif
#if IS_16_BIT && !defined(PACK_PAIR)
#define PACK_PAIR(low, high) ((unsigned int)PACK(low) | (unsigned int)PACK(high) << 16)
#endif

/** A chunk as it lies in memory, loaded and stored by one instruction. */
#if CHUNK_BYTES == 16
typedef words4 chunk;
#elif CHUNK_BYTES == 8
typedef words2 chunk;
#elif CHUNK_BYTES == 4
typedef unsigned int chunk;
#else
typedef unsigned short chunk;
#endif

/** Word i of a chunk; an expression, so that it stays in registers. */
#if CHUNK_BYTES == 16
#define WORD(c, i) ((i) == 0 ? (c).x : (i) == 1 ? (c).y : (i) == 2 ? (c).z : (c).w)
#elif CHUNK_BYTES == 8
#define WORD(c, i) ((i) == 0 ? (c).x : (c).y)
#else
#define WORD(c, i) (c)
#endif

DEVICE chunk load_chunk(GLOBAL const storage *from)
{
    return *(GLOBAL const chunk *)from;
}

DEVICE void unpack_chunk(chunk c, real *out)
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

DEVICE void store_chunk(GLOBAL storage *to, const real *in)
{
#if CHUNK_BYTES == 2
    *to = PACK(in[0]);
#else
    unsigned int word[4];
    UNROLL
    for (int i = 0; i < CHUNK_BYTES / 4; ++i) {
#if IS_16_BIT
        word[i] = PACK_PAIR(in[2 * i], in[2 * i + 1]);
#elif GRKAN_DTYPE == 3
        word[i] = i % 2 == 0 ? LOW_OF(in[i / 2]) : HIGH_OF(in[i / 2]);
#else
        word[i] = BITS_OF(in[i]);
#endif
    }
#if CHUNK_BYTES == 16
    words4 w;
    w.x = word[0];
    w.y = word[1];
    w.z = word[2];
    w.w = word[3];
    *(GLOBAL words4 *)to = w;
#elif CHUNK_BYTES == 8
    words2 w;
    w.x = word[0];
    w.y = word[1];
    *(GLOBAL words2 *)to = w;
#else
    *(GLOBAL unsigned int *)to = word[0];
#endif
#endif
}
