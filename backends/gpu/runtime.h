/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file runtime.h
 * @brief What the files of CUDA's and HIP's modules know of each other.
 *
 * CUDA's driver and HIP's runtime differ in names only where these files call them, so they are compiled once for each,
 * with the vendor.h of that vendor's folder: they say `cuMemAlloc`, and HIP's vendor.h says that this is hipMalloc.
 *
 *     table.c -> devices.c, memory.c, compile.c, engine.c -> modules.c        what the core calls
 *     compile.c -> rtc.c, compiler_program.c                                  the compilers
 *     all of them -> calls.c, the vendor's own files -> library.c -> host.c
 */
#ifndef GRKAN_RUNTIME_H
#define GRKAN_RUNTIME_H

#include <stdint.h>
#include <stdio.h>

#include "engine.h"
#include "library.h"
#include "vendor.h"

struct grkan_backend_device {
    int index;
    CUdevice handle;
    void *primary;    /* CUDA: the device's primary context */
    int starts_early; /* whether blocks of a kernel may begin while the kernel before it in the stream still ends, which
                            makes launches cheaper: they wait for it by themselves, see STREAM_WAIT in kernels/words.h */
    CUevent start, stop; /* while a time is taken */
};

/* For the table, as in backend.h: devices.c */

grkan_status runtime_count(const grkan_host *host, int *count);
grkan_status runtime_open(int index, grkan_backend_device **device);
void runtime_close(grkan_backend_device *device);
grkan_status runtime_describe(const grkan_backend_device *device, grkan_device_properties *properties,
                              grkan_device_limits *limits);
void runtime_libraries(char *text, size_t bytes);
const char *runtime_identity(const grkan_backend_device *device);
grkan_status runtime_assume(const char *architecture, grkan_device_limits *limits);

/* compile.c */

grkan_status runtime_compile(grkan_backend_device *device, const grkan_compile_request *request, grkan_blob *binary,
                             grkan_compiler_report *report);

/* memory.c */

grkan_status runtime_allocate(grkan_backend_device *device, size_t bytes, void **base);
void runtime_release(grkan_backend_device *device, void *base);
grkan_status runtime_upload(grkan_backend_device *device, grkan_buffer to, const void *from, size_t bytes);
grkan_status runtime_download(grkan_backend_device *device, void *to, grkan_buffer from, size_t bytes);
grkan_status runtime_copy(grkan_backend_device *device, grkan_buffer to, grkan_buffer from, size_t bytes);
grkan_status runtime_synchronize(grkan_backend_device *device);
grkan_status runtime_timer_start(grkan_backend_device *device);
grkan_status runtime_timer_stop(grkan_backend_device *device, double *milliseconds);

/** Free what a time that is being taken needs. */
void runtime_timer_forget(grkan_backend_device *device);

/* rtc.c */

/** As grkan_backend.compile, with the dialect in front of the source. */
grkan_status rtc_compile(const grkan_backend_device *device, const char *source, const grkan_compile_request *request,
                         grkan_blob *binary, grkan_compiler_report *report);

/* By the vendor's own files. */

/** The functions of the vendor's driver and compiler; each once it is found. */
extern gpu_driver driver;
extern gpu_rtc rtc;

/** The libraries that they are of. */
extern gpu_library vendor_driver, vendor_rtc;

/** The compiler's version, and the options that all programs have in common: for the cache. Once it is found. */
const char *vendor_identity(void);

/** What the driver says of a code. */
const char *vendor_error_text(CUresult code);

/** See to it that the driver keeps no error for the caller's next check. */
void vendor_forget_error(void);

/** Calls of the driver, see calls.h: the functions below are made of those. */
typedef struct gpu_calls gpu_calls;

/** Before all other calls. */
void vendor_initialise(gpu_calls *c);

/** Have what a device needs while it is open: `primary` and `starts_early`. */
void vendor_open(gpu_calls *c, grkan_backend_device *device);
void vendor_close(grkan_backend_device *device);

/** Make the device current in this thread, by what the caller has if that is of the device. */
void vendor_enter(gpu_calls *c, const grkan_backend_device *device);

/** Put back what was current; only if c->is_changed. */
void vendor_leave(gpu_calls *c);

/** Load machine code. @param library out; NULL before */
void vendor_load_code(gpu_calls *c, const void *code, CUlibrary *library);

/** Have launches of a kernel ask for so much shared memory on the device. */
void vendor_allow(gpu_calls *c, const grkan_backend_device *device, gpu_native_kernel *kernel, int local_bytes);

/** Load a kernel where we are, so that its first launch there need not. */
void vendor_prepare_kernel(gpu_calls *c, gpu_native_kernel *kernel);

/** Enqueue a launch. @param arguments the addresses of the kernel's @param stream NULL: the default one */
void vendor_launch(gpu_calls *c, const grkan_backend_device *device, gpu_native_kernel *kernel,
                   const grkan_kernel_launch *launch, CUstream stream, void **arguments);

/** What the device's kernels are compiled for. */
void vendor_architecture(gpu_calls *c, const grkan_backend_device *device, char *text, size_t bytes);

/** Shared memory that every device of the vendor gives to a block. */
extern const uint64_t vendor_shared_bytes;

/** The options of the runtime's compiler, or of request->compiler, separated by spaces. Refuses an architecture that
    it does not know.
    @param device NULL where there is none of that architecture
    @param with_report 1: the compiler shall say what the kernels take of the device */
grkan_status vendor_options(const grkan_backend_device *device, const grkan_compile_request *request, int with_report,
                            char *text, size_t bytes);

/** What the kernels take of a device. @param log the compiler's, "" if it has none; may be changed
    @param report out; all zero before */
void vendor_report(char *log, const grkan_blob *binary, grkan_compiler_report *report);

#endif
