/* SPDX-License-Identifier: Apache-2.0 */
/** @file contexts.c @brief Contexts, queues, buffers and events: their making and their release. */
#include <string.h>

#include "layer.h"

/** End a function that makes an object, which a test may want to fail. `expression` puts the code into *given. */
#define MAKING(name, expression)                                                                                       \
    do {                                                                                                               \
        cl_int made_code = layer_enter(name);                                                                          \
        cl_int *const given = &made_code;                                                                              \
        void *const made = made_code == CL_SUCCESS ? (void *)(expression) : NULL;                                      \
        layer_leave();                                                                                                 \
        if (code != NULL)                                                                                              \
            *code = made_code;                                                                                         \
        return made;                                                                                                   \
    } while (0)

/** As REQUIRE, where *given has the code and NULL is returned. */
#define REQUIRE_TO_MAKE(condition, invalid, ...)                                                                       \
    do {                                                                                                               \
        if (!(condition)) {                                                                                            \
            *given = layer_refuse(invalid, __VA_ARGS__);                                                               \
            return NULL;                                                                                               \
        }                                                                                                              \
    } while (0)

typedef void(CL_CALLBACK *context_callback)(const char *, const void *, size_t, void *);

static cl_context make_context(const cl_context_properties *properties, cl_uint count, const cl_device_id *devices,
                               context_callback notify, void *user, cl_int *given)
{
    REQUIRE_TO_MAKE(count > 0 && count <= layer_most_devices && devices != NULL, CL_INVALID_VALUE, "%u devices", count);
    REQUIRE_TO_MAKE(notify != NULL || user == NULL, CL_INVALID_VALUE, "data, but no function for it");
    const cl_context context = layer_next.clCreateContext(properties, count, devices, notify, user, given);
    layer_object *const known = layer_add(CONTEXT, context, context);
    if (known != NULL) {
        known->device_count = count;
        memcpy(known->devices, devices, count * sizeof *devices);
    }
    return context;
}

static CL_API_ENTRY cl_context CL_API_CALL create_context(const cl_context_properties *properties, cl_uint count,
                                                          const cl_device_id *devices, context_callback notify,
                                                          void *user, cl_int *code)
{
    MAKING("clCreateContext", make_context(properties, count, devices, notify, user, given));
}

static cl_command_queue make_queue(cl_context context, cl_device_id device, cl_command_queue_properties properties,
                                   cl_int *given)
{
    const cl_command_queue_properties all = CL_QUEUE_OUT_OF_ORDER_EXEC_MODE_ENABLE | CL_QUEUE_PROFILING_ENABLE;
    const layer_object *const within = layer_find(CONTEXT, context);
    *given = CL_INVALID_CONTEXT;
    if (within == NULL)
        return NULL;
    REQUIRE_TO_MAKE((properties & ~all) == 0, CL_INVALID_VALUE, "properties 0x%llx", (unsigned long long)properties);
    if (!layer_has_device(within, device, NULL)) {
        *given = CL_INVALID_DEVICE; /* no complaint: who has a context does not know its devices */
        return NULL;
    }
    const cl_command_queue queue = layer_next.clCreateCommandQueue(context, device, properties, given);
    layer_object *const known = layer_add(QUEUE, queue, context);
    if (known != NULL) {
        known->device = device;
        known->is_out_of_order = (properties & CL_QUEUE_OUT_OF_ORDER_EXEC_MODE_ENABLE) != 0;
        known->has_profiling = (properties & CL_QUEUE_PROFILING_ENABLE) != 0;
    }
    return queue;
}

static CL_API_ENTRY cl_command_queue CL_API_CALL create_queue(cl_context context, cl_device_id device,
                                                              cl_command_queue_properties properties, cl_int *code)
{
    MAKING("clCreateCommandQueue", make_queue(context, device, properties, given));
}

static cl_mem make_buffer(cl_context context, cl_mem_flags flags, size_t bytes, void *host, cl_int *given)
{
    const cl_mem_flags access = flags & (CL_MEM_READ_WRITE | CL_MEM_READ_ONLY | CL_MEM_WRITE_ONLY);
    const bool takes_host = (flags & (CL_MEM_USE_HOST_PTR | CL_MEM_COPY_HOST_PTR)) != 0;
    *given = CL_INVALID_CONTEXT;
    if (layer_find(CONTEXT, context) == NULL)
        return NULL;
    REQUIRE_TO_MAKE((access & (access - 1)) == 0, CL_INVALID_VALUE, "flags 0x%llx", (unsigned long long)flags);
    REQUIRE_TO_MAKE(bytes > 0, CL_INVALID_BUFFER_SIZE, "0 bytes");
    REQUIRE_TO_MAKE(takes_host == (host != NULL), CL_INVALID_HOST_PTR, "host_ptr %p with flags 0x%llx", host,
                    (unsigned long long)flags);
    const cl_mem memory = layer_next.clCreateBuffer(context, flags, bytes, host, given);
    layer_object *const known = layer_add(MEMORY, memory, context);
    if (known != NULL)
        known->bytes = bytes;
    return memory;
}

