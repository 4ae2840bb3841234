/* SPDX-License-Identifier: Apache-2.0 */
/** @file memory.c @brief The stand-in's memory, streams, events and graphs. Everything is done at once. */
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "standin.h"

struct CUevent_st {
    CUcontext context;
    int is_recorded;
    double milliseconds; /* of standin_clock */
};

static atomic_int captures;

int standin_captures(void)
{
    return captures;
}

/** A call that needs a context, and that no capture bears. */
#define NOW(name)                                                                                                      \
    ENTRY_POINT(name);                                                                                                 \
    if (standin_current() == NULL)                                                                                     \
        return CUDA_ERROR_INVALID_CONTEXT;                                                                             \
    if (standin_captures())                                                                                            \
    return (CUresult)standin_in_capture

/* -------------------------------------------------------------------------------------------------------- memory */

static void *pointer(CUdeviceptr address)
{
    return (void *)(uintptr_t)address;
}

static int is_ours(const void *memory, size_t bytes)
{
    return standin_device_of(MEMORY, memory, bytes) >= 0;
}

CUresult standin_cuMemAlloc(CUdeviceptr *base, size_t bytes)
{
    NOW("cuMemAlloc");
    void *memory = NULL;
    if (bytes == 0 || posix_memalign(&memory, 256, bytes) != 0)
        return bytes == 0 ? (CUresult)standin_invalid_value : CUDA_ERROR_OUT_OF_MEMORY;
    memset(memory, 0xFF, bytes); /* NaN in every type, for whoever reads before he writes */
    standin_add(MEMORY, memory, bytes, standin_current()->device);
    *base = (CUdeviceptr)(uintptr_t)memory;
    return CUDA_SUCCESS;
}

CUresult standin_cuMemFree(CUdeviceptr base)
{
    NOW("cuMemFree");
    if (base == 0)
        return CUDA_SUCCESS;
    if (!standin_remove(MEMORY, pointer(base)))
        return (CUresult)standin_invalid_value;
    free(pointer(base));
    return CUDA_SUCCESS;
}

static CUresult copy(void *to, int to_device, const void *from, int from_device, size_t bytes)
{
    if (is_ours(to, bytes) != to_device || is_ours(from, bytes) != from_device)
        return (CUresult)standin_invalid_value;
    memcpy(to, from, bytes);
    return CUDA_SUCCESS;
}

CUresult standin_cuMemcpyHtoD(CUdeviceptr to, const void *from, size_t bytes)
{
    NOW("cuMemcpyHtoD");
    return copy(pointer(to), 1, from, 0, bytes);
}

CUresult standin_cuMemcpyDtoH(void *to, CUdeviceptr from, size_t bytes)
{
    NOW("cuMemcpyDtoH");
    return copy(to, 0, pointer(from), 1, bytes);
}

CUresult standin_cuMemcpyDtoDAsync(CUdeviceptr to, CUdeviceptr from, size_t bytes, CUstream stream)
{
    ENTRY_POINT("cuMemcpyDtoDAsync");
    if (standin_context_of(stream) == NULL)
        return CUDA_ERROR_INVALID_CONTEXT;
    return copy(pointer(to), 1, pointer(from), 1, bytes);
}

/* ------------------------------------------------------------------------------------------------ streams, events */

CUcontext standin_context_of(CUstream stream)
{
    if (stream == NULL)
        return standin_current();
    return standin_device_of(STREAM, stream, 0) >= 0 ? stream->context : NULL;
}

CUresult standin_cuStreamIsCapturing(CUstream stream, CUstreamCaptureStatus *status)
{
    ENTRY_POINT("cuStreamIsCapturing");
    if (stream == NULL || standin_context_of(stream) == NULL)
        return (CUresult)standin_invalid_handle;
    *status = stream->is_capturing ? CU_STREAM_CAPTURE_STATUS_ACTIVE : CU_STREAM_CAPTURE_STATUS_NONE;
    return CUDA_SUCCESS;
}

CUresult standin_cuStreamSynchronize(CUstream stream)
{
    NOW("cuStreamSynchronize");
    return standin_context_of(stream) != NULL ? CUDA_SUCCESS : (CUresult)standin_invalid_handle;
}

CUresult standin_cuEventCreate(CUevent *event, unsigned int flags)
{
    NOW("cuEventCreate");
    CUevent made = flags == 0 ? calloc(1, sizeof *made) : NULL;
    if (made == NULL)
        return CUDA_ERROR_OUT_OF_MEMORY;
    made->context = standin_current();
    standin_add(EVENT, made, sizeof *made, made->context->device);
    *event = made;
    return CUDA_SUCCESS;
}

