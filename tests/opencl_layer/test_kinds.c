/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file test_kinds.c
 * @brief Devices that are not at hand: what the layer answers for them, and what becomes of them.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "../misuse.h"
#include "operations.h"
#include "watched.h"

#include <CL/cl_ext.h>

static grkan_device *open_first(void)
{
    grkan_device *device = NULL;
    if (grkan_device_open("opencl:0:0", &device) != GRKAN_SUCCESS)
        fail_msg("%s", grkan_last_error());
    return device;
}

static uint32_t dtypes_of(const grkan_device *device)
{
    grkan_device_properties properties;
    assert_int_equal(grkan_device_describe(device, &properties), GRKAN_SUCCESS);
    return properties.dtypes;
}

/** Make a plan, and forget it. @return the status */
static grkan_status try_plan(grkan_device *device, grkan_dtype dtype, grkan_strategy strategy, int *is_compiled)
{
    const grkan_operation operation = {SHAPE(10, 8, 1), GROUPS(2, PER_GROUP, PER_GROUP),
                                       RATIONAL(5, 4, GRKAN_ABS_TERMS), .dtype = dtype};
    const grkan_options options = {.strategy = strategy,
                                   .determinism = strategy == GRKAN_STRATEGY_TREE ? GRKAN_RUN_TO_RUN : GRKAN_NONE};
    grkan_plan *plan = NULL;
    const grkan_status status = grkan_plan_create(device, &operation, &options, &plan);
    grkan_plan_description description = {0};
    if (status == GRKAN_SUCCESS)
        assert_int_equal(grkan_plan_describe(plan, &description), GRKAN_SUCCESS);
    if (is_compiled != NULL)
        *is_compiled = description.is_compiled;
    grkan_plan_destroy(plan);
    return status;
}

static void refuse_plan(grkan_device *device, grkan_dtype dtype, grkan_strategy strategy, const char *words)
{
    assert_int_equal(try_plan(device, dtype, strategy, NULL), GRKAN_ERROR_UNSUPPORTED);
    if (strstr(grkan_last_error(), words) == NULL)
        fail_msg("\"%s\" does not say \"%s\"", grkan_last_error(), words);
}

/* -------------------------------------------------------------------------------------------------- extensions */

static void answer_extensions(const char *text)
{
    opencl_layer_answer(CL_DEVICE_EXTENSIONS, text, text != NULL ? strlen(text) + 1 : 0);
}

/** The tree of f64 needs no atomics; what adds atomically needs those of 64 bits for f64 alone. */
static void f64_without_atomics_of_64_bits(void **state)
{
    (void)state;
    answer_extensions("cl_khr_fp64");
    grkan_device *const device = open_first();
    assert_true((dtypes_of(device) & 1u << GRKAN_F64) != 0);
    assert_int_equal(try_plan(device, GRKAN_F64, GRKAN_STRATEGY_TREE, NULL), GRKAN_SUCCESS);
    refuse_plan(device, GRKAN_F64, GRKAN_STRATEGY_ELEMENT, "has no atomics of 64 bits for f64");
    refuse_plan(device, GRKAN_F64, GRKAN_STRATEGY_BLOCK, "has no atomics of 64 bits for f64");
    assert_int_equal(try_plan(device, GRKAN_F32, GRKAN_STRATEGY_ELEMENT, NULL), GRKAN_SUCCESS);
    grkan_device_close(device);
}

/** Names are whole words. */
static void without_f64(void **state)
{
    (void)state;
    static const char *const without[] = {"", "cl_khr_fp64_but_not_quite cl_khr_int64_base_atomics", "not_cl_khr_fp64"};
    for (size_t i = 0; i < COUNT_OF(without); i++) {
        answer_extensions(without[i]);
        grkan_device *const device = open_first();
        assert_true((dtypes_of(device) & 1u << GRKAN_F64) == 0);
        refuse_plan(device, GRKAN_F64, GRKAN_STRATEGY_TREE, "operation.dtype is f64; opencl:0:0");
        assert_int_equal(try_plan(device, GRKAN_F32, GRKAN_STRATEGY_TREE, NULL), GRKAN_SUCCESS);
        grkan_device_close(device);
    }
}

/* ------------------------------------------------------------------------------------- devices that cannot run */

