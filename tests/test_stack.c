/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file test_stack.c
 * @brief What grkan.h says of a thread's stack: calls on threads whose stacks are of 64 KiB, with and without the memory
 * that a device lends them. What they leave is the same.
 */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cmocka.h>

#include "call.h"

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
enum { is_sanitized = 1, stack_bytes = 1 << 20 }; /* sanitizers widen every frame */
#else
enum { is_sanitized = 0, stack_bytes = 64 << 10 };
#endif

enum { promised = 32 << 10, guard_bytes = 64 << 10, untouched = 0xA5 };

static const int64_t shapes[][3] = {{160, 768, 1}, {97, 1, 1},  {400, 37, 1}, {33, 255, 3}, {9, 3072, 1},
                                    {300, 64, 1},  {50, 96, 7}, {3, 5, 2000}, {0, 24, 1},   {7, 24, 0}};
static const int degrees[][2] = {{5, 4}, {15, 15}, {0, 0}, {4, 9}};

enum { shape_count = sizeof shapes / sizeof shapes[0], degree_count = sizeof degrees / sizeof degrees[0] };

static grkan_device *lending, *lending_nothing;

/* ---------------------------------------------------------------------------------------- a thread's small stack */

typedef struct small_stack {
    unsigned char *bytes; /* stack_bytes, above pages that nobody may touch */
} small_stack;

