/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file grkan.h
 * @brief Learned activations whose coefficients groups of channels share, forward and backward, on any device.
 *
 * For every element x of a tensor:
 *
 *     y = F_g(z)        z = prologue(x); g: the group that the element's channel belongs to
 *
 * F is a function of a family, whose coefficients are learned. They lie in tables, a row of numbers for each group or one
 * for all. A prologue is work that stands before it in a network and is done on the way: a bias, a layer norm; what it
 * learns lies in tables, too, a row for each channel. Backward gives dx and the gradients of the tables: sums over all
 * elements that read a row.
 *
 * How to use it: open a device by name, describe the operation, make a plan, then enqueue forward and backward as
 * often as you like. Plans are immutable and may be shared by threads and streams.
 *
 * The library never prints, exits or aborts. A call that fails returns a negative status and leaves a sentence for this
 * thread in grkan_last_error(). Of what the call was to give, a pointer (to a device, a plan, memory, a preset) is NULL
 * then, a count is 0 and a grkan_compilation is empty, so that code that frees them may run as it stands; other structs
 * and numbers to fill in, and tensors, are as they were. Only where a device itself fails (GRKAN_ERROR_DEVICE) may a part
 * of what a call writes be written.
 *
 * How structs grow: until version 1.0 a minor version may add members to any struct, at its end or where the same things
 * stand. Zero in a new member means what was done before. A program is compiled again then, and the library's soname,
 * which has major and minor version (libgrkan.so.0.2), keeps the two apart. A patch version changes no struct. So
 * initialise a struct by names, by its macro ending in _INIT, or by {0}, and set what you need.
 */
#ifndef GRKAN_GRKAN_H
#define GRKAN_GRKAN_H

#include <stddef.h>
#include <stdint.h>

#include <grkan/operation.h>

