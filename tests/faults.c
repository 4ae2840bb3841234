/* SPDX-License-Identifier: Apache-2.0 */
/** @file faults.c @brief A program's whole way, and what must hold when one of its calls fails. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "call.h"
#include "faults.h"

enum { outer = 300, channels = 24, groups = 3, elements = outer * channels, most_calls = 1024 };
enum { a_count = 6, b_count = 4 * groups, result_count = 2 * elements + a_count + b_count };

static const fault_runtime *runtime;
static int fails_all;

/** What the fault is, and what one run tells the next; shared by all processes. */
static struct {
    int nth;        /* the call that fails, from 1; 0: none */
    char name[64];  /* of that call */
    int call_count; /* of a run without a fault */
    char calls[most_calls][64];
    const char *step[most_calls]; /* that made it */
    int is_plan[most_calls];      /* of that step */
    float results[result_count];
} *shared;

/** A program on its way. */
typedef struct program {
    grkan_device *device;
    grkan_device_properties properties;
    grkan_plan *plans[2]; /* tree, with a workspace; element, with atomics and a launch that clears */
    void *memory, *copied;
    double milliseconds;
    float host[result_count];
} program;

/* Offsets in the memory, in bytes. */
enum {
    at_x = 0,
    at_a = at_x + 4 * elements,
    at_b = at_a + 64,
    at_results = at_b + 64,
    at_workspace = at_results + 4 * ((result_count + 15) / 16 * 16),
    most_workspace = 65536,
    memory_bytes = at_workspace + most_workspace
};

static grkan_buffer at(const program *p, size_t offset)
{
    return (grkan_buffer){p->memory, offset};
}

/* ---------------------------------------------------------------------------------------------------- the steps */

static grkan_status open_the_device(program *p)
{
    return grkan_device_open(runtime->selector, &p->device);
}

static grkan_status create_plan(program *p, int which, int rows)
{
    const grkan_operation operation = layer_of_groups(rows, channels, groups);
    grkan_options options = {0};
    options.strategy = which == 0 ? GRKAN_STRATEGY_TREE : GRKAN_STRATEGY_ELEMENT;
    options.determinism = which == 0 ? GRKAN_DEVICE_TO_DEVICE : GRKAN_NONE;
    return grkan_plan_create(p->device, &operation, &options, &p->plans[which]);
}

static grkan_status create_tree_plan(program *p)
{
    return create_plan(p, 0, outer);
}

static grkan_status create_element_plan(program *p)
{
    return create_plan(p, 1, outer);
}

static grkan_status allocate(program *p)
{
    return grkan_memory_allocate(p->device, memory_bytes, &p->memory);
}

static grkan_status allocate_more(program *p)
{
    return grkan_memory_allocate(p->device, sizeof p->host, &p->copied);
}

static grkan_status upload(program *p)
{
    static char host[memory_bytes]; /* the workspace is zero */
    float *const x = (float *)(void *)(host + at_x), *const a = (float *)(void *)(host + at_a);
    float *const b = (float *)(void *)(host + at_b);
    for (int i = 0; i < elements; ++i)
        x[i] = (float)(i % 41 - 20) / 8;
    for (int i = 0; i < a_count; ++i)
        a[i] = 1 / (float)(i + 1);
    for (int i = 0; i < b_count; ++i)
        b[i] = (float)(i % 5 - 2) / 4;
    return grkan_memory_upload(p->device, at(p, 0), host, sizeof host);
}

static grkan_status start_timer(program *p)
{
    return grkan_timer_start(p->device);
}

static device_layer buffers(const program *p)
{
    return (device_layer){.tensor = {[CHECK_X] = at(p, at_x),
                                     [CHECK_DY] = at(p, at_x),
                                     [CHECK_NUMERATOR] = at(p, at_a),
                                     [CHECK_DENOMINATOR] = at(p, at_b),
                                     [CHECK_Y] = at(p, at_results),
                                     [CHECK_DX] = at(p, at_results + 4 * elements),
                                     [CHECK_DNUMERATOR] = at(p, at_results + 8 * elements),
                                     [CHECK_DDENOMINATOR] = at(p, at_results + 8 * elements + 4 * a_count)},
                          .workspace = at(p, at_workspace),
                          .workspace_bytes = most_workspace};
}

