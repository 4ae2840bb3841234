/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file row_queue.h
 * @brief What backward with a norm needs of the rows of a step, beside their elements: mean and rstd, and their way to a thread.
 *
 * Where the hardware copies to shared memory by itself and a row's threads are whole 32s, one thread of 32 brings in a number
 * for all of them, a step or more ahead. Into registers each would load all of them; and as the hardware knows only six
 * loads apart, the wait for a step's elements came to be one for those, too: 92 microseconds instead of 70 (25216 x 768, H200).
 */
#ifndef GRKAN_ROW_QUEUE_H
#define GRKAN_ROW_QUEUE_H

#include "backward_step.h"
#include "row_norm.h"

/** Whether a block adds up what it has of rows; and whether another kernel did, where no block has whole rows. */
#if HAS_NORM && defined(GRKAN_BACKWARD_ROW_WAVES) && !GRKAN_FROZEN_X
#define ROWS_TOGETHER 1
#else
#define ROWS_TOGETHER 0
#endif
#define HAS_LONG_MEANS (HAS_NORM && !GRKAN_FROZEN_X && !ROWS_TOGETHER)

#if !HAS_NORM
#define WAVES_SHARE_STATISTICS 0
#else

/** Numbers of a row that its threads add up: both means', or that of the products alone. */
#define ROW_NUMBERS (HAS_MEAN ? 2 : 1)

/** What the rows of a step have; zeros where there is no row, so that x = 0 gives xhat = 0. */
typedef struct norm_rows {
    row_statistics rows[BACKWARD_ROWS];
#if HAS_LONG_MEANS
    real means[BACKWARD_ROWS * ROW_NUMBERS];
#endif
} norm_rows;

#if defined(COPY_ASYNC) && !HAS_MANY_ROWS && defined(GRKAN_BACKWARD_ROW_WAVES)

#define WAVES_SHARE_STATISTICS 1 /* so all threads of 32 run the same steps */

/** Numbers of a step: the means of all rows, then each rstd. */
#define STATISTICS (ROW_NUMBERS * BACKWARD_ROWS)
/** Steps that there is room for: those under way, and that at hand, which threads may still read. */
#define STATISTICS_STEPS (BACKWARD_STAGES + 1)
#define STATISTICS_ARRAY(name)                                                                                         \
    SHARED_ARRAY(scalar, name, STATISTICS_STEPS *STATISTICS *GRKAN_BACKWARD_BLOCK / WAVE_THREADS) EXCHANGE_ALIGNED

typedef struct row_queue {
    GLOBAL const scalar *next; /* the thread's number of the step that is requested */
    SHARED scalar *own;        /* its 32's numbers of the first step */
    int place;                 /* step at hand, of those that there is room for */
    int rows;                  /* of its row of the block, from that of the thread's number on */
} row_queue;

/** Request a step's numbers; zeros where there is no row. @param row the step's first */
DEVICE void request_statistics(const worker *w, row_queue *q, int row, int place)
{
    const int lane = (int)((unsigned int)THREAD_INDEX() % WAVE_THREADS);
    if (lane < STATISTICS)
        COPY_ASYNC(q->own + place * STATISTICS + lane, q->next, SCALAR_BYTES, row < q->rows);
    q->next += BACKWARD_ROWS * w->block.g->rows.step;
}

/** Requests the first steps. */
DEVICE row_queue start_row_queue(const worker *w, const arguments *a, SHARED scalar *statistics)
{
    const unsigned int thread = (unsigned int)THREAD_INDEX(), lane = thread % WAVE_THREADS;
    const int row = (int)(lane % BACKWARD_ROWS);
    row_queue q;
    q.own = statistics + thread / WAVE_THREADS * (STATISTICS_STEPS * STATISTICS);
    q.next = a->rstd;
#if HAS_MEAN
    q.next = lane < BACKWARD_ROWS ? a->mean : a->rstd;
#endif
    q.next += w->block.first_row + w->block_row + row * w->block.g->rows.step;
    q.place = 0;
    /* even if the thread itself has no elements, as others of the 32 may */
    q.rows = w->block_row < w->block.g->columns.block_rows ? rows_of_thread(&w->block, w->block_row) - row : 0;
    UNROLL
    for (int i = 0; i < BACKWARD_STAGES; ++i)
        request_statistics(w, &q, i * BACKWARD_ROWS, i);
    return q;
}

/** The numbers of the step at hand, for which the thread's copies have been waited; requests those of another. @param row the
    first of the step at hand */
DEVICE norm_rows take_statistics(const worker *w, const arguments *a, row_queue *q, int row)
{
    SHARED const scalar *const from = q->own + q->place * STATISTICS;
    norm_rows n;
    (void)a;
    WAVE_SYNC(); /* the others' copies are there; and they have read the step before, whose place is taken now */
    UNROLL
    for (int r = 0; r < BACKWARD_ROWS; ++r) {
#if HAS_MEAN
        n.rows[r].mean = from[r];
#endif
        n.rows[r].rstd = from[(ROW_NUMBERS - 1) * BACKWARD_ROWS + r];
    }
    request_statistics(w, q, row + BACKWARD_STAGES * BACKWARD_ROWS, q->place == 0 ? BACKWARD_STAGES : q->place - 1);
    q->place = q->place == BACKWARD_STAGES ? 0 : q->place + 1;
    return n;
}

#else

#define WAVES_SHARE_STATISTICS 0
#define STATISTICS_ARRAY(name) SHARED scalar *const name = 0

typedef struct row_queue {
    norm_rows next;
} row_queue;

DEVICE norm_rows load_statistics(const worker *w, const arguments *a, int row)
{
    const grkan_int64 first = w->block.first_row + w->block_row;
    norm_rows n;
    UNROLL
    for (int r = 0; r < BACKWARD_ROWS; ++r) {
        const int exists = row + r < w->rows;
        const grkan_int64 at = first + (row + r) * w->block.g->rows.step;
#if HAS_MEAN
        n.rows[r].mean = exists ? a->mean[at] : REAL(0.0);
#endif
        n.rows[r].rstd = exists ? a->rstd[at] : REAL(0.0);
#if HAS_LONG_MEANS
        UNROLL
        for (int i = 0; i < ROW_NUMBERS; ++i)
            n.means[r * ROW_NUMBERS + i] = exists ? a->means[at * ROW_NUMBERS + i] : REAL(0.0);
#endif
    }
    return n;
}

DEVICE row_queue start_row_queue(const worker *w, const arguments *a, SHARED scalar *statistics)
{
    row_queue q;
    (void)statistics;
    q.next = load_statistics(w, a, 0);
    return q;
}

DEVICE norm_rows take_statistics(const worker *w, const arguments *a, row_queue *q, int row)
{
    const norm_rows now = q->next;
    q->next = load_statistics(w, a, row + BACKWARD_ROWS);
    return now;
}

#endif
#endif

#endif
