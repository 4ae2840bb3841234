/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file layer.h
 * @brief A layer between an application and the OpenCL loader (OPENCL_LAYERS), for tests only.
 *
 * It knows of every object that the application holds, and refuses what the specification does not allow, also where the
 * runtime below forgives: answers that do not fit, objects that were released or belong to another context, devices that
 * a program was not built for, arguments that were not set, sizes of groups, ranges beyond a buffer, kernels that two
 * threads use at once, commands that nothing orders. What it refuses it remembers, and any call can be made to fail
 * (control.h).
 *
 * It watches the entry points that grkan and its tests call; others go through unseen.
 */
#ifndef OPENCL_LAYER_H
#define OPENCL_LAYER_H

#include "control.h"

#include <CL/cl_layer.h>

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define LAYER_API __attribute__((visibility("default")))

enum { layer_most_devices = 16, layer_most_arguments = 32 };

typedef enum { CONTEXT, QUEUE, MEMORY, PROGRAM, KERNEL, EVENT, KINDS } layer_kind;

/** What an application holds, and what later calls are checked against. Members not named for a kind are zero. */
typedef struct layer_object {
    struct layer_object *next;
    layer_kind kind;
    const void *handle;
    int references;       /**< the application's own */
    cl_context context;   /**< of everything but a context */
    cl_device_id device;  /**< of a queue */
    bool is_out_of_order; /**< a queue */
    bool has_profiling;   /**< a queue, and its events */
    int unordered;        /**< commands of such a queue since it was last waited for */
    size_t bytes;         /**< of memory */
    cl_uint device_count; /**< of a context, or a program */
    cl_device_id devices[layer_most_devices];
    bool is_built[layer_most_devices]; /**< of a program, for each device */
    int kernels;                       /**< of a program, that are alive */
    const void *program;               /**< of a kernel */
    cl_uint argument_count;            /**< of a kernel */
    bool is_set[layer_most_arguments];
    cl_mem memory[layer_most_arguments];
    bool is_taken; /**< a kernel: arguments were set since it was last enqueued, */
    pthread_t by;  /**< by this thread */
} layer_object;

/** What calls go on to. */
extern cl_icd_dispatch layer_next;

/* objects.c. The table is locked from layer_enter to layer_leave, the call to what is below included. */

/** Begin an entry point. @return CL_SUCCESS, or what a test wants it to fail with */
cl_int layer_enter(const char *entry_point);
void layer_leave(void);

/** Remember what was wrong. @return code */
cl_int layer_refuse(cl_int code, const char *format, ...) __attribute__((format(printf, 2, 3)));

/** Take up a new object; NULL does nothing. @return where to put what is known of it, or NULL */
layer_object *layer_add(layer_kind kind, const void *handle, cl_context context);

/** @return an object of the kind; NULL, having complained, if it is none, or was released */
layer_object *layer_find(layer_kind kind, const void *handle);

/** Count a reference more or less. @return CL_SUCCESS, or the code for an object of the kind that is none */
cl_int layer_retain(layer_kind kind, const void *handle);
cl_int layer_release(layer_kind kind, const void *handle);

bool layer_has_device(const layer_object *of, cl_device_id device, cl_uint *place);

/** An answer that a test wants to a question about a device or a kernel. @return whether there is one */
bool layer_answer_of(cl_uint what, const void **value, size_t *bytes);
cl_command_queue_properties layer_added_properties(void);

/* queries.c: what an application is told, which a test may have changed. @return what OpenCL's own question does */
cl_int layer_ask_device(cl_device_id device, cl_device_info what, size_t size, void *value);
cl_int layer_ask_kernel(cl_kernel kernel, cl_device_id device, cl_kernel_work_group_info what, size_t size,
                        void *value);

/** End the entry point with a complaint unless a condition holds. */
#define REQUIRE(condition, code, ...)                                                                                  \
    do {                                                                                                               \
        if (!(condition))                                                                                              \
            return layer_refuse(code, __VA_ARGS__);                                                                    \
    } while (0)

/** An entry point that returns a code: `expression` with the table locked, unless a test wants it to fail. */
#define GUARDED(name, expression)                                                                                      \
    do {                                                                                                               \
        cl_int guarded_code = layer_enter(name);                                                                       \
        if (guarded_code == CL_SUCCESS)                                                                                \
            guarded_code = (expression);                                                                               \
        layer_leave();                                                                                                 \
        return guarded_code;                                                                                           \
    } while (0)

/* Put the entry points of each file into the layer's table. */
void layer_fill_queries(cl_icd_dispatch *own);
void layer_fill_objects(cl_icd_dispatch *own);
void layer_fill_programs(cl_icd_dispatch *own);
void layer_fill_commands(cl_icd_dispatch *own);

#endif
