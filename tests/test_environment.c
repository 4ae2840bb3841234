/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file test_environment.c
 * @brief The caller's floating-point environment: it changes no bit of a result, and comes back as it was.
 *
 * Rounding in each direction, subnormals flushed (what any library that was linked with -Ofast sets), traps.
 */
#include <fenv.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <grkan/fit.h>
#include <grkan/grkan.h>

#include "data.h"

/* ---------------------------------------------------------------------------------- environments, as a program sets them */

/** The register with the modes; flags are masked off. 0 where this test knows no register. */
static uint64_t get_control(void)
{
#if defined(__x86_64__)
    return __builtin_ia32_stmxcsr() & ~0x3fu;
#elif defined(__aarch64__)
    return __builtin_aarch64_get_fpcr64();
#else
    return 0;
#endif
}

/** Flush subnormals, read and written. */
static void set_flush(void)
{
#if defined(__x86_64__)
    __builtin_ia32_ldmxcsr(__builtin_ia32_stmxcsr() | 0x8040u);
#elif defined(__aarch64__)
    __builtin_aarch64_set_fpcr64(__builtin_aarch64_get_fpcr64() | 1u << 24 | 1u << 19); /* FZ, FZ16 */
#endif
}

typedef struct environment {
    const char *name;
    int rounding, flushes, traps;
} environment;

static const environment environments[] = {
    {"default", FE_TONEAREST, 0, 0},        {"flush", FE_TONEAREST, 1, 0},   {"upward", FE_UPWARD, 0, 0},
    {"downward", FE_DOWNWARD, 0, 0},        {"to zero", FE_TOWARDZERO, 0, 0}, {"traps", FE_TONEAREST, 0, 1},
    {"flush, upward, traps", FE_UPWARD, 1, 1},
};

enum { environment_count = sizeof environments / sizeof environments[0] };

static void enter(const environment *e)
{
    (void)fesetenv(FE_DFL_ENV);
    (void)fesetround(e->rounding);
    if (e->flushes)
        set_flush();
#ifdef __GLIBC__
    if (e->traps)
        (void)feenableexcept(FE_ALL_EXCEPT);
#endif
}

/* ----------------------------------------------------------------------------------------------------------- cases */

static const check_case cases[] = {
    {.name = "f32", .seed = 1, .operation = {400, 768, 1, 8, 1, 8, 5, 4, GRKAN_ABS_TERMS, GRKAN_F32}},
    {.name = "f16", .seed = 2, .operation = {400, 768, 1, 8, 1, 8, 5, 4, GRKAN_ABS_SUM, GRKAN_F16}},
    {.name = "bf16", .seed = 3, .operation = {400, 768, 1, 8, 8, 8, 3, 2, GRKAN_ABS_TERMS, GRKAN_BF16}},
    {.name = "f64", .seed = 4, .operation = {400, 768, 1, 8, 1, 8, 5, 4, GRKAN_ABS_SUM_OFFSET, GRKAN_F64}},
};

enum { case_count = sizeof cases / sizeof cases[0] };

/** A case, its inputs, and all outputs one behind the other. */
typedef struct layer {
    const check_case *one;
    check_data data;
    void *workspace;
    size_t workspace_bytes, bytes;
    char *expected, *found;
} layer;

static grkan_device *device;

/** Numbers near the least of the type among x and dy, so that what flushes them shows. */
static void plant_subnormals(layer *l)
{
    static const uint64_t tiny[] = {[GRKAN_F32] = 0x00012345, [GRKAN_F16] = 0x0123, [GRKAN_BF16] = 0x0012,
                                    [GRKAN_F64] = 0x0000123456789abc};
    const grkan_dtype dtype = l->one->operation.dtype;
    const size_t bytes = grkan_dtype_bytes(dtype), count = check_tensor_bytes(l->one, CHECK_X) / bytes;
    for (size_t i = 0; i < count; i += 5) {
        memcpy((char *)l->data.tensor[CHECK_X] + i * bytes, &tiny[dtype], bytes); /* little-endian */
        memcpy((char *)l->data.tensor[CHECK_DY] + i / 3 * bytes, &tiny[dtype], bytes);
    }
}

