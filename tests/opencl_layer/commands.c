/* SPDX-License-Identifier: Apache-2.0 */
/** @file commands.c @brief Commands: their queues, ranges, groups, order, and what they wait for. */
#include <string.h>

#include "layer.h"

/** Events that a command waits for. */
typedef struct wait_list {
    cl_uint count;
    const cl_event *events;
} wait_list;

static cl_int check_waits(const layer_object *queue, wait_list waits)
{
    REQUIRE((waits.count > 0) == (waits.events != NULL), CL_INVALID_EVENT_WAIT_LIST, "%u events at %p", waits.count,
            (const void *)waits.events);
    for (cl_uint i = 0; i < waits.count; ++i) {
        const layer_object *const event = layer_find(EVENT, waits.events[i]);
        if (event == NULL)
            return CL_INVALID_EVENT_WAIT_LIST;
        REQUIRE(event->context == queue->context, CL_INVALID_CONTEXT, "event %u is of another context", i);
    }
    return CL_SUCCESS;
}

/** Note a command that was enqueued, and its event if the caller wants one. */
static cl_int note(cl_int code, layer_object *queue, const cl_event *event)
{
    if (code != CL_SUCCESS)
        return code;
    ++queue->unordered;
    layer_object *const made = event != NULL ? layer_add(EVENT, *event, queue->context) : NULL;
    if (made != NULL)
        made->has_profiling = queue->has_profiling;
    return code;
}

/* --------------------------------------------------------------------------------------------------- kernels */

static cl_int check_arguments(const layer_object *kernel)
{
    for (cl_uint i = 0; i < kernel->argument_count && i < layer_most_arguments; ++i) {
        REQUIRE(kernel->is_set[i], CL_INVALID_KERNEL_ARGS, "argument %u was not set", i);
        if (kernel->memory[i] != NULL && layer_find(MEMORY, kernel->memory[i]) == NULL)
            return CL_INVALID_KERNEL_ARGS;
    }
    return CL_SUCCESS;
}

/**
 * Groups as the device and the kernel want them. OpenCL 1.2 holds a group against CL_DEVICE_MAX_WORK_GROUP_SIZE and the
 * size that its kernel requires, 2.0 and later against CL_KERNEL_WORK_GROUP_SIZE. A kernel that requires a size was
 * compiled for it and runs in no other, whatever it is said to take: NVIDIA's driver answers 256 for kernels that require
 * groups of 384, and runs them. So the later rule is for kernels that require none.
 */
static cl_int check_groups(cl_kernel kernel, cl_device_id device, cl_uint dimensions, const size_t *global,
                           const size_t *local)
{
    size_t of_device = 0, of_kernel = 0, fixed[3] = {0}, most_of[3] = {0}, all = 1;
    cl_uint bits = 0;
    cl_ulong memory = 0, most_memory = 0;
    REQUIRE(dimensions >= 1 && dimensions <= 3, CL_INVALID_WORK_DIMENSION, "%u dimensions", dimensions);
    REQUIRE(global != NULL, CL_INVALID_GLOBAL_WORK_SIZE, "no global size");
    (void)layer_ask_kernel(kernel, device, CL_KERNEL_WORK_GROUP_SIZE, sizeof of_kernel, &of_kernel);
    (void)layer_ask_kernel(kernel, device, CL_KERNEL_COMPILE_WORK_GROUP_SIZE, sizeof fixed, fixed);
    (void)layer_ask_kernel(kernel, device, CL_KERNEL_LOCAL_MEM_SIZE, sizeof memory, &memory);
    (void)layer_ask_device(device, CL_DEVICE_LOCAL_MEM_SIZE, sizeof most_memory, &most_memory);
    (void)layer_ask_device(device, CL_DEVICE_MAX_WORK_GROUP_SIZE, sizeof of_device, &of_device);
    (void)layer_ask_device(device, CL_DEVICE_MAX_WORK_ITEM_SIZES, sizeof most_of, most_of);
    (void)layer_ask_device(device, CL_DEVICE_ADDRESS_BITS, sizeof bits, &bits);
    REQUIRE(memory <= most_memory, CL_OUT_OF_RESOURCES, "groups with %llu bytes of local memory; the device has %llu",
            (unsigned long long)memory, (unsigned long long)most_memory);
    for (cl_uint i = 0; i < dimensions; ++i) {
        REQUIRE(global[i] > 0 && (bits >= 64 || global[i] >> bits == 0), CL_INVALID_GLOBAL_WORK_SIZE, "%zu items",
                global[i]);
        REQUIRE(fixed[0] == 0 || (local != NULL && local[i] == fixed[i]), CL_INVALID_WORK_GROUP_SIZE,
                "groups of %zu; the kernel is for groups of %zu", local != NULL ? local[i] : 0, fixed[i]);
        if (local == NULL)
            continue;
        REQUIRE(local[i] > 0 && local[i] <= most_of[i], CL_INVALID_WORK_ITEM_SIZE, "groups of %zu; at most %zu",
                local[i], most_of[i]);
        REQUIRE(global[i] % local[i] == 0, CL_INVALID_WORK_GROUP_SIZE, "%zu items in groups of %zu", global[i],
                local[i]);
        all *= local[i];
    }
    REQUIRE(all <= of_device, CL_INVALID_WORK_GROUP_SIZE, "groups of %zu; the device has at most %zu", all, of_device);
    REQUIRE(fixed[0] != 0 || all <= of_kernel, CL_INVALID_WORK_GROUP_SIZE, "groups of %zu; the kernel has at most %zu",
            all, of_kernel);
    return CL_SUCCESS;
}

