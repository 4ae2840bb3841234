/* SPDX-License-Identifier: Apache-2.0 */
/** @file parallel.c @brief Work on the host of which each processor takes a part. */
#include "parallel.h"

#include "../../core/platform/platform.h"

/** Work that is cut into ranges. */
typedef struct cut {
    tool_range work;
    void *context;
    int64_t count, ranges;
} cut;

static void work_on(void *argument, int64_t index)
{
    const cut *const c = argument;
    const int64_t whole = c->count / c->ranges, longer = c->count % c->ranges;
    const int64_t first = whole * index + (index < longer ? index : longer);
    c->work(c->context, first, first + whole + (index < longer));
}

void tool_parallel(int64_t count, tool_range work, void *context)
{
    const int processors = grkan_processors();
    cut c = {work, context, count, count < processors ? count : processors};
    grkan_pool_hold();
    grkan_pool_grow((int)c.ranges - 1);
    grkan_pool_run(c.ranges, work_on, &c);
    grkan_pool_release();
}
