/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file pool.c
 * @brief The pool of threads: parallel loops of any number of callers, helped by whoever is free.
 *
 * A caller announces its loop in one of a few places, wakes a thread if one is parked, and begins at once. Threads that
 * come take tasks from the loop until none is left; one that comes late finds none, and one that never comes is not
 * waited for. So a caller waits at most for tasks that were begun, whatever else the machine does. Callers that find no
 * place do without help.
 *
 * Everything here is plain memory of the process, with no lock that a caller takes: a forked child, in which the threads
 * are no more, makes it new.
 */
#include "platform.h"

#include <stdatomic.h>

enum {
    most_threads = 1023,
    place_count = 16,   /* loops that threads can help with at a time */
    spin_rounds = 1000, /* before a thread is parked: some 20 microseconds, which is what waking one takes */
    line_bytes = 64
};

/** Of each thread: what the kernels take, and as much again. */
static const size_t stack_bytes = (size_t)2 << 20;

/** Where a caller announces a loop. `left` counts down to 0 from the helpers that the caller waits for, when it does. */
typedef struct place {
    _Alignas(line_bytes) atomic_int is_taken;
    atomic_int welcome; /* helpers that may still join */
    atomic_int left;    /* helpers that have left again */
    grkan_semaphore all_left;
    grkan_task task;
    void *argument;
    int64_t count;
    _Alignas(line_bytes) _Atomic int64_t next; /* task */
} place;

/** All of it is zero in a process without threads of the pool. */
static struct {
    place places[place_count];
    _Alignas(line_bytes) atomic_int threads;
    atomic_int rounds;   /* that a thread spins; 0 where there are more threads than processors */
    atomic_int spinning; /* threads that look for work */
    atomic_int parked;   /* threads that wait for a post, or are about to */
    atomic_int is_ending;
    grkan_semaphore posts;
} pool;

static grkan_lock growing = GRKAN_LOCK_INIT; /* guards the number of threads, and the next lines */
static grkan_thread threads_of_pool[most_threads];
static int holders, is_watching_forks;

/* ---------------------------------------------------------------------------------------------------- parking */

/** Take one off the parked threads. @return false if there is none */
static bool take_parked(void)
{
    int parked = atomic_load(&pool.parked);
    while (parked > 0)
        if (atomic_compare_exchange_weak(&pool.parked, &parked, parked - 1))
            return true;
    return false;
}

/** Have so many threads look for work, those that do so already among them. One that is woken wakes the next. */
static void wake(int wanted)
{
    for (int i = atomic_load(&pool.spinning); i < wanted && i < 2 && take_parked(); i++)
        grkan_semaphore_post(&pool.posts);
}

static bool is_needed(void)
{
    for (int i = 0; i < place_count; i++)
        if (atomic_load(&pool.places[i].welcome) > 0)
            return true;
    return atomic_load(&pool.is_ending) != 0;
}

/**
 * A caller announces its loop and then looks for parked threads; a thread counts itself as parked and then looks for
 * loops. So one of the two sees the other.
 */
static void park(void)
{
    atomic_fetch_add(&pool.parked, 1);
    if (is_needed() && take_parked())
        return;
    grkan_semaphore_wait(&pool.posts);
}

/** Until there may be work. */
static void wait_for_work(void)
{
    const int rounds = atomic_load(&pool.rounds);
    atomic_fetch_add(&pool.spinning, 1);
    for (int i = 0; i < rounds && !is_needed(); i++)
        grkan_relax();
    atomic_fetch_sub(&pool.spinning, 1);
    if (!is_needed())
        park();
}

/* ------------------------------------------------------------------------------------------------------ loops */

static void run_tasks(place *p)
{
    int64_t i;
    while ((i = atomic_fetch_add(&p->next, 1)) < p->count)
        p->task(p->argument, i);
}

/** Join a loop that has room, until none of its tasks is left. */
static bool help(place *p)
{
    int welcome = atomic_load(&p->welcome);
    do {
        if (welcome <= 0)
            return false;
    } while (!atomic_compare_exchange_weak(&p->welcome, &welcome, welcome - 1));
    wake(welcome - 1);
    run_tasks(p);
    if (atomic_fetch_add(&p->left, 1) == -1)
        grkan_semaphore_post(&p->all_left);
    return true;
}

