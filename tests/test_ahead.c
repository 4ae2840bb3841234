/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file test_ahead.c
 * @brief Kernels of a check that other processes compile (tools/check/ahead.h), on OpenCL: found by this one, which compiled
 * none of them.
 */
#include <dirent.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "../core/platform/platform.h"
#include "../tools/check/ahead.h"

enum { DEGREES = 2, SIZES = 2, CASES = DEGREES * SIZES };

static const char *const selectors[] = {"opencl"};

/** Two programs, each with two cases that differ in the number of rows. */
static void make_cases(check_case cases[CASES])
{
    for (int i = 0; i < CASES; i++) {
        cases[i] = (check_case){.name = "ahead", .seed = 1, .operation = GRKAN_OPERATION_INIT};
        cases[i].operation.outer = 3 + i % SIZES;
        cases[i].operation.rational.numerator_degree = 1 + i / SIZES;
        cases[i].operation.rational.denominator_degree = 1;
    }
}

/** The compiled programs in a folder; what is being written there has a name of its own, longer than 32 digits. */
static int count_files(const char *folder)
{
    enum { digits = 32 };
    int count = 0;
    DIR *const all = opendir(folder);
    assert_non_null(all);
    for (const struct dirent *one; (one = readdir(all)) != NULL;)
        count += strlen(one->d_name) == digits;
    (void)closedir(all);
    return count;
}

static void remove_files(const char *folder)
{
    char path[GRKAN_PATH_BYTES];
    DIR *const all = opendir(folder);
    assert_non_null(all);
    for (const struct dirent *one; (one = readdir(all)) != NULL;)
        if (one->d_name[0] != '.' && snprintf(path, sizeof path, "%s/%s", folder, one->d_name) < (int)sizeof path)
            (void)remove(path);
    (void)closedir(all);
    assert_int_equal(rmdir(folder), 0);
}

/** Whether the program of a case was compiled now. */
static int is_compiled(grkan_device *device, const check_case *one)
{
    grkan_plan *plan = NULL;
    grkan_plan_description description;
    assert_int_equal(grkan_plan_create(device, &one->operation, &one->options, &plan), GRKAN_SUCCESS);
    assert_int_equal(grkan_plan_describe(plan, &description), GRKAN_SUCCESS);
    grkan_plan_destroy(plan);
    return description.is_compiled;
}

/** Until a helper ends by itself, which leaves it to be waited for by the end. */
static void await_one(void)
{
    siginfo_t which;
    assert_int_equal(waitid(P_ALL, 0, &which, WEXITED | WNOWAIT), 0);
}

static void test_kernels_are_there_before_their_cases(void **state)
{
    char folder[GRKAN_PATH_BYTES / 2];
    check_case cases[CASES];
    const check_table table = {cases, CASES};
    grkan_device *device = NULL;
    (void)state;
    make_cases(cases);
    assert_true(grkan_temporary_folder(folder, sizeof folder));
    assert_true(grkan_set_environment("GRKAN_CACHE_DIR", folder));
    check_ahead *ahead = check_ahead_start(selectors, 1, &table, 1);
    if (ahead == NULL && grkan_processors() == 1)
        skip();
    assert_non_null(ahead);
    if (grkan_device_open("opencl", &device) != GRKAN_SUCCESS) {
        check_ahead_end(ahead);
        skip();
    }
    check_ahead_compile(ahead, 0);
    while (count_files(folder) < DEGREES)
        (void)usleep(10000);
    check_ahead_end(ahead);
    for (int i = 0; i < CASES; i++)
        assert_int_equal(is_compiled(device, &cases[i]), 0);
    grkan_device_close(device);

    ahead = check_ahead_start(selectors, 1, &table, 1);
    assert_non_null(ahead);
    check_ahead_compile(ahead, 0);
    await_one(); /* nothing is to be compiled, and it does not wait for more */
    check_ahead_end(ahead);
    remove_files(folder);
}

static void test_nobody_helps_where_it_is_of_no_use(void **state)
{
    check_case cases[CASES];
    const check_table one_program = {cases, SIZES}, whole = {cases, CASES};
    (void)state;
    make_cases(cases);
    assert_null(check_ahead_start(selectors, 1, &one_program, 1));
    assert_true(grkan_set_environment("GRKAN_CACHE", "off"));
    assert_null(check_ahead_start(selectors, 1, &whole, 1));
    assert_true(grkan_set_environment("GRKAN_CACHE", NULL));
    check_ahead_compile(NULL, 0);
    check_ahead_end(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_nobody_helps_where_it_is_of_no_use),
        cmocka_unit_test(test_kernels_are_there_before_their_cases),
    };
    return cmocka_run_group_tests_name("ahead", tests, NULL, NULL);
}