static void devices_that_cannot_run_are_refused(void **state)
{
    (void)state;
    static const cl_bool no = CL_FALSE;
    static const cl_bool big_endian = CL_FALSE; /* tests run where hosts are little-endian */
    static const cl_device_fp_config to_zero = CL_FP_INF_NAN | CL_FP_ROUND_TO_ZERO;
    static const cl_device_fp_config no_nan = CL_FP_ROUND_TO_NEAREST | CL_FP_FMA;
    static const char embedded[] = "EMBEDDED_PROFILE", old[] = "OpenCL 1.1 of long ago", odd[] = "1.2";
    static const struct {
        cl_device_info what;
        const void *value;
        size_t bytes;
        const char *words;
    } kinds[] = {
        {CL_DEVICE_AVAILABLE, &no, sizeof no, "the OpenCL device is not available (CL_DEVICE_AVAILABLE)"},
        {CL_DEVICE_COMPILER_AVAILABLE, &no, sizeof no,
         "the OpenCL device has no compiler (CL_DEVICE_COMPILER_AVAILABLE), and kernels are compiled when they are "
         "needed"},
        {CL_DEVICE_PROFILE, embedded, sizeof embedded,
         "the OpenCL device has no 64-bit integers (an embedded profile without cles_khr_int64)"},
        {CL_DEVICE_SINGLE_FP_CONFIG, &to_zero, sizeof to_zero,
         "the OpenCL device does not round to nearest, or has no infinities and NaN (CL_DEVICE_SINGLE_FP_CONFIG)"},
        {CL_DEVICE_SINGLE_FP_CONFIG, &no_nan, sizeof no_nan,
         "the OpenCL device does not round to nearest, or has no infinities and NaN (CL_DEVICE_SINGLE_FP_CONFIG)"},
        {CL_DEVICE_ENDIAN_LITTLE, &big_endian, sizeof big_endian,
         "the OpenCL device has another order of bytes than the host (CL_DEVICE_ENDIAN_LITTLE)"},
        {CL_DEVICE_VERSION, old, sizeof old, "the OpenCL device has an OpenCL before 1.2"},
        {CL_DEVICE_VERSION, odd, sizeof odd, "the OpenCL device has an OpenCL before 1.2"},
    };
    cl_platform_id platform = NULL;
    cl_device_id id = NULL;
    cl_int code = CL_SUCCESS;
    assert_int_equal(clGetPlatformIDs(1, &platform, NULL), CL_SUCCESS);
    assert_int_equal(clGetDeviceIDs(platform, CL_DEVICE_TYPE_ALL, 1, &id, NULL), CL_SUCCESS);
    const cl_context context = clCreateContext(NULL, 1, &id, NULL, NULL, &code);
    assert_int_equal(code, CL_SUCCESS);
    for (size_t i = 0; i < COUNT_OF(kinds); i++) {
        grkan_device *device = NULL;
        char text[256];
        (void)snprintf(text, sizeof text, "device \"opencl:0:0\": %s", kinds[i].words);
        opencl_layer_answer(kinds[i].what, kinds[i].value, kinds[i].bytes);
        EXPECT(grkan_device_open("opencl:0:0", &device), GRKAN_ERROR_UNSUPPORTED, text);
        EXPECT(grkan_device_open_native("opencl", context, id, &device), GRKAN_ERROR_UNSUPPORTED, kinds[i].words);
        assert_null(device);
        opencl_layer_answer(kinds[i].what, NULL, 0);
    }
    assert_int_equal(clReleaseContext(context), CL_SUCCESS);
}

static void an_embedded_device_with_integers_runs(void **state)
{
    (void)state;
    static const char embedded[] = "EMBEDDED_PROFILE";
    static const cl_device_fp_config least = CL_FP_INF_NAN | CL_FP_ROUND_TO_NEAREST;
    opencl_layer_answer(CL_DEVICE_PROFILE, embedded, sizeof embedded);
    opencl_layer_answer(CL_DEVICE_SINGLE_FP_CONFIG, &least, sizeof least);
    answer_extensions("cles_khr_int64");
    grkan_device *const device = open_first();
    grkan_device_properties properties;
    assert_int_equal(grkan_device_describe(device, &properties), GRKAN_SUCCESS);
    assert_int_equal(properties.is_ieee, 0);
    assert_int_equal(try_plan(device, GRKAN_BF16, GRKAN_STRATEGY_TREE, NULL), GRKAN_SUCCESS);
    grkan_device_close(device);
    opencl_layer_answer(CL_DEVICE_PROFILE, NULL, 0);
    opencl_layer_answer(CL_DEVICE_SINGLE_FP_CONFIG, NULL, 0);
}

