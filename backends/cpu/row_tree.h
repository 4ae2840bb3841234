/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file row_tree.h
 * @brief Sums over a row in the order of row_reduction.h: halves of the range of an element's index, so neighbours first.
 *
 * A row comes piece by piece. Aligned pieces of a power of two of elements are sums of the tree, and wait until their right
 * neighbour is one.
 */

#if !CPU_DOUBLE && defined(__AVX__)
#include <immintrin.h>
#define ADDS_NEIGHBOURS
#endif

enum {
    piece_level = 9, /* 8 * 8 * 8 */
    piece_elements = 1 << piece_level,
    most_waiting = 34 /* sums of fewer and fewer elements of a row, of which an int counts the channels */
};

/** The sums that wait, from left to right: of 2^level elements each, fewer and fewer. Begins with count 0. */
typedef struct row_tree {
    int count;
    int level[most_waiting];
    scalar sum[most_waiting];
} row_tree;

/** The sum of 1 to 8 numbers. What is missing to 8 counts as 0. */
DEVICE scalar sum_of_eight(const scalar *n, int count)
{
    scalar sums[8];
    for (int i = 0; i < count; ++i)
        sums[i] = n[i];
    for (int step = 1; step < count; step *= 2)
        for (int i = 0; i + step < count; i += 2 * step)
            sums[i] = sums[i] + sums[i + step];
    return sums[0];
}

#ifdef ADDS_NEIGHBOURS
/** Sums of neighbours, in each half: of a, then of b. */
DEVICE __m256 add_neighbours(__m256 a, __m256 b)
{
    return _mm256_add_ps(_mm256_shuffle_ps(a, b, 0x88), _mm256_shuffle_ps(a, b, 0xdd));
}
#endif

/** The sums of every eight numbers. */
static void sums_of_eights(const scalar *from, int count, scalar *to)
{
    int i = 0;
#ifdef ADDS_NEIGHBOURS /* 9 instructions for 32 numbers: compilers take three times as many */
    for (; i + 32 <= count; i += 32) {
        const __m256 first = add_neighbours(_mm256_loadu_ps(from + i), _mm256_loadu_ps(from + i + 8));
        const __m256 second = add_neighbours(_mm256_loadu_ps(from + i + 16), _mm256_loadu_ps(from + i + 24));
        const __m256 fours = add_neighbours(first, second);
        _mm_storeu_ps(to + i / 8, _mm_add_ps(_mm256_castps256_ps128(fours), _mm256_extractf128_ps(fours, 1)));
    }
#endif
    for (; i + 8 <= count; i += 8)
        to[i / 8] = sum_of_eight(from + i, 8);
    if (i < count)
        to[i / 8] = sum_of_eight(from + i, count - i);
}

/** The sum of 1 to piece_elements numbers. What is missing to a power of two counts as 0. */
static scalar sum_of_piece(const scalar *numbers, int count)
{
    scalar eights[piece_elements / 8], squares[piece_elements / 64];
    sums_of_eights(numbers, count, eights);
    sums_of_eights(eights, (count + 7) / 8, squares);
    return sum_of_eight(squares, (count + 63) / 64);
}

static void push_sum(row_tree *t, int level, scalar sum)
{
    for (; t->count > 0 && t->level[t->count - 1] == level; ++level)
        sum = t->sum[--t->count] + sum;
    t->level[t->count] = level;
    t->sum[t->count++] = sum;
}

/**
 * Add the next elements of a row.
 * @param first   the index of the first one
 * @param is_last whether these end the row
 */
static void add_elements(row_tree *t, int64_t first, const scalar *numbers, int count, int is_last)
{
    while (count > 0) {
        int level = piece_level;
        while (first % ((int64_t)1 << level) != 0 || (!is_last && 1 << level > count))
            level -= 1;
        const int elements = least(1 << level, count);
        push_sum(t, level, sum_of_piece(numbers, elements));
        numbers += elements;
        first += elements;
        count -= elements;
    }
}

/** The sum of a whole row; begun with +0, so that it is +0 if it is a zero. */
static scalar sum_of_row(const row_tree *t)
{
    scalar sum = 0;
    for (int i = t->count - 1; i >= 0; --i)
        sum = t->sum[i] + sum;
    return sum;
}