static void *work(void *unused)
{
    (void)unused;
    while (atomic_load(&pool.is_ending) == 0) {
        bool has_helped = false;
        for (int i = 0; i < place_count; i++)
            has_helped = help(&pool.places[i]) || has_helped;
        if (!has_helped)
            wait_for_work();
    }
    return NULL;
}

static place *take_place(void)
{
    for (int i = 0; i < place_count; i++)
        if (atomic_exchange(&pool.places[i].is_taken, 1) == 0)
            return &pool.places[i];
    return NULL;
}

/** Wait for those who joined: they are in their last tasks. */
static void wait_for_helpers(place *p, int joined)
{
    const int rounds = atomic_load(&pool.rounds);
    for (int i = 0; i < rounds && atomic_load(&p->left) != joined; i++)
        grkan_relax();
    if (atomic_fetch_sub(&p->left, joined) != joined)
        grkan_semaphore_wait(&p->all_left);
}

static int least(int64_t a, int b)
{
    return a < b ? (int)a : b;
}

void grkan_pool_run(int64_t count, grkan_task task, void *argument)
{
    const int helpers = least(count - 1, atomic_load(&pool.threads));
    place *const p = helpers > 0 ? take_place() : NULL;
    if (p == NULL) {
        for (int64_t i = 0; i < count; i++)
            task(argument, i);
        return;
    }
    p->task = task;
    p->argument = argument;
    p->count = count;
    atomic_store(&p->next, 0);
    atomic_store(&p->welcome, helpers);
    wake(1);
    run_tasks(p);
    wait_for_helpers(p, helpers - atomic_exchange(&p->welcome, 0));
    atomic_store(&p->is_taken, 0);
}

/* ---------------------------------------------------------------------------------------------------- threads */

/** No threads, and nobody who needs one. */
static void clear(void)
{
    atomic_store(&pool.threads, 0);
    atomic_store(&pool.spinning, 0);
    atomic_store(&pool.parked, 0);
    atomic_store(&pool.is_ending, 0);
    grkan_semaphore_init(&pool.posts);
    for (int i = 0; i < place_count; i++) {
        place *const p = &pool.places[i];
        atomic_store(&p->welcome, 0);
        atomic_store(&p->left, 0);
        grkan_semaphore_init(&p->all_left);
        atomic_store(&p->is_taken, 0);
    }
}

/** The threads are the parent's, and so are the callers that they were helping and whoever had the lock. */
static void forget_parent(void)
{
    grkan_lock_init(&growing);
    clear();
}

void grkan_pool_hold(void)
{
    grkan_lock_take(&growing);
    if (!is_watching_forks) {
        clear();
        grkan_on_fork(forget_parent);
        is_watching_forks = 1;
    }
    holders++;
    grkan_lock_release(&growing);
}

void grkan_pool_grow(int helpers)
{
    if (atomic_load(&pool.threads) >= helpers)
        return;
    const int processors = grkan_processors();
    grkan_lock_take(&growing);
    int threads = atomic_load(&pool.threads);
    while (threads < helpers && threads < most_threads &&
           grkan_thread_start(&threads_of_pool[threads], work, NULL, stack_bytes))
        atomic_store(&pool.threads, ++threads);
    atomic_store(&pool.rounds, threads < processors ? spin_rounds : 0);
    grkan_lock_release(&growing);
}

/** The caller has the lock. */
static void end_threads(void)
{
    const int threads = atomic_load(&pool.threads);
    atomic_store(&pool.is_ending, 1);
    for (int i = 0; i < threads; i++)
        grkan_semaphore_post(&pool.posts);
    for (int i = 0; i < threads; i++)
        grkan_thread_join(threads_of_pool[i]);
    clear();
}

/** At the end of the process, threads that nobody ended: of a device that is still open. */
__attribute__((destructor)) static void let_go(void)
{
    for (int i = 0; i < atomic_load(&pool.threads); i++)
        grkan_thread_detach(threads_of_pool[i]);
}

void grkan_pool_release(void)
{
    grkan_lock_take(&growing);
    if (--holders == 0)
        end_threads();
    grkan_lock_release(&growing);
}