static size_t offset_of(const layer *l, check_tensor tensor)
{
    static const check_tensor outputs[] = {CHECK_Y, CHECK_DX, CHECK_DNUMERATOR, CHECK_DDENOMINATOR};
    size_t offset = 0;
    for (int i = 0; outputs[i] != tensor; i++)
        offset += (check_tensor_bytes(l->one, outputs[i]) + 63) / 64 * 64;
    return offset;
}

static grkan_buffer output(const layer *l, check_tensor tensor)
{
    return (grkan_buffer){l->found, offset_of(l, tensor)};
}

static grkan_status run(layer *l, const grkan_plan *plan)
{
    void *const *const t = l->data.tensor;
    const grkan_forward_arguments forward = {
        {t[CHECK_X], 0}, {t[CHECK_NUMERATOR], 0}, {t[CHECK_DENOMINATOR], 0}, output(l, CHECK_Y)};
    const grkan_backward_arguments backward = {.x = {t[CHECK_X], 0},
                                               .dy = {t[CHECK_DY], 0},
                                               .numerator = {t[CHECK_NUMERATOR], 0},
                                               .denominator = {t[CHECK_DENOMINATOR], 0},
                                               .dx = output(l, CHECK_DX),
                                               .dnumerator = output(l, CHECK_DNUMERATOR),
                                               .ddenominator = output(l, CHECK_DDENOMINATOR),
                                               .workspace = {l->workspace, 0},
                                               .workspace_bytes = l->workspace_bytes};
    memset(l->found, 0xa5, l->bytes);
    const grkan_status status = grkan_forward(plan, &forward, NULL);
    return status == GRKAN_SUCCESS ? grkan_backward(plan, &backward, NULL) : status;
}

static grkan_plan *make_plan(const check_case *one, const grkan_options *options)
{
    grkan_plan *plan = NULL;
    if (grkan_plan_create(device, &one->operation, options, &plan) != GRKAN_SUCCESS)
        fail_msg("%s: %s", one->name, grkan_last_error());
    return plan;
}

/** The layer of a case, with what it gives in the default environment on one thread. */
static void layer_create(layer *l, const check_case *one)
{
    grkan_plan *const plan =
        make_plan(one, &(grkan_options){.determinism = GRKAN_DEVICE_TO_DEVICE, .cpu_threads = 1});
    *l = (layer){.one = one, .workspace_bytes = grkan_plan_workspace_bytes(plan)};
    assert_true(check_data_create(one, &l->data));
    plant_subnormals(l);
    l->bytes = offset_of(l, CHECK_DDENOMINATOR) + (check_tensor_bytes(one, CHECK_DDENOMINATOR) + 63) / 64 * 64;
    l->workspace = calloc(1, l->workspace_bytes + 1);
    l->expected = aligned_alloc(64, l->bytes);
    l->found = aligned_alloc(64, l->bytes);
    assert_true(l->workspace != NULL && l->expected != NULL && l->found != NULL);
    assert_int_equal(run(l, plan), GRKAN_SUCCESS);
    memcpy(l->expected, l->found, l->bytes);
    grkan_plan_destroy(plan);
}

static void layer_free(layer *l)
{
    check_data_free(&l->data);
    free(l->workspace);
    free(l->expected);
    free(l->found);
}

/* ----------------------------------------------------------------------------------------------------------- tests */

/** A plan's calls in an environment. @return a text that tells what is wrong; NULL */
static const char *run_in(const environment *e, layer *l, const grkan_plan *plan)
{
    enter(e);
    const uint64_t before = get_control();
    const grkan_status status = run(l, plan);
    const uint64_t after = get_control();
    const int rounding = fegetround();
    (void)fesetenv(FE_DFL_ENV);
    if (status != GRKAN_SUCCESS)
        return grkan_last_error();
    if (before != after || rounding != e->rounding)
        return "the environment did not come back";
    return memcmp(l->found, l->expected, l->bytes) == 0 ? NULL : "other bits";
}

