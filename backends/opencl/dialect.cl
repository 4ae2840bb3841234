/* SPDX-License-Identifier: Apache-2.0 */
/* The kernels' words in OpenCL C 1.2. */
#pragma OPENCL FP_CONTRACT OFF
#ifdef __clang__ /* what is a constant of one plan is none of another */
#pragma clang diagnostic ignored "-Wconstant-logical-operand"
#endif

typedef long grkan_int64;

#if GRKAN_DTYPE == 3
#pragma OPENCL EXTENSION cl_khr_fp64 : enable
typedef double scalar;
typedef ulong scalar_bits;
#define SCALAR(c) c
#define SCALAR_BITS(value) as_ulong(value)
#define SCALAR_OF(bits) as_double(bits)
#define DOUBLE_OF(low, high) as_double((uint2)(low, high))
#define LOW_OF(value) (as_uint2(value).x)
#define HIGH_OF(value) (as_uint2(value).y)
#else
typedef float scalar;
typedef uint scalar_bits;
#define SCALAR(c) c##f
#define SCALAR_BITS(value) as_uint(value)
#define SCALAR_OF(bits) as_float(bits)
#endif

#ifdef GRKAN_LANES
#define LANES
#define JOINED(a, b) a##b
#define JOIN(a, b) JOINED(a, b)
#if GRKAN_DTYPE == 3
typedef JOIN(double, GRKAN_LANES) real;
#else
typedef JOIN(float, GRKAN_LANES) real;
#endif
#define STORED_FLOAT JOIN(float, GRKAN_LANES)
#define STORED_BITS JOIN(uint, GRKAN_LANES)
/* At any address: PoCL's vloadn and vstoren take short vectors apart. */
typedef real __attribute__((aligned(sizeof(scalar)))) real_in_memory;
typedef JOIN(ushort, GRKAN_LANES) __attribute__((aligned(2))) shorts_in_memory;
#define LOAD_LANES(space, from) (*(space const real_in_memory *)(from))
#define STORE_LANES(space, to, lanes) (*(space real_in_memory *)(to) = (lanes))
#define LOAD_SHORTS(space, from) (*(space const shorts_in_memory *)(from))
#define STORE_SHORTS(space, to, shorts) (*(space shorts_in_memory *)(to) = (shorts))
#define BITS_OF_LANES(shorts) JOIN(convert_uint, GRKAN_LANES)(shorts)
#define SHORTS_OF_LANES(bits) JOIN(convert_ushort, GRKAN_LANES)(bits)
#define BROADCAST(value) ((real)(value))
#define EVEN_LANES(a, b) ((real)((a).even, (b).even))
#define ODD_LANES(a, b) ((real)((a).odd, (b).odd))
/* One instruction; any() of PoCL is a dozen, and branches. SPIR-V, which others (rusticl) go through, has no word for it. */
#if __has_builtin(__builtin_reduce_or) && (defined(__x86_64__) || defined(__aarch64__))
#define ANY_ABOVE(v, limit) (__builtin_reduce_or((v) > (limit)) != 0)
#else
#define ANY_ABOVE(v, limit) any((v) > (limit))
#endif
/* PoCL's prefetch() does nothing. */
#if __has_builtin(__builtin_prefetch) && (defined(__x86_64__) || defined(__aarch64__))
#define ASK_FOR(pointer) __builtin_prefetch((const void *)(size_t)(pointer))
#else
#define ASK_FOR(pointer) prefetch((__global const char *)(pointer), 64)
#endif
#define SCALAR_ABS(v) fabs(v)
#else
typedef scalar real;
#endif

#ifdef OPENCL_DECLARES /* describe.c: of the functions that are built in, those that kernels call */
#define BUILT_IN __attribute__((overloadable))
#define PURE_BUILT_IN __attribute__((overloadable, const))
size_t PURE_BUILT_IN get_group_id(uint);
size_t PURE_BUILT_IN get_local_id(uint);
void BUILT_IN __attribute__((convergent)) barrier(cl_mem_fence_flags);
void BUILT_IN prefetch(const __global char *, size_t);
uint BUILT_IN atomic_cmpxchg(volatile __global uint *, uint, uint);
scalar PURE_BUILT_IN fma(scalar, scalar, scalar);
scalar PURE_BUILT_IN fabs(scalar);
scalar PURE_BUILT_IN fmax(scalar, scalar);
scalar PURE_BUILT_IN sqrt(scalar);
#if GRKAN_DTYPE == 3
ulong BUILT_IN atom_cmpxchg(volatile __global ulong *, ulong, ulong);
#endif
#ifdef GRKAN_LANES
real PURE_BUILT_IN fma(real, real, real);
real PURE_BUILT_IN fabs(real);
#if GRKAN_DTYPE == 3
int PURE_BUILT_IN any(JOIN(long, GRKAN_LANES));
#else
int PURE_BUILT_IN any(JOIN(int, GRKAN_LANES));
#endif
STORED_BITS PURE_BUILT_IN JOIN(convert_uint, GRKAN_LANES)(JOIN(ushort, GRKAN_LANES));
JOIN(ushort, GRKAN_LANES) PURE_BUILT_IN JOIN(convert_ushort, GRKAN_LANES)(STORED_BITS);
#endif
#endif

