/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file test_calls.c
 * @brief Calls on threads as Windows makes them: with x87 at 53 bits, with stacks of 64 KiB, with an environment of their own.
 */
#include <windows.h>

#include "child.h"

#include <grkan/fit.h>

#include "../call.h"

enum { stack_bytes = 64 << 10, promised = 32 << 10, painted = 44 << 10, paint = 0xA5 };

static grkan_device *device;

/* ------------------------------------------------------------------------------------------ a thread of Windows */

typedef struct work {
    void (*run)(void *argument);
    void *argument;
    unsigned control, other_control; /* x87's before and after */
    unsigned sse, other_sse;
} work;

static unsigned x87_control(void)
{
    uint16_t word;
    __asm__ volatile("fnstcw %0" : "=m"(word));
    return word;
}

static DWORD WINAPI run_work(void *given)
{
    work *const w = given;
    w->control = x87_control();
    w->sse = __builtin_ia32_stmxcsr() & ~0x3fu;
    w->run(w->argument);
    w->other_control = x87_control();
    w->other_sse = __builtin_ia32_stmxcsr() & ~0x3fu;
    return 0;
}

/** @return x87's control word that the thread began with, and ended with */
static unsigned run_in_thread(void (*run)(void *), void *argument)
{
    work w = {.run = run, .argument = argument};
    const HANDLE thread = CreateThread(NULL, stack_bytes, run_work, &w, STACK_SIZE_PARAM_IS_A_RESERVATION, NULL);
    assert_non_null(thread);
    assert_int_equal(WaitForSingleObject(thread, INFINITE), WAIT_OBJECT_0);
    (void)CloseHandle(thread);
    assert_int_equal(w.other_control, w.control);
    assert_int_equal(w.other_sse, w.sse);
    return w.control;
}

/* ------------------------------------------------------------------------------------------------------ stacks */

static uintptr_t lowest;

/** Below the caller's frame. */
__attribute__((noinline)) static void paint_stack(void)
{
    volatile unsigned char area[painted];
    for (int i = 0; i < painted; i++)
        area[i] = paint;
    lowest = (uintptr_t)area;
}

/** Both passes of a call, and the stack that they touched. */
typedef struct passes {
    const call *call;
    grkan_status status;
    long touched;
} passes;

static void run_passes(void *argument)
{
    passes *const p = argument;
    unsigned char *const here = __builtin_frame_address(0);
    paint_stack();
    p->status = call_both(p->call->plan, &p->call->at, NULL);
    volatile unsigned char *at = (volatile unsigned char *)lowest;
    while (*at == paint)
        at++;
    p->touched = (long)(here - (unsigned char *)(uintptr_t)at);
}

static const int64_t shapes[][3] = {{160, 768, 1}, {97, 1, 1}, {33, 255, 3}, {9, 3072, 1}, {50, 96, 7}, {500, 64, 1}};

/** @return bytes of the stack */
static long check_one(const check_case *c)
{
    call one = call_begin(device, c, NULL, 0);
    expect_success(call_both(one.plan, &one.at, NULL));
    char *const expected = call_outputs(&one);
    passes p = {.call = &one};
    (void)run_in_thread(run_passes, &p);
    expect_success(p.status);
    char *const found = call_outputs(&one);
    assert_memory_equal(found, expected, call_output_bytes(c));
    free(expected);
    free(found);
    call_end(&one);
    return p.touched;
}

static void test_small_stacks(void **state)
{
    long most = 0;
    int index = 0;
    (void)state;
    for (size_t shape = 0; shape < COUNT_OF(shapes); shape++)
        for (int dtype = 0; dtype < 4; dtype++)
            for (int prologue = 0; prologue < 3; prologue++, index++) {
                const int64_t channels = shapes[shape][1];
                const bool is_norm = prologue == 2 && shapes[shape][2] == 1;
                check_case c = {.seed = (uint64_t)index + 1,
                                .operation = {SHAPE(shapes[shape][0], channels, shapes[shape][2]),
                                              GROUPS(index % 2 == 0 && channels > 8 ? 8 : channels, SHARED, PER_GROUP),
                                              RATIONAL(index % 5 == 0 ? 15 : 5, index % 5 == 0 ? 15 : 4,
                                                       (grkan_form)(index / 2 % 4)),
                                              .dtype = (grkan_dtype)dtype,
                                              .prologue = is_norm         ? GRKAN_PROLOGUE_LAYER_NORM
                                                          : prologue == 1 ? GRKAN_PROLOGUE_BIAS
                                                                          : GRKAN_PROLOGUE_NONE,
                                              .norm = {1e-5, is_norm, is_norm}},
                                .options = {.cpu_threads = 1}};
                check_case_name(&c);
                const long touched = check_one(&c);
                if (touched > promised)
                    fail_msg("%s takes %ld bytes of the stack", c.name, touched);
                most = touched > most ? touched : most;
            }
    print_message("at most %ld bytes of the stack\n", most);
    assert_true(most > 1024); /* it was measured */
}

