/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file block_reduction.h
 * @brief From the sums of a block's threads to the block's outputs.
 *
 * A block runs in phases with a barrier after each: each thread leaves its sums in shared memory, [sum][column of the block];
 * those of a column are added over the block's rows; several threads per output add up every so many of its columns; one
 * adds what those have and stores the output; the last two again where a block has not threads enough for all outputs at
 * once. The order of additions follows from the geometry alone. The cpu runs the same phases as loops.
 */
#ifndef GRKAN_BLOCK_REDUCTION_H
#define GRKAN_BLOCK_REDUCTION_H

#include "grid.h"
#include "tables.h"

/** How many outputs of a family's table so many groups have. */
DEVICE int outputs_of_groups(const gradients *d, int table, grkan_int64 groups)
{
    if (IS_FROZEN(d, table))
        return 0;
    return (table_of(d->g, table).is_shared ? 1 : (int)groups) * table_width(d->f, table);
}

/** The table of an output of a block, and its index in there. */
typedef struct output_index {
    int table;
    int own;
} output_index;

/**
 * The outputs of a block: table by table, as many as the widest column tile has. Some do not exist where a tile has fewer
 * groups.
 */
DEVICE output_index index_of_output(const gradients *d, int index)
{
    output_index i;
    i.table = 0;
    i.own = index;
    UNROLL
    for (int table = 0; table + 1 < FAMILY_TABLES; ++table) {
        const int outputs = outputs_of_groups(d, table, d->g->columns.tile_groups);
        const int is_later = i.table == table && i.own >= outputs;
        i.own -= is_later ? outputs : 0;
        i.table += is_later;
    }
    return i;
}

DEVICE output output_at(const gradients *d, const tile *b, output_index i)
{
    output o = output_of(d, i.table, b->first_group, i.own);
    o.exists = i.own < outputs_of_groups(d, i.table, b->end_group - b->first_group);
    return o;
}

/** Where a block's output goes. */
typedef struct destination {
    GLOBAL scalar *to;
    int is_partial; /* which waits there for the others */
    int is_negated;
} destination;

DEVICE destination destination_of(const gradients *d, const tile *b, output o)
{
    const grkan_table_reduction t = table_of(d->g, o.table);
    const grkan_int64 partial = o.is_shared ? (grkan_int64)b->row_split * d->g->columns.tiles + b->column_tile
                                : TILE_SEGMENTS(d->g) > 1 ? (grkan_int64)b->row_split * TILE_SEGMENTS(d->g) +
                                                                segment_of_tile(d->g, b->column_tile)
                                                          : b->row_split;
    destination to;
    to.is_partial = d->strategy == STRATEGY_TREE && t.partials > 1;
    to.to = to.is_partial ? first_partial(d, o.table) + partial * t.numbers + o.position
                          : gradient_at(d, o.table, o.position);
    to.is_negated = o.exists && is_negated(d->f, o.table, number_at(d, o.table, o.position));
    return to;
}

/** The end of a block's output: atomically into the gradient, straight into it, or into the workspace. */
DEVICE void store_output(const gradients *d, destination to, scalar sum)
{
    const scalar own = to.is_negated ? -sum : sum;
    if (d->strategy == STRATEGY_BLOCK)
        ATOMIC_ADD(to.to, own);
    else if (to.is_partial)
        *to.to = own;
    else
        finish(d, to.to, own);
}

/** The columns of sums of a block that an output adds up: `vector_groups` for each column of vectors. */
typedef struct column_range {
    int first;
    int end;
} column_range;

DEVICE column_range columns_of_output(const tile *b, output o)
{
    const grkan_columns *const c = &b->g->columns;
    const int elements = VECTOR_ELEMENTS(b->g) / VECTOR_GROUPS(b->g); /* of a row, that one column has */
    column_range columns;
    columns.first = 0;
    columns.end = (int)smaller(b->vectors, BLOCK_THREADS(b->g)) * VECTOR_GROUPS(b->g);
    if (!o.is_shared && c->tile_groups > 1) { /* a few thousand elements, see group_of */
        const grkan_int64 left = smaller(c->larger_groups, b->end_group) - b->first_group;
        const int larger = left < 0 ? 0 : (int)left; /* groups of the column tile with one channel more */
        const int start = o.group * (int)c->group_size + (o.group < larger ? o.group : larger);
        const int size = (int)c->group_size + (o.group < larger ? 1 : 0);
        columns.first = quotient_of(start * (int)c->inner, elements);
        columns.end = columns.first + quotient_of(size * (int)c->inner, elements);
    }
    return columns;
}

/** What one of an output's threads adds up: every `threads`-th of the output's columns, block row by block row. */
typedef struct output_columns {
    int at;      /* its first sum */
    int column;  /* of that, from the output's first */
    int width;   /* columns of the output */
    int threads; /* of the output: at most as many as columns */
    int left;    /* sums from its first one to the output's last; 0 for a thread with none */
} output_columns;

DEVICE output_columns columns_of_thread(const tile *b, output o, int thread, int threads)
{
    output_columns s;
    const column_range columns = columns_of_output(b, o);
    s.column = thread;
    s.at = o.sum * BLOCK_THREADS(b->g) * VECTOR_GROUPS(b->g) + columns.first + thread;
    s.width = columns.end - columns.first;
    s.threads = threads;
    s.left = s.width * b->g->block.column_partials - thread;
    return s;
}

DEVICE scalar sum_columns(const grkan_geometry *g, output_columns s, SHARED const scalar *sums)
{
    scalar sum = 0;
    NO_UNROLL
    for (; s.left > 0; s.left -= SUMS_AT_ONCE * s.threads) {
        scalar batch[SUMS_AT_ONCE];
        UNROLL
        for (int i = 0; i < SUMS_AT_ONCE; ++i) {
            batch[i] = s.left > i * s.threads ? sums[s.at] : 0;
            s.column += s.threads;
            s.at += s.threads;
            if (s.column >= s.width) { /* on to the next block row */
                s.column -= s.width;
                s.at += g->columns.tile_vectors * VECTOR_GROUPS(g) - s.width;
            }
        }
        UNROLL
        for (int i = 0; i < SUMS_AT_ONCE; ++i)
            sum = sum + batch[i];
    }
    return sum;
}

/** Two by two. */
DEVICE scalar sum_of_four(const scalar *terms)
{
    return (terms[0] + terms[1]) + (terms[2] + terms[3]);
}

/** What threads left for one: numbers that lie `step` apart. */
DEVICE scalar sum_exchanged(SHARED const scalar *exchange, int step, int count)
{
    scalar sum = 0;
    NO_UNROLL
    for (int left = count; left > 0; left -= SUMS_AT_ONCE) {
        scalar batch[SUMS_AT_ONCE];
        UNROLL
        for (int i = 0; i < SUMS_AT_ONCE; ++i) {
            batch[i] = i < left ? *exchange : 0;
            exchange += step;
        }
        UNROLL
        for (int i = 0; i < SUMS_AT_ONCE; i += 4)
            sum = sum + sum_of_four(batch + i);
    }
    return sum;
}

#endif