#ifdef __cplusplus
extern "C" {
#endif

#define GRKAN_VERSION_MAJOR 0
#define GRKAN_VERSION_MINOR 2
#define GRKAN_VERSION_PATCH 0

/* What builds the library for Windows says how functions are exported; whoever calls them needs to say nothing. */
#ifndef GRKAN_API
#if defined(__GNUC__) && !defined(_WIN32)
#define GRKAN_API __attribute__((visibility("default")))
#else
#define GRKAN_API
#endif
#endif

/** What a call returns. Errors are negative. */
typedef enum grkan_status {
    GRKAN_SUCCESS = 0,
    GRKAN_ERROR_INVALID_ARGUMENT = -1, /**< an argument is outside what its comment allows */
    GRKAN_ERROR_NO_BACKEND = -2,       /**< the backend is unknown, was not built, or its module does not load */
    GRKAN_ERROR_NO_DEVICE = -3,        /**< the backend works, but has no such device */
    GRKAN_ERROR_UNSUPPORTED = -4,      /**< the device cannot do or cannot promise what was asked */
    GRKAN_ERROR_OUT_OF_MEMORY = -5,    /**< host or device memory ran out */
    GRKAN_ERROR_COMPILE = -6,          /**< the vendor's compiler refused the kernels; the text holds its log */
    GRKAN_ERROR_DEVICE = -7            /**< a call of the vendor's runtime failed; the text names the call */
} grkan_status;

/** How the gradients of the tables are accumulated. */
typedef enum grkan_strategy {
    GRKAN_STRATEGY_AUTO = 0,    /**< tree */
    GRKAN_STRATEGY_ELEMENT = 1, /**< every element adds to global memory atomically; a baseline to measure */
    GRKAN_STRATEGY_BLOCK = 2,   /**< a block reduces its elements, then one atomic per number of a table */
    GRKAN_STRATEGY_TREE = 3     /**< block sums go to a workspace and a fixed tree combines them; no float atomics */
} grkan_strategy;

/** What is promised about the bits of the tables' gradients (y and dx never depend on scheduling). */
typedef enum grkan_determinism {
    GRKAN_RUN_TO_RUN = 0, /**< same device (its tunings included, see tune.h), same plan: same bits. The default. */
    GRKAN_NONE = 1,       /**< no promise; any strategy */
    GRKAN_DEVICE_TO_DEVICE = 2 /**< same bits in y, dx and all gradients on every device of every backend. The payload
                                     and sign of a NaN are not promised. */
} grkan_determinism;

/** Which instructions the cpu backend uses; other backends ignore it. Results do not depend on it. */
typedef enum grkan_cpu_simd {
    GRKAN_CPU_SIMD_AUTO = 0, /**< the widest that this processor has */
    GRKAN_CPU_SIMD_OFF = 1   /**< the plain scalar reference */
} grkan_cpu_simd;

/* ------------------------------------------------------------------------------------------------------- options */

/** A part of the work of one call, of the library's making: see grkan_parallel_for. */
typedef void (*grkan_task)(void *argument, int64_t index);

/**
 * A parallel loop over a pool of threads of the caller's, for the cpu backend: call task(argument, i) for each i of
 * 0..count - 1, on any threads and in any order, the calling thread among them or not, and return when all those calls
 * have returned. It is called during grkan_forward and grkan_backward, on the thread that called them, and by several
 * threads at once if those are.
 *
 * Tasks share out the work as they come, so it does no harm to call fewer of them, or to call them one after the other:
 * what is left is done by the calling thread. So a pool that is busy, or has no thread to give, need not wait, and
 * there is no error to report. Results do not depend on it. No C++ exception or longjmp may leave it.
 *
 * A task computes: it does not wait for other tasks, takes no lock, allocates nothing, and leaves the floating-point
 * environment of its thread as it was. It takes at most 32 KiB of stack.
 * @param context  cpu_parallel_context of the options
 * @param count    at least 2, at most the number of threads
 * @param argument the task's; valid until this returns
 */
typedef void (*grkan_parallel_for)(void *context, int64_t count, grkan_task task, void *argument);

/** Bit of options.frozen for dx; bit k is that of table k's gradient. */
#define GRKAN_FROZEN_X (1u << 31)

/**
 * How to run it. All zero is the default.
 *
 * The cpu backend's threads: cpu_threads, else the environment's GRKAN_CPU_THREADS when the device was opened, else one
 * for each processor that the process may use. Those beside the caller's are started when a plan is made and shared by
 * all plans; fewer are used where the system does not give so many, or where other callers have them. They are parked
 * between calls, and end when the last cpu device is closed. A forked child has none until it makes a plan.
 */
typedef struct grkan_options {
    grkan_strategy strategy;
    grkan_determinism determinism;
    int cpu_threads; /**< cpu backend: threads at most, the calling one among them, 1..1024; 0: see above */
    grkan_cpu_simd cpu_simd;
    grkan_parallel_for cpu_parallel_for; /**< cpu backend: a pool of the caller's; NULL: the library's own */
    void *cpu_parallel_context;          /**< passed to it; must live as long as the plan's calls */
    uint32_t frozen; /**< gradients that nobody wants: backward neither computes them nor looks at their buffers */
    int writes_y;    /**< 1: backward writes y again, for layers that do not store it */
} grkan_options;

typedef struct grkan_device grkan_device;
typedef struct grkan_plan grkan_plan;

/**
 * Memory of a device, owned by the caller. base is a pointer for the cpu, CUDA and HIP and a cl_mem for OpenCL; offset
 * counts bytes from its start. base + offset needs the alignment of one element; 16 bytes is fastest. Of a cl_mem that
 * is memory of the host's (CL_MEM_USE_HOST_PTR), or a part of one, the start is where that lies; its size is checked.
 */
typedef struct grkan_buffer {
    void *base;
    size_t offset;
} grkan_buffer;

/** Arguments of grkan_forward. y may be x (in place) if their types are the same; otherwise nothing may overlap y. */
typedef struct grkan_forward_arguments {
    grkan_buffer x; /**< in, outer x channels x inner of operation.dtype */
    grkan_buffer
        tables[GRKAN_MOST_TABLES]; /**< in, those of grkan_operation_tables in their order; others are not read */
    grkan_buffer y;                /**< out, shape of x, of operation.output_dtype */
    grkan_buffer mean; /**< out, of GRKAN_PROLOGUE_LAYER_NORM, [outer] of the tables' type; base NULL: not written */
    grkan_buffer rstd; /**< out, of the norms, likewise: what backward needs */
} grkan_forward_arguments;

/** What happens to what the memory of the tables' gradients holds before a call. */
typedef enum grkan_accumulation { GRKAN_OVERWRITE = 0, GRKAN_ADD = 1 } grkan_accumulation;

/** Arguments of grkan_backward. dx may be x, or dy if their types are the same (in place), and y may be dy; otherwise nothing
    may overlap an output. */
typedef struct grkan_backward_arguments {
    grkan_buffer x;                            /**< in */
    grkan_buffer dy;                           /**< in, gradient of the loss with respect to y, shape and type of y */
    grkan_buffer tables[GRKAN_MOST_TABLES];    /**< in, as for grkan_forward */
    grkan_buffer dx;                           /**< out, shape and type of x */
    grkan_buffer gradients[GRKAN_MOST_TABLES]; /**< out, or in and out with GRKAN_ADD; each the shape of its table */
    grkan_accumulation accumulation;
    grkan_buffer workspace; /**< grkan_plan_workspace_bytes() bytes, aligned to 16; see there. NULL when that is 0 */
    size_t workspace_bytes; /**< how many the caller has there */
    grkan_buffer mean;      /**< in, of GRKAN_PROLOGUE_LAYER_NORM: what forward wrote */
    grkan_buffer rstd;      /**< in, of the norms: likewise */
    grkan_buffer y;         /**< out, with options.writes_y: shape and type of dy */
} grkan_backward_arguments;

/** What a device is. Texts end in 0 and are cut when too long. */
typedef struct grkan_device_properties {
    char selector[32];     /**< what grkan_device_open takes: "cpu", "cuda:1", "opencl:0:1" */
    char backend[16];      /**< "cpu", "cuda", "hip", "opencl" */
    char name[128];        /**< as the vendor gives it */
    char driver[128];      /**< driver and runtime versions */
    char architecture[64]; /**< what kernels are compiled for: "sm_90", "gfx90a", ... */
    int32_t compute_units; /**< multiprocessors, compute units, or on the cpu threads */
    int32_t wave_width;    /**< threads that run in step; on the cpu, f32 lanes */
    int32_t is_gpu;        /**< 1 for a GPU, 0 otherwise */
    uint32_t dtypes;       /**< bit (1 << grkan_dtype) for each storage type that it runs */
    int32_t has_atomics;   /**< 1 if GRKAN_STRATEGY_ELEMENT and _BLOCK run for f32, f16 and bf16 */
    int32_t is_ieee;       /**< 1 if it can promise GRKAN_DEVICE_TO_DEVICE */
    uint64_t memory_bytes;
    uint64_t cache_bytes; /**< last-level cache; 0 if unknown */
} grkan_device_properties;

/** One pass of a plan, and what it costs by the IO model: the bytes that it must move and the work it does. */
typedef struct grkan_pass_description {
    int32_t vector;   /**< elements that a thread takes from a row at once */
    int32_t block;    /**< threads of a block */
    int64_t blocks;   /**< of all launches together */
    int32_t launches; /**< of kernels; on the cpu 1 */
    uint64_t bytes;   /**< that must be moved: 2 tensors forward, 3 backward, as far as they are wanted */
    uint64_t flops;   /**< an fma counted as two */
    uint64_t atomics; /**< of floats */
} grkan_pass_description;

/** What a plan decided. */
typedef struct grkan_plan_description {
    grkan_strategy strategy; /**< never GRKAN_STRATEGY_AUTO */
    grkan_determinism determinism;
    int32_t is_compiled;   /**< 1: kernels were compiled for this plan; 0: found in the cache, or made beforehand */
    int64_t longest_chain; /**< additions that follow one another on the way of an element to the gradient of a
                                table, at most: each rounds once, so a gradient is within so many unit roundoffs of
                                the sum of its contributions' absolute values */
    grkan_pass_description forward;
    grkan_pass_description backward;
} grkan_plan_description;

/* ------------------------------------------------------------------------------------------------------- status */

/** @return the name of a status, as "GRKAN_ERROR_NO_DEVICE"; "unknown status" for another value. Never NULL. */
GRKAN_API const char *grkan_status_name(grkan_status status);

/** @return what the last failed call of this thread complained about; "" before the first. Valid until the next. */
GRKAN_API const char *grkan_last_error(void);

/** @return "0.2.0". */
GRKAN_API const char *grkan_version(void);

/** @return the commit that the library was built from, or "unknown". */
GRKAN_API const char *grkan_commit(void);

/** @return "f32", "rational", "abs_terms", "layer_norm", "tree", "run_to_run": the names that the program uses; NULL for another value. */
GRKAN_API const char *grkan_dtype_name(grkan_dtype dtype);
GRKAN_API const char *grkan_family_name(grkan_family family);
GRKAN_API const char *grkan_form_name(grkan_form form);
GRKAN_API const char *grkan_prologue_name(grkan_prologue prologue);
GRKAN_API const char *grkan_strategy_name(grkan_strategy strategy);
GRKAN_API const char *grkan_determinism_name(grkan_determinism determinism);

/** @return bytes of one element of a storage type; 0 for another value. */
GRKAN_API size_t grkan_dtype_bytes(grkan_dtype dtype);

/** @return bytes of one number of a table, for tensors of a storage type (4, or 8 for f64); 0 for another value. */
GRKAN_API size_t grkan_coefficient_bytes(grkan_dtype dtype);

/** @return the storage type of y and dy of an operation, which is not NULL: its output_dtype, or its dtype. */
GRKAN_API grkan_dtype grkan_operation_output_dtype(const grkan_operation *operation);

/**
 * Tell which tables an operation has: what the arguments of grkan_forward and grkan_backward hold, in their order.
 * @param operation not NULL; checked as grkan_plan_create checks it
 * @param tables    out, [GRKAN_MOST_TABLES]; may be NULL. Those beyond the count are as they were
 * @param count     out, not NULL
 */
GRKAN_API grkan_status grkan_operation_tables(const grkan_operation *operation, grkan_table *tables, int *count);

/* ------------------------------------------------------------------------------------------------------- devices */

/** @return how many backends grkan knows of, whether built or not: cuda, hip, opencl, cpu. */
GRKAN_API int grkan_backend_count(void);

/** @return the name of backend index; NULL outside 0..grkan_backend_count() - 1. */
GRKAN_API const char *grkan_backend_name(int index);

/**
 * Have backends look for their vendors' libraries (NVRTC, HIP's runtime, hipRTC, comgr) in a folder, too: for libraries
 * that come in packages, where no loader looks. From any thread, at any time: what was not found is looked for again at
 * the next call that needs it. A folder that is known already is no error.
 * @param folder an absolute path, not NULL; copied, and kept until the process ends
 * @return GRKAN_ERROR_OUT_OF_MEMORY also for more than 64 folders
 */
GRKAN_API grkan_status grkan_add_library_folder(const char *folder);

/**
 * Tell which of its vendor's libraries serve a backend, loading its module if need be: a line for each, "NAME VERSION: PATH",
 * or "NAME: " and why there is none. "" where a backend needs none.
 * @param backend a name that grkan_backend_name gives
 * @param text    out, not NULL, [bytes], ends in 0; lines are cut where it is full
 * @param bytes   at least 1
 */
GRKAN_API grkan_status grkan_backend_libraries(const char *backend, char *text, size_t bytes);

/**
 * Count the devices of a backend, loading its module if need be.
 * @param backend a name that grkan_backend_name gives
 * @param count   out, not NULL; how many devices it has; 0 with success is not possible
 * @return GRKAN_ERROR_NO_BACKEND (not built; or not loadable, with the loader's words), GRKAN_ERROR_NO_DEVICE, or
 *         success.
 */
GRKAN_API grkan_status grkan_device_count(const char *backend, int *count);

/**
 * Open a device.
 * @param selector "cpu", "cuda", "cuda:1", "hip:0", "opencl", "opencl:0:1" (platform:device). NULL or "": the
 *                 environment's GRKAN_DEVICE, else the first that works of cuda, hip, an OpenCL GPU, cpu.
 * @param device   out, not NULL; close it with grkan_device_close
 */
GRKAN_API grkan_status grkan_device_open(const char *selector, grkan_device **device);

/** Open device index (0..count - 1) of a backend: for programs that list devices. */
GRKAN_API grkan_status grkan_device_open_index(const char *backend, int index, grkan_device **device);

/**
 * Open a device inside a context of the caller's, so that buffers and queues of that context can be used.
 * @param backend "opencl". CUDA needs no such call: each call works in the context that is current in its thread if that
 *                is of the device, else in the device's primary one, and leaves current what was. Nor does HIP
 * @param context cl_context; retained while the device is open
 * @param native  cl_device_id, one of the context's
 */
GRKAN_API grkan_status grkan_device_open_native(const char *backend, void *context, void *native,
                                                grkan_device **device);

/**
 * Close a device, and unload its kernels. Its plans must be destroyed before, and the work that they enqueued, graphs that
 * captured it included, must be over. NULL does nothing.
 */
GRKAN_API void grkan_device_close(grkan_device *device);

/** Fill in what the device is. Neither may be NULL. */
GRKAN_API grkan_status grkan_device_describe(const grkan_device *device, grkan_device_properties *properties);

/* --------------------------------------------------------------------------------------------------------- plans */

/**
 * Make a plan: check the operation, fix the geometry, and compile or load the kernels. Slow (up to seconds when
 * nothing is cached); everything after it is not. Plans of one device that differ in sizes share their kernels, so that
 * another one takes microseconds. The device must outlive the plan.
 * @param options NULL for the defaults
 * @param plan    out, not NULL; destroy it with grkan_plan_destroy
 */
GRKAN_API grkan_status grkan_plan_create(grkan_device *device, const grkan_operation *operation,
                                         const grkan_options *options, grkan_plan **plan);

/** Destroy a plan. What it enqueued, or what a graph captured of it, still runs: kernels are the device's. NULL does nothing. */
GRKAN_API void grkan_plan_destroy(grkan_plan *plan);

/**
 * Bytes of workspace that one call of grkan_backward needs; may be 0. Two calls that can run at the same time need
 * two workspaces. Fill it with zero bytes before its first use, and again if it held anything but grkan's workspace;
 * every call leaves it fit for the next, also of another plan. It is at most 1 MiB, unless a single row is cut into so
 * many blocks, none of which has two groups, that their parts of a gradient that groups share take more: for KAT's
 * degrees in f32, with more than 43,000 groups that are each wider than a block. With a prologue it may be 1/16 of x's
 * bytes more.
 */
GRKAN_API size_t grkan_plan_workspace_bytes(const grkan_plan *plan);

/** Fill in what the plan decided. Neither may be NULL. */
GRKAN_API grkan_status grkan_plan_describe(const grkan_plan *plan, grkan_plan_description *description);

/**
 * Enqueue y = F(prologue(x)).
 * @param stream the device's own: CUstream/cudaStream_t, hipStream_t, cl_command_queue (of the device and its
 *               context, in order: others are refused); NULL for the device's default, on CUDA the legacy one
 *               (cudaStreamPerThread may be passed for the other). The cpu has none (NULL only) and is done when the
 *               call returns.
 *
 * A call on the cpu, forward or backward, takes at most 32 KiB of the stack of the calling thread and of those that it
 * shares its work with. It allocates nothing: blocks work in memory that the device took when it was opened, 640 KiB for
 * each processor; where more callers than that are at it, or there was none to take, in their stacks, which takes up to
 * twice as long. The bits are the same.
 */
GRKAN_API grkan_status grkan_forward(const grkan_plan *plan, const grkan_forward_arguments *arguments, void *stream);

/** Enqueue dx, and the gradients of the tables. Stream as for grkan_forward. */
GRKAN_API grkan_status grkan_backward(const grkan_plan *plan, const grkan_backward_arguments *arguments, void *stream);

/* ------------------------------------------------- memory, for callers who have no runtime of the vendor at hand */

/** Allocate bytes (> 0) of device memory, aligned to 64 bytes or more; free it with grkan_memory_free. */
GRKAN_API grkan_status grkan_memory_allocate(grkan_device *device, size_t bytes, void **base);

/** Free what grkan_memory_allocate gave. NULL does nothing. */
GRKAN_API void grkan_memory_free(grkan_device *device, void *base);

/** Copy host memory to the device; done when it returns. */
GRKAN_API grkan_status grkan_memory_upload(grkan_device *device, grkan_buffer to, const void *from, size_t bytes);

/** Copy device memory to the host, after everything enqueued on the default stream; done when it returns. */
GRKAN_API grkan_status grkan_memory_download(grkan_device *device, void *to, grkan_buffer from, size_t bytes);

/** Enqueue a copy within the device on its default stream: what bench measures the memory with. No overlap. */
GRKAN_API grkan_status grkan_memory_copy(grkan_device *device, grkan_buffer to, grkan_buffer from, size_t bytes);

/** Wait until everything enqueued on the device's default stream is done. */
GRKAN_API grkan_status grkan_device_synchronize(grkan_device *device);

/* -------------------------------------------------------------------------------------------------------- timing */

/** Start the device's own stopwatch on its default stream. One at a time per device. */
GRKAN_API grkan_status grkan_timer_start(grkan_device *device);

/** Stop it, wait, and give the milliseconds that the device spent in between (its events, not the host's clock). */
GRKAN_API grkan_status grkan_timer_stop(grkan_device *device, double *milliseconds);

#ifdef __cplusplus
}
#endif

#endif
