/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file backward_step.h
 * @brief A step of a thread's rows in backward on GPUs: dx and y again of its elements, and what they add to its sums. With a
 * norm: backward_norm.h.
 */
#ifndef GRKAN_BACKWARD_STEP_H
#define GRKAN_BACKWARD_STEP_H

#include "block_outputs.h"
#include "channel_sums.h"
#include "kernel.h"

#define BACKWARD_ROWS STEP_ROWS(GRKAN_BACKWARD_STEP)
#define BACKWARD_STAGES STAGES(GRKAN_BACKWARD_STAGES)

DEVICE pipeline_shape backward_shape(void)
{
    pipeline_shape s;
    s.tensors = 2;
    s.result_dtype = X_DTYPE;
    s.rows = BACKWARD_ROWS;
    s.stages = BACKWARD_STAGES;
    s.stride = QUEUE_STRIDE(GRKAN_BACKWARD_BLOCK);
    return s;
}

/** The tensors of backward from their first element. */
typedef struct tensors {
    GLOBAL const char *x;
    GLOBAL const char *dy;
    GLOBAL char *dx;
#if GRKAN_WRITES_Y
    GLOBAL char *y;
#endif
} tensors;

/** Found again where that is rare, so that no loop keeps them in registers. */
DEVICE tensors first_elements(const grkan_launch *launch, const arguments *a)
{
    tensors first;
    first.x = OFFSET(a->x, HIDE(launch->x));
    first.dy = OFFSET(a->dy, HIDE(launch->dy));
    first.dx = OFFSET(a->result, HIDE(launch->result));
#if GRKAN_WRITES_Y
    first.y = a->y;
#endif
    return first;
}

/** What a thread reads of tables: coefficients, and what the channels of its columns have. */
typedef struct thread_numbers {
    coefficients c[GRKAN_VECTOR_GROUPS];
#if HAS_PROLOGUE
    channel channels[GRKAN_VECTOR];
#endif
} thread_numbers;

/** dx and y of count elements of vectors that are near zero, and what they add to the sums. @param dxs in: dy */
DEVICE void backward_near_elements(const coefficients *c, int count, const real *xs, real *dxs, real *ys,
                                   running_sum *sums)
{
    UNROLL
    for (int i = 0; i < count; i += ABREAST) {
        abreast x = ELEMENTS_AT(xs, i), y;
        if (i > 0)
            x = AFTER(x, ELEMENTS_AT(dxs, i - ABREAST));
        SET_ELEMENTS(dxs, i,
                     backward_near(the_family(), &c[i % GRKAN_VECTOR_GROUPS], x, ELEMENTS_AT(dxs, i), &y,
                                   sums + i % GRKAN_VECTOR_GROUPS * FAMILY_SUMS));
        SET_ELEMENTS(ys, i, y);
    }
}

#if !HAS_NORM
/** What is rare, copied, so that the loop around it keeps registers; and one of the thread's vectors. */
typedef struct thread_state {
    thread_numbers numbers;
    real sums[SUMS];
#if HAS_PROLOGUE
    channel_sums channels;
#endif
    tensors at;
} thread_state;

/** Everything that is rare, see forward_rare. */
OUTLINE void backward_rare(thread_state *state)
{
    NO_UNROLL
    for (int v = 0; v < GRKAN_VECTOR; ++v) {
        const int s = v % GRKAN_VECTOR_GROUPS;
        real z = load_element(X_DTYPE, state->at.x, v);
        const real dy = load_element(Y_DTYPE, state->at.dy, v);
#if HAS_PROLOGUE
        z = argument_of(the_prologue(), channel_at(state->numbers.channels, v), z);
#endif
        const real dx = backward_element(the_family(), &state->numbers.c[s], z, dy, state->sums + s * FAMILY_SUMS);
#if HAS_PROLOGUE
        add_to_channel(&state->channels, v, dx, z);
#endif
#if GRKAN_WRITES_Y
        store_element(Y_DTYPE, state->at.y, v, forward_element(the_family(), &state->numbers.c[s], z));
#endif
        if (!GRKAN_FROZEN_X)
            store_element(X_DTYPE, state->at.dx, v, dx);
    }
}

/** z of a vector of x, through PLUS_ZERO where the sign of an element is asked for: a bias sees to that, see load_channel.
    @param exists else x is 0, and so has z to be, as it might be a pole otherwise */
DEVICE void unpack_arguments(const thread_numbers *numbers, vector x, int exists, real *z)
{
#if HAS_PROLOGUE
    unpack_vector(X_DTYPE, x, z);
    UNROLL
    for (int v = 0; v < GRKAN_VECTOR; ++v)
        z[v] = GRKAN_MAY_HAVE_POLES && !exists ? REAL(0.0) : argument_of(the_prologue(), numbers->channels[v], z[v]);
#else
    (void)numbers;
    (void)exists;
    unpack_plus_zero(x, z);
#endif
}

