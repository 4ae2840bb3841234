/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file test_failures.c
 * @brief What calls that fail leave: pointers are NULL, counts 0 and compilations empty; everything else is as it was.
 */
#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <grkan/compile.h>
#include <grkan/fit.h>
#include <grkan/predict.h>

#include "misuse.h"
#include "on_cpu.h"

static grkan_plan *plan;
static const grkan_operation layer = GRKAN_OPERATION_INIT;

static int start(void **state)
{
    return open_cpu(state) == 0 && grkan_plan_create(cpu, &layer, NULL, &plan) == GRKAN_SUCCESS ? 0 : -1;
}

static int end(void **state)
{
    grkan_plan_destroy(plan);
    return close_cpu(state);
}

/** No call is to leave it. */
static void *stale(void)
{
    static char something;
    return &something;
}

#define EXPECT_NULL(type, call)                                                                                        \
    do {                                                                                                               \
        type *out = (type *)stale();                                                                                   \
        assert_true((call) < 0);                                                                                       \
        if (out != NULL)                                                                                               \
            fail_msg("%s leaves %s", #call, out == stale() ? "what was there" : "something");                          \
    } while (0)

static void test_pointers_are_null(void **state)
{
    (void)state;
    grkan_operation wrong = GRKAN_OPERATION_INIT;
    wrong.groups = 9;
    EXPECT_NULL(grkan_device, grkan_device_open("cdua", &out));
    EXPECT_NULL(grkan_device, grkan_device_open("cpu:1", &out));
    EXPECT_NULL(grkan_device, grkan_device_open("cpu:x", &out));
    EXPECT_NULL(grkan_device, grkan_device_open(":", &out));
    EXPECT_NULL(grkan_device, grkan_device_open_index(NULL, 0, &out));
    EXPECT_NULL(grkan_device, grkan_device_open_index("cpu", -1, &out));
    EXPECT_NULL(grkan_device, grkan_device_open_native(NULL, stale(), stale(), &out));
    EXPECT_NULL(grkan_device, grkan_device_open_native("cpu", stale(), stale(), &out));
    EXPECT_NULL(grkan_plan, grkan_plan_create(NULL, &layer, NULL, &out));
    EXPECT_NULL(grkan_plan, grkan_plan_create(cpu, NULL, NULL, &out));
    EXPECT_NULL(grkan_plan, grkan_plan_create(cpu, &wrong, NULL, &out));
    EXPECT_NULL(void, grkan_memory_allocate(NULL, 1, &out));
    EXPECT_NULL(void, grkan_memory_allocate(cpu, 0, &out));
    EXPECT_NULL(void, grkan_memory_allocate(cpu, SIZE_MAX, &out));
    EXPECT_NULL(const grkan_preset, grkan_preset_find(NULL, GRKAN_PLAIN, &out));
    EXPECT_NULL(const grkan_preset, grkan_preset_find("gelo", GRKAN_PLAIN, &out));
    EXPECT_NULL(const grkan_preset, grkan_preset_find("gelu", (grkan_form)7, &out));
    EXPECT_NULL(const grkan_preset, grkan_preset_find("kat_gelu", GRKAN_PLAIN, &out));
}

static void test_counts_are_zero_and_compilations_empty(void **state)
{
    static const char *const backends[] = {NULL, "cdua", ""};
    const grkan_compilation nothing = {0};
    (void)state;
    for (size_t i = 0; i < COUNT_OF(backends); i++) {
        grkan_compilation made;
        int count = 7;
        assert_true(grkan_device_count(backends[i], &count) < 0);
        assert_int_equal(count, 0);
        memset(&made, 0xA5, sizeof made);
        assert_true(grkan_compile(backends[i], "sm_90", NULL, &layer, NULL, &made) < 0);
        assert_memory_equal(&made, &nothing, sizeof made);
        grkan_compilation_free(&made);
    }
}

#define EXPECT_UNTOUCHED(type, call)                                                                                   \
    do {                                                                                                               \
        type out, before;                                                                                              \
        memset(&out, 0xA5, sizeof out);                                                                                \
        memcpy(&before, &out, sizeof out);                                                                             \
        assert_true((call) < 0);                                                                                       \
        if (memcmp(&out, &before, sizeof out) != 0)                                                                    \
            fail_msg("%s changes what it was to fill in", #call);                                                      \
    } while (0)

static void test_everything_else_is_as_it_was(void **state)
{
    (void)state;
    const grkan_ceilings ceilings = {0};
    grkan_fit_problem wrong = GRKAN_FIT_PROBLEM_INIT;
    EXPECT_UNTOUCHED(grkan_device_properties, grkan_device_describe(NULL, &out));
    EXPECT_UNTOUCHED(grkan_plan_description, grkan_plan_describe(NULL, &out));
    EXPECT_UNTOUCHED(grkan_prediction, grkan_plan_predict(NULL, &ceilings, &out));
    EXPECT_UNTOUCHED(grkan_prediction, grkan_plan_predict(plan, NULL, &out));
    EXPECT_UNTOUCHED(double, grkan_timer_stop(NULL, &out));
    EXPECT_UNTOUCHED(double, grkan_function_value("gelo", 1, &out));
    EXPECT_UNTOUCHED(double, grkan_function_value(NULL, 1, &out));
    EXPECT_UNTOUCHED(double, grkan_memory_download(NULL, &out, (grkan_buffer){cpu, 0}, sizeof out));
    EXPECT_UNTOUCHED(double, grkan_memory_download(cpu, &out, (grkan_buffer){NULL, 0}, sizeof out));
    EXPECT_UNTOUCHED(grkan_fit_result, grkan_fit(NULL, &out));
    EXPECT_UNTOUCHED(grkan_fit_result, grkan_fit(&wrong, &out));
    wrong.function = "gelo";
    EXPECT_UNTOUCHED(grkan_fit_result, grkan_fit(&wrong, &out));
    wrong.function = "gelu";
    wrong.numerator_degree = 16;
    EXPECT_UNTOUCHED(grkan_fit_result, grkan_fit(&wrong, &out));
}

/** Any number is an index; here, since sanitizers see what overflows, and test_presets is long. */
static void test_an_index_of_no_preset_gives_null(void **state)
{
    (void)state;
    int count = 0;
    while (grkan_preset_at(count) != NULL)
        count++;
    const int outside[] = {INT_MIN, INT_MIN + 1, INT_MIN + count, -count, -1, count, count + 1, INT_MAX};
    for (size_t i = 0; i < COUNT_OF(outside); i++)
        assert_null(grkan_preset_at(outside[i]));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_pointers_are_null),
        cmocka_unit_test(test_counts_are_zero_and_compilations_empty),
        cmocka_unit_test(test_everything_else_is_as_it_was),
        cmocka_unit_test(test_an_index_of_no_preset_gives_null),
    };
    return cmocka_run_group_tests(tests, start, end);
}
