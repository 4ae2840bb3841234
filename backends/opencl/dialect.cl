/* SPDX-License-Identifier: Apache-2.0 */
/* The kernels' words in OpenCL C 1.2. */
#pragma OPENCL FP_CONTRACT OFF

typedef long grkan_int64;

#if GRKAN_DTYPE == 3
#pragma OPENCL EXTENSION cl_khr_fp64 : enable
typedef double scalar;
#define REAL(c) c
#define DOUBLE_OF(low, high) as_double((uint2)(low, high))
#define LOW_OF(value) (as_uint2(value).x)
#define HIGH_OF(value) (as_uint2(value).y)
#else
typedef float scalar;
#define REAL(c) c##f
#endif
typedef scalar real;

#define DEVICE static inline
#define GLOBAL __global
#define SHARED __local
#define SHARED_ARRAY(type, name, size) __local type name[size]
#define KERNEL(threads, resident) __kernel __attribute__((reqd_work_group_size(threads, 1, 1))) void
#define UNROLL _Pragma("unroll")
#define NO_UNROLL _Pragma("nounroll")
#define SEGMENTS(g) (GRKAN_SEGMENTED ? (g)->columns.segments : 1)
#define VECTOR_ELEMENTS(g) GRKAN_VECTOR
#define VECTOR_GROUPS(g) GRKAN_VECTOR_GROUPS
#define BLOCK_THREADS(g) GRKAN_BACKWARD_BLOCK

#define BLOCK_INDEX() ((grkan_int64)get_group_id(0))
#define THREAD_INDEX() ((int)get_local_id(0))
#define OFFSET(pointer, elements) ((pointer) + (elements))
#define BARRIER() barrier(CLK_LOCAL_MEM_FENCE)

#define FMA(a, b, c) fma(a, b, c)
#define ABS(x) fabs(x)
#define MAXIMUM(a, b) fmax(a, b)
#define DIVIDE(a, b) ((a) / (b))
#define SQRT(v) sqrt(v)
#define BITS_OF(value) as_uint(value)
#define FLOAT_OF(bits) as_float(bits)

typedef uint2 words2;
typedef uint4 words4;

#ifdef PTX_ARCHITECTURE /* NVIDIA's compiler; the build says for which GPU. The other words: ptx.h */
#define PTX_FUNCTION static inline
#define OUTLINE DEVICE /* a call would take registers of the f32 backward: 21 % more time on an H200 */
#define PTX_SHARED(pointer) ((unsigned int)(size_t)(pointer))
#else
#define OUTLINE static __attribute__((noinline))
#define FLIP(v, by) ((by) < REAL(0.0) ? -(v) : (v))
#define PLUS_ZERO(x) (x)
#define RECIPROCAL(q) (REAL(1.0) / (q))

#if GRKAN_STRATEGY != 3
#if GRKAN_DTYPE == 3
#pragma OPENCL EXTENSION cl_khr_int64_base_atomics : enable
typedef ulong scalar_bits;
#define SCALAR_BITS(value) as_ulong(value)
#define SCALAR_OF(bits) as_double(bits)
#define SCALAR_EXCHANGE(pointer, old, next) atom_cmpxchg(pointer, old, next)
#else
typedef uint scalar_bits;
#define SCALAR_BITS(value) as_uint(value)
#define SCALAR_OF(bits) as_float(bits)
#define SCALAR_EXCHANGE(pointer, old, next) atomic_cmpxchg(pointer, old, next)
#endif

/* OpenCL 1.2 adds integers only: exchange until nobody came between. */
static inline void atomic_add_scalar(__global scalar *sum, scalar term)
{
    volatile __global scalar_bits *bits = (volatile __global scalar_bits *)sum;
    scalar_bits seen = 0; /* a guess, which the first exchange corrects: a plain read would be a race */
    scalar_bits expected;
    do {
        expected = seen;
        seen = SCALAR_EXCHANGE(bits, expected, SCALAR_BITS(SCALAR_OF(expected) + term));
    } while (seen != expected);
}
#define ATOMIC_ADD(pointer, value) atomic_add_scalar(pointer, value)
#else
#define ATOMIC_ADD(pointer, value) ((void)(value))
#endif
#endif
