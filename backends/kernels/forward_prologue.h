/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file forward_prologue.h
 * @brief What forward does on GPUs where a prologue stands before F; with norms, mean and rstd of the rows of a step, which a
 * block has whole, so that x is read once.
 *
 * All threads of a block run the same steps, as they wait for each other; those without elements add zeros.
 */
#ifndef GRKAN_FORWARD_PROLOGUE_H
#define GRKAN_FORWARD_PROLOGUE_H

#include "row_norm.h"

#if HAS_PROLOGUE
/** As forward_rare, of a vector. What elements need of their channels is read again. @param first element, within its row */
DEVICE void forward_rare_vector(const grkan_geometry *g, const grkan_launch *launch, const arguments *a,
                                const coefficients *c, row_statistics row, grkan_int64 first, GLOBAL const char *x,
                                GLOBAL char *y)
{
    NO_UNROLL
    for (int v = 0; v < GRKAN_VECTOR; ++v) {
        const real xhat = normalised(the_prologue(), row, load_element(X_DTYPE, x, v));
        const real z = argument_of(the_prologue(), load_channel(launch, a, channel_of(g, first + v)), xhat);
        store_element(Y_DTYPE, y, v, forward_element(the_family(), c, z));
    }
}

/** From xhat, or x, to z, in place. */
DEVICE void add_channels(const channel *channels, int rows, real *values)
{
    UNROLL
    for (int v = 0; v < rows * GRKAN_VECTOR; ++v)
        values[v] = argument_of(the_prologue(), channels[v % GRKAN_VECTOR], values[v]);
}

/** The statistics of row r of a step's: chosen, as registers have no index. */
DEVICE row_statistics chosen_row(const row_statistics *rows, int count, int r)
{
    row_statistics row = rows[0];
    UNROLL
    for (int i = 1; i < count; ++i) {
        row.mean = i == r ? rows[i].mean : row.mean;
        row.rstd = i == r ? rows[i].rstd : row.rstd;
    }
    return row;
}
#endif

#if HAS_NORM

/** Where forward leaves mean and rstd of rows, each if it is not NULL. */
typedef struct norm_results {
    GLOBAL scalar *mean; /* where rows have one */
    GLOBAL scalar *rstd;
} norm_results;

/* A kernel's parameters for them behind its geometry; and from those. */
#if HAS_MEAN
#define SET_NORM_RESULTS(results) (results).mean = OFFSET(mean, more.mean), (results).rstd = OFFSET(rstd, more.rstd)
#else
#define SET_NORM_RESULTS(results) (results).rstd = OFFSET(rstd, more.rstd)
#endif
#define NORM_OFFSETS MORE_PARAMETER

DEVICE void store_row(norm_results to, grkan_int64 row, row_statistics statistics)
{
#if HAS_MEAN
    if (to.mean != 0)
        to.mean[row] = statistics.mean;
#endif
    if (to.rstd != 0)
        to.rstd[row] = statistics.rstd;
}

/** From a thread's share of each row's sum to mean (is_mean) or rstd of the rows. Where threads exchange registers, each works
    out one row's and gives it to the others: three quarters of the divisions are saved with four rows. */
DEVICE void finish_rows(const norm_state *n, int turn, int is_mean, real *sums, SHARED scalar *exchange)
{
    const row_reduction s = n->reduction;
#ifdef WAVE_XOR
    const real own = own_sum_of_row(s, n->place, turn, sums, exchange);
    spread_numbers(s, n->place, is_mean ? mean_of(own, n->divisor) : rstd_of(own, n->divisor, the_epsilon()), sums);
#else
    sum_rows_of_block(s, n->place, turn, sums, exchange);
    UNROLL
    for (int r = 0; r < s.numbers; ++r)
        sums[r] = is_mean ? mean_of(sums[r], n->divisor) : rstd_of(sums[r], n->divisor, the_epsilon());
#endif
}

/** The sum of the squares of a vector's elements: as the tree where bits are everybody's. */
DEVICE real sum_of_squares(const real *values)
{
    real squares[GRKAN_VECTOR];
    UNROLL
    for (int v = 0; v < GRKAN_VECTOR; ++v)
        squares[v] = GRKAN_IEEE || v == 0 ? values[v] * values[v] : FMA(values[v], values[v], squares[v - 1]);
    return GRKAN_IEEE ? sum_of_tree(squares, GRKAN_VECTOR) : squares[GRKAN_VECTOR - 1];
}

/**
 * From a step's elements of x to xhat, in place.
 * @param step counts from 0
 * @param rows statistics, out, of each row of the step
 */
DEVICE void normalise_rows(const worker *w, const norm_state *n, int step, real *values, row_statistics *rows,
                           SHARED scalar *exchange)
{
    const prologue p = the_prologue();
    const int count = n->reduction.numbers;
    real sums[WAVE_THREADS];
#if HAS_MEAN
    UNROLL
    for (int r = 0; r < count; ++r)
        sums[r] = tree_of_vector(values + r * GRKAN_VECTOR);
    finish_rows(n, 0, 1, sums, exchange);
    UNROLL
    for (int r = 0; r < count; ++r)
        rows[r].mean = sums[r];
#endif
    UNROLL
    for (int r = 0; r < count; ++r) {
        real *const own = values + r * GRKAN_VECTOR;
        UNROLL
        for (int v = 0; v < GRKAN_VECTOR; ++v)
            own[v] = centred(p, rows[r], own[v]);
        sums[r] = w->column < w->block.vectors ? sum_of_squares(own) : REAL(0.0);
    }
    finish_rows(n, HAS_MEAN ? 1 : step & 1, 0, sums, exchange);
    UNROLL
    for (int r = 0; r < count; ++r) {
        rows[r].rstd = sums[r];
        UNROLL
        for (int v = 0; v < GRKAN_VECTOR; ++v)
            values[r * GRKAN_VECTOR + v] = values[r * GRKAN_VECTOR + v] * rows[r].rstd;
    }
}

/** Of a step's rows, one thread of each leaves the statistics. @param row of the thread, the step's first */
DEVICE void store_statistics(const worker *w, int row, int count, const row_statistics *rows, norm_results to)
{
    const grkan_int64 first = w->block.first_row + w->block_row;
    if (w->column != 0)
        return;
    UNROLL
    for (int r = 0; r < count; ++r)
        if (row + r < w->rows)
            store_row(to, first + (row + r) * w->block.g->rows.step, rows[r]);
}
#else
#define NORM_OFFSETS
#endif

#endif
