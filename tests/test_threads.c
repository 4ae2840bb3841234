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
#include <unistd.h>

#include <cmocka.h>

#include "data.h"
#include "present.h"

enum { most_threads = 8, rounds = 5 };

static const char *const device_names[] = {"cpu", "opencl", "cuda", "hip"};
static grkan_device *devices[sizeof device_names / sizeof device_names[0]];
static int device_count;

/** What the threads run: gradients in parts on every device, of types that every device runs. */
static const check_case cases[] = {
    {.name = "f32", .seed = 1, .operation = {2500, 96, 1, 8, 1, 8, 5, 4, GRKAN_ABS_TERMS, GRKAN_F32}},
    {.name = "bf16, unequal groups",
     .seed = 2,
     .operation = {300, 50, 7, 4, 4, 1, 3, 2, GRKAN_ABS_SUM, GRKAN_BF16},
     .options = {.cpu_threads = 1, .determinism = GRKAN_DEVICE_TO_DEVICE},
     .accumulation = GRKAN_ADD},
    {.name = "f16, more groups than threads",
     .seed = 3,
     .operation = {40, 600, 1, 600, 1, 600, 4, 3, GRKAN_ABS_SUM_OFFSET, GRKAN_F16},
     .options = {.determinism = GRKAN_DEVICE_TO_DEVICE}},
};

enum { case_count = sizeof cases / sizeof cases[0] };

/* ------------------------------------------------------------------------------------------- a caller's own memory */

/** The tensors of one caller, on the host and on a device. */
typedef struct caller {
    grkan_device *device;
    check_case one;
    check_data data;
    grkan_buffer buffers[CHECK_TENSORS];
    grkan_buffer workspace;
    size_t workspace_bytes;
    char *expected, *found; /* all outputs, one behind the other */
    size_t output_bytes;
} caller;

static const check_tensor outputs[] = {CHECK_Y, CHECK_DX, CHECK_DNUMERATOR, CHECK_DDENOMINATOR};

static bool upload(const caller *c, check_tensor tensor)
{
    return grkan_memory_upload(c->device, c->buffers[tensor], c->data.tensor[tensor],
                               check_tensor_bytes(&c->one, tensor)) == GRKAN_SUCCESS;
}

/** Take memory on a device and fill the inputs. */
static bool take_memory(caller *c, grkan_device *device)
{
    c->device = device;
    for (int t = 0; t < CHECK_TENSORS; t++)
        if (grkan_memory_allocate(device, check_tensor_bytes(&c->one, (check_tensor)t), &c->buffers[t].base) !=
                GRKAN_SUCCESS ||
            (c->data.tensor[t] != NULL && !upload(c, (check_tensor)t)))
            return false;
    char *const zeros = calloc(1, c->workspace_bytes + 1);
    const bool has_workspace = zeros != NULL && c->workspace_bytes > 0 &&
                               grkan_memory_allocate(device, c->workspace_bytes, &c->workspace.base) == GRKAN_SUCCESS &&
                               grkan_memory_upload(device, c->workspace, zeros, c->workspace_bytes) == GRKAN_SUCCESS;
    free(zeros);
    return has_workspace;
}

static void free_memory(caller *c)
{
    for (int t = 0; t < CHECK_TENSORS; t++)
        grkan_memory_free(c->device, c->buffers[t].base);
    grkan_memory_free(c->device, c->workspace.base);
}

/** Callers with other seeds have other values. */
static bool caller_create(caller *c, grkan_device *device, const grkan_plan *plan, const check_case *one, uint64_t seed)
{
    *c = (caller){.one = *one, .workspace_bytes = grkan_plan_workspace_bytes(plan)};
    c->one.seed += 1000 * seed;
    if (!check_data_create(&c->one, &c->data))
        return false;
    for (size_t i = 0; i < sizeof outputs / sizeof outputs[0]; i++)
        c->output_bytes += check_tensor_bytes(one, outputs[i]);
    c->expected = malloc(c->output_bytes);
    c->found = malloc(c->output_bytes);
    return c->expected != NULL && c->found != NULL && take_memory(c, device);
}

static void caller_free(caller *c)
{
    free_memory(c);
    check_data_free(&c->data);
    free(c->expected);
    free(c->found);
    *c = (caller){0};
}

