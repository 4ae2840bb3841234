/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file test_threads.c
 * @brief Many threads at once: one plan shared by all, error texts of each its own, plans made in parallel.
 */
#include <dirent.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "../core/platform/platform.h"
#include "call.h"
#include "present.h"

enum { most_threads = 8, rounds = 5 };

static present_devices devices;

/** What the threads run: gradients in parts on every device, of types that every device runs. */
static const check_case cases[] = {
    {.name = "f32",
     .seed = 1,
     .operation = {SHAPE(2500, 96, 1), GROUPS(8, SHARED, PER_GROUP), RATIONAL(5, 4, GRKAN_ABS_TERMS),
                   .dtype = GRKAN_F32}},
    {.name = "bf16, unequal groups",
     .seed = 2,
     .operation = {SHAPE(300, 50, 7), GROUPS(4, PER_GROUP, SHARED), RATIONAL(3, 2, GRKAN_ABS_SUM), .dtype = GRKAN_BF16},
     .options = {.cpu_threads = 1, .determinism = GRKAN_DEVICE_TO_DEVICE},
     .accumulation = GRKAN_ADD},
    {.name = "f16, more groups than threads",
     .seed = 3,
     .operation = {SHAPE(40, 600, 1), GROUPS(600, SHARED, PER_GROUP), RATIONAL(4, 3, GRKAN_ABS_SUM_OFFSET),
                   .dtype = GRKAN_F16},
     .options = {.determinism = GRKAN_DEVICE_TO_DEVICE}},
};

enum { case_count = sizeof cases / sizeof cases[0] };

/* ------------------------------------------------------------------------------------------- a caller's own memory */

/** A caller has values of its own, and what they give alone. */
typedef struct caller {
    check_case one;
    call call;
    char *expected, *found; /* all outputs, one behind the other */
} caller;

/** Callers with other seeds have other values. */
static void caller_create(caller *c, grkan_device *device, const check_case *one, uint64_t seed)
{
    const size_t bytes = call_output_bytes(one);
    *c = (caller){.one = *one, .expected = malloc(bytes), .found = malloc(bytes)};
    assert_true(c->expected != NULL && c->found != NULL);
    c->one.seed += 1000 * seed;
    c->call = call_begin(device, &c->one, NULL, 0);
    assert_true(c->call.at.workspace_bytes > 0);
    expect_success(call_run_to(&c->call, c->call.plan, c->expected));
}

static void caller_free(caller *c)
{
    call_end(&c->call);
    free(c->expected);
    free(c->found);
    *c = (caller){.expected = NULL};
}

/* -------------------------------------------------------------------------------------------------------- threads */

/** A thread's work. cmocka's assertions may not run in it, so it leaves a text. */
typedef struct worker {
    pthread_t thread;
    int index;
    pthread_barrier_t *barrier;
    grkan_device *device;
    const grkan_plan *plan;
    caller callers[case_count];
    char text[256]; /* what went wrong; "" */
} worker;

/** Run the function in threads at once, and fail with what the first of them complains about. */
static void run_threads(worker *workers, int count, void *(*function)(void *))
{
    pthread_barrier_t barrier;
    assert_int_equal(pthread_barrier_init(&barrier, NULL, (unsigned)count), 0);
    for (int i = 0; i < count; i++) {
        workers[i].index = i;
        workers[i].barrier = &barrier;
        assert_int_equal(pthread_create(&workers[i].thread, NULL, function, &workers[i]), 0);
    }
    for (int i = 0; i < count; i++)
        assert_int_equal(pthread_join(workers[i].thread, NULL), 0);
    (void)pthread_barrier_destroy(&barrier);
    for (int i = 0; i < count; i++)
        if (workers[i].text[0] != '\0')
            fail_msg("thread %d: %s", i, workers[i].text);
}

static void complain(worker *self, const char *what)
{
    (void)snprintf(self->text, sizeof self->text, "%s", what);
}

/** Run a caller and compare with what it got alone. false, having complained, if that is not the same. */
static bool run_and_compare(worker *self, const caller *c, const grkan_plan *plan)
{
    memset(c->found, 0xA5, call_output_bytes(&c->one));
    if (call_run_to(&c->call, plan, c->found) != GRKAN_SUCCESS)
        complain(self, grkan_last_error());
    else if (call_difference(&c->one, c->found, c->expected) != NULL)
        complain(self, "the bits are others than alone");
    return self->text[0] == '\0';
}

static void *share_a_plan(void *argument)
{
    worker *const self = argument;
    (void)pthread_barrier_wait(self->barrier);
    for (int round = 0; round < rounds; round++)
        if (!run_and_compare(self, &self->callers[0], self->plan))
            break;
    return NULL;
}

static void test_one_plan_is_used_by_many_threads(void **state)
{
    (void)state;
    for (int d = 0; d < devices.count; d++) {
        for (size_t i = 0; i < case_count; i++) {
            static worker workers[most_threads];
            grkan_plan *const plan = make_plan(devices.device[d], &cases[i]);
            memset(workers, 0, sizeof workers);
            for (int t = 0; t < most_threads; t++) {
                workers[t].plan = plan;
                caller_create(&workers[t].callers[0], devices.device[d], &cases[i], (uint64_t)t);
            }
            /* Values of one caller are not those of the next, or a mix-up would go unseen. */
            assert_memory_not_equal(workers[0].callers[0].expected, workers[1].callers[0].expected,
                                    call_output_bytes(&cases[i]));
            run_threads(workers, most_threads, share_a_plan);
            for (int t = 0; t < most_threads; t++)
                caller_free(&workers[t].callers[0]);
            grkan_plan_destroy(plan);
        }
    }
}

