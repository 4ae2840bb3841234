/* SPDX-License-Identifier: Apache-2.0 */
/** @file contexts.c @brief The stand-in's contexts: a stack in each thread, and a primary one for each device. */
#include <pthread.h>
#include <stdlib.h>

#include "standin.h"

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER; /* guards the next line */
static struct CUctx_st primary[standin_devices] = {{0, 0}, {1, 0}};

static _Thread_local CUcontext stack[standin_most_depth];
static _Thread_local int depth;

CUcontext standin_current(void)
{
    return depth > 0 ? stack[depth - 1] : NULL;
}

static CUresult push(CUcontext context)
{
    if (standin_device_of(CONTEXT, context, 0) < 0)
        return CUDA_ERROR_INVALID_CONTEXT;
    if (depth == standin_most_depth)
        return CUDA_ERROR_OUT_OF_MEMORY;
    stack[depth++] = context;
    return CUDA_SUCCESS;
}

static CUresult pop(CUcontext *context)
{
    if (depth == 0)
        return CUDA_ERROR_INVALID_CONTEXT;
    *context = stack[--depth];
    return CUDA_SUCCESS;
}

static CUresult retain(CUcontext *context, CUdevice device)
{
    if (device < 0 || device >= standin_devices)
        return (CUresult)standin_invalid_device;
    pthread_mutex_lock(&mutex);
    if (primary[device].holders++ == 0)
        standin_add(CONTEXT, &primary[device], sizeof primary[device], device);
    pthread_mutex_unlock(&mutex);
    *context = &primary[device];
    return CUDA_SUCCESS;
}

static CUresult release(CUdevice device)
{
    if (device < 0 || device >= standin_devices || primary[device].holders == 0)
        return CUDA_ERROR_INVALID_CONTEXT;
    pthread_mutex_lock(&mutex);
    if (--primary[device].holders == 0)
        (void)standin_remove(CONTEXT, &primary[device]);
    pthread_mutex_unlock(&mutex);
    return CUDA_SUCCESS;
}

CUresult standin_cuDevicePrimaryCtxRetain(CUcontext *context, CUdevice device)
{
    ENTRY_POINT("cuDevicePrimaryCtxRetain");
    return retain(context, device);
}

CUresult standin_cuDevicePrimaryCtxRelease(CUdevice device)
{
    ENTRY_POINT("cuDevicePrimaryCtxRelease");
    return release(device);
}

CUresult standin_cuCtxGetCurrent(CUcontext *context)
{
    ENTRY_POINT("cuCtxGetCurrent");
    *context = standin_current();
    return CUDA_SUCCESS;
}

CUresult standin_cuCtxGetDevice(CUdevice *device)
{
    ENTRY_POINT("cuCtxGetDevice");
    if (standin_current() == NULL)
        return CUDA_ERROR_INVALID_CONTEXT;
    *device = standin_current()->device;
    return CUDA_SUCCESS;
}

CUresult standin_cuCtxPushCurrent(CUcontext context)
{
    ENTRY_POINT("cuCtxPushCurrent");
    return push(context);
}

CUresult standin_cuCtxPopCurrent(CUcontext *context)
{
    ENTRY_POINT("cuCtxPopCurrent");
    return pop(context);
}

/* ------------------------------------------------------------------------------ what programs call by themselves */

STANDIN_API CUresult cuInit(unsigned int flags)
{
    return standin_cuInit(flags);
}

STANDIN_API CUresult cuDeviceGet(CUdevice *device, int index)
{
    return standin_cuDeviceGet(device, index);
}

STANDIN_API CUresult cuDevicePrimaryCtxRetain(CUcontext *context, CUdevice device)
{
    return retain(context, device);
}

STANDIN_API CUresult cuDevicePrimaryCtxRelease_v2(CUdevice device)
{
    return release(device);
}

STANDIN_API CUresult cuCtxCreate_v2(CUcontext *context, unsigned int flags, CUdevice device)
{
    CUcontext made = flags == 0 ? calloc(1, sizeof *made) : NULL;
    if (made == NULL)
        return CUDA_ERROR_OUT_OF_MEMORY;
    made->device = device;
    standin_add(CONTEXT, made, sizeof *made, device);
    *context = made;
    return push(made);
}

/** It is not current any more if it was on top. */
STANDIN_API CUresult cuCtxDestroy_v2(CUcontext context)
{
    if (!standin_remove(CONTEXT, context))
        return CUDA_ERROR_INVALID_CONTEXT;
    if (standin_current() == context)
        --depth;
    free(context);
    return CUDA_SUCCESS;
}

STANDIN_API CUresult cuCtxGetCurrent(CUcontext *context)
{
    *context = standin_current();
    return CUDA_SUCCESS;
}

STANDIN_API CUresult cuCtxPushCurrent_v2(CUcontext context)
{
    return push(context);
}

STANDIN_API CUresult cuCtxPopCurrent_v2(CUcontext *context)
{
    return pop(context);
}
