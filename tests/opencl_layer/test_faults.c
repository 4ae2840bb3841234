/* SPDX-License-Identifier: Apache-2.0 */
/** @file test_faults.c @brief Every call that the OpenCL module makes fails once, in turn (faults.h). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "../faults.h"
#include "watched.h"

static int code_of(const char *name)
{
    return strcmp(name, "clCreateBuffer") == 0 ? CL_MEM_OBJECT_ALLOCATION_FAILURE : CL_OUT_OF_RESOURCES;
}

static const char *words_of(const char *name)
{
    return strcmp(name, "clCreateBuffer") == 0 ? "CL_MEM_OBJECT_ALLOCATION_FAILURE (-4)" : "CL_OUT_OF_RESOURCES (-5)";
}

static grkan_status status_of(const char *name)
{
    return strcmp(name, "clGetPlatformIDs") == 0 || strcmp(name, "clGetDeviceIDs") == 0 ? GRKAN_ERROR_NO_DEVICE
           : strcmp(name, "clBuildProgram") == 0                                        ? GRKAN_ERROR_COMPILE
           : strcmp(name, "clCreateBuffer") == 0                                        ? GRKAN_ERROR_OUT_OF_MEMORY
                                                                                        : GRKAN_ERROR_DEVICE;
}

static int count_platforms(void)
{
    cl_uint count = 0;
    return clGetPlatformIDs(0, NULL, &count) == CL_SUCCESS ? (int)count : 0;
}

/** A call that takes back; nobody can do anything about it. One of several platforms whose devices are not told. */
static int is_soft(const char *name, int is_opening)
{
    if (strcmp(name, "clGetDeviceIDs") == 0)
        return is_opening && count_platforms() > 1;
    return strncmp(name, "clRelease", 9) == 0;
}

/** One object that a failed call did not take back, or none. */
static const char *left_by(const char *name, const char *step)
{
    static const struct {
        const char *call, *left;
    } ends[] = {{"clReleaseContext", "1 context"},  {"clReleaseCommandQueue", "1 queue"},
                {"clReleaseMemObject", "1 buffer"}, {"clReleaseProgram", "1 program"},
                {"clReleaseKernel", "1 kernel"},    {"clReleaseEvent", "1 event"}};
    (void)step;
    for (size_t i = 0; i < sizeof ends / sizeof ends[0]; ++i)
        if (strcmp(name, ends[i].call) == 0)
            return ends[i].left;
    return "";
}

/** OpenCL has no state of a caller's; but no fault may lead to a call that the specification forbids. */
static const char *disturbed(const char *name)
{
    (void)name;
    const char *const complaint = opencl_layer_complaint();
    return complaint[0] != '\0' ? complaint : NULL;
}

static const fault_runtime opencl = {.selector = "opencl",
                                     .strike = opencl_layer_fail,
                                     .called = opencl_layer_called,
                                     .alive = opencl_layer_alive,
                                     .code_of = code_of,
                                     .words_of = words_of,
                                     .status_of = status_of,
                                     .is_soft = is_soft,
                                     .left_by = left_by,
                                     .disturbed = disturbed};

static void calls_fail_with_a_cache(void **state)
{
    (void)state;
    static const char *const all[] = {"clGetPlatformIDs",
                                      "clGetDeviceIDs",
                                      "clGetPlatformInfo",
                                      "clGetDeviceInfo",
                                      "clCreateContext",
                                      "clCreateCommandQueue",
                                      "clCreateProgramWithBinary",
                                      "clBuildProgram",
                                      "clCreateKernel",
                                      "clCreateBuffer",
                                      "clGetMemObjectInfo",
                                      "clEnqueueWriteBuffer",
                                      "clFinish",
                                      "clSetKernelArg",
                                      "clEnqueueNDRangeKernel",
                                      "clEnqueueMarkerWithWaitList",
                                      "clGetEventProfilingInfo",
                                      "clReleaseEvent",
                                      "clEnqueueCopyBuffer",
                                      "clEnqueueReadBuffer",
                                      "clReleaseMemObject",
                                      "clReleaseKernel",
                                      "clReleaseProgram",
                                      "clReleaseCommandQueue",
                                      "clReleaseContext",
                                      NULL};
    faults_with_cache(all);
}

/** Programs of PoCL, which is the runtime at hand; other tests have it pass for another, whose programs are kept as binaries. */
static void calls_fail_with_programs_kept_as_text(void **state)
{
    (void)state;
    static const char *const all[] = {"clCreateProgramWithSource", "clBuildProgram", "clReleaseProgram", NULL};
    opencl_layer_answer(CL_DEVICE_VERSION, NULL, 0);
    faults_without_cache(all);
}

static void calls_fail_without_a_cache(void **state)
{
    (void)state;
    static const char *const all[] = {"clCreateProgramWithSource", "clBuildProgram", "clGetProgramInfo",
                                      "clReleaseProgram", NULL};
    faults_without_cache(all);
}

static void plans_share_kernels(void **state)
{
    (void)state;
    faults_sharing("clCreateProgramWithBinary", "clReleaseProgram");
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(calls_fail_with_a_cache),
        cmocka_unit_test(calls_fail_without_a_cache),
        cmocka_unit_test(plans_share_kernels),
        cmocka_unit_test(calls_fail_with_programs_kept_as_text),
    };
    static const char version[] = "OpenCL 1.2 of another";
    const int absent = watched_begin_apart();
    if (absent != 0)
        return absent;
    opencl_layer_answer(CL_DEVICE_VERSION, version, sizeof version);
    if (!faults_begin(&opencl, argc > 1 && strcmp(argv[1], "all") == 0))
        return EXIT_FAILURE;
    return cmocka_run_group_tests_name("opencl_faults", tests, NULL, NULL);
}
