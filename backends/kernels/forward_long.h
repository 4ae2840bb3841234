/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file forward_long.h
 * @brief The kernel of forward on GPUs with a norm whose rows are longer than any block: a block takes a row at a time, and
 * goes over it three times, for mean, rstd and y. It finds x in a cache from the second time on.
 *
 * A row is cut into steps of some vectors for each of the block's threads, neighbours of which take neighbouring ones. Threads
 * and elements of a vector are powers of two, so a vector of each thread, and a step, are subtrees of the row's sum
 * (row_reduction.h), which is put together from the steps' as they come: that of an even step waits for the next one's, that
 * of two for the next two's, and so on.
 */
#ifndef GRKAN_FORWARD_LONG_H
#define GRKAN_FORWARD_LONG_H

#include "forward_prologue.h"

/** Whether a kernel is this one. */
#ifdef GRKAN_FORWARD_ROW_WAVES
#define IS_LONG_FORWARD 0
#else
#define IS_LONG_FORWARD HAS_NORM
#endif

#if IS_LONG_FORWARD

/** Vectors that a thread takes in a step. */
#define LONG_VECTORS STEP_ROWS(GRKAN_FORWARD_STEP)

/** A row. */
typedef struct long_row {
    const grkan_launch *launch;
    GLOBAL const char *x;
    GLOBAL char *y;
    grkan_int64 vectors;
    row_reduction reduction; /* of the vectors of a step */
    row_place place;
    int turn;
} long_row;

/** Elements of a vector of x; zeros where none is. */
DEVICE void load_values(const long_row *l, grkan_int64 index, real *values)
{
    GLOBAL const char *const from = FURTHER(GLOBAL const, l->x, VECTOR_BYTES(X_DTYPE), index);
    vector now = zero_vector();
    if (index < l->vectors && l->launch->aligned)
        now = load_global(X_DTYPE, from);
    unpack_vector(X_DTYPE, now, values);
    if (index < l->vectors && !l->launch->aligned) {
        UNROLL
        for (int v = 0; v < GRKAN_VECTOR; ++v)
            values[v] = load_element(X_DTYPE, from, v);
    }
}

/** Of the row's elements, or of the squares of the centred ones. */
DEVICE real sum_of_long_row(long_row *l, int is_squares, row_statistics row, SHARED scalar *exchange)
{
    waiting_sums all;
    all.steps = 0;
    NO_UNROLL
    for (grkan_int64 first = 0; first < l->vectors; first += LONG_VECTORS * GRKAN_FORWARD_BLOCK) {
        real sums[LONG_VECTORS];
        UNROLL
        for (int s = 0; s < LONG_VECTORS; ++s) {
            const grkan_int64 index = first + s * GRKAN_FORWARD_BLOCK + THREAD_INDEX();
            real values[GRKAN_VECTOR];
            load_values(l, index, values);
            UNROLL
            for (int v = 0; v < GRKAN_VECTOR && is_squares; ++v) {
                const real d = centred(the_prologue(), row, values[v]);
                values[v] = index < l->vectors ? d * d : REAL(0.0);
            }
            sums[s] = sum_of_tree(values, GRKAN_VECTOR);
        }
        sum_rows_of_block(l->reduction, l->place, l->turn, sums, exchange);
        l->turn ^= 1;
        add_step(&all, sum_of_tree(sums, LONG_VECTORS));
    }
    return sum_of_steps(&all);
}

/** y of a vector. */
DEVICE void forward_long_vector(const grkan_geometry *g, const arguments *a, const long_row *l, row_statistics row,
                                grkan_int64 index)
{
    const grkan_int64 first = index * GRKAN_VECTOR; /* channel */
    const coefficients c = load_group(g, l->launch, a, group_of_channel(g, first));
    GLOBAL char *const y = FURTHER(GLOBAL, l->y, VECTOR_BYTES(Y_DTYPE), index);
    real values[GRKAN_VECTOR];
    load_values(l, index, values);
    UNROLL
    for (int v = 0; v < GRKAN_VECTOR; ++v)
        values[v] = argument_of(the_prologue(), load_channel(l->launch, a, first + v),
                                normalised(the_prologue(), row, values[v]));
    if (!(largest_of(values, GRKAN_VECTOR) > step_limit(l->launch, &c))) {
        forward_near_elements(&c, GRKAN_VECTOR, values);
        store_vector(Y_DTYPE, y, values);
    } else {
        forward_rare_vector(g, l->launch, a, &c, row, first, FURTHER(GLOBAL const, l->x, VECTOR_BYTES(X_DTYPE), index),
                            y);
    }
}

KERNEL(GRKAN_FORWARD_BLOCK, GRKAN_FORWARD_RESIDENT)
grkan_forward(GLOBAL const char *x, TABLE_PARAMETERS(GLOBAL const scalar *, table), GLOBAL char *y,
              NORM_PARAMETERS const grkan_launch launch, const grkan_geometry geometry NORM_OFFSETS)
{
    SHARED_ARRAY(scalar, exchange, ROW_EXCHANGE(LONG_VECTORS, GRKAN_FORWARD_BLOCK, GRKAN_FORWARD_BLOCK / WAVE_THREADS))
    EXCHANGE_ALIGNED;
    const grkan_int64 elements = geometry.columns.row_elements;
    const scalar divisor = divisor_of((scalar)elements);
    arguments a;
    TABLE_ARRAY(a.tables, table);
    norm_results statistics;
    long_row l;
    SET_NORM_RESULTS(statistics);
    l.launch = &launch;
    l.vectors = elements / GRKAN_VECTOR;
    l.reduction.numbers = LONG_VECTORS;
    l.reduction.block = GRKAN_FORWARD_BLOCK;
    l.reduction.waves = GRKAN_FORWARD_BLOCK / WAVE_THREADS;
    l.place = place_in_row(l.reduction, 0, THREAD_INDEX());
    l.turn = 0;
    STREAM_WAIT();
    NO_UNROLL
    for (grkan_int64 r = BLOCK_INDEX() + launch.first_block; r < geometry.rows.all / SEGMENTS(&geometry);
         r += launch.blocks) {
        row_statistics row;
        row.mean = REAL(0.0);
        l.x = FURTHER(GLOBAL const, OFFSET(x, launch.x), VECTOR_BYTES(X_DTYPE), r *l.vectors);
        l.y = FURTHER(GLOBAL, OFFSET(y, launch.result), VECTOR_BYTES(Y_DTYPE), r * l.vectors);
#if HAS_MEAN
        row.mean = mean_of(sum_of_long_row(&l, 0, row, exchange), divisor);
#endif
        row.rstd = rstd_of(sum_of_long_row(&l, 1, row, exchange), divisor, the_epsilon());
        if (THREAD_INDEX() == 0)
            store_row(statistics, r, row);
        NO_UNROLL
        for (grkan_int64 index = THREAD_INDEX(); index < l.vectors; index += GRKAN_FORWARD_BLOCK)
            forward_long_vector(&geometry, &a, &l, row, index);
    }
}

#endif

#endif
