/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file test_cuda_contexts.c
 * @brief CUDA in contexts of a program's own: what is current stays so, and results are what the primary context gives.
 *
 * On a device, or on the stand-in (cuda_standin/), which computes nothing but refuses what CUDA refuses. Kernels are
 * loaded as late as the driver can.
 */
#include <dlfcn.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "call.h"
#include "cuda_program.h"
#include "misuse.h"
#include "present.h"

static const check_case one = {.name = "bf16, device_to_device",
                               .seed = 2,
                               .operation = {SHAPE(1500, 64, 1), GROUPS(4, PER_GROUP, PER_GROUP),
                                             RATIONAL(3, 2, GRKAN_ABS_SUM), .dtype = GRKAN_BF16},
                               .options = {.determinism = GRKAN_DEVICE_TO_DEVICE}};

static cuda_program cuda;
static CUdevice gpu;
static char *expected; /* what the primary context gives, for outputs that were spoilt before */

static void check_cuda(CUresult code, const char *what)
{
    if (code != CUDA_SUCCESS)
        fail_msg("%s gives %d", what, (int)code);
}

#define CHECK_CUDA(call) check_cuda(cuda.call, #call)

/** @return 0 if there is no driver, or no device */
static int find_driver(void)
{
    void *const library = dlopen("libcuda.so.1", RTLD_NOW | RTLD_LOCAL);
    if (library == NULL)
        return 0;
    static const struct {
        const char *name;
        size_t offset;
    } functions[] = {
#define FUNCTION(result, name, arguments) {#name, offsetof(cuda_program, name)},
#include "cuda_program_functions.h"
    };
    for (size_t i = 0; i < COUNT_OF(functions); i++) {
        void *const address = dlsym(library, functions[i].name);
        if (address == NULL) {
            printf("the driver has no %s\n", functions[i].name);
            return 0;
        }
        memcpy((char *)&cuda + functions[i].offset, &address, sizeof address);
    }
    return cuda.cuInit(0) == CUDA_SUCCESS && cuda.cuDeviceGet(&gpu, 0) == CUDA_SUCCESS;
}

static CUcontext current(void)
{
    CUcontext context = NULL;
    CHECK_CUDA(cuCtxGetCurrent(&context));
    return context;
}

/** A context of our own, current in this thread. */
static CUcontext make_context(void)
{
    CUcontext context = NULL;
    CHECK_CUDA(cuCtxCreate_v2(&context, 0, gpu));
    assert_ptr_equal(current(), context);
    return context;
}

static void pop(CUcontext context)
{
    CUcontext popped = NULL;
    CHECK_CUDA(cuCtxPopCurrent_v2(&popped));
    assert_ptr_equal(popped, context);
}

/** Do something; the context that was current still is. */
#define STAYS(action)                                                                                                  \
    do {                                                                                                               \
        const CUcontext before = current();                                                                            \
        action;                                                                                                        \
        assert_ptr_equal(current(), before);                                                                           \
    } while (0)

/** A device with a plan and buffers, all made in the context that is current. */
static call begin(grkan_device **device)
{
    call run;
    STAYS(*device = open_device("cuda"));
    STAYS(run = call_begin(*device, &one, NULL, 0));
    return run;
}

static void end(call *run, grkan_device *device)
{
    STAYS(call_end(run));
    STAYS(grkan_device_close(device));
}

static void run_and_expect(const call *run, CUstream stream, const char *where)
{
    STAYS(call_spoil_outputs(run));
    STAYS(call_run(run, stream));
    if (stream != NULL)
        CHECK_CUDA(cuStreamSynchronize(stream));
    STAYS(call_expect(run, expected, where));
}

static char *find_expected(void)
{
    grkan_device *const device = open_device("cuda");
    call run = call_begin(device, &one, NULL, 0);
    call_spoil_outputs(&run);
    call_run(&run, NULL);
    char *const outputs = call_outputs(&run);
    call_end(&run);
    grkan_device_close(device);
    return outputs;
}

/* --------------------------------------------------------------------------------------------------- contexts */

static void test_a_thread_without_a_context_stays_without(void **state)
{
    (void)state;
    grkan_device *device;
    double milliseconds = -1;
    assert_null(current());
    call run = begin(&device);
    run_and_expect(&run, NULL, "no context");
    STAYS(expect_success(grkan_timer_start(device)));
    STAYS(expect_success(grkan_timer_stop(device, &milliseconds)));
    assert_true(milliseconds >= 0);
    end(&run, device);
    assert_null(current());
}

/** As a program has it that uses CUDA's runtime, PyTorch for one. */
static void test_the_primary_context_stays(void **state)
{
    (void)state;
    grkan_device *device;
    CUcontext primary = NULL;
    CHECK_CUDA(cuDevicePrimaryCtxRetain(&primary, gpu));
    CHECK_CUDA(cuCtxPushCurrent_v2(primary));
    call run = begin(&device);
    run_and_expect(&run, NULL, "primary context");
    end(&run, device);
    pop(primary);
    CHECK_CUDA(cuDevicePrimaryCtxRelease_v2(gpu));
}

