/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file grid.c
 * @brief A grid of blocks on a few pthreads, each with fibers for the threads of the block that it runs.
 *
 * A fiber goes on until it meets a barrier or an operation of its wave. The order of fibers turns round from one stretch
 * to the next, and from block to block, so that a missing barrier shows in one of both directions.
 */
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <ucontext.h>

#include "standin.h"

#ifdef __SANITIZE_ADDRESS__
#include <sanitizer/common_interface_defs.h>
#else
#define __sanitizer_start_switch_fiber(save, bottom, bytes) ((void)(save), (void)(bottom), (void)(bytes))
#define __sanitizer_finish_switch_fiber(save, bottom, bytes) ((void)(save), (void)(bottom), (void)(bytes))
#endif

enum { stack_bytes = 65536 };

typedef enum { RUNS, AT_BARRIER, IN_WAVE, FINISHED } fiber_state;

typedef struct fiber {
    ucontext_t context;
    void *fake_stack; /* AddressSanitizer's */
    char *stack;
    fiber_state state;
    unsigned lane, value; /* of an operation of the wave: what is asked for, and given */
} fiber;

/** One pthread's part of the work. */
typedef struct worker {
    ucontext_t context;
    void *fake_stack;
    const void *stack; /* the pthread's own, as AddressSanitizer tells */
    size_t stack_size;
    const standin_grid *grid;
    struct standin_program *program;
    atomic_uint *next_block;
    atomic_int *failed;
    fiber fibers[standin_block_limit];
    fiber *running;
    unsigned made;     /* fibers */
    unsigned launches; /* so that the same launch twice does not have the same order twice */
    unsigned turns;    /* stretches; odd ones go backwards */
} worker;

static _Thread_local worker *current_worker;

/* ------------------------------------------------------------------------------------------------- switches */

static void enter_fiber(worker *w, unsigned thread)
{
    w->running = &w->fibers[thread];
    w->program->now.thread = thread;
    __sanitizer_start_switch_fiber(&w->fake_stack, w->running->stack, stack_bytes);
    swapcontext(&w->context, &w->running->context);
    __sanitizer_finish_switch_fiber(w->fake_stack, NULL, NULL);
}

/** Stop this fiber; the worker goes on. */
static void leave_fiber(worker *w, fiber_state state)
{
    fiber *const f = w->running;
    f->state = state;
    __sanitizer_start_switch_fiber(&f->fake_stack, w->stack, w->stack_size);
    swapcontext(&f->context, &w->context);
    __sanitizer_finish_switch_fiber(f->fake_stack, &w->stack, &w->stack_size);
}

static void barrier(void)
{
    leave_fiber(current_worker, AT_BARRIER);
}

static unsigned exchange(unsigned lane, unsigned value)
{
    worker *const w = current_worker;
    fiber *const f = w->running;
    f->lane = lane;
    f->value = value;
    leave_fiber(w, IN_WAVE);
    return f->value;
}

/** A fiber's life: one thread after another. The address of its worker comes in two halves, as makecontext has it. */
static void run_threads(unsigned high, unsigned low)
{
    worker *const w = (worker *)((uintptr_t)high << 32 | low);
    __sanitizer_finish_switch_fiber(NULL, &w->stack, &w->stack_size);
    for (;;) {
        w->program->kernels[w->grid->kernel].call(w->grid->arguments);
        leave_fiber(w, FINISHED);
    }
}

static bool make_fibers(worker *w, unsigned count)
{
    for (; w->made < count; ++w->made) {
        fiber *const f = &w->fibers[w->made];
        free(f->stack);
        if ((f->stack = malloc(stack_bytes)) == NULL)
            return false;
        getcontext(&f->context);
        f->context.uc_stack.ss_sp = f->stack;
        f->context.uc_stack.ss_size = stack_bytes;
        f->context.uc_link = NULL;
        makecontext(&f->context, (void (*)(void))run_threads, 2, (unsigned)((uintptr_t)w >> 32),
                    (unsigned)(uintptr_t)w);
    }
    return true;
}

/* --------------------------------------------------------------------------------------------------- blocks */

static unsigned count_in(const worker *w, unsigned first, unsigned end, fiber_state state)
{
    unsigned count = 0;
    for (unsigned i = first; i < end; ++i)
        count += w->fibers[i].state == state;
    return count;
}

