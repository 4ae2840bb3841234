/* SPDX-License-Identifier: Apache-2.0 */
/** @file describe.c @brief What an OpenCL device is, and whether grkan's kernels can run there. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../gpu/engine.h"
#include "../gpu/tuning.h"
#include "../kernels/launch.h"
#include "opencl.h"

#include <CL/cl_ext.h>

enum { most_block = 512 /* threads; more leave few registers to each */, most_row_block = 1024 };

/* ------------------------------------------------------------------------------------------------- questions */

/** Questions to one device, up to the first that it does not answer. */
typedef struct reader {
    cl_device_id id;
    cl_int code; /* of the question without an answer */
} reader;

static uint64_t read_number(reader *r, cl_device_info what)
{
    uint32_t narrow = 0;
    uint64_t wide = 0;
    size_t bytes = 0;
    if (r->code == CL_SUCCESS)
        r->code = opencl.GetDeviceInfo(r->id, what, sizeof wide, &wide, &bytes);
    memcpy(&narrow, &wide, sizeof narrow);
    return bytes == sizeof narrow ? narrow : wide;
}

/** @return a text to free, however long; NULL without an answer, or without memory */
static char *read_text(reader *r, cl_device_info what)
{
    size_t bytes = 0;
    char *text = NULL;
    if (r->code == CL_SUCCESS)
        r->code = opencl.GetDeviceInfo(r->id, what, 0, NULL, &bytes);
    if (r->code == CL_SUCCESS && (text = calloc(1, bytes + 1)) == NULL)
        r->code = CL_OUT_OF_HOST_MEMORY;
    if (r->code == CL_SUCCESS)
        r->code = opencl.GetDeviceInfo(r->id, what, bytes, text, NULL);
    if (r->code != CL_SUCCESS) {
        free(text);
        return NULL;
    }
    return text;
}

/** The beginning of a text, as much as fits. */
static void copy_text(reader *r, cl_device_info what, char *text, size_t bytes)
{
    char *const whole = read_text(r, what);
    snprintf(text, bytes, "%s", whole != NULL ? whole : "");
    free(whole);
}

/** Of a question that devices need not know. @return 0: this one does not */
static uint64_t ask_number(reader *r, cl_device_info what)
{
    reader own = *r;
    const uint64_t number = read_number(&own, what);
    if (own.code != CL_INVALID_VALUE)
        r->code = own.code;
    return own.code == CL_SUCCESS ? number : 0;
}

/** Work-items of a group: of any one and, as groups have one dimension, of the first. */
static int32_t most_items(reader *r)
{
    size_t of_dimension[16] = {0};
    const uint64_t all = read_number(r, CL_DEVICE_MAX_WORK_GROUP_SIZE);
    if (r->code == CL_SUCCESS)
        r->code = opencl.GetDeviceInfo(r->id, CL_DEVICE_MAX_WORK_ITEM_SIZES, sizeof of_dimension, of_dimension, NULL);
    const uint64_t most = all < of_dimension[0] ? all : of_dimension[0];
    return most < INT32_MAX ? (int32_t)most : INT32_MAX;
}

static int has_extension(reader *r, const char *name)
{
    char *const all = read_text(r, CL_DEVICE_EXTENSIONS);
    const size_t length = strlen(name);
    int has = 0;
    for (const char *at = all; at != NULL && *at != '\0' && !has; at += strspn(at, " ")) {
        const size_t word = strcspn(at, " ");
        has = word == length && strncmp(at, name, length) == 0;
        at += word;
    }
    free(all);
    return has;
}

static grkan_status status_of(const reader *r)
{
    return r->code == CL_SUCCESS ? GRKAN_SUCCESS : opencl_failed("clGetDeviceInfo", r->code);
}

/** Floats in a vector of a processor, which has a block as one work-item; 0: a GPU, or its compiler makes vectors of work-items, not
    of OpenCL C's (Mesa's llvmpipe). */