/** Seen once: after the first call another context was current, and the next one failed. */
static void test_a_context_of_ones_own_stays(void **state)
{
    (void)state;
    grkan_device *device;
    CUstream stream;
    double milliseconds = -1;
    const CUcontext own = make_context();
    CHECK_CUDA(cuStreamCreate(&stream, CU_STREAM_NON_BLOCKING));
    call run = begin(&device);
    for (int i = 0; i < 3; i++) {
        run_and_expect(&run, NULL, "own context, default stream");
        run_and_expect(&run, stream, "own context, own stream");
    }
    STAYS(expect_success(grkan_timer_start(device)));
    STAYS(expect_success(grkan_timer_stop(device, &milliseconds)));
    assert_true(milliseconds >= 0);
    end(&run, device);
    CHECK_CUDA(cuStreamDestroy_v2(stream));
    CHECK_CUDA(cuCtxDestroy_v2(own));
    assert_null(current());
}

/** One plan in three contexts, each with buffers of its own. */
static void test_contexts_may_change_between_calls(void **state)
{
    (void)state;
    grkan_device *device;
    CUcontext contexts[2];
    call runs[3];
    runs[0] = begin(&device); /* in the primary one */
    for (int i = 0; i < 2; i++) {
        contexts[i] = make_context();
        STAYS(runs[i + 1] = call_begin(device, &one, NULL, 0));
        STAYS(grkan_plan_destroy(runs[i + 1].plan));
        runs[i + 1].plan = runs[0].plan;
        pop(contexts[i]);
    }
    for (int turn = 0; turn < 6; turn++) {
        const int which = turn % 3;
        if (which > 0)
            CHECK_CUDA(cuCtxPushCurrent_v2(contexts[which - 1]));
        run_and_expect(&runs[which], NULL, "one of three contexts");
        if (which > 0)
            pop(contexts[which - 1]);
    }
    for (int i = 0; i < 2; i++) {
        CHECK_CUDA(cuCtxPushCurrent_v2(contexts[i]));
        runs[i + 1].plan = NULL;
        STAYS(call_end(&runs[i + 1]));
        CHECK_CUDA(cuCtxDestroy_v2(contexts[i]));
    }
    end(&runs[0], device);
}

/** In a thread that has no context, as the workers of a program may: then the stream's is taken. */
static void test_a_stream_brings_its_context(void **state)
{
    (void)state;
    grkan_device *device;
    CUstream stream;
    const CUcontext own = make_context();
    CHECK_CUDA(cuStreamCreate(&stream, CU_STREAM_NON_BLOCKING));
    call run = begin(&device);
    STAYS(call_spoil_outputs(&run));
    pop(own);
    STAYS(call_run(&run, stream));
    assert_null(current());
    CHECK_CUDA(cuCtxPushCurrent_v2(own));
    CHECK_CUDA(cuStreamSynchronize(stream));
    STAYS(call_expect(&run, expected, "a stream of a context that is not current"));
    end(&run, device);
    CHECK_CUDA(cuStreamDestroy_v2(stream));
    CHECK_CUDA(cuCtxDestroy_v2(own));
}

/* ----------------------------------------------------------------------------------------------------- threads */

/** A thread with a context of its own. Assertions stay on the test's thread. */
typedef struct worker {
    pthread_t thread;
    CUcontext context;
    call run;
    char error[256];
} worker;

static void *work(void *argument)
{
    enum { times = 30 };
    worker *const w = argument;
    CUcontext now = NULL;
    if (cuda.cuCtxPushCurrent_v2(w->context) != CUDA_SUCCESS)
        snprintf(w->error, sizeof w->error, "cuCtxPushCurrent failed");
    for (int i = 0; i < times && w->error[0] == '\0'; i++) {
        if (call_both(w->run.plan, &w->run.at, NULL) != GRKAN_SUCCESS ||
            grkan_device_synchronize(w->run.device) != GRKAN_SUCCESS)
            snprintf(w->error, sizeof w->error, "%.250s", grkan_last_error());
        else if (cuda.cuCtxGetCurrent(&now) != CUDA_SUCCESS || now != w->context)
            snprintf(w->error, sizeof w->error, "another context is current after call %d", i);
    }
    (void)cuda.cuCtxPopCurrent_v2(&now);
    return NULL;
}

