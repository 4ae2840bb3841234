/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file test_pool.c
 * @brief The cpu backend's threads: forks, threads that the system does not give, many callers, pools of the caller's.
 *
 * All results are compared with those of one thread.
 */
#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "call.h"
#include "on_cpu.h"

enum { rows = 640, channels = 768, elements = rows * channels, groups = 8, coefficients = 6 + 4 * groups };

/* One run takes a tenth of a second under AddressSanitizer. */
#if defined(__SANITIZE_ADDRESS__)
enum { forks = 4, callers = 64 };
#else
enum { forks = 10, callers = 256 };
#endif

/* ------------------------------------------------------------------------------------- threads that cannot be had */

static atomic_int created, most_created = 100000;

/** Stands before the system's: the library finds this one. */
int pthread_create(pthread_t *thread, const pthread_attr_t *attributes, void *(*run)(void *), void *argument)
{
    int (*real)(pthread_t *, const pthread_attr_t *, void *(*)(void *), void *);
    void *const found = dlsym(RTLD_NEXT, "pthread_create");
    memcpy(&real, &found, sizeof real);
    if (atomic_fetch_add(&created, 1) >= atomic_load(&most_created)) {
        atomic_fetch_sub(&created, 1);
        return EAGAIN;
    }
    return real(thread, attributes, run, argument);
}

/* ----------------------------------------------------------------------------------------------------- both passes */

/** Inputs that all share, and what one thread makes of them. */
static float x[elements], dy[elements], numerator[6], denominator[4 * groups];

typedef struct results {
    float y[elements], dx[elements], sums[coefficients];
} results;

static results expected;

/** @return NULL without one. Any thread and any child may call it. */
static grkan_plan *plan_with(const grkan_options *options)
{
    const grkan_operation operation = layer_of(rows, channels);
    grkan_plan *plan = NULL;
    return grkan_plan_create(cpu, &operation, options, &plan) == GRKAN_SUCCESS ? plan : NULL;
}

/** @return false if a call failed. Calls nothing that only the main thread may. */
static bool run(const grkan_plan *plan, results *r)
{
    const size_t bytes = grkan_plan_workspace_bytes(plan);
    void *const workspace = aligned_alloc(64, (bytes + 63) / 64 * 64 + 64);
    memset(workspace, 0, bytes);
    memset(r, 0xa5, sizeof *r);
    const device_layer at = {.tensor = {[CHECK_X] = {x, 0},
                                        [CHECK_DY] = {dy, 0},
                                        [CHECK_NUMERATOR] = {numerator, 0},
                                        [CHECK_DENOMINATOR] = {denominator, 0},
                                        [CHECK_Y] = {r->y, 0},
                                        [CHECK_DX] = {r->dx, 0},
                                        [CHECK_DNUMERATOR] = {r->sums, 0},
                                        [CHECK_DDENOMINATOR] = {r->sums + 6, 0}},
                             .workspace = {workspace, 0},
                             .workspace_bytes = bytes};
    const bool is_good = call_both(plan, &at, NULL) == GRKAN_SUCCESS;
    free(workspace);
    return is_good;
}

/** Run a plan, and compare. */
static bool runs_right(const grkan_plan *plan)
{
    results *const r = malloc(sizeof *r);
    const bool is_right = r != NULL && plan != NULL && run(plan, r) && memcmp(r, &expected, sizeof expected) == 0;
    free(r);
    return is_right;
}

/** A plan is made, runs, and is gone. */
static bool options_run_right(const grkan_options *options)
{
    grkan_plan *const plan = plan_with(options);
    const bool is_right = runs_right(plan);
    grkan_plan_destroy(plan);
    return is_right;
}

static bool threads_run_right(int threads)
{
    return options_run_right(&(grkan_options){.cpu_threads = threads});
}

/** Threads of this process; -1 where that cannot be told. */
static int count_threads(void)
{
    int count = 0;
    DIR *const folder = opendir("/proc/self/task");
    if (folder == NULL)
        return -1;
    for (const struct dirent *entry; (entry = readdir(folder)) != NULL;)
        count += entry->d_name[0] != '.';
    (void)closedir(folder);
    return count;
}

