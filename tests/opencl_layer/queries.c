/* SPDX-License-Identifier: Apache-2.0 */
/** @file queries.c @brief Questions: about live objects only, and answers only where there is room for all of them. */
#include <stdlib.h>
#include <string.h>

#include "layer.h"

/** Where a question's answer goes. */
typedef struct answer {
    size_t size;
    void *value;
    size_t *bytes;
} answer;

static cl_int give(const answer *to, const void *value, size_t bytes)
{
    if (to->value != NULL && to->size < bytes)
        return CL_INVALID_VALUE;
    if (to->value != NULL && bytes > 0)
        memcpy(to->value, value, bytes);
    if (to->bytes != NULL)
        *to->bytes = bytes;
    return CL_SUCCESS;
}

/** Go on with a question, unless its answer needs more room than there is. `call` has size, value and bytes last. */
#define PASS_ON(to, call, ...)                                                                                         \
    do {                                                                                                               \
        size_t needed = 0;                                                                                             \
        const cl_int code = call(__VA_ARGS__, 0, NULL, &needed);                                                       \
        if (code != CL_SUCCESS)                                                                                        \
            return code;                                                                                               \
        if ((to).value != NULL && (to).size < needed)                                                                  \
            return CL_INVALID_VALUE;                                                                                   \
        return call(__VA_ARGS__, (to).size, (to).value, (to).bytes);                                                   \
    } while (0)

/* ---------------------------------------------------------------------------------------- platforms and devices */

static CL_API_ENTRY cl_int CL_API_CALL get_platforms(cl_uint count, cl_platform_id *platforms, cl_uint *found)
{
    GUARDED("clGetPlatformIDs", layer_next.clGetPlatformIDs(count, platforms, found));
}

static CL_API_ENTRY cl_int CL_API_CALL get_devices(cl_platform_id platform, cl_device_type type, cl_uint count,
                                                   cl_device_id *devices, cl_uint *found)
{
    GUARDED("clGetDeviceIDs", layer_next.clGetDeviceIDs(platform, type, count, devices, found));
}

static cl_int ask_platform(cl_platform_id platform, cl_platform_info what, answer to)
{
    PASS_ON(to, layer_next.clGetPlatformInfo, platform, what);
}

static CL_API_ENTRY cl_int CL_API_CALL get_platform_info(cl_platform_id platform, cl_platform_info what, size_t size,
                                                         void *value, size_t *bytes)
{
    GUARDED("clGetPlatformInfo", ask_platform(platform, what, (answer){size, value, bytes}));
}

static cl_int ask_device(cl_device_id device, cl_device_info what, answer to)
{
    const void *other = NULL;
    size_t bytes = 0;
    if (layer_answer_of(what, &other, &bytes))
        return give(&to, other, bytes);
    PASS_ON(to, layer_next.clGetDeviceInfo, device, what);
}

static CL_API_ENTRY cl_int CL_API_CALL get_device_info(cl_device_id device, cl_device_info what, size_t size,
                                                       void *value, size_t *bytes)
{
    GUARDED("clGetDeviceInfo", ask_device(device, what, (answer){size, value, bytes}));
}

cl_int layer_ask_device(cl_device_id device, cl_device_info what, size_t size, void *value)
{
    return ask_device(device, what, (answer){size, value, NULL});
}

/* --------------------------------------------------------------------------------------------------- objects */

static cl_int ask_queue(cl_command_queue queue, cl_command_queue_info what, answer to)
{
    if (layer_find(QUEUE, queue) == NULL)
        return CL_INVALID_COMMAND_QUEUE;
    if (what == CL_QUEUE_PROPERTIES) {
        cl_command_queue_properties properties = 0;
        const cl_int code = layer_next.clGetCommandQueueInfo(queue, what, sizeof properties, &properties, NULL);
        properties |= layer_added_properties();
        return code == CL_SUCCESS ? give(&to, &properties, sizeof properties) : code;
    }
    PASS_ON(to, layer_next.clGetCommandQueueInfo, queue, what);
}

