/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file context.c
 * @brief CUDA's contexts: the caller's own if it is of the device, else the device's primary one; code and launches.
 *
 * A library (cuLibraryLoadData) belongs to no context: a launch takes the one at hand, and the driver loads a kernel
 * into it at its first launch there, unless it was loaded before.
 */
#include <string.h>

#include "../gpu/calls.h"
#include "cuda.h"

const uint64_t vendor_shared_bytes = 48 << 10;

/* ------------------------------------------------------------------------------------------------------- contexts */

void vendor_initialise(gpu_calls *c)
{
    CALL(c, cuInit, (0));
}

/** Since sm_90 a kernel may begin early. */
static void find_early_start(gpu_calls *c, grkan_backend_device *device)
{
    int major = 0;
    CALL(c, cuDeviceGetAttribute, (&major, CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR, device->handle));
    device->starts_early = major >= 9;
}

void vendor_open(gpu_calls *c, grkan_backend_device *device)
{
    CUcontext primary = NULL;
    CALL(c, cuDevicePrimaryCtxRetain, (&primary, device->handle));
    device->primary = primary;
    find_early_start(c, device);
}

void vendor_close(grkan_backend_device *device)
{
    if (device->primary != NULL)
        (void)driver.cuDevicePrimaryCtxRelease(device->handle);
}

/** The caller's own context; not the primary one, which is known without a question. */
static int is_of(CUcontext context, const grkan_backend_device *device)
{
    CUdevice its_device = -1;
    return context != NULL && driver.cuCtxGetDevice(&its_device) == CUDA_SUCCESS && its_device == device->handle;
}

void vendor_enter(gpu_calls *c, const grkan_backend_device *device)
{
    CUcontext current = NULL;
    CALL(c, cuCtxGetCurrent, (&current));
    c->is_primary = current == device->primary;
    if (c->is_primary || is_of(current, device))
        return;
    CALL(c, cuCtxPushCurrent, (device->primary));
    c->is_changed = c->is_primary = c->code == CUDA_SUCCESS;
}

void vendor_leave(gpu_calls *c)
{
    CUcontext ours;
    LAST_CALL(c, cuCtxPopCurrent, (&ours));
}

/* ------------------------------------------------------------------------------------------- code and launches */

void vendor_load_code(gpu_calls *c, const void *code, CUlibrary *library)
{
    /* PTX, which the driver assembles, as nvrtc.c has the machine code assembled. */
    const unsigned int is_ptx = memcmp(code, "\177ELF", 4) != 0;
    CUjit_option option = CU_JIT_OPTIMIZATION_LEVEL;
    void *level = (void *)(uintptr_t)1;
    CALL(c, cuLibraryLoadData, (library, code, &option, &level, is_ptx, NULL, NULL, 0));
}

/** For all contexts of the device, whatever is loaded there. */
void vendor_allow(gpu_calls *c, const grkan_backend_device *device, gpu_native_kernel *kernel, int local_bytes)
{
    CALL(c, cuKernelSetAttribute,
         (CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES, local_bytes, kernel->kernel, device->handle));
}

/** By a question about it where nothing else loads a kernel. The primary context stays as long as the device is open. */
void vendor_prepare_kernel(gpu_calls *c, gpu_native_kernel *kernel)
{
    CUfunction function = NULL;
    int registers;
    CALL(c, cuKernelGetFunction, (&function, kernel->kernel));
    if (driver.cuFuncLoad != NULL)
        CALL(c, cuFuncLoad, (function));
    else
        CALL(c, cuFuncGetAttribute, (&registers, CU_FUNC_ATTRIBUTE_NUM_REGS, function));
    if (c->is_primary && c->code == CUDA_SUCCESS)
        kernel->in_primary = function;
}

/** Whether what a stream gets becomes a node of a graph. The default stream's cannot, and may not be asked. */
static int is_captured(CUstream stream)
{
    CUstreamCaptureStatus status = CU_STREAM_CAPTURE_STATUS_NONE;
    return stream != NULL && driver.cuStreamIsCapturing(stream, &status) == CUDA_SUCCESS &&
           status == CU_STREAM_CAPTURE_STATUS_ACTIVE;
}

/* A graph's nodes follow each other faster without the attribute: with it, each of the 24 launches of a KAT-B's answer to one image
   took 0.7 us more (H200). */
void vendor_launch(gpu_calls *c, const grkan_backend_device *device, gpu_native_kernel *kernel,
                   const grkan_kernel_launch *launch, CUstream stream, void **arguments)
{
    /* A library's kernel goes to the stream's context, which may be another one where the caller's thread has none. */
    CUfunction function = c->is_primary && (stream == NULL || !c->is_changed) ? kernel->in_primary : NULL;
    if (function == NULL)
        function = (CUfunction)kernel->kernel;
    CUlaunchAttribute early = {.id = CU_LAUNCH_ATTRIBUTE_PROGRAMMATIC_STREAM_SERIALIZATION,
                               .value = {.programmaticStreamSerializationAllowed = 1}};
    const CUlaunchConfig config = {.gridDimX = (unsigned int)launch->blocks,
                                   .gridDimY = 1,
                                   .gridDimZ = 1,
                                   .blockDimX = (unsigned int)launch->block,
                                   .blockDimY = 1,
                                   .blockDimZ = 1,
                                   .sharedMemBytes = (unsigned int)launch->local_bytes,
                                   .hStream = stream,
                                   .attrs = &early,
                                   .numAttrs = device->starts_early && !is_captured(stream) ? 1 : 0};
    CALL(c, cuLaunchKernelEx, (&config, function, arguments, NULL));
}

/* --------------------------------------------------------------------------------------------------- architectures */

void vendor_architecture(gpu_calls *c, const grkan_backend_device *device, char *text, size_t bytes)
{
    int major = 0, minor = 0;
    CALL(c, cuDeviceGetAttribute, (&major, CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR, device->handle));
    CALL(c, cuDeviceGetAttribute, (&minor, CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MINOR, device->handle));
    snprintf(text, bytes, "sm_%d%d", major, minor);
}
