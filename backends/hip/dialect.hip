/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The kernels' words in HIP, by the compiler's builtins alone: hipRTC compiles them, and so does a bare clang without
 * ROCm's headers and libraries. Nothing here depends on the width of a wave, 32 or 64.
 */
typedef long long grkan_int64;
#ifndef INFINITY
#define INFINITY (__builtin_inff())
#endif
#ifndef __device__
#define __device__ __attribute__((device))
#define __global__ __attribute__((global))
#define __shared__ __attribute__((shared))
#endif

#if GRKAN_DTYPE == 3
typedef double scalar;
#define REAL(c) c
#define FMA(a, b, c) __builtin_fma(a, b, c)
#define ABS(x) __builtin_fabs(x)
#define MAXIMUM(a, b) __builtin_fmax(a, b)
#define DOUBLE_OF(low, high) __builtin_bit_cast(double, (unsigned long long)(high) << 32 | (low))
#define LOW_OF(value) ((unsigned int)__builtin_bit_cast(unsigned long long, value))
#define HIGH_OF(value) ((unsigned int)(__builtin_bit_cast(unsigned long long, value) >> 32))
#else
typedef float scalar;
#define REAL(c) c##f
#define FMA(a, b, c) hip_fma(a, b, c)
#define ABS(x) hip_abs(x)
#define MAXIMUM(a, b) __builtin_fmaxf(a, b)
#endif
typedef scalar real;

#define DEVICE static __device__ inline __attribute__((always_inline))
#define OUTLINE DEVICE /* a function that is called would have its structs in scratch memory */
#define GLOBAL
#define SHARED
#define SHARED_ARRAY(type, name, size) __shared__ type name[size]
#define KERNEL(threads, resident) extern "C" __global__ __attribute__((amdgpu_flat_work_group_size(threads, threads))) void
/* "full", since clang before 16 otherwise unrolls a function's loops before their bounds become constants in the caller;
   a kernel's arrays would be indexed in scratch memory then. */
#define UNROLL _Pragma("clang loop unroll(full)")
#define NO_UNROLL _Pragma("nounroll")
#define UNROLL_RARE UNROLL
#define SEGMENTS(g) (GRKAN_SEGMENTED ? (g)->columns.segments : 1)
#define VECTOR_ELEMENTS(g) GRKAN_VECTOR
#define VECTOR_GROUPS(g) GRKAN_VECTOR_GROUPS
#define BLOCK_THREADS(g) GRKAN_BACKWARD_BLOCK

#define BLOCK_INDEX() ((grkan_int64)__builtin_amdgcn_workgroup_id_x())
#define THREAD_INDEX() ((int)__builtin_amdgcn_workitem_id_x())
#define HAS_OFFSETS 0
#define OFFSET(pointer, elements) (pointer)
#define AFTER(value, other) hip_after(value, other)
#define ANY_WORD() hip_any_word()
#define HIDE_REAL(value) hip_hide_real(value)
#define BARRIER() hip_barrier()
#define LAST_BLOCK_REDUCES
#define TICKET(counter, last) hip_ticket(counter, last)
/* A wave's fence waits for its own stores alone, and a barrier for none of them where a block's waves share a cache: so
   each wave that wrote a partial has a fence, and each that will read some. */
#define RELEASE_PARTIALS() __builtin_amdgcn_fence(__ATOMIC_RELEASE, "agent")
#define ACQUIRE_PARTIALS() __builtin_amdgcn_fence(__ATOMIC_ACQUIRE, "agent")

#define FLIP(v, by) hip_flip(v, by)
#define FLIP_POSITIVE(v, by) hip_flip_positive(v, by)
#define PLUS_ZERO(x) ((x) + REAL(0.0))
#define DIVIDE(a, b) rounded_quotient(a, b) /* rounded.h */
#define SQRT(v) rounded_root(v)
#if GRKAN_DTYPE != 3 && !GRKAN_IEEE
#define RECIPROCAL_ROOT(v) __builtin_amdgcn_rsqf(v)
#endif
#define WAVE_XOR(value, mask) hip_wave_xor(value, mask)
#define ANY_ABOVE(v, limit) (!((v) <= (limit))) /* a NaN counts */
#if GRKAN_DTYPE == 3 || GRKAN_IEEE || GRKAN_MAY_HAVE_POLES
#define RECIPROCAL(q) DIVIDE(REAL(1.0), q)
#else
#define RECIPROCAL(q) hip_reciprocal(q, GRKAN_DTYPE == 0 || GRKAN_OUTPUT_DTYPE == 0)
#define RESULT_RECIPROCAL(q) hip_reciprocal(q, GRKAN_OUTPUT_DTYPE == 0)
#endif
#define BITS_OF(value) __builtin_bit_cast(unsigned int, (float)(value))
#define FLOAT_OF(bits) __builtin_bit_cast(float, (unsigned int)(bits))
/* The compiler takes the instruction only where it is right for any memory and any value, else a loop of exchanges:
   some devices' own float atomics do nothing in memory that host and device share, or flush subnormals. */
#define ATOMIC_ADD(pointer, value) __hip_atomic_fetch_add(pointer, value, __ATOMIC_RELAXED, __HIP_MEMORY_SCOPE_AGENT)

#if GRKAN_DTYPE != 3
static __device__ inline float hip_fma(float a, float b, float c)
{
    return __builtin_fmaf(a, b, c);
}

static __device__ inline float hip_abs(float value)
{
    return __builtin_fabsf(value);
}
#endif

static __device__ inline real hip_flip(real value, real by)
{
    return by < REAL(0.0) ? -value : value;
}

/** One instruction; a comparison and a choice are two. */
static __device__ inline real hip_flip_positive(real value, real by)
{
#if GRKAN_DTYPE == 3
    return __builtin_copysign(value, by);
#else
    return __builtin_copysignf(value, by);
#endif
}

