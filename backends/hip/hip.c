/* SPDX-License-Identifier: Apache-2.0 */
/** @file hip.c @brief HIP's runtime: where it is found, the current device, code and launches. */
#include "hip.h"

#include "../gpu/calls.h"

gpu_driver driver;
const uint64_t vendor_shared_bytes = 64 << 10;

/* ----------------------------------------------------------------------------------------------------- finding it */

#define FUNCTION(result, name, arguments) {#name, offsetof(gpu_driver, name), 0},
#define OPTIONAL(result, name, arguments) {#name, offsetof(gpu_driver, name), 1},
static const gpu_function functions[] = {
#include "hip_functions.h"
};

const char *vendor_error_text(hipError_t code)
{
    const char *const text = driver.hipGetErrorString(code);
    return text != NULL ? text : "unknown error";
}

void vendor_forget_error(void)
{
    (void)driver.hipGetLastError();
}

static int take_hip(grkan_library *handle, char *version, size_t bytes, gpu_refusal *refusal)
{
    int number = 0;
    if (!gpu_functions_find(gpu_library_symbol, handle, functions, sizeof functions / sizeof functions[0], &driver,
                            refusal))
        return 0;
    const hipError_t code = driver.hipRuntimeGetVersion(&number);
    const int major = number / 10000000, minor = number / 100000 % 100;
    snprintf(version, bytes, "%d.%d", major, minor);
    if (code != hipSuccess) {
        snprintf(refusal->words, sizeof refusal->words, "hipRuntimeGetVersion failed: %s (%d)", vendor_error_text(code),
                 (int)code);
        vendor_forget_error();
    } else if (major < 5) {
        snprintf(refusal->words, sizeof refusal->words, "it is of HIP %s", version);
    }
    return code == hipSuccess && major >= 5;
}

const char *const hip_homes[] = {"ROCM_PATH", "HIP_PATH", NULL};
const char *const hip_home_folders[] = {GRKAN_OF_SYSTEM("/lib", "/bin"), NULL};
const char *const hip_folders[] = {"/opt/rocm/lib", NULL};

static const gpu_library_search search_hip = {
    .label = "HIP runtime",
    .stem = GRKAN_OF_SYSTEM("libamdhip64", "amdhip64"),
    .files = (const char *const[]){GRKAN_OF_SYSTEM("libamdhip64.so.7", "amdhip64_7.dll"),
                                   GRKAN_OF_SYSTEM("libamdhip64.so.6", "amdhip64_6.dll"),
                                   GRKAN_OF_SYSTEM("libamdhip64.so.5", "amdhip64_5.dll"),
                                   GRKAN_OF_SYSTEM("libamdhip64.so", "amdhip64.dll"), NULL},
    .symbol = "hipGetDeviceCount",
    .homes = hip_homes,
    .home_folders = hip_home_folders,
    .folders = hip_folders,
    .is_single = 1,
    .status = GRKAN_ERROR_NO_DEVICE,
    .advice = "install ROCm 5 or later, or PyTorch for ROCm",
    .take = take_hip,
};

gpu_library vendor_driver = {.search = &search_hip, .lock = GRKAN_LOCK_INIT};

/* --------------------------------------------------------------------------------------------- the current device */

/** HIP initialises itself, and tells more of why it cannot when it is asked for devices. */
void vendor_initialise(gpu_calls *c)
{
    (void)c;
}

void vendor_open(gpu_calls *c, grkan_backend_device *device)
{
    (void)c, (void)device;
}

void vendor_close(grkan_backend_device *device)
{
    (void)device;
}

void vendor_enter(gpu_calls *c, const grkan_backend_device *device)
{
    CALL(c, hipGetDevice, (&c->before));
    if (c->code != hipSuccess || c->before == device->index)
        return;
    CALL(c, hipSetDevice, (device->index));
    c->is_changed = c->code == hipSuccess;
}

void vendor_leave(gpu_calls *c)
{
    LAST_CALL(c, hipSetDevice, (c->before));
}

/* ----------------------------------------------------------------------------------------------- code and launches */

void vendor_load_code(gpu_calls *c, const void *code, hipModule_t *module)
{
    CALL(c, hipModuleLoadData, (module, code));
}

/** Never called: a block has all memory that there is without being asked. */
void vendor_allow(gpu_calls *c, const grkan_backend_device *device, gpu_native_kernel *kernel, int local_bytes)
{
    (void)c, (void)device, (void)kernel, (void)local_bytes;
}

/** Never called: it is loaded with its module. */
void vendor_prepare_kernel(gpu_calls *c, gpu_native_kernel *kernel)
{
    (void)c, (void)kernel;
}

void vendor_launch(gpu_calls *c, const grkan_backend_device *device, gpu_native_kernel *kernel,
                   const grkan_kernel_launch *launch, hipStream_t stream, void **arguments)
{
    (void)device;
    CALL(c, hipModuleLaunchKernel,
         (kernel->kernel, (unsigned int)launch->blocks, 1, 1, (unsigned int)launch->block, 1, 1,
          (unsigned int)launch->local_bytes, stream, arguments, NULL));
}

/** With its features, as "gfx90a:sramecc+:xnack-": code for other settings does not load. */
void vendor_architecture(gpu_calls *c, const grkan_backend_device *device, char *text, size_t bytes)
{
    _Alignas(16) char properties[hip_properties_bytes] = "";
    const int is_6 = driver.hipGetDevicePropertiesR0600 != NULL;
    if (is_6)
        CALL(c, hipGetDevicePropertiesR0600, ((hipDeviceProp_t *)(void *)properties, device->index));
    else
        CALL(c, hipGetDeviceProperties, ((hipDeviceProp_t *)(void *)properties, device->index));
    const char *const name = properties + (is_6 ? hip_architecture_offset_6 : hip_architecture_offset);
    snprintf(text, bytes, "%.*s", (int)bytes - 1, name);
}
