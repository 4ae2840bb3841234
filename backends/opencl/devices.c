/* SPDX-License-Identifier: Apache-2.0 */
/** @file devices.c @brief Which OpenCL devices there are, and what they are. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../gpu/engine.h"
#include "../gpu/nvidia.h"
#include "opencl.h"

#include <CL/cl_ext.h>

enum { most_platforms = 16, most_devices = 64, most_block = 512 /* threads; more leave few registers to each */ };

/** Every device of every platform, in their order. Filled once by opencl_count, before anything else is called. */
static struct {
    cl_platform_id platform;
    cl_device_id id;
    int platform_index;
    int device_index;
} found[most_devices];
static int found_count;

const char *opencl_error_name(cl_int code)
{
    static const struct {
        cl_int code;
        const char *name;
    } names[] = {
        {CL_DEVICE_NOT_FOUND, "CL_DEVICE_NOT_FOUND"},
        {CL_DEVICE_NOT_AVAILABLE, "CL_DEVICE_NOT_AVAILABLE"},
        {CL_COMPILER_NOT_AVAILABLE, "CL_COMPILER_NOT_AVAILABLE"},
        {CL_MEM_OBJECT_ALLOCATION_FAILURE, "CL_MEM_OBJECT_ALLOCATION_FAILURE"},
        {CL_OUT_OF_RESOURCES, "CL_OUT_OF_RESOURCES"},
        {CL_OUT_OF_HOST_MEMORY, "CL_OUT_OF_HOST_MEMORY"},
        {CL_PROFILING_INFO_NOT_AVAILABLE, "CL_PROFILING_INFO_NOT_AVAILABLE"},
        {CL_BUILD_PROGRAM_FAILURE, "CL_BUILD_PROGRAM_FAILURE"},
        {CL_INVALID_VALUE, "CL_INVALID_VALUE"},
        {CL_INVALID_DEVICE, "CL_INVALID_DEVICE"},
        {CL_INVALID_CONTEXT, "CL_INVALID_CONTEXT"},
        {CL_INVALID_COMMAND_QUEUE, "CL_INVALID_COMMAND_QUEUE"},
        {CL_INVALID_MEM_OBJECT, "CL_INVALID_MEM_OBJECT"},
        {CL_INVALID_BINARY, "CL_INVALID_BINARY"},
        {CL_INVALID_BUILD_OPTIONS, "CL_INVALID_BUILD_OPTIONS"},
        {CL_INVALID_PROGRAM_EXECUTABLE, "CL_INVALID_PROGRAM_EXECUTABLE"},
        {CL_INVALID_KERNEL_NAME, "CL_INVALID_KERNEL_NAME"},
        {CL_INVALID_KERNEL_ARGS, "CL_INVALID_KERNEL_ARGS"},
        {CL_INVALID_ARG_SIZE, "CL_INVALID_ARG_SIZE"},
        {CL_INVALID_WORK_GROUP_SIZE, "CL_INVALID_WORK_GROUP_SIZE"},
        {CL_INVALID_BUFFER_SIZE, "CL_INVALID_BUFFER_SIZE"},
        {-1001, "CL_PLATFORM_NOT_FOUND_KHR"},
    };
    for (size_t i = 0; i < sizeof names / sizeof names[0]; ++i)
        if (names[i].code == code)
            return names[i].name;
    return "unknown error";
}

grkan_status opencl_failed(const char *call, cl_int code)
{
    const int is_memory =
        code == CL_MEM_OBJECT_ALLOCATION_FAILURE || code == CL_OUT_OF_HOST_MEMORY || code == CL_INVALID_BUFFER_SIZE;
    return gpu_host->set_error(is_memory ? GRKAN_ERROR_OUT_OF_MEMORY : GRKAN_ERROR_DEVICE, "%.*s failed: %s (%d)",
                               (int)strcspn(call, "("), call, opencl_error_name(code), code);
}

static void add_devices(cl_platform_id platform, int platform_index)
{
    cl_device_id ids[most_devices];
    cl_uint count = 0;
    if (clGetDeviceIDs(platform, CL_DEVICE_TYPE_ALL, most_devices, ids, &count) != CL_SUCCESS)
        return;
    for (int i = 0; i < (int)count && i < most_devices && found_count < most_devices; ++i) {
        found[found_count].platform = platform;
        found[found_count].id = ids[i];
        found[found_count].platform_index = platform_index;
        found[found_count].device_index = i;
        ++found_count;
    }
}

