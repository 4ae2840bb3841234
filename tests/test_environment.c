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

#include "call.h"
#include "on_cpu.h"

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
    {"default", FE_TONEAREST, 0, 0},           {"flush", FE_TONEAREST, 1, 0},    {"upward", FE_UPWARD, 0, 0},
    {"downward", FE_DOWNWARD, 0, 0},           {"to zero", FE_TOWARDZERO, 0, 0}, {"traps", FE_TONEAREST, 0, 1},
    {"flush, upward, traps", FE_UPWARD, 1, 1},
};

enum { environment_count = sizeof environments / sizeof environments[0] };

/** The default environment, of whatever part a C library's function leaves out. */
static void reset(void)
{
    (void)fesetenv(FE_DFL_ENV);
#if defined(__x86_64__)
    __builtin_ia32_ldmxcsr(0x1f80);
#endif
}

static void enter(const environment *e)
{
    reset();
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
    {.name = "f32",
     .seed = 1,
     .operation = {SHAPE(400, 768, 1), GROUPS(8, SHARED, PER_GROUP), RATIONAL(5, 4, GRKAN_ABS_TERMS),
                   .dtype = GRKAN_F32}},
    {.name = "f16",
     .seed = 2,
     .operation = {SHAPE(400, 768, 1), GROUPS(8, SHARED, PER_GROUP), RATIONAL(5, 4, GRKAN_ABS_SUM),
                   .dtype = GRKAN_F16}},
    {.name = "bf16",
     .seed = 3,
     .operation = {SHAPE(400, 768, 1), GROUPS(8, PER_GROUP, PER_GROUP), RATIONAL(3, 2, GRKAN_ABS_TERMS),
                   .dtype = GRKAN_BF16}},
    {.name = "f64",
     .seed = 4,
     .operation = {SHAPE(400, 768, 1), GROUPS(8, SHARED, PER_GROUP), RATIONAL(5, 4, GRKAN_ABS_SUM_OFFSET),
                   .dtype = GRKAN_F64}},
};

enum { case_count = sizeof cases / sizeof cases[0] };

/** A case with what it gives in the default environment on one thread. */
typedef struct layer {
    check_case one;
    call call;
    char *expected;
} layer;

/** Numbers near the least of the type among x and dy, so that what flushes them shows. */
static void plant_subnormals(const layer *l)
{
    static const uint64_t tiny[] = {
        [GRKAN_F32] = 0x00012345, [GRKAN_F16] = 0x0123, [GRKAN_BF16] = 0x0012, [GRKAN_F64] = 0x0000123456789abc};
    const grkan_dtype dtype = l->one.operation.dtype;
    const size_t bytes = grkan_dtype_bytes(dtype), count = check_tensor_bytes(&l->one, CHECK_X) / bytes;
    char *const x = call_host(&l->call, CHECK_X), *const dy = call_host(&l->call, CHECK_DY);
    for (size_t i = 0; i < count; i += 5) {
        memcpy(x + i * bytes, &tiny[dtype], bytes); /* little-endian */
        memcpy(dy + i / 3 * bytes, &tiny[dtype], bytes);
    }
}

static grkan_plan *plan_with(const check_case *one, const grkan_options *options)
{
    check_case with = *one;
    with.options = *options;
    return make_plan(cpu, &with);
}

static void layer_create(layer *l, const check_case *one)
{
    *l = (layer){.one = *one};
    l->one.options = (grkan_options){.determinism = GRKAN_DEVICE_TO_DEVICE, .cpu_threads = 1};
    l->call = call_begin(cpu, &l->one, NULL, 0);
    plant_subnormals(l);
    call_run(&l->call, NULL);
    l->expected = call_outputs(&l->call);
}

static void layer_free(layer *l)
{
    call_end(&l->call);
    free(l->expected);
}

/* ----------------------------------------------------------------------------------------------------------- tests */

/** A plan's calls in an environment. @return a text that tells what is wrong; NULL */
static const char *run_in(const environment *e, const layer *l, const grkan_plan *plan)
{
    call_spoil_outputs(&l->call);
    enter(e);
    const uint64_t before = get_control();
    const grkan_status status = call_both(plan, &l->call.at, NULL);
    const uint64_t after = get_control();
    const int rounding = fegetround();
    reset();
    if (status != GRKAN_SUCCESS)
        return grkan_last_error();
    if (before != after || rounding != e->rounding)
        return "the environment did not come back";
    char *const found = call_outputs(&l->call);
    const char *const difference = call_difference(&l->one, found, l->expected);
    free(found);
    return difference == NULL ? NULL : "other bits";
}

static void try_environments(const layer *l, const grkan_options *options, const char *what)
{
    grkan_plan *const plan = plan_with(&l->one, options);
    for (int i = 0; i < environment_count; i++) {
        const char *const wrong = run_in(&environments[i], l, plan);
        if (wrong != NULL)
            fail_msg("%s, %s, %s: %s", l->one.name, what, environments[i].name, wrong);
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
        options = (grkan_options){
            .determinism = GRKAN_DEVICE_TO_DEVICE, .cpu_threads = 8, .cpu_parallel_for = run_on_own_threads};
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
        grkan_plan *const plan = plan_with(&cases[0], &(grkan_options){.cpu_threads = threads});
        layer_create(&l, &cases[0]);
        float *const x = call_host(&l.call, CHECK_X), *const a = call_host(&l.call, CHECK_NUMERATOR);
        a[5] = 3e38f;
        x[check_tensor_bytes(&cases[0], CHECK_X) / sizeof(float) - 1] = 1e10f; /* y overflows in the last block */
        (void)feclearexcept(FE_ALL_EXCEPT);
        (void)feraiseexcept(FE_DIVBYZERO);
        assert_int_equal(call_both(plan, &l.call.at, NULL), GRKAN_SUCCESS);
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
    device_layer no_x = l.call.at;
    no_x.tensor[CHECK_X].base = NULL;
    for (int i = 0; i < environment_count; i++) {
        const environment *const e = &environments[i];
        enter(e);
        const uint64_t before = get_control();
        const grkan_status without_x = call_both(l.call.plan, &no_x, NULL);
        int stream;
        const grkan_status with_stream = call_forward(l.call.plan, &l.call.at, &stream);
        const uint64_t after = get_control();
        const int raised = fetestexcept(FE_ALL_EXCEPT);
        reset();
        assert_int_equal(without_x, GRKAN_ERROR_INVALID_ARGUMENT);
        assert_int_equal(with_stream, GRKAN_ERROR_INVALID_ARGUMENT);
        assert_true(before == after);
        assert_int_equal(raised, 0);
    }
    layer_free(&l);
}

static void test_fits_are_the_same(void **state)
{
    const grkan_fit_problem problem = {.function = "tanh",
                                       .low = -3,
                                       .high = 3,
                                       .numerator_degree = 3,
                                       .denominator_degree = 2,
                                       .form = GRKAN_ABS_TERMS};
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
        reset();
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
        reset();
        assert_int_equal(status, GRKAN_SUCCESS);
        assert_true(before == after);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_no_environment_changes_a_bit),
        cmocka_unit_test(test_flags_are_added),
        cmocka_unit_test(test_errors_leave_it_as_it_was),
        cmocka_unit_test(test_plans_do_not_trap),
        cmocka_unit_test(test_fits_are_the_same),
    };
    return cmocka_run_group_tests_name("environment", tests, open_cpu, close_cpu);
}
