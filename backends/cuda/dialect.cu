/* SPDX-License-Identifier: Apache-2.0 */
/* The kernels' words in CUDA, as NVRTC compiles it. */
typedef long long grkan_int64;
#define INFINITY (__int_as_float(0x7F800000))

#if GRKAN_DTYPE == 3
typedef double scalar;
#define REAL(c) c
#define FMA(a, b, c) __fma_rn(a, b, c)
#define ABS(x) fabs(x)
#define MAXIMUM(a, b) fmax(a, b)
#define RECIPROCAL(q) __drcp_rn(q)
#define DIVIDE(a, b) __ddiv_rn(a, b)
#define DOUBLE_OF(low, high) __hiloint2double((int)(high), (int)(low))
#define LOW_OF(value) ((unsigned int)__double2loint(value))
#define HIGH_OF(value) ((unsigned int)__double2hiint(value))
#else
typedef float scalar;
#define REAL(c) c##f
#define FMA(a, b, c) __fmaf_rn(a, b, c)
#define ABS(x) fabsf(x)
#define MAXIMUM(a, b) fmaxf(a, b)
#define DIVIDE(a, b) __fdiv_rn(a, b)
#if GRKAN_IEEE || GRKAN_FORM == 3 /* plain has poles, where an approximation's refinement gives NaN */
#define RECIPROCAL(q) __frcp_rn(q)
#else
#define RECIPROCAL(q) fast_reciprocal(q)
/** The hardware's approximation; one Newton step where the storage type can show the difference. */
static __device__ __forceinline__ float fast_reciprocal(float q)
{
    float r;
    asm("rcp.approx.ftz.f32 %0, %1;" : "=f"(r) : "f"(q));
    return GRKAN_DTYPE == 0 ? __fmaf_rn(__fmaf_rn(-q, r, 1.0f), r, r) : r;
}
#endif
#endif
typedef scalar real;

#define DEVICE static __device__ __forceinline__
#define GLOBAL
#define SHARED
#define SHARED_ARRAY(type, name, size) __shared__ type name[size]
#define OUTLINE static __device__ __noinline__
#define KERNEL(threads, resident) extern "C" __global__ void __launch_bounds__(threads, resident)
#define UNROLL _Pragma("unroll")
#define NO_UNROLL _Pragma("unroll 1")
#define TILE_FOLDS(t) (GRKAN_FOLDED ? (t)->folds : 1)
#define TILE_VECTOR(t) GRKAN_VECTOR
#define TILE_BLOCK(t) GRKAN_BLOCK

#define BLOCK_INDEX() ((grkan_int64)blockIdx.x)
#define THREAD_INDEX() ((int)threadIdx.x)
#define OFFSET(pointer, elements) (pointer)
#define HIDE(value) cuda_hide((int)(value))
#define BARRIER() __syncthreads()
#define FENCE() __threadfence()
#define TICKET(counter) atomicAdd(counter, 1u)
#define LAST_BLOCK_COMBINES

#define FLIP(v, by) ((by) < REAL(0.0) ? -(v) : (v))
#define BITS_OF(value) __float_as_uint(value)
#define FLOAT_OF(bits) __uint_as_float(bits)
#define ATOMIC_ADD(pointer, value) atomicAdd(pointer, value)

static __device__ __forceinline__ grkan_int64 cuda_hide(int value)
{
    asm volatile("" : "+r"(value));
    return value;
}

typedef uint2 words2;
typedef uint4 words4;

static __device__ __forceinline__ float cuda_half_to_float(unsigned int bits)
{
    float value;
    asm("cvt.f32.f16 %0, %1;" : "=f"(value) : "h"((unsigned short)bits));
    return value;
}

static __device__ __forceinline__ unsigned int cuda_float_to_half(float value)
{
    unsigned short bits;
    asm("cvt.rn.f16.f32 %0, %1;" : "=h"(bits) : "f"(value));
    return bits;
}
#define HALF_TO_FLOAT cuda_half_to_float
#define FLOAT_TO_HALF cuda_float_to_half

/* Two at once, rounded to nearest even as storage.h rounds. */
#if __CUDA_ARCH__ >= 800
static __device__ __forceinline__ unsigned int cuda_pack_bf16s(float low, float high)
{
    unsigned int word;
    asm("cvt.rn.bf16x2.f32 %0, %1, %2;" : "=r"(word) : "f"(high), "f"(low));
    return word;
}

static __device__ __forceinline__ unsigned int cuda_pack_halves(float low, float high)
{
    unsigned int word;
    asm("cvt.rn.f16x2.f32 %0, %1, %2;" : "=r"(word) : "f"(high), "f"(low));
    return word;
}
#define PACK_BF16S cuda_pack_bf16s
#define PACK_HALVES cuda_pack_halves
#endif
