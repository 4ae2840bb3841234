/* SPDX-License-Identifier: Apache-2.0 */
/** @file forward.h @brief The kernel of forward on GPUs. */
#ifndef GRKAN_FORWARD_H
#define GRKAN_FORWARD_H

#include "forward_long.h"

#if !IS_LONG_FORWARD

#define FORWARD_ROWS STEP_ROWS(GRKAN_FORWARD_STEP)
#define FORWARD_STAGES STAGES(GRKAN_FORWARD_STAGES)

DEVICE pipeline_shape forward_shape(void)
{
    pipeline_shape s;
    s.tensors = 1;
    s.result_dtype = Y_DTYPE;
    s.rows = FORWARD_ROWS;
    s.stages = FORWARD_STAGES;
    s.stride = QUEUE_STRIDE(GRKAN_FORWARD_BLOCK);
    return s;
}

/**
 * Everything that is rare: elements far from zero, large coefficients, and tensors that are not aligned to vectors. It is
 * given copies, so that the loop around it keeps coefficients in registers. Out of line it would take more of them: 71
 * instead of 61 with pairs, and bf16 with 1000 channels 8 % more time (H200).
 */
#if !HAS_PROLOGUE
DEVICE void forward_rare(const coefficients *c, GLOBAL const char *x, GLOBAL char *y)
{
    NO_UNROLL
    for (int v = 0; v < GRKAN_VECTOR; v += GRKAN_VECTOR_GROUPS) {
        UNROLL
        for (int s = 0; s < GRKAN_VECTOR_GROUPS; ++s)
            store_element(Y_DTYPE, y, v + s, forward_element(the_family(), &c[s], load_element(X_DTYPE, x, v + s)));
    }
}
#endif

KERNEL(GRKAN_FORWARD_BLOCK, GRKAN_FORWARD_RESIDENT)
grkan_forward(GLOBAL const char *x, TABLE_PARAMETERS(GLOBAL const scalar *, table), GLOBAL char *y,
              NORM_PARAMETERS const grkan_launch launch, const grkan_geometry geometry NORM_OFFSETS)
{
    QUEUE_ARRAY(queue, FORWARD_STAGES * FORWARD_ROWS * QUEUE_SIZE(X_DTYPE), GRKAN_FORWARD_BLOCK);
    const pipeline_shape shape = forward_shape();
    const tile b = tile_of_block(&geometry, (int)BLOCK_INDEX() + launch.first_block);
    const worker w = worker_of_thread(&b, THREAD_INDEX());
    GLOBAL const char *const x_base = OFFSET(x, launch.x);
    GLOBAL char *const y_base = OFFSET(y, launch.result);
    pipeline p = start_pipeline(shape, &w, launch.aligned, x_base, x_base, y_base);
    coefficients c[GRKAN_VECTOR_GROUPS];
    arguments a;
    TABLE_ARRAY(a.tables, table);
    STREAM_WAIT();
    fill_pipeline(shape, &w, &p, queue);
    load_coefficients(&w, &launch, &a, c);
#if HAS_PROLOGUE
    channel channels[GRKAN_VECTOR];
    row_statistics rows[FORWARD_ROWS];
    load_channels(&w, &launch, &a, channels);
#endif
#if HAS_PROLOGUE && !HAS_NORM
    const real limit = limit_of_x(step_limit(&launch, c), channels);
#else
    const real limit = step_limit(&launch, c);
#endif
#if HAS_NORM
    SHARED_ARRAY(scalar, exchange, ROW_EXCHANGE(FORWARD_ROWS, GRKAN_FORWARD_BLOCK, GRKAN_FORWARD_ROW_WAVES))
    EXCHANGE_ALIGNED;
    row_reduction reduction;
    reduction.numbers = FORWARD_ROWS;
    reduction.block = GRKAN_FORWARD_BLOCK;
    reduction.waves = GRKAN_FORWARD_ROW_WAVES;
    const norm_state norm = start_norm(&w, reduction);
    norm_results statistics;
    SET_NORM_RESULTS(statistics);
    const int may_be_far = !(limit > largest_argument(channels, (scalar)(int)geometry.columns.row_elements));
    const int all = rows_of_thread(&b, 0); /* of the block's first row, which has most */
#else
    const int all = w.rows;
#endif
    int row = 0;
    NO_UNROLL
    while (row < all) {
        vector now[FORWARD_ROWS];
        real values[FORWARD_ROWS * GRKAN_VECTOR];
        QUEUE_WAIT(FORWARD_STAGES - 1);
#if HAS_NORM
        if (!launch.aligned)
            load_unaligned(shape, &w, &p, x_base, x_base, row, queue);
#endif
        take_vectors(shape, &p, 0, queue, now);
        row_iterator at = advance_pipeline(shape, &w, &p, row, queue);
#if HAS_NORM
        UNROLL
        for (int r = 0; r < FORWARD_ROWS; ++r)
            unpack_vector(X_DTYPE, now[r], values + r * GRKAN_VECTOR);
        normalise_rows(&w, &norm, row / FORWARD_ROWS, values, rows, exchange);
        store_statistics(&w, row, FORWARD_ROWS, rows, statistics);
        add_channels(channels, FORWARD_ROWS, values);
        real largest = REAL(0.0);
        if (may_be_far)
            largest =
                SETTLED(largest_of(values, FORWARD_ROWS * GRKAN_VECTOR)); /* else compilers work it out in any case */
#else
        const real largest = largest_in(now, FORWARD_ROWS);
#endif
        if (!(largest > limit)) {
#if !HAS_NORM
            UNROLL
            for (int r = 0; r < FORWARD_ROWS; ++r)
                unpack_vector(X_DTYPE, now[r], values + r * GRKAN_VECTOR);
#if HAS_PROLOGUE
            add_channels(channels, FORWARD_ROWS, values);
#endif
#endif
            forward_near_elements(c, FORWARD_ROWS * GRKAN_VECTOR, values);
            UNROLL
            for (int r = 0; r < FORWARD_ROWS; ++r) {
                GLOBAL char *const result = result_at(shape, &p, &at);
                if (HAS_NORM ? has_vector(&w, &at, r, w.rows - row) : has_result(&w, &at, r, w.rows - row))
                    store_vector(Y_DTYPE, result, values + r * GRKAN_VECTOR);
                next_row(&geometry, &at);
            }
        } else {
            coefficients copies[GRKAN_VECTOR_GROUPS];
            UNROLL
            for (int s = 0; s < GRKAN_VECTOR_GROUPS; ++s)
                copies[s] = c[s];
            NO_UNROLL
            for (int r = 0; r < FORWARD_ROWS; ++r) {
                GLOBAL char *const result = AT(Y_DTYPE, p.result, &at);
#if HAS_PROLOGUE
                if (has_vector(&w, &at, r, w.rows - row))
                    forward_rare_vector(&geometry, &launch, &a, copies, chosen_row(rows, FORWARD_ROWS, r),
                                        first_element(&w), x_base + CONVERTED_BYTES(result - y_base, Y_DTYPE, X_DTYPE),
                                        result);
#else
                if (has_result(&w, &at, r, w.rows - row))
                    forward_rare(copies, x_base + CONVERTED_BYTES(result - y_base, Y_DTYPE, X_DTYPE), result);
#endif
                next_row(&geometry, &at);
            }
        }
        p.here = at;
        row += FORWARD_ROWS;
    }
}

#endif

#endif
