/* SPDX-License-Identifier: Apache-2.0 */
/** @file backward_lanes.h @brief The kernels of backward where a block is one work-item: see lanes.h. */
#ifndef GRKAN_BACKWARD_LANES_H
#define GRKAN_BACKWARD_LANES_H

#include "block_outputs.h"
#include "element_lanes.h"
#include "grid_reduction.h"

#if GRKAN_STRATEGY != STRATEGY_ELEMENT

/* ------------------------------------------------------------------------------------- vectors of threads */

/**
 * Elements of neighbouring threads' vectors, from the order that they have in memory to one register for each element of a
 * vector. An element's place is a binary number, register and lane; each round makes its last digit the first.
 */
DEVICE void separate_vectors(real *v)
{
    UNROLL
    for (int round = 1; round < GRKAN_VECTOR; round *= 2) {
        real next[GRKAN_VECTOR];
        UNROLL
        for (int i = 0; i < GRKAN_VECTOR / 2; ++i) {
            next[i] = EVEN_LANES(v[2 * i], v[2 * i + 1]);
            next[i + GRKAN_VECTOR / 2] = ODD_LANES(v[2 * i], v[2 * i + 1]);
        }
        UNROLL
        for (int i = 0; i < GRKAN_VECTOR; ++i)
            v[i] = next[i];
    }
}

/** And back. */
DEVICE void merge_vectors(real *v)
{
    UNROLL
    for (int round = 1; round < GRKAN_VECTOR; round *= 2) {
        real next[GRKAN_VECTOR];
        UNROLL
        for (int i = 0; i < GRKAN_VECTOR / 2; ++i) {
            next[2 * i] = MERGED_LOW(v[i], v[i + GRKAN_VECTOR / 2]);
            next[2 * i + 1] = MERGED_HIGH(v[i], v[i + GRKAN_VECTOR / 2]);
        }
        UNROLL
        for (int i = 0; i < GRKAN_VECTOR; ++i)
            v[i] = next[i];
    }
}

/** @param count elements that exist from there on */
DEVICE void load_vectors(int dtype, GLOBAL const char *tensor, grkan_int64 element, int count, real *v)
{
    UNROLL
    for (int i = 0; i < GRKAN_VECTOR; ++i)
        v[i] = load_lanes(dtype, tensor, element + i * GRKAN_LANES, count - i * GRKAN_LANES);
    separate_vectors(v);
}

DEVICE void store_vectors(int dtype, GLOBAL char *tensor, grkan_int64 element, int count, real *v)
{
    merge_vectors(v);
    UNROLL
    for (int i = 0; i < GRKAN_VECTOR; ++i)
        store_lanes(dtype, tensor, element + i * GRKAN_LANES, count - i * GRKAN_LANES, v[i]);
}

/* ------------------------------------------------------------------------------ phase 1: the rows of a strip */

/** The rows of neighbouring threads. @param vector of the column tile, the first lane's */
DEVICE void sum_strip(const lane_tensors *t, const lane_rows *rows, int vector, const coefficients *c, real limits,
                      real *sums)
{
    for (int row = 0; row < rows->count; ++row) {
        const grkan_int64 at = rows->elements[row] + (grkan_int64)vector * GRKAN_VECTOR;
        const int count = rows->lengths[row] - vector * GRKAN_VECTOR;
        real x[GRKAN_VECTOR], dy[GRKAN_VECTOR];
        if (count <= 0)
            continue;
        load_vectors(X_DTYPE, t->x, at, count, x);
        load_vectors(Y_DTYPE, t->dy, at, count, dy);
        UNROLL
        for (int v = 0; v < GRKAN_VECTOR; ++v)
            dy[v] = backward_lanes(c, limits, x[v], dy[v], &x[v], sums);
        if (!GRKAN_FROZEN_X)
            store_vectors(X_DTYPE, t->dx, at, count, dy);
        if (GRKAN_WRITES_Y)
            store_vectors(Y_DTYPE, t->y, at, count, x);
    }
}

/** Have memory bring lines of the rows to come. */
DEVICE void ask_for_rows(const lane_tensors *t, const lane_rows *rows, asked_lines *asked)
{
    grkan_int64 line;
    while (next_line(rows, asked, &line)) {
        ASK_FOR(t->x + line * DTYPE_BYTES(X_DTYPE));
        ASK_FOR(t->dy + line * DTYPE_BYTES(Y_DTYPE));
        if (!GRKAN_FROZEN_X)
            ASK_FOR(t->dx + line * DTYPE_BYTES(X_DTYPE));
        if (GRKAN_WRITES_Y)
            ASK_FOR(t->y + line * DTYPE_BYTES(Y_DTYPE));
    }
}

