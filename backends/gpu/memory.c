/* SPDX-License-Identifier: Apache-2.0 */
/** @file memory.c @brief Memory of a device, its default stream, and its stopwatch. */
#include "calls.h"

static CUdeviceptr pointer(void *base)
{
    return (CUdeviceptr)(uintptr_t)base;
}

static CUdeviceptr address(grkan_buffer buffer)
{
    return pointer((char *)buffer.base + buffer.offset);
}

void runtime_release(grkan_backend_device *device, void *base)
{
    gpu_calls c = calls_begin(device);
    LAST_CALL(&c, cuMemFree, (pointer(base)));
    calls_end_silently(&c);
}

grkan_status runtime_allocate(grkan_backend_device *device, size_t bytes, void **base)
{
    CUdeviceptr made = 0;
    gpu_calls c = calls_begin(device);
    CALL(&c, cuMemAlloc, (&made, bytes));
    const grkan_status status = calls_end(&c);
    if (status == GRKAN_SUCCESS)
        *base = (void *)(uintptr_t)made;
    else if (made != 0)
        runtime_release(device, (void *)(uintptr_t)made);
    return status;
}

grkan_status runtime_upload(grkan_backend_device *device, grkan_buffer to, const void *from, size_t bytes)
{
    gpu_calls c = calls_begin(device); /* HIP's signature is not const */
    CALL(&c, cuMemcpyHtoD, (address(to), (void *)(uintptr_t)from, bytes));
    return calls_end(&c);
}

grkan_status runtime_download(grkan_backend_device *device, void *to, grkan_buffer from, size_t bytes)
{
    gpu_calls c = calls_begin(device);
    CALL(&c, cuMemcpyDtoH, (to, address(from), bytes));
    return calls_end(&c);
}

grkan_status runtime_copy(grkan_backend_device *device, grkan_buffer to, grkan_buffer from, size_t bytes)
{
    gpu_calls c = calls_begin(device);
    CALL(&c, cuMemcpyDtoDAsync, (address(to), address(from), bytes, NULL));
    return calls_end(&c);
}

grkan_status runtime_synchronize(grkan_backend_device *device)
{
    gpu_calls c = calls_begin(device);
    CALL(&c, cuStreamSynchronize, (NULL));
    return calls_end(&c);
}

/* ----------------------------------------------------------------------------------------------------- stopwatch */

void runtime_timer_forget(grkan_backend_device *device)
{
    CUevent *const events[] = {&device->start, &device->stop};
    for (int i = 0; i < 2; ++i) {
        if (*events[i] == NULL)
            continue;
        gpu_calls c = calls_begin(device);
        LAST_CALL(&c, cuEventDestroy, (*events[i]));
        calls_end_silently(&c);
        *events[i] = NULL;
    }
}

/** An event belongs to the context that it was made in, so each measurement has its own. */
grkan_status runtime_timer_start(grkan_backend_device *device)
{
    runtime_timer_forget(device);
    gpu_calls c = calls_begin(device);
    CALL(&c, cuEventCreate, (&device->start, 0));
    CALL(&c, cuEventCreate, (&device->stop, 0));
    CALL(&c, cuEventRecord, (device->start, NULL));
    return calls_end(&c);
}

grkan_status runtime_timer_stop(grkan_backend_device *device, double *milliseconds)
{
    float elapsed = 0;
    gpu_calls c = calls_begin(device);
    CALL(&c, cuEventRecord, (device->stop, NULL));
    CALL(&c, cuEventSynchronize, (device->stop));
    CALL(&c, cuEventElapsedTime, (&elapsed, device->start, device->stop));
    const grkan_status status = calls_end(&c);
    if (status == GRKAN_SUCCESS)
        *milliseconds = (double)elapsed;
    return status;
}