/* ------------------------------------------------------------------------------------------------------- texts */

/** Names are cut where they are shown, but a driver is part of the cache's key to its last character. */
static void texts_of_any_length(void **state)
{
    (void)state;
    enum { length = 5000 };
    static char name[length + 1], driver[length + 1];
    grkan_device_properties properties;
    int is_compiled = -1;
    memset(name, 'n', length);
    memset(driver, 'd', length);
    opencl_layer_answer(CL_DEVICE_NAME, name, sizeof name);
    opencl_layer_answer(CL_DRIVER_VERSION, driver, sizeof driver);
    for (int i = 0; i < 3; i++) {
        /* Not a driver of another run's cache. */
        (void)snprintf(driver + length - 16, 17, "%015d%c", (int)getpid(), i == 1 ? '1' : '0');
        grkan_device *const device = open_first();
        assert_int_equal(grkan_device_describe(device, &properties), GRKAN_SUCCESS);
        assert_int_equal(strspn(properties.name, "n"), sizeof properties.name - 1);
        assert_int_equal(try_plan(device, GRKAN_F32, GRKAN_STRATEGY_TREE, &is_compiled), GRKAN_SUCCESS);
        assert_int_equal(is_compiled, i < 2); /* the third has the first one's driver */
        grkan_device_close(device);
    }
    opencl_layer_answer(CL_DEVICE_NAME, NULL, 0);
    opencl_layer_answer(CL_DRIVER_VERSION, NULL, 0);
}

/* ----------------------------------------------------------------------------------------------- nothing at hand */

/** In a process of its own, since the first look counts the devices. */
static void expect_no_device(const char *entry_point, cl_int code, const char *text)
{
    int status = 0;
    fflush(NULL);
    const pid_t child = fork();
    if (child == 0) {
        grkan_device *device = NULL;
        opencl_layer_fail(entry_point, 1, code);
        const grkan_status found = grkan_device_open("opencl", &device);
        if (found != GRKAN_ERROR_NO_DEVICE || strstr(grkan_last_error(), text) == NULL)
            fprintf(stderr, "%s: %s; expected \"%s\"\n", grkan_status_name(found), grkan_last_error(), text);
        else
            _exit(0);
        _exit(1);
    }
    assert_true(child > 0 && waitpid(child, &status, 0) == child);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

/** The first of the tests: later ones have looked. */
static void without_platforms_or_devices(void **state)
{
    (void)state;
    expect_no_device(
        "clGetPlatformIDs", CL_PLATFORM_NOT_FOUND_KHR,
        "no OpenCL platform: clGetPlatformIDs says CL_PLATFORM_NOT_FOUND_KHR (-1001); expected a driver's");
    expect_no_device("clGetDeviceIDs", CL_DEVICE_NOT_FOUND, "clGetDeviceIDs says CL_DEVICE_NOT_FOUND (-1)");
    expect_no_device("clGetDeviceIDs", CL_OUT_OF_HOST_MEMORY, "clGetDeviceIDs says CL_OUT_OF_HOST_MEMORY (-6)");
}

static void a_stopwatch_that_runs_is_closed_with_its_device(void **state)
{
    (void)state;
    grkan_device *const device = open_first();
    void *memory = NULL;
    assert_int_equal(grkan_memory_allocate(device, 256, &memory), GRKAN_SUCCESS);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(grkan_timer_start(device), GRKAN_SUCCESS);
        assert_int_equal(grkan_memory_copy(device, (grkan_buffer){memory, 0}, (grkan_buffer){memory, 128}, 128),
                         GRKAN_SUCCESS);
    }
    grkan_memory_free(device, memory);
    grkan_device_close(device);
}

static int tear_down(void **state)
{
    (void)state;
    answer_extensions(NULL);
    return watched_end();
}

#define WATCHED(test) cmocka_unit_test_teardown(test, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WATCHED(without_platforms_or_devices),
        WATCHED(f64_without_atomics_of_64_bits),
        WATCHED(without_f64),
        WATCHED(devices_that_cannot_run_are_refused),
        WATCHED(an_embedded_device_with_integers_runs),
        WATCHED(texts_of_any_length),
        WATCHED(a_stopwatch_that_runs_is_closed_with_its_device),
    };
    const int absent = watched_begin_apart();
    return absent != 0 ? absent : cmocka_run_group_tests_name("opencl_kinds", tests, NULL, NULL);
}
