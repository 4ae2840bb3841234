/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The functions of CUDA's driver that grkan calls, as they are since CUDA 12.0: FUNCTION(result, name, arguments). Those
 * of later versions, without which it can do, are OPTIONAL. Each file that makes something of the list defines these
 * words and includes it; it has no guard.
 */
#ifndef OPTIONAL
#define OPTIONAL FUNCTION
#endif

FUNCTION(CUresult, cuInit, (unsigned int flags))
FUNCTION(CUresult, cuDriverGetVersion, (int *version))
FUNCTION(CUresult, cuGetErrorString, (CUresult code, const char **text))

FUNCTION(CUresult, cuDeviceGetCount, (int *count))
FUNCTION(CUresult, cuDeviceGet, (CUdevice * device, int index))
FUNCTION(CUresult, cuDeviceGetName, (char *name, int bytes, CUdevice device))
FUNCTION(CUresult, cuDeviceGetAttribute, (int *value, CUdevice_attribute attribute, CUdevice device))
FUNCTION(CUresult, cuDeviceTotalMem, (size_t *bytes, CUdevice device))

FUNCTION(CUresult, cuDevicePrimaryCtxRetain, (CUcontext * context, CUdevice device))
FUNCTION(CUresult, cuDevicePrimaryCtxRelease, (CUdevice device))
FUNCTION(CUresult, cuCtxGetCurrent, (CUcontext * context))
FUNCTION(CUresult, cuCtxGetDevice, (CUdevice * device))
FUNCTION(CUresult, cuCtxPushCurrent, (CUcontext context))
FUNCTION(CUresult, cuCtxPopCurrent, (CUcontext * context))

FUNCTION(CUresult, cuLibraryLoadData,
         (CUlibrary * library, const void *code, CUjit_option *jit_options, void **jit_values, unsigned int jit_count,
          CUlibraryOption *options, void **values, unsigned int count))
FUNCTION(CUresult, cuLibraryUnload, (CUlibrary library))
FUNCTION(CUresult, cuLibraryGetKernel, (CUkernel * kernel, CUlibrary library, const char *name))
FUNCTION(CUresult, cuKernelGetFunction, (CUfunction * function, CUkernel kernel))
FUNCTION(CUresult, cuFuncGetAttribute, (int *value, CUfunction_attribute attribute, CUfunction function))
FUNCTION(CUresult, cuKernelSetAttribute, (CUfunction_attribute attribute, int value, CUkernel kernel, CUdevice device))
OPTIONAL(CUresult, cuFuncLoad, (CUfunction function)) /* since CUDA 12.4 */
FUNCTION(CUresult, cuLaunchKernelEx,
         (const CUlaunchConfig *launch, CUfunction function, void **arguments, void **extra))

FUNCTION(CUresult, cuMemAlloc, (CUdeviceptr * base, size_t bytes))
FUNCTION(CUresult, cuMemFree, (CUdeviceptr base))
FUNCTION(CUresult, cuMemcpyHtoD, (CUdeviceptr to, const void *from, size_t bytes))
FUNCTION(CUresult, cuMemcpyDtoH, (void *to, CUdeviceptr from, size_t bytes))
FUNCTION(CUresult, cuMemcpyDtoDAsync, (CUdeviceptr to, CUdeviceptr from, size_t bytes, CUstream stream))

FUNCTION(CUresult, cuStreamSynchronize, (CUstream stream))
FUNCTION(CUresult, cuStreamIsCapturing, (CUstream stream, CUstreamCaptureStatus *status))
FUNCTION(CUresult, cuEventCreate, (CUevent * event, unsigned int flags))
FUNCTION(CUresult, cuEventDestroy, (CUevent event))
FUNCTION(CUresult, cuEventRecord, (CUevent event, CUstream stream))
FUNCTION(CUresult, cuEventSynchronize, (CUevent event))
FUNCTION(CUresult, cuEventElapsedTime, (float *milliseconds, CUevent start, CUevent stop))

#undef FUNCTION
#undef OPTIONAL
