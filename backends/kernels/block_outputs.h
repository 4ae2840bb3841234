/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file block_outputs.h
 * @brief What each thread of a specialised kernel's block does in the block reduction (block_reduction.h), from one barrier to the
 * next.
 */
#ifndef GRKAN_BLOCK_OUTPUTS_H
#define GRKAN_BLOCK_OUTPUTS_H

#include "block_reduction.h"

#define SUMS (GRKAN_VECTOR_GROUPS * FAMILY_SUMS) /* of a thread: one group's after the other's */

/** Whether the gradient of the table of a sum is wanted: other sums are not computed, as nobody reads them. */
DEVICE int is_wanted(int sum)
{
    int wanted = 1;
    UNROLL
    for (int table = 0; table < FAMILY_TABLES; ++table) {
        const int own = sum % FAMILY_SUMS - first_sum(the_family(), table);
        wanted &= !(IS_FROZEN(, table) && own >= 0 && own < table_width(the_family(), table));
    }
    return wanted;
}

/** Where one of a thread's sums is in shared memory, from the thread's first: ordered by sums, threads, groups of a vector. */
DEVICE int place_of_sum(int sum)
{
    return sum % FAMILY_SUMS * GRKAN_BACKWARD_BLOCK * GRKAN_VECTOR_GROUPS + sum / FAMILY_SUMS;
}

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

#endif
