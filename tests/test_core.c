/* SPDX-License-Identifier: Apache-2.0 */
/** @file test_core.c @brief Names, error texts, and misuse of the calls that need no plan, on the cpu. */
#define _GNU_SOURCE 1

#include <limits.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "../core/internal.h"
#include "on_cpu.h"
#include "../tools/check/operations.h"

/* ---------------------------------------------------------------------------------------------- names and sizes */

static void test_statuses_have_names(void **state)
{
    (void)state;
    assert_string_equal(grkan_status_name(GRKAN_SUCCESS), "GRKAN_SUCCESS");
    assert_string_equal(grkan_status_name(GRKAN_ERROR_INVALID_ARGUMENT), "GRKAN_ERROR_INVALID_ARGUMENT");
    assert_string_equal(grkan_status_name(GRKAN_ERROR_NO_BACKEND), "GRKAN_ERROR_NO_BACKEND");
    assert_string_equal(grkan_status_name(GRKAN_ERROR_NO_DEVICE), "GRKAN_ERROR_NO_DEVICE");
    assert_string_equal(grkan_status_name(GRKAN_ERROR_UNSUPPORTED), "GRKAN_ERROR_UNSUPPORTED");
    assert_string_equal(grkan_status_name(GRKAN_ERROR_OUT_OF_MEMORY), "GRKAN_ERROR_OUT_OF_MEMORY");
    assert_string_equal(grkan_status_name(GRKAN_ERROR_COMPILE), "GRKAN_ERROR_COMPILE");
    assert_string_equal(grkan_status_name(GRKAN_ERROR_DEVICE), "GRKAN_ERROR_DEVICE");
    assert_string_equal(grkan_status_name((grkan_status)-8), "unknown status");
    assert_string_equal(grkan_status_name((grkan_status)1), "unknown status");
}

static void test_values_have_names(void **state)
{
    (void)state;
    assert_string_equal(grkan_dtype_name(GRKAN_F32), "f32");
    assert_string_equal(grkan_dtype_name(GRKAN_F16), "f16");
    assert_string_equal(grkan_dtype_name(GRKAN_BF16), "bf16");
    assert_string_equal(grkan_dtype_name(GRKAN_F64), "f64");
    assert_null(grkan_dtype_name((grkan_dtype)4));
    assert_string_equal(grkan_form_name(GRKAN_ABS_TERMS), "abs_terms");
    assert_string_equal(grkan_form_name(GRKAN_ABS_SUM), "abs_sum");
    assert_string_equal(grkan_form_name(GRKAN_ABS_SUM_OFFSET), "abs_sum_offset");
    assert_string_equal(grkan_form_name(GRKAN_PLAIN), "plain");
    assert_string_equal(grkan_form_name(GRKAN_SQUARE), "square");
    assert_null(grkan_form_name((grkan_form)5));
    assert_string_equal(grkan_strategy_name(GRKAN_STRATEGY_AUTO), "auto");
    assert_string_equal(grkan_strategy_name(GRKAN_STRATEGY_ELEMENT), "element");
    assert_string_equal(grkan_strategy_name(GRKAN_STRATEGY_BLOCK), "block");
    assert_string_equal(grkan_strategy_name(GRKAN_STRATEGY_TREE), "tree");
    assert_null(grkan_strategy_name((grkan_strategy)4));
    assert_string_equal(grkan_determinism_name(GRKAN_RUN_TO_RUN), "run_to_run");
    assert_string_equal(grkan_determinism_name(GRKAN_NONE), "none");
    assert_string_equal(grkan_determinism_name(GRKAN_DEVICE_TO_DEVICE), "device_to_device");
    assert_null(grkan_determinism_name((grkan_determinism)3));
}

static void test_types_have_sizes(void **state)
{
    (void)state;
    assert_int_equal(grkan_dtype_bytes(GRKAN_F32), 4);
    assert_int_equal(grkan_dtype_bytes(GRKAN_F16), 2);
    assert_int_equal(grkan_dtype_bytes(GRKAN_BF16), 2);
    assert_int_equal(grkan_dtype_bytes(GRKAN_F64), 8);
    assert_int_equal(grkan_dtype_bytes((grkan_dtype)4), 0);
    assert_int_equal(grkan_coefficient_bytes(GRKAN_F32), 4);
    assert_int_equal(grkan_coefficient_bytes(GRKAN_F16), 4);
    assert_int_equal(grkan_coefficient_bytes(GRKAN_BF16), 4);
    assert_int_equal(grkan_coefficient_bytes(GRKAN_F64), 8);
    assert_int_equal(grkan_coefficient_bytes((grkan_dtype)-1), 0);
}