/** Numbers of neighbouring threads, of which there are fewer than lanes: zeros in the others. */
OUTLINE real load_some_sums(SHARED const scalar *own, int threads)
{
    scalar all[GRKAN_LANES];
    NO_UNROLL
    for (int lane = 0; lane < GRKAN_LANES; ++lane)
        all[lane] = lane < threads ? own[lane] : 0;
    return LOAD_LANES(PRIVATE, all);
}

OUTLINE void store_some_sums(real sums, int threads, SHARED scalar *own)
{
    scalar all[GRKAN_LANES];
    STORE_LANES(PRIVATE, all, sums);
    NO_UNROLL
    for (int lane = 0; lane < threads; ++lane)
        own[lane] = all[lane];
}

/** Numbers of neighbouring threads, one for each sum, in shared memory. */
DEVICE void load_sums(SHARED const scalar *own, int threads, real *sums)
{
    UNROLL
    for (int i = 0; i < SUMS; ++i)
        sums[i] = threads >= GRKAN_LANES ? LOAD_LANES(SHARED, own + place_of_sum(i))
                                         : load_some_sums(own + place_of_sum(i), threads);
}

DEVICE void store_sums(const real *sums, int threads, SHARED scalar *own)
{
    UNROLL
    for (int i = 0; i < SUMS; ++i)
        if (threads >= GRKAN_LANES)
            STORE_LANES(SHARED, own + place_of_sum(i), sums[i]);
        else
            store_some_sums(sums[i], threads, own + place_of_sum(i));
}

/** A strip of some rows of a chain. @param starts whether they are its first @param ends whether they are its last
    @param chain sums since a chain's start @param total of the chains before */
OUTLINE void sum_chain(const lane_tensors *t, const lane_rows *rows, int vector, int threads, const strip_numbers *n,
                       int starts, int ends, SHARED scalar *chain, SHARED scalar *total)
{
    real sums[SUMS], before[SUMS];
    UNROLL
    for (int i = 0; i < SUMS; ++i)
        sums[i] = REAL(0.0);
    if (!starts)
        load_sums(chain, threads, sums);
    sum_strip(t, rows, vector, &n->c, n->limits, sums);
    if (!ends) {
        store_sums(sums, threads, chain);
        return;
    }
    load_sums(total, threads, before);
    UNROLL
    for (int i = 0; i < SUMS; ++i)
        sums[i] = before[i] + sums[i];
    store_sums(sums, threads, total);
}

/** @param chains room for sums of chains, of all threads, where those have more than MOST_LANE_ROWS rows */
DEVICE void sum_threads(const tile *b, const grkan_launch *launch, const arguments *a, const lane_tensors *t,
                        SHARED scalar *chains, SHARED scalar *totals)
{
    const grkan_geometry *const g = b->g;
    const int width = longest_lane_row(b), vectors = width / GRKAN_VECTOR;
    const int all = rows_of_thread(b, 0); /* of the block's first row, which has most */
    const int step = g->rows.chain < MOST_LANE_ROWS ? g->rows.chain : MOST_LANE_ROWS;
    const int side_by_side = g->columns.block_rows;
    lane_rows rows, next;
    for (int i = 0; i < SUMS * GRKAN_BACKWARD_BLOCK; ++i)
        totals[i] = 0;
    find_lane_rows(b, 0, side_by_side, step, &next);
    for (int first = 0, of_chain = 0; first < all; first += step) {
        const int starts = of_chain == 0;
        of_chain = of_chain + step < g->rows.chain ? of_chain + step : 0;
        for (int block_row = 0; block_row < side_by_side; ++block_row) {
            const int ends = of_chain == 0 || first + step >= rows_of_thread(b, block_row);
            SHARED scalar *const total = totals + block_row * g->columns.tile_vectors;
            SHARED scalar *const chain = chains + block_row * g->columns.tile_vectors;
            const int following =
                block_row + 1 < side_by_side ? first * side_by_side + block_row + 1 : (first + step) * side_by_side;
            asked_lines asked = {0, 0, 0};
            strip_numbers n;
            n.end = 0;
            rows = next;
            find_lane_rows(b, following, side_by_side, step, &next);
            for (int vector = 0; rows.count > 0 && vector < vectors; vector += GRKAN_LANES) {
                load_strip(b, launch, a, vector * GRKAN_VECTOR, GRKAN_VECTOR, width, &n);
                asked.due += rows.count * GRKAN_LANES * GRKAN_VECTOR;
                ask_for_rows(t, &next, &asked);
                sum_chain(t, &rows, vector, vectors - vector, &n, starts, ends, chain + vector, total + vector);
            }
        }
    }
}

/* ------------------------------------------------------------------------------- phases 2 to 4: a block's sums */

