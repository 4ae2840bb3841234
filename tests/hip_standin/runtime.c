/* SPDX-License-Identifier: Apache-2.0 */
/** @file runtime.c @brief Devices, memory, streams and events of the stand-in. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "control.h"
#include "standin.h"

struct ihipStream_t {
    char is_all_the_same; /* all work runs in one order, see queue.c */
};

struct ihipEvent_t {
    bool is_recorded, is_complete;
    struct timespec time;
};

static _Thread_local int current_device;
static _Thread_local hipError_t last_error;

hipError_t standin_error(hipError_t code)
{
    if (code != hipSuccess)
        last_error = code;
    return code;
}

STANDIN_API int hip_standin_device(void)
{
    return current_device;
}

STANDIN_API hipError_t hipGetLastError(void)
{
    const hipError_t code = last_error;
    last_error = hipSuccess;
    return code;
}

STANDIN_API hipError_t hipPeekAtLastError(void)
{
    return last_error;
}

STANDIN_API const char *hipGetErrorString(hipError_t code)
{
    switch (code) {
    case hipSuccess:
        return "no error";
    case hipErrorInvalidValue:
        return "invalid argument";
    case hipErrorOutOfMemory:
        return "out of memory";
    case hipErrorInvalidDevice:
        return "invalid device ordinal";
    case hipErrorNoDevice:
        return "no device";
    case hipErrorInvalidImage:
        return "device kernel image is invalid";
    case hipErrorNoBinaryForGpu:
        return "no kernel image is available for execution on the device";
    case hipErrorInvalidHandle:
        return "invalid resource handle";
    case hipErrorNotFound:
        return "named symbol not found";
    case hipErrorNotReady:
        return "device not ready";
    case hipErrorLaunchFailure:
        return "unspecified launch failure";
    case hipErrorInvalidConfiguration:
        return "invalid configuration argument";
    default:
        return "unknown error";
    }
}

/* ------------------------------------------------------------------------------------------------- devices */

int standin_wave_width(void)
{
    const char *const text = getenv("HIP_STANDIN_WAVE");
    return text != NULL && strcmp(text, "32") == 0 ? 32 : 64;
}

const char *standin_architecture(void)
{
    return standin_wave_width() == 32 ? "gfx1030" : "gfx90a:sramecc+:xnack-";
}

STANDIN_API hipError_t hipGetDeviceCount(int *count)
{
    ENTRY_POINT("hipGetDeviceCount");
    *count = standin_devices;
    return hipSuccess;
}

STANDIN_API hipError_t hipGetDevice(int *device)
{
    ENTRY_POINT("hipGetDevice");
    *device = current_device;
    return hipSuccess;
}

STANDIN_API hipError_t hipSetDevice(int device)
{
    ENTRY_POINT("hipSetDevice");
    if (device < 0 || device >= standin_devices)
        return standin_error(hipErrorInvalidDevice);
    current_device = device;
    return hipSuccess;
}

STANDIN_API hipError_t hipDeviceGet(hipDevice_t *device, int index)
{
    ENTRY_POINT("hipDeviceGet");
    if (index < 0 || index >= standin_devices)
        return standin_error(hipErrorInvalidDevice);
    *device = index;
    return hipSuccess;
}

STANDIN_API hipError_t hipDeviceGetName(char *name, int bytes, hipDevice_t device)
{
    ENTRY_POINT("hipDeviceGetName");
    if (device < 0 || device >= standin_devices)
        return standin_error(hipErrorInvalidDevice);
    snprintf(name, (size_t)bytes, "stand-in for an AMD GPU, on the CPU");
    return hipSuccess;
}

STANDIN_API hipError_t hipDeviceTotalMem(size_t *bytes, hipDevice_t device)
{
    ENTRY_POINT("hipDeviceTotalMem");
    if (device < 0 || device >= standin_devices)
        return standin_error(hipErrorInvalidDevice);
    *bytes = (size_t)1 << 30;
    return hipSuccess;
}

