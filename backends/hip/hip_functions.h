/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The functions of HIP's runtime that grkan calls, as they are since ROCm 5: FUNCTION(result, name, arguments). Those
 * of later versions, without which it can do, are OPTIONAL. Each file that makes something of the list defines these
 * words and includes it; it has no guard.
 */
#ifndef OPTIONAL
#define OPTIONAL FUNCTION
#endif

FUNCTION(hipError_t, hipRuntimeGetVersion, (int *version))
FUNCTION(const char *, hipGetErrorString, (hipError_t code))
FUNCTION(hipError_t, hipGetLastError, (void))

FUNCTION(hipError_t, hipGetDeviceCount, (int *count))
FUNCTION(hipError_t, hipDeviceGet, (hipDevice_t * device, int index))
FUNCTION(hipError_t, hipDeviceGetName, (char *name, int bytes, hipDevice_t device))
FUNCTION(hipError_t, hipDeviceGetAttribute, (int *value, hipDeviceAttribute_t attribute, int device))
FUNCTION(hipError_t, hipDeviceTotalMem, (size_t *bytes, hipDevice_t device))
FUNCTION(hipError_t, hipGetDeviceProperties, (hipDeviceProp_t * properties, int device))
OPTIONAL(hipError_t, hipGetDevicePropertiesR0600, (hipDeviceProp_t * properties, int device)) /* since ROCm 6 */
FUNCTION(hipError_t, hipGetDevice, (int *device))
FUNCTION(hipError_t, hipSetDevice, (int device))

FUNCTION(hipError_t, hipModuleLoadData, (hipModule_t * module, const void *code))
FUNCTION(hipError_t, hipModuleUnload, (hipModule_t module))
FUNCTION(hipError_t, hipModuleGetFunction, (hipFunction_t * function, hipModule_t module, const char *name))
FUNCTION(hipError_t, hipModuleLaunchKernel,
         (hipFunction_t function, unsigned int grid_x, unsigned int grid_y, unsigned int grid_z, unsigned int block_x,
          unsigned int block_y, unsigned int block_z, unsigned int shared_bytes, hipStream_t stream, void **arguments,
          void **extra))

FUNCTION(hipError_t, hipMalloc, (void **base, size_t bytes))
FUNCTION(hipError_t, hipFree, (void *base))
FUNCTION(hipError_t, hipMemcpyHtoD, (hipDeviceptr_t to, void *from, size_t bytes))
FUNCTION(hipError_t, hipMemcpyDtoH, (void *to, hipDeviceptr_t from, size_t bytes))
FUNCTION(hipError_t, hipMemcpyDtoDAsync, (hipDeviceptr_t to, hipDeviceptr_t from, size_t bytes, hipStream_t stream))

FUNCTION(hipError_t, hipStreamSynchronize, (hipStream_t stream))
FUNCTION(hipError_t, hipEventCreateWithFlags, (hipEvent_t * event, unsigned int flags))
FUNCTION(hipError_t, hipEventDestroy, (hipEvent_t event))
FUNCTION(hipError_t, hipEventRecord, (hipEvent_t event, hipStream_t stream))
FUNCTION(hipError_t, hipEventSynchronize, (hipEvent_t event))
FUNCTION(hipError_t, hipEventElapsedTime, (float *milliseconds, hipEvent_t start, hipEvent_t stop))

#undef FUNCTION
#undef OPTIONAL
