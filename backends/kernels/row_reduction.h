/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file row_reduction.h
 * @brief Sums over the rows that a block has whole: what norms need. For GPUs.
 *
 * The order is a tree over a row's elements, whatever the device and the cut: S(first, 2 n) = S(first, n) + S(first + n, n),
 * where what lies behind the end of a row counts as 0. So neighbours are added first; a thread's vector is a subtree, and so
 * are 32 threads, as rows begin at multiples of 32 of a block's. How many zeros were added shows in the sign of a sum of zeros
 * alone, of which mean_of makes +0.
 *
 * Several numbers of a thread (rows of a step, or two for each) are summed at once: with one wait for the block, and fewer
 * exchanges than by themselves. Where two threads have two numbers each, they give each other one, and each goes on with the
 * sum of one: four numbers take 2 + 1 + 1 + 1 + 1 exchanges instead of 4 times 5.
 */
#ifndef GRKAN_ROW_REDUCTION_H
#define GRKAN_ROW_REDUCTION_H

#include "words.h"

#define WAVE_THREADS 32 /* whatever the hardware's waves have */
#define WAVE_LEVELS 5   /* 2^5 */
#define MOST_ROW_WAVES 32

/** The constants of a reduction. */
typedef struct row_reduction {
    int numbers; /* of a thread: a power of two, at most WAVE_THREADS */
    int block;   /* threads of a block: whole rows */
    int waves;   /* 32s of threads of a row, of which the last may have threads without elements */
} row_reduction;

/** Places of the sums of 32 threads: of a row and number, as many as whole accesses of 16 bytes have. */
#define WAVE_PLACES(waves) (((waves) + 3) / 4 * 4)
#define REDUCTION_PLACES(numbers, block, waves) ((numbers) * ((block) / WAVE_THREADS / (waves)) * WAVE_PLACES(waves))

/** Numbers of shared memory for reductions of a kernel: two take turns, so that one may begin while threads still read what
    the one before it left. Where threads cannot exchange registers, each has a place for each of its numbers. */
#ifdef WAVE_XOR
#define ROW_EXCHANGE(numbers, block, waves) (2 * REDUCTION_PLACES(numbers, block, waves))
#else
#define ROW_EXCHANGE(numbers, block, waves) (2 * REDUCTION_PLACES(numbers, block, waves) + (numbers) * (block))
#endif
#define EXCHANGE_ALIGNED __attribute__((aligned(16)))

/** The tree over count values, at most 32; in place. */
DEVICE real sum_of_tree(real *values, int count)
{
    UNROLL
    for (int level = 0; level < WAVE_LEVELS; ++level) {
        UNROLL
        for (int i = 0; i + (1 << level) < count; i += 2 << level)
            values[i] = values[i] + values[i + (1 << level)];
    }
    return values[0];
}

/** A thread's places, found once. */
typedef struct row_place {
    int lane;  /* of 32 */
    int own;   /* in the exchange: of the sum that it leaves for others, if lane < numbers */
    int first; /* of its row's sums */
} row_place;

/** @param block_row of the block's rows side by side @param thread of the row */
DEVICE row_place place_in_row(row_reduction s, int block_row, int thread)
{
    const unsigned int lane = (unsigned int)thread % WAVE_THREADS, wave = (unsigned int)thread / WAVE_THREADS;
    row_place p;
    p.lane = (int)lane;
    p.first = s.block == WAVE_THREADS * s.waves ? 0 : block_row * s.numbers * WAVE_PLACES(s.waves);
    p.own = p.first + (int)(lane % (unsigned int)s.numbers * WAVE_PLACES(s.waves) + wave);
    return p;
}

/** The sum over 32 threads of the number `lane % numbers` of each: values of other numbers are with other threads. */
#ifdef WAVE_XOR
DEVICE real sum_of_wave(row_reduction s, row_place p, real *values, SHARED scalar *unused)
{
    (void)unused;
    UNROLL
    for (int level = 0; level < WAVE_LEVELS; ++level) {
        const int is_second = p.lane & 1 << level;
        if (s.numbers >> level <= 1)
            values[0] = values[0] + WAVE_XOR(values[0], 1 << level);
        UNROLL
        for (int i = 0; i < s.numbers >> (level + 1); ++i) {
            const real own = is_second ? values[2 * i + 1] : values[2 * i];
            const real given = is_second ? values[2 * i] : values[2 * i + 1];
            values[i] = own + WAVE_XOR(given, 1 << level);
        }
    }
    return values[0];
}
#else
DEVICE real sum_of_wave(row_reduction s, row_place p, const real *values, SHARED scalar *places)
{
    const int thread = THREAD_INDEX();
    SHARED const scalar *const own = places + p.lane % s.numbers * s.block + (thread - p.lane);
    real terms[WAVE_THREADS];
    UNROLL
    for (int i = 0; i < s.numbers; ++i)
        places[i * s.block + thread] = values[i];
    BARRIER();
    UNROLL
    for (int i = 0; i < WAVE_THREADS; ++i)
        terms[i] = p.lane < s.numbers ? own[i] : REAL(0.0);
    return sum_of_tree(terms, WAVE_THREADS);
}
#endif

