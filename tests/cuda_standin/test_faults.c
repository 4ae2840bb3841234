/* SPDX-License-Identifier: Apache-2.0 */
/** @file test_faults.c @brief Each call that the CUDA module makes of the driver and of NVRTC fails in turn. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "../cuda_program.h"
#include "../faults.h"
#include "../standin/control.h"

#define FUNCTION(result, name, arguments) result name arguments;
#include "../cuda_program_functions.h"

enum { failed_call = 719, failed_compilation = 6 };

static int is_compiler(const char *name)
{
    return strncmp(name, "nvrtc", 5) == 0;
}

static int is_looking(const char *name)
{
    return strcmp(name, "cuInit") == 0 || strcmp(name, "cuDeviceGetCount") == 0 ||
           strcmp(name, "cuDriverGetVersion") == 0;
}

static int code_of(const char *name)
{
    return is_compiler(name)                 ? failed_compilation
           : strcmp(name, "cuMemAlloc") == 0 ? (int)CUDA_ERROR_OUT_OF_MEMORY
                                             : failed_call;
}

static grkan_status status_of(const char *name)
{
    return is_compiler(name)                 ? GRKAN_ERROR_COMPILE
           : is_looking(name)                ? GRKAN_ERROR_NO_DEVICE
           : strcmp(name, "cuMemAlloc") == 0 ? GRKAN_ERROR_OUT_OF_MEMORY
                                             : GRKAN_ERROR_DEVICE;
}

static const char *words_of(const char *name)
{
    return is_compiler(name)                 ? "NVRTC_ERROR_COMPILATION"
           : strcmp(name, "cuMemAlloc") == 0 ? "out of memory"
                                             : "unspecified launch failure";
}

/** A compiler is looked for again; nothing depends on the end of a compilation. */
static int is_soft(const char *name, int is_opening)
{
    static const char *const all[] = {"nvrtcVersion", "nvrtcGetNumSupportedArchs", "nvrtcGetSupportedArchs",
                                      "nvrtcDestroyProgram"};
    (void)is_opening;
    for (size_t i = 0; i < sizeof all / sizeof all[0]; ++i)
        if (strcmp(name, all[i]) == 0)
            return 1;
    return 0;
}

/** One object that a failed call did not take back, or none. Memory cannot be freed where no context is current. */
static const char *left_by(const char *name, const char *step)
{
    if ((strcmp(name, "cuCtxPushCurrent") == 0 || strcmp(name, "cuCtxGetCurrent") == 0) && step != NULL &&
        strcmp(step, "free") == 0)
        return "1 memory";
    static const struct {
        const char *call, *left;
    } ends[] = {{"cuMemFree", "1 memory"},
                {"cuLibraryUnload", "1 module"},
                {"cuEventDestroy", "1 event"},
                {"cuDevicePrimaryCtxRelease", "1 context"},
                {"nvrtcDestroyProgram", "1 program"}};
    for (size_t i = 0; i < sizeof ends / sizeof ends[0]; ++i)
        if (strcmp(name, ends[i].call) == 0)
            return ends[i].left;
    return "";
}

/** The caller's current context: none. The call that puts it back may have failed, and the error has said so. */
static const char *disturbed(const char *name)
{
    CUcontext current = NULL;
    if (name != NULL && strcmp(name, "cuCtxPopCurrent") == 0)
        (void)cuCtxPopCurrent_v2(&current);
    (void)cuCtxGetCurrent(&current);
    return current == NULL ? NULL : "another context is current now";
}

static const fault_runtime cuda = {.selector = "cuda:0",
                                   .strike = standin_fail,
                                   .called = standin_called,
                                   .alive = standin_alive,
                                   .code_of = code_of,
                                   .words_of = words_of,
                                   .status_of = status_of,
                                   .is_soft = is_soft,
                                   .left_by = left_by,
                                   .disturbed = disturbed};

/* --------------------------------------------------------------------------------------------------------- tests */

static void calls_fail_with_a_cache(void **state)
{
    (void)state;
    static const char *const all[] = {"cuInit",
                                      "cuDriverGetVersion",
                                      "cuDeviceGetCount",
                                      "cuDeviceGet",
                                      "cuDeviceGetName",
                                      "cuDeviceGetAttribute",
                                      "cuDeviceTotalMem",
                                      "cuDevicePrimaryCtxRetain",
                                      "cuDevicePrimaryCtxRelease",
                                      "cuCtxGetCurrent",
                                      "cuCtxPushCurrent",
                                      "cuCtxPopCurrent",
                                      "cuLibraryLoadData",
                                      "cuLibraryUnload",
                                      "cuLibraryGetKernel",
                                      "cuKernelGetFunction",
                                      "cuFuncLoad",
                                      "cuLaunchKernelEx",
                                      "cuMemAlloc",
                                      "cuMemFree",
                                      "cuMemcpyHtoD",
                                      "cuMemcpyDtoH",
                                      "cuMemcpyDtoDAsync",
                                      "cuStreamSynchronize",
                                      "cuEventCreate",
                                      "cuEventDestroy",
                                      "cuEventRecord",
                                      "cuEventSynchronize",
                                      "cuEventElapsedTime",
                                      NULL};
    faults_with_cache(all);
}

static void calls_fail_without_a_cache(void **state)
{
    (void)state;
    static const char *const all[] = {"nvrtcVersion",
                                      "nvrtcCreateProgram",
                                      "nvrtcCompileProgram",
                                      "nvrtcGetCUBINSize",
                                      "nvrtcGetCUBIN",
                                      "nvrtcDestroyProgram",
                                      NULL};
    faults_without_cache(all);
}

static void plans_share_kernels(void **state)
{
    (void)state;
    faults_sharing("cuLibraryLoadData", "cuLibraryUnload");
}

/** A call in the primary context costs the driver two calls, in one of the caller's own three, in none four. */
static void a_call_is_two_calls_of_the_driver(void **state)
{
    (void)state;
    CUcontext context = NULL;
    faults_calls_of_forward(
        (const char *const[]){"cuCtxGetCurrent", "cuCtxPushCurrent", "cuLaunchKernelEx", "cuCtxPopCurrent", NULL});
    assert_int_equal(cuInit(0), CUDA_SUCCESS);
    assert_int_equal(cuCtxCreate_v2(&context, 0, 0), CUDA_SUCCESS);
    faults_calls_of_forward((const char *const[]){"cuCtxGetCurrent", "cuCtxGetDevice", "cuLaunchKernelEx", NULL});
    assert_int_equal(cuCtxDestroy_v2(context), CUDA_SUCCESS);
    assert_int_equal(cuDevicePrimaryCtxRetain(&context, 0), CUDA_SUCCESS);
    assert_int_equal(cuCtxPushCurrent_v2(context), CUDA_SUCCESS);
    faults_calls_of_forward((const char *const[]){"cuCtxGetCurrent", "cuLaunchKernelEx", NULL});
    assert_int_equal(cuCtxPopCurrent_v2(&context), CUDA_SUCCESS);
    assert_int_equal(cuDevicePrimaryCtxRelease_v2(0), CUDA_SUCCESS);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(calls_fail_with_a_cache),
        cmocka_unit_test(calls_fail_without_a_cache),
        cmocka_unit_test(plans_share_kernels),
        cmocka_unit_test(a_call_is_two_calls_of_the_driver),
    };
    if (!faults_begin(&cuda, 1))
        return 1;
    return cmocka_run_group_tests_name("cuda_faults", tests, NULL, NULL);
}