STANDIN_API hipError_t hipDeviceGetAttribute(int *value, hipDeviceAttribute_t attribute, int device)
{
    ENTRY_POINT("hipDeviceGetAttribute");
    if (device < 0 || device >= standin_devices)
        return standin_error(hipErrorInvalidDevice);
    switch ((int)attribute) {
    case hipDeviceAttributeWarpSize:
        *value = standin_wave_width();
        return hipSuccess;
    case hipDeviceAttributeMultiprocessorCount:
        *value = 8;
        return hipSuccess;
    case hipDeviceAttributeMaxThreadsPerBlock:
        *value = standin_block_limit;
        return hipSuccess;
    case hipDeviceAttributeMaxSharedMemoryPerBlock:
        *value = standin_shared_bytes;
        return hipSuccess;
    case hipDeviceAttributeL2CacheSize:
        *value = 1 << 20;
        return hipSuccess;
    default:
        return standin_error(hipErrorInvalidValue); /* HIP has many more; nobody here asks */
    }
}

/** What grkan asks the attributes for is not told here. */
STANDIN_API hipError_t hipGetDeviceProperties(hipDeviceProp_t *properties, int device)
{
    ENTRY_POINT("hipGetDeviceProperties");
    if (device < 0 || device >= standin_devices)
        return standin_error(hipErrorInvalidDevice);
    memset(properties, 0, sizeof *properties);
    snprintf(properties->gcnArchName, sizeof properties->gcnArchName, "%s", standin_architecture());
    return hipSuccess;
}

STANDIN_API hipError_t hipRuntimeGetVersion(int *version)
{
    ENTRY_POINT("hipRuntimeGetVersion");
    const char *const text = getenv("HIP_STANDIN_VERSION");
    *version = text != NULL ? atoi(text) : HIP_VERSION;
    return hipSuccess;
}

/* -------------------------------------------------------------------------------------------------- memory */

STANDIN_API hipError_t hipMalloc(void **memory, size_t bytes)
{
    ENTRY_POINT("hipMalloc");
    if (posix_memalign(memory, 256, bytes) != 0)
        return standin_error(hipErrorOutOfMemory);
    memset(*memory, 0xFF, bytes); /* NaN in every type, for whoever reads before he writes */
    standin_add(MEMORY, *memory, bytes, current_device);
    return hipSuccess;
}

STANDIN_API hipError_t hipFree(void *memory)
{
    ENTRY_POINT("hipFree");
    if (memory == NULL)
        return hipSuccess;
    const hipError_t code = standin_finish();
    if (!standin_remove(MEMORY, memory))
        return standin_error(hipErrorInvalidValue);
    free(memory);
    return standin_error(code);
}

typedef struct copy {
    void *to;
    const void *from;
    size_t bytes;
} copy;

static hipError_t run_copy(void *payload)
{
    const copy *c = payload;
    memcpy(c->to, c->from, c->bytes);
    return hipSuccess;
}

/** Whether each end is of a device, or is none of any, as its copy says. */
static bool is_right(const void *to, bool to_device, const void *from, bool from_device, size_t bytes)
{
    return (standin_device_of(MEMORY, to, bytes) >= 0) == to_device &&
           (standin_device_of(MEMORY, from, bytes) >= 0) == from_device;
}

static hipError_t copy_now(void *to, bool to_device, const void *from, bool from_device, size_t bytes)
{
    const hipError_t code = standin_finish();
    if (!is_right(to, to_device, from, from_device, bytes))
        return standin_error(hipErrorInvalidValue);
    memcpy(to, from, bytes);
    return standin_error(code);
}

STANDIN_API hipError_t hipMemcpyHtoD(hipDeviceptr_t to, void *from, size_t bytes)
{
    ENTRY_POINT("hipMemcpyHtoD");
    return copy_now(to, true, from, false, bytes);
}

STANDIN_API hipError_t hipMemcpyDtoH(void *to, hipDeviceptr_t from, size_t bytes)
{
    ENTRY_POINT("hipMemcpyDtoH");
    return copy_now(to, false, from, true, bytes);
}