#if GRKAN_DTYPE == 3
typedef unsigned long long scalar_bits;
#define SCALAR_OF(bits) __builtin_bit_cast(double, bits)

/** Has half of the bits: two steps of Newton's, of 1 / (2 root) in place of divisions. */
static __device__ inline double hip_root(double v)
{
    const double inverse = __builtin_amdgcn_rsq(v);
    double root = v * inverse, half = 0.5 * inverse;
    for (int i = 0; i < 2; ++i) {
        const double rest = FMA(-half, root, 0.5);
        root = FMA(root, rest, root);
        half = FMA(half, rest, half);
    }
    return FMA(FMA(-root, root, v), half, root);
}
#define ROOT_ESTIMATE(v) hip_root(v)
#else
typedef unsigned int scalar_bits;
#define SCALAR_OF(bits) __builtin_bit_cast(float, bits)
#define ROOT_ESTIMATE(v) __builtin_amdgcn_sqrtf(v)
#endif
#define SCALAR_BITS(value) __builtin_bit_cast(scalar_bits, value)
/* The compiler's own is not correctly rounded where b's significand is all ones and a is a power of two: it is a unit too
   small then, since the hardware's approximation is. */
#define QUOTIENT_ESTIMATE(a, b) ((a) / (b))
DEVICE scalar rounded_quotient(scalar a, scalar b);

/** A wave of 64 takes a lane's number modulo 64, and an exchange stays within 32 of them. */
static __device__ inline unsigned int hip_exchange(unsigned int value, int mask)
{
    return (unsigned int)__builtin_amdgcn_ds_bpermute((THREAD_INDEX() ^ mask) << 2, (int)value);
}

static __device__ inline real hip_wave_xor(real value, int mask)
{
#if GRKAN_DTYPE == 3
    return DOUBLE_OF(hip_exchange(LOW_OF(value), mask), hip_exchange(HIGH_OF(value), mask));
#else
    return FLOAT_OF(hip_exchange(BITS_OF(value), mask));
#endif
}

static __device__ inline real hip_hide_real(real value)
{
    asm volatile("" : "+v"(value));
    return value;
}

static __device__ inline unsigned int hip_any_word(void)
{
    unsigned int word; /* none is set: the compiler takes the register that a load would fill */
    return word;
}

/** Wait for the block, with its writes to any memory visible in it. */
static __device__ inline void hip_barrier(void)
{
    __builtin_amdgcn_fence(__ATOMIC_RELEASE, "workgroup");
    __builtin_amdgcn_s_barrier();
    __builtin_amdgcn_fence(__ATOMIC_ACQUIRE, "workgroup");
}

/** Relaxed: the partials have the fences. */
static __device__ inline unsigned int hip_ticket(unsigned int *counter, unsigned int last)
{
    const unsigned int ticket = __hip_atomic_fetch_add(counter, 1u, __ATOMIC_RELAXED, __HIP_MEMORY_SCOPE_AGENT);
    if (ticket == last)
        *counter = 0;
    return ticket;
}

/** The hardware's approximation, off by one unit; one Newton step where a storage type can show the difference. */
static __device__ inline float hip_reciprocal(float q, int is_shown)
{
    const float r = __builtin_amdgcn_rcpf(q);
    return is_shown ? FMA(FMA(-q, r, 1.0f), r, r) : r;
}

/** Ties a value to another, for the compiler that would otherwise compute all of a vector's elements side by side. */
static __device__ inline real hip_after(real value, real other)
{
    __asm__("" : "+v"(value) : "v"(other));
    return value;
}

typedef unsigned int words2 __attribute__((ext_vector_type(2)));
typedef unsigned int words4 __attribute__((ext_vector_type(4)));

/**
 * The value, of which the compiler does not see how it was computed. It would make one instruction of a product and its
 * conversion to half: v_fma_mixlo_f16 with the addend +0, which makes +0 of -0.
 */
static __device__ inline float hip_opaque(float value)
{
    __asm__("" : "+v"(value));
    return value;
}

/* The hardware converts as storage.h says: to nearest even, subnormals kept. */
#define HALF_TO_FLOAT(bits) ((float)__builtin_bit_cast(_Float16, (unsigned short)(bits)))
#define FLOAT_TO_HALF(value) ((unsigned int)__builtin_bit_cast(unsigned short, (_Float16)hip_opaque(value)))

/** A float's bits, rounded to nearest even where bf16 ends, in the upper half. Not of a NaN with bits below there. */
static __device__ inline unsigned int hip_round_number(float value)
{
    const unsigned int bits = BITS_OF(value);
    return bits + 0x7FFFu + (bits >> 16 & 1u);
}

/** The same of any float; a NaN stays one. */
static __device__ inline unsigned int hip_round_bf16(float value)
{
    return value != value ? 0x7FC00000u : hip_round_number(value);
}

#define FLOAT_TO_BF16(value) (hip_round_bf16(value) >> 16)
/* Vectors are packed where no table holds a NaN (see ANY_ABOVE): one there is of x or dy, or the hardware's own, 0x7FC00000.
   If x and dy are bf16, it has no bit below, as instructions pass on a NaN of theirs bit by bit. Not to ask takes two
   instructions an element less. */
#if GRKAN_DTYPE == 2 && GRKAN_OUTPUT_DTYPE == 2 && !GRKAN_PROLOGUE
#define HIP_ROUND_PACKED hip_round_number
#else
#define HIP_ROUND_PACKED hip_round_bf16
#endif
#define PACK_BF16S(low, high) __builtin_amdgcn_perm(HIP_ROUND_PACKED(high), HIP_ROUND_PACKED(low), 0x07060302u)