/* ----------------------------------------------------------------------------------------------------- error texts */

/** Provoke an error that tells of this thread, and read its text when every thread has provoked its own. */
static void *fail_in_turn(void *argument)
{
    worker *const self = argument;
    char expected[128];
    if (grkan_last_error()[0] != '\0')
        complain(self, "a new thread has a text already");
    for (int round = 0; round < 200; round++) {
        grkan_operation operation = GRKAN_OPERATION_INIT;
        grkan_plan *plan = NULL;
        operation.rational.numerator_degree = 100 * (self->index + 1) + round;
        (void)snprintf(expected, sizeof expected, "operation.rational.numerator_degree is %d; expected 0 to 15",
                       operation.rational.numerator_degree);
        const grkan_status status = grkan_plan_create(self->device, &operation, NULL, &plan);
        (void)pthread_barrier_wait(self->barrier);
        if (status != GRKAN_ERROR_INVALID_ARGUMENT || strcmp(grkan_last_error(), expected) != 0)
            complain(self, grkan_last_error());
        (void)pthread_barrier_wait(self->barrier);
    }
    return NULL;
}

static void test_every_thread_has_its_own_error(void **state)
{
    (void)state;
    static worker workers[2];
    grkan_plan *plan = NULL;
    assert_int_equal(grkan_plan_create(NULL, &cases[0].operation, NULL, &plan), GRKAN_ERROR_INVALID_ARGUMENT);
    workers[0].device = devices.device[0];
    workers[1].device = devices.device[devices.count - 1];
    run_threads(workers, 2, fail_in_turn);
    assert_string_equal(grkan_last_error(), "device is NULL; expected an open device");
}

/* -------------------------------------------------------------------------------------------------- making of plans */

static char cache[GRKAN_PATH_BYTES];

/** Make every plan, run it, destroy it. Half of the threads start at another case. */
static void *make_plans(void *argument)
{
    worker *const self = argument;
    (void)pthread_barrier_wait(self->barrier);
    for (size_t i = 0; i < 2 * case_count && self->text[0] == '\0'; i++) {
        const caller *const c = &self->callers[(i + (size_t)self->index / 2) % case_count];
        grkan_plan *plan = NULL;
        if (grkan_plan_create(self->device, &c->one.operation, &c->one.options, &plan) != GRKAN_SUCCESS)
            complain(self, grkan_last_error());
        else
            (void)run_and_compare(self, c, plan);
        grkan_plan_destroy(plan);
    }
    return NULL;
}

/** Delete what is in the cache. @return how many programs it held; -1 if there was anything else */
static int empty_cache(void)
{
    DIR *const folder = opendir(cache);
    int programs = 0;
    bool is_clean = folder != NULL;
    for (const struct dirent *entry; folder != NULL && (entry = readdir(folder)) != NULL;) {
        if (entry->d_name[0] == '.')
            continue;
        const bool is_program = strlen(entry->d_name) == 32 && strspn(entry->d_name, "0123456789abcdef") == 32;
        programs += is_program;
        char path[sizeof cache + 64];
        (void)snprintf(path, sizeof path, "%s/%.60s", cache, entry->d_name);
        grkan_file_remove(path);
        is_clean = !grkan_is_file(path) && is_program && is_clean;
    }
    if (folder != NULL)
        (void)closedir(folder);
    return is_clean ? programs : -1;
}

static grkan_device *open_again(grkan_device *device)
{
    grkan_device_properties properties;
    grkan_device *fresh = NULL;
    assert_int_equal(grkan_device_describe(device, &properties), GRKAN_SUCCESS);
    if (grkan_device_open(properties.selector, &fresh) != GRKAN_SUCCESS)
        fail_msg("%s, again: %s", properties.selector, grkan_last_error());
    return fresh;
}

static void test_plans_are_made_in_parallel(void **state)
{
    (void)state;
    enum { threads = 4 };
    static worker workers[threads];
    for (int d = 0; d < devices.count; d++) {
        grkan_device *const fresh = open_again(devices.device[d]); /* one that has loaded nothing yet */
        memset(workers, 0, sizeof workers);
        for (int t = 0; t < threads; t++) {
            workers[t].device = fresh;
            for (size_t i = 0; i < case_count; i++) {
                caller_create(&workers[t].callers[i], devices.device[d], &cases[i], (uint64_t)t);
                call_move(&workers[t].callers[i].call, fresh);
            }
        }
        assert_true(empty_cache() >= 0);
        run_threads(workers, threads, make_plans);
        for (int t = 0; t < threads; t++)
            for (size_t i = 0; i < case_count; i++)
                caller_free(&workers[t].callers[i]);
        grkan_device_close(fresh);
        /* One program of each case, whoever came first, and no unfinished file. The cpu compiles none. */
        assert_int_equal(empty_cache(), d == 0 ? 0 : case_count);
    }
}

/* --------------------------------------------------------------------------------------------------------------- */

static int set_up(void **state)
{
    static const char *const backends[] = {"cpu", "opencl", "cuda", "hip"};
    (void)state;
    if (!grkan_temporary_folder(cache, sizeof cache) || !grkan_set_environment("GRKAN_CACHE_DIR", cache))
        return -1;
    return open_present(backends, 4, &devices);
}

static int tear_down(void **state)
{
    (void)state;
    close_present(&devices);
    (void)empty_cache();
    grkan_remove_folder(cache);
    return grkan_is_file(cache) ? -1 : 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_one_plan_is_used_by_many_threads),
        cmocka_unit_test(test_every_thread_has_its_own_error),
        cmocka_unit_test(test_plans_are_made_in_parallel),
    };
    return cmocka_run_group_tests_name("threads", tests, set_up, tear_down);
}
