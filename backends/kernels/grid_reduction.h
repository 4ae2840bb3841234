/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file grid_reduction.h
 * @brief From the partial sums that blocks left in the workspace to the gradients: several threads per number add up every
 * so many of its partials, and one adds what those have. Sums are taken two by two, in chains of a few.
 */
#ifndef GRKAN_GRID_REDUCTION_H
#define GRKAN_GRID_REDUCTION_H

#include "block_reduction.h"

/** Threads of the grid reduction: table by table, for each of a number's threads all of the table's numbers. */
DEVICE int grid_threads(const grkan_geometry *g)
{
    int threads = 0;
#define ADD(i) threads += g->tables[i].numbers * g->tables[i].grid_threads;
    EACH_TABLE(ADD)
#undef ADD
    return threads;
}

/** What a thread adds up: every `threads`-th partial of one number, from its own on. */
typedef struct partial_range {
    int exists;
    int table;
    int thread;
    int threads; /* of the number */
    int numbers; /* of the table: from a partial to the next */
    int position;
} partial_range;

DEVICE partial_range partials_of_thread(const grkan_geometry *g, int thread)
{
    partial_range p;
    p.exists = thread < grid_threads(g);
    p.table = 0;
    p.position = thread;
    UNROLL
    for (int i = 0; i + 1 < TABLES; ++i) {
        const grkan_table_reduction before = table_of(g, i);
        const int threads = before.numbers * before.grid_threads;
        const int is_later = p.table == i && p.position >= threads;
        p.position -= is_later ? threads : 0;
        p.table += is_later;
    }
    const grkan_table_reduction t = table_of(g, p.table);
    p.numbers = t.numbers;
    p.threads = t.grid_threads;
    p.thread = times_inverse(p.position, t.grid_inverse);
    p.position -= p.thread * p.numbers; /* neighbours: so are their numbers */
    return p;
}

#ifdef GRKAN_BACKWARD_BLOCK
/** Numbers that a block of a launch of its own adds up: all of one table's, each by so many threads. Hosts count blocks so. */
DEVICE int numbers_of_block(int threads)
{
    return quotient_of(GRKAN_BACKWARD_BLOCK, threads);
}

/** What a thread of such a launch adds up: neighbours have neighbouring numbers. */
DEVICE partial_range partials_of_block(const grkan_geometry *g, int block, int thread)
{
    partial_range p;
    p.table = 0;
    UNROLL
    for (int i = 0; i + 1 < TABLES; ++i) {
        const grkan_table_reduction before = table_of(g, i);
        const int width = before.grid_threads > 0 ? numbers_of_block(before.grid_threads) : 0;
        const int blocks = width > 0 ? quotient_of(before.numbers + width - 1, width) : 0;
        const int is_later = p.table == i && block >= blocks;
        block -= is_later ? blocks : 0;
        p.table += is_later;
    }
    const grkan_table_reduction t = table_of(g, p.table);
    const int width = numbers_of_block(t.grid_threads);
    p.numbers = t.numbers;
    p.threads = t.grid_threads;
    p.thread = quotient_of(thread, width);
    p.position = block * width + thread - p.thread * width;
    p.exists = p.thread < p.threads && p.position < p.numbers;
    return p;
}
#endif

/** Phase 1: the sum of a thread's partials, twelve at a time. Phase 2 is sum_exchanged. */
DEVICE scalar sum_partials(const gradients *d, const partial_range *p)
{
    GLOBAL const scalar *const partials = first_partial(d, p->table) + p->position;
    const unsigned int step = (unsigned int)(p->numbers * p->threads);
    unsigned int at = (unsigned int)(p->thread * p->numbers);
    scalar sum = 0;
    NO_UNROLL
    for (int left = (int)table_of(d->g, p->table).partials - p->thread; left > 0; left -= PARTIALS_BATCH * p->threads) {
        scalar batch[PARTIALS_BATCH];
        UNROLL
        for (int i = 0; i < PARTIALS_BATCH; ++i) {
            batch[i] = left > i * p->threads ? partials[at] : 0;
            at = (unsigned int)HIDE(at + step); /* else all are computed first, and held in registers */
        }
        UNROLL
        for (int i = 0; i < PARTIALS_BATCH; i += 12)
            sum = sum + ((sum_of_four(batch + i) + sum_of_four(batch + i + 4)) + sum_of_four(batch + i + 8));
    }
    return sum;
}

#endif
