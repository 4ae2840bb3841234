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
#define DIVIDE(a, b) __ddiv_rn(a, b)
#define SQRT(v) __dsqrt_rn(v)
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
#define SQRT(v) __fsqrt_rn(v)
#endif
typedef scalar real;

#define DEVICE static __device__ __forceinline__
#define GLOBAL
#define SHARED
#define SHARED_ARRAY(type, name, size) __shared__ type name[size]
#define LAUNCH_ARRAY(type, name) extern __shared__ type name[]
#define OUTLINE static __device__ __noinline__
#define KERNEL(threads, resident) extern "C" __global__ void __launch_bounds__(threads, resident)
#define UNROLL _Pragma("unroll")
#define NO_UNROLL _Pragma("unroll 1")
#define SEGMENTS(g) (GRKAN_SEGMENTED ? (g)->columns.segments : 1)
#define VECTOR_ELEMENTS(g) GRKAN_VECTOR
#define VECTOR_GROUPS(g) GRKAN_VECTOR_GROUPS
#define BLOCK_THREADS(g) GRKAN_BACKWARD_BLOCK

#define PARTIALS_BATCH PARTIALS_AT_ONCE
#define LOOP_OVER_TABLES

#define BLOCK_INDEX() ((grkan_int64)blockIdx.x)
#define THREAD_INDEX() ((int)threadIdx.x)
#define HAS_OFFSETS 0
#define OFFSET(pointer, elements) (pointer)
#define BARRIER() __syncthreads()

#define BITS_OF(value) __float_as_uint(value)
#define FLOAT_OF(bits) __uint_as_float(bits)

typedef uint2 words2;
typedef uint4 words4;

#if __CUDA_ARCH__ >= 900
#define STREAM_WAIT() asm volatile("griddepcontrol.wait;" ::: "memory")
#endif

#define PTX_FUNCTION DEVICE
#define PTX_ARCHITECTURE __CUDA_ARCH__
#define PTX_SHARED(pointer) ((unsigned int)__cvta_generic_to_shared(pointer))
