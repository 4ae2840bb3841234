/* SPDX-License-Identifier: Apache-2.0 */
/** @file vendor.h @brief What gpu/ calls, in CUDA: its own names, for which HIP's vendor.h has others. */
#ifndef GRKAN_VENDOR_H
#define GRKAN_VENDOR_H

#include "../gpu/tuning.h"
#include "cuda_types.h"

#define BACKEND_NAME "cuda"

/** The driver's functions; set once devices are counted. */
typedef struct gpu_driver {
#define FUNCTION(result, name, arguments) result(*name) arguments;
#include "driver_functions.h"
} gpu_driver;

/** The compiler's functions; set once it is found. */
typedef struct gpu_rtc {
#define FUNCTION(result, name, arguments) result(*name) arguments;
#include "nvrtc_functions.h"
} gpu_rtc;

/** A kernel; in the device's primary context it is a function, once it is loaded there, whose launch costs less. */
typedef struct gpu_native_kernel {
    CUkernel kernel;
    _Atomic(CUfunction) in_primary; /**< NULL: not known */
} gpu_native_kernel;

/** The environment's list of the devices that a process may see. */
#define VISIBLE_DEVICES "CUDA_VISIBLE_DEVICES"

/** Blocks of one launch. */
#define LARGEST_GRID INT32_MAX

/** A kernel may be loaded into a context as late as its first launch there. */
#define LOADS_LATE 1

/** Memory is copied to shared memory asynchronously, on architectures before sm_80 by a thread itself. */
#define HAS_ASYNC_COPIES 1
#define DEVICE_MAKER GPU_NVIDIA

#endif