/** The last device closed, and so the threads are gone. */
static void open_again(void)
{
    grkan_device_close(cpu);
    cpu = open_device("cpu");
}

/* ------------------------------------------------------------------------------------------------------------ tests */

/** Rows that are cut into many blocks, for as many threads. */
static void test_as_many_threads_as_may_be(void **state)
{
    const grkan_operation operation = layer_of_groups(1, elements, elements / 1024); /* as wide as a block */
    grkan_plan *plan = NULL;
    float *const y = malloc(2 * sizeof(float) * elements), *const alone = y + elements;
    (void)state;
    assert_non_null(y);
    open_again();
    const int before = atomic_load(&created);
    for (int threads = 1; threads <= 1024; threads += 1023) {
        const grkan_options options = {.cpu_threads = threads};
        const device_layer at = {.tensor = {[CHECK_X] = {x, 0},
                                            [CHECK_NUMERATOR] = {numerator, 0},
                                            [CHECK_DENOMINATOR] = {dy, 0},
                                            [CHECK_Y] = {threads == 1 ? alone : y, 0}}};
        assert_int_equal(grkan_plan_create(cpu, &operation, &options, &plan), GRKAN_SUCCESS);
        for (int round = 0; round < 3; round++)
            assert_int_equal(call_forward(plan, &at, NULL), GRKAN_SUCCESS);
        grkan_plan_destroy(plan);
    }
    assert_true(atomic_load(&created) - before > 400); /* one for each block but the caller's */
    assert_memory_equal(y, alone, sizeof(float) * elements);
    free(y);
    open_again();
}

static void test_any_number_of_threads_gives_the_same_bits(void **state)
{
    static const int threads[] = {0, 1, 2, 3, 7, 64, 1024};
    (void)state;
    for (size_t i = 0; i < sizeof threads / sizeof threads[0]; i++)
        if (!threads_run_right(threads[i]))
            fail_msg("%d threads: others than one, or %s", threads[i], grkan_last_error());
}

static void test_threads_end_with_the_last_device(void **state)
{
    (void)state;
    open_again();
    grkan_device *const other = open_device("cpu");
    const int before = atomic_load(&created);
    assert_true(threads_run_right(4));
    assert_int_equal(atomic_load(&created), before + 3);
    const int during = count_threads();
    grkan_device_close(other);
    assert_true(threads_run_right(4));
    assert_true(threads_run_right(2));
    assert_int_equal(atomic_load(&created), before + 3);
    open_again();
    if (during < 0)
        skip();
    for (int i = 0; i < 1000 && count_threads() != during - 3; i++) /* the system takes a moment */
        (void)usleep(1000);
    assert_int_equal(count_threads(), during - 3);
}

static void test_fewer_threads_will_do(void **state)
{
    (void)state;
    for (int most = 0; most < 3; most++) {
        open_again();
        atomic_store(&created, 0);
        atomic_store(&most_created, most);
        const bool is_right = threads_run_right(1024) && threads_run_right(0);
        const int got = atomic_load(&created);
        atomic_store(&most_created, 100000);
        assert_true(is_right);
        assert_int_equal(got, most);
    }
}

/** In a forked child: what the parent planned, and what is planned here. A child that hangs is ended by the alarm. */
static void be_a_child(const grkan_plan *plan)
{
    (void)alarm(60);
    bool is_right = runs_right(plan) && runs_right(plan);
#ifndef __SANITIZE_THREAD__ /* starts no thread in the child of a process that had several */
    is_right = is_right && threads_run_right(3) && runs_right(plan);
    grkan_device_close(cpu);
#endif
    _exit(is_right ? 0 : 1);
}

static void fork_and_check(const grkan_plan *plan)
{
    int status = -1;
    const pid_t child = fork();
    if (child == 0)
        be_a_child(plan);
    assert_true(child > 0);
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
}

static void test_children_compute_between_calls(void **state)
{
    (void)state;
    grkan_plan *const plan = plan_with(&(grkan_options){.cpu_threads = 4});
    fork_and_check(plan); /* threads that never ran */
    assert_true(runs_right(plan));
    fork_and_check(plan);
    assert_true(runs_right(plan));
    grkan_plan_destroy(plan);
}

