/* SPDX-License-Identifier: Apache-2.0 */
/** @file memory.c @brief Memory of a device, its default stream, and its stopwatch. */
#include "calls.h"

static void *address(grkan_buffer buffer)
{
    return (char *)buffer.base + buffer.offset;
}

void runtime_release(grkan_backend_device *device, void *base)
{
    (void)device;
    calls_forget(rt(Free)(base));
}

grkan_status runtime_allocate(grkan_backend_device *device, size_t bytes, void **base)
{
    void *made = NULL;
    gpu_calls c = calls_begin(device->index);
    CALL(&c, Malloc, (&made, bytes));
    const grkan_status status = calls_end(&c);
    if (status == GRKAN_SUCCESS)
        *base = made;
    else if (made != NULL)
        runtime_release(device, made);
    return status;
}

grkan_status runtime_upload(grkan_backend_device *device, grkan_buffer to, const void *from, size_t bytes)
{
    gpu_calls c = calls_begin(device->index);
    CALL(&c, Memcpy, (address(to), from, bytes, rt(MemcpyHostToDevice)));
    return calls_end(&c);
}

grkan_status runtime_download(grkan_backend_device *device, void *to, grkan_buffer from, size_t bytes)
{
    gpu_calls c = calls_begin(device->index);
    CALL(&c, Memcpy, (to, address(from), bytes, rt(MemcpyDeviceToHost)));
    return calls_end(&c);
}

grkan_status runtime_copy(grkan_backend_device *device, grkan_buffer to, grkan_buffer from, size_t bytes)
{
    gpu_calls c = calls_begin(device->index);
    CALL(&c, MemcpyAsync, (address(to), address(from), bytes, rt(MemcpyDeviceToDevice), NULL));
    return calls_end(&c);
}

grkan_status runtime_synchronize(grkan_backend_device *device)
{
    gpu_calls c = calls_begin(device->index);
    CALL(&c, StreamSynchronize, (NULL));
    return calls_end(&c);
}

grkan_status runtime_timer_start(grkan_backend_device *device)
{
    gpu_calls c = calls_begin(device->index);
    CALL(&c, EventRecord, (device->start, NULL));
    return calls_end(&c);
}

grkan_status runtime_timer_stop(grkan_backend_device *device, double *milliseconds)
{
    float elapsed = 0;
    gpu_calls c = calls_begin(device->index);
    CALL(&c, EventRecord, (device->stop, NULL));
    CALL(&c, EventSynchronize, (device->stop));
    CALL(&c, EventElapsedTime, (&elapsed, device->start, device->stop));
    const grkan_status status = calls_end(&c);
    if (status == GRKAN_SUCCESS)
        *milliseconds = (double)elapsed;
    return status;
}
