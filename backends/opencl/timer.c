/* SPDX-License-Identifier: Apache-2.0 */
/** @file timer.c @brief The stopwatch: from the start of the first command to the end of the last. */
#include "../gpu/engine.h"
#include "opencl.h"

static void forget(cl_event *event)
{
    if (*event != NULL)
        clReleaseEvent(*event);
    *event = NULL;
}

void opencl_timer_add(grkan_backend_device *device, cl_event event)
{
    if (device->first == NULL) {
        clRetainEvent(event);
        device->first = event;
    }
    forget(&device->last);
    device->last = event;
}

grkan_status opencl_timer_start(grkan_backend_device *device)
{
    forget(&device->first);
    forget(&device->last);
    OPENCL_TRY(clFinish(device->queue));
    device->is_timing = 1;
    return GRKAN_SUCCESS;
}

grkan_status opencl_timer_stop(grkan_backend_device *device, double *milliseconds)
{
    cl_ulong start = 0, end = 0;
    device->is_timing = 0;
    *milliseconds = 0.0;
    OPENCL_TRY(clFinish(device->queue));
    if (device->first == NULL)
        return GRKAN_SUCCESS;
    OPENCL_TRY(clGetEventProfilingInfo(device->first, CL_PROFILING_COMMAND_START, sizeof start, &start, NULL));
    OPENCL_TRY(clGetEventProfilingInfo(device->last, CL_PROFILING_COMMAND_END, sizeof end, &end, NULL));
    forget(&device->first);
    forget(&device->last);
    *milliseconds = (double)(end - start) * 1e-6;
    return GRKAN_SUCCESS;
}