typedef struct runner {
    const grkan_plan *plan;
    atomic_int is_to_stop, rounds, is_wrong;
} runner;

static void *keep_running(void *argument)
{
    runner *const r = argument;
    while (atomic_load(&r->is_to_stop) == 0) {
        if (!runs_right(r->plan))
            atomic_store(&r->is_wrong, 1);
        atomic_fetch_add(&r->rounds, 1);
    }
    return NULL;
}

static void test_children_compute_when_forked_during_calls(void **state)
{
    (void)state;
    runner r = {.plan = plan_with(&(grkan_options){.cpu_threads = 4})};
    pthread_t threads[2];
    for (int i = 0; i < 2; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, keep_running, &r), 0);
    for (int i = 0; i < forks; i++)
        fork_and_check(r.plan);
    while (atomic_load(&r.rounds) < 4)
        (void)usleep(1000);
    atomic_store(&r.is_to_stop, 1);
    for (int i = 0; i < 2; i++)
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    assert_int_equal(atomic_load(&r.is_wrong), 0);
    grkan_plan_destroy((grkan_plan *)r.plan);
}

static void *run_once(void *argument)
{
    runner *const r = argument;
    if (!runs_right(r->plan))
        atomic_store(&r->is_wrong, 1);
    return NULL;
}

static void test_many_callers_at_once(void **state)
{
    (void)state;
    open_again();
    runner r = {.plan = plan_with(&(grkan_options){.cpu_threads = 4})};
    pthread_t threads[callers];
    for (int i = 0; i < callers; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, run_once, &r), 0);
    assert_true(count_threads() <= callers + 1 + 3 + 1); /* callers, this one, helpers; ThreadSanitizer has one more */
    for (int i = 0; i < callers; i++)
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    assert_int_equal(atomic_load(&r.is_wrong), 0);
    grkan_plan_destroy((grkan_plan *)r.plan);
}

/* --------------------------------------------------------------------------------------------- pools of the caller's */

/** What a pool of the test's saw of its last call. */
static struct {
    int calls;
    int64_t count;
    int has_failed;
} seen;

static int pool_context;

static void note(const void *context, int64_t count)
{
    seen.calls++;
    seen.count = count;
    seen.has_failed |= context != &pool_context || count < 2 || count > 4;
}

static void run_in_reverse(void *context, int64_t count, grkan_task task, void *argument)
{
    note(context, count);
    while (count-- > 0)
        task(argument, count);
}

static void run_none(void *context, int64_t count, grkan_task task, void *argument)
{
    (void)task;
    (void)argument;
    note(context, count);
}

static void run_last_alone(void *context, int64_t count, grkan_task task, void *argument)
{
    note(context, count);
    task(argument, count - 1);
}

typedef struct one_task {
    grkan_task task;
    void *argument;
    int64_t index;
    pthread_t thread;
} one_task;

static void *run_one(void *argument)
{
    const one_task *const one = argument;
    one->task(one->argument, one->index);
    return NULL;
}

static void run_on_other_threads(void *context, int64_t count, grkan_task task, void *argument)
{
    one_task tasks[4];
    note(context, count);
    for (int64_t i = 0; i < count && i < 4; i++) {
        tasks[i] = (one_task){.task = task, .argument = argument, .index = i};
        seen.has_failed |= pthread_create(&tasks[i].thread, NULL, run_one, &tasks[i]) != 0;
    }
    for (int64_t i = 0; i < count && i < 4; i++)
        seen.has_failed |= pthread_join(tasks[i].thread, NULL) != 0;
}

static grkan_plan *inner_plan;

/** A pool whose user calls grkan from within, with the library's own pool. */
static void run_nested(void *context, int64_t count, grkan_task task, void *argument)
{
    note(context, count);
    task(argument, 0);
    seen.has_failed |= !runs_right(inner_plan);
    task(argument, 1);
}