static void try_environments(layer *l, const grkan_options *options, const char *what)
{
    grkan_plan *const plan = make_plan(l->one, options);
    for (int i = 0; i < environment_count; i++) {
        const char *const wrong = run_in(&environments[i], l, plan);
        if (wrong != NULL)
            fail_msg("%s, %s, %s: %s", l->one->name, what, environments[i].name, wrong);
    }
    grkan_plan_destroy(plan);
}

/** One thread for each task, in an environment of its own, which must come back with its flags. */
typedef struct own_thread {
    pthread_t thread;
    grkan_task task;
    void *argument;
    int64_t index;
    bool came_back;
} own_thread;

static void *run_in_own_environment(void *argument)
{
    own_thread *const own = argument;
    fenv_t rest;
    enter(&environments[1 + own->index % (environment_count - 1)]);
    (void)feholdexcept(&rest); /* this thread has no traps, for the next line */
    (void)feraiseexcept(FE_DIVBYZERO);
    const uint64_t before = get_control();
    own->task(own->argument, own->index);
    own->came_back = get_control() == before && fetestexcept(FE_ALL_EXCEPT) == FE_DIVBYZERO;
    return NULL;
}

static bool all_came_back;

static void run_on_own_threads(void *context, int64_t count, grkan_task task, void *argument)
{
    own_thread threads[8];
    (void)context;
    for (int64_t i = 0; i < count && i < 8; i++) {
        threads[i] = (own_thread){.task = task, .argument = argument, .index = i};
        if (pthread_create(&threads[i].thread, NULL, run_in_own_environment, &threads[i]) != 0)
            abort();
    }
    for (int64_t i = 0; i < count && i < 8; i++) {
        (void)pthread_join(threads[i].thread, NULL);
        all_came_back = all_came_back && threads[i].came_back;
    }
}

static void test_no_environment_changes_a_bit(void **state)
{
    (void)state;
    for (size_t i = 0; i < case_count; i++) {
        layer l;
        grkan_options options = {.determinism = GRKAN_DEVICE_TO_DEVICE, .cpu_threads = 1};
        layer_create(&l, &cases[i]);
        try_environments(&l, &options, "1 thread");
        options.cpu_threads = 4;
        try_environments(&l, &options, "4 threads");
        options.cpu_simd = GRKAN_CPU_SIMD_OFF;
        try_environments(&l, &options, "4 threads, scalar");
        options = (grkan_options){.determinism = GRKAN_DEVICE_TO_DEVICE,
                                  .cpu_threads = 8,
                                  .cpu_parallel_for = run_on_own_threads};
        all_came_back = true;
        try_environments(&l, &options, "threads of the caller's");
        assert_true(all_came_back);
        layer_free(&l);
    }
}

/** What the elements raise is the caller's to see, whoever computed them; what was raised before stays. */
static void test_flags_are_added(void **state)
{
    (void)state;
    for (int threads = 1; threads <= 4; threads += 3) {
        layer l;
        grkan_plan *const plan = make_plan(&cases[0], &(grkan_options){.cpu_threads = threads});
        layer_create(&l, &cases[0]);
        float *const x = l.data.tensor[CHECK_X], *const a = l.data.tensor[CHECK_NUMERATOR];
        a[5] = 3e38f;
        x[check_tensor_bytes(&cases[0], CHECK_X) / sizeof(float) - 1] = 1e10f; /* y overflows in the last block */
        (void)feclearexcept(FE_ALL_EXCEPT);
        (void)feraiseexcept(FE_DIVBYZERO);
        assert_int_equal(run(&l, plan), GRKAN_SUCCESS);
        assert_int_equal(fetestexcept(FE_DIVBYZERO | FE_OVERFLOW), FE_DIVBYZERO | FE_OVERFLOW);
        (void)feclearexcept(FE_ALL_EXCEPT);
        grkan_plan_destroy(plan);
        layer_free(&l);
    }
}