static void let_run(worker *w, unsigned first, unsigned end)
{
    for (unsigned i = first; i < end; ++i)
        w->fibers[i].state = RUNS;
}

/** Every lane gets what the lane that it asked for gave. */
static void exchange_values(worker *w, unsigned first, unsigned end)
{
    unsigned given[64];
    for (unsigned i = first; i < end; ++i)
        given[i - first] = w->fibers[i].value;
    for (unsigned i = first; i < end; ++i)
        w->fibers[i].value = given[w->fibers[i].lane % (end - first)];
}

/** Let waves and blocks go on that are together. @return false when none can */
static bool go_on(worker *w, unsigned threads)
{
    const unsigned width = (unsigned)standin_wave_width();
    bool goes_on = false;
    for (unsigned first = 0; first < threads; first += width) {
        const unsigned end = first + width < threads ? first + width : threads;
        if (count_in(w, first, end, IN_WAVE) == end - first) {
            exchange_values(w, first, end);
            let_run(w, first, end);
            goes_on = true;
        }
    }
    if (count_in(w, 0, threads, AT_BARRIER) == threads) {
        let_run(w, 0, threads);
        goes_on = true;
    }
    return goes_on;
}

static void run_stretch(worker *w, unsigned threads)
{
    const bool is_backwards = w->turns++ % 2 == 1;
    for (unsigned i = 0; i < threads; ++i) {
        const unsigned thread = is_backwards ? threads - 1 - i : i;
        if (w->fibers[thread].state == RUNS)
            enter_fiber(w, thread);
    }
}

static bool run_block(worker *w, unsigned block)
{
    const unsigned threads = w->grid->block;
    w->program->now.block = block;
    w->turns = w->launches + block;
    if (w->program->shared != NULL)
        memset(w->program->shared, 0xFF, (size_t)(w->program->shared_end - w->program->shared));
    let_run(w, 0, threads);
    do
        run_stretch(w, threads);
    while (go_on(w, threads));
    if (count_in(w, 0, threads, FINISHED) == threads)
        return true;
    fprintf(stderr,
            "HIP stand-in: %s, block %u: of %u threads, %u wait at a barrier, %u in an operation of their wave and %u "
            "have returned: no device would come out of that\n",
            w->program->kernels[w->grid->kernel].name, block, threads, count_in(w, 0, threads, AT_BARRIER),
            count_in(w, 0, threads, IN_WAVE), count_in(w, 0, threads, FINISHED));
    return false;
}

/* ---------------------------------------------------------------------------------------------------- grids */

static void *run_worker(void *argument)
{
    worker *const w = argument;
    struct standin_now *const now = &w->program->now;
    current_worker = w;
    now->block_threads = w->grid->block;
    now->barrier = barrier;
    now->exchange = exchange;
    ++w->launches;
    for (unsigned block; (block = atomic_fetch_add(w->next_block, 1)) < w->grid->blocks && !atomic_load(w->failed);) {
        if (!run_block(w, block)) {
            atomic_store(w->failed, 1);
            w->made = 0; /* its fibers will not come back */
        }
    }
    return NULL;
}

/** The worker of a copy, made once. The queue runs one grid at a time, so nobody else asks. */
static worker *worker_of(int copy)
{
    static worker *workers[standin_most_copies];
    if (workers[copy] == NULL)
        workers[copy] = calloc(1, sizeof(worker));
    return workers[copy];
}

hipError_t standin_run_grid(const standin_grid *grid)
{
    atomic_uint next_block = 0;
    atomic_int failed = 0;
    pthread_t threads[standin_most_copies];
    int started = 0;
    for (int i = 0; i < standin_copies() && (unsigned)i < grid->blocks; ++i) {
        worker *const w = worker_of(i);
        if (w == NULL || !make_fibers(w, grid->block)) {
            atomic_store(&failed, 1);
            break;
        }
        w->grid = grid;
        w->program = grid->copies[i];
        w->next_block = &next_block;
        w->failed = &failed;
        if (pthread_create(&threads[started], NULL, run_worker, w) != 0) {
            atomic_store(&failed, 1);
            break;
        }
        ++started;
    }
    for (int i = 0; i < started; ++i)
        pthread_join(threads[i], NULL);
    return atomic_load(&failed) ? hipErrorLaunchFailure : hipSuccess;
}