static void test_operations_have_one_or_two_types(void **state)
{
    (void)state;
    grkan_operation operation = GRKAN_OPERATION_INIT;
    operation.dtype = GRKAN_F16;
    assert_int_equal(grkan_operation_output_dtype(&operation), GRKAN_F16);
    operation.output_dtype = GRKAN_OUTPUT_F32;
    assert_int_equal(grkan_operation_output_dtype(&operation), GRKAN_F32);
    operation.output_dtype = GRKAN_OUTPUT_F64;
    assert_int_equal(grkan_operation_output_dtype(&operation), GRKAN_F64);
}

static void test_operations_have_tables(void **state)
{
    (void)state;
    static const struct {
        grkan_form form;
        int degree, width;
    } denominators[] = {{GRKAN_ABS_TERMS, 4, 4},      {GRKAN_ABS_SUM, 3, 3}, {GRKAN_PLAIN, 15, 15},
                        {GRKAN_ABS_SUM_OFFSET, 4, 5}, {GRKAN_SQUARE, 2, 2},  {GRKAN_ABS_SUM_OFFSET, 0, 1}};
    grkan_operation operation = layer_of_groups(2, 24, 6);
    for (size_t i = 0; i < sizeof denominators / sizeof *denominators; i++) {
        grkan_table tables[GRKAN_MOST_TABLES];
        int count = -1;
        operation.rational.form = denominators[i].form;
        operation.rational.denominator_degree = denominators[i].degree;
        assert_int_equal(grkan_operation_tables(&operation, tables, &count), GRKAN_SUCCESS);
        assert_int_equal(count, 2);
        assert_string_equal(tables[GRKAN_NUMERATOR].name, "numerator");
        assert_string_equal(tables[GRKAN_NUMERATOR].gradient, "dnumerator");
        assert_int_equal(tables[GRKAN_NUMERATOR].scope, GRKAN_SCOPE_SHARED);
        assert_int_equal(tables[GRKAN_NUMERATOR].rows, 1);
        assert_int_equal(tables[GRKAN_NUMERATOR].width, 6);
        assert_string_equal(tables[GRKAN_DENOMINATOR].name, "denominator");
        assert_string_equal(tables[GRKAN_DENOMINATOR].gradient, "ddenominator");
        assert_int_equal(tables[GRKAN_DENOMINATOR].scope, GRKAN_SCOPE_GROUP);
        assert_int_equal(tables[GRKAN_DENOMINATOR].rows, 6);
        assert_int_equal(tables[GRKAN_DENOMINATOR].width, denominators[i].width);
        assert_int_equal(grkan_operation_tables(&operation, NULL, &count), GRKAN_SUCCESS);
        assert_int_equal(count, 2);
    }
}

static void test_library_has_a_version(void **state)
{
    (void)state;
    char version[32];
    (void)snprintf(version, sizeof version, "%d.%d.%d", GRKAN_VERSION_MAJOR, GRKAN_VERSION_MINOR, GRKAN_VERSION_PATCH);
    assert_string_equal(grkan_version(), version);
    const char *const commit = grkan_commit();
    assert_non_null(commit);
    assert_true(strcmp(commit, "unknown") == 0 || strspn(commit, "0123456789abcdef") >= 7);
}

static void test_backends_are_listed(void **state)
{
    (void)state;
    assert_int_equal(grkan_backend_count(), 4);
    assert_string_equal(grkan_backend_name(0), "cuda");
    assert_string_equal(grkan_backend_name(1), "hip");
    assert_string_equal(grkan_backend_name(2), "opencl");
    assert_string_equal(grkan_backend_name(3), "cpu");
    assert_null(grkan_backend_name(-1));
    assert_null(grkan_backend_name(4));
}

/* --------------------------------------------------------------------------------------------- vendors' libraries */

#define ROOT GRKAN_OF_SYSTEM("/", "C:/")

