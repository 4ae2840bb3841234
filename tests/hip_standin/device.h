/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file device.h
 * @brief What stands in front of a program's text: the words of HIP and the builtins for AMD GPUs, on the host.
 *
 * A builtin belongs here once a program uses it. With program.h in front. C++14, compiled by clang.
 */

#define __device__
#define __global__ __attribute__((annotate("standin_kernel")))                          /* hiprtc.c looks for it */
#define amdgpu_flat_work_group_size(least, most) annotate("standin_block", least, most) /* likewise */
#define __shared__ static __attribute__((used, section("standin_shared")))

#define __HIP_MEMORY_SCOPE_AGENT 4
#define __hip_atomic_fetch_add(pointer, value, order, scope) __atomic_fetch_add(pointer, value, order)

/** Protected: the stand-in finds it, and no other program's takes its place. */
extern "C" __attribute__((visibility("protected"))) struct standin_program standin_program;

#define __builtin_amdgcn_workitem_id_x() (standin_program.now.thread)
#define __builtin_amdgcn_workgroup_id_x() (standin_program.now.block)
#define __builtin_amdgcn_workgroup_size_x() ((unsigned short)standin_program.now.block_threads)
#define __builtin_amdgcn_s_barrier() standin_program.now.barrier()
#define __builtin_amdgcn_fence(order, scope) __atomic_thread_fence(order)
#define __builtin_amdgcn_wavefrontsize() __AMDGCN_WAVEFRONT_SIZE
#define __builtin_amdgcn_ds_bpermute(address, value)                                                                   \
    ((int)standin_program.now.exchange((unsigned)(address) / 4, (unsigned)(value)))

/** Bytes of both words by number: 0 to 3 are the second's. */
static inline unsigned __builtin_amdgcn_perm(unsigned first, unsigned second, unsigned bytes)
{
    const unsigned long long both = (unsigned long long)first << 32 | second;
    unsigned result = 0;
    for (int i = 0; i < 32; i += 8)
        result |= (unsigned)(both >> (bytes >> i & 7) * 8 & 0xFF) << i;
    return result;
}

/** The instruction is off by one unit, so this is too. */
static inline float __builtin_amdgcn_rcpf(float value)
{
    const float exact = 1.0f / value;
    const unsigned bits = __builtin_bit_cast(unsigned, exact);
    return __builtin_isnormal(exact) ? __builtin_bit_cast(float, bits ^ 1u) : exact;
}

/** Likewise: this one is below, or above. */
static inline float __builtin_amdgcn_sqrtf(float value)
{
    const float exact = __builtin_sqrtf(value);
    const unsigned bits = __builtin_bit_cast(unsigned, exact);
    return __builtin_isnormal(exact) ? __builtin_bit_cast(float, bits + (bits & 2 ? 1u : -1u)) : exact;
}

static inline float __builtin_amdgcn_rsqf(float value)
{
    return __builtin_amdgcn_rcpf(__builtin_sqrtf(value));
}

/** Half of the bits are right. */
static inline double __builtin_amdgcn_rsq(double value)
{
    return (1.0 / __builtin_sqrt(value)) * (1.0 + 0x1p-26);
}

/* A kernel's signature becomes a call that takes its arguments as a launch has them. */

template <int... I> struct standin_indices {
};
template <int N, int... I> struct standin_count : standin_count<N - 1, N - 1, I...> {
};
template <int... I> struct standin_count<0, I...> {
    typedef standin_indices<I...> type;
};

template <class F, F kernel> struct standin_entry;
template <class... A, void (*kernel)(A...)> struct standin_entry<void (*)(A...), kernel> {
    static constexpr unsigned long bytes[sizeof...(A) + 1] = {sizeof(A)..., 0};
    template <int... I> static void spread(void *const *arguments, standin_indices<I...>)
    {
        kernel(*(A *)arguments[I]...);
    }
    static void call(void *const *arguments)
    {
        spread(arguments, typename standin_count<sizeof...(A)>::type());
    }
    static constexpr struct standin_kernel described(const char *name, unsigned largest_block)
    {
        return {name, call, bytes, sizeof...(A), largest_block};
    }
};
template <class... A, void (*kernel)(A...)>
constexpr unsigned long standin_entry<void (*)(A...), kernel>::bytes[sizeof...(A) + 1];

/* The borders of the section, by the linker; none without a shared array. */
extern "C" __attribute__((weak, visibility("hidden"))) char __start_standin_shared[], __stop_standin_shared[];
