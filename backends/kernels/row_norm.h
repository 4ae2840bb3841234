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
} norm_state;

DEVICE norm_state start_norm(const worker *w, row_reduction s)
{
    norm_state n;
    n.reduction = s;
    n.place = place_in_row(s, w->block_row, w->column);
    n.divisor = SETTLED(divisor_of((scalar)(int)w->block.g->columns.row_elements));
    return n;
}

#endif

#endif
