/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file share.c
 * @brief A loop shared among threads.
 *
 * A share is whatever a thread takes while there is something left. So no thread waits for one that the system does not
 * run, and a pool that runs its tasks one after the other, or runs none, leaves nothing undone.
 */
#include "share.h"

#include <stdatomic.h>

#include "../../core/platform/float_environment.h"
#include "../../core/platform/platform.h"

/** Turns are taken several at once where there are many: a thread comes back so many times, about. */
enum { visits_of_a_thread = 64 };

typedef struct shared_loop {
    const cpu_loop *loop;
    int64_t grain; /* turns that are taken at once */
    _Atomic int64_t next;
    atomic_uint raised; /* floating-point exceptions */
} shared_loop;

static void take_share(void *argument, int64_t index)
{
    shared_loop *const shared = argument;
    const cpu_loop *const loop = shared->loop;
    (void)index;
    if (atomic_load(&shared->next) >= loop->count)
        return;
    const grkan_float_environment own = grkan_float_enter();
    int64_t first;
    while ((first = atomic_fetch_add(&shared->next, shared->grain)) < loop->count) {
        const int64_t end = loop->count - first < shared->grain ? loop->count : first + shared->grain;
        for (int64_t i = first; i < end; ++i)
            loop->turn(loop->context, i);
    }
    atomic_fetch_or(&shared->raised, grkan_float_leave(own));
}

void cpu_share(const cpu_loop *loop, int threads, const grkan_options *options)
{
    const int64_t shares = loop->count < threads ? loop->count : threads;
    shared_loop shared = {.loop = loop, .grain = 1 + loop->count / ((int64_t)threads * visits_of_a_thread)};
    if (shares > 1 && options != NULL && options->cpu_parallel_for != NULL)
        options->cpu_parallel_for(options->cpu_parallel_context, shares, take_share, &shared);
    else if (shares > 1)
        grkan_pool_run(shares, take_share, &shared);
    take_share(&shared, 0); /* all of it, or what a pool of the caller's left */
    grkan_float_raise(atomic_load(&shared.raised));
}
