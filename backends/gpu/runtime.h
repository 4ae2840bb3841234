/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file runtime.h
 * @brief What the files of CUDA's and HIP's modules know of each other.
 *
 * CUDA and HIP differ in names only, so this folder's files are compiled once for each, with the vendor.h of that vendor's
 * folder. They work on the primary context, so that a program's own pointers and streams are used as they are.
 *
 *     table.c -> devices.c, memory.c, compile.c, engine.c -> modules.c        what the core calls
 *     compile.c -> rtc.c, compiler_program.c                                  the compilers
 *     all of them -> calls.c, the vendor's own file -> host.c
 */
#ifndef GRKAN_RUNTIME_H
#define GRKAN_RUNTIME_H

#include "engine.h"
#include "vendor.h"

struct grkan_backend_device {
    int index;
    int starts_early; /* what vendor_starts_early says */
    rt(Event_t) start, stop;
};

/* For the table, as in backend.h: devices.c */

grkan_status runtime_count(const grkan_host *host, int *count);
grkan_status runtime_open(int index, grkan_backend_device **device);
void runtime_close(grkan_backend_device *device);
grkan_status runtime_describe(const grkan_backend_device *device, grkan_device_properties *properties,
                              grkan_device_limits *limits);
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

/* The compilers: rtc.c and compiler_program.c. */

/** Split "-DA=1 -DB=2" at its spaces. @return how many */
int rtc_split_options(char *text, const char **options, int most);

/** As grkan_backend.compile, with the dialect in front of the source. */
grkan_status rtc_compile(const grkan_backend_device *device, const char *source, const grkan_compile_request *request,
                         grkan_blob *binary, grkan_compiler_report *report);

/** The same by request->compiler. */
grkan_status compiler_program_compile(const char *source, const grkan_compile_request *request, grkan_blob *binary,
                                      grkan_compiler_report *report);

/* By the vendor's own file. */

/** What the vendor needs where there are devices; called once, after they are counted. */
grkan_status vendor_start(void);

/** Whether blocks of a kernel may begin while the kernel before it in the stream still ends, which makes launches cheaper:
    they wait for it by themselves, see STREAM_WAIT in kernels/words.h. */
rt(Error_t) vendor_starts_early(int index, int *starts_early);

/** Shared memory that every device of the vendor gives to a block. */
extern const uint64_t vendor_shared_bytes;

/** Versions of compiler and driver, and the options that all programs have in common: for the cache. */
void vendor_identity(char *text, size_t bytes);

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
