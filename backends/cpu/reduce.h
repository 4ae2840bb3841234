/* SPDX-License-Identifier: Apache-2.0 */
/** @file reduce.h @brief The sums of a block's threads, with slices as the lanes of vectors. */

#if CPU_BYTES > 0
/** CPU_LANES sums of the kind that sums.h has. */
typedef struct pair_lanes {
    real high;
    real low;
} pair_lanes;

DEVICE pair_lanes add_lanes(pair_lanes sum, real term)
{
    const real high = sum.high + term;
    const real seen = high - sum.high;
    const real error = (sum.high - (high - seen)) + (term - seen);
    return (pair_lanes){high, sum.low + error};
}

/** Likewise, where only the first `count` lanes have a term. */
DEVICE pair_lanes add_some_lanes(pair_lanes sum, const scalar *terms, int count)
{
    for (int lane = 0; lane < count; ++lane) {
        const pair_lanes next = add_lanes(sum, broadcast(terms[lane]));
        sum.high[lane] = next.high[lane];
        sum.low[lane] = next.low[lane];
    }
    return sum;
}

/** CPU_LANES neighbouring slices of an output at once, each summed as sum_slice does. */
static void sum_slices(const grkan_tiling *t, const tile *b, output o, int slice, const scalar *slots, scalar *exchange)
{
    const column_range columns = columns_of_output(t, b, o);
    const scalar *slot = slots + o.coefficient * t->block;
    pair_lanes sum = {REAL(0), REAL(0)};
    for (int row_lane = 0; row_lane < t->row_lanes; ++row_lane, slot += t->span_chunks) {
        int column = columns.first + slice;
        for (; column + CPU_LANES <= columns.end; column += t->slices)
            sum = add_lanes(sum, load_lanes(slot + column));
        sum = add_some_lanes(sum, slot + column, columns.end - column);
    }
    for (int lane = 0; lane < CPU_LANES; ++lane) {
        exchange[2 * lane] = sum.high[lane];
        exchange[2 * lane + 1] = sum.low[lane];
    }
}
#endif

/** Phase 2 of all threads. Where there are slices enough, they are the lanes of vectors. */
static void reduce_block(const grkan_tiling *t, rational kind, const tile *b, int first, const scalar *slots,
                         scalar *exchange)
{
#if CPU_BYTES > 0
    if (t->slices % CPU_LANES == 0) {
        const int64_t groups = b->end_group - b->first_group;
        const int outputs = least(outputs_at_once(t), output_count(t, kind, groups) - first);
        for (int index = 0; index < outputs; ++index)
            for (int slice = 0; slice < t->slices; slice += CPU_LANES)
                sum_slices(t, b, output_at(t, kind, b->first_group, groups, first + index), slice, slots,
                           exchange + 2 * (index * t->slices + slice));
        return;
    }
#endif
    for (int thread = 0; thread < t->block; ++thread)
        reduce_slots(t, kind, b, first, thread, slots, exchange);
}
