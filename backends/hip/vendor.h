/* SPDX-License-Identifier: Apache-2.0 */
/** @file vendor.h @brief What gpu/ calls, in HIP: the meaning of the CUDA names that it is written in. */
#ifndef GRKAN_VENDOR_H
#define GRKAN_VENDOR_H

#include "../gpu/tuning.h"
#include "hip_types.h"

#define BACKEND_NAME "hip"

/** The runtime's functions; set once devices are counted. */
typedef struct gpu_driver {
#define FUNCTION(result, name, arguments) result(*name) arguments;
#include "hip_functions.h"
} gpu_driver;

/** The compiler's functions; set once it is found. */
typedef struct gpu_rtc {
#define FUNCTION(result, name, arguments) result(*name) arguments;
#include "hiprtc_functions.h"
} gpu_rtc;

/* Types and numbers. */
#define CUdevice hipDevice_t
#define CUdeviceptr hipDeviceptr_t
#define CUstream hipStream_t
#define CUevent hipEvent_t
#define CUlibrary hipModule_t
#define CUresult hipError_t
#define CUDA_SUCCESS hipSuccess
#define CUDA_ERROR_OUT_OF_MEMORY hipErrorOutOfMemory
#define CUdevice_attribute hipDeviceAttribute_t
#define CU_DEVICE_ATTRIBUTE_MAX_THREADS_PER_BLOCK hipDeviceAttributeMaxThreadsPerBlock
#define CU_DEVICE_ATTRIBUTE_MAX_SHARED_MEMORY_PER_BLOCK hipDeviceAttributeMaxSharedMemoryPerBlock
/* Whatever a launch asks for. */
#define CU_DEVICE_ATTRIBUTE_MAX_SHARED_MEMORY_PER_BLOCK_OPTIN hipDeviceAttributeMaxSharedMemoryPerBlock
#define CU_DEVICE_ATTRIBUTE_WARP_SIZE hipDeviceAttributeWarpSize
#define CU_DEVICE_ATTRIBUTE_MULTIPROCESSOR_COUNT hipDeviceAttributeMultiprocessorCount
#define CU_DEVICE_ATTRIBUTE_L2_CACHE_SIZE hipDeviceAttributeL2CacheSize

/* Functions. */
#define cuDeviceGetCount hipGetDeviceCount
#define cuDeviceGet hipDeviceGet
#define cuDeviceGetName hipDeviceGetName
#define cuDeviceGetAttribute hipDeviceGetAttribute
#define cuDeviceTotalMem hipDeviceTotalMem
#define cuLibraryUnload hipModuleUnload
#define cuLibraryGetKernel hipModuleGetFunction
#define cuMemAlloc hipMalloc
#define cuMemFree hipFree
#define cuMemcpyHtoD hipMemcpyHtoD
#define cuMemcpyDtoH hipMemcpyDtoH
#define cuMemcpyDtoDAsync hipMemcpyDtoDAsync
#define cuStreamSynchronize hipStreamSynchronize
#define cuEventCreate hipEventCreateWithFlags
#define cuEventDestroy hipEventDestroy
#define cuEventRecord hipEventRecord
#define cuEventSynchronize hipEventSynchronize
#define cuEventElapsedTime hipEventElapsedTime

/* The compiler: it makes code in one form. */
#define nvrtcProgram hiprtcProgram
#define nvrtcResult hiprtcResult
#define NVRTC_SUCCESS HIPRTC_SUCCESS
#define nvrtcGetErrorString hiprtcGetErrorString
#define nvrtcCreateProgram hiprtcCreateProgram
#define nvrtcCompileProgram hiprtcCompileProgram
#define nvrtcDestroyProgram hiprtcDestroyProgram
#define nvrtcGetProgramLogSize hiprtcGetProgramLogSize
#define nvrtcGetProgramLog hiprtcGetProgramLog
#define nvrtcGetCUBINSize hiprtcGetCodeSize
#define nvrtcGetCUBIN hiprtcGetCode
#define nvrtcGetPTXSize hiprtcGetCodeSize
#define nvrtcGetPTX hiprtcGetCode

/** A kernel. */
typedef struct gpu_native_kernel {
    hipFunction_t kernel;
} gpu_native_kernel;

/** The environment's list of the devices that a process may see. */
#define VISIBLE_DEVICES "HIP_VISIBLE_DEVICES"

/** Blocks of one launch: their threads, at most 512 each, are counted in 32 bits. A test may have fewer. */
#ifndef LARGEST_GRID
#define LARGEST_GRID (UINT32_MAX / 512)
#endif

#define LOADS_LATE 0
#define HAS_ASYNC_COPIES 0
#define DEVICE_MAKER GPU_AMD

#endif