static int32_t lanes_of(reader *r)
{
    const uint64_t width = read_number(r, CL_DEVICE_NATIVE_VECTOR_WIDTH_FLOAT);
    const uint64_t type = read_number(r, CL_DEVICE_TYPE) & (CL_DEVICE_TYPE_CPU | CL_DEVICE_TYPE_GPU);
    return type != CL_DEVICE_TYPE_CPU ? 0 : width >= 16 ? 16 : width >= 8 ? 8 : width >= 2 ? 4 : 0;
}

/* ---------------------------------------------------------------------------------------------------- can it? */

static int is_embedded(reader *r)
{
    char profile[32];
    copy_text(r, CL_DEVICE_PROFILE, profile, sizeof profile);
    return strcmp(profile, "EMBEDDED_PROFILE") == 0;
}

/** OpenCL C 1.2, which has the kernels' words. */
static int is_recent(reader *r)
{
    int major = 0, minor = 0;
    char version[64];
    copy_text(r, CL_DEVICE_VERSION, version, sizeof version);
    return sscanf(version, "OpenCL %d.%d", &major, &minor) == 2 && (major > 1 || minor >= 2);
}

static int is_little_endian(void)
{
    const uint32_t one = 1;
    return *(const unsigned char *)&one == 1;
}

grkan_status opencl_check_usable(cl_device_id id)
{
    enum { least_items = 32, struct_arguments = 3, buffer_arguments = gpu_most_arguments - struct_arguments };
    const cl_device_fp_config arithmetic = CL_FP_INF_NAN | CL_FP_ROUND_TO_NEAREST;
    const uint64_t argument_bytes = sizeof(grkan_launch) + sizeof(grkan_geometry) + sizeof(grkan_more_offsets);
    reader r = {id, CL_SUCCESS};
    const char *lacks = NULL;
    if (!read_number(&r, CL_DEVICE_AVAILABLE))
        lacks = "is not available (CL_DEVICE_AVAILABLE)";
    else if (!is_recent(&r))
        lacks = "has an OpenCL before 1.2";
    else if (!read_number(&r, CL_DEVICE_COMPILER_AVAILABLE))
        lacks = "has no compiler (CL_DEVICE_COMPILER_AVAILABLE), and kernels are compiled when they are needed";
    else if (is_embedded(&r) && !has_extension(&r, "cles_khr_int64"))
        lacks = "has no 64-bit integers (an embedded profile without cles_khr_int64)";
    else if ((read_number(&r, CL_DEVICE_SINGLE_FP_CONFIG) & arithmetic) != arithmetic)
        lacks = "does not round to nearest, or has no infinities and NaN (CL_DEVICE_SINGLE_FP_CONFIG)";
    else if ((read_number(&r, CL_DEVICE_ENDIAN_LITTLE) != 0) != is_little_endian())
        lacks = "has another order of bytes than the host (CL_DEVICE_ENDIAN_LITTLE)";
    else if (read_number(&r, CL_DEVICE_MAX_PARAMETER_SIZE) < argument_bytes + buffer_arguments * sizeof(cl_ulong))
        lacks = "hands too few bytes of arguments to a kernel (CL_DEVICE_MAX_PARAMETER_SIZE)";
    else if (lanes_of(&r) == 0 && most_items(&r) < least_items)
        lacks = "runs no groups of 32 work-items (CL_DEVICE_MAX_WORK_GROUP_SIZE, CL_DEVICE_MAX_WORK_ITEM_SIZES)";
    else if (lanes_of(&r) == 0 && read_number(&r, CL_DEVICE_LOCAL_MEM_SIZE) == 0)
        lacks = "has no local memory (CL_DEVICE_LOCAL_MEM_SIZE)";
    if (r.code == CL_SUCCESS && lacks != NULL)
        return gpu_host->set_error(GRKAN_ERROR_UNSUPPORTED, "the OpenCL device %s", lacks);
    return status_of(&r);
}

/* ---------------------------------------------------------------------------------------------------- what is it? */

