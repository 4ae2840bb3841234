/* SPDX-License-Identifier: Apache-2.0 */
/** @file opencl.h @brief What the files of the OpenCL backend share. */
#ifndef GRKAN_OPENCL_H
#define GRKAN_OPENCL_H

#ifndef CL_TARGET_OPENCL_VERSION
#define CL_TARGET_OPENCL_VERSION 120
#endif
#include <CL/cl.h>

#include "../../core/platform/platform.h"
#include "../backend.h"

/** That all programs have in common. */
#define OPENCL_OPTIONS "-cl-std=CL1.2"

/** Room for the options of one program, definitions included. */
enum { OPENCL_OPTION_BYTES = 1024 };

struct grkan_backend_device {
    int index;            /* -1: opened in the caller's context */
    int ptx_architecture; /* of an NVIDIA GPU, 800 for sm_80; 0: another vendor's, or too old for ptx.h */
    int keeps_sources;    /* 1: programs are kept as text, see describe.c */
    int declares; /* 1: the dialect declares what is built in, and the compiler's header is not read: describe.c */
    int rounds_correctly; /* 1: quotients and square roots, where it is told to; 0: see kernels/rounded.h */
    int wave;             /* threads of a wave that kernels require, of Intel's GPUs; 0: none */
    cl_device_id id;
    cl_context context;
    cl_command_queue queue; /* the default stream, with profiling */
    int is_timing;
    cl_event first; /* of the commands being timed */
    char *identity; /* of compiler and device, for the cache's key */
};

/* loader.c */

/** The functions that grkan calls, clBuildProgram and so on: those of OpenCL 1.2. */
/* clang-format off */
#define OPENCL_FUNCTIONS(F) \
    F(BuildProgram) F(CreateBuffer) F(CreateCommandQueue) F(CreateContext) F(CreateKernel) \
    F(CreateProgramWithBinary) F(CreateProgramWithSource) F(EnqueueCopyBuffer) F(EnqueueMarkerWithWaitList) \
    F(EnqueueNDRangeKernel) F(EnqueueReadBuffer) F(EnqueueWriteBuffer) F(Finish) F(GetCommandQueueInfo) \
    F(GetContextInfo) F(GetDeviceIDs) F(GetDeviceInfo) F(GetEventProfilingInfo) F(GetMemObjectInfo) F(GetPlatformIDs) \
    F(GetPlatformInfo) F(GetProgramBuildInfo) F(GetProgramInfo) F(ReleaseCommandQueue) F(ReleaseContext) \
    F(ReleaseEvent) F(ReleaseKernel) F(ReleaseMemObject) F(ReleaseProgram) F(RetainContext) F(SetKernelArg)
/* clang-format on */
#define OPENCL_MEMBER(name) __typeof__(cl##name) *name;

/** The ICD loader's functions, as opencl.Finish: NULL until opencl_find has found them. */
extern struct opencl_functions {
    OPENCL_FUNCTIONS(OPENCL_MEMBER)
} opencl;

/** Load the ICD loader, unless a call before has. For one thread at a time. @return GRKAN_ERROR_NO_DEVICE, with what to
    install */
grkan_status opencl_find(void);

/** Which file that is. */
void opencl_libraries(char *text, size_t bytes);

/* errors.c */

/** Set the error's text from a function's name and its code. @return the status */
grkan_status opencl_failed(const char *function, cl_int code);

/** Set the error's text from what the compiler says of a program. @return GRKAN_ERROR_COMPILE */
grkan_status opencl_build_failed(const grkan_backend_device *device, cl_program program, cl_int code);

/** "CL_OUT_OF_RESOURCES", or "unknown error". */
const char *opencl_error_name(cl_int code);

/** Return from the function when a call fails: OPENCL_TRY(Finish, (queue)). */
#define OPENCL_TRY(name, arguments)                                                                                    \
    do {                                                                                                               \
        const cl_int try_code = opencl.name arguments;                                                                 \
        if (try_code != CL_SUCCESS)                                                                                    \
            return opencl_failed("cl" #name, try_code);                                                                \
    } while (0)

/* discover.c */
grkan_status opencl_count(const grkan_host *host, int *count);
grkan_status opencl_resolve(const char *text, int *index);
/** A device that was counted. */
cl_device_id opencl_found(int index, cl_platform_id *platform);
/** "opencl:0:1"; "opencl" for a device that is not among those that were found, as parts of one. */
void opencl_write_selector(cl_device_id id, char *text, size_t bytes);

/* devices.c */
grkan_status opencl_open(int index, grkan_backend_device **device);
grkan_status opencl_open_native(void *context, void *native, grkan_backend_device **device);
void opencl_close(grkan_backend_device *device);

/* describe.c */

/** Whether grkan's kernels can run there. @return GRKAN_ERROR_UNSUPPORTED, with what it lacks */
grkan_status opencl_check_usable(cl_device_id id);
/** Fill in the device's ptx_architecture, keeps_sources, declares, rounds_correctly, wave and identity. */
grkan_status opencl_identify(grkan_backend_device *device);
grkan_status opencl_describe(const grkan_backend_device *device, grkan_device_properties *properties,
                             grkan_device_limits *limits);

/* compile.c */
grkan_status opencl_compile(grkan_backend_device *device, const grkan_compile_request *request, grkan_blob *binary,
                            grkan_compiler_report *report);
/** Make a program of what opencl_compile gave, which is to be built with these options. */
grkan_status opencl_create_program(const grkan_backend_device *device, const grkan_blob *binary, cl_program *program,
                                   char options[OPENCL_OPTION_BYTES]);

/* ocloc.c */
grkan_status opencl_assume(const char *architecture, grkan_device_limits *limits);
/** Threads of the narrowest wave that an architecture of Intel's has. */
int opencl_offline_wave(const char *architecture);
/** Compile by request->compiler, Intel's ocloc. @param source with the dialect in front */
grkan_status opencl_compile_offline(const char *source, const char *options, const grkan_compile_request *request,
                                    grkan_blob *binary, grkan_compiler_report *report);

/* native.c */
grkan_status opencl_check_stream(const grkan_backend_device *device, void *stream);
grkan_status opencl_locate(void *base, uintptr_t *address, size_t *bytes);

/* timer.c */

/** Where a command on the default queue leaves its event, or NULL. */
cl_event *opencl_timer_event(grkan_backend_device *device);
grkan_status opencl_timer_start(grkan_backend_device *device);
grkan_status opencl_timer_stop(grkan_backend_device *device, double *milliseconds);
/** Release what a stopwatch that was not stopped holds. */
void opencl_timer_forget(grkan_backend_device *device);

#endif