static small_stack take_stack(void)
{
    char *const all = mmap(NULL, guard_bytes + stack_bytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    assert_true(all != MAP_FAILED);
    assert_int_equal(mprotect(all + guard_bytes, stack_bytes, PROT_READ | PROT_WRITE), 0);
    return (small_stack){(unsigned char *)all + guard_bytes};
}

static void give_stack_back(small_stack stack)
{
    munmap(stack.bytes - guard_bytes, guard_bytes + stack_bytes);
}

/** @return bytes of the stack that a thread touched that ran this function, its own and those of the system */
static int run_on(small_stack stack, void *(*run)(void *), void *argument)
{
    pthread_attr_t attributes;
    pthread_t thread;
    int lowest = 0;
    memset(stack.bytes, untouched, stack_bytes);
    assert_int_equal(pthread_attr_init(&attributes), 0);
    assert_int_equal(pthread_attr_setstack(&attributes, stack.bytes, stack_bytes), 0);
    assert_int_equal(pthread_create(&thread, &attributes, run, argument), 0);
    assert_int_equal(pthread_join(thread, NULL), 0);
    pthread_attr_destroy(&attributes);
    while (lowest < stack_bytes && stack.bytes[lowest] == untouched)
        lowest++;
    return stack_bytes - lowest;
}

/* ------------------------------------------------------------------------------------------------------- a call */

/** Both passes of a call, on a thread of their own. */
typedef struct passes {
    const call *call;
    grkan_status status;
} passes;

static void *run_nothing(void *argument)
{
    return argument;
}

static void *run_passes(void *argument)
{
    passes *const both = argument;
    both->status = call_both(both->call->plan, &both->call->at, NULL);
    return NULL;
}

/** Run a case on a small stack. @return bytes that it took */
static int run_case(const check_case *c, grkan_device *device, small_stack stack, char **outputs)
{
    call one = call_begin(device, c, NULL, 0);
    passes both = {.call = &one};
    const int touched = run_on(stack, run_passes, &both);
    assert_int_equal(both.status, GRKAN_SUCCESS);
    *outputs = call_outputs(&one);
    call_end(&one);
    return touched;
}

/** One case with the memory that the device lends, and without. */
static void check_one(const check_case *c, small_stack stack)
{
    char *with, *without;
    const int idle = run_on(stack, run_nothing, NULL);
    const int taken[] = {run_case(c, lending, stack, &with) - idle,
                         run_case(c, lending_nothing, stack, &without) - idle};
    for (int i = 0; i < 2 && !is_sanitized; i++)
        if (taken[i] > promised)
            fail_msg("%s takes %d bytes of stack; expected at most %d", c->name, taken[i], (int)promised);
    const char *const difference = call_difference(c, with, without);
    if (difference != NULL)
        fail_msg("%s: %s has other bits where the device lends no memory", c->name, difference);
    free(with);
    free(without);
}

/** Strategy, determinism and instructions. */
static const grkan_options ways[] = {
    {.cpu_threads = 1},
    {.cpu_threads = 1, .determinism = GRKAN_DEVICE_TO_DEVICE},
    {.cpu_threads = 1, .cpu_simd = GRKAN_CPU_SIMD_OFF},
    {.cpu_threads = 1, .cpu_simd = GRKAN_CPU_SIMD_OFF, .determinism = GRKAN_DEVICE_TO_DEVICE},
    {.cpu_threads = 1, .determinism = GRKAN_NONE, .strategy = GRKAN_STRATEGY_BLOCK},
    {.cpu_threads = 1, .determinism = GRKAN_NONE, .strategy = GRKAN_STRATEGY_ELEMENT}};

enum { way_count = sizeof ways / sizeof ways[0], dtype_count = GRKAN_BF16 + 2 };

static void test_calls_fit_on_small_stacks(void **state)
{
    const small_stack stack = take_stack();
    int index = 0;
    (void)state;
    for (int shape = 0; shape < shape_count; shape++)
        for (int way = 0; way < way_count; way++)
            for (int dtype = 0; dtype < dtype_count; dtype++, index++) {
                const int64_t channels = shapes[shape][1];
                const int64_t groups[] = {1, channels, channels < 8 ? channels : 8};
                const int64_t count = groups[index % 3];
                const int *const degree = degrees[index / 3 % degree_count];
                check_case c = {.seed = (uint64_t)index + 1,
                                .operation = {SHAPE(shapes[shape][0], channels, shapes[shape][2]),
                                              GROUPS(count, index % 5 == 0 ? SHARED : PER_GROUP,
                                                     index % 7 == 0 ? SHARED : PER_GROUP),
                                              RATIONAL(degree[0], degree[1], (grkan_form)(index / 2 % 4)),
                                              .dtype = (grkan_dtype)dtype},
                                .options = ways[way],
                                .accumulation = GRKAN_OVERWRITE,
                                .values = index % 4 == 1 ? CHECK_HUGE : CHECK_ORDINARY};
                check_case_name(&c);
                check_one(&c, stack);
            }
    give_stack_back(stack);
}

/** Likewise with prologues, of which norms look at rows as wholes. Without memory the plain reference may have a block, whose
    NaN may have another sign: no values that overflow. */
static void test_prologues_fit_on_small_stacks(void **state)
{
    const small_stack stack = take_stack();
    int index = 0;
    (void)state;
    for (int shape = 0; shape < shape_count; shape++)
        for (int way = 0; way < way_count && ways[way].strategy == GRKAN_STRATEGY_AUTO; way++)
            for (int dtype = 0; dtype < dtype_count; dtype++, index++) {
                const int64_t channels = shapes[shape][1], inner = shapes[shape][2];
                const int *const degree = degrees[index / 3 % degree_count];
                const bool is_norm = inner == 1 && index % 4 != 0;
                check_case c = {
                    .seed = (uint64_t)index + 1,
                    .operation = {SHAPE(shapes[shape][0], channels, inner),
                                  GROUPS(index % 2 == 0 && channels > 8 ? 8 : channels, SHARED, PER_GROUP),
                                  RATIONAL(degree[0], degree[1], (grkan_form)(index / 2 % 4)),
                                  .dtype = (grkan_dtype)dtype,
                                  .prologue = is_norm ? (grkan_prologue)(2 + index % 2) : GRKAN_PROLOGUE_BIAS,
                                  .norm = {1e-5, is_norm && index % 8 < 4, is_norm && index % 16 < 12}},
                    .options = ways[way]};
                c.options.writes_y = index % 3 == 0;
                check_case_name(&c);
                check_one(&c, stack);
            }
    give_stack_back(stack);
}

/** The sums of a block that take most: each of 64 channels has its own group, of the highest degrees. */
static void test_most_sums_fit(void **state)
{
    const small_stack stack = take_stack();
    (void)state;
    for (int dtype = 0; dtype < dtype_count; dtype++)
        for (int form = 0; form < 5; form++) {
            check_case c = {.seed = 1,
                            .operation = {SHAPE(500, 64, 1), GROUPS(64, PER_GROUP, form % 2 == 0 ? PER_GROUP : SHARED),
                                          RATIONAL(15, 15, (grkan_form)form), .dtype = (grkan_dtype)dtype},
                            .options = {.cpu_threads = 1}};
            check_case_name(&c);
            check_one(&c, stack);
        }
    give_stack_back(stack);
}

/* ------------------------------------------------------------------------------------------------------- devices */

/** The environment caps the width of vectors. */
static void test_the_environment_caps_the_width(void **state)
{
#if defined(__x86_64__)
    static const char *const names[] = {"scalar", "avx2", "avx512"};
    const char *const expected = "scalar, avx2 or avx512";
#else
    static const char *const names[] = {"scalar", "vector"};
    const char *const expected = "scalar or vector";
#endif
    static const char *const wrong[] = {"sse2", "AVX2", "avx2 ", "0", "avx", "auto"};
    enum { name_count = sizeof names / sizeof names[0] };
    grkan_device *opened = NULL;
    grkan_device_properties widest, capped;
    char text[160];
    (void)state;
    const char *const before = getenv("GRKAN_CPU_SIMD"); /* the whole test may run with one */
    char *const kept = before == NULL ? NULL : strdup(before);
    assert_int_equal(setenv("GRKAN_CPU_SIMD", "", 1), 0);
    assert_int_equal(grkan_device_open("cpu", &opened), GRKAN_SUCCESS);
    assert_int_equal(grkan_device_describe(opened, &widest), GRKAN_SUCCESS);
    grkan_device_close(opened);
    bool is_beyond = false; /* what the processor has */
    for (int i = 0; i < name_count; i++) {
        assert_int_equal(setenv("GRKAN_CPU_SIMD", names[i], 1), 0);
        assert_int_equal(grkan_device_open("cpu", &opened), GRKAN_SUCCESS);
        assert_int_equal(grkan_device_describe(opened, &capped), GRKAN_SUCCESS);
        assert_string_equal(capped.architecture, is_beyond ? widest.architecture : names[i]);
        is_beyond = is_beyond || strcmp(names[i], widest.architecture) == 0;
        grkan_device_close(opened);
    }
    assert_true(is_beyond);
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        opened = NULL;
        assert_int_equal(setenv("GRKAN_CPU_SIMD", wrong[i], 1), 0);
        assert_int_equal(grkan_device_open("cpu", &opened), GRKAN_ERROR_INVALID_ARGUMENT);
        assert_null(opened);
        (void)snprintf(text, sizeof text, "device \"cpu\": the environment's GRKAN_CPU_SIMD is \"%s\"; expected %s",
                       wrong[i], expected);
        assert_string_equal(grkan_last_error(), text);
    }
    if (kept == NULL)
        assert_int_equal(unsetenv("GRKAN_CPU_SIMD"), 0);
    else
        assert_int_equal(setenv("GRKAN_CPU_SIMD", kept, 1), 0);
    free(kept);
}

