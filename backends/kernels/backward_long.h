/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file backward_long.h
 * @brief A kernel of its own in front of backward with a norm whose rows are longer than any block: the two means of each row
 * that dx of its elements needs (backward_norm.h). A block takes a row at a time, step by step as forward_long.h does.
 */
#ifndef GRKAN_BACKWARD_LONG_H
#define GRKAN_BACKWARD_LONG_H

#include "backward_norm.h"

#if HAS_LONG_MEANS

/** Threads of a block: as many of backward's as are a power of two. */
#define MEANS_BLOCK                                                                                                    \
    (GRKAN_BACKWARD_BLOCK >= 512   ? 512                                                                               \
     : GRKAN_BACKWARD_BLOCK >= 256 ? 256                                                                               \
     : GRKAN_BACKWARD_BLOCK >= 128 ? 128                                                                               \
     : GRKAN_BACKWARD_BLOCK >= 64  ? 64                                                                                \
                                   : 32)

/** Vectors that a thread takes at once. */
#define MEANS_VECTORS 2

/** What the threads of a block need of a row. */
typedef struct means_row {
    tensors at; /* its first elements */
    row_statistics row;
    grkan_int64 vectors;
} means_row;

/** Elements of a vector of a tensor; zeros where none is. */
DEVICE void load_long_vector(int dtype, int aligned, int exists, GLOBAL const char *tensor, grkan_int64 index,
                             real *values)
{
    GLOBAL const char *const from = FURTHER(GLOBAL const, tensor, VECTOR_BYTES(dtype), index);
    vector now = zero_vector();
    if (exists && aligned)
        now = load_global(dtype, from);
    unpack_vector(dtype, now, values);
    if (exists && !aligned) {
        UNROLL
        for (int v = 0; v < GRKAN_VECTOR; ++v)
            values[v] = load_element(dtype, from, v);
    }
}

/** dz of a vector's elements, in the place of dy. Nobody wants what they add to the family's sums here. */
DEVICE void long_gradients(const coefficients *c, real limit, const real *zs, real *dzs)
{
    if (!(largest_of(zs, GRKAN_VECTOR) > limit)) {
        UNROLL
        for (int v = 0; v < GRKAN_VECTOR; ++v) {
            OF_REALS(element_terms) unused;
            dzs[v] = slope_near(the_family(), c, ASKS_SIGN_OF_X ? PLUS_ZERO(zs[v]) : zs[v], dzs[v], &unused);
        }
    } else {
        rare_state state;
        state.c = *c;
        UNROLL
        for (int i = 0; i < SUMS; ++i)
            state.sums[i] = REAL(0.0);
        UNROLL
        for (int v = 0; v < GRKAN_VECTOR; ++v) {
            state.z = zs[v];
            state.dy = dzs[v];
            backward_rare(&state);
            dzs[v] = state.dz;
        }
    }
}

/** What a vector adds to the sums of its row. */
DEVICE void add_long_vector(const grkan_geometry *g, const grkan_launch *launch, const arguments *a, const means_row *m,
                            grkan_int64 index, real *sums)
{
    const int exists = index < m->vectors;
    const grkan_int64 first = exists ? index * GRKAN_VECTOR : 0; /* channel */
    const coefficients c = load_group(g, launch, a, group_of_channel(g, first));
    real xhats[GRKAN_VECTOR], zs[GRKAN_VECTOR], gradients_here[GRKAN_VECTOR], products[GRKAN_VECTOR];
    channel channels[GRKAN_VECTOR];
    load_long_vector(X_DTYPE, launch->aligned, exists, m->at.x, index, xhats);
    load_long_vector(Y_DTYPE, launch->aligned, exists, m->at.dy, index, gradients_here);
    UNROLL
    for (int v = 0; v < GRKAN_VECTOR; ++v) {
        channels[v] = load_channel(launch, a, first + v);
        xhats[v] = exists ? normalised(the_prologue(), m->row, xhats[v]) : REAL(0.0);
        zs[v] = exists ? argument_of(the_prologue(), channels[v], xhats[v]) : REAL(0.0);
    }
    long_gradients(&c, step_limit(launch, &c), zs, gradients_here);
    UNROLL
    for (int v = 0; v < GRKAN_VECTOR; ++v) {
        const real gradient = gradient_of_xhat(the_prologue(), channels[v], gradients_here[v]);
        gradients_here[v] = exists ? gradient : REAL(0.0);
        products[v] = exists ? gradient * xhats[v] : REAL(0.0);
    }
    sums[ROW_NUMBERS - 1] = sum_of_tree(products, GRKAN_VECTOR);
    if (HAS_MEAN)
        sums[0] = sum_of_tree(gradients_here, GRKAN_VECTOR);
}