CUresult standin_cuEventDestroy(CUevent event)
{
    ENTRY_POINT("cuEventDestroy");
    if (!standin_remove(EVENT, event))
        return (CUresult)standin_invalid_handle;
    free(event);
    return CUDA_SUCCESS;
}

static int is_event(CUevent event)
{
    return event != NULL && standin_device_of(EVENT, event, 0) >= 0;
}

/** An event is of the context that it was made in. */
CUresult standin_cuEventRecord(CUevent event, CUstream stream)
{
    ENTRY_POINT("cuEventRecord");
    if (!is_event(event) || event->context != standin_context_of(stream))
        return (CUresult)standin_invalid_handle;
    event->is_recorded = 1;
    event->milliseconds = standin_clock;
    return CUDA_SUCCESS;
}

CUresult standin_cuEventSynchronize(CUevent event)
{
    ENTRY_POINT("cuEventSynchronize");
    return is_event(event) ? CUDA_SUCCESS : (CUresult)standin_invalid_handle;
}

CUresult standin_cuEventElapsedTime(float *milliseconds, CUevent start, CUevent stop)
{
    ENTRY_POINT("cuEventElapsedTime");
    if (!is_event(start) || !is_event(stop) || !start->is_recorded || !stop->is_recorded)
        return (CUresult)standin_invalid_handle;
    *milliseconds = getenv("CUDA_STANDIN_BLOCK") != NULL ? (float)(stop->milliseconds - start->milliseconds) : 1;
    return CUDA_SUCCESS;
}

/* ------------------------------------------------------------------------------ what programs call by themselves */

struct CUgraph_st {
    int is_alone; /* a graph here has nothing in it */
};

STANDIN_API CUresult cuStreamCreate(CUstream *stream, unsigned int flags)
{
    (void)flags;
    CUstream made = standin_current() != NULL ? calloc(1, sizeof *made) : NULL;
    if (made == NULL)
        return CUDA_ERROR_INVALID_CONTEXT;
    made->context = standin_current();
    standin_add(STREAM, made, sizeof *made, made->context->device);
    *stream = made;
    return CUDA_SUCCESS;
}

STANDIN_API CUresult cuStreamDestroy_v2(CUstream stream)
{
    if (!standin_remove(STREAM, stream))
        return (CUresult)standin_invalid_handle;
    free(stream);
    return CUDA_SUCCESS;
}

STANDIN_API CUresult cuStreamSynchronize(CUstream stream)
{
    return standin_context_of(stream) != NULL ? CUDA_SUCCESS : (CUresult)standin_invalid_handle;
}

STANDIN_API CUresult cuStreamBeginCapture_v2(CUstream stream, CUstreamCaptureMode mode)
{
    if (stream == NULL || standin_context_of(stream) == NULL || mode != CU_STREAM_CAPTURE_MODE_GLOBAL)
        return (CUresult)standin_invalid_handle;
    captures += !stream->is_capturing;
    stream->is_capturing = 1;
    return CUDA_SUCCESS;
}

STANDIN_API CUresult cuStreamEndCapture(CUstream stream, CUgraph *graph)
{
    if (stream == NULL || standin_context_of(stream) == NULL || !stream->is_capturing)
        return (CUresult)standin_invalid_handle;
    stream->is_capturing = 0;
    captures -= 1;
    *graph = calloc(1, sizeof **graph);
    standin_add(GRAPH, *graph, sizeof **graph, stream->context->device);
    return CUDA_SUCCESS;
}

STANDIN_API CUresult cuGraphInstantiateWithFlags(CUgraphExec *executable, CUgraph graph, unsigned long long flags)
{
    if (flags != 0 || standin_device_of(GRAPH, graph, 0) < 0)
        return (CUresult)standin_invalid_handle;
    void *const made = malloc(1);
    standin_add(GRAPH, made, 1, standin_device_of(GRAPH, graph, 0));
    *executable = made;
    return CUDA_SUCCESS;
}

STANDIN_API CUresult cuGraphLaunch(CUgraphExec executable, CUstream stream)
{
    return standin_device_of(GRAPH, executable, 0) >= 0 && standin_context_of(stream) != NULL
               ? CUDA_SUCCESS
               : (CUresult)standin_invalid_handle;
}

STANDIN_API CUresult cuGraphExecDestroy(CUgraphExec executable)
{
    if (!standin_remove(GRAPH, executable))
        return (CUresult)standin_invalid_handle;
    free(executable);
    return CUDA_SUCCESS;
}

STANDIN_API CUresult cuGraphDestroy(CUgraph graph)
{
    if (!standin_remove(GRAPH, graph))
        return (CUresult)standin_invalid_handle;
    free(graph);
    return CUDA_SUCCESS;
}