static cl_int run_kernel(cl_command_queue queue, cl_kernel kernel, cl_uint dimensions, const size_t *offset,
                         const size_t *global, const size_t *local, wait_list waits, cl_event *event)
{
    layer_object *const on = layer_find(QUEUE, queue), *const what = layer_find(KERNEL, kernel);
    if (on == NULL || what == NULL)
        return on == NULL ? CL_INVALID_COMMAND_QUEUE : CL_INVALID_KERNEL;
    REQUIRE(what->is_taken && pthread_equal(what->by, pthread_self()), CL_INVALID_OPERATION,
            "the kernel's arguments are not this thread's");
    what->is_taken = false;
    REQUIRE(on->context == what->context, CL_INVALID_CONTEXT, "queue and kernel are of two contexts");
    REQUIRE(!on->is_out_of_order || on->unordered == 0 || waits.count > 0, CL_INVALID_OPERATION,
            "nothing orders the kernel behind %d commands of a queue out of order", on->unordered);
    cl_int code = check_arguments(what);
    if (code == CL_SUCCESS)
        code = check_groups(kernel, on->device, dimensions, global, local);
    if (code == CL_SUCCESS)
        code = check_waits(on, waits);
    if (code != CL_SUCCESS)
        return code;
    return note(layer_next.clEnqueueNDRangeKernel(queue, kernel, dimensions, offset, global, local, waits.count,
                                                  waits.events, event),
                on, event);
}

static CL_API_ENTRY cl_int CL_API_CALL enqueue_kernel(cl_command_queue queue, cl_kernel kernel, cl_uint dimensions,
                                                      const size_t *offset, const size_t *global, const size_t *local,
                                                      cl_uint count, const cl_event *events, cl_event *event)
{
    GUARDED("clEnqueueNDRangeKernel",
            run_kernel(queue, kernel, dimensions, offset, global, local, (wait_list){count, events}, event));
}

/* ---------------------------------------------------------------------------------------------------- buffers */

/** A part of a buffer that a command on a queue uses. */
static cl_int check_range(const layer_object *queue, cl_mem memory, size_t offset, size_t bytes)
{
    const layer_object *const of = layer_find(MEMORY, memory);
    if (of == NULL)
        return CL_INVALID_MEM_OBJECT;
    if (of->context != queue->context)
        return CL_INVALID_CONTEXT; /* no complaint: how a caller learns that his buffer is a stranger */
    REQUIRE(bytes > 0 && offset <= of->bytes && bytes <= of->bytes - offset, CL_INVALID_VALUE,
            "%zu bytes from %zu on; the buffer has %zu", bytes, offset, of->bytes);
    return CL_SUCCESS;
}

/** A transfer between host and buffer. Without waiting, only an event tells when the host's memory is free again. */
static cl_int check_transfer(const layer_object *queue, cl_mem memory, cl_bool blocking, size_t offset, size_t bytes,
                             const void *host, wait_list waits, const cl_event *event)
{
    cl_int code = CL_INVALID_COMMAND_QUEUE;
    if (queue == NULL || (code = check_range(queue, memory, offset, bytes)) != CL_SUCCESS)
        return code;
    REQUIRE(host != NULL, CL_INVALID_VALUE, "the host's memory is NULL");
    REQUIRE(blocking == CL_TRUE || (blocking == CL_FALSE && event != NULL), CL_INVALID_VALUE,
            "nothing tells when the host's memory can be used");
    return check_waits(queue, waits);
}

static cl_int read_buffer(cl_command_queue queue, cl_mem memory, cl_bool blocking, size_t offset, size_t bytes,
                          void *host, wait_list waits, cl_event *event)
{
    layer_object *const on = layer_find(QUEUE, queue);
    const cl_int code = check_transfer(on, memory, blocking, offset, bytes, host, waits, event);
    return code != CL_SUCCESS ? code
                              : note(layer_next.clEnqueueReadBuffer(queue, memory, blocking, offset, bytes, host,
                                                                    waits.count, waits.events, event),
                                     on, event);
}