KERNEL(MEANS_BLOCK, 1)
grkan_row_means(GLOBAL const char *x, GLOBAL const char *dy, TABLE_PARAMETERS(GLOBAL const scalar *, table),
                GLOBAL char *workspace, NORM_PARAMETERS const grkan_launch launch,
                const grkan_geometry geometry MORE_PARAMETER)
{
    SHARED_ARRAY(scalar, exchange, ROW_EXCHANGE(ROW_NUMBERS * MEANS_VECTORS, MEANS_BLOCK, MEANS_BLOCK / WAVE_THREADS))
    EXCHANGE_ALIGNED;
    const grkan_int64 elements = geometry.columns.row_elements;
    const scalar divisor = divisor_of((scalar)elements);
    int turn = 0;
    arguments a;
    means_row m;
    row_reduction reduction;
    TABLE_ARRAY(a.tables, table);
#if HAS_MEAN
    a.mean = OFFSET(mean, more.mean);
#endif
    a.rstd = OFFSET(rstd, more.rstd);
    GLOBAL scalar *const means = row_means(&geometry, OFFSET(workspace, launch.workspace));
    m.vectors = elements / GRKAN_VECTOR;
    reduction.numbers = ROW_NUMBERS * MEANS_VECTORS;
    reduction.block = MEANS_BLOCK;
    reduction.waves = MEANS_BLOCK / WAVE_THREADS;
    const row_place place = place_in_row(reduction, 0, THREAD_INDEX());
    STREAM_WAIT();
    NO_UNROLL
    for (grkan_int64 r = BLOCK_INDEX() + launch.first_block; r < geometry.rows.all; r += launch.blocks) {
        waiting_sums all[ROW_NUMBERS];
        UNROLL
        for (int i = 0; i < ROW_NUMBERS; ++i)
            all[i].steps = 0;
#if HAS_MEAN
        m.row.mean = a.mean[r];
#endif
        m.row.rstd = a.rstd[r];
        m.at.x = FURTHER(GLOBAL const, OFFSET(x, launch.x), VECTOR_BYTES(X_DTYPE), r *m.vectors);
        m.at.dy = FURTHER(GLOBAL const, OFFSET(dy, launch.dy), VECTOR_BYTES(Y_DTYPE), r *m.vectors);
        NO_UNROLL
        for (grkan_int64 first = 0; first < m.vectors; first += MEANS_VECTORS * MEANS_BLOCK) {
            real sums[WAVE_THREADS];
            UNROLL
            for (int s = 0; s < MEANS_VECTORS; ++s)
                add_long_vector(&geometry, &launch, &a, &m, first + s * MEANS_BLOCK + THREAD_INDEX(),
                                sums + s * ROW_NUMBERS);
            sum_rows_of_block(reduction, place, turn, sums, exchange);
            turn ^= 1;
            UNROLL
            for (int i = 0; i < ROW_NUMBERS; ++i)
                add_step(&all[i], sums[i] + sums[i + ROW_NUMBERS]);
        }
        if (THREAD_INDEX() == 0) {
            UNROLL
            for (int i = 0; i < ROW_NUMBERS; ++i)
                means[r * ROW_NUMBERS + i] = mean_of(sum_of_steps(&all[i]), divisor);
        }
    }
}

#endif

#endif