STANDIN_API hipError_t hipMemcpyDtoDAsync(hipDeviceptr_t to, hipDeviceptr_t from, size_t bytes, hipStream_t stream)
{
    ENTRY_POINT("hipMemcpyDtoDAsync");
    const copy payload = {to, from, bytes};
    if (standin_stream_device(stream) < 0)
        return standin_error(hipErrorInvalidHandle);
    if (!is_right(to, true, from, true, bytes))
        return standin_error(hipErrorInvalidValue);
    return standin_error(standin_enqueue(run_copy, &payload, sizeof payload));
}

/* ------------------------------------------------------------------------------------------------- streams */

int standin_stream_device(hipStream_t stream)
{
    return stream == NULL ? current_device : standin_device_of(STREAM, stream, 0);
}

STANDIN_API hipError_t hipStreamCreate(hipStream_t *stream)
{
    ENTRY_POINT("hipStreamCreate");
    if ((*stream = calloc(1, sizeof **stream)) == NULL)
        return standin_error(hipErrorOutOfMemory);
    standin_add(STREAM, *stream, sizeof **stream, current_device);
    return hipSuccess;
}

STANDIN_API hipError_t hipStreamDestroy(hipStream_t stream)
{
    ENTRY_POINT("hipStreamDestroy");
    const hipError_t code = standin_finish();
    if (!standin_remove(STREAM, stream))
        return standin_error(hipErrorInvalidHandle);
    free(stream);
    return standin_error(code);
}

STANDIN_API hipError_t hipStreamSynchronize(hipStream_t stream)
{
    ENTRY_POINT("hipStreamSynchronize");
    if (standin_stream_device(stream) < 0)
        return standin_error(hipErrorInvalidHandle);
    return standin_error(standin_finish());
}

/* -------------------------------------------------------------------------------------------------- events */

STANDIN_API hipError_t hipEventCreateWithFlags(hipEvent_t *event, unsigned flags)
{
    ENTRY_POINT("hipEventCreateWithFlags");
    if (flags != 0)
        return standin_error(hipErrorInvalidValue); /* HIP has some; nobody here needs them */
    if ((*event = calloc(1, sizeof **event)) == NULL)
        return standin_error(hipErrorOutOfMemory);
    standin_add(EVENT, *event, sizeof **event, current_device);
    return hipSuccess;
}

STANDIN_API hipError_t hipEventDestroy(hipEvent_t event)
{
    ENTRY_POINT("hipEventDestroy");
    const hipError_t code = standin_finish();
    if (!standin_remove(EVENT, event))
        return standin_error(hipErrorInvalidHandle);
    free(event);
    return standin_error(code);
}

static hipError_t run_record(void *payload)
{
    hipEvent_t event;
    memcpy(&event, payload, sizeof event);
    event->is_complete = true;
    clock_gettime(CLOCK_MONOTONIC, &event->time);
    return hipSuccess;
}

STANDIN_API hipError_t hipEventRecord(hipEvent_t event, hipStream_t stream)
{
    ENTRY_POINT("hipEventRecord");
    const int device = standin_device_of(EVENT, event, 0);
    if (device < 0 || device != standin_stream_device(stream))
        return standin_error(hipErrorInvalidHandle);
    event->is_recorded = true;
    event->is_complete = false;
    return standin_error(standin_enqueue(run_record, &event, sizeof event));
}

STANDIN_API hipError_t hipEventSynchronize(hipEvent_t event)
{
    ENTRY_POINT("hipEventSynchronize");
    if (standin_device_of(EVENT, event, 0) < 0)
        return standin_error(hipErrorInvalidHandle);
    return standin_error(standin_finish());
}

STANDIN_API hipError_t hipEventElapsedTime(float *milliseconds, hipEvent_t start, hipEvent_t stop)
{
    ENTRY_POINT("hipEventElapsedTime");
    if (standin_device_of(EVENT, start, 0) < 0 || standin_device_of(EVENT, stop, 0) < 0 || !start->is_recorded ||
        !stop->is_recorded)
        return standin_error(hipErrorInvalidHandle);
    if (!start->is_complete || !stop->is_complete)
        return standin_error(hipErrorNotReady);
    const time_t seconds = stop->time.tv_sec - start->time.tv_sec;
    const long rest = stop->time.tv_nsec - start->time.tv_nsec;
    *milliseconds = (float)((double)seconds * 1e3 + (double)rest * 1e-6);
    return hipSuccess;
}
