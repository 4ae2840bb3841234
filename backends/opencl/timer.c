/* SPDX-License-Identifier: Apache-2.0 */
/** @file timer.c @brief The stopwatch: from the start of the first command to a marker behind the last. */
#include "../gpu/engine.h"
#include "opencl.h"

cl_event *opencl_timer_event(grkan_backend_device *device)
{
    return device->is_timing && device->first == NULL ? &device->first : NULL;
}

void opencl_timer_forget(grkan_backend_device *device)
{
    if (device->first != NULL)
        opencl.ReleaseEvent(device->first);
    device->first = NULL;
    device->is_timing = 0;
}

grkan_status opencl_timer_start(grkan_backend_device *device)
{
    opencl_timer_forget(device);
    OPENCL_TRY(Finish, (device->queue));
    device->is_timing = 1;
    return GRKAN_SUCCESS;
}

static grkan_status read_times(grkan_backend_device *device, cl_event end, double *milliseconds)
{
    cl_ulong started = 0, ended = 0;
    OPENCL_TRY(Finish, (device->queue));
    OPENCL_TRY(GetEventProfilingInfo, (device->first, CL_PROFILING_COMMAND_START, sizeof started, &started, NULL));
    OPENCL_TRY(GetEventProfilingInfo, (end, CL_PROFILING_COMMAND_END, sizeof ended, &ended, NULL));
    *milliseconds = (double)(ended - started) * 1e-6;
    return GRKAN_SUCCESS;
}

/** Commands in between have no events of their own: one for each keeps a GPU from going on to the next at once. */
grkan_status opencl_timer_stop(grkan_backend_device *device, double *milliseconds)
{
    cl_event end = NULL;
    grkan_status status = GRKAN_SUCCESS;
    device->is_timing = 0;
    *milliseconds = 0.0;
    if (device->first == NULL)
        return GRKAN_SUCCESS;
    const cl_int code = opencl.EnqueueMarkerWithWaitList(device->queue, 0, NULL, &end);
    if (code == CL_SUCCESS) {
        status = read_times(device, end, milliseconds);
        opencl.ReleaseEvent(end);
    } else {
        status = opencl_failed("clEnqueueMarkerWithWaitList", code);
    }
    opencl_timer_forget(device);
    return status;
}