/** 800 for sm_80; 0 where the device does not say, or lacks what ptx.h needs. */
static int ptx_architecture_of(reader *r)
{
    enum { volta = 700 };
    int architecture = 0;
    if (has_extension(r, "cl_nv_device_attribute_query"))
        architecture = (int)(read_number(r, CL_DEVICE_COMPUTE_CAPABILITY_MAJOR_NV) * 100 +
                             read_number(r, CL_DEVICE_COMPUTE_CAPABILITY_MINOR_NV) * 10);
    return architecture >= volta ? architecture : 0;
}

/** The narrowest wave of a GPU that lets kernels require one; 0: it does not. */
static int least_wave(reader *r)
{
    enum { sub_group_sizes = 0x4108 /* CL_DEVICE_SUB_GROUP_SIZES_INTEL */ };
    size_t sizes[16] = {0}, bytes = 0, least = 0;
    if ((read_number(r, CL_DEVICE_TYPE) & CL_DEVICE_TYPE_GPU) == 0 ||
        !has_extension(r, "cl_intel_required_subgroup_size") ||
        opencl.GetDeviceInfo(r->id, sub_group_sizes, sizeof sizes, sizes, &bytes) != CL_SUCCESS)
        return 0;
    for (size_t i = 0; i < bytes / sizeof *sizes; ++i)
        least = least == 0 || sizes[i] < least ? sizes[i] : least;
    return (int)least;
}

/**
 * PoCL's binaries hold each kernel as compiled for groups of any size, beside what it compiles at the first launch for the size
 * at hand: twice the time before a first call is done. It keeps what it compiled of sources on disk itself.
 */
static int is_pocl(reader *r)
{
    char version[64];
    copy_text(r, CL_DEVICE_VERSION, version, sizeof version);
    return strstr(version, " PoCL") != NULL;
}

/** @return a text to free; NULL without memory, or with *code */
static char *read_platform_text(cl_platform_id platform, cl_platform_info what, cl_int *code)
{
    size_t bytes = 0;
    char *text = NULL;
    *code = opencl.GetPlatformInfo(platform, what, 0, NULL, &bytes);
    if (*code == CL_SUCCESS && (text = calloc(1, bytes + 1)) != NULL)
        *code = opencl.GetPlatformInfo(platform, what, bytes, text, NULL);
    return text;
}

/** Kernels depend on the platform and on the driver, which holds the compiler. The texts are whole, however long. */
static grkan_status write_identity(grkan_backend_device *device, const char *platform, const char *version,
                                   const char *name, const char *driver)
{
    static const char format[] = "%s|%s|%s|%s|%s%s" OPENCL_OPTIONS;
    const char *const kept = device->keeps_sources ? "text|" : "";
    const char *const rounded = device->rounds_correctly ? "" : "estimates|";
    const int length = snprintf(NULL, 0, format, platform, version, name, driver, kept, rounded);
    device->identity = malloc((size_t)length + 1);
    if (device->identity == NULL)
        return gpu_host->set_error(GRKAN_ERROR_OUT_OF_MEMORY, "no memory for an OpenCL device");
    snprintf(device->identity, (size_t)length + 1, format, platform, version, name, driver, kept, rounded);
    return GRKAN_SUCCESS;
}

/**
 * PoCL has Clang read the declarations of some thousand functions for each program, a seventh of what a first plan costs. Where
 * that is a header that was seen (Debian 12's, Ubuntu 24.04's), its guard is defined, and the dialect declares the dozen
 * functions that kernels call.
 */
static int reads_long_header(const char *driver)
{
    return driver != NULL && (strncmp(driver, "3.1", 3) == 0 || strncmp(driver, "5.0", 3) == 0);
}

