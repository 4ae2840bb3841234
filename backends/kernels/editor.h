/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file editor.h
 * @brief A dialect in C of a device with one thread, and KAT's layer, so that each header of the kernels parses alone: for
 * editors and for the test that holds them to it. No backend has it.
 */
#ifndef GRKAN_EDITOR_H
#define GRKAN_EDITOR_H

#include <math.h>
#include <stddef.h>
#include <stdint.h>

typedef int64_t grkan_int64;
typedef float scalar;
typedef float real;

#define DEVICE static inline __attribute__((unused))
#define OUTLINE static __attribute__((noinline, unused))
#define UNROLL
#define NO_UNROLL
#define GLOBAL
#define SHARED
#define REAL(c) c##f
#define FMA(a, b, c) fmaf(a, b, c)
#define DIVIDE(a, b) ((a) / (b))
#define RECIPROCAL(q) (1.0f / (q))
#define SQRT(v) sqrtf(v)
#define ABS(x) fabsf(x)
#define MAXIMUM(a, b) fmaxf(a, b)
#define FLIP(v, by) ((by) < 0.0f ? -(v) : (v))
#define PLUS_ZERO(x) (x)
#define BITS_OF(value)                                                                                                 \
    ((union {                                                                                                          \
        float f;                                                                                                       \
        unsigned int i;                                                                                                \
    }){(value)})                                                                                                       \
        .i
#define FLOAT_OF(bits)                                                                                                 \
    ((union {                                                                                                          \
        unsigned int i;                                                                                                \
        float f;                                                                                                       \
    }){(bits)})                                                                                                        \
        .f
#define ATOMIC_ADD(pointer, value) ((void)(*(pointer) += (value)))

#define GRKAN_PARAMETER_0 5
#define GRKAN_PARAMETER_1 4
#define GRKAN_PARAMETER_2 0
#define GRKAN_PARAMETER_3 12
#define GRKAN_MAY_HAVE_POLES 0
#define GRKAN_DTYPE 0
#define GRKAN_OUTPUT_DTYPE 0
#define GRKAN_VECTOR 4
#define GRKAN_VECTOR_GROUPS 1
#define GRKAN_SEGMENTED 0
#define GRKAN_STRATEGY 3
#define GRKAN_IEEE 1
#define GRKAN_FORWARD_BLOCK 384
#define GRKAN_FORWARD_RESIDENT 1
#define GRKAN_FORWARD_STAGES 1
#define GRKAN_FORWARD_STEP 4
#define GRKAN_BACKWARD_BLOCK 384
#define GRKAN_BACKWARD_RESIDENT 1
#define GRKAN_BACKWARD_STAGES 1
#define GRKAN_BACKWARD_STEP 4

#define SEGMENTS(g) (GRKAN_SEGMENTED ? (g)->columns.segments : 1)
#define VECTOR_ELEMENTS(g) GRKAN_VECTOR
#define VECTOR_GROUPS(g) GRKAN_VECTOR_GROUPS
#define BLOCK_THREADS(g) GRKAN_BACKWARD_BLOCK
#define KERNEL(threads, resident) void
#define SHARED_ARRAY(type, name, size) static type name[size]
#define BLOCK_INDEX() ((grkan_int64)0)
#define THREAD_INDEX() 0
#define BARRIER()
#define OFFSET(pointer, elements) ((pointer) + (elements))

/* One lane. */
#define GRKAN_LANES 1
#define PRIVATE
#define LOAD_LANES(space, from) (*(space const real *)(from))
#define STORE_LANES(space, to, lanes) (*(space real *)(to) = (lanes))
#define LOAD_SHORTS(space, from) (*(space const unsigned short *)(from))
#define STORE_SHORTS(space, to, shorts) (*(space unsigned short *)(to) = (shorts))
#define BITS_OF_LANES(shorts) ((unsigned int)(shorts))
#define SHORTS_OF_LANES(bits) ((unsigned short)(bits))
#define BROADCAST(value) (value)
#define EVEN_LANES(a, b) (a)
#define ODD_LANES(a, b) (b)
#define MERGED_LOW(a, b) (a)
#define MERGED_HIGH(a, b) (b)
#define ASK_FOR(pointer) ((void)(pointer))

typedef struct words2 {
    unsigned int x, y;
} words2;
typedef struct words4 {
    unsigned int x, y, z, w;
} words4;

#endif
