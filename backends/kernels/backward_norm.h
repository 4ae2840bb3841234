/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file backward_norm.h
 * @brief A step of a thread's rows in backward with a norm.
 *
 * dx of a row's elements needs two means over the row: of the gradients of xhat, and of those times xhat. Where a block has
 * whole rows, its threads add them up for all rows of a step with one wait, and all of them run the same steps.
 */
#ifndef GRKAN_BACKWARD_NORM_H
#define GRKAN_BACKWARD_NORM_H

#include "row_queue.h"

#if HAS_NORM

#define STEP_ELEMENTS (BACKWARD_ROWS * GRKAN_VECTOR)

DEVICE norm_state start_backward_norm(const worker *w)
{
    row_reduction s;
    s.numbers = ROW_NUMBERS * BACKWARD_ROWS;
    s.block = GRKAN_BACKWARD_BLOCK;
#if ROWS_TOGETHER
    s.waves = GRKAN_BACKWARD_ROW_WAVES;
#else
    s.waves = 1;
#endif
    return start_norm(w, s);
}

/** Results of a step's rows. */
DEVICE void store_rows(int dtype, const worker *w, int aligned, GLOBAL char *to, row_iterator at, int left,
                       const real *values)
{
    UNROLL
    for (int r = 0; r < BACKWARD_ROWS; ++r) {
        GLOBAL char *const result = AT(dtype, to, &at);
        if (r < left) {
            if (aligned) {
                store_vector(dtype, result, values + r * GRKAN_VECTOR);
            } else {
                UNROLL
                for (int v = 0; v < GRKAN_VECTOR; ++v)
                    store_element(dtype, result, v, values[r * GRKAN_VECTOR + v]);
            }
        }
        next_row(w->block.g, &at);
    }
}

/** What is rare, copied, so that the loop around it keeps registers; and an element. */
typedef struct rare_state {
    coefficients c;
    real sums[SUMS];
    real z;
    real dy;
    real dz;
    real y;
} rare_state;

OUTLINE void backward_rare(rare_state *state)
{
    state->dz = backward_element(the_family(), &state->c, state->z, state->dy, state->sums);
    state->y = GRKAN_WRITES_Y ? forward_element(the_family(), &state->c, state->z) : REAL(0.0);
}

/** A step some of whose elements are rare. Registers have no index, so all of them are looked at for each element. */
DEVICE void backward_rare_elements(const coefficients *c, const real *zs, real *dzs, real *ys, real *sums)
{
    rare_state state;
    state.c = *c;
    UNROLL
    for (int i = 0; i < SUMS; ++i)
        state.sums[i] = sums[i];
    NO_UNROLL
    for (int i = 0; i < STEP_ELEMENTS; ++i) {
        UNROLL
        for (int k = 0; k < STEP_ELEMENTS; ++k) {
            state.z = k == i ? zs[k] : state.z;
            state.dy = k == i ? dzs[k] : state.dy;
        }
        backward_rare(&state);
        UNROLL
        for (int k = 0; k < STEP_ELEMENTS; ++k) {
            dzs[k] = k == i ? state.dz : dzs[k];
            ys[k] = k == i ? state.y : ys[k];
        }
    }
    UNROLL
    for (int i = 0; i < SUMS; ++i)
        sums[i] = state.sums[i];
}

/** A step all of whose elements are near zero. */
DEVICE void backward_near_step(const coefficients *c, real *zs, real *dzs, real *ys, real *sums)
{
    UNROLL
    for (int i = 0; i < STEP_ELEMENTS; ++i)
        zs[i] = SETTLED(ASKS_SIGN_OF_X ? PLUS_ZERO(zs[i]) : zs[i]);
    const coefficients renewed = renewed_coefficients(the_family(), c, zs[STEP_ELEMENTS - 1]);
    backward_near_elements(&renewed, STEP_ELEMENTS, zs, dzs, ys, sums);
}

