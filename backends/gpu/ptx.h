/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Words of the kernels that are one instruction of NVIDIA's GPUs, for CUDA and for OpenCL on them: PTX ISA, by inline
 * assembly, which both compilers take. A dialect gives PTX_FUNCTION, the qualifiers of a function, PTX_SHARED(pointer),
 * the address of something shared, and PTX_ARCHITECTURE, 800 for sm_80, 700 at least; nothing is here without them.
 */
#ifdef PTX_ARCHITECTURE

/*
 * Order for the assembler. It puts the older of two factors first, and neighbours whose first factor is the same register
 * read it once; a register that is not read again saves more time here than an instruction (docs/notebook/nvidia.md).
 */
#if GRKAN_DTYPE != 3
PTX_FUNCTION float ptx_after(float value, float other)
{
    asm volatile("" : "+f"(value) : "f"(other));
    return value;
}

PTX_FUNCTION float ptx_settled(float value)
{
    asm volatile("" : "+f"(value));
    return value;
}

/** value ^ (after & zero), of which the assembler does not see that it is the value. */
PTX_FUNCTION float ptx_renewed(float value, float after)
{
    unsigned int zero = 0;
    asm volatile("" : "+r"(zero));
    asm volatile("lop3.b32 %0, %0, %1, %2, 0x78;" : "+f"(value) : "f"(after), "r"(zero));
    return value;
}
#define AFTER(value, other) ptx_after(value, other)
#define SETTLED(value) ptx_settled(value)
#define RENEWED(value, after) ptx_renewed(value, after)
#endif

#if GRKAN_DTYPE == 3
PTX_FUNCTION double ptx_flip(double v, double by)
{
    return DOUBLE_OF(LOW_OF(v), HIGH_OF(v) ^ (HIGH_OF(by) & 0x80000000u));
}
#else
PTX_FUNCTION float ptx_flip(float v, float by)
{
    return FLOAT_OF(BITS_OF(v) ^ (BITS_OF(by) & 0x80000000u));
}
#endif
#define FLIP(v, by) ptx_flip(v, by)
#define PLUS_ZERO(x) ((x) + REAL(0.0))

#if GRKAN_DTYPE == 3
PTX_FUNCTION double ptx_reciprocal(double q)
{
    double r;
    asm("rcp.rn.f64 %0, %1;" : "=d"(r) : "d"(q));
    return r;
}

PTX_FUNCTION void ptx_add(GLOBAL double *sum, double term)
{
    asm volatile("red.global.add.f64 [%0], %1;" ::"l"((size_t)sum), "d"(term) : "memory");
}
#else
#if GRKAN_IEEE || GRKAN_MAY_HAVE_POLES
PTX_FUNCTION float ptx_reciprocal(float q)
{
    float r;
    asm("rcp.rn.f32 %0, %1;" : "=f"(r) : "f"(q));
    return r;
}
#else
/** The hardware's approximation; one Newton step where a storage type can show the difference. */
PTX_FUNCTION float ptx_approximate_reciprocal(float q, int is_shown)
{
    float r;
    asm("rcp.approx.ftz.f32 %0, %1;" : "=f"(r) : "f"(q));
    return is_shown ? FMA(FMA(-q, r, 1.0f), r, r) : r;
}
#define ptx_reciprocal(q) ptx_approximate_reciprocal(q, GRKAN_DTYPE == 0 || GRKAN_OUTPUT_DTYPE == 0)
#define RESULT_RECIPROCAL(q) ptx_approximate_reciprocal(q, GRKAN_OUTPUT_DTYPE == 0)
#endif

PTX_FUNCTION void ptx_add(GLOBAL float *sum, float term)
{
    asm volatile("red.global.add.f32 [%0], %1;" ::"l"((size_t)sum), "f"(term) : "memory");
}
#endif
#if GRKAN_DTYPE != 3 && !GRKAN_IEEE
/** The hardware's approximation, off by two units at most. Of a norm whose epsilon is a normal number v is one, too. */
PTX_FUNCTION float ptx_reciprocal_root(float v)
{
    float r;
#if GRKAN_EPSILON_LOW >= 0x00800000
    asm("rsqrt.approx.ftz.f32 %0, %1;" : "=f"(r) : "f"(v));
#else
    asm("rsqrt.approx.f32 %0, %1;" : "=f"(r) : "f"(v));
#endif
    return r;
}
#define RECIPROCAL_ROOT(v) ptx_reciprocal_root(v)
#endif

PTX_FUNCTION unsigned int ptx_wave_xor(unsigned int value, int mask)
{
    unsigned int other;
    asm volatile("shfl.sync.bfly.b32 %0, %1, %2, 0x1f, 0xffffffff;" : "=r"(other) : "r"(value), "r"(mask));
    return other;
}
#if GRKAN_DTYPE == 3
#define WAVE_XOR(value, mask) DOUBLE_OF(ptx_wave_xor(LOW_OF(value), mask), ptx_wave_xor(HIGH_OF(value), mask))
#else
#define WAVE_XOR(value, mask) FLOAT_OF(ptx_wave_xor(BITS_OF(value), mask))
#endif

#define RECIPROCAL(q) ptx_reciprocal(q)
#define ATOMIC_ADD(pointer, value) ptx_add(pointer, value)
#define LAST_BLOCK_REDUCES

