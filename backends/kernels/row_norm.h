/* SPDX-License-Identifier: Apache-2.0 */
/** @file row_norm.h @brief What GPUs' forward and backward with a norm share: the state of a thread that sums over its rows. */
#ifndef GRKAN_ROW_NORM_H
#define GRKAN_ROW_NORM_H

#include "kernel.h"

#if HAS_NORM

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
    int may_be_far; /* whether elements of z need to be looked at for more than plain arithmetic */
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
 * No |z| of a thread's elements is above this, whatever x is, infinity if there may be one: no |xhat| is above sqrt(channels),
 * as long as epsilon keeps rstd from being infinite, give or take what roundings add.
 */
DEVICE real largest_argument(const channel *channels, scalar count)
{
    const real largest_xhat = SQRT(count) * REAL(1.01);
    real largest = REAL(0.0);
    UNROLL
    for (int v = 0; v < GRKAN_VECTOR; ++v)
        largest = MAXIMUM(largest, FMA(largest_xhat, ABS(channels[v].scale), ABS(channels[v].shift)));
    return the_epsilon() > REAL(1e-30) ? largest : (real)INFINITY;
}

#endif

#endif
