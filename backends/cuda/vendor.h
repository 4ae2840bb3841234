/* SPDX-License-Identifier: Apache-2.0 */
/** @file vendor.h @brief What gpu/ calls in CUDA: the runtime's, the driver's and NVRTC's names. */
#ifndef GRKAN_VENDOR_H
#define GRKAN_VENDOR_H

#include <cuda.h>
#include <cuda_runtime_api.h>
#include <nvrtc.h>
#include <stdio.h>

#include "../gpu/tuning.h"

#define BACKEND_NAME "cuda"

/** rt(Malloc) is cudaMalloc. */
#define rt(name) cuda##name
#define rt_string(name) "cuda" name
typedef struct cudaDeviceProp gpu_device_properties;

/** rtc(Version) is nvrtcVersion. */
#define rtc(name) nvrtc##name
#define rtc_string(name) "nvrtc" name
#define rtc_success NVRTC_SUCCESS
#define rtc_code "GetCUBIN"
#define rtc_get_code nvrtcGetCUBIN
#define rtc_get_code_size nvrtcGetCUBINSize

typedef CUmodule gpu_native_module;
typedef CUfunction gpu_native_kernel;

/** The driver's functions; found through the runtime, so that the module loads where no driver is. */
extern struct cuda_driver {
    CUresult (*ModuleLoadData)(CUmodule *module, const void *image);
    CUresult (*ModuleUnload)(CUmodule module);
    CUresult (*ModuleGetFunction)(CUfunction *kernel, CUmodule module, const char *name);
    CUresult (*LaunchKernelEx)(const CUlaunchConfig *launch, CUfunction kernel, void **arguments, void **extra);
} cuda_driver;

#define module_string(name) "cu" name
#define module_launch_string "cuLaunchKernelEx"

/** Codes of driver and runtime have been the same numbers since CUDA 11. */
#define module_load(module, image) ((cudaError_t)cuda_driver.ModuleLoadData(module, image))
#define module_unload(module) ((cudaError_t)cuda_driver.ModuleUnload(module))
#define module_kernel(kernel, module, name) ((cudaError_t)cuda_driver.ModuleGetFunction(kernel, module, name))

static inline cudaError_t module_launch(CUfunction kernel, unsigned int grid, unsigned int block, CUstream stream,
                                        int starts_early, void **arguments)
{
    CUlaunchAttribute overlap = {.id = CU_LAUNCH_ATTRIBUTE_PROGRAMMATIC_STREAM_SERIALIZATION,
                                 .value = {.programmaticStreamSerializationAllowed = 1}};
    const CUlaunchConfig launch = {.gridDimX = grid,
                                   .gridDimY = 1,
                                   .gridDimZ = 1,
                                   .blockDimX = block,
                                   .blockDimY = 1,
                                   .blockDimZ = 1,
                                   .hStream = stream,
                                   .attrs = &overlap,
                                   .numAttrs = starts_early ? 1 : 0};
    return (cudaError_t)cuda_driver.LaunchKernelEx(&launch, kernel, arguments, NULL);
}

/** Blocks of one launch. */
#define LARGEST_GRID INT32_MAX

/** Memory is copied to shared memory asynchronously, on architectures before sm_80 by a thread itself. */
#define HAS_ASYNC_COPIES 1
#define device_tune gpu_tune_nvidia

static inline void architecture_of(const gpu_device_properties *p, char *text, size_t bytes)
{
    snprintf(text, bytes, "sm_%d%d", p->major, p->minor);
}

#endif
