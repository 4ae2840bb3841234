/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file backend.h
 * @brief What the author of a backend includes. Users of the library include grkan.h.
 *
 * A backend is one const table of functions, exported by a module under the name GRKAN_BACKEND_SYMBOL (the cpu's is built
 * into the library). The core has checked every argument before it calls a backend; a backend reports what its vendor's
 * runtime says, through host->set_error and the status that it returns.
 *
 * The core plans and decides; a backend runs. Both were built from the same headers and kernels, or the core refuses the
 * module: see grkan_backend.interface_hash.
 */
#ifndef GRKAN_BACKEND_H
#define GRKAN_BACKEND_H

#include <grkan/compile.h>
#include <grkan/tune.h>

#include "kernels/geometry.h"

#ifdef __cplusplus
extern "C" {
#endif

/** The symbol of a module: an object of type grkan_backend. */
#define GRKAN_BACKEND_SYMBOL "grkan_backend_table"

/** What the core offers to a backend. Lives as long as the process. */
typedef struct grkan_host {
    /** Set the text of this thread's last error (printf style) and return status, so that a caller can return it. */
    grkan_status (*set_error)(grkan_status status, const char *format, ...)
#if defined(GRKAN_FORMAT) /* whoever includes platform.h before has formats checked */
        __attribute__((format(GRKAN_FORMAT, 2, 3)))
#endif
        ;
    /** The folders that callers handed over for vendors' libraries, absolute, in order; NULL past the last. */
    const char *(*library_folder)(int index);
} grkan_host;

/** A device as its backend holds it, opaque to the core. */
typedef struct grkan_backend_device grkan_backend_device;

/** Kernels loaded on a device, for all plans that have their definitions, opaque to the core. */
typedef struct grkan_backend_program grkan_backend_program;

/** What a tuning depends on: what a thread of a pass loads and keeps. */
typedef struct grkan_pass_shape {
    int32_t is_backward;
    grkan_dtype dtype;     /**< of x or y, whichever has more bytes */
    int32_t vector;        /**< elements that a thread loads of a row at once */
    int32_t vector_groups; /**< groups that those may be of: 1, or as many as there are elements */
    int32_t
        numbers; /**< of the family's tables that a thread keeps, of all those groups; backward keeps as many sums */
    grkan_prologue prologue;
    int32_t channel_numbers; /**< of the prologue's tables that it keeps; backward keeps twice as many sums */
    int32_t row_threads;     /**< that take a whole row, all in one block; 0 where rows are cut */
} grkan_pass_shape;

typedef struct grkan_device_limits grkan_device_limits;

/** Limits that the planner needs. */
struct grkan_device_limits {
    int32_t compute_units;
    int32_t is_fixed;       /**< 1: the geometry shall not depend on the device's size */
    int32_t least_elements; /**< of a thread, so that the reduction of its block stays small beside them */
    int32_t max_block;      /**< threads of a block, at most */
    int32_t max_row_block;  /**< likewise, where it shall hold whole rows, however few registers that leaves a thread */
    int32_t
        max_vector_bytes; /**< widest access of a thread, in bytes; 0: one element, whatever its type, of one group */
    int32_t block_step;   /**< threads that a block has a multiple of, itself one of 32; 0: 32 */
    int32_t registers;    /**< of 32 bits in a compute unit, of four parts with a quarter each; 0: unknown */
    /** The one of these limits' tunings that suits a shape, as far as registers allow: a pure function. Not NULL. */
    grkan_tuning (*tune)(const grkan_device_limits *limits, const grkan_pass_shape *shape);
    /** What follows from what the device tells; all 0 where it has no tunings. The core puts those in use here. */
    grkan_tuning tunings[GRKAN_TUNING_KINDS];
    const grkan_tunings *known; /**< those that grkan comes with for such a device; NULL: none */
    int32_t last_block_reduces; /**< 1: the last block of a launch may read what the others wrote; 0: a second launch */
    int32_t has_async_copies;   /**< 1: vectors on their way lie in local memory, which the hardware fills by itself */
    int32_t
        exchanges_registers; /**< 1: 32 threads tell each other numbers by registers, so that a row's sums take little local
                                      memory */
    uint64_t local_bytes;        /**< shared (local) memory of a block, at most */
    uint64_t launch_local_bytes; /**< likewise, where a launch asks for it; 0: that makes no difference */
    int32_t lacks_f64_atomics;   /**< 1: GRKAN_STRATEGY_ELEMENT and _BLOCK do not run for f64 */
    int32_t lanes; /**< numbers of f32 in a vector, of a processor that runs a block as one work-item: 4, 8 or
                                    16; 0: all threads of a block are work-items */
};

/** Most numbers that fix a family's formulas. */
#define GRKAN_MOST_PARAMETERS 8

/** Everything a backend needs to know of a plan. The core owns it; it does not change. */
typedef struct grkan_plan_data {
    grkan_operation operation;
    grkan_options options; /**< strategy is never GRKAN_STRATEGY_AUTO */
    grkan_table tables[GRKAN_MOST_TABLES];
    int32_t table_count;
    int32_t parameters[GRKAN_MOST_PARAMETERS]; /**< of the family's formulas, in the order of its header in kernels/ */
    int32_t may_have_poles;                    /**< 1: what the formulas divide by may be 0 */
    grkan_geometry forward;
    grkan_geometry backward;
    int32_t last_block_reduces; /**< the partials of all blocks; 0: a second launch does */
    int32_t lanes;              /**< threads that one work-item, which has the whole block, computes at once; 0: each
                                   thread is a work-item */
    grkan_tuning forward_tuning;
    grkan_tuning backward_tuning;
    int32_t launch_local_bytes; /**< local memory that launches of backward's first kernel ask for, beside what its
                                   program has: the pipeline's */
    size_t workspace_bytes;
} grkan_plan_data;

/** The buffers of one call. In forward's, {NULL, 0} stands for what is of backward. */
typedef struct grkan_call {
    grkan_buffer x;
    grkan_buffer dy;               /**< of backward */
    grkan_buffer result;           /**< y, or dx; base NULL where that is frozen */
    const grkan_buffer *tables;    /**< as many as the plan has */
    const grkan_buffer *gradients; /**< of backward; likewise */
    grkan_buffer workspace;        /**< of backward; base is NULL where the plan has none */
    int32_t add;                   /**< of backward; 1: add to the gradients of the tables */
    grkan_buffer mean;             /**< of norms: out of forward, if base is not NULL; in for backward */
    grkan_buffer rstd;             /**< likewise */
    grkan_buffer y;                /**< of backward, with options.writes_y */
} grkan_call;

/** A program to compile: one translation unit and its options, for one architecture. */
typedef struct grkan_compile_request {
    const char *source;       /**< the kernels; a backend's dialect goes in front of it */
    const char *definitions;  /**< "-DNAME=VALUE" separated by spaces, understood by every compiler */
    int32_t is_ieee;          /**< 1: keep what IEEE 754 fixes (correctly rounded division) */
    int32_t has_norm;         /**< 1: threads wait for each other in each step */
    const char *architecture; /**< as grkan_device_properties.architecture */
    const char *compiler;     /**< a program to compile with; NULL: the compiler that the vendor's runtime has */
} grkan_compile_request;

/** Bytes that the callee allocated with malloc and the caller frees. */
typedef struct grkan_blob {
    void *data;
    size_t bytes;
} grkan_blob;

/** What a compiler says of the kernels that it made. */
typedef struct grkan_compiler_report {
    int32_t kernel_count;
    grkan_kernel_resources kernels[GRKAN_MOST_KERNELS];
} grkan_compiler_report;

/** The table. Functions marked "optional" may be NULL; all others may not. */
typedef struct grkan_backend {
    /** GRKAN_INTERFACE of interface.h, which the build makes: a hash of the headers and kernels that the library and its
        modules share. It is the first member, so that it can be read of a module of any build. */
    uint64_t interface_hash;
    const char *name;
    const char *dialect_hash; /**< of the text put in front of the kernels, part of the cache key; optional */
    int32_t uses_pointers;    /**< 1: grkan_buffer.base is an address, so overlap and alignment can be checked */

    /* Discovery. count is called first, by one thread at a time, and again as long as it finds no device; it keeps host. */
    grkan_status (*count)(const grkan_host *host, int *count);
    /** Which libraries of the vendor serve it: a line for each, "NAME VERSION: PATH", or "NAME: " and why there is none.
        Cut where the text is full. Optional. */
    void (*libraries)(char *text, size_t bytes);
    /** The part of a selector after "name:" to an index; optional: a plain number 0..count - 1 otherwise. */
    grkan_status (*resolve)(const char *text, int *index);
    grkan_status (*open)(int index, grkan_backend_device **device);
    grkan_status (*open_native)(void *context, void *native, grkan_backend_device **device); /**< optional */
    void (*close)(grkan_backend_device *device);
    grkan_status (*describe)(const grkan_backend_device *device, grkan_device_properties *properties,
                             grkan_device_limits *limits);

    /* What callers hand over. Without these, memory that is no address is taken as aligned and large enough. */
    /** Where memory lies whose base is no address, not NULL. Optional.
        @param address out; aligned as the memory is, and of no other meaning
        @param bytes   out, may be NULL: how many there are from the base on */
    grkan_status (*locate)(void *base, uintptr_t *address, size_t *bytes);
    /** Refuse a stream, not NULL, on which the device's work would not run, or not in order. Optional. */
    grkan_status (*check_stream)(const grkan_backend_device *device, void *stream);

    /* Programs. A backend with no compiler leaves compile and identity NULL, and load gets an empty blob. */
    /** What a compiled program depends on beside its source: versions and options of the compiler. Optional.
        @param device NULL where assume is there */
    const char *(*identity)(const grkan_backend_device *device);
    /** The limits of a device of an architecture that is not there, with one compute unit. Optional: where compile
        needs no device. */
    grkan_status (*assume)(const char *architecture, grkan_device_limits *limits);
    /** Compile. device may be NULL where assume is there. Optional.
        @param report out, may be NULL: what the compiler says */
    grkan_status (*compile)(grkan_backend_device *device, const grkan_compile_request *request, grkan_blob *binary,
                            grkan_compiler_report *report);
    /** Load. Other plans with the same definitions use the program too, so it must not remember this one's sizes. */
    grkan_status (*load)(grkan_backend_device *device, const grkan_plan_data *plan, const grkan_blob *binary,
                         grkan_backend_program **program);
    /** Called before close. */
    void (*unload)(grkan_backend_program *program);
    /** Called for each plan before the caller gets it: to have ready what its calls share, such as threads, or kernels in
        the context at hand. Optional. */
    grkan_status (*prepare)(grkan_backend_program *program, const grkan_plan_data *plan);

    /* Enqueue and return: no allocation, no synchronisation. */
    grkan_status (*forward)(grkan_backend_program *program, const grkan_plan_data *plan, const grkan_call *call,
                            void *stream);
    grkan_status (*backward)(grkan_backend_program *program, const grkan_plan_data *plan, const grkan_call *call,
                             void *stream);

    /** Tell of the launches of forward and then backward, in order, instead of launching. Optional. */
    grkan_status (*list_launches)(const grkan_plan_data *plan, grkan_launch_listener listener, void *context);

    /* Memory, the default stream, and its stopwatch. */
    grkan_status (*allocate)(grkan_backend_device *device, size_t bytes, void **base);
    void (*free)(grkan_backend_device *device, void *base);
    grkan_status (*upload)(grkan_backend_device *device, grkan_buffer to, const void *from, size_t bytes);
    grkan_status (*download)(grkan_backend_device *device, void *to, grkan_buffer from, size_t bytes);
    grkan_status (*copy)(grkan_backend_device *device, grkan_buffer to, grkan_buffer from, size_t bytes);
    grkan_status (*synchronize)(grkan_backend_device *device);
    grkan_status (*timer_start)(grkan_backend_device *device);
    grkan_status (*timer_stop)(grkan_backend_device *device, double *milliseconds);
} grkan_backend;

#ifdef __cplusplus
}
#endif

#endif
