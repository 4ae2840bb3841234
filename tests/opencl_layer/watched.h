/* SPDX-License-Identifier: Apache-2.0 */
/** @file watched.h @brief How a test under the layer begins, and what it must leave. Include cmocka.h before it. */
#ifndef WATCHED_H
#define WATCHED_H

#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../present.h"
#include "control.h"

/**
 * Look for the devices of the first platform, and for the layer.
 * @param most devices that there is room for
 * @return 0, or, having said what is absent, what the process shall end with
 */
static inline int watched_begin(cl_device_id *ids, cl_uint most, cl_uint *count)
{
    enum { exit_skipped = 77 };
    cl_platform_id platform = NULL;
    if (clGetPlatformIDs(1, &platform, NULL) != CL_SUCCESS ||
        clGetDeviceIDs(platform, CL_DEVICE_TYPE_ALL, most, ids, count) != CL_SUCCESS) {
        printf("absent: opencl: no device\n");
        return must_be_present("opencl") ? EXIT_FAILURE : exit_skipped;
    }
    if (opencl_layer_called(0) == NULL) {
        printf("absent: a loader that knows of layers\n");
        return exit_skipped;
    }
    *count = *count < most ? *count : most;
    return 0;
}

/**
 * The same in a process of its own, so that this one can be copied: few runtimes that were called in a process serve a copy
 * of it.
 */
static inline int watched_begin_apart(void)
{
    int status = 0;
    fflush(NULL);
    const pid_t child = fork();
    if (child == 0) {
        cl_device_id id = NULL;
        cl_uint count = 0;
        exit(watched_begin(&id, 1, &count));
    }
    const int is_over = child > 0 && waitpid(child, &status, 0) == child && WIFEXITED(status);
    return is_over ? WEXITSTATUS(status) : EXIT_FAILURE;
}

/** End a test. @return 0; -1, having said why, if the layer complains, or an object was not released */
static inline int watched_end(void)
{
    const char *const complaint = opencl_layer_complaint(), *const alive = opencl_layer_alive();
    if (complaint[0] == '\0' && alive[0] == '\0')
        return 0;
    print_error("the layer complains: \"%s\"; not released: \"%s\"\n", complaint, alive);
    return -1;
}

#endif