static grkan_status forward(program *p)
{
    const device_layer of = buffers(p);
    return call_forward(p->plans[0], &of, NULL);
}

static grkan_status backward(program *p, int which)
{
    const device_layer of = buffers(p);
    return call_backward(p->plans[which], &of, NULL);
}

/** Before the other, whose sums repeat bit for bit and overwrite these. */
static grkan_status backward_by_elements(program *p)
{
    return backward(p, 1);
}

static grkan_status backward_by_tree(program *p)
{
    return backward(p, 0);
}

static grkan_status stop_timer(program *p)
{
    return grkan_timer_stop(p->device, &p->milliseconds);
}

static grkan_status copy(program *p)
{
    return grkan_memory_copy(p->device, (grkan_buffer){p->copied, 0}, at(p, at_results), sizeof p->host);
}

static grkan_status synchronize(program *p)
{
    return grkan_device_synchronize(p->device);
}

static grkan_status download(program *p)
{
    return grkan_memory_download(p->device, p->host, (grkan_buffer){p->copied, 0}, sizeof p->host);
}

static grkan_status free_memory(program *p)
{
    grkan_memory_free(p->device, p->memory);
    grkan_memory_free(p->device, p->copied);
    return GRKAN_SUCCESS;
}

static grkan_status destroy_plans(program *p)
{
    grkan_plan_destroy(p->plans[0]);
    grkan_plan_destroy(p->plans[1]);
    return GRKAN_SUCCESS;
}

static grkan_status close_device(program *p)
{
    grkan_device_close(p->device);
    return GRKAN_SUCCESS;
}

typedef struct step {
    const char *name;
    grkan_status (*run)(program *p);
    int is_plan; /* takes kernels from the cache, and compiles when that does not work. 1: fails in turn, 2: does not,
                    since the first has made all its calls, and a compilation takes its time */
    int is_end;  /* 1: returns nothing, so it cannot tell */
} step;

static const step steps[] = {
    {"open", open_the_device, 0, 0},
    {"create the tree plan", create_tree_plan, 1, 0},
    {"create the element plan", create_element_plan, 2, 0},
    {"allocate", allocate, 0, 0},
    {"allocate more", allocate_more, 0, 0},
    {"upload", upload, 0, 0},
    {"start the timer", start_timer, 0, 0},
    {"forward", forward, 0, 0},
    {"backward by elements", backward_by_elements, 0, 0},
    {"backward by a tree", backward_by_tree, 0, 0},
    {"stop the timer", stop_timer, 0, 0},
    {"copy", copy, 0, 0},
    {"synchronize", synchronize, 0, 0},
    {"download", download, 0, 0},
    {"free", free_memory, 0, 1},
    {"destroy the plans", destroy_plans, 0, 1},
    {"close", close_device, 0, 1},
};

/* -------------------------------------------------------------------------------------------------- one process */

__attribute__((format(printf, 2, 3), noreturn)) static void give_up(const char *where, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    fprintf(stderr, "call %d, %s, fails: %s: ", shared->nth, shared->name, where);
    vfprintf(stderr, format, arguments);
    fprintf(stderr, "\n");
    va_end(arguments);
    _exit(1);
}

static void check_error(const char *where, grkan_status status)
{
    const char *const words = runtime->words_of(shared->name);
    if (status != runtime->status_of(shared->name))
        give_up(where, "the status is %s: %s", grkan_status_name(status), grkan_last_error());
    if (strstr(grkan_last_error(), shared->name) == NULL || strstr(grkan_last_error(), words) == NULL)
        give_up(where, "\"%s\" does not name the call and say \"%s\"", grkan_last_error(), words);
}

/** Between the steps, whether they were successful or not. @param struck whether the fault has struck in this one */
static void check_caller(const char *where, int struck)
{
    const char *const words = runtime->disturbed(struck ? shared->name : NULL);
    if (words != NULL)
        give_up(where, "%s", words);
}

/** Calls whose failure changes nothing for the caller. */
static int is_soft(const step *s)
{
    return s->is_end || runtime->is_soft(shared->name, s->run == open_the_device);
}

/** Without a cache, it is about the first plan alone, and nothing is tried again. */
static int has_cache(void)
{
    return getenv("GRKAN_CACHE") == NULL;
}

