/* SPDX-License-Identifier: Apache-2.0 */
/** @file discover.c @brief Which OpenCL devices there are, and what they are called. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "../gpu/engine.h"
#include "opencl.h"

enum { most_platforms = 16, most_devices = 64 };

/** Every device of every platform, in their order. Filled once by opencl_count, before anything else is called. */
static struct {
    cl_platform_id platform;
    cl_device_id id;
    int platform_index;
    int device_index;
} found[most_devices];
static int found_count;

/** @return what clGetDeviceIDs says */
static cl_int add_devices(cl_platform_id platform, int platform_index)
{
    cl_device_id ids[most_devices];
    cl_uint count = 0;
    const cl_int code = opencl.GetDeviceIDs(platform, CL_DEVICE_TYPE_ALL, most_devices, ids, &count);
    if (code != CL_SUCCESS)
        return code;
    for (int i = 0; i < (int)count && i < most_devices && found_count < most_devices; ++i) {
        found[found_count].platform = platform;
        found[found_count].id = ids[i];
        found[found_count].platform_index = platform_index;
        found[found_count].device_index = i;
        ++found_count;
    }
    return CL_SUCCESS;
}

grkan_status opencl_count(const grkan_host *host, int *count)
{
    cl_platform_id platforms[most_platforms];
    cl_uint platform_count = 0;
    gpu_host = host;
    const grkan_status status = opencl_find();
    if (status != GRKAN_SUCCESS)
        return status;
    cl_int code = opencl.GetPlatformIDs(most_platforms, platforms, &platform_count);
    if (code != CL_SUCCESS || platform_count == 0)
        return host->set_error(GRKAN_ERROR_NO_DEVICE,
                               "no OpenCL platform: clGetPlatformIDs says %s (%d); expected a driver's .icd file",
                               opencl_error_name(code), code);
    found_count = 0;
    for (int i = 0; i < (int)platform_count && i < most_platforms; ++i)
        code = add_devices(platforms[i], i);
    *count = found_count;
    if (found_count == 0)
        return host->set_error(GRKAN_ERROR_NO_DEVICE,
                               "no OpenCL device on any of %u platforms: clGetDeviceIDs says %s (%d) of the last",
                               platform_count, opencl_error_name(code), code);
    return GRKAN_SUCCESS;
}

/** "P:D", platform and device; "P": the platform's first device. */
grkan_status opencl_resolve(const char *text, int *index)
{
    char *end = NULL;
    long platform, device = 0;
    errno = 0;
    platform = strtol(text, &end, 10);
    int is_good = end != text && *text >= '0' && *text <= '9';
    if (is_good && *end == ':') {
        const char *second = end + 1;
        device = strtol(second, &end, 10);
        is_good = end != second && *second >= '0' && *second <= '9';
    }
    if (!is_good || *end != '\0' || errno != 0)
        return gpu_host->set_error(GRKAN_ERROR_INVALID_ARGUMENT,
                                   "device \"opencl:%s\" is malformed; expected opencl:PLATFORM:DEVICE, as opencl:0:0",
                                   text);
    for (int i = 0; i < found_count; ++i) {
        if (found[i].platform_index == platform && found[i].device_index == device) {
            *index = i;
            return GRKAN_SUCCESS;
        }
    }
    return gpu_host->set_error(GRKAN_ERROR_NO_DEVICE,
                               "there is no device \"opencl:%s\"; there are %d, up to opencl:%d:%d", text, found_count,
                               found[found_count - 1].platform_index, found[found_count - 1].device_index);
}

cl_device_id opencl_found(int index, cl_platform_id *platform)
{
    *platform = found[index].platform;
    return found[index].id;
}

void opencl_write_selector(cl_device_id id, char *text, size_t bytes)
{
    snprintf(text, bytes, "opencl");
    for (int i = 0; i < found_count; ++i)
        if (found[i].id == id)
            snprintf(text, bytes, "opencl:%d:%d", found[i].platform_index, found[i].device_index);
}