static void test_two_threads_have_a_context_each(void **state)
{
    (void)state;
    worker workers[2] = {{.error = ""}, {.error = ""}};
    grkan_device *const device = open_device("cuda");
    for (int i = 0; i < 2; i++) {
        workers[i].context = make_context();
        workers[i].run = call_begin(device, &one, NULL, 0);
        call_spoil_outputs(&workers[i].run);
        pop(workers[i].context);
    }
    for (int i = 0; i < 2; i++)
        assert_int_equal(pthread_create(&workers[i].thread, NULL, work, &workers[i]), 0);
    for (int i = 0; i < 2; i++)
        assert_int_equal(pthread_join(workers[i].thread, NULL), 0);
    for (int i = 0; i < 2; i++) {
        if (workers[i].error[0] != '\0')
            fail_msg("thread %d: %s", i, workers[i].error);
        CHECK_CUDA(cuCtxPushCurrent_v2(workers[i].context));
        call_expect(&workers[i].run, expected, "thread");
        call_end(&workers[i].run);
        CHECK_CUDA(cuCtxDestroy_v2(workers[i].context));
    }
    grkan_device_close(device);
}

/* ------------------------------------------------------------------------------------------------------ graphs */

/** Capture the first calls of a plan in the strictest mode, in which a call that loads or waits breaks the capture. */
static CUgraphExec capture(const call *run, CUstream stream)
{
    CUgraph graph = NULL;
    CUgraphExec made = NULL;
    CHECK_CUDA(cuStreamBeginCapture_v2(stream, CU_STREAM_CAPTURE_MODE_GLOBAL));
    STAYS(call_run(run, stream));
    CHECK_CUDA(cuStreamEndCapture(stream, &graph));
    CHECK_CUDA(cuGraphInstantiateWithFlags(&made, graph, 0));
    CHECK_CUDA(cuGraphDestroy(graph));
    return made;
}

static void capture_and_expect(const call *run, const char *where)
{
    CUstream stream;
    CHECK_CUDA(cuStreamCreate(&stream, CU_STREAM_NON_BLOCKING));
    STAYS(call_spoil_outputs(run));
    const CUgraphExec graph = capture(run, stream);
    for (int replay = 0; replay < 3; replay++) {
        STAYS(call_spoil_outputs(run));
        CHECK_CUDA(cuGraphLaunch(graph, stream));
        CHECK_CUDA(cuStreamSynchronize(stream));
        STAYS(call_expect(run, expected, where));
    }
    CHECK_CUDA(cuGraphExecDestroy(graph));
    CHECK_CUDA(cuStreamDestroy_v2(stream));
}

/** Blocks of long rows take more shared memory than kernels have by themselves: whatever is current, launches get it. */
static void test_launches_ask_for_shared_memory(void **state)
{
    static const check_case long_rows = {.name = "long rows",
                                         .seed = 3,
                                         .operation = {SHAPE(300, 4096, 1), GROUPS(8, PER_GROUP, PER_GROUP),
                                                       RATIONAL(5, 4, GRKAN_ABS_TERMS),
                                                       .prologue = GRKAN_PROLOGUE_LAYER_NORM, .norm = {1e-5, 1, 1}}};
    (void)state;
    grkan_device *const device = open_device("cuda");
    call run = call_begin(device, &long_rows, NULL, 0);
    call_spoil_outputs(&run);
    call_run(&run, NULL);
    char *const first = call_outputs(&run);
    const CUcontext own = make_context();
    call_spoil_outputs(&run);
    call_run(&run, NULL);
    call_expect(&run, first, "in another context");
    pop(own);
    CHECK_CUDA(cuCtxDestroy_v2(own));
    call_end(&run);
    grkan_device_close(device);
    free(first);
}

/** The second plan shares the kernels of the first one, which were loaded in another context. */
static void test_the_first_calls_may_be_captured(void **state)
{
    (void)state;
    grkan_device *device;
    const CUcontext first = make_context();
    call run = begin(&device);
    capture_and_expect(&run, "captured");
    const CUcontext second = make_context();
    call other;
    STAYS(other = call_begin(device, &one, NULL, 0));
    capture_and_expect(&other, "captured in a second context");
    STAYS(call_end(&other));
    CHECK_CUDA(cuCtxDestroy_v2(second));
    assert_ptr_equal(current(), first);
    end(&run, device);
    CHECK_CUDA(cuCtxDestroy_v2(first));
}

int main(void)
{
    enum { exit_skipped = 77 };
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_thread_without_a_context_stays_without),
        cmocka_unit_test(test_the_primary_context_stays),
        cmocka_unit_test(test_a_context_of_ones_own_stays),
        cmocka_unit_test(test_contexts_may_change_between_calls),
        cmocka_unit_test(test_a_stream_brings_its_context),
        cmocka_unit_test(test_two_threads_have_a_context_each),
        cmocka_unit_test(test_launches_ask_for_shared_memory),
        cmocka_unit_test(test_the_first_calls_may_be_captured),
    };
    setenv("CUDA_MODULE_LOADING", "LAZY", 1);
    if (!find_driver()) {
        printf("absent: cuda\n");
        return must_be_present("cuda") ? EXIT_FAILURE : exit_skipped;
    }
    expected = find_expected();
    const int failed = cmocka_run_group_tests_name("cuda contexts", tests, NULL, NULL);
    free(expected);
    return failed;
}
