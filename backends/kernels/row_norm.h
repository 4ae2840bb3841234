/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file row_norm.h
 * @brief The norms of a GPU's forward: mean and rstd of the rows of a step, which a block has whole, so that x is read once.
 *
 * All threads of a block run the same steps, as they wait for each other; those without elements add zeros.
 */
#ifndef GRKAN_ROW_NORM_H
#define GRKAN_ROW_NORM_H

#include "kernel.h"

#if HAS_PROLOGUE
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

/**
 * A step's elements of x where tensors are not aligned to vectors, so that no pipeline brings them.
 * @param at, result where the first row's result goes @param left rows from that one on
 */
DEVICE void load_rows(const worker *w, int count, row_iterator at, int left, GLOBAL const char *x, GLOBAL const char *y,
                      GLOBAL const char *result, real *values)
{
    UNROLL
    for (int r = 0; r < count; ++r) {
        const int exists = has_vector(w, &at, r, left);
        GLOBAL const char *const from = x + CONVERTED_BYTES(AT(Y_DTYPE, result, &at) - y, Y_DTYPE, X_DTYPE);
        UNROLL
        for (int v = 0; v < GRKAN_VECTOR; ++v)
            values[r * GRKAN_VECTOR + v] = exists ? load_element(X_DTYPE, from, v) : REAL(0.0);
        next_row(w->block.g, &at);
    }
}

/** Where forward leaves mean and rstd of rows, if base is not NULL. */
typedef struct norm_results {
    GLOBAL scalar *mean; /* where rows have one */
    GLOBAL scalar *rstd;
} norm_results;

DEVICE real tree_of_vector(const real *values)
{
    real copy[GRKAN_VECTOR];
    UNROLL
    for (int v = 0; v < GRKAN_VECTOR; ++v)
        copy[v] = values[v];
    return sum_of_tree(copy, GRKAN_VECTOR);
}

/** What a thread keeps for its rows' norms. */
typedef struct norm_state {
    row_reduction reduction; /* of the rows of a step */
    row_place place;
    scalar divisor;
} norm_state;

DEVICE norm_state start_norm(const worker *w, row_reduction s)
{
    norm_state n;
    n.reduction = s;
    n.place = place_in_row(s, w->block_row, w->column);
    n.divisor = SETTLED(divisor_of((scalar)(int)w->block.g->columns.row_elements));
    return n;
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
    sum_rows_of_block(n->reduction, n->place, 0, sums, exchange);
    UNROLL
    for (int r = 0; r < count; ++r)
        rows[r].mean = mean_of(sums[r], n->divisor);
#endif
    UNROLL
    for (int r = 0; r < count; ++r) {
        real squares[GRKAN_VECTOR];
        UNROLL
        for (int v = 0; v < GRKAN_VECTOR; ++v) {
            real *const value = &values[r * GRKAN_VECTOR + v];
            *value = centred(p, rows[r], *value);
            squares[v] = *value * *value;
        }
        sums[r] = w->column < w->block.vectors ? tree_of_vector(squares) : REAL(0.0);
    }
    sum_rows_of_block(n->reduction, n->place, HAS_MEAN ? 1 : step & 1, sums, exchange);
    UNROLL
    for (int r = 0; r < count; ++r) {
        rows[r].rstd = rstd_of(sums[r], n->divisor, the_epsilon());
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
    for (int r = 0; r < count; ++r) {
        const grkan_int64 at = first + (row + r) * w->block.g->rows.step;
#if HAS_MEAN
        if (to.mean != 0 && row + r < w->rows)
            to.mean[at] = rows[r].mean;
#endif
        if (to.rstd != 0 && row + r < w->rows)
            to.rstd[at] = rows[r].rstd;
    }
}
#endif

#endif