static const char *struck_step; /* in which the fault struck; NULL: in none yet */

/** @return 0 to go straight to the end */
static int run_step(const step *s, program *p, int first_call)
{
    const int before = first_call + shared->nth - 1;
    const int had_struck = shared->nth > 0 && runtime->called(before) != NULL;
    grkan_status status = s->run(p);
    const int struck = !had_struck && shared->nth > 0 && runtime->called(before) != NULL;
    check_caller(s->name, struck);
    if (struck)
        struck_step = s->name;
    if (!struck && status != GRKAN_SUCCESS)
        give_up(s->name, "without reason: %s", grkan_last_error());
    if (!struck)
        return has_cache() || !s->is_plan;
    if (status == GRKAN_SUCCESS && !is_soft(s) && !(s->is_plan && has_cache()))
        give_up(s->name, "nobody says so");
    if (status == GRKAN_SUCCESS)
        return has_cache() || !s->is_plan;
    check_error(s->name, status);
    if (!has_cache())
        return 0;
    if ((status = s->run(p)) != GRKAN_SUCCESS)
        give_up(s->name, "and again, without reason: %s", grkan_last_error());
    check_caller(s->name, 0);
    return 1;
}

static void check_alive(void)
{
    const char *const expected = runtime->left_by(shared->name, struck_step);
    if (strcmp(runtime->alive(), expected) != 0)
        give_up("the end", "left over: \"%s\"; expected \"%s\"", runtime->alive(), expected);
}

static int count_calls(void)
{
    int count = 0;
    while (runtime->called(count) != NULL)
        ++count;
    return count;
}

/** Remember the calls of a step in a run without a fault. @param first the index of the run's first call */
static void remember(const step *s, int first)
{
    const int end = count_calls() - first;
    for (int i = shared->call_count; i < end && i < most_calls; ++i) {
        snprintf(shared->calls[i], sizeof shared->calls[i], "%s", runtime->called(first + i));
        shared->step[i] = s->name;
        shared->is_plan[i] = s->is_plan;
    }
    shared->call_count = end < most_calls ? end : most_calls;
}

static void go_the_whole_way(void)
{
    program p = {0};
    int goes_on = 1;
    if (runtime->begin != NULL)
        runtime->begin();
    const int first_call = count_calls();
    if (shared->nth == 0)
        shared->call_count = 0;
    runtime->strike(NULL, shared->nth, runtime->code_of(shared->name));
    for (size_t i = 0; i < sizeof steps / sizeof steps[0]; ++i) {
        if (!goes_on && !steps[i].is_end)
            continue;
        goes_on &= run_step(&steps[i], &p, first_call);
        if (shared->nth == 0)
            remember(&steps[i], first_call);
    }
    check_alive();
    if (shared->nth == 0)
        memcpy(shared->results, p.host, sizeof p.host);
    else if (goes_on && memcmp(shared->results, p.host, sizeof p.host) != 0)
        give_up("the end", "the results are not those of a run without a fault");
}

/** Run in a process of its own, in which the nth call fails. @return whether it was good */
static int run_with_fault(int nth)
{
    int status = 0;
    shared->nth = nth;
    snprintf(shared->name, sizeof shared->name, "%s", nth > 0 ? shared->calls[nth - 1] : "none");
    fflush(NULL);
    const pid_t child = fork();
    if (child == 0) {
        go_the_whole_way();
        exit(0); /* through exit, so that a leak checker has its turn */
    }
    assert_true(child > 0 && waitpid(child, &status, 0) == child);
    if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
        fprintf(stderr, "call %d, %s, fails: the process ended with %s %d\n", nth, shared->name,
                WIFSIGNALED(status) ? "signal" : "status",
                WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status));
    return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

/* ------------------------------------------------------------------------------------------------------- tests */

static int call_was_made(const char *name)
{
    for (int i = 0; i < shared->call_count; ++i)
        if (strcmp(shared->calls[i], name) == 0)
            return 1;
    return 0;
}

static void expect_calls(const char *const *names)
{
    for (; *names != NULL; ++names)
        if (!call_was_made(*names))
            fail_msg("%s was not called at all", *names);
}

