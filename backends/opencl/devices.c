/* SPDX-License-Identifier: Apache-2.0 */
/** @file devices.c @brief Opening OpenCL devices, in contexts of their own or the caller's, and closing them. */
#include <stdlib.h>

#include "../gpu/engine.h"
#include "opencl.h"

/** Take over a reference to context. */
static grkan_status open_in(cl_context context, cl_device_id id, int index, grkan_backend_device **device)
{
    cl_int code;
    grkan_backend_device *made = calloc(1, sizeof *made);
    if (made == NULL) {
        opencl.ReleaseContext(context);
        return gpu_host->set_error(GRKAN_ERROR_OUT_OF_MEMORY, "no memory for an OpenCL device");
    }
    made->index = index;
    made->id = id;
    made->context = context;
    made->queue = opencl.CreateCommandQueue(context, id, CL_QUEUE_PROFILING_ENABLE, &code);
    const grkan_status status =
        code == CL_SUCCESS ? opencl_identify(made) : opencl_failed("clCreateCommandQueue", code);
    if (status != GRKAN_SUCCESS) {
        opencl_close(made);
        return status;
    }
    *device = made;
    return GRKAN_SUCCESS;
}

grkan_status opencl_open(int index, grkan_backend_device **device)
{
    cl_platform_id platform;
    const cl_device_id id = opencl_found(index, &platform);
    const cl_context_properties properties[] = {CL_CONTEXT_PLATFORM, (cl_context_properties)platform, 0};
    const grkan_status status = opencl_check_usable(id);
    cl_int code;
    if (status != GRKAN_SUCCESS)
        return status;
    const cl_context context = opencl.CreateContext(properties, 1, &id, NULL, NULL, &code);
    if (code != CL_SUCCESS)
        return opencl_failed("clCreateContext", code);
    return open_in(context, id, index, device);
}

/** Drivers take a device of another vendor for one of their own, and crash. */
static grkan_status check_is_of(cl_context context, cl_device_id id)
{
    size_t bytes = 0;
    int is_found = 0;
    OPENCL_TRY(GetContextInfo, (context, CL_CONTEXT_DEVICES, 0, NULL, &bytes));
    cl_device_id *const ids = malloc(bytes);
    if (ids == NULL)
        return gpu_host->set_error(GRKAN_ERROR_OUT_OF_MEMORY, "no memory for the devices of a context");
    const cl_int code = opencl.GetContextInfo(context, CL_CONTEXT_DEVICES, bytes, ids, NULL);
    for (size_t i = 0; code == CL_SUCCESS && i < bytes / sizeof ids[0]; ++i)
        is_found |= ids[i] == id;
    free(ids);
    if (code != CL_SUCCESS)
        return opencl_failed("clGetContextInfo", code);
    return is_found ? GRKAN_SUCCESS
                    : gpu_host->set_error(GRKAN_ERROR_INVALID_ARGUMENT,
                                          "native is no device of the context; expected one of its %zu",
                                          bytes / sizeof ids[0]);
}

grkan_status opencl_open_native(void *context, void *native, grkan_backend_device **device)
{
    if (opencl.RetainContext == NULL)
        return gpu_host->set_error(GRKAN_ERROR_NO_DEVICE, "no OpenCL was found that could have made the context");
    grkan_status status = check_is_of((cl_context)context, (cl_device_id)native);
    if (status == GRKAN_SUCCESS)
        status = opencl_check_usable((cl_device_id)native);
    if (status != GRKAN_SUCCESS)
        return status;
    OPENCL_TRY(RetainContext, ((cl_context)context));
    return open_in((cl_context)context, (cl_device_id)native, -1, device);
}

void opencl_close(grkan_backend_device *device)
{
    opencl_timer_forget(device);
    if (device->queue != NULL)
        opencl.ReleaseCommandQueue(device->queue);
    opencl.ReleaseContext(device->context);
    free(device->identity);
    free(device);
}