static void test_library_folders_are_kept(void **state)
{
    (void)state;
    char folder[32] = ROOT "opt/of/this/test";
    const char *const expected = ROOT "opt/of/this/test";
    assert_null(grkan_library_folder_at(0));
    for (int twice = 0; twice < 2; twice++) {
        assert_int_equal(grkan_add_library_folder(folder), GRKAN_SUCCESS);
    }
    memset(folder, 'x', strlen(folder));
    assert_string_equal(grkan_library_folder_at(0), expected);
    assert_null(grkan_library_folder_at(1));
    assert_null(grkan_library_folder_at(-1));
    assert_int_equal(grkan_add_library_folder(NULL), GRKAN_ERROR_INVALID_ARGUMENT);
    assert_string_equal(grkan_last_error(), "folder is NULL; expected an absolute path");
    assert_int_equal(grkan_add_library_folder("lib"), GRKAN_ERROR_INVALID_ARGUMENT);
    assert_string_equal(grkan_last_error(), "folder is \"lib\"; expected an absolute path");
    for (int i = 1; i < 64; i++) {
        (void)snprintf(folder, sizeof folder, ROOT "%d", i);
        assert_int_equal(grkan_add_library_folder(folder), GRKAN_SUCCESS);
    }
    assert_int_equal(grkan_add_library_folder(ROOT "64"), GRKAN_ERROR_OUT_OF_MEMORY);
    assert_string_equal(grkan_last_error(), "no room for folder \"" ROOT "64\": there are 64 already");
    assert_string_equal(grkan_library_folder_at(63), ROOT "63");
    assert_null(grkan_library_folder_at(64));
}

static void test_misuse_of_libraries(void **state)
{
    (void)state;
    char text[8] = "old";
    assert_int_equal(grkan_backend_libraries("cpu", NULL, 8), GRKAN_ERROR_INVALID_ARGUMENT);
    assert_string_equal(grkan_last_error(), "text is NULL; expected where to put the libraries");
    assert_int_equal(grkan_backend_libraries("cpu", text, 0), GRKAN_ERROR_INVALID_ARGUMENT);
    assert_string_equal(grkan_last_error(), "bytes is 0; expected the room that text has");
    assert_string_equal(text, "old");
    assert_int_equal(grkan_backend_libraries(NULL, text, sizeof text), GRKAN_ERROR_INVALID_ARGUMENT);
    assert_string_equal(grkan_last_error(), "backend is NULL; expected the name of a backend");
    assert_string_equal(text, "");
    assert_int_equal(grkan_backend_libraries("cpuu", text, sizeof text), GRKAN_ERROR_NO_BACKEND);
    assert_int_equal(grkan_backend_libraries("cpu", text, sizeof text), GRKAN_SUCCESS);
    assert_string_equal(text, "");
}

/* -------------------------------------------------------------------------------------------------- error texts */

static void *look_at_text_of_new_thread(void *is_empty)
{
    *(bool *)is_empty = grkan_last_error()[0] == '\0';
    (void)grkan_fail(GRKAN_ERROR_DEVICE, "of the other thread");
    return NULL;
}

static void test_each_thread_has_its_text(void **state)
{
    (void)state;
    pthread_t thread;
    bool is_empty = false;
    assert_int_equal(grkan_fail(GRKAN_ERROR_COMPILE, "of %s thread", "this"), GRKAN_ERROR_COMPILE);
    assert_int_equal(pthread_create(&thread, NULL, look_at_text_of_new_thread, &is_empty), 0);
    assert_int_equal(pthread_join(thread, NULL), 0);
    assert_true(is_empty);
    assert_string_equal(grkan_last_error(), "of this thread");
}

static void test_a_text_may_be_part_of_the_next(void **state)
{
    (void)state;
    (void)grkan_fail(GRKAN_ERROR_DEVICE, "inner");
    (void)grkan_fail(GRKAN_ERROR_DEVICE, "outer (%s), %s", grkan_last_error(), grkan_last_error());
    assert_string_equal(grkan_last_error(), "outer (inner), inner");
}

/* Texts that end one byte before, at and after the room for them, with a character of two bytes on the border. */
static void test_long_texts_are_cut_between_characters(void **state)
{
    (void)state;
    static const char mark[] = " [cut]";
    char text[3 * 8192];
    for (size_t start = 0; start < 2; start++) {
        memset(text, 'x', start);
        for (size_t i = start; i + 2 < sizeof text; i += 2) {
            memcpy(text + i, "\xc3\xa9", 2);
        }
        text[(sizeof text - 2) / 2 * 2 - 2 + start] = '\0';
        (void)grkan_fail(GRKAN_ERROR_COMPILE, "%s", text);
        const char *const kept = grkan_last_error();
        const size_t length = strlen(kept) - strlen(mark);
        assert_string_equal(kept + length, mark);
        assert_true(length > 8000 && length < 8192);
        assert_memory_equal(kept, text, length);
        assert_int_equal((length - start) % 2, 0);
    }
    memset(text, 'y', 8191);
    text[8191] = '\0';
    (void)grkan_fail(GRKAN_ERROR_COMPILE, "%s", text);
    assert_string_equal(grkan_last_error(), text);
}

