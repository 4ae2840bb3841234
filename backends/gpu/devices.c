/* SPDX-License-Identifier: Apache-2.0 */
/** @file devices.c @brief Devices of CUDA and HIP. */
#include <stdlib.h>

#include "calls.h"

static int device_total;
static char identity[256];

/** Threads of a block: more would leave too few registers to each. */
enum { most_block = 512 };

grkan_status runtime_count(const grkan_host *host, int *count)
{
    gpu_host = host;
    vendor_identity(identity, sizeof identity);
    (void)rt(GetLastError)(); /* versions that could not be had are no error of the caller's */
    const rt(Error_t) code = rt(GetDeviceCount)(&device_total);
    if (code != rt(Success) || device_total == 0) {
        device_total = 0;
        (void)rt(GetLastError)();
        return host->set_error(GRKAN_ERROR_NO_DEVICE, "no device: %sGetDeviceCount says %s (%d)", rt_string(""),
                               rt(GetErrorString)(code), (int)code);
    }
    *count = device_total;
    return vendor_start();
}

void runtime_close(grkan_backend_device *device)
{
    if (device->start != NULL)
        calls_forget(rt(EventDestroy)(device->start));
    if (device->stop != NULL)
        calls_forget(rt(EventDestroy)(device->stop));
    free(device);
}

grkan_status runtime_open(int index, grkan_backend_device **device)
{
    grkan_backend_device *made = calloc(1, sizeof *made);
    if (made == NULL)
        return gpu_host->set_error(GRKAN_ERROR_OUT_OF_MEMORY, "no memory for a %s device", BACKEND_NAME);
    made->index = index;
    gpu_calls c = calls_begin(index);
    NAMED_CALL(&c, rt_string("DeviceGetAttribute"), vendor_starts_early(index, &made->starts_early));
    CALL(&c, EventCreate, (&made->start));
    CALL(&c, EventCreate, (&made->stop));
    const grkan_status status = calls_end(&c);
    if (status != GRKAN_SUCCESS) {
        runtime_close(made);
        return status;
    }
    *device = made;
    return GRKAN_SUCCESS;
}

static grkan_device_limits limits_of(int compute_units, int max_block, uint64_t shared_bytes)
{
    return (grkan_device_limits){.compute_units = compute_units,
                                 .tune = device_tune,
                                 .least_elements = 32,
                                 .max_block = max_block < most_block ? max_block : most_block,
                                 .max_vector_bytes = 16,
                                 .last_block_reduces = 1,
                                 .has_async_copies = HAS_ASYNC_COPIES,
                                 .local_bytes = shared_bytes};
}

/** Whatever the architecture: the vendor's compiler is the one to know its names. */
grkan_status runtime_assume(const char *architecture, grkan_device_limits *limits)
{
    (void)architecture;
    *limits = limits_of(1, most_block, vendor_shared_bytes);
    return GRKAN_SUCCESS;
}

grkan_status runtime_describe(const grkan_backend_device *device, grkan_device_properties *properties,
                              grkan_device_limits *limits)
{
    gpu_device_properties p;
    int driver = 0, runtime = 0;
    gpu_calls c = calls_begin(device->index);
    CALL(&c, GetDeviceProperties, (&p, device->index));
    CALL(&c, DriverGetVersion, (&driver));
    CALL(&c, RuntimeGetVersion, (&runtime));
    const grkan_status status = calls_end(&c);
    if (status != GRKAN_SUCCESS)
        return status;
    *properties =
        (grkan_device_properties){.backend = BACKEND_NAME,
                                  .compute_units = p.multiProcessorCount,
                                  .wave_width = p.warpSize,
                                  .is_gpu = 1,
                                  .dtypes = 1u << GRKAN_F32 | 1u << GRKAN_F16 | 1u << GRKAN_BF16 | 1u << GRKAN_F64,
                                  .has_atomics = 1,
                                  .is_ieee = 1,
                                  .memory_bytes = p.totalGlobalMem,
                                  .cache_bytes = (uint64_t)p.l2CacheSize};
    snprintf(properties->selector, sizeof properties->selector, "%s:%d", BACKEND_NAME, device->index);
    snprintf(properties->name, sizeof properties->name, "%.*s", (int)sizeof properties->name - 1, p.name);
    snprintf(properties->driver, sizeof properties->driver, "driver %d, runtime %d", driver, runtime);
    architecture_of(&p, properties->architecture, sizeof properties->architecture);
    *limits = limits_of(p.multiProcessorCount, p.maxThreadsPerBlock, p.sharedMemPerBlock);
    return GRKAN_SUCCESS;
}

const char *runtime_identity(const grkan_backend_device *device)
{
    (void)device;
    return identity;
}