PTX_FUNCTION unsigned int ptx_ticket(GLOBAL unsigned int *counter, unsigned int last)
{
    unsigned int ticket;
    asm volatile("atom.acq_rel.gpu.global.inc.u32 %0, [%1], %2;"
                 : "=r"(ticket)
                 : "l"((size_t)counter), "r"(last)
                 : "memory");
    return ticket;
}
#define TICKET(counter, last) ptx_ticket(counter, last)

PTX_FUNCTION float ptx_half_to_float(unsigned int bits)
{
    float value;
    asm("cvt.f32.f16 %0, %1;" : "=f"(value) : "h"((unsigned short)bits));
    return value;
}

PTX_FUNCTION unsigned int ptx_float_to_half(float value)
{
    unsigned short bits;
    asm("cvt.rn.f16.f32 %0, %1;" : "=h"(bits) : "f"(value));
    return bits;
}
#define HALF_TO_FLOAT ptx_half_to_float
#define FLOAT_TO_HALF ptx_float_to_half

#define HIDE(value) ptx_hide(value)
#define HIDE_POINTER(p) ((GLOBAL char *)ptx_hide((grkan_int64)(p)))
PTX_FUNCTION grkan_int64 ptx_hide(grkan_int64 value)
{
    asm volatile("" : "+l"(value));
    return value;
}

#if PTX_ARCHITECTURE >= 860
PTX_FUNCTION unsigned int ptx_larger_halves(unsigned int a, unsigned int b)
{
    unsigned int larger;
    asm("max.xorsign.abs.f16x2 %0, %1, %2;" : "=r"(larger) : "r"(a), "r"(b));
    return larger;
}

PTX_FUNCTION unsigned int ptx_larger_bf16s(unsigned int a, unsigned int b)
{
    unsigned int larger;
    asm("max.xorsign.abs.bf16x2 %0, %1, %2;" : "=r"(larger) : "r"(a), "r"(b));
    return larger;
}
#define LARGER_HALVES ptx_larger_halves
#define LARGER_BF16S ptx_larger_bf16s
#endif

#if PTX_ARCHITECTURE >= 800
PTX_FUNCTION unsigned int ptx_float_to_bf16(float value)
{
    unsigned short bits;
    asm("cvt.rn.bf16.f32 %0, %1;" : "=h"(bits) : "f"(value));
    return bits;
}

PTX_FUNCTION unsigned int ptx_pack_bf16s(float low, float high)
{
    unsigned int word;
    asm("cvt.rn.bf16x2.f32 %0, %1, %2;" : "=r"(word) : "f"(high), "f"(low));
    return word;
}

PTX_FUNCTION unsigned int ptx_pack_halves(float low, float high)
{
    unsigned int word;
    asm("cvt.rn.f16x2.f32 %0, %1, %2;" : "=r"(word) : "f"(high), "f"(low));
    return word;
}
#define FLOAT_TO_BF16 ptx_float_to_bf16
#define PACK_BF16S ptx_pack_bf16s
#define PACK_HALVES ptx_pack_halves

/* +0 for -0 in both: fma(x, 1, 0). */
PTX_FUNCTION unsigned int ptx_plus_zero_bf16s(unsigned int pair)
{
    asm("fma.rn.bf16x2 %0, %0, %1, %2;" : "+r"(pair) : "r"(0x3F803F80u), "r"(0u));
    return pair;
}

PTX_FUNCTION unsigned int ptx_plus_zero_halves(unsigned int pair)
{
    asm("fma.rn.f16x2 %0, %0, %1, %2;" : "+r"(pair) : "r"(0x3C003C00u), "r"(0u));
    return pair;
}
#define PLUS_ZERO_BF16S ptx_plus_zero_bf16s
#define PLUS_ZERO_HALVES ptx_plus_zero_halves

/* Copies from global to shared memory. Those of 16 bytes pass by the cache beside the multiprocessor. */
PTX_FUNCTION void ptx_copy_16(unsigned int to, GLOBAL const void *from, int bytes)
{
    asm volatile("cp.async.cg.shared.global [%0], [%1], 16, %2;" ::"r"(to), "l"((size_t)from), "r"(bytes) : "memory");
}

PTX_FUNCTION void ptx_copy_8(unsigned int to, GLOBAL const void *from, int bytes)
{
    asm volatile("cp.async.ca.shared.global [%0], [%1], 8, %2;" ::"r"(to), "l"((size_t)from), "r"(bytes) : "memory");
}

PTX_FUNCTION void ptx_copy_4(unsigned int to, GLOBAL const void *from, int bytes)
{
    asm volatile("cp.async.ca.shared.global [%0], [%1], 4, %2;" ::"r"(to), "l"((size_t)from), "r"(bytes) : "memory");
}

#define COPY_ASYNC(to, from, bytes, exists)                                                                            \
    ((bytes) == 16  ? ptx_copy_16(PTX_SHARED(to), from, (exists) ? 16 : 0)                                             \
     : (bytes) == 8 ? ptx_copy_8(PTX_SHARED(to), from, (exists) ? 8 : 0)                                               \
                    : ptx_copy_4(PTX_SHARED(to), from, (exists) ? 4 : 0))
#define WAVE_SYNC() asm volatile("bar.warp.sync 0xffffffff;" ::: "memory")
#define COPIES_END() asm volatile("cp.async.commit_group;" ::: "memory")
#define COPIES_WAIT(steps) asm volatile("cp.async.wait_group %0;" ::"n"(steps) : "memory")
#endif
#endif