OUTLINE void reduce_block(const gradients *d, const tile *b, SHARED scalar *sums, SHARED scalar *exchange)
{
    const grkan_geometry *const g = d->g;
    if (g->columns.block_rows > g->block.column_partials)
        for (int thread = 0; thread < g->block.column_partials * g->columns.tile_vectors; ++thread)
            add_block_rows(g, thread, sums);
    for (int first = 0; first < g->block.threads; first += GRKAN_BACKWARD_BLOCK) {
        const int left = g->block.threads - first;
        const int threads = left < GRKAN_BACKWARD_BLOCK ? left : GRKAN_BACKWARD_BLOCK;
        NO_UNROLL
        for (int thread = 0; thread < threads; ++thread)
            exchange[exchange_place(thread)] = sum_columns(g, columns_of_block_thread(d, b, first + thread), sums);
        NO_UNROLL
        for (int thread = 0; thread < threads; ++thread) {
            const finished_output e = output_of_thread(d, b, first + thread, first);
            if (e.exists)
                store_output(d, e.to, sum_exchanged(exchange + e.place, 1, e.threads));
        }
    }
}

OUTLINE void backward_block(const grkan_geometry *geometry, const grkan_launch *launch, const arguments *a, int block)
{
    SHARED_ARRAY(scalar, sums, SUMS * GRKAN_BACKWARD_BLOCK);
    SHARED_ARRAY(scalar, exchange, GRKAN_BACKWARD_BLOCK / MOST_OUTPUT_THREADS * (MOST_OUTPUT_THREADS + 1));
    const tile b = tile_of_block(geometry, block);
    const gradients d = gradients_of(geometry, launch, a);
    const lane_tensors t = tensors_of(launch, a);
#if GRKAN_VECTOR * MOST_LANE_ROWS < 48 /* elements of a chain: rows.c */
    SHARED_ARRAY(scalar, chains, SUMS * GRKAN_BACKWARD_BLOCK);
#else
    SHARED scalar *const chains = sums;
#endif
    sum_threads(&b, launch, a, &t, chains, sums);
    reduce_block(&d, &b, sums, exchange);
}

#endif

/* ---------------------------------------------------------------------------------------------- the kernels */

KERNEL(GRKAN_BACKWARD_BLOCK, GRKAN_BACKWARD_RESIDENT)
grkan_backward(GLOBAL const char *x, GLOBAL const char *dy, TABLE_PARAMETERS(GLOBAL const scalar *, table),
               GLOBAL char *dx, TABLE_PARAMETERS(GLOBAL scalar *, gradient), GLOBAL char *workspace,
               Y_PARAMETER const grkan_launch launch, const grkan_geometry geometry MORE_OFFSETS)
{
    arguments a;
    a.x = x;
    a.dy = dy;
    a.result = dx;
    a.workspace = workspace;
    TABLE_ARRAY(a.tables, table);
    TABLE_ARRAY(a.gradients, gradient);
#if GRKAN_WRITES_Y
    a.y = OFFSET(y, more.y);
#else
    a.y = 0;
#endif
    backward_block(&geometry, &launch, &a, (int)BLOCK_INDEX() + launch.first_block);
}

#if GRKAN_STRATEGY == STRATEGY_TREE
OUTLINE void reduce_partials(const grkan_geometry *geometry, const grkan_launch *launch, const arguments *a, int block)
{
    SHARED_ARRAY(scalar, exchange, GRKAN_BACKWARD_BLOCK);
    const gradients d = gradients_of(geometry, launch, a);
    for (int thread = 0; thread < GRKAN_BACKWARD_BLOCK; ++thread) {
        const partial_range p = partials_of_block(geometry, block, thread);
        if (p.exists)
            exchange[thread] = sum_partials(&d, &p);
    }
    for (int thread = 0; thread < GRKAN_BACKWARD_BLOCK; ++thread) {
        const partial_range p = partials_of_block(geometry, block, thread);
        if (p.exists && p.thread == 0)
            finish(&d, gradient_at(&d, p.table, p.position),
                   sum_exchanged(exchange + thread, numbers_of_block(p.threads), p.threads));
    }
}

KERNEL(GRKAN_BACKWARD_BLOCK, 1)
grkan_reduce(TABLE_PARAMETERS(GLOBAL const scalar *, table), TABLE_PARAMETERS(GLOBAL scalar *, gradient),
             GLOBAL char *workspace, const grkan_launch launch, const grkan_geometry geometry)
{
    arguments a;
    a.workspace = workspace;
    TABLE_ARRAY(a.tables, table);
    TABLE_ARRAY(a.gradients, gradient);
    reduce_partials(&geometry, &launch, &a, (int)BLOCK_INDEX() + launch.first_block);
}
#endif

#endif