/** Leave a thread's numbers for its row, and wait for the block: see sum_rows_of_block. */
DEVICE void leave_sums(row_reduction s, row_place p, int turn, real *values, SHARED scalar *exchange)
{
    const int places = REDUCTION_PLACES(s.numbers, s.block, s.waves);
    const real sum = sum_of_wave(s, p, values, exchange + 2 * places);
    if (p.lane < s.numbers)
        exchange[turn * places + p.own] = sum;
    BARRIER();
}

/** The sum over a thread's row of number i. */
DEVICE real sum_of_row(row_reduction s, row_place p, int turn, int i, SHARED const scalar *exchange)
{
    SHARED const scalar *const sums =
        exchange + turn * REDUCTION_PLACES(s.numbers, s.block, s.waves) + p.first + i * WAVE_PLACES(s.waves);
    real terms[MOST_ROW_WAVES];
    UNROLL
    for (int w = 0; w < s.waves; ++w)
        terms[w] = sums[w];
    return sum_of_tree(terms, s.waves);
}

/**
 * Replace each of a thread's numbers by its sum over the thread's row. All threads of the block call it; those without
 * elements have zeros. One barrier, or two where threads cannot exchange registers.
 * @param exchange ROW_EXCHANGE numbers, EXCHANGE_ALIGNED
 * @param turn 0 or 1, another one than that of the call before
 */
DEVICE void sum_rows_of_block(row_reduction s, row_place p, int turn, real *values, SHARED scalar *exchange)
{
    leave_sums(s, p, turn, values, exchange);
    UNROLL
    for (int i = 0; i < s.numbers; ++i)
        values[i] = sum_of_row(s, p, turn, i, exchange);
}

/* Rows of more elements than one such reduction takes: in steps of as many as are a power of two. */

/** Sums of 1, 2, 4, ... steps that wait: where `steps` has a bit. */
typedef struct waiting_sums {
    real sums[32];
    unsigned int steps;
} waiting_sums;

DEVICE void add_step(waiting_sums *s, real sum)
{
    int level = 0;
    NO_UNROLL
    for (; s->steps >> level & 1; ++level)
        sum = s->sums[level] + sum;
    s->sums[level] = sum;
    s->steps += 1;
}

/** The sum of all steps; those behind the last one count as zeros. */
DEVICE real sum_of_steps(const waiting_sums *s)
{
    real sum = REAL(0.0);
    NO_UNROLL
    for (int level = 0; s->steps >> level != 0; ++level)
        sum = s->steps >> level & 1 ? s->sums[level] + sum : sum;
    return sum;
}

#ifdef WAVE_XOR
/** As sum_rows_of_block, for what is worked out of the sums by few threads: of number `lane % numbers` alone. Rows of one 32 need
    no barrier. */
DEVICE real own_sum_of_row(row_reduction s, row_place p, int turn, real *values, SHARED scalar *exchange)
{
    if (s.waves == 1)
        return sum_of_wave(s, p, values, exchange);
    leave_sums(s, p, turn, values, exchange);
    return sum_of_row(s, p, turn, p.lane % s.numbers, exchange);
}

/** From a number of each thread, number `lane % numbers`, to all numbers. */
DEVICE void spread_numbers(row_reduction s, row_place p, real own, real *values)
{
    values[0] = own;
    UNROLL
    for (int level = 0; level < WAVE_LEVELS; ++level) {
        const int known = 1 << level;
        UNROLL
        for (int i = known - 1; i >= 0 && known < s.numbers; --i) {
            const real mine = values[i], other = WAVE_XOR(mine, known);
            values[i] = p.lane & known ? other : mine;
            values[i + known] = p.lane & known ? mine : other;
        }
    }
}
#endif

#endif
