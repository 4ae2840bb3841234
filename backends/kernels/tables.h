/* SPDX-License-Identifier: Apache-2.0 */
/** @file tables.h @brief The tables of an operation by their index: coefficients that are read, gradients that are added up. */
#ifndef GRKAN_TABLES_H
#define GRKAN_TABLES_H

#include "family.h"
#include "geometry.h"
#include "grid.h"

/**
 * DO(index) for each table, with constants. Loops over what is indexed will not do: OpenCL's compiler on NVIDIA unrolls them
 * after it has put the whole struct into memory, which took a third more time of a backward of 25216 x 768 (H200).
 */
#if TABLES == 1
#define EACH_TABLE(DO) DO(0)
#elif TABLES == 2
#define EACH_TABLE(DO) DO(0) DO(1)
#elif TABLES == 3
#define EACH_TABLE(DO) DO(0) DO(1) DO(2)
#else
#define EACH_TABLE(DO) DO(0) DO(1) DO(2) DO(3)
#endif

/** Likewise, where a body reads the tables' pointers; in a loop where LOOP_OVER_TABLES says so. */
#ifdef LOOP_OVER_TABLES
#define EACH_POINTER(DO)                                                                                               \
    UNROLL                                                                                                             \
    for (int each = 0; each < TABLES; ++each) {                                                                        \
        DO(each)                                                                                                       \
    }
#else
#define EACH_POINTER(DO) EACH_TABLE(DO)
#endif

/** Whether nobody wants the gradient of a table; the cpu's kernels serve every plan. */
#ifndef IS_FROZEN
#ifdef GRKAN_FROZEN
#define IS_FROZEN(d, table) (GRKAN_FROZEN >> (table) & 1)
#else
#define IS_FROZEN(d, table) 0
#endif
#endif

/** The second of two tables' parts of a geometry where is_second says so, else the first. */
DEVICE grkan_table_reduction chosen_table(int is_second, grkan_table_reduction first, grkan_table_reduction second)
{
    grkan_table_reduction t;
    t.partials = is_second ? second.partials : first.partials;
    t.is_shared = is_second ? second.is_shared : first.is_shared;
    t.numbers = is_second ? second.numbers : first.numbers;
    t.first_thread = is_second ? second.first_thread : first.first_thread;
    t.output_threads_log2 = is_second ? second.output_threads_log2 : first.output_threads_log2;
    t.grid_threads = is_second ? second.grid_threads : first.grid_threads;
    t.grid_inverse = is_second ? second.grid_inverse : first.grid_inverse;
    return t;
}

/** Whether all groups have one row of a table: asked before the first row, where each line of 64 bytes of a kernel's arguments is a
    miss; the tables' own are two more, 0.1 us of a short forward's 5.5 (H200). */
DEVICE int has_one_row(const grkan_geometry *g, int table)
{
    return (int)(g->rows.shared_tables >> table & 1);
}

/**
 * The table's part of a geometry, by value: a kernel reads its arguments at places that are constants, so what depends on an
 * index that is not is chosen among them.
 */
DEVICE grkan_table_reduction table_of(const grkan_geometry *g, int table)
{
    grkan_table_reduction t = g->tables[0];
#define CHOOSE_TABLE(i) t = chosen_table(table == (i), t, g->tables[i]);
    EACH_TABLE(CHOOSE_TABLE)
#undef CHOOSE_TABLE
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
#define CHOOSE_TABLE(i) numbers = table == (i) ? d->tables[i] : numbers;
    EACH_POINTER(CHOOSE_TABLE)
#undef CHOOSE_TABLE
    return numbers + position;
}

/** Where its gradient is. */
DEVICE GLOBAL scalar *gradient_at(const gradients *d, int table, grkan_int64 position)
{
    GLOBAL scalar *numbers = d->gradients[0];
#define CHOOSE_TABLE(i) numbers = table == (i) ? d->gradients[i] : numbers;
    EACH_POINTER(CHOOSE_TABLE)
#undef CHOOSE_TABLE
    return numbers + position;
}

/** The end of a sum: into the gradient, overwriting or adding. */
DEVICE void finish(const gradients *d, GLOBAL scalar *gradient, scalar sum)
{
    *gradient = d->add ? *gradient + sum : sum;
}

/** Numbers that the partials of a table have together. */
DEVICE grkan_int64 partial_numbers(const grkan_table_reduction *t)
{
    return t->partials > 1 ? t->partials * t->numbers : 0;
}

/** The first partial of a table; the next ones follow it. */
DEVICE GLOBAL scalar *first_partial(const gradients *d, int table)
{
    GLOBAL scalar *first = d->partials;
#define PASS(i) first += (i) < table ? partial_numbers(&d->g->tables[i]) : 0;
    EACH_TABLE(PASS)
#undef PASS
    return first;
}

/** Where the means of rows lie in a workspace, behind all partials, if a plan has them there: see backward_long.h. */
DEVICE GLOBAL scalar *row_means(const grkan_geometry *g, GLOBAL char *workspace)
{
    grkan_int64 numbers = 0;
#define ADD_PARTIALS(i) numbers += partial_numbers(&g->tables[i]);
    EACH_TABLE(ADD_PARTIALS)
#undef ADD_PARTIALS
    return (GLOBAL scalar *)(workspace + GRKAN_WORKSPACE_COUNTER_BYTES) + numbers;
}

/** One number of the gradient of a family's table, as a block has it: summed over the elements of one group, or of all of the
    block's. Those of channels: channel_sums.h. */
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
    for (int i = 0; i < FAMILY_TABLES; ++i) { /* each by a width that is a constant */
        const int own = table_width(d->f, i);
        o.group = i == table && !o.is_shared ? quotient_of(index, own > 0 ? own : 1) : o.group;
    }
    o.sum = index - o.group * width + first_sum(d->f, table);
    o.position = index + (o.is_shared ? 0 : first_group * width);
    return o;
}

#endif