grkan_status opencl_identify(grkan_backend_device *device)
{
    cl_platform_id platform = NULL;
    reader r = {device->id, CL_SUCCESS};
    char *const name = read_text(&r, CL_DEVICE_NAME), *const driver = read_text(&r, CL_DRIVER_VERSION);
    char *platform_name = NULL, *version = NULL;
    device->ptx_architecture = ptx_architecture_of(&r);
    device->keeps_sources = is_pocl(&r);
    device->declares = device->keeps_sources && reads_long_header(driver);
    device->wave = least_wave(&r);
    device->rounds_correctly = (read_number(&r, CL_DEVICE_SINGLE_FP_CONFIG) & CL_FP_CORRECTLY_ROUNDED_DIVIDE_SQRT) != 0;
    if (r.code == CL_SUCCESS)
        r.code = opencl.GetDeviceInfo(device->id, CL_DEVICE_PLATFORM, sizeof platform, &platform, NULL);
    grkan_status status = status_of(&r);
    if (status == GRKAN_SUCCESS) {
        cl_int code;
        platform_name = read_platform_text(platform, CL_PLATFORM_NAME, &code);
        if (code == CL_SUCCESS)
            version = read_platform_text(platform, CL_PLATFORM_VERSION, &code);
        if (code != CL_SUCCESS)
            status = opencl_failed("clGetPlatformInfo", code);
    }
    if (status == GRKAN_SUCCESS)
        status = platform_name == NULL || version == NULL
                     ? gpu_host->set_error(GRKAN_ERROR_OUT_OF_MEMORY, "no memory for an OpenCL device")
                     : write_identity(device, platform_name, version, name, driver);
    free(name);
    free(driver);
    free(platform_name);
    free(version);
    return status;
}

/**
 * What of IEEE 754 OpenCL leaves to a device. It fixes fma, whether CL_FP_FMA says that it is fast or not; of quotients and
 * square roots see kernels/rounded.h.
 */
static int keeps_ieee(reader *r)
{
    const cl_device_fp_config needed = CL_FP_DENORM | CL_FP_INF_NAN | CL_FP_ROUND_TO_NEAREST;
    return (read_number(r, CL_DEVICE_SINGLE_FP_CONFIG) & needed) == needed;
}

/* Questions of OpenCL 3.0 and of vendors; their numbers, as not all headers have them. */
enum {
    preferred_multiple = 0x1067, /* CL_DEVICE_PREFERRED_WORK_GROUP_SIZE_MULTIPLE */
    amd_wavefront_width = 0x4043,
    intel_slices = 0x4252,
    intel_subslices_of_slice = 0x4253,
    intel_units_of_subslice = 0x4254,
    intel_threads_of_unit = 0x4255
};

/** Threads that blocks should have a multiple of; 0 where the device does not say. A kernel says, too, but it has to be compiled. */
static int32_t wave_of(reader *r)
{
    const uint64_t preferred = ask_number(r, preferred_multiple);
    const uint64_t wave = preferred > 0 || !has_extension(r, "cl_amd_device_attribute_query")
                              ? preferred
                              : ask_number(r, amd_wavefront_width);
    return wave <= most_block ? (int32_t)wave : 0;
}

/**
 * What a GPU of Intel's calls a compute unit has no local memory: 8 or 16 of them share it. Each holds some hardware threads, of
 * 16 of ours.
 */
static void read_intel(reader *r, gpu_told *told, grkan_device_limits *limits)
{
    enum { threads_of_hardware_thread = 16 };
    if (!has_extension(r, "cl_intel_device_attribute_query"))
        return;
    const uint64_t units = ask_number(r, intel_slices) * ask_number(r, intel_subslices_of_slice);
    const uint64_t hardware_threads = ask_number(r, intel_units_of_subslice) * ask_number(r, intel_threads_of_unit);
    if (units == 0 || units > (uint64_t)limits->compute_units || hardware_threads == 0 || hardware_threads > 256)
        return;
    limits->compute_units = (int32_t)units;
    told->unit_threads = (int32_t)hardware_threads * threads_of_hardware_thread;
}