#define DEVICE static inline
#define GLOBAL __global
#define PRIVATE __private
#ifdef GRKAN_LANES /* a block is one work-item, which has its memory for itself */
#define SHARED __private
#define SHARED_ARRAY(type, name, size) type name[size]
#else
#define SHARED __local
#define SHARED_ARRAY(type, name, size) __local type name[size]
#endif
#define REAL(c) ((real)(SCALAR(c)))
#ifdef GRKAN_LANES
#define KERNEL(threads, resident) __kernel __attribute__((reqd_work_group_size(1, 1, 1))) void
#elif defined(OPENCL_WAVE) /* Intel's GPUs: threads of a wave, the narrower the more registers each has */
#define KERNEL(threads, resident)                                                                                      \
    __kernel __attribute__((intel_reqd_sub_group_size(OPENCL_WAVE), reqd_work_group_size(threads, 1, 1))) void
#else
#define KERNEL(threads, resident) __kernel __attribute__((reqd_work_group_size(threads, 1, 1))) void
#endif
#define UNROLL _Pragma("unroll")
#define NO_UNROLL _Pragma("nounroll")
#ifndef PTX_ARCHITECTURE
#define IN_TURN _Pragma("clang loop vectorize(disable) interleave(disable)")
#endif
#define SEGMENTS(g) (GRKAN_SEGMENTED ? (g)->columns.segments : 1)
#define VECTOR_ELEMENTS(g) GRKAN_VECTOR
#define VECTOR_GROUPS(g) GRKAN_VECTOR_GROUPS
#define BLOCK_THREADS(g) GRKAN_BACKWARD_BLOCK

#define BLOCK_INDEX() ((grkan_int64)get_group_id(0))
#define THREAD_INDEX() ((int)get_local_id(0))
#define HAS_OFFSETS 1
#define OFFSET(pointer, elements) ((pointer) + (elements))
#define BARRIER() barrier(CLK_LOCAL_MEM_FENCE)

#define FMA(a, b, c) fma(a, b, c)
#define ABS(x) fabs(x)
#define MAXIMUM(a, b) fmax(a, b)
#ifdef OPENCL_ESTIMATES /* where bits are everybody's, and the device's own are up to 4 units off: rounded.h */
#define INVERSE_ESTIMATE(b) (SCALAR(1.0) / (b))
#define ROOT_ESTIMATE(v) root_estimate(v)
#define DIVIDE(a, b) rounded_quotient(a, b)
#define SQRT(v) rounded_root(v)
/** A step of Newton's brings it within one. */
DEVICE scalar root_estimate(scalar v)
{
    const scalar root = sqrt(v);
    return fma(fma(-root, root, v), SCALAR(0.5) / root, root);
}
#else
#define DIVIDE(a, b) ((a) / (b))
#define SQRT(v) sqrt(v)
#endif
#ifdef GRKAN_LANES
#define OVERLOADED static inline __attribute__((overloadable))
OVERLOADED uint bits_of(float value)
{
    return as_uint(value);
}
OVERLOADED STORED_BITS bits_of(STORED_FLOAT value)
{
    return JOIN(as_uint, GRKAN_LANES)(value);
}
OVERLOADED float float_of(uint bits)
{
    return as_float(bits);
}
OVERLOADED STORED_FLOAT float_of(STORED_BITS bits)
{
    return JOIN(as_float, GRKAN_LANES)(bits);
}
#define BITS_OF(value) bits_of(value)
#define FLOAT_OF(bits) float_of(bits)
DEVICE real merged_low(real a, real b)
{
    real merged;
    merged.even = a.lo;
    merged.odd = b.lo;
    return merged;
}
DEVICE real merged_high(real a, real b)
{
    real merged;
    merged.even = a.hi;
    merged.odd = b.hi;
    return merged;
}
#define MERGED_LOW(a, b) merged_low(a, b)
#define MERGED_HIGH(a, b) merged_high(a, b)
#else
#define BITS_OF(value) as_uint(value)
#define FLOAT_OF(bits) as_float(bits)
#endif

typedef uint2 words2;
typedef uint4 words4;

#ifdef PTX_ARCHITECTURE /* NVIDIA's compiler; the build says for which GPU. The other words: ptx.h */
#define PTX_FUNCTION static inline
#define OUTLINE DEVICE /* a call would take registers of the f32 backward: 21 % more time on an H200 */
#define PTX_SHARED(pointer) ((unsigned int)(size_t)(pointer))
#else
#ifdef OPENCL_WAVE
#define OUTLINE DEVICE /* a call spills registers there */
#else
#define OUTLINE static __attribute__((noinline))
#endif
#ifdef GRKAN_LANES
#define APART OUTLINE
#endif
#define FLIP(v, by) ((by) < SCALAR(0.0) ? -(v) : (v))
#define PLUS_ZERO(x) (x)
#if defined(OPENCL_ESTIMATES) && defined(GRKAN_LANES)
#define RECIPROCAL(q) rounded_reciprocal(q)
#elif defined(OPENCL_ESTIMATES)
#define RECIPROCAL(q) DIVIDE(SCALAR(1.0), q)
#else
#define RECIPROCAL(q) (SCALAR(1.0) / (q))
#endif

#if GRKAN_STRATEGY != 3
#if GRKAN_DTYPE == 3
#pragma OPENCL EXTENSION cl_khr_int64_base_atomics : enable
#define SCALAR_EXCHANGE(pointer, old, next) atom_cmpxchg(pointer, old, next)
#else
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
