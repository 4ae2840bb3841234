/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file backward.h
 * @brief The kernels of backward on GPUs: that of the strategies that reduce blocks, and what adds up their partials. That of
 * the strategy element: backward_element.h.
 */
#ifndef GRKAN_BACKWARD_H
#define GRKAN_BACKWARD_H

#include "backward_long.h"
#include "backward_rows.h"
#include "block_outputs.h"
#include "grid_reduction.h"

/* The last block of a launch adds up the partials where it may, and where they are few enough for one. */
#if defined(LAST_BLOCK_REDUCES) && HAS_PROLOGUE
#undef LAST_BLOCK_REDUCES
#endif

#if GRKAN_STRATEGY != STRATEGY_ELEMENT

/* ------------------------------------------------------------------------------- phases 2 to 4: a block's sums */

/**
 * From the sums of a block's threads to its outputs. A short call spends as much time here as with its rows: so what a phase
 * needs is worked out by threads that have nothing to do in the phase before it, which is why every other one begins at the
 * last thread. Nothing is kept in registers while rows are summed.
 */
DEVICE void reduce_block(const gradients *d, int block_index, int thread, SHARED scalar *sums, SHARED scalar *exchange)
{
    const grkan_geometry *const g = d->g;
    const tile b = tile_of_block(g, block_index);
    const int from_last = GRKAN_BACKWARD_BLOCK - 1 - thread;
    if (g->columns.block_rows > g->block.column_partials)
        add_block_rows(g, from_last, sums);
    NO_UNROLL
    for (int first = 0; first < g->block.threads;
         first += GRKAN_BACKWARD_BLOCK) { /* again only where no output has two */
        const output_columns own = columns_of_block_thread(d, &b, first + thread);
        BARRIER();
        exchange[exchange_place(thread)] = sum_columns(g, own, sums);
        const finished_output e = output_of_thread(d, &b, first + from_last, first);
        BARRIER();
        if (e.exists) {
            store_output(d, e.to, sum_exchanged(exchange + e.place, 1, e.threads));
            if (e.to.is_partial)
                RELEASE_PARTIALS();
        }
    }
}

/* ---------------------------------------------------------------------------------------------- the kernels */

#if GRKAN_STRATEGY == STRATEGY_TREE
/** Add up the partials of a thread's number with the threads that share it: they are `step` apart in the block. */
DEVICE void reduce_partials(const gradients *d, int thread, const partial_range *p, int step, SHARED scalar *exchange)
{
    SHARED scalar *const own = exchange + thread;
    if (p->exists)
        *own = sum_partials(d, p);
    BARRIER();
    if (p->exists && p->thread == 0)
        finish(d, gradient_at(d, p->table, p->position), sum_exchanged(own, step, p->threads));
}
#endif

#if GRKAN_STRATEGY == STRATEGY_TREE && defined(LAST_BLOCK_REDUCES)
/** Add up all partials, in rounds of a block's threads. */
DEVICE void reduce_grid(const gradients *d, int thread, SHARED scalar *exchange)
{
    const int threads = grid_threads(d->g);
    NO_UNROLL
    for (int first = 0; first < threads; first += GRKAN_BACKWARD_BLOCK) {
        const partial_range p = partials_of_thread(d->g, first + thread);
        reduce_partials(d, thread, &p, p.numbers, exchange);
        if (first + GRKAN_BACKWARD_BLOCK < threads)
            BARRIER(); /* before the next round's exchange */
    }
}
#endif

/** What a thread has in the queue. */
#define QUEUE_OF_THREAD (BACKWARD_STAGES * BACKWARD_ROWS * (QUEUE_SIZE(X_DTYPE) + QUEUE_SIZE(Y_DTYPE)))

