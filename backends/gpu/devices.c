/* SPDX-License-Identifier: Apache-2.0 */
/** @file devices.c @brief Devices of CUDA and HIP. */
#include <stdlib.h>
#include <string.h>

#include "calls.h"
#include "tuning.h"

/** Threads of a block: more would leave too few registers to each. And shared memory that a launch asks for: what every GPU since
    sm_70 gives, so that plans are the same on all of them. */
enum { most_block = 512, most_row_block = 1024, most_launch_bytes = 64 << 10 };

static grkan_status no_device(const gpu_calls *c)
{
    const char *const visible = grkan_trusted_environment(VISIBLE_DEVICES);
    const grkan_status status = GRKAN_ERROR_NO_DEVICE;
    vendor_forget_error();
    if (visible != NULL)
        return gpu_host->set_error(status, "no device: %s says %s (%d); the environment's %s is \"%s\"", c->call,
                                   vendor_error_text(c->code), (int)c->code, VISIBLE_DEVICES, visible);
    return gpu_host->set_error(status, "no device: %s says %s (%d)", c->call, vendor_error_text(c->code), (int)c->code);
}

grkan_status runtime_count(const grkan_host *host, int *count)
{
    gpu_host = host;
    *count = 0;
    const grkan_status status = gpu_library_find(&vendor_driver);
    if (status != GRKAN_SUCCESS)
        return status;
    gpu_calls c = calls_begin_anywhere();
    vendor_initialise(&c);
    CALL(&c, cuDeviceGetCount, (count));
    return c.code == CUDA_SUCCESS && *count > 0 ? GRKAN_SUCCESS : no_device(&c);
}

void runtime_libraries(char *text, size_t bytes)
{
    gpu_library_tell(&vendor_driver, text, bytes);
    gpu_library_tell(&vendor_rtc, text, bytes);
}

void runtime_close(grkan_backend_device *device)
{
    runtime_timer_forget(device);
    vendor_close(device);
    free(device);
}

grkan_status runtime_open(int index, grkan_backend_device **device)
{
    grkan_backend_device *made = calloc(1, sizeof *made);
    if (made == NULL)
        return gpu_host->set_error(GRKAN_ERROR_OUT_OF_MEMORY, "no memory for a %s device", BACKEND_NAME);
    gpu_calls c = calls_begin_anywhere();
    made->index = index;
    CALL(&c, cuDeviceGet, (&made->handle, index));
    vendor_open(&c, made);
    const grkan_status status = calls_end(&c);
    if (status != GRKAN_SUCCESS) {
        runtime_close(made);
        return status;
    }
    *device = made;
    return GRKAN_SUCCESS;
}

static grkan_device_limits limits_of(const char *name, int compute_units, int max_block, uint64_t shared_bytes,
                                     int launch_bytes)
{
    const gpu_told told = {.maker = DEVICE_MAKER, .name = name};
    grkan_device_limits limits = {.compute_units = compute_units,
                                  .least_elements = 32,
                                  .max_block = max_block < most_block ? max_block : most_block,
                                  .max_row_block = max_block < most_row_block ? max_block : most_row_block,
                                  .max_vector_bytes = 16,
                                  .last_block_reduces = 1,
                                  .has_async_copies = HAS_ASYNC_COPIES,
                                  .exchanges_registers = 1,
                                  .local_bytes = shared_bytes,
                                  .launch_local_bytes =
                                      (uint64_t)(launch_bytes < most_launch_bytes ? launch_bytes : most_launch_bytes)};
    gpu_set_tunings(&told, &limits);
    return limits;
}

/** Whatever the architecture: the vendor's compiler is the one to know its names. */
grkan_status runtime_assume(const char *architecture, grkan_device_limits *limits)
{
    (void)architecture;
    *limits = limits_of("", 1, most_row_block, vendor_shared_bytes, most_launch_bytes);
    return GRKAN_SUCCESS;
}

static int attribute(gpu_calls *c, const grkan_backend_device *device, CUdevice_attribute which)
{
    int value = 0;
    CALL(c, cuDeviceGetAttribute, (&value, which, device->handle));
    return value;
}

grkan_status runtime_describe(const grkan_backend_device *device, grkan_device_properties *properties,
                              grkan_device_limits *limits)
{
    size_t memory_bytes = 0;
    grkan_device_properties p = {.backend = BACKEND_NAME,
                                 .is_gpu = 1,
                                 .dtypes = 1u << GRKAN_F32 | 1u << GRKAN_F16 | 1u << GRKAN_BF16 | 1u << GRKAN_F64,
                                 .has_atomics = 1,
                                 .is_ieee = 1};
    gpu_calls c = calls_begin_anywhere();
    p.compute_units = attribute(&c, device, CU_DEVICE_ATTRIBUTE_MULTIPROCESSOR_COUNT);
    p.wave_width = attribute(&c, device, CU_DEVICE_ATTRIBUTE_WARP_SIZE);
    p.cache_bytes = (uint64_t)attribute(&c, device, CU_DEVICE_ATTRIBUTE_L2_CACHE_SIZE);
    const int most_threads = attribute(&c, device, CU_DEVICE_ATTRIBUTE_MAX_THREADS_PER_BLOCK);
    const int shared_bytes = attribute(&c, device, CU_DEVICE_ATTRIBUTE_MAX_SHARED_MEMORY_PER_BLOCK);
    const int launch_bytes = attribute(&c, device, CU_DEVICE_ATTRIBUTE_MAX_SHARED_MEMORY_PER_BLOCK_OPTIN);
    CALL(&c, cuDeviceTotalMem, (&memory_bytes, device->handle));
    CALL(&c, cuDeviceGetName, (p.name, (int)sizeof p.name, device->handle));
    vendor_architecture(&c, device, p.architecture, sizeof p.architecture);
    const grkan_status status = calls_end(&c);
    if (status != GRKAN_SUCCESS)
        return status;
    p.memory_bytes = memory_bytes;
    snprintf(p.selector, sizeof p.selector, "%s:%d", BACKEND_NAME, device->index);
    snprintf(p.driver, sizeof p.driver, "driver %s", vendor_driver.version);
    *properties = p;
    *limits = limits_of(p.name, p.compute_units, most_threads, (uint64_t)shared_bytes, launch_bytes);
    return GRKAN_SUCCESS;
}

/** What a compiler that is not there would have made is in no cache. */
const char *runtime_identity(const grkan_backend_device *device)
{
    (void)device;
    return gpu_library_find(&vendor_rtc) == GRKAN_SUCCESS ? vendor_identity() : "";
}
