/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file channel_sums.h
 * @brief The gradients of tables of channels on GPUs: what prologues learn.
 *
 * A thread keeps its columns, so it has one sum for each element of its vector, or one for all where those are of one channel.
 * There are too many for shared memory beside the family's: both levels of a thread's sums are in registers, and a block adds
 * them up when it is done with the family's, in their place, as many at a time as fit there. The order is that of
 * block_reduction.h with one thread for an output: the columns of its channel, block row by block row of those that are left.
 */
#ifndef GRKAN_CHANNEL_SUMS_H
#define GRKAN_CHANNEL_SUMS_H

#include "block_reduction.h"
#include "vector.h"

#if HAS_PROLOGUE

/** Whether a thread adds up dz, and dz xhat. */
#define SUMS_SHIFT (HAS_SHIFT && !IS_FROZEN(, FAMILY_TABLES + SHIFT_TABLE))
#define SUMS_SCALE (HAS_SCALE && !IS_FROZEN(, FAMILY_TABLES + SCALE_TABLE))

/** Sums of a thread: those of the shift (or bias), then those of the scale. */
#define CHANNEL_SUMS ((SUMS_SHIFT + SUMS_SCALE) * GRKAN_CHANNEL_SUMS)
#define FIRST_SCALE_SUM (SUMS_SHIFT * GRKAN_CHANNEL_SUMS)

typedef struct channel_sums {
    real chain[CHANNEL_SUMS + 1]; /* of the rows of a chain; no array of none */
    real all[CHANNEL_SUMS + 1];   /* of the chains before it */
} channel_sums;

DEVICE void start_channel_sums(channel_sums *s)
{
    UNROLL
    for (int i = 0; i < CHANNEL_SUMS; ++i)
        s->chain[i] = s->all[i] = REAL(0.0);
}

DEVICE void end_chain(channel_sums *s)
{
    UNROLL
    for (int i = 0; i < CHANNEL_SUMS; ++i) {
        s->all[i] = s->all[i] + s->chain[i];
        s->chain[i] = REAL(0.0);
    }
}

/** Add what element v of a vector adds. v may be a variable: registers have no index, so all of them are looked at then. */
DEVICE void add_to_channel(channel_sums *s, int v, real dz, real xhat)
{
    UNROLL
    for (int i = 0; i < GRKAN_CHANNEL_SUMS; ++i) {
        const int is_own = GRKAN_CHANNEL_SUMS == 1 || i == v;
        real *const shift = &s->chain[i], *const scale = &s->chain[FIRST_SCALE_SUM + i];
        if (SUMS_SHIFT)
            *shift = is_own ? *shift + dz : *shift;
        if (SUMS_SCALE)
            *scale = is_own ? FMA(dz, xhat, *scale) : *scale;
    }
}

/** The end of a channel's sum: straight into the gradient, or into the workspace. */
DEVICE void store_channel(const gradients *d, int row_split, int table, grkan_int64 channel, scalar sum)
{
    const grkan_table_reduction t = table_of(d->g, table);
    if (t.partials > 1)
        first_partial(d, table)[row_split * (grkan_int64)t.numbers + channel] = sum;
    else
        finish(d, gradient_at(d, table, channel), sum);
}

/** The table and the first channel of the columns of a thread's sum. @param column of the tile */
DEVICE void store_channel_sum(const gradients *d, const tile *b, int sum, grkan_int64 column, scalar total)
{
    const int table = FAMILY_TABLES + (sum < FIRST_SCALE_SUM ? SHIFT_TABLE : SCALE_TABLE);
    const int element = GRKAN_CHANNEL_SUMS == 1 ? 0 : sum % GRKAN_CHANNEL_SUMS;
    store_channel(d, b->row_split, table, channel_of(d->g, b->start + column * GRKAN_VECTOR + element), total);
}

/** Some of the sums, which lie in shared memory: over the block's rows, then over the columns of each channel. */
DEVICE void reduce_channel_sums(const gradients *d, const tile *b, int thread, int first, int count,
                                SHARED scalar *sums)
{
    const grkan_geometry *const g = d->g;
    const int left = g->block.column_partials, width = g->columns.tile_vectors;
    const int vectors = (int)smaller(b->vectors, GRKAN_BACKWARD_BLOCK);
    const int columns = g->columns.inner == 1 || SEGMENTS(g) > 1 ? (SEGMENTS(g) > 1 ? vectors : 1)
                                                                 : (int)(g->columns.inner / GRKAN_VECTOR);
    if (g->columns.block_rows > left) {
        if (thread < left * width) {
            UNROLL
            for (int i = 0; i < count; ++i) {
                SHARED scalar *const own = sums + i * GRKAN_BACKWARD_BLOCK;
                scalar total = own[thread];
                NO_UNROLL
                for (int other = thread + left * width; other < g->columns.block_rows * width; other += left * width)
                    total = total + own[other];
                own[thread] = total;
            }
        }
        BARRIER();
    }
    NO_UNROLL
    for (int column = thread * columns; column < vectors; column += GRKAN_BACKWARD_BLOCK * columns) {
        UNROLL
        for (int i = 0; i < count; ++i) {
            SHARED const scalar *const own = sums + i * GRKAN_BACKWARD_BLOCK;
            scalar total = 0;
            NO_UNROLL
            for (int row = 0; row < left; ++row) {
                NO_UNROLL
                for (int j = 0; j < columns; ++j)
                    total = total + own[row * width + column + j];
            }
            store_channel_sum(d, b, first + i, column, total);
        }
    }
}

/** From a thread's sums to the block's outputs. @param sums shared memory of FAMILY_SUMS for each thread, that nobody reads any more */
DEVICE void reduce_channels(const gradients *d, const tile *b, int thread, const channel_sums *own, SHARED scalar *sums)
{
    if (d->g->columns.inner == 1 && d->g->columns.block_rows == 1) {
        UNROLL
        for (int i = 0; i < CHANNEL_SUMS; ++i)
            if (thread < b->vectors)
                store_channel_sum(d, b, i, thread, own->all[i]);
        return;
    }
    UNROLL
    for (int first = 0; first < CHANNEL_SUMS; first += FAMILY_SUMS) {
        const int count = CHANNEL_SUMS - first < FAMILY_SUMS ? CHANNEL_SUMS - first : FAMILY_SUMS;
        BARRIER(); /* what lay there has been read */
        UNROLL
        for (int i = 0; i < count; ++i)
            sums[i * GRKAN_BACKWARD_BLOCK + thread] = own->all[first + i];
        BARRIER();
        reduce_channel_sums(d, b, thread, first, count, sums);
    }
}

#else
typedef struct channel_sums channel_sums; /* there are none */
#endif

#endif