#if !GRKAN_FROZEN_X
/** From dz to dx, in place. @param turn 0 and 1 by turns */
DEVICE void gradients_of_x(const thread_numbers *numbers, const norm_state *norm, const norm_rows *rows, int turn,
                           const real *xhats, real *dzs, SHARED scalar *row_exchange)
{
    const prologue p = the_prologue();
    real sums[WAVE_THREADS];
    UNROLL
    for (int r = 0; r < BACKWARD_ROWS; ++r) {
        real products[GRKAN_VECTOR];
        UNROLL
        for (int v = 0; v < GRKAN_VECTOR; ++v) {
            const int i = r * GRKAN_VECTOR + v;
            dzs[i] = gradient_of_xhat(p, numbers->channels[v], dzs[i]);
            products[v] = dzs[i] * xhats[i];
        }
        sums[ROW_NUMBERS * r + ROW_NUMBERS - 1] = tree_of_vector(products);
        if (HAS_MEAN)
            sums[ROW_NUMBERS * r] = tree_of_vector(dzs + r * GRKAN_VECTOR);
    }
#if ROWS_TOGETHER && defined(WAVE_XOR)
    spread_numbers(norm->reduction, norm->place,
                   mean_of(own_sum_of_row(norm->reduction, norm->place, turn, sums, row_exchange), norm->divisor),
                   sums);
#elif ROWS_TOGETHER
    sum_rows_of_block(norm->reduction, norm->place, turn, sums, row_exchange);
    UNROLL
    for (int i = 0; i < ROW_NUMBERS * BACKWARD_ROWS; ++i)
        sums[i] = mean_of(sums[i], norm->divisor);
#else
    UNROLL
    for (int i = 0; i < ROW_NUMBERS * BACKWARD_ROWS; ++i)
        sums[i] = rows->means[i];
#endif
    UNROLL
    for (int r = 0; r < BACKWARD_ROWS; ++r) {
        const real mean = HAS_MEAN ? sums[ROW_NUMBERS * r] : REAL(0.0);
        const real product = sums[ROW_NUMBERS * r + ROW_NUMBERS - 1];
        UNROLL
        for (int v = 0; v < GRKAN_VECTOR; ++v) {
            real *const dx = &dzs[r * GRKAN_VECTOR + v];
            *dx = gradient_of_x(p, rows->rows[r], xhats[r * GRKAN_VECTOR + v], *dx, mean, product);
        }
    }
}
#endif

/** The rows of a step. @param limit up to which elements of z need only plain arithmetic @param row of the thread, the first */
DEVICE void norm_step(const worker *w, const pipeline *p, const grkan_launch *launch, const thread_numbers *numbers,
                      const norm_state *norm, const norm_rows *rows, real limit, const vector *x_now,
                      const vector *dy_now, int row, row_iterator *at, real *sums, channel_sums *channels,
                      SHARED scalar *row_exchange)
{
    const int left = w->rows - row;
    real xhats[STEP_ELEMENTS], dzs[STEP_ELEMENTS], zs[STEP_ELEMENTS], ys[STEP_ELEMENTS];
    UNROLL
    for (int r = 0; r < BACKWARD_ROWS; ++r) {
        unpack_vector(X_DTYPE, x_now[r], xhats + r * GRKAN_VECTOR);
        unpack_vector(Y_DTYPE, dy_now[r], dzs + r * GRKAN_VECTOR);
    }
    UNROLL
    for (int i = 0; i < STEP_ELEMENTS; ++i) {
        xhats[i] = normalised(the_prologue(), rows->rows[i / GRKAN_VECTOR], xhats[i]);
        zs[i] = argument_of(the_prologue(), numbers->channels[i % GRKAN_VECTOR], xhats[i]);
        if (GRKAN_MAY_HAVE_POLES && i / GRKAN_VECTOR >= left)
            zs[i] = REAL(0.0);
    }
    real largest = REAL(0.0);
    if (norm->may_be_far)
        largest = SETTLED(largest_of(zs, STEP_ELEMENTS)); /* else compilers work it out in any case */
    if (!(largest > limit))
        backward_near_step(numbers->c, zs, dzs, ys, sums);
    else
        backward_rare_elements(numbers->c, zs, dzs, ys, sums);
    UNROLL
    for (int i = 0; i < STEP_ELEMENTS; ++i)
        add_to_channel(channels, i % GRKAN_VECTOR, dzs[i], xhats[i]);
#if GRKAN_WRITES_Y
    store_rows(Y_DTYPE, w, launch->aligned, p->y, *at, left, ys);
#endif
#if !GRKAN_FROZEN_X
    gradients_of_x(numbers, norm, rows, row / BACKWARD_ROWS & 1, xhats, dzs, row_exchange);
    store_rows(X_DTYPE, w, launch->aligned, p->result, *at, left, dzs);
#endif
    UNROLL
    for (int r = 0; r < BACKWARD_ROWS; ++r)
        next_row(w->block.g, at);
}

#endif

#endif
