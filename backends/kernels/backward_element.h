/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file backward_element.h
 * @brief Backward of the strategy element on GPUs, the baseline that FlashKAT improved upon: every element adds to memory.
 *
 * Neighbouring threads begin with different numbers, since memory makes the additions of one instruction to one address one
 * after another, but those to different words of a sector at once.
 */
#ifndef GRKAN_BACKWARD_ELEMENT_H
#define GRKAN_BACKWARD_ELEMENT_H

#include "atomics.h"
#include "backward.h"

#if GRKAN_STRATEGY == STRATEGY_ELEMENT
/** The elements of one group of a vector. */
DEVICE void backward_of_group(const gradients *d, grkan_int64 group, const coefficients *c, GLOBAL const char *x,
                              GLOBAL const char *dy, GLOBAL char *dx)
{
    NO_UNROLL
    for (int v = 0; v < GRKAN_VECTOR; v += GRKAN_VECTOR_GROUPS) {
        real sums[FAMILY_SUMS];
        UNROLL
        for (int i = 0; i < FAMILY_SUMS; ++i)
            sums[i] = REAL(0.0);
        const real x_here = load_element(X_DTYPE, x, v), dy_here = load_element(Y_DTYPE, dy, v);
        store_element(X_DTYPE, dx, v, backward_element(the_family(), c, x_here, dy_here, sums));
        add_element(d, group, THREAD_INDEX(), sums);
    }
}

KERNEL(GRKAN_BACKWARD_BLOCK, GRKAN_BACKWARD_RESIDENT)
grkan_backward(GLOBAL const char *x, GLOBAL const char *dy, TABLE_PARAMETERS(GLOBAL const scalar *, table),
               GLOBAL char *dx, TABLE_PARAMETERS(GLOBAL scalar *, gradient), GLOBAL char *workspace,
               const grkan_launch launch, const grkan_geometry geometry)
{
    const tile b = tile_of_block(&geometry, (int)BLOCK_INDEX() + launch.first_block);
    const worker w = worker_of_thread(&b, THREAD_INDEX());
    coefficients c[GRKAN_VECTOR_GROUPS];
    arguments a;
    a.workspace = workspace;
    TABLE_ARRAY(a.tables, table);
    TABLE_ARRAY(a.gradients, gradient);
    STREAM_WAIT();
    load_coefficients(&w, &launch, &a, c);
    const gradients d = gradients_of(&geometry, &launch, &a);
    x = OFFSET(x, launch.x);
    dy = OFFSET(dy, launch.dy);
    dx = OFFSET(dx, launch.result);
    for (int row = 0; row < w.rows; ++row) {
        const row_position at = position_of_row(&w, row);
        UNROLL
        for (int s = 0; s < GRKAN_VECTOR_GROUPS; ++s)
            if (vectors_left(&w, at.segment) > 0)
                backward_of_group(&d, group_in_vector(&w, s), &c[s],
                                  FURTHER(GLOBAL const, x, DTYPE_BYTES(X_DTYPE), at.element + s),
                                  FURTHER(GLOBAL const, dy, DTYPE_BYTES(Y_DTYPE), at.element + s),
                                  FURTHER(GLOBAL, dx, DTYPE_BYTES(X_DTYPE), at.element + s));
    }
}
#endif

#endif