static CL_API_ENTRY cl_int CL_API_CALL enqueue_read(cl_command_queue queue, cl_mem memory, cl_bool blocking,
                                                    size_t offset, size_t bytes, void *host, cl_uint count,
                                                    const cl_event *events, cl_event *event)
{
    GUARDED("clEnqueueReadBuffer",
            read_buffer(queue, memory, blocking, offset, bytes, host, (wait_list){count, events}, event));
}

static cl_int write_buffer(cl_command_queue queue, cl_mem memory, cl_bool blocking, size_t offset, size_t bytes,
                           const void *host, wait_list waits, cl_event *event)
{
    layer_object *const on = layer_find(QUEUE, queue);
    const cl_int code = check_transfer(on, memory, blocking, offset, bytes, host, waits, event);
    return code != CL_SUCCESS ? code
                              : note(layer_next.clEnqueueWriteBuffer(queue, memory, blocking, offset, bytes, host,
                                                                     waits.count, waits.events, event),
                                     on, event);
}

static CL_API_ENTRY cl_int CL_API_CALL enqueue_write(cl_command_queue queue, cl_mem memory, cl_bool blocking,
                                                     size_t offset, size_t bytes, const void *host, cl_uint count,
                                                     const cl_event *events, cl_event *event)
{
    GUARDED("clEnqueueWriteBuffer",
            write_buffer(queue, memory, blocking, offset, bytes, host, (wait_list){count, events}, event));
}

static cl_int copy_buffer(cl_command_queue queue, cl_mem from, cl_mem to, size_t from_offset, size_t to_offset,
                          size_t bytes, wait_list waits, cl_event *event)
{
    layer_object *const on = layer_find(QUEUE, queue);
    cl_int code = CL_INVALID_COMMAND_QUEUE;
    if (on == NULL || (code = check_range(on, from, from_offset, bytes)) != CL_SUCCESS ||
        (code = check_range(on, to, to_offset, bytes)) != CL_SUCCESS || (code = check_waits(on, waits)) != CL_SUCCESS)
        return code;
    REQUIRE(from != to || from_offset + bytes <= to_offset || to_offset + bytes <= from_offset, CL_MEM_COPY_OVERLAP,
            "%zu bytes from %zu to %zu of the same buffer", bytes, from_offset, to_offset);
    return note(layer_next.clEnqueueCopyBuffer(queue, from, to, from_offset, to_offset, bytes, waits.count,
                                               waits.events, event),
                on, event);
}

static CL_API_ENTRY cl_int CL_API_CALL enqueue_copy(cl_command_queue queue, cl_mem from, cl_mem to, size_t from_offset,
                                                    size_t to_offset, size_t bytes, cl_uint count,
                                                    const cl_event *events, cl_event *event)
{
    GUARDED("clEnqueueCopyBuffer",
            copy_buffer(queue, from, to, from_offset, to_offset, bytes, (wait_list){count, events}, event));
}

/* ------------------------------------------------------------------------------------------------------ waiting */

static cl_int mark(cl_command_queue queue, wait_list waits, cl_event *event)
{
    layer_object *const on = layer_find(QUEUE, queue);
    const cl_int code = on == NULL ? CL_INVALID_COMMAND_QUEUE : check_waits(on, waits);
    return code != CL_SUCCESS
               ? code
               : note(layer_next.clEnqueueMarkerWithWaitList(queue, waits.count, waits.events, event), on, event);
}

static CL_API_ENTRY cl_int CL_API_CALL enqueue_marker(cl_command_queue queue, cl_uint count, const cl_event *events,
                                                      cl_event *event)
{
    GUARDED("clEnqueueMarkerWithWaitList", mark(queue, (wait_list){count, events}, event));
}

static cl_int wait_for(cl_command_queue queue)
{
    layer_object *const on = layer_find(QUEUE, queue);
    if (on == NULL)
        return CL_INVALID_COMMAND_QUEUE;
    on->unordered = 0;
    return layer_next.clFinish(queue);
}

static CL_API_ENTRY cl_int CL_API_CALL finish(cl_command_queue queue)
{
    GUARDED("clFinish", wait_for(queue));
}

void layer_fill_commands(cl_icd_dispatch *own)
{
    own->clEnqueueNDRangeKernel = enqueue_kernel;
    own->clEnqueueReadBuffer = enqueue_read;
    own->clEnqueueWriteBuffer = enqueue_write;
    own->clEnqueueCopyBuffer = enqueue_copy;
    own->clEnqueueMarkerWithWaitList = enqueue_marker;
    own->clFinish = finish;
}
