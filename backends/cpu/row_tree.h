/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file row_tree.h
 * @brief Sums over a row in the order of row_reduction.h: halves of the range of an element's index, so neighbours first.
 *
 * A row comes piece by piece. Aligned pieces of a power of two of elements are sums of the tree, and wait until their right
 * neighbour is one.
 */

enum {
    piece_level = 9,
    piece_elements = 1 << piece_level,
    most_waiting = 34 /* sums of fewer and fewer elements of a row, of which an int counts the channels */
};

/** The sums that wait, from left to right: of 2^level elements each, fewer and fewer. Begins with count 0. */
typedef struct row_tree {
    int count;
    int level[most_waiting];
    scalar sum[most_waiting];
} row_tree;

/** Sums of neighbours; the last number stays as it is where it has none. */
static void add_neighbours(const scalar *restrict from, int count, scalar *restrict to)
{
    for (int i = 0; i < count / 2; ++i)
        to[i] = from[2 * i] + from[2 * i + 1];
    if (count % 2 != 0)
        to[count / 2] = from[count - 1];
}

/** The sum of 1 to piece_elements numbers, which are overwritten. What is missing to a power of two counts as 0. */
static scalar sum_of_piece(scalar *numbers, int count)
{
    scalar others[piece_elements / 2];
    for (;;) {
        if (count == 1)
            return numbers[0];
        add_neighbours(numbers, count, others);
        count = (count + 1) / 2;
        if (count == 1)
            return others[0];
        add_neighbours(others, count, numbers);
        count = (count + 1) / 2;
    }
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
 * @param numbers overwritten
 * @param is_last whether these end the row
 */
static void add_elements(row_tree *t, int64_t first, scalar *numbers, int count, int is_last)
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

/** The sum of a whole row; +0 if it is a zero. */
static scalar sum_of_row(const row_tree *t)
{
    scalar sum = t->sum[t->count - 1];
    for (int i = t->count - 2; i >= 0; --i)
        sum = t->sum[i] + sum;
    return sum + (scalar)0;
}
