/* SPDX-License-Identifier: Apache-2.0 */
/** @file vendor.h @brief What gpu/ calls in HIP. */
#ifndef GRKAN_VENDOR_H
#define GRKAN_VENDOR_H

/* With ROCm 6, hipDeviceProp_t and hipGetDeviceProperties became macros for a longer struct and the call that fills
   it; they are used by these names only, so the header decides. */
#include <hip/hip_runtime_api.h>
#include <hip/hiprtc.h>
#include <stdio.h>

#include "../gpu/tuning.h"

#define BACKEND_NAME "hip"

/** rt(Malloc) is hipMalloc. */
#define rt(name) hip##name
#define rt_string(name) "hip" name
typedef hipDeviceProp_t gpu_device_properties;

/** rtc(Version) is hiprtcVersion. */
#define rtc(name) hiprtc##name
#define rtc_string(name) "hiprtc" name
#define rtc_success HIPRTC_SUCCESS
#define rtc_code "GetCode"
#define rtc_get_code hiprtcGetCode
#define rtc_get_code_size hiprtcGetCodeSize

typedef hipModule_t gpu_native_module;
typedef hipFunction_t gpu_native_kernel;
#define module_string(name) "hip" name
#define module_launch_string "hipModuleLaunchKernel"
#define module_load(module, image) hipModuleLoadData(module, image)
#define module_unload(module) hipModuleUnload(module)
#define module_kernel(kernel, module, name) hipModuleGetFunction(kernel, module, name)
#define module_launch(kernel, grid, block, stream, starts_early, arguments)                                            \
    hipModuleLaunchKernel(kernel, grid, 1, 1, block, 1, 1, 0, stream, arguments, NULL)

/** Blocks of one launch: their threads, at most 512 each, are counted in 32 bits. A test may have fewer. */
#ifndef LARGEST_GRID
#define LARGEST_GRID (UINT32_MAX / 512)
#endif

#define HAS_ASYNC_COPIES 0
#define device_tune gpu_tune_amd

/** With its features, as "gfx90a:sramecc+:xnack-": code for other settings does not load. */
static inline void architecture_of(const gpu_device_properties *p, char *text, size_t bytes)
{
    snprintf(text, bytes, "%.*s", (int)bytes - 1, p->gcnArchName);
}

#endif