static void test_errors_leave_it_as_it_was(void **state)
{
    (void)state;
    layer l;
    layer_create(&l, &cases[0]);
    grkan_plan *const plan = make_plan(&cases[0], NULL);
    void *const x = l.data.tensor[CHECK_X];
    for (int i = 0; i < environment_count; i++) {
        const environment *const e = &environments[i];
        enter(e);
        const uint64_t before = get_control();
        l.data.tensor[CHECK_X] = NULL;
        const grkan_status no_x = run(&l, plan);
        l.data.tensor[CHECK_X] = x;
        int stream;
        const grkan_forward_arguments forward = {
            {x, 0}, {l.data.tensor[CHECK_NUMERATOR], 0}, {l.data.tensor[CHECK_DENOMINATOR], 0}, output(&l, CHECK_Y)};
        const grkan_status with_stream = grkan_forward(plan, &forward, &stream);
        const uint64_t after = get_control();
        const int raised = fetestexcept(FE_ALL_EXCEPT);
        (void)fesetenv(FE_DFL_ENV);
        assert_int_equal(no_x, GRKAN_ERROR_INVALID_ARGUMENT);
        assert_int_equal(with_stream, GRKAN_ERROR_INVALID_ARGUMENT);
        assert_true(before == after);
        assert_int_equal(raised, 0);
    }
    grkan_plan_destroy(plan);
    layer_free(&l);
}

static void test_fits_are_the_same(void **state)
{
    const grkan_fit_problem problem = {.function = "tanh",
                                       .low = -3,
                                       .high = 3,
                                       .numerator_degree = 3,
                                       .denominator_degree = 2,
                                       .denominator = GRKAN_ABS_TERMS};
    grkan_fit_result expected, found;
    (void)state;
    memset(&expected, 0, sizeof expected);
    assert_int_equal(grkan_fit(&problem, &expected), GRKAN_SUCCESS);
    for (int i = 0; i < environment_count; i++) {
        memset(&found, 0, sizeof found);
        enter(&environments[i]);
        const uint64_t before = get_control();
        const grkan_status status = grkan_fit(&problem, &found);
        const uint64_t after = get_control();
        const int raised = fetestexcept(FE_ALL_EXCEPT), rounding = fegetround();
        (void)fesetenv(FE_DFL_ENV);
        assert_int_equal(status, GRKAN_SUCCESS);
        assert_true(before == after);
        assert_int_equal(rounding, environments[i].rounding);
        assert_int_equal(raised, 0);
        if (memcmp(&found, &expected, sizeof found) != 0)
            fail_msg("%s: another fit", environments[i].name);
    }
}

/** A program that traps opens a device and makes plans, too. */
static void test_plans_do_not_trap(void **state)
{
    (void)state;
    for (int i = 0; i < environment_count; i++) {
        grkan_device *opened = NULL;
        grkan_plan *plan = NULL;
        enter(&environments[i]);
        const uint64_t before = get_control();
        grkan_status status = grkan_device_open("cpu", &opened);
        if (status == GRKAN_SUCCESS)
            status = grkan_plan_create(opened, &cases[0].operation, NULL, &plan);
        grkan_plan_destroy(plan);
        grkan_device_close(opened);
        const uint64_t after = get_control();
        (void)fesetenv(FE_DFL_ENV);
        assert_int_equal(status, GRKAN_SUCCESS);
        assert_true(before == after);
    }
}

/* --------------------------------------------------------------------------------------------------------------- */

static int set_up(void **state)
{
    (void)state;
    return grkan_device_open("cpu", &device) == GRKAN_SUCCESS ? 0 : -1;
}

static int tear_down(void **state)
{
    (void)state;
    grkan_device_close(device);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_no_environment_changes_a_bit), cmocka_unit_test(test_flags_are_added),
        cmocka_unit_test(test_errors_leave_it_as_it_was),    cmocka_unit_test(test_plans_do_not_trap),
        cmocka_unit_test(test_fits_are_the_same),
    };
    return cmocka_run_group_tests_name("environment", tests, set_up, tear_down);
}