/* ------------------------------------------------------------------------------------------------------- misuse */

static float memory[16];

/* A call that must fail with this status and exactly this text. */
#define EXPECT_FAILURE(call, status, text)                                                                             \
    do {                                                                                                               \
        (void)grkan_fail(GRKAN_SUCCESS, "the call set no text");                                                       \
        assert_string_equal(grkan_status_name(call), #status);                                                         \
        assert_string_equal(grkan_last_error(), text);                                                                 \
    } while (0)

#define EXPECT_INVALID(call, text) EXPECT_FAILURE(call, GRKAN_ERROR_INVALID_ARGUMENT, text)

static void test_misuse_of_opening(void **state)
{
    (void)state;
    int count = 7;
    grkan_device *device = cpu;
    EXPECT_INVALID(grkan_device_count("cpu", NULL), "count is NULL; expected where to put the number of devices");
    EXPECT_INVALID(grkan_device_count(NULL, &count), "backend is NULL; expected the name of a backend");
    assert_int_equal(count, 0);
    count = 7;
    EXPECT_FAILURE(grkan_device_count("hpi", &count), GRKAN_ERROR_NO_BACKEND,
                   "there is no backend \"hpi\"; did you mean \"hip\"? Expected one of cuda, hip, opencl, cpu");
    assert_int_equal(count, 0);
    EXPECT_FAILURE(grkan_device_count("", &count), GRKAN_ERROR_NO_BACKEND,
                   "there is no backend \"\"; expected one of cuda, hip, opencl, cpu");
    EXPECT_INVALID(grkan_device_open("cpu", NULL), "device is NULL; expected where to put the device");
    EXPECT_INVALID(grkan_device_open("cpu:-1", &device),
                   "device \"cpu:-1\": the index \"-1\" is negative; expected 0 or more");
    assert_null(device);
    EXPECT_FAILURE(grkan_device_open("cpu:1", &device), GRKAN_ERROR_NO_DEVICE,
                   "device \"cpu:1\": backend \"cpu\" has 1 device: index 1 is not in 0..0");
    EXPECT_INVALID(grkan_device_open("cpu:0 ", &device), "device \"cpu:0 \": unexpected \" \" after the index 0");
    EXPECT_FAILURE(
        grkan_device_open("a-backend-with-a-very-long-name", &device), GRKAN_ERROR_NO_BACKEND,
        "device \"a-backend-with-a-very-long-name\": there is no backend \"a-backend-with-a-very-long-name\"; "
        "expected one of cuda, hip, opencl, cpu");
}

static void test_misuse_of_opening_by_index(void **state)
{
    (void)state;
    grkan_device *device = cpu;
    EXPECT_INVALID(grkan_device_open_index("cpu", 0, NULL), "device is NULL; expected where to put the device");
    EXPECT_INVALID(grkan_device_open_index(NULL, 0, &device), "backend is NULL; expected the name of a backend");
    assert_null(device);
    EXPECT_FAILURE(grkan_device_open_index("cpu", 1, &device), GRKAN_ERROR_NO_DEVICE,
                   "backend \"cpu\" has 1 device: index 1 is not in 0..0");
    EXPECT_FAILURE(grkan_device_open_index("cpu", -1, &device), GRKAN_ERROR_NO_DEVICE,
                   "backend \"cpu\" has 1 device: index -1 is not in 0..0");
    EXPECT_FAILURE(grkan_device_open_index("cpu:0", 0, &device), GRKAN_ERROR_NO_BACKEND,
                   "there is no backend \"cpu:0\"; did you mean \"cpu\"? Expected one of cuda, hip, opencl, cpu");
}

static void test_misuse_of_opening_natively(void **state)
{
    (void)state;
    grkan_device *device = cpu;
    int thing = 0;
    EXPECT_INVALID(grkan_device_open_native("cpu", &thing, &thing, NULL),
                   "device is NULL; expected where to put the device");
    EXPECT_INVALID(grkan_device_open_native(NULL, &thing, &thing, &device),
                   "backend is NULL; expected the name of a backend");
    assert_null(device);
    device = cpu;
    EXPECT_FAILURE(grkan_device_open_native("cpu", &thing, &thing, &device), GRKAN_ERROR_UNSUPPORTED,
                   "backend \"cpu\" opens no device inside a context of the caller's; use grkan_device_open");
    assert_null(device);
}

#define NO_DEVICE_TEXT "device is NULL; expected a device that grkan_device_open gave"

static void test_misuse_of_a_device(void **state)
{
    (void)state;
    grkan_device_properties properties;
    double milliseconds = 0;
    EXPECT_INVALID(grkan_device_describe(NULL, &properties), NO_DEVICE_TEXT);
    EXPECT_INVALID(grkan_device_describe(cpu, NULL), "properties is NULL; expected where to put what the device is");
    EXPECT_INVALID(grkan_device_synchronize(NULL), NO_DEVICE_TEXT);
    EXPECT_INVALID(grkan_timer_start(NULL), NO_DEVICE_TEXT);
    EXPECT_INVALID(grkan_timer_stop(NULL, &milliseconds), NO_DEVICE_TEXT);
    EXPECT_INVALID(grkan_timer_stop(cpu, NULL), "milliseconds is NULL; expected where to put the time");
    grkan_device_close(NULL);
}

static void test_misuse_of_allocation(void **state)
{
    (void)state;
    void *base = memory;
    EXPECT_INVALID(grkan_memory_allocate(cpu, 16, NULL), "base is NULL; expected where to put the memory");
    EXPECT_INVALID(grkan_memory_allocate(NULL, 16, &base), NO_DEVICE_TEXT);
    assert_null(base);
    base = memory;
    EXPECT_INVALID(grkan_memory_allocate(cpu, 0, &base), "bytes is 0; expected 1 or more");
    assert_null(base);
    assert_int_equal(grkan_memory_allocate(cpu, SIZE_MAX / 2, &base), GRKAN_ERROR_OUT_OF_MEMORY);
    assert_null(base);
    grkan_memory_free(cpu, NULL);
    grkan_memory_free(NULL, NULL);
}

static void test_misuse_of_copies(void **state)
{
    (void)state;
    const grkan_buffer none = {NULL, 0};
    const grkan_buffer start = {memory, 0};
    const grkan_buffer beyond = {memory, SIZE_MAX};
    const grkan_buffer middle = {memory, 28};
    const char *const run_over = "offset 18446744073709551615 and bytes 4 run over the end of the address space";
    char text[128];

    EXPECT_INVALID(grkan_memory_upload(NULL, start, memory, 4), NO_DEVICE_TEXT);
    EXPECT_INVALID(grkan_memory_upload(cpu, none, memory, 4), "to.base is NULL; expected memory of the device");
    EXPECT_INVALID(grkan_memory_upload(cpu, start, NULL, 4), "from is NULL; expected memory of the host");
    (void)snprintf(text, sizeof text, "to.%s", run_over);
    EXPECT_INVALID(grkan_memory_upload(cpu, beyond, memory, 4), text);
    EXPECT_INVALID(grkan_memory_copy(cpu, beyond, start, 4), text);

    EXPECT_INVALID(grkan_memory_download(NULL, memory, start, 4), NO_DEVICE_TEXT);
    EXPECT_INVALID(grkan_memory_download(cpu, memory, none, 4), "from.base is NULL; expected memory of the device");
    EXPECT_INVALID(grkan_memory_download(cpu, NULL, start, 4), "to is NULL; expected memory of the host");
    (void)snprintf(text, sizeof text, "from.%s", run_over);
    EXPECT_INVALID(grkan_memory_download(cpu, memory, beyond, 4), text);
    EXPECT_INVALID(grkan_memory_copy(cpu, start, beyond, 4), text);

    EXPECT_INVALID(grkan_memory_copy(NULL, start, middle, 4), NO_DEVICE_TEXT);
    EXPECT_INVALID(grkan_memory_copy(cpu, none, start, 4), "to.base is NULL; expected memory of the device");
    EXPECT_INVALID(grkan_memory_copy(cpu, start, none, 4), "from.base is NULL; expected memory of the device");
    EXPECT_INVALID(grkan_memory_copy(cpu, start, middle, 29),
                   "to overlaps from; expected 29 bytes apart from each other");
    EXPECT_INVALID(grkan_memory_copy(cpu, middle, start, 29),
                   "to overlaps from; expected 29 bytes apart from each other");
}

/* ------------------------------------------------------------------------------------------------------ good use */

static void test_memory_goes_round(void **state)
{
    (void)state;
    static const char sent[8] = "ABCDEFG";
    char received[8] = "";
    double milliseconds = -1;
    void *base = NULL;
    assert_int_equal(grkan_memory_allocate(cpu, 64, &base), GRKAN_SUCCESS);
    assert_int_equal((uintptr_t)base % 64, 0);
    assert_int_equal(grkan_timer_start(cpu), GRKAN_SUCCESS);
    assert_int_equal(grkan_memory_upload(cpu, (grkan_buffer){base, 8}, sent, sizeof sent), GRKAN_SUCCESS);
    assert_int_equal(grkan_memory_copy(cpu, (grkan_buffer){base, 16}, (grkan_buffer){base, 8}, 8), GRKAN_SUCCESS);
    assert_int_equal(grkan_memory_copy(cpu, (grkan_buffer){base, 8}, (grkan_buffer){base, 16}, 8), GRKAN_SUCCESS);
    assert_int_equal(grkan_device_synchronize(cpu), GRKAN_SUCCESS);
    assert_int_equal(grkan_timer_stop(cpu, &milliseconds), GRKAN_SUCCESS);
    assert_int_equal(grkan_memory_download(cpu, received, (grkan_buffer){base, 16}, 8), GRKAN_SUCCESS);
    assert_memory_equal(received, sent, sizeof sent);
    assert_true(milliseconds >= 0);
    grkan_memory_free(cpu, base);
}

static void test_copies_of_nothing_succeed(void **state)
{
    (void)state;
    const grkan_buffer none = {NULL, 0};
    assert_int_equal(grkan_memory_upload(cpu, none, NULL, 0), GRKAN_SUCCESS);
    assert_int_equal(grkan_memory_download(cpu, NULL, none, 0), GRKAN_SUCCESS);
    assert_int_equal(grkan_memory_copy(cpu, none, none, 0), GRKAN_SUCCESS);
}

static void test_the_cpu_is_described(void **state)
{
    (void)state;
    int count = 0;
    grkan_device *device = NULL;
    grkan_device_properties properties;
    assert_int_equal(grkan_device_count("cpu", &count), GRKAN_SUCCESS);
    assert_int_equal(count, 1);
    assert_int_equal(grkan_device_open_index("cpu", 0, &device), GRKAN_SUCCESS);
    assert_int_equal(grkan_device_describe(device, &properties), GRKAN_SUCCESS);
    assert_string_equal(properties.selector, "cpu");
    assert_string_equal(properties.backend, "cpu");
    assert_int_equal(properties.is_gpu, 0);
    assert_true(device->limits.max_block > 0);
    grkan_device_close(device);
    assert_int_equal(grkan_device_open("cpu:0", &device), GRKAN_SUCCESS);
    grkan_device_close(device);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_statuses_have_names),
        cmocka_unit_test(test_values_have_names),
        cmocka_unit_test(test_types_have_sizes),
        cmocka_unit_test(test_operations_have_one_or_two_types),
        cmocka_unit_test(test_operations_have_tables),
        cmocka_unit_test(test_library_has_a_version),
        cmocka_unit_test(test_backends_are_listed),
        cmocka_unit_test(test_library_folders_are_kept),
        cmocka_unit_test(test_misuse_of_libraries),
        cmocka_unit_test(test_each_thread_has_its_text),
        cmocka_unit_test(test_a_text_may_be_part_of_the_next),
        cmocka_unit_test(test_long_texts_are_cut_between_characters),
        cmocka_unit_test(test_misuse_of_opening),
        cmocka_unit_test(test_misuse_of_opening_by_index),
        cmocka_unit_test(test_misuse_of_opening_natively),
        cmocka_unit_test(test_misuse_of_a_device),
        cmocka_unit_test(test_misuse_of_allocation),
        cmocka_unit_test(test_misuse_of_copies),
        cmocka_unit_test(test_memory_goes_round),
        cmocka_unit_test(test_copies_of_nothing_succeed),
        cmocka_unit_test(test_the_cpu_is_described),
    };
    return cmocka_run_group_tests_name("core", tests, open_cpu, close_cpu);
}
