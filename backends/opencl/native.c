/* SPDX-License-Identifier: Apache-2.0 */
/** @file native.c @brief The caller's own queues and buffers: whether work can go there, and where they lie. */
#include "../gpu/engine.h"
#include "opencl.h"

/**
 * Asked at every call, since a queue that is released gives its handle to another one. The launches of a pass wait for
 * each other by their order alone.
 */
grkan_status opencl_check_stream(const grkan_backend_device *device, void *stream)
{
    const cl_command_queue queue = (cl_command_queue)stream;
    cl_context context = NULL;
    cl_device_id id = NULL;
    cl_command_queue_properties properties = 0;
    OPENCL_TRY(GetCommandQueueInfo, (queue, CL_QUEUE_CONTEXT, sizeof context, &context, NULL));
    OPENCL_TRY(GetCommandQueueInfo, (queue, CL_QUEUE_DEVICE, sizeof id, &id, NULL));
    OPENCL_TRY(GetCommandQueueInfo, (queue, CL_QUEUE_PROPERTIES, sizeof properties, &properties, NULL));
    if (context != device->context)
        return gpu_host->set_error(GRKAN_ERROR_INVALID_ARGUMENT,
                                   "stream is a queue of another context; expected one of the plan's device's");
    if (id != device->id)
        return gpu_host->set_error(GRKAN_ERROR_INVALID_ARGUMENT,
                                   "stream is a queue of another device of the context; expected the plan's device's");
    if ((properties & CL_QUEUE_OUT_OF_ORDER_EXEC_MODE_ENABLE) != 0)
        return gpu_host->set_error(GRKAN_ERROR_INVALID_ARGUMENT,
                                   "stream is a queue that may run commands out of order; expected one without "
                                   "CL_QUEUE_OUT_OF_ORDER_EXEC_MODE_ENABLE");
    return GRKAN_SUCCESS;
}

/**
 * What OpenCL allocates, and where sub-buffers may begin in it, is aligned to CL_DEVICE_MEM_BASE_ADDR_ALIGN: at least 64
 * bytes. Memory of the caller's (CL_MEM_USE_HOST_PTR) lies where he says, and a device that shares the host's memory
 * uses it there. Of a sub-buffer in such memory, the address that OpenCL gives is the sub-buffer's own.
 */
grkan_status opencl_locate(void *base, uintptr_t *address, size_t *bytes)
{
    void *host = NULL;
    OPENCL_TRY(GetMemObjectInfo, ((cl_mem)base, CL_MEM_HOST_PTR, sizeof host, &host, NULL));
    if (bytes != NULL)
        OPENCL_TRY(GetMemObjectInfo, ((cl_mem)base, CL_MEM_SIZE, sizeof *bytes, bytes, NULL));
    *address = (uintptr_t)host;
    return GRKAN_SUCCESS;
}
