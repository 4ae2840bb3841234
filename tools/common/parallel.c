/* SPDX-License-Identifier: Apache-2.0 */
/** @file parallel.c @brief Work on the host of which each processor takes a part. */
#include "parallel.h"

#include <pthread.h>
#include <unistd.h>

enum { most_ranges = 256 };

typedef struct range {
    tool_range work;
    void *context;
    int64_t first, end;
    pthread_t thread;
    int has_thread;
} range;

static void *run(void *argument)
{
    const range *const r = argument;
    r->work(r->context, r->first, r->end);
    return NULL;
}

void tool_parallel(int64_t count, tool_range work, void *context)
{
    range ranges[most_ranges];
    const long processors = sysconf(_SC_NPROCESSORS_ONLN);
    const int64_t most = processors < 1 ? 1 : processors < most_ranges ? processors : most_ranges;
    const int64_t parts = count < most ? count : most;
    for (int64_t i = 0; i < parts; i++) {
        range *const r = &ranges[i];
        *r = (range){.work = work, .context = context};
        r->first = count / parts * i + (i < count % parts ? i : count % parts);
        r->end = r->first + count / parts + (i < count % parts);
        r->has_thread = i + 1 < parts && pthread_create(&r->thread, NULL, run, r) == 0;
        if (!r->has_thread)
            (void)run(r);
    }
    for (int64_t i = 0; i < parts; i++)
        if (ranges[i].has_thread)
            (void)pthread_join(ranges[i].thread, NULL);
}
