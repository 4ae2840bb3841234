/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file rows.c
 * @brief Which tile rows a block has, and which of them a thread.
 *
 * Seven tile rows in two splits, one row of a block at a time (block_rows is 1), and where each split has its rows:
 *
 *     tile row                    0  1  2  3  4  5  6
 *     runs of rows                0  0  0  0  1  1  1     step 1, split_stride 4, split_rows 4
 *     interleaved                 0  1  0  1  0  1  0     step 2, split_stride 1, split_rows 7
 *
 * Interleaved, blocks that run at the same time read neighbouring rows. In runs, what a split has does not depend on how many
 * there are of them, and each reads memory as it lies.
 */
#include <limits.h>

#include "arithmetic.h"
#include "plan.h"

enum { chain_elements = 48 /* that a thread adds to a sum in a register before it starts from zero again */ };

/** Rows of a thread. Plans are made for tensors that no memory holds, too; nothing runs where an int does not count them. */
static int count_of(int64_t rows)
{
    return (int)smaller(rows, INT_MAX);
}

grkan_rows grkan_rows_make(const grkan_rows_request *r, const grkan_columns *c)
{
    const int64_t all = c->inner > 0 ? r->outer * c->segments : 0;
    const int64_t steps = larger(1, ceil_div(all, c->block_rows)); /* of one block, if it had all rows */
    const int64_t least = larger(1, r->least_elements / c->vector);
    const int64_t worthwhile = larger(ceil_div(steps, least), smaller(steps, ceil_div(r->least_blocks, c->tiles)));
    const int64_t wanted = larger(1, smaller(smaller(r->blocks / c->tiles, r->most_splits), worthwhile));
    const int64_t run = ceil_div(steps, wanted) * c->block_rows;
    const int splits = (int)larger(1, ceil_div(all, run));
    grkan_rows rows = {.chain = chain_elements / c->vector,
                       .split_stride = r->is_interleaved ? c->block_rows : run,
                       .step = r->is_interleaved ? (int64_t)splits * c->block_rows : c->block_rows,
                       .all = all,
                       .split_rows = r->is_interleaved ? all : run,
                       .whole_splits = r->is_interleaved ? 0 : splits - 1,
                       .splits = splits};
    const int64_t before = rows.whole_splits * run, others = all - before; /* rows of the splits that are not whole */
    rows.most = count_of(ceil_div(smaller(rows.split_rows, all), rows.step));
    rows.fewer = count_of(others / rows.step);
    rows.remainder = before + others % rows.step;
    rows.step_segments = rows.step % c->segments;
    rows.step_elements = rows.step / c->segments * c->row_elements + rows.step_segments * c->block * c->vector;
    rows.wrap_elements = c->row_elements - c->segments * c->block * c->vector;
    return rows;
}

bool grkan_rows_hold(const grkan_columns *c, const grkan_rows *r)
{
    const int64_t whole = r->whole_splits * r->split_rows; /* rows of the splits where all threads have `most` */
    const int64_t reach = smaller(r->split_rows, r->all);
    if (r->splits < 1 || r->chain < 1 || r->step < c->block_rows || r->step % c->block_rows != 0)
        return false;
    if (r->all / r->step >= INT_MAX)
        return true; /* see count_of */
    return r->fewer * r->step + r->remainder == r->all && r->remainder >= whole && r->remainder < whole + r->step &&
           r->most == ceil_div(reach, r->step) && (r->whole_splits > 0 || r->most == r->fewer + (r->remainder > 0));
}