/** How passes run best, by what the device tells. */
static void read_tunings(reader *r, const grkan_backend_device *device, const grkan_device_properties *properties,
                         grkan_device_limits *limits)
{
    enum { least_elements = 32, least_elements_without_local = 128, least_elements_of_processor = 256 };
    const int is_amd = has_extension(r, "cl_amd_device_attribute_query");
    gpu_told told = {.maker = device->ptx_architecture > 0   ? GPU_NVIDIA
                              : is_amd && properties->is_gpu ? GPU_AMD
                                                             : (gpu_maker)0,
                     .name = properties->name,
                     .wave = properties->wave_width,
                     .is_processor = limits->lanes > 0};
    read_intel(r, &told, limits);
    gpu_set_tunings(&told, limits);
    if (properties->is_gpu && told.wave % 32 == 0)
        limits->block_step = told.wave;
    if (!properties->is_gpu)
        limits->least_elements = least_elements_of_processor;
    else if (read_number(r, CL_DEVICE_LOCAL_MEM_TYPE) == CL_LOCAL)
        limits->least_elements = least_elements;
    else
        limits->least_elements = least_elements_without_local; /* sums meet in global memory */
}

grkan_status opencl_describe(const grkan_backend_device *device, grkan_device_properties *properties,
                             grkan_device_limits *limits)
{
    const int is_nvidia = device->ptx_architecture > 0;
    reader r = {device->id, CL_SUCCESS};
    const int has_f64 = has_extension(&r, "cl_khr_fp64");
    char version[64], driver[48];
    memset(properties, 0, sizeof *properties);
    memset(limits, 0, sizeof *limits);
    opencl_write_selector(device->id, properties->selector, sizeof properties->selector);
    snprintf(properties->backend, sizeof properties->backend, "opencl");
    copy_text(&r, CL_DEVICE_NAME, properties->name, sizeof properties->name);
    copy_text(&r, CL_DEVICE_VERSION, version, sizeof version);
    copy_text(&r, CL_DRIVER_VERSION, driver, sizeof driver);
    snprintf(properties->driver, sizeof properties->driver, "%s, driver %s", version, driver);
    snprintf(properties->architecture, sizeof properties->architecture, "%.60s", properties->name);
    properties->compute_units = (int32_t)read_number(&r, CL_DEVICE_MAX_COMPUTE_UNITS);
    properties->wave_width = wave_of(&r);
    properties->is_gpu = (read_number(&r, CL_DEVICE_TYPE) & CL_DEVICE_TYPE_GPU) != 0;
    properties->dtypes = 1u << GRKAN_F32 | 1u << GRKAN_F16 | 1u << GRKAN_BF16 | (has_f64 ? 1u << GRKAN_F64 : 0u);
    properties->has_atomics = 1; /* of 32-bit integers, in every OpenCL 1.2 */
    properties->is_ieee = keeps_ieee(&r);
    properties->memory_bytes = read_number(&r, CL_DEVICE_GLOBAL_MEM_SIZE);
    /* Of a GPU drivers name the first level, or the sum over all units, not the last level. */
    properties->cache_bytes = properties->is_gpu ? 0 : read_number(&r, CL_DEVICE_GLOBAL_MEM_CACHE_SIZE);
    limits->compute_units = properties->compute_units;
    limits->is_fixed = !properties->is_gpu;
    limits->last_block_reduces = is_nvidia; /* OpenCL 1.2 orders no memory between groups */
    limits->has_async_copies = device->ptx_architecture >= 800;
    limits->exchanges_registers = device->ptx_architecture > 0;
    const int32_t most = most_items(&r);
    limits->max_block = most < most_block ? most : most_block;
    limits->max_row_block = most < most_row_block ? most : most_row_block;
    limits->max_vector_bytes = 16;
    limits->local_bytes = read_number(&r, CL_DEVICE_LOCAL_MEM_SIZE);
    limits->lanes = lanes_of(&r);
    read_tunings(&r, device, properties, limits);
    /* NVIDIA's compiler gets an instruction for it. */
    limits->lacks_f64_atomics = !is_nvidia && !has_extension(&r, "cl_khr_int64_base_atomics");
    return status_of(&r);
}
