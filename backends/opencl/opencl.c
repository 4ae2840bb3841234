/* SPDX-License-Identifier: Apache-2.0 */
/** @file opencl.c @brief The OpenCL backend's table; memory, and the default queue. */
#include "../gpu/engine.h"
#include "interface.h"
#include "opencl.h"
#include "opencl_dialect.h"

static const char *cl_identity(const grkan_backend_device *device)
{
    return device->identity;
}

static cl_mem memory_of(grkan_buffer buffer)
{
    return (cl_mem)buffer.base;
}

/** Some drivers give a buffer of any size, and fail where it is used first. */
static grkan_status cl_allocate(grkan_backend_device *device, size_t bytes, void **base)
{
    cl_ulong memory = 0;
    cl_int code;
    OPENCL_TRY(GetDeviceInfo, (device->id, CL_DEVICE_GLOBAL_MEM_SIZE, sizeof memory, &memory, NULL));
    if (bytes > memory)
        return gpu_host->set_error(GRKAN_ERROR_OUT_OF_MEMORY,
                                   "bytes is %zu; expected at most %llu, the device's memory", bytes,
                                   (unsigned long long)memory);
    *base = opencl.CreateBuffer(device->context, CL_MEM_READ_WRITE, bytes, NULL, &code);
    if (code != CL_INVALID_BUFFER_SIZE)
        return code == CL_SUCCESS ? GRKAN_SUCCESS : opencl_failed("clCreateBuffer", code);
    OPENCL_TRY(GetDeviceInfo, (device->id, CL_DEVICE_MAX_MEM_ALLOC_SIZE, sizeof memory, &memory, NULL));
    return gpu_host->set_error(GRKAN_ERROR_OUT_OF_MEMORY,
                               "bytes is %zu; expected at most %llu, what the device allocates at once "
                               "(CL_DEVICE_MAX_MEM_ALLOC_SIZE)",
                               bytes, (unsigned long long)memory);
}

static void cl_free(grkan_backend_device *device, void *base)
{
    (void)device;
    opencl.ReleaseMemObject((cl_mem)base);
}

static grkan_status cl_upload(grkan_backend_device *device, grkan_buffer to, const void *from, size_t bytes)
{
    OPENCL_TRY(EnqueueWriteBuffer, (device->queue, memory_of(to), CL_TRUE, to.offset, bytes, from, 0, NULL, NULL));
    return GRKAN_SUCCESS;
}

static grkan_status cl_download(grkan_backend_device *device, void *to, grkan_buffer from, size_t bytes)
{
    OPENCL_TRY(EnqueueReadBuffer, (device->queue, memory_of(from), CL_TRUE, from.offset, bytes, to, 0, NULL, NULL));
    return GRKAN_SUCCESS;
}

static grkan_status cl_copy(grkan_backend_device *device, grkan_buffer to, grkan_buffer from, size_t bytes)
{
    OPENCL_TRY(EnqueueCopyBuffer, (device->queue, memory_of(from), memory_of(to), from.offset, to.offset, bytes, 0,
                                   NULL, opencl_timer_event(device)));
    return GRKAN_SUCCESS;
}

static grkan_status cl_synchronize(grkan_backend_device *device)
{
    OPENCL_TRY(Finish, (device->queue));
    return GRKAN_SUCCESS;
}

GRKAN_API const grkan_backend grkan_backend_table = {
    .interface_hash = GRKAN_INTERFACE,
    .name = "opencl",
    .dialect_hash = opencl_dialect_hash,
    .count = opencl_count,
    .libraries = opencl_libraries,
    .resolve = opencl_resolve,
    .open = opencl_open,
    .open_native = opencl_open_native,
    .close = opencl_close,
    .describe = opencl_describe,
    .locate = opencl_locate,
    .check_stream = opencl_check_stream,
    .identity = cl_identity,
    .assume = opencl_assume,
    .compile = opencl_compile,
    .load = gpu_load,
    .unload = gpu_unload,
    .forward = gpu_forward,
    .backward = gpu_backward,
    .list_launches = gpu_list_launches,
    .allocate = cl_allocate,
    .free = cl_free,
    .upload = cl_upload,
    .download = cl_download,
    .copy = cl_copy,
    .synchronize = cl_synchronize,
    .timer_start = opencl_timer_start,
    .timer_stop = opencl_timer_stop,
};