static rlim_t address_space(void)
{
    unsigned long pages = 0;
    FILE *const file = fopen("/proc/self/statm", "r");
    if (file == NULL || fscanf(file, "%lu", &pages) != 1)
        pages = 0;
    if (file != NULL)
        fclose(file);
    return (rlim_t)pages * (rlim_t)sysconf(_SC_PAGESIZE);
}

/** A device that was opened when there was no memory to lend: it takes 640 KiB for each processor. */
static int open_devices(void **state)
{
    struct rlimit before, scarce;
    (void)state;
    if (grkan_device_open("cpu", &lending) != GRKAN_SUCCESS || getrlimit(RLIMIT_AS, &before) != 0)
        return -1;
    scarce = before;
    scarce.rlim_cur = address_space() + (256 << 10);
    if (!is_sanitized && setrlimit(RLIMIT_AS, &scarce) != 0)
        return -1;
    const grkan_status status = grkan_device_open("cpu", &lending_nothing);
    return setrlimit(RLIMIT_AS, &before) == 0 && status == GRKAN_SUCCESS ? 0 : -1;
}

static int close_devices(void **state)
{
    (void)state;
    grkan_device_close(lending);
    grkan_device_close(lending_nothing);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_calls_fit_on_small_stacks), cmocka_unit_test(test_prologues_fit_on_small_stacks),
        cmocka_unit_test(test_most_sums_fit), cmocka_unit_test(test_the_environment_caps_the_width)};
    return cmocka_run_group_tests(tests, open_devices, close_devices);
}