grkan_status opencl_count(const grkan_host *host, int *count)
{
    cl_platform_id platforms[most_platforms];
    cl_uint platform_count = 0;
    gpu_host = host;
    const cl_int code = clGetPlatformIDs(most_platforms, platforms, &platform_count);
    if (code != CL_SUCCESS || platform_count == 0)
        return host->set_error(GRKAN_ERROR_NO_DEVICE,
                               "no OpenCL platform: clGetPlatformIDs says %s (%d); expected a driver's .icd file",
                               opencl_error_name(code), code);
    found_count = 0;
    for (int i = 0; i < (int)platform_count && i < most_platforms; ++i)
        add_devices(platforms[i], i);
    *count = found_count;
    if (found_count == 0)
        return host->set_error(GRKAN_ERROR_NO_DEVICE, "no OpenCL device on any of %u platforms", platform_count);
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

static void read_text(cl_device_id id, cl_device_info what, char *text, size_t bytes)
{
    char whole[2048] = "";
    clGetDeviceInfo(id, what, sizeof whole - 1, whole, NULL);
    snprintf(text, bytes, "%.*s", (int)bytes - 1, whole);
}

static uint64_t read_number(cl_device_id id, cl_device_info what)
{
    uint64_t number = 0; /* devices are little-endian hosts' own here: smaller values fill the low bytes */
    clGetDeviceInfo(id, what, sizeof number, &number, NULL);
    return number;
}

static int has_extension(cl_device_id id, const char *name)
{
    char *all = NULL;
    size_t bytes = 0;
    int has = 0;
    clGetDeviceInfo(id, CL_DEVICE_EXTENSIONS, 0, NULL, &bytes);
    all = calloc(1, bytes + 1);
    if (all != NULL && clGetDeviceInfo(id, CL_DEVICE_EXTENSIONS, bytes, all, NULL) == CL_SUCCESS)
        has = strstr(all, name) != NULL;
    free(all);
    return has;
}

/** Kernels depend on the platform and on the driver, which holds the compiler. */
static void write_identity(grkan_backend_device *device)
{
    char platform[128] = "", version[128] = "", name[96], driver[96];
    clGetPlatformInfo(device->platform, CL_PLATFORM_NAME, sizeof platform - 1, platform, NULL);
    clGetPlatformInfo(device->platform, CL_PLATFORM_VERSION, sizeof version - 1, version, NULL);
    read_text(device->id, CL_DEVICE_NAME, name, sizeof name);
    read_text(device->id, CL_DRIVER_VERSION, driver, sizeof driver);
    snprintf(device->identity, sizeof device->identity, "%s|%s|%s|%s|" OPENCL_OPTIONS, platform, version, name, driver);
}

/** 800 for sm_80; 0 where the device does not say, or lacks what ptx.h needs. */
static int ptx_architecture_of(cl_device_id id)
{
    enum { volta = 700 };
    int architecture = 0;
    if (has_extension(id, "cl_nv_device_attribute_query"))
        architecture = (int)(read_number(id, CL_DEVICE_COMPUTE_CAPABILITY_MAJOR_NV) * 100 +
                             read_number(id, CL_DEVICE_COMPUTE_CAPABILITY_MINOR_NV) * 10);
    return architecture >= volta ? architecture : 0;
}

/** Take over a reference to context. */
static grkan_status open_in(cl_context context, cl_device_id id, int index, grkan_backend_device **device)
{
    cl_int code;
    grkan_backend_device *made = calloc(1, sizeof *made);
    if (made == NULL) {
        clReleaseContext(context);
        return gpu_host->set_error(GRKAN_ERROR_OUT_OF_MEMORY, "no memory for an OpenCL device");
    }
    made->index = index;
    made->id = id;
    made->context = context;
    made->queue = clCreateCommandQueue(context, id, CL_QUEUE_PROFILING_ENABLE, &code);
    if (code != CL_SUCCESS) {
        opencl_close(made);
        return opencl_failed("clCreateCommandQueue", code);
    }
    code = clGetDeviceInfo(id, CL_DEVICE_PLATFORM, sizeof made->platform, &made->platform, NULL);
    if (code != CL_SUCCESS) {
        opencl_close(made);
        return opencl_failed("clGetDeviceInfo", code);
    }
    made->ptx_architecture = ptx_architecture_of(id);
    write_identity(made);
    *device = made;
    return GRKAN_SUCCESS;
}

grkan_status opencl_open(int index, grkan_backend_device **device)
{
    const cl_context_properties properties[] = {CL_CONTEXT_PLATFORM, (cl_context_properties)found[index].platform, 0};
    cl_int code;
    const cl_context context = clCreateContext(properties, 1, &found[index].id, NULL, NULL, &code);
    if (code != CL_SUCCESS)
        return opencl_failed("clCreateContext", code);
    return open_in(context, found[index].id, index, device);
}

grkan_status opencl_open_native(void *context, void *native, grkan_backend_device **device)
{
    OPENCL_TRY(clRetainContext((cl_context)context));
    return open_in((cl_context)context, (cl_device_id)native, -1, device);
}

void opencl_close(grkan_backend_device *device)
{
    if (device->queue != NULL)
        clReleaseCommandQueue(device->queue);
    clReleaseContext(device->context);
    free(device);
}

static int keeps_ieee(cl_device_id id)
{
    const cl_device_fp_config needed =
        CL_FP_DENORM | CL_FP_INF_NAN | CL_FP_ROUND_TO_NEAREST | CL_FP_FMA | CL_FP_CORRECTLY_ROUNDED_DIVIDE_SQRT;
    return (read_number(id, CL_DEVICE_SINGLE_FP_CONFIG) & needed) == needed;
}

static int index_of(cl_device_id id)
{
    for (int i = 0; i < found_count; ++i)
        if (found[i].id == id)
            return i;
    return -1;
}

/** Of GPUs that are not NVIDIA's; not measured on any yet. */
static const grkan_tunings other_tunings = {
    .forward = {.block = 384, .threads = 1152, .rounds = 24, .ahead = 1, .step = 8},
    .forward_16_bit = {.block = 384, .threads = 1536, .rounds = 6, .ahead = 1, .step = 8},
    .backward = {.block = 384, .threads = 768, .rounds = 1, .ahead = 1, .step = 4},
    .backward_16_bit = {.block = 384, .threads = 768, .rounds = 1, .ahead = 1, .step = 8},
    .backward_large = {.block = 384, .threads = 768, .rounds = 1, .ahead = 1, .step = 4},
    .backward_narrow = {.block = 384, .threads = 768, .rounds = 1, .ahead = 1, .step = 4}};

grkan_status opencl_describe(const grkan_backend_device *device, grkan_device_properties *properties,
                             grkan_device_limits *limits)
{
    const cl_device_id id = device->id;
    const int has_f64 = has_extension(id, "cl_khr_fp64") && has_extension(id, "cl_khr_int64_base_atomics");
    const int is_nvidia = device->ptx_architecture > 0;
    const int place = index_of(id);
    char version[64], driver[48];
    memset(properties, 0, sizeof *properties);
    memset(limits, 0, sizeof *limits);
    if (place >= 0)
        snprintf(properties->selector, sizeof properties->selector, "opencl:%d:%d", found[place].platform_index,
                 found[place].device_index);
    else
        snprintf(properties->selector, sizeof properties->selector, "opencl");
    snprintf(properties->backend, sizeof properties->backend, "opencl");
    read_text(id, CL_DEVICE_NAME, properties->name, sizeof properties->name);
    read_text(id, CL_DEVICE_VERSION, version, sizeof version);
    read_text(id, CL_DRIVER_VERSION, driver, sizeof driver);
    snprintf(properties->driver, sizeof properties->driver, "%s, driver %s", version, driver);
    snprintf(properties->architecture, sizeof properties->architecture, "%.60s", properties->name);
    properties->compute_units = (int32_t)read_number(id, CL_DEVICE_MAX_COMPUTE_UNITS);
    properties->wave_width = 0;
    properties->is_gpu = (read_number(id, CL_DEVICE_TYPE) & CL_DEVICE_TYPE_GPU) != 0;
    properties->dtypes = 1u << GRKAN_F32 | 1u << GRKAN_F16 | 1u << GRKAN_BF16 | (has_f64 ? 1u << GRKAN_F64 : 0u);
    properties->has_atomics = 1; /* of 32-bit integers, in every OpenCL 1.2 */
    properties->is_ieee = keeps_ieee(id);
    properties->memory_bytes = read_number(id, CL_DEVICE_GLOBAL_MEM_SIZE);
    /* Of a GPU drivers name the first level, or the sum over all units, not the last level. */
    properties->cache_bytes = properties->is_gpu ? 0 : read_number(id, CL_DEVICE_GLOBAL_MEM_CACHE_SIZE);
    limits->compute_units = properties->compute_units;
    limits->is_fixed = !properties->is_gpu;
    limits->tunings = is_nvidia ? nvidia_tunings : other_tunings;
    limits->last_block_combines = is_nvidia; /* OpenCL 1.2 orders no memory between groups */
    limits->has_queues = device->ptx_architecture >= 800;
    limits->registers = is_nvidia ? nvidia_registers : 0;
    limits->least_elements = properties->is_gpu ? 32 : 256;
    limits->max_block = (int32_t)read_number(id, CL_DEVICE_MAX_WORK_GROUP_SIZE);
    if (limits->max_block > most_block)
        limits->max_block = most_block;
    limits->max_vector_bytes = 16;
    limits->local_bytes = read_number(id, CL_DEVICE_LOCAL_MEM_SIZE);
    return GRKAN_SUCCESS;
}