KERNEL(GRKAN_BACKWARD_BLOCK, GRKAN_BACKWARD_RESIDENT)
grkan_backward(GLOBAL const char *x, GLOBAL const char *dy, TABLE_PARAMETERS(GLOBAL const scalar *, table),
               GLOBAL char *dx, TABLE_PARAMETERS(GLOBAL scalar *, gradient), GLOBAL char *workspace,
               NORM_PARAMETERS Y_PARAMETER const grkan_launch launch, const grkan_geometry geometry MORE_OFFSETS)
{
    const tile b = tile_of_block(&geometry, (int)BLOCK_INDEX() + launch.first_block);
    const worker w = worker_of_thread(&b, THREAD_INDEX());
    arguments a;
    a.x = x;
    a.dy = dy;
    a.result = dx;
    a.workspace = workspace;
    TABLE_ARRAY(a.tables, table);
    TABLE_ARRAY(a.gradients, gradient);
#if HAS_MEAN
    a.mean = OFFSET(mean, more.mean);
#endif
#if HAS_NORM
    a.rstd = OFFSET(rstd, more.rstd);
    a.means = row_means(&geometry, OFFSET(workspace, launch.workspace));
#endif
#if GRKAN_WRITES_Y
    a.y = OFFSET(y, more.y);
#endif
    SHARED_ARRAY(scalar, sums, SUMS * GRKAN_BACKWARD_BLOCK);
#ifdef GRKAN_LAUNCH_BYTES
    LAUNCH_ARRAY(char, queue) __attribute__((aligned(128)));
    typedef char launch_has_room[QUEUE_OF_THREAD * GRKAN_BACKWARD_BLOCK <= GRKAN_LAUNCH_BYTES ? 1 : -1];
#else
    QUEUE_ARRAY(queue, QUEUE_OF_THREAD, GRKAN_BACKWARD_BLOCK);
#endif
    EXCHANGE_ARRAY(exchange, queue);
#if ROWS_TOGETHER
    SHARED_ARRAY(scalar, row_exchange,
                 ROW_EXCHANGE(ROW_NUMBERS * BACKWARD_ROWS, GRKAN_BACKWARD_BLOCK, GRKAN_BACKWARD_ROW_WAVES))
    EXCHANGE_ALIGNED;
#else
    SHARED scalar *const row_exchange = sums;
#endif
#if HAS_NORM
    STATISTICS_ARRAY(statistics);
#else
    SHARED scalar *const statistics = sums;
#endif
#if HAS_PROLOGUE
    channel_sums own;
    sum_rows(&w, &launch, &a, queue, sums + THREAD_INDEX() * GRKAN_VECTOR_GROUPS, row_exchange, statistics, &own);
#else
    sum_rows(&w, &launch, &a, queue, sums + THREAD_INDEX() * GRKAN_VECTOR_GROUPS, row_exchange, statistics, 0);
#endif
    const gradients d = gradients_of(&geometry, &launch, &a);
    BARRIER(); /* all threads have left their sums */
    const int thread = (int)HIDE(THREAD_INDEX());
    reduce_block(&d, (int)HIDE(BLOCK_INDEX()) + launch.first_block, thread, sums, exchange);
#if HAS_PROLOGUE
    const tile own_tile = tile_of_block(&geometry, (int)BLOCK_INDEX() + launch.first_block);
    reduce_channels(&d, &own_tile, thread, &own, sums);
#endif
#if defined(LAST_BLOCK_REDUCES) && GRKAN_STRATEGY == STRATEGY_TREE
    SHARED_ARRAY(int, is_last, 1);
    if (grid_threads(&geometry) > 0) {
        GLOBAL unsigned int *counter = (GLOBAL unsigned int *)OFFSET(workspace, launch.workspace);
        BARRIER(); /* one ticket serves the block: barriers order what it wrote before, and what it will read after */
        if (thread == GRKAN_BACKWARD_BLOCK - 1)
            is_last[0] = TICKET(counter, (unsigned int)launch.blocks - 1) == (unsigned int)launch.blocks - 1;
        BARRIER();
        if (is_last[0]) {
            ACQUIRE_PARTIALS();
            reduce_grid(&d, thread, exchange);
        }
    }
#endif
}

#if GRKAN_STRATEGY == STRATEGY_TREE && !defined(LAST_BLOCK_REDUCES)
/** A launch of its own where blocks of one launch cannot wait for each other, or where there is work for more than one. */
KERNEL(GRKAN_BACKWARD_BLOCK, 1)
grkan_reduce(TABLE_PARAMETERS(GLOBAL const scalar *, table), TABLE_PARAMETERS(GLOBAL scalar *, gradient),
             GLOBAL char *workspace, const grkan_launch launch, const grkan_geometry geometry)
{
    SHARED_ARRAY(scalar, exchange, GRKAN_BACKWARD_BLOCK);
    arguments a;
    a.workspace = workspace;
    TABLE_ARRAY(a.tables, table);
    TABLE_ARRAY(a.gradients, gradient);
    const gradients d = gradients_of(&geometry, &launch, &a);
    const partial_range p = partials_of_block(&geometry, (int)BLOCK_INDEX() + launch.first_block, THREAD_INDEX());
    STREAM_WAIT();
    reduce_partials(&d, THREAD_INDEX(), &p, numbers_of_block(p.threads), exchange);
}
#endif
#endif

#endif