static CL_API_ENTRY cl_mem CL_API_CALL create_buffer(cl_context context, cl_mem_flags flags, size_t bytes, void *host,
                                                     cl_int *code)
{
    MAKING("clCreateBuffer", make_buffer(context, flags, bytes, host, given));
}

/** Whether a part of a buffer may begin there for one of the devices of its context, at least. */
static bool is_aligned_somewhere(cl_context context, size_t origin)
{
    const layer_object *const within = layer_find(CONTEXT, context);
    cl_uint bits = 0;
    for (cl_uint i = 0; within != NULL && i < within->device_count; ++i)
        if (layer_ask_device(within->devices[i], CL_DEVICE_MEM_BASE_ADDR_ALIGN, sizeof bits, &bits) == CL_SUCCESS &&
            bits >= 8 && origin % (bits / 8) == 0)
            return true;
    return false;
}

static cl_mem make_part(cl_mem whole, cl_mem_flags flags, cl_buffer_create_type type, const void *information,
                        cl_int *given)
{
    const layer_object *const parent = layer_find(MEMORY, whole);
    const cl_buffer_region *const region = information;
    *given = CL_INVALID_MEM_OBJECT;
    if (parent == NULL)
        return NULL;
    REQUIRE_TO_MAKE(type == CL_BUFFER_CREATE_TYPE_REGION && region != NULL, CL_INVALID_VALUE, "no region");
    REQUIRE_TO_MAKE(region->origin <= parent->bytes && region->size <= parent->bytes - region->origin, CL_INVALID_VALUE,
                    "%zu bytes from %zu on; the buffer has %zu", region->size, region->origin, parent->bytes);
    REQUIRE_TO_MAKE(is_aligned_somewhere(parent->context, region->origin), CL_MISALIGNED_SUB_BUFFER_OFFSET,
                    "a part from %zu on, where no device's may begin", region->origin);
    const cl_mem memory = layer_next.clCreateSubBuffer(whole, flags, type, information, given);
    layer_object *const known = layer_add(MEMORY, memory, parent->context);
    if (known != NULL)
        known->bytes = region->size;
    return memory;
}

static CL_API_ENTRY cl_mem CL_API_CALL create_part(cl_mem whole, cl_mem_flags flags, cl_buffer_create_type type,
                                                   const void *information, cl_int *code)
{
    MAKING("clCreateSubBuffer", make_part(whole, flags, type, information, given));
}

/** Retain or release in the table, and then below. */
#define COUNTED(function, name, type, kind, change)                                                                    \
    static cl_int change_##function(type handle)                                                                       \
    {                                                                                                                  \
        const cl_int code = change(kind, handle);                                                                      \
        return code == CL_SUCCESS ? layer_next.name(handle) : code;                                                    \
    }                                                                                                                  \
    static CL_API_ENTRY cl_int CL_API_CALL function(type handle)                                                       \
    {                                                                                                                  \
        GUARDED(#name, change_##function(handle));                                                                     \
    }

COUNTED(retain_context, clRetainContext, cl_context, CONTEXT, layer_retain)
COUNTED(release_context, clReleaseContext, cl_context, CONTEXT, layer_release)
COUNTED(retain_queue, clRetainCommandQueue, cl_command_queue, QUEUE, layer_retain)
COUNTED(release_queue, clReleaseCommandQueue, cl_command_queue, QUEUE, layer_release)
COUNTED(retain_memory, clRetainMemObject, cl_mem, MEMORY, layer_retain)
COUNTED(release_memory, clReleaseMemObject, cl_mem, MEMORY, layer_release)
COUNTED(retain_program, clRetainProgram, cl_program, PROGRAM, layer_retain)
COUNTED(release_program, clReleaseProgram, cl_program, PROGRAM, layer_release)
COUNTED(retain_kernel, clRetainKernel, cl_kernel, KERNEL, layer_retain)
COUNTED(release_kernel, clReleaseKernel, cl_kernel, KERNEL, layer_release)
COUNTED(retain_event, clRetainEvent, cl_event, EVENT, layer_retain)
COUNTED(release_event, clReleaseEvent, cl_event, EVENT, layer_release)

void layer_fill_objects(cl_icd_dispatch *own)
{
    own->clCreateContext = create_context;
    own->clCreateCommandQueue = create_queue;
    own->clCreateBuffer = create_buffer;
    own->clCreateSubBuffer = create_part;
    own->clRetainContext = retain_context;
    own->clReleaseContext = release_context;
    own->clRetainCommandQueue = retain_queue;
    own->clReleaseCommandQueue = release_queue;
    own->clRetainMemObject = retain_memory;
    own->clReleaseMemObject = release_memory;
    own->clRetainProgram = retain_program;
    own->clReleaseProgram = release_program;
    own->clRetainKernel = retain_kernel;
    own->clReleaseKernel = release_kernel;
    own->clRetainEvent = retain_event;
    own->clReleaseEvent = release_event;
}