static void test_a_pool_of_the_callers(void **state)
{
    static const grkan_parallel_for pools[] = {run_in_reverse, run_none, run_last_alone, run_on_other_threads,
                                               run_nested};
    (void)state;
    inner_plan = plan_with(&(grkan_options){.cpu_threads = 3});
    for (size_t i = 0; i < sizeof pools / sizeof pools[0]; i++) {
        const grkan_options options = {
            .cpu_threads = 4, .cpu_parallel_for = pools[i], .cpu_parallel_context = &pool_context};
        memset(&seen, 0, sizeof seen);
        const bool is_right = options_run_right(&options);
        if (!is_right || seen.has_failed || seen.calls < 2 || seen.count != 4)
            fail_msg("pool %zu: %s, %d calls, the last of %d tasks", i, is_right ? "right" : "wrong", seen.calls,
                     (int)seen.count);
        memset(&seen, 0, sizeof seen);
        assert_true(options_run_right(
            &(grkan_options){.cpu_threads = 1, .cpu_parallel_for = pools[i], .cpu_parallel_context = &pool_context}));
        assert_int_equal(seen.calls, 0);
    }
    grkan_plan_destroy(inner_plan);
}

/* ----------------------------------------------------------------------------------------- the default number of them */

static void test_the_environment_gives_the_number(void **state)
{
    static const struct {
        const char *text;
        int units; /* 0: refused */
    } cases[] = {{"1", 1},  {"3", 3},   {"1024", 1024}, {"0", 0},  {"-1", 0}, {"1025", 0},
                 {"+3", 0}, {" 3", 0},  {"3 ", 0},      {"3x", 0}, {"x", 0},  {"99999999999999999999", 0},
                 {"2.", 0}, {"0x2", 0}, {"003", 3}};
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        grkan_device *opened = NULL;
        grkan_device_properties properties;
        char text[160];
        assert_int_equal(setenv("GRKAN_CPU_THREADS", cases[i].text, 1), 0);
        const grkan_status status = grkan_device_open("cpu", &opened);
        assert_int_equal(unsetenv("GRKAN_CPU_THREADS"), 0);
        if (cases[i].units == 0) {
            assert_int_equal(status, GRKAN_ERROR_INVALID_ARGUMENT);
            assert_null(opened);
            (void)snprintf(text, sizeof text,
                           "device \"cpu\": the environment's GRKAN_CPU_THREADS is \"%s\"; expected 1 to 1024",
                           cases[i].text);
            assert_string_equal(grkan_last_error(), text);
            continue;
        }
        assert_int_equal(status, GRKAN_SUCCESS);
        assert_int_equal(grkan_device_describe(opened, &properties), GRKAN_SUCCESS);
        assert_int_equal(properties.compute_units, cases[i].units);
        (void)snprintf(text, sizeof text, "%d thread%s", cases[i].units, cases[i].units == 1 ? "" : "s");
        assert_string_equal(properties.driver, text);
        grkan_device_close(opened);
    }
}

/* --------------------------------------------------------------------------------------------------------------- */

static int set_up(void **state)
{
    (void)state;
    for (int i = 0; i < elements; i++) {
        x[i] = (float)(i * 37 % 2003 - 1001) / 200;
        dy[i] = (float)(i * 53 % 1999 - 999) / 300;
    }
    for (int i = 0; i < 6; i++)
        numerator[i] = 0.3f / (float)(i + 1);
    for (int i = 0; i < 4 * groups; i++)
        denominator[i] = 0.1f * (float)(i % 5 - 2);
    cpu = open_device("cpu");
    grkan_plan *const plan = plan_with(&(grkan_options){.cpu_threads = 1});
    const bool is_good = plan != NULL && run(plan, &expected);
    grkan_plan_destroy(plan);
    return is_good ? 0 : -1;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_threads_end_with_the_last_device),
        cmocka_unit_test(test_as_many_threads_as_may_be),
        cmocka_unit_test(test_any_number_of_threads_gives_the_same_bits),
        cmocka_unit_test(test_fewer_threads_will_do),
        cmocka_unit_test(test_children_compute_between_calls),
        cmocka_unit_test(test_children_compute_when_forked_during_calls),
        cmocka_unit_test(test_many_callers_at_once),
        cmocka_unit_test(test_a_pool_of_the_callers),
        cmocka_unit_test(test_the_environment_gives_the_number),
    };
    return cmocka_run_group_tests_name("pool", tests, set_up, close_cpu);
}
