/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file backward.h
 * @brief The kernels of backward on GPUs: that of the strategies that reduce blocks, and what adds up their partials. That of
 * the strategy element, and what clears gradients for atomics: atomics.h.
 */
#ifndef GRKAN_BACKWARD_H
#define GRKAN_BACKWARD_H

#include "backward_long.h"
#include "backward_rows.h"
#include "grid_reduction.h"

/* The last block of a launch adds up the partials where it may, and where they are few enough for one. */
#if defined(LAST_BLOCK_REDUCES) && HAS_PROLOGUE
#undef LAST_BLOCK_REDUCES
#endif

/** The gradients of a call, found again where they are needed, so that no loop keeps them in registers. */
DEVICE gradients gradients_of(const grkan_geometry *g, const grkan_launch *launch, const arguments *a)
{
    gradients d;
    d.g = g;
    d.f = the_family();
#define ADD_OFFSETS(i)                                                                                                 \
    d.tables[i] = OFFSET(a->tables[i], launch->tables[i]);                                                             \
    d.gradients[i] = OFFSET(a->gradients[i], launch->gradients[i]);
    EACH_POINTER(ADD_OFFSETS)
#undef ADD_OFFSETS
    d.partials = (GLOBAL scalar *)(OFFSET(a->workspace, launch->workspace) + GRKAN_WORKSPACE_COUNTER_BYTES);
    d.strategy = GRKAN_STRATEGY;
    d.add = launch->add;
    return d;
}

#if GRKAN_STRATEGY != STRATEGY_ELEMENT

/* ------------------------------------------------------------------------------- phases 2 to 4: a block's sums */

/**
 * Phase 2: each column's sums over the block's rows, until column_partials of them are left. The few threads of those add
 * all of a thread's sums side by side: what else they execute counts for little then.
 */
DEVICE void add_block_rows(const grkan_geometry *g, int thread, SHARED scalar *sums)
{
    const int step =
        g->block.column_partials * g->columns.tile_vectors; /* to the next row that is added to a column's */
    if (thread < step) {
        SHARED scalar *const own = sums + thread * GRKAN_VECTOR_GROUPS;
        scalar totals[SUMS];
        UNROLL
        for (int i = 0; i < SUMS; ++i)
            totals[i] = is_wanted(i) ? own[place_of_sum(i)] : 0;
        NO_UNROLL
        for (int other = thread + step; other < g->columns.block_rows * g->columns.tile_vectors; other += step) {
            SHARED const scalar *const added = sums + other * GRKAN_VECTOR_GROUPS;
            scalar terms[SUMS];
            UNROLL
            for (int i = 0; i < SUMS; ++i)
                terms[i] = is_wanted(i) ? added[place_of_sum(i)] : 0;
            UNROLL
            for (int i = 0; i < SUMS; ++i)
                totals[i] = totals[i] + terms[i];
        }
        UNROLL
        for (int i = 0; i < SUMS; ++i)
            if (is_wanted(i))
                own[place_of_sum(i)] = totals[i];
    }
}

/** Where a thread leaves its sum for another: one place of 16 is left out, so that the first of outputs lie in all banks. */
DEVICE int exchange_place(int thread)
{
    return thread + (int)((unsigned int)thread / MOST_OUTPUT_THREADS);
}

/** What a thread adds up, of all that a block's outputs need. */
DEVICE output_columns columns_of_block_thread(const gradients *d, const tile *b, int thread)
{
    int table = 0;
    UNROLL
    for (int i = 1; i < FAMILY_TABLES; ++i)
        table = thread >= table_of(d->g, i).first_thread ? i : table;
    const grkan_table_reduction t = table_of(d->g, table);
    const int own = thread - t.first_thread;
    const int index = own >> t.output_threads_log2;
    const output o = output_of(d, table, b->first_group, index);
    output_columns s = columns_of_thread(b, o, own & ((1 << t.output_threads_log2) - 1), 1 << t.output_threads_log2);
    if (index >= outputs_of_groups(d, table, b->end_group - b->first_group))
        s.left = 0;
    return s;
}

/** An output that a thread finishes. */
typedef struct finished_output {
    int exists;
    int place; /* where the first of its threads left its sum */
    int threads;
    destination to;
} finished_output;

/** @param index of the output @param first of the threads that leave their sums this time */
DEVICE finished_output output_of_thread(const gradients *d, const tile *b, int index, int first)
{
    finished_output e;
    const output_index i = index_of_output(d, index);
    const grkan_table_reduction t = table_of(d->g, i.table);
    const output o = output_at(d, b, i);
    e.exists = o.exists;
    e.place = exchange_place((i.own << t.output_threads_log2) + t.first_thread - first);
    e.threads = 1 << t.output_threads_log2;
    e.to = destination_of(d, b, o);
    return e;
}

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

/* Parameters that not every plan's kernel has. */
#if GRKAN_WRITES_Y
#define Y_PARAMETER GLOBAL char *y,
#else
#define Y_PARAMETER
#endif
#if HAS_NORM || GRKAN_WRITES_Y
#define MORE_OFFSETS , const grkan_more_offsets more
#else
#define MORE_OFFSETS
#endif

KERNEL(GRKAN_BACKWARD_BLOCK, GRKAN_BACKWARD_RESIDENT)
grkan_backward(GLOBAL const char *x, GLOBAL const char *dy, TABLE_PARAMETERS(GLOBAL const scalar *, table),
               GLOBAL char *dx, TABLE_PARAMETERS(GLOBAL scalar *, gradient), GLOBAL char *workspace,
               NORM_PARAMETERS Y_PARAMETER const grkan_geometry geometry, const grkan_launch launch MORE_OFFSETS)
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
    QUEUE_ARRAY(queue, BACKWARD_STAGES * BACKWARD_ROWS * (QUEUE_SIZE(X_DTYPE) + QUEUE_SIZE(Y_DTYPE)),
                GRKAN_BACKWARD_BLOCK);
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
             GLOBAL char *workspace, const grkan_geometry geometry, const grkan_launch launch)
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
