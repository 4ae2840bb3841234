/* SPDX-License-Identifier: Apache-2.0 */
/** @file test_faults.c @brief Every call that the HIP module makes fails once, in turn (faults.h). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <hip/hip_runtime_api.h>
#include <hip/hiprtc.h>

#include "../faults.h"
#include "control.h"

enum { own_device = 1 };

static int is_compiler(const char *name)
{
    return strncmp(name, "hiprtc", 6) == 0;
}

static int code_of(const char *name)
{
    return is_compiler(name)                ? (int)HIPRTC_ERROR_BUILTIN_OPERATION_FAILURE
           : strcmp(name, "hipMalloc") == 0 ? (int)hipErrorOutOfMemory
                                            : (int)hipErrorLaunchFailure;
}

static grkan_status status_of(const char *name)
{
    return is_compiler(name)                           ? GRKAN_ERROR_COMPILE
           : strcmp(name, "hipGetDeviceCount") == 0    ? GRKAN_ERROR_NO_DEVICE
           : strcmp(name, "hipRuntimeGetVersion") == 0 ? GRKAN_ERROR_NO_DEVICE
           : strcmp(name, "hipMalloc") == 0            ? GRKAN_ERROR_OUT_OF_MEMORY
                                                       : GRKAN_ERROR_DEVICE;
}

static const char *words_of(const char *name)
{
    return is_compiler(name) ? hiprtcGetErrorString((hiprtcResult)code_of(name))
                             : hipGetErrorString((hipError_t)code_of(name));
}

/** The compiler is looked for again, and the end of a compilation. */
static int is_soft(const char *name, int is_opening)
{
    (void)is_opening;
    return strcmp(name, "hiprtcVersion") == 0 || strcmp(name, "hiprtcDestroyProgram") == 0;
}

/** One object that a failed call did not take back, or none. */
static const char *left_by(const char *name, const char *step)
{
    static const struct {
        const char *call, *left;
    } ends[] = {{"hipFree", "1 memory"},
                {"hipModuleUnload", "1 module"},
                {"hipEventDestroy", "1 event"},
                {"hiprtcDestroyProgram", "1 program"}};
    (void)step;
    for (size_t i = 0; i < sizeof ends / sizeof ends[0]; ++i)
        if (strcmp(name, ends[i].call) == 0)
            return ends[i].left;
    return "";
}

static void begin(void)
{
    assert_int_equal(hipSetDevice(own_device), hipSuccess);
}

/** The caller's current device, and the error that HIP keeps for him. */
static const char *disturbed(const char *name)
{
    static char text[128];
    if (name != NULL && strcmp(name, "hipSetDevice") == 0)
        (void)hipSetDevice(own_device); /* it may have been the call that puts it back: then the error has said so */
    if (hip_standin_device() != own_device)
        snprintf(text, sizeof text, "the caller's device is %d now", hip_standin_device());
    else if (hipPeekAtLastError() != hipSuccess)
        snprintf(text, sizeof text, "hipGetLastError has \"%s\" for the caller",
                 hipGetErrorString(hipPeekAtLastError()));
    else
        return NULL;
    return text;
}

static const fault_runtime hip = {.selector = "hip:0",
                                  .strike = standin_fail,
                                  .called = standin_called,
                                  .alive = standin_alive,
                                  .code_of = code_of,
                                  .words_of = words_of,
                                  .status_of = status_of,
                                  .is_soft = is_soft,
                                  .left_by = left_by,
                                  .begin = begin,
                                  .disturbed = disturbed};

/* ------------------------------------------------------------------------------------------------------- tests */

static void calls_fail_with_a_cache(void **state)
{
    (void)state;
    static const char *const all[] = {"hipGetDeviceCount",
                                      "hipRuntimeGetVersion",
                                      "hipDeviceGet",
                                      "hipDeviceGetName",
                                      "hipDeviceGetAttribute",
                                      "hipDeviceTotalMem",
                                      "hipGetDeviceProperties",
                                      "hipEventCreateWithFlags",
                                      "hipModuleLoadData",
                                      "hipModuleGetFunction",
                                      "hipMalloc",
                                      "hipMemcpyHtoD",
                                      "hipMemcpyDtoH",
                                      "hipModuleLaunchKernel",
                                      "hipEventRecord",
                                      "hipEventSynchronize",
                                      "hipEventElapsedTime",
                                      "hipMemcpyDtoDAsync",
                                      "hipStreamSynchronize",
                                      "hipFree",
                                      "hipModuleUnload",
                                      "hipEventDestroy",
                                      "hipGetDevice",
                                      "hipSetDevice",
                                      NULL};
    faults_with_cache(all);
}

static void calls_fail_without_a_cache(void **state)
{
    (void)state;
    static const char *const all[] = {"hiprtcCreateProgram", "hiprtcCompileProgram", "hiprtcGetCodeSize",
                                      "hiprtcGetCode",       "hiprtcDestroyProgram", NULL};
    faults_without_cache(all);
}

static void plans_share_kernels(void **state)
{
    (void)state;
    faults_sharing("hipModuleLoadData", "hipModuleUnload");
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(calls_fail_with_a_cache),
        cmocka_unit_test(calls_fail_without_a_cache),
        cmocka_unit_test(plans_share_kernels),
    };
    if (!faults_begin(&hip, argc > 1 && strcmp(argv[1], "all") == 0))
        return 1;
    return cmocka_run_group_tests_name("hip_faults", tests, NULL, NULL);
}