/** The rows of a step whose elements are near zero, and what they add to the sums. */
DEVICE void backward_step(const worker *w, const pipeline *p, const thread_numbers *numbers, const vector *x_now,
                          const vector *dy_now, int left, row_iterator *at, running_sum *sums, channel_sums *channels)
{
    real xs[BACKWARD_ROWS * GRKAN_VECTOR];
    coefficients renewed[GRKAN_VECTOR_GROUPS];
    UNROLL
    for (int r = 0; r < BACKWARD_ROWS; ++r)
        unpack_arguments(numbers, x_now[r], has_result(w, at, r, left), xs + r * GRKAN_VECTOR);
    UNROLL
    for (int i = 0; i < BACKWARD_ROWS * GRKAN_VECTOR; ++i)
        xs[i] = SETTLED(xs[i]);
    UNROLL
    for (int s = 0; s < GRKAN_VECTOR_GROUPS; ++s)
        renewed[s] =
            renewed_coefficients(the_family(), &numbers->c[s], xs[LAST_UNPACKED(BACKWARD_ROWS * GRKAN_VECTOR)]);
    UNROLL
    for (int r = 0; r < BACKWARD_ROWS; ++r) {
        real dys[GRKAN_VECTOR], ys[GRKAN_VECTOR];
        unpack_vector(Y_DTYPE, dy_now[r], dys);
        backward_near_elements(renewed, GRKAN_VECTOR, xs + r * GRKAN_VECTOR, dys, ys, sums);
#if HAS_PROLOGUE
        UNROLL
        for (int v = 0; v < GRKAN_VECTOR; ++v)
            add_to_channel(channels, v, dys[v], xs[r * GRKAN_VECTOR + v]);
#endif
        GLOBAL char *const result = result_at(backward_shape(), p, at);
        if (!GRKAN_FROZEN_X && has_result(w, at, r, left))
            store_vector(X_DTYPE, result, dys);
#if GRKAN_WRITES_Y
        if (has_result(w, at, r, left))
            store_vector(Y_DTYPE, AT(Y_DTYPE, p->y, at), ys);
#endif
        next_row(w->block.g, at);
    }
}

/** The rows of a step that are rare. */
DEVICE void backward_rare_step(const worker *w, const pipeline *p, const thread_numbers *numbers, tensors first,
                               int left, row_iterator *at, running_sum *sums, channel_sums *channels)
{
    thread_state state;
    UNROLL
    for (int s = 0; s < GRKAN_VECTOR_GROUPS; ++s)
        state.numbers.c[s] = numbers->c[s];
    UNROLL
    for (int i = 0; i < SUMS; ++i)
        state.sums[i] = FIRST_OF(sums[i]);
#if HAS_PROLOGUE
    UNROLL
    for (int v = 0; v < GRKAN_VECTOR; ++v)
        state.numbers.channels[v] = numbers->channels[v];
    state.channels = *channels;
#endif
    NO_UNROLL
    for (int r = 0; r < BACKWARD_ROWS; ++r) {
        if (has_result(w, at, r, left)) {
            state.at.dx = AT(X_DTYPE, p->result, at);
            state.at.x = first.x + (state.at.dx - first.dx);
            state.at.dy = first.dy + CONVERTED_BYTES(state.at.dx - first.dx, X_DTYPE, Y_DTYPE);
#if GRKAN_WRITES_Y
            state.at.y = AT(Y_DTYPE, p->y, at);
#endif
            backward_rare(&state);
        }
        next_row(w->block.g, at);
    }
    UNROLL
    for (int i = 0; i < SUMS; ++i)
        sums[i] = WITH_FIRST(sums[i], state.sums[i]);
#if HAS_PROLOGUE
    *channels = state.channels;
#endif
}

/** The rows of a step. @param limit up to which elements of x need only plain arithmetic */
DEVICE void sum_step(const worker *w, const pipeline *p, const grkan_launch *launch, const arguments *a,
                     const thread_numbers *numbers, real limit, const vector *x_now, const vector *dy_now, int left,
                     row_iterator *at, running_sum *sums, channel_sums *channels)
{
    if (!(largest_in(x_now, BACKWARD_ROWS) > limit))
        backward_step(w, p, numbers, x_now, dy_now, left, at, sums, channels);
    else
        backward_rare_step(w, p, numbers, first_elements(launch, a), left, at, sums, channels);
}
#endif

#endif
