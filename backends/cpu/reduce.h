/* SPDX-License-Identifier: Apache-2.0 */
/** @file reduce.h @brief The sums of a block's threads, with slices as the lanes of vectors. */

#if CPU_BYTES > 0
/** CPU_LANES neighbouring slices of an output at once, each summed as sum_slice does. */
static void sum_slices(const grkan_tiling *t, const tile *b, output o, int slice, const scalar *slots, scalar *exchange)
{
    const column_range columns = columns_of_output(t, b, o);
    const scalar *slot = slots + o.coefficient * t->block;
    real high = REAL(0), low = REAL(0);
    for (int row_lane = 0; row_lane < t->row_lanes; ++row_lane, slot += t->span_chunks) {
        for (int column = columns.first + slice; column < columns.end; column += t->slices) {
            real term = REAL(0), sum, seen, error;
            real_bits has;
            for (int lane = 0; lane < CPU_LANES; ++lane)
                has[lane] = -(column + lane < columns.end);
            memcpy(&term, slot + column, (size_t)least(CPU_LANES, columns.end - column) * sizeof(scalar));
            sum = high + term;
            seen = sum - high;
            error = (high - (sum - seen)) + (term - seen);
            high = CHOOSE(has, sum, high);
            low = CHOOSE(has, low + error, low);
        }
    }
    for (int lane = 0; lane < CPU_LANES; ++lane) {
        exchange[2 * lane] = high[lane];
        exchange[2 * lane + 1] = low[lane];
    }
}
#endif

/** Phase 2 of all threads. Where there are slices enough, they are the lanes of vectors. */
static void reduce_block(const grkan_tiling *t, rational kind, const gradients *g, const tile *b, const scalar *slots,
                         scalar *exchange)
{
#if CPU_BYTES > 0
    if (t->slices % CPU_LANES == 0) {
        const int64_t groups = b->end_group - b->first_group;
        const int outputs = output_count(t, kind, groups);
        for (int index = 0; index < outputs; ++index)
            for (int slice = 0; slice < t->slices; slice += CPU_LANES)
                sum_slices(t, b, output_at(t, kind, b->first_group, groups, index), slice, slots,
                           exchange + 2 * (index * t->slices + slice));
        return;
    }
#endif
    for (int thread = 0; thread < t->block; ++thread)
        reduce_slots(t, kind, g, b, thread, slots, exchange);
}