/* ---------------------------------------------------------------------------------------------------- long double */

static grkan_fit_result fitted;

static void fit_swish(void *argument)
{
    const grkan_fit_problem problem = {.function = "swish",
                                       .low = -3,
                                       .high = 3,
                                       .form = GRKAN_ABS_TERMS,
                                       .dtype = GRKAN_F64,
                                       .numerator_degree = 5,
                                       .denominator_degree = 4};
    *(grkan_status *)argument = grkan_fit(&problem, &fitted);
}

/** Fits compute in long double, of which a thread of Windows has 53 bits. */
static void test_fits_are_the_same_in_any_thread(void **state)
{
    grkan_status status;
    (void)state;
    fit_swish(&status);
    expect_success(status);
    const grkan_fit_result expected = fitted;
    memset(&fitted, 0, sizeof fitted);
    assert_int_equal(run_in_thread(fit_swish, &status), 0x27f); /* what the test is about */
    expect_success(status);
    assert_memory_equal(fitted.numerator, expected.numerator, sizeof fitted.numerator);
    assert_memory_equal(fitted.denominator, expected.denominator, sizeof fitted.denominator);
}

static void *look_at_control(void *found)
{
    *(unsigned *)found = x87_control();
    return NULL;
}

static void test_our_threads_have_all_digits(void **state)
{
    grkan_thread thread;
    unsigned control = 0;
    (void)state;
    assert_true(grkan_thread_start(&thread, look_at_control, &control, stack_bytes));
    grkan_thread_join(thread);
    assert_int_equal(control, 0x37f);
}

/* ------------------------------------------------------------------------------------------- floating-point environment */

static void run_upward(void *argument)
{
    passes *const p = argument;
    const unsigned own = __builtin_ia32_stmxcsr();
    __builtin_ia32_ldmxcsr(0xdf80); /* upward, subnormals to zero */
    p->status = call_both(p->call->plan, &p->call->at, NULL);
    p->touched = (long)(__builtin_ia32_stmxcsr() & ~0x3fu);
    __builtin_ia32_ldmxcsr(own);
}

static void test_the_callers_rounding_changes_nothing(void **state)
{
    (void)state;
    for (int dtype = 0; dtype < 4; dtype++) {
        const check_case c = {.name = "upward",
                              .seed = 3,
                              .operation = {SHAPE(300, 96, 1), GROUPS(8, SHARED, PER_GROUP),
                                            RATIONAL(5, 4, GRKAN_ABS_TERMS), .dtype = (grkan_dtype)dtype},
                              .options = {.cpu_threads = 2}};
        call one = call_begin(device, &c, NULL, 0);
        expect_success(call_both(one.plan, &one.at, NULL));
        char *const expected = call_outputs(&one);
        passes p = {.call = &one};
        (void)run_in_thread(run_upward, &p);
        expect_success(p.status);
        assert_int_equal(p.touched, 0xdf80);
        char *const found = call_outputs(&one);
        assert_memory_equal(found, expected, call_output_bytes(&c));
        free(expected);
        free(found);
        call_end(&one);
    }
}

static int set_up(void **state)
{
    (void)state;
    device = open_device("cpu");
    return 0;
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
        cmocka_unit_test(test_small_stacks),
        cmocka_unit_test(test_fits_are_the_same_in_any_thread),
        cmocka_unit_test(test_our_threads_have_all_digits),
        cmocka_unit_test(test_the_callers_rounding_changes_nothing),
    };
    return cmocka_run_group_tests_name("calls", tests, set_up, tear_down);
}
