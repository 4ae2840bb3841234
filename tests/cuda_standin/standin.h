/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file standin.h
 * @brief A CUDA driver and an NVRTC that compute nothing, so that the CUDA module runs where there is no GPU. For tests.
 *
 * They are made from grkan's own lists of functions, and know contexts, memory, code, events, streams and captures: a call in
 * the wrong context, or of what is not there, fails as CUDA's does. Kernels are loaded into a context at their first launch
 * there unless that was done before; while a stream captures, whatever waits, allocates or loads fails. Memory is new with
 * NaN in it, and stays as callers wrote it.
 *
 * Environment: CUDA_STANDIN_VERSION is the driver's (13000), CUDA_STANDIN_CAPABILITY the devices' (90), CUDA_STANDIN_INIT
 * what cuInit gives (0), CUDA_STANDIN_BLOCK how many threads a block has that takes least time (a time is 1 ms whatever was
 * launched), CUDA_STANDIN_MOST_THREADS the largest block that has registers enough (1024), CUDA_STANDIN_LACKS the name of a function that the driver does not have, NVRTC_STANDIN_VERSION
 * the compiler's (124).
 */
#ifndef CUDA_STANDIN_H
#define CUDA_STANDIN_H

#include <stdint.h>

#include "../cuda_program.h"
#include "../standin/objects.h"

enum { standin_devices = 2, standin_most_depth = 16, standin_most_contexts = 32, standin_launch_bytes = 227 << 10 };

/* Codes beside those that grkan knows. */
enum {
    standin_invalid_value = 1,
    standin_not_initialized = 3,
    standin_invalid_device = 101,
    standin_invalid_image = 200,
    standin_no_binary = 209,
    standin_invalid_handle = 400,
    standin_too_large = 701,
    standin_launch_failed = 719,
    standin_in_capture = 900
};

struct CUctx_st {
    int device;
    int holders; /* of a primary one */
};

/** Milliseconds that launches have taken. */
extern double standin_clock;

struct CUstream_st {
    CUcontext context;
    int is_capturing;
};

/* The functions of the lists, each as standin_NAME. */
#define FUNCTION(result, name, arguments) result standin_##name arguments;
#include "../../backends/cuda/driver_functions.h"

/* What programs call by themselves: no entry points of the log, and nothing that can be made to fail. */
#define FUNCTION(result, name, arguments) STANDIN_API result name arguments;
#include "../cuda_program_functions.h"

/** Begin an entry point: return when it shall fail. */
#define ENTRY_POINT(name)                                                                                              \
    do {                                                                                                               \
        const int entry_code = standin_enter(name);                                                                    \
        if (entry_code != 0)                                                                                           \
            return (CUresult)entry_code;                                                                               \
    } while (0)

/** A number of the environment. */
int standin_number(const char *variable, int otherwise);

/** The context that is current in this thread, or NULL. */
CUcontext standin_current(void);

/** The context that a stream's work goes to; NULL if it is no stream, or if there is none. */
CUcontext standin_context_of(CUstream stream);

/** Whether any stream captures. */
int standin_captures(void);

#endif
