/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file chunk.h
 * @brief The elements that a GPU's thread takes from a row at once: loaded and stored by one instruction each.
 *
 * For the dialects of gpu.h; beside the words that it names, PACK_HALVES and PACK_BF16S may convert two floats at once,
 * LARGER_HALVES and LARGER_BF16S may take, of two words with two 16-bit elements each, the larger absolute values with
 * any sign, PLUS_ZERO_HALVES and PLUS_ZERO_BF16S may do what PLUS_ZERO does for both elements of a word, and
 * COPY_ASYNC(to, from, bytes, exists) may start a copy of 8 or 16 bytes from global to shared memory (zeros where nothing
 * exists), with COPIES_END() after the copies that belong together and COPIES_WAIT(n) until at most the last n such sets
 * are on their way.
 */

#define ELEMENT_BYTES (GRKAN_DTYPE == 3 ? 8 : GRKAN_DTYPE == 0 ? 4 : 2)
#define SCALAR_BYTES (GRKAN_DTYPE == 3 ? 8 : 4)
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
#define UNPACK_HIGH(word) FLOAT_OF((word)&0xFFFF0000u)
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

/** A chunk as it lies in memory, loaded and stored by one instruction. */
#if CHUNK_BYTES == 16
typedef words4 chunk;
#elif CHUNK_BYTES == 8
typedef words2 chunk;
#else
typedef unsigned int chunk; /* of 2 bytes, too, as registers have them */
#endif

/** Word i of a chunk; an expression, so that it stays in registers. */
#if CHUNK_BYTES == 16
#define WORD(c, i) ((i) == 0 ? (c).x : (i) == 1 ? (c).y : (i) == 2 ? (c).z : (c).w)
#elif CHUNK_BYTES == 8
#define WORD(c, i) ((i) == 0 ? (c).x : (c).y)
#else
#define WORD(c, i) (c)
#endif

DEVICE chunk zero_chunk(void)
{
    chunk zero;
#if CHUNK_BYTES >= 8
    zero.x = zero.y = 0;
#endif
#if CHUNK_BYTES == 16
    zero.z = zero.w = 0;
#elif CHUNK_BYTES < 8
    zero = 0;
#endif
    return zero;
}

DEVICE chunk load_chunk(GLOBAL const storage *from)
{
#if CHUNK_BYTES == 2
    return *from;
#else
    return *(GLOBAL const chunk *)from;
#endif
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

/** The element of `count` that unpack_plus_zero has last. */
#define LAST_UNPACKED(count) (IS_16_BIT && GRKAN_VECTOR > 1 ? (count)-2 : (count)-1)

/** As unpack_chunk, and through PLUS_ZERO where the sign of an element is asked for. */
DEVICE void unpack_plus_zero(chunk c, real *out)
{
#if GRKAN_FORM == FORM_ABS_TERMS && defined(PLUS_ZERO_PAIR) && CHUNK_BYTES >= 4
    UNROLL
    for (int v = 0; v < GRKAN_VECTOR; v += 2) {
        const unsigned int pair = PLUS_ZERO_PAIR(WORD(c, v / 2));
        out[v + 1] = UNPACK_HIGH(pair);
        out[v] = UNPACK_LOW(pair);
    }
#else
    unpack_chunk(c, out);
    UNROLL
    for (int v = 0; v < GRKAN_VECTOR; ++v)
        out[v] = GRKAN_FORM == FORM_ABS_TERMS ? PLUS_ZERO(out[v]) : out[v];
#endif
}

/** The largest absolute value in count chunks. */
DEVICE real largest_in(const chunk *c, int count)
{
    real largest = REAL(0.0);
#if defined(LARGER_PAIR) && CHUNK_BYTES >= 4
    unsigned int pair = 0;
    UNROLL
    for (int i = 0; i < count; ++i) {
        unsigned int own = WORD(c[i], 0);
#if CHUNK_BYTES >= 8
        own = LARGER_PAIR(own, WORD(c[i], 1));
#endif
#if CHUNK_BYTES == 16
        own = LARGER_PAIR(own, LARGER_PAIR(WORD(c[i], 2), WORD(c[i], 3)));
#endif
        pair = i == 0 ? own : LARGER_PAIR(pair, own);
    }
    largest = MAXIMUM(ABS(UNPACK_LOW(pair)), ABS(UNPACK_HIGH(pair)));
#else
    UNROLL
    for (int i = 0; i < count; ++i) {
        real values[GRKAN_VECTOR];
        unpack_chunk(c[i], values);
        UNROLL
        for (int v = 0; v < GRKAN_VECTOR; ++v)
            largest = MAXIMUM(largest, ABS(values[v]));
    }
#endif
    return largest;
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

/**
 * A thread's queue of chunks on their way. Where the hardware copies to shared memory by itself, they lie there, several
 * steps ahead, and take no registers; the order of a thread's own copies and waits needs no barrier. Elsewhere, and
 * where chunks are narrow, which loads bring sooner, they are in registers, one step ahead.
 */
#if defined(COPY_ASYNC) && CHUNK_BYTES >= 8
#define STEPS_AHEAD(steps) (steps)
#define QUEUE SHARED chunk
/** At a line of 128 bytes: copies are slower where a line of global memory comes to lie across two of shared memory. */
#define QUEUE_ARRAY(name, chunks, block) SHARED_ARRAY(chunk, name, (chunks) * (block)) __attribute__((aligned(128)))
#define QUEUE_START() THREAD_INDEX()
#define QUEUE_STRIDE(block) (block)
#define QUEUE_END() COPIES_END()
#define QUEUE_WAIT(sets) COPIES_WAIT(sets)
/** What threads exchange when a block reduces its sums takes the queue's place, which nobody needs by then. */
#define EXCHANGE_ARRAY(name, queue) SHARED scalar *const name = (SHARED scalar *)queue
#else
#define STEPS_AHEAD(steps) 1
#define QUEUE chunk
#define QUEUE_ARRAY(name, chunks, block) chunk name[chunks]
#define QUEUE_START() 0
#define QUEUE_STRIDE(block) 1
#define QUEUE_END()
#define QUEUE_WAIT(sets)
#define EXCHANGE_ARRAY(name, queue) SHARED_ARRAY(scalar, name, GRKAN_BACKWARD_BLOCK / MOST_SLICES * (MOST_SLICES + 1))
#endif

/** The first and the last place of the queue, added. @param length of a step @param steps in the queue */
DEVICE int ends_of_queue(int length, int steps)
{
    return (int)HIDE(2 * QUEUE_START() + (steps - 1) * length);
}

/** From the place of a step in the queue to the next one's. */
DEVICE int next_place(int place, int ends, int length, int steps)
{
    const int start = QUEUE_START();
    if (steps <= 2)
        return steps == 1 ? place : ends - place;
    return place == ends - start ? start : place + length;
}

/** Ask for a chunk; zeros come where none exists. */
DEVICE void ask_chunk(QUEUE *to, GLOBAL const storage *from, int exists)
{
#if defined(COPY_ASYNC) && CHUNK_BYTES >= 8
    COPY_ASYNC(to, from, CHUNK_BYTES, exists);
#else
    if (exists)
        *to = load_chunk(from);
    else
        *to = zero_chunk();
#endif
}