/** Both passes, and all outputs to `to`. */
static bool caller_run(const caller *c, const grkan_plan *plan, char *to)
{
    const grkan_buffer *const b = c->buffers;
    const grkan_forward_arguments forward = {b[CHECK_X], b[CHECK_NUMERATOR], b[CHECK_DENOMINATOR], b[CHECK_Y]};
    const grkan_backward_arguments backward = {.x = b[CHECK_X],
                                               .dy = b[CHECK_DY],
                                               .numerator = b[CHECK_NUMERATOR],
                                               .denominator = b[CHECK_DENOMINATOR],
                                               .dx = b[CHECK_DX],
                                               .dnumerator = b[CHECK_DNUMERATOR],
                                               .ddenominator = b[CHECK_DDENOMINATOR],
                                               .accumulation = c->one.accumulation,
                                               .workspace = c->workspace,
                                               .workspace_bytes = c->workspace_bytes};
    if (!upload(c, CHECK_DNUMERATOR) || !upload(c, CHECK_DDENOMINATOR) ||
        grkan_forward(plan, &forward, NULL) != GRKAN_SUCCESS || grkan_backward(plan, &backward, NULL) != GRKAN_SUCCESS)
        return false;
    for (size_t i = 0; i < sizeof outputs / sizeof outputs[0]; i++) {
        const size_t bytes = check_tensor_bytes(&c->one, outputs[i]);
        if (grkan_memory_download(c->device, to, b[outputs[i]], bytes) != GRKAN_SUCCESS)
            return false;
        to += bytes;
    }
    return true;
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
    memset(c->found, 0xA5, c->output_bytes);
    if (!caller_run(c, plan, c->found))
        complain(self, grkan_last_error());
    else if (memcmp(c->found, c->expected, c->output_bytes) != 0)
        complain(self, "the bits are others than alone");
    return self->text[0] == '\0';
}

static grkan_plan *make_plan(grkan_device *device, const check_case *one)
{
    grkan_plan *plan = NULL;
    if (grkan_plan_create(device, &one->operation, &one->options, &plan) != GRKAN_SUCCESS)
        fail_msg("%s: %s", one->name, grkan_last_error());
    return plan;
}

/** A caller with its own values, and what they give when nobody else runs. */
static void prepare(caller *c, grkan_device *device, const grkan_plan *plan, const check_case *one, int seed)
{
    if (!caller_create(c, device, plan, one, (uint64_t)seed) || !caller_run(c, plan, c->expected))
        fail_msg("%s, alone: %s", one->name, grkan_last_error());
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
    for (int d = 0; d < device_count; d++) {
        for (size_t i = 0; i < case_count; i++) {
            static worker workers[most_threads];
            grkan_plan *const plan = make_plan(devices[d], &cases[i]);
            memset(workers, 0, sizeof workers);
            for (int t = 0; t < most_threads; t++) {
                workers[t].plan = plan;
                prepare(&workers[t].callers[0], devices[d], plan, &cases[i], t);
            }
            /* Values of one caller are not those of the next, or a mix-up would go unseen. */
            assert_memory_not_equal(workers[0].callers[0].expected, workers[1].callers[0].expected,
                                    workers[0].callers[0].output_bytes);
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
        operation.numerator_degree = 100 * (self->index + 1) + round;
        (void)snprintf(expected, sizeof expected, "operation.numerator_degree is %d; expected 0 to 15",
                       operation.numerator_degree);
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
    workers[0].device = devices[0];
    workers[1].device = devices[device_count - 1];
    run_threads(workers, 2, fail_in_turn);
    assert_string_equal(grkan_last_error(), "device is NULL; expected an open device");
}

/* -------------------------------------------------------------------------------------------------- making of plans */

static char cache[] = "/tmp/grkan-test-threads-XXXXXX";

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
        is_clean = unlinkat(dirfd(folder), entry->d_name, 0) == 0 && is_program && is_clean;
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
    for (int d = 0; d < device_count; d++) {
        grkan_device *const fresh = open_again(devices[d]); /* one that has loaded nothing yet */
        memset(workers, 0, sizeof workers);
        for (size_t i = 0; i < case_count; i++) {
            grkan_plan *const plan = make_plan(devices[d], &cases[i]);
            for (int t = 0; t < threads; t++)
                prepare(&workers[t].callers[i], devices[d], plan, &cases[i], t);
            grkan_plan_destroy(plan);
        }
        for (int t = 0; t < threads; t++) {
            workers[t].device = fresh;
            for (size_t i = 0; i < case_count; i++) {
                free_memory(&workers[t].callers[i]);
                assert_true(take_memory(&workers[t].callers[i], fresh));
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
    (void)state;
    if (mkdtemp(cache) == NULL || setenv("GRKAN_CACHE_DIR", cache, 1) != 0)
        return -1;
    for (size_t i = 0; i < sizeof device_names / sizeof device_names[0]; i++) {
        grkan_device *const device = open_if_present(device_names[i]);
        if (device != NULL)
            devices[device_count++] = device;
        else if (i == 0 || must_be_present(device_names[i]))
            return -1;
    }
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    for (int d = 0; d < device_count; d++)
        grkan_device_close(devices[d]);
    (void)empty_cache();
    return rmdir(cache);
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