static int is_alike(int i, int other)
{
    return shared->step[i] == shared->step[other] && strcmp(shared->calls[i], shared->calls[other]) == 0;
}

/** Whether its step calls the same entry point before and after it. */
static int is_amid_others(int i)
{
    int before = i - 1, after = i + 1;
    while (before >= 0 && !is_alike(i, before))
        --before;
    while (after < shared->call_count && !is_alike(i, after))
        ++after;
    return before >= 0 && after < shared->call_count;
}

/** A run without a fault, then one for each of its calls. @param only_plans only those made while plans are created */
static void fail_each_call(int only_plans)
{
    int bad = 0, faults = 0;
    assert_true(run_with_fault(0));
    assert_in_range(shared->call_count, 10, most_calls - 1);
    for (int i = 0; i < shared->call_count; ++i) {
        if (shared->is_plan[i] != 2 && (!only_plans || shared->is_plan[i]) && (fails_all || !is_amid_others(i))) {
            bad += !run_with_fault(i + 1);
            ++faults;
        }
    }
    printf("%d calls failed in turn, %d of them to no good end\n", faults, bad);
    assert_int_equal(bad, 0);
}

void faults_with_cache(const char *const *names)
{
    assert_true(run_with_fault(0)); /* fills the cache */
    fail_each_call(0);
    expect_calls(names);
}

void faults_without_cache(const char *const *names)
{
    setenv("GRKAN_CACHE", "off", 1);
    fail_each_call(1);
    unsetenv("GRKAN_CACHE");
    expect_calls(names);
}

static int count_calls_of(const char *name)
{
    int count = 0;
    for (int i = 0; runtime->called(i) != NULL; ++i)
        count += strcmp(runtime->called(i), name) == 0;
    return count;
}

/** Sizes are arguments of kernels, so plans of other sizes load nothing, and work that waits does not need its plan. */
void faults_sharing(const char *load, const char *unload)
{
    program p = {0};
    assert_true(run_with_fault(0)); /* leaves the results to expect */
    if (runtime->begin != NULL)
        runtime->begin();
    assert_int_equal(open_the_device(&p), GRKAN_SUCCESS);
    for (int rows = outer + 5; rows >= outer; --rows) {
        grkan_plan_destroy(p.plans[0]);
        assert_int_equal(create_plan(&p, 0, rows), GRKAN_SUCCESS);
    }
    assert_int_equal(count_calls_of(load), 1);
    assert_int_equal(create_element_plan(&p), GRKAN_SUCCESS);
    assert_int_equal(count_calls_of(load), 2);

    grkan_status (*const work[])(program *) = {allocate,      allocate_more, upload,      forward,  backward_by_tree,
                                               destroy_plans, copy,          synchronize, download, free_memory};
    for (size_t i = 0; i < sizeof work / sizeof work[0]; ++i)
        assert_int_equal(work[i](&p), GRKAN_SUCCESS);
    assert_memory_equal(p.host, shared->results, sizeof p.host);
    assert_int_equal(count_calls_of(unload), 0);
    assert_int_equal(close_device(&p), GRKAN_SUCCESS);
    assert_string_equal(runtime->alive(), "");
}

void faults_calls_of_forward(const char *const *names)
{
    program p = {0};
    grkan_status (*const before[])(program *) = {open_the_device, create_tree_plan, allocate, upload};
    grkan_status (*const after[])(program *) = {free_memory, destroy_plans, close_device};
    for (size_t i = 0; i < sizeof before / sizeof before[0]; ++i)
        assert_int_equal(before[i](&p), GRKAN_SUCCESS);
    const int first = count_calls();
    assert_int_equal(forward(&p), GRKAN_SUCCESS);
    for (int i = 0; names[i] != NULL || runtime->called(first + i) != NULL; ++i) {
        assert_non_null(names[i]);
        assert_non_null(runtime->called(first + i));
        assert_string_equal(runtime->called(first + i), names[i]);
    }
    for (size_t i = 0; i < sizeof after / sizeof after[0]; ++i)
        assert_int_equal(after[i](&p), GRKAN_SUCCESS);
}

int faults_begin(const fault_runtime *of, int all)
{
    runtime = of;
    fails_all = all;
    shared = mmap(NULL, sizeof *shared, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    return shared != MAP_FAILED;
}