static CL_API_ENTRY cl_int CL_API_CALL get_queue_info(cl_command_queue queue, cl_command_queue_info what, size_t size,
                                                      void *value, size_t *bytes)
{
    GUARDED("clGetCommandQueueInfo", ask_queue(queue, what, (answer){size, value, bytes}));
}

static cl_int ask_memory(cl_mem memory, cl_mem_info what, answer to)
{
    if (layer_find(MEMORY, memory) == NULL)
        return CL_INVALID_MEM_OBJECT;
    PASS_ON(to, layer_next.clGetMemObjectInfo, memory, what);
}

static CL_API_ENTRY cl_int CL_API_CALL get_memory_info(cl_mem memory, cl_mem_info what, size_t size, void *value,
                                                       size_t *bytes)
{
    GUARDED("clGetMemObjectInfo", ask_memory(memory, what, (answer){size, value, bytes}));
}

static cl_int ask_event(cl_event event, cl_profiling_info what, answer to)
{
    const layer_object *const found = layer_find(EVENT, event);
    if (found == NULL)
        return CL_INVALID_EVENT;
    REQUIRE(found->has_profiling, CL_PROFILING_INFO_NOT_AVAILABLE, "the event's queue has no profiling");
    PASS_ON(to, layer_next.clGetEventProfilingInfo, event, what);
}

static CL_API_ENTRY cl_int CL_API_CALL get_profiling_info(cl_event event, cl_profiling_info what, size_t size,
                                                          void *value, size_t *bytes)
{
    GUARDED("clGetEventProfilingInfo", ask_event(event, what, (answer){size, value, bytes}));
}

/* ------------------------------------------------------------------------------------------- kernels */

static cl_int ask_kernel(cl_kernel kernel, cl_device_id device, cl_kernel_work_group_info what, answer to)
{
    const void *other = NULL;
    size_t bytes = 0;
    if (layer_find(KERNEL, kernel) == NULL)
        return CL_INVALID_KERNEL;
    if (layer_answer_of(what, &other, &bytes))
        return give(&to, other, bytes);
    PASS_ON(to, layer_next.clGetKernelWorkGroupInfo, kernel, device, what);
}

static CL_API_ENTRY cl_int CL_API_CALL get_kernel_info(cl_kernel kernel, cl_device_id device,
                                                       cl_kernel_work_group_info what, size_t size, void *value,
                                                       size_t *bytes)
{
    GUARDED("clGetKernelWorkGroupInfo", ask_kernel(kernel, device, what, (answer){size, value, bytes}));
}

cl_int layer_ask_kernel(cl_kernel kernel, cl_device_id device, cl_kernel_work_group_info what, size_t size, void *value)
{
    return ask_kernel(kernel, device, what, (answer){size, value, NULL});
}

/* -------------------------------------------------------------------------------------------------- programs */

/**
 * What the runtime below has of the binary for a device. Some (PoCL) leave out devices that were not built for. All places
 * get room, since some write to those that are NULL.
 */
static cl_int find_binary(cl_program program, const layer_object *known, cl_uint device, size_t *bytes,
                          unsigned char *data)
{
    size_t answered = 0, most = 1, sizes[layer_most_devices] = {0};
    unsigned char *binaries[layer_most_devices] = {NULL};
    cl_int code = layer_next.clGetProgramInfo(program, CL_PROGRAM_BINARY_SIZES, sizeof sizes, sizes, &answered);
    const bool has_all = answered / sizeof *sizes == known->device_count;
    cl_uint place = 0;
    for (cl_uint i = 0; i < device; ++i)
        place += has_all || known->is_built[i];
    *bytes = sizes[place];
    if (code != CL_SUCCESS || data == NULL)
        return code;
    for (cl_uint i = 0; i < layer_most_devices; ++i)
        most = sizes[i] > most ? sizes[i] : most;
    unsigned char *const spare = malloc(most);
    if (spare == NULL)
        return CL_OUT_OF_HOST_MEMORY;
    for (cl_uint i = 0; i < layer_most_devices; ++i)
        binaries[i] = i == place ? data : spare;
    code = layer_next.clGetProgramInfo(program, CL_PROGRAM_BINARIES, answered, binaries, NULL);
    free(spare);
    return code;
}

