/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a program of the tests calls of CUDA's driver by itself, by the names that the library exports: see
 * backends/cuda/driver_functions.h.
 */
FUNCTION(CUresult, cuInit, (unsigned int flags))
FUNCTION(CUresult, cuDeviceGet, (CUdevice * device, int index))
FUNCTION(CUresult, cuCtxCreate_v2, (CUcontext * context, unsigned int flags, CUdevice device))
FUNCTION(CUresult, cuCtxDestroy_v2, (CUcontext context))
FUNCTION(CUresult, cuDevicePrimaryCtxRetain, (CUcontext * context, CUdevice device))
FUNCTION(CUresult, cuDevicePrimaryCtxRelease_v2, (CUdevice device))
FUNCTION(CUresult, cuCtxGetCurrent, (CUcontext * context))
FUNCTION(CUresult, cuCtxPushCurrent_v2, (CUcontext context))
FUNCTION(CUresult, cuCtxPopCurrent_v2, (CUcontext * context))
FUNCTION(CUresult, cuStreamCreate, (CUstream * stream, unsigned int flags))
FUNCTION(CUresult, cuStreamDestroy_v2, (CUstream stream))
FUNCTION(CUresult, cuStreamSynchronize, (CUstream stream))
FUNCTION(CUresult, cuStreamBeginCapture_v2, (CUstream stream, CUstreamCaptureMode mode))
FUNCTION(CUresult, cuStreamEndCapture, (CUstream stream, CUgraph *graph))
FUNCTION(CUresult, cuGraphInstantiateWithFlags, (CUgraphExec * executable, CUgraph graph, unsigned long long flags))
FUNCTION(CUresult, cuGraphLaunch, (CUgraphExec executable, CUstream stream))
FUNCTION(CUresult, cuGraphExecDestroy, (CUgraphExec executable))
FUNCTION(CUresult, cuGraphDestroy, (CUgraph graph))

#undef FUNCTION
