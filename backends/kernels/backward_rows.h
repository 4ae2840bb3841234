/* SPDX-License-Identifier: Apache-2.0 */
/** @file backward_rows.h @brief Phase 1 of backward on GPUs: a thread's rows, step by step, and what becomes of its sums. */
#ifndef GRKAN_BACKWARD_ROWS_H
#define GRKAN_BACKWARD_ROWS_H

#include "backward_norm.h"
#include "backward_step.h"

/**
 * A thread's rows. Register sums go to the thread's sums in shared memory every `chain` rows, a multiple of BACKWARD_ROWS;
 * those of channels to others in registers.
 * @param row_exchange of the norms, see row_reduction.h
 * @param statistics_places likewise, see row_queue.h
 */
DEVICE void sum_rows(const worker *w, const grkan_launch *launch, const arguments *a, QUEUE *queue,
                     SHARED scalar *sums_of_thread, SHARED scalar *row_exchange, SHARED scalar *statistics_places,
                     channel_sums *channels)
{
    const grkan_geometry *const g = w->block.g;
    const pipeline_shape shape = backward_shape();
    const tensors first = first_elements(launch, a);
    pipeline p = start_pipeline(shape, w, launch->aligned, first.x, first.dy, first.dx);
    thread_numbers numbers;
    int row = 0;
#if GRKAN_WRITES_Y
    p.y = lagging(shape, w, first.y, Y_DTYPE);
#endif
    STREAM_WAIT();
#if HAS_NORM
    row_queue statistics = start_row_queue(w, a, statistics_places);
#endif
    fill_pipeline(shape, w, &p, queue);
    load_coefficients(w, launch, a, numbers.c);
#if HAS_PROLOGUE
    load_channels(w, launch, a, numbers.channels);
    const real limit =
        HAS_NORM ? step_limit(launch, numbers.c) : limit_of_x(step_limit(launch, numbers.c), numbers.channels);
    start_channel_sums(channels);
#else
    const real limit = step_limit(launch, numbers.c);
#endif
    UNROLL
    for (int i = 0; i < SUMS; ++i)
        if (is_wanted(i))
            sums_of_thread[place_of_sum(i)] = REAL(0.0);
#if HAS_NORM
    norm_state norm = start_backward_norm(w);
    norm.may_be_far = !(limit > largest_argument(numbers.channels, (scalar)(int)g->columns.row_elements));
#endif
    const int rows = ROWS_TOGETHER || WAVES_SHARE_STATISTICS
                         ? rows_of_thread(&w->block, 0) /* the block's first row has most */
                         : w->rows;
    while (row < rows) {
        const int end = row + g->rows.chain < rows ? row + g->rows.chain : rows;
        running_sum sums[SUMS];
        UNROLL
        for (int i = 0; i < SUMS; ++i)
            sums[i] = REAL(0.0);
        NO_UNROLL
        while (row < end) {
            vector x_now[BACKWARD_ROWS], dy_now[BACKWARD_ROWS];
            QUEUE_WAIT(BACKWARD_STAGES - 1);
#if HAS_NORM
            if (!launch->aligned)
                load_unaligned(shape, w, &p, first.x, first.dy, row, queue);
            const norm_rows now = take_statistics(w, a, &statistics, row);
#endif
            take_vectors(shape, &p, 0, queue, x_now);
            take_vectors(shape, &p, 1, queue, dy_now);
            row_iterator at = advance_pipeline(shape, w, &p, row, queue);
#if HAS_NORM
            norm_step(w, &p, launch, &numbers, &norm, &now, limit, x_now, dy_now, row, &at, sums, channels,
                      row_exchange);
#else
            sum_step(w, &p, launch, a, &numbers, limit, x_now, dy_now, w->rows - row, &at, sums, channels);
#endif
            p.here = at;
            row += BACKWARD_ROWS;
        }
        UNROLL
        for (int i = 0; i < SUMS; ++i)
            if (is_wanted(i))
                sums_of_thread[place_of_sum(i)] += TOTAL_OF(sums[i]);
#if HAS_PROLOGUE
        end_chain(channels);
#endif
    }
    QUEUE_WAIT(0);
}

#endif
