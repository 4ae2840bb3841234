/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file compile.h
 * @brief Kernels without a device: compiled for an architecture, and the launches that it takes to run them.
 *
 * For caches that are shipped, and for other runtimes. Errors are reported as grkan.h says.
 */
#ifndef GRKAN_COMPILE_H
#define GRKAN_COMPILE_H

#include <grkan/grkan.h>

#ifdef __cplusplus
extern "C" {
#endif

/** Kernels that one program has, at most. */
#define GRKAN_MOST_KERNELS 4

/** What a kernel takes of a device, as its compiler says; -1: the vendor has no such thing, or does not tell. */
typedef struct grkan_kernel_resources {
    char name[32];
    int32_t vector_registers; /**< of a thread; of Intel's GPUs, of a wave */
    int32_t scalar_registers; /**< of a wave, where it has its own */
    int32_t spill_bytes;      /**< of a thread: what it keeps in memory for want of registers */
    int32_t stack_bytes;      /**< of a thread: all of its private memory */
    int32_t shared_bytes;     /**< of a block */
    int32_t wave_width;       /**< threads of a wave */
} grkan_kernel_resources;

/** Compiled kernels; free them with grkan_compilation_free. */
typedef struct grkan_compilation {
    void *binary; /**< what the vendor's runtime loads: a cubin, a code object, ... */
    size_t bytes;
    int32_t kernel_count; /**< 0: the compiler said nothing that is understood */
    grkan_kernel_resources kernels[GRKAN_MOST_KERNELS];
    grkan_strategy strategy; /**< never GRKAN_STRATEGY_AUTO */
    size_t workspace_bytes;  /**< that the backward of grkan_list_launches needs, zeroed */
} grkan_compilation;

/**
 * Compile the kernels of an operation for an architecture, with no device present. A plan for the same kernels on such
 * a device finds them in the cache, if backend and compiler are of the same version.
 * @param backend      "cuda", "hip" or "opencl": a backend whose compiler needs no device
 * @param architecture as in grkan_device_properties: "sm_90", "gfx90a"; for opencl as ocloc has it: "dg2"
 * @param compiler     a program to compile with, for architectures that the vendor's own compiler does not know: nvcc for
 *                     cuda, clang for hip, Intel's ocloc for opencl, which has no other; such kernels do not go to the
 *                     cache. NULL: the vendor's own
 * @param options      NULL for the defaults
 * @param compilation  out, not NULL
 */
GRKAN_API grkan_status grkan_compile(const char *backend, const char *architecture, const char *compiler,
                                     const grkan_operation *operation, const grkan_options *options,
                                     grkan_compilation *compilation);

/** Free what grkan_compile gave, and set it to zero. NULL does nothing. */
GRKAN_API void grkan_compilation_free(grkan_compilation *compilation);

/** An argument of a kernel. */
typedef struct grkan_kernel_argument {
    const char *name;  /**< a tensor's as in the arguments of grkan_forward and grkan_backward; "launch"; "geometry" */
    const void *value; /**< the bytes of an argument that is passed by value */
    size_t bytes;      /**< of that argument; 0: the address of a tensor */
} grkan_kernel_argument;

/** A kernel as a pass launches it. */
typedef struct grkan_kernel_launch {
    const char *pass; /**< "forward" or "backward" */
    const char *kernel;
    int64_t blocks; /**< of the grid, which has one dimension, as blocks have */
    int block;      /**< threads of a block */
    int local_bytes; /**< shared memory of a block that the launch asks for, beside what the kernel has. If both are more than
                        48 KiB, CUDA's driver wants to be told before (CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES) */
    const grkan_kernel_argument *arguments;
    int argument_count;
} grkan_kernel_launch;

/** Hears of a launch. What the launch points to lives until it returns. */
typedef void (*grkan_launch_listener)(void *context, const grkan_kernel_launch *launch);

/**
 * Tell in order what forward and then backward (GRKAN_OVERWRITE) launch on a device of one compute unit that is not
 * there: with the kernels of grkan_compile, all that it takes to run them on another runtime. Offsets of tensors are 0,
 * and tensors are taken as aligned to 16 bytes. Parameters as for grkan_compile; listener is not NULL.
 */
GRKAN_API grkan_status grkan_list_launches(const char *backend, const char *architecture,
                                           const grkan_operation *operation, const grkan_options *options,
                                           grkan_launch_listener listener, void *context);

#ifdef __cplusplus
}
#endif

#endif
