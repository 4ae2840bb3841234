/* SPDX-License-Identifier: Apache-2.0 */
/** @file tables.h @brief The tables of an operation by their index: coefficients that are read, gradients that are added up. */
#ifndef GRKAN_TABLES_H
#define GRKAN_TABLES_H

#include "family.h"
#include "geometry.h"
#include "grid.h"

/**
 * The table's part of a geometry, by value: a kernel reads its arguments at places that are constants, so what depends on an
 * index that is not is chosen among them.
 */
DEVICE grkan_table_reduction table_of(const grkan_geometry *g, int table)
{
    grkan_table_reduction t = g->tables[0];
    UNROLL
    for (int i = 1; i < TABLES; ++i) {
        const grkan_table_reduction own = g->tables[i];
        t.partials = table == i ? own.partials : t.partials;
        t.is_shared = table == i ? own.is_shared : t.is_shared;
        t.numbers = table == i ? own.numbers : t.numbers;
        t.first_thread = table == i ? own.first_thread : t.first_thread;
        t.output_threads_log2 = table == i ? own.output_threads_log2 : t.output_threads_log2;
        t.grid_threads = table == i ? own.grid_threads : t.grid_threads;
        t.grid_inverse = table == i ? own.grid_inverse : t.grid_inverse;
    }
    return t;
}

/** The gradients of a call, and what their sums need to know. Offsets are already added. */
typedef struct gradients {
    const grkan_geometry *g;
    family f;
    GLOBAL const scalar *tables[TABLES];
    GLOBAL scalar *gradients[TABLES];
    GLOBAL scalar *partials; /* the workspace behind its counters: table by table, where a table has some */
    int strategy;
    int add; /* add to the gradients instead of overwriting them */
} gradients;

/** A number of a table, by its position in there. */
DEVICE GLOBAL const scalar *number_at(const gradients *d, int table, grkan_int64 position)
{
    GLOBAL const scalar *numbers = d->tables[0];
    UNROLL
    for (int i = 1; i < TABLES; ++i)
        numbers = table == i ? d->tables[i] : numbers;
    return numbers + position;
}

/** Where its gradient is. */
DEVICE GLOBAL scalar *gradient_at(const gradients *d, int table, grkan_int64 position)
{
    GLOBAL scalar *numbers = d->gradients[0];
    UNROLL
    for (int i = 1; i < TABLES; ++i)
        numbers = table == i ? d->gradients[i] : numbers;
    return numbers + position;
}

/** The end of a sum: into the gradient, overwriting or adding. */
DEVICE void finish(const gradients *d, GLOBAL scalar *gradient, scalar sum)
{
    *gradient = d->add ? *gradient + sum : sum;
}

/** The first partial of a table; the next ones follow it. */
DEVICE GLOBAL scalar *first_partial(const gradients *d, int table)
{
    GLOBAL scalar *first = d->partials;
    UNROLL
    for (int i = 0; i + 1 < TABLES; ++i) {
        const grkan_table_reduction *const before = &d->g->tables[i];
        first += i < table && before->partials > 1 ? before->partials * before->numbers : 0;
    }
    return first;
}

/** One number of a gradient, as a block has it: summed over the elements of one group, or of all of the block's. */
typedef struct output {
    int exists;
    int table;
    int is_shared;
    int group;            /* of the column tile, if not shared */
    int sum;              /* which of a thread's sums */
    grkan_int64 position; /* in its gradient, and in each partial of it: [group or 0][number of the row] */
} output;

/** @param index counts from the first number of the first group's row on */
DEVICE output output_of(const gradients *d, int table, grkan_int64 first_group, int index)
{
    output o;
    const int width = table_width(d->f, table);
    o.exists = 1;
    o.table = table;
    o.is_shared = table_of(d->g, table).is_shared;
    o.group = 0;
    UNROLL
    for (int i = 0; i < TABLES; ++i) { /* each by a width that is a constant */
        const int own = table_width(d->f, i);
        o.group = i == table && !o.is_shared ? quotient_of(index, own > 0 ? own : 1) : o.group;
    }
    o.sum = index - o.group * width + first_sum(d->f, table);
    o.position = index + (o.is_shared ? 0 : first_group * width);
    return o;
}

#endif
