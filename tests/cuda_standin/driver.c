/* SPDX-License-Identifier: Apache-2.0 */
/** @file driver.c @brief The stand-in's search for functions, its devices, and its words. */
#include "standin.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int standin_number(const char *variable, int otherwise)
{
    const char *const text = getenv(variable);
    return text != NULL ? atoi(text) : otherwise;
}

typedef void (*any_function)(void);

static const struct {
    const char *name;
    any_function function;
    int since;
} functions[] = {
#define FUNCTION(result, name, arguments) {#name, (any_function)standin_##name, 12000},
#define OPTIONAL(result, name, arguments) {#name, (any_function)standin_##name, 12040},
#include "../../backends/cuda/driver_functions.h"
};

STANDIN_API CUresult cuGetProcAddress_v2(const char *name, void **address, int version, uint64_t flags, int *found);

STANDIN_API CUresult cuGetProcAddress_v2(const char *name, void **address, int version, uint64_t flags, int *found)
{
    const char *const lacks = getenv("CUDA_STANDIN_LACKS");
    const int own_version = standin_number("CUDA_STANDIN_VERSION", 13000);
    *address = NULL;
    if (flags != CU_GET_PROC_ADDRESS_LEGACY_STREAM)
        return (CUresult)standin_invalid_value;
    for (size_t i = 0; i < sizeof functions / sizeof functions[0]; ++i) {
        if (strcmp(functions[i].name, name) != 0 || functions[i].since > own_version ||
            (lacks != NULL && strcmp(lacks, name) == 0))
            continue;
        *found = functions[i].since > version ? 2 : 0;
        if (*found == 0)
            memcpy(address, &functions[i].function, sizeof *address);
        return CUDA_SUCCESS;
    }
    *found = 1;
    return CUDA_ERROR_NOT_FOUND;
}

STANDIN_API CUresult cuGetExportTable(const void **table, const void *id);

/** NVRTC asks a driver that it finds for one, and crashes where there is no such function. */
STANDIN_API CUresult cuGetExportTable(const void **table, const void *id)
{
    (void)id;
    *table = NULL;
    return CUDA_ERROR_NOT_FOUND;
}

static int is_initialized;

CUresult standin_cuInit(unsigned int flags)
{
    ENTRY_POINT("cuInit");
    const int code = standin_number("CUDA_STANDIN_INIT", 0);
    is_initialized = code == 0;
    return flags == 0 ? (CUresult)code : (CUresult)standin_invalid_value;
}

CUresult standin_cuDriverGetVersion(int *version)
{
    ENTRY_POINT("cuDriverGetVersion");
    *version = standin_number("CUDA_STANDIN_VERSION", 13000);
    return CUDA_SUCCESS;
}

CUresult standin_cuGetErrorString(CUresult code, const char **text)
{
    static const struct {
        int code;
        const char *text;
    } known[] = {{CUDA_SUCCESS, "no error"},
                 {standin_invalid_value, "invalid argument"},
                 {CUDA_ERROR_OUT_OF_MEMORY, "out of memory"},
                 {standin_not_initialized, "initialization error"},
                 {CUDA_ERROR_NO_DEVICE, "no CUDA-capable device is detected"},
                 {standin_invalid_device, "invalid device ordinal"},
                 {standin_invalid_image, "device kernel image is invalid"},
                 {CUDA_ERROR_INVALID_CONTEXT, "invalid device context"},
                 {standin_no_binary, "no kernel image is available for execution on the device"},
                 {standin_invalid_handle, "invalid resource handle"},
                 {CUDA_ERROR_NOT_FOUND, "named symbol not found"},
                 {standin_launch_failed, "unspecified launch failure"},
                 {standin_too_large, "too many resources requested for launch"},
                 {standin_in_capture, "operation not permitted when stream is capturing"}};
    for (size_t i = 0; i < sizeof known / sizeof known[0]; ++i) {
        if (known[i].code == (int)code) {
            *text = known[i].text;
            return CUDA_SUCCESS;
        }
    }
    *text = NULL;
    return (CUresult)standin_invalid_value;
}

/* ------------------------------------------------------------------------------------------------------- devices */

CUresult standin_cuDeviceGetCount(int *count)
{
    ENTRY_POINT("cuDeviceGetCount");
    if (!is_initialized)
        return (CUresult)standin_not_initialized;
    *count = standin_devices;
    return CUDA_SUCCESS;
}

CUresult standin_cuDeviceGet(CUdevice *device, int index)
{
    ENTRY_POINT("cuDeviceGet");
    *device = index;
    return index >= 0 && index < standin_devices ? CUDA_SUCCESS : (CUresult)standin_invalid_device;
}

CUresult standin_cuDeviceGetName(char *name, int bytes, CUdevice device)
{
    ENTRY_POINT("cuDeviceGetName");
    snprintf(name, (size_t)bytes, "stand-in %d for an NVIDIA GPU", device);
    return CUDA_SUCCESS;
}

CUresult standin_cuDeviceTotalMem(size_t *bytes, CUdevice device)
{
    ENTRY_POINT("cuDeviceTotalMem");
    (void)device;
    *bytes = (size_t)1 << 30;
    return CUDA_SUCCESS;
}

CUresult standin_cuDeviceGetAttribute(int *value, CUdevice_attribute attribute, CUdevice device)
{
    ENTRY_POINT("cuDeviceGetAttribute");
    (void)device;
    switch (attribute) {
    case CU_DEVICE_ATTRIBUTE_MAX_THREADS_PER_BLOCK:
        *value = 1024;
        break;
    case CU_DEVICE_ATTRIBUTE_MAX_SHARED_MEMORY_PER_BLOCK:
        *value = 48 << 10;
        break;
    case CU_DEVICE_ATTRIBUTE_MAX_SHARED_MEMORY_PER_BLOCK_OPTIN:
        *value = standin_launch_bytes;
        break;
    case CU_DEVICE_ATTRIBUTE_WARP_SIZE:
        *value = 32;
        break;
    case CU_DEVICE_ATTRIBUTE_MULTIPROCESSOR_COUNT:
        *value = standin_number("CUDA_STANDIN_MULTIPROCESSORS", 8);
        break;
    case CU_DEVICE_ATTRIBUTE_L2_CACHE_SIZE:
        *value = 1 << 20;
        break;
    case CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR:
        *value = standin_number("CUDA_STANDIN_CAPABILITY", 90) / 10;
        break;
    case CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MINOR:
        *value = standin_number("CUDA_STANDIN_CAPABILITY", 90) % 10;
        break;
    default:
        return (CUresult)standin_invalid_value; /* CUDA has many more; nobody here asks */
    }
    return CUDA_SUCCESS;
}