/** One number for each device, 0 for those that were not built for. */
static cl_int give_sizes(cl_program program, const layer_object *known, const answer *to)
{
    size_t sizes[layer_most_devices] = {0};
    for (cl_uint i = 0; i < known->device_count; ++i) {
        const cl_int code = known->is_built[i] ? find_binary(program, known, i, &sizes[i], NULL) : CL_SUCCESS;
        if (code != CL_SUCCESS)
            return code;
    }
    return give(to, sizes, known->device_count * sizeof *sizes);
}

/** One place for each device; nothing goes to those that are NULL. */
static cl_int give_binaries(cl_program program, const layer_object *known, const answer *to)
{
    const size_t needed = known->device_count * sizeof(unsigned char *);
    unsigned char *const *const places = to->value;
    REQUIRE(places == NULL || to->size >= needed, CL_INVALID_VALUE, "room for %zu bytes; %u devices have %zu", to->size,
            known->device_count, needed);
    for (cl_uint i = 0; places != NULL && i < known->device_count; ++i) {
        size_t bytes = 0;
        const cl_int code =
            known->is_built[i] && places[i] != NULL ? find_binary(program, known, i, &bytes, places[i]) : CL_SUCCESS;
        if (code != CL_SUCCESS)
            return code;
    }
    if (to->bytes != NULL)
        *to->bytes = needed;
    return CL_SUCCESS;
}

static cl_int ask_program(cl_program program, cl_program_info what, answer to)
{
    const layer_object *const known = layer_find(PROGRAM, program);
    if (known == NULL)
        return CL_INVALID_PROGRAM;
    switch (what) {
    case CL_PROGRAM_NUM_DEVICES:
        return give(&to, &known->device_count, sizeof known->device_count);
    case CL_PROGRAM_DEVICES:
        return give(&to, known->devices, known->device_count * sizeof *known->devices);
    case CL_PROGRAM_BINARY_SIZES:
        return give_sizes(program, known, &to);
    case CL_PROGRAM_BINARIES:
        return give_binaries(program, known, &to);
    default:
        PASS_ON(to, layer_next.clGetProgramInfo, program, what);
    }
}

static CL_API_ENTRY cl_int CL_API_CALL get_program_info(cl_program program, cl_program_info what, size_t size,
                                                        void *value, size_t *bytes)
{
    GUARDED("clGetProgramInfo", ask_program(program, what, (answer){size, value, bytes}));
}

static cl_int ask_build(cl_program program, cl_device_id device, cl_program_build_info what, answer to)
{
    const layer_object *const known = layer_find(PROGRAM, program);
    if (known == NULL)
        return CL_INVALID_PROGRAM;
    REQUIRE(layer_has_device(known, device, NULL), CL_INVALID_DEVICE, "the device is none of the program's");
    PASS_ON(to, layer_next.clGetProgramBuildInfo, program, device, what);
}

static CL_API_ENTRY cl_int CL_API_CALL get_build_info(cl_program program, cl_device_id device,
                                                      cl_program_build_info what, size_t size, void *value,
                                                      size_t *bytes)
{
    GUARDED("clGetProgramBuildInfo", ask_build(program, device, what, (answer){size, value, bytes}));
}

void layer_fill_queries(cl_icd_dispatch *own)
{
    own->clGetPlatformIDs = get_platforms;
    own->clGetDeviceIDs = get_devices;
    own->clGetPlatformInfo = get_platform_info;
    own->clGetDeviceInfo = get_device_info;
    own->clGetCommandQueueInfo = get_queue_info;
    own->clGetMemObjectInfo = get_memory_info;
    own->clGetEventProfilingInfo = get_profiling_info;
    own->clGetKernelWorkGroupInfo = get_kernel_info;
    own->clGetProgramInfo = get_program_info;
    own->clGetProgramBuildInfo = get_build_info;
}
