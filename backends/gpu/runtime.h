/* SPDX-License-Identifier: Apache-2.0 */
/** @file runtime.h @brief Between runtime.c, which CUDA and HIP share, and a vendor's own file. */
#ifndef GRKAN_RUNTIME_H
#define GRKAN_RUNTIME_H

#include "engine.h"
#include "names.h"

struct grkan_backend_device {
    int index;
    int starts_early; /* what vendor_starts_early says */
    rt(Event_t) start, stop;
};

/* By rtc.c and outside.c. */

/** Split "-DA=1 -DB=2" at its spaces. @return how many */
int rtc_split_options(char *text, const char **options, int most);

/** As grkan_backend.compile, with the dialect in front of the source. */
grkan_status rtc_compile(const grkan_backend_device *device, const char *source, const grkan_compile_request *request,
                         grkan_blob *binary, grkan_compiler_report *report);

/** The same by request->compiler. */
grkan_status outside_compile(const char *source, const grkan_compile_request *request, grkan_blob *binary,
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
