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

/** What add_row_lanes does for all threads: columns are lanes of vectors, as far as they are enough. */
static void add_all_row_lanes(const grkan_tiling *t, int count, scalar *slots)
{
    const int width = t->span_chunks;
    for (int i = 0; i < count * t->kept_lanes; ++i) {
        const int kept = i % t->kept_lanes;
        scalar *slot = slots + i / t->kept_lanes * t->block + kept * width;
        scalar *const vectors_end = slot + width / CPU_LANES * CPU_LANES, *const end = slot + width;
        for (; slot < vectors_end; slot += CPU_LANES) {
            real total = REAL(0);
            for (int lane = kept; lane < t->row_lanes; lane += t->kept_lanes)
                total = total + load_lanes(slot + (lane - kept) * width);
            store_lanes(slot, total);
        }
        for (; slot < end; ++slot) {
            scalar total = 0;
            for (int lane = kept; lane < t->row_lanes; lane += t->kept_lanes)
                total = total + slot[(lane - kept) * width];
            *slot = total;
        }
    }
}

/** The slots of an output one behind the other, with zeros up to a multiple of slices. @return their number */
static int gather_slots(const grkan_tiling *t, column_range columns, output o, int slices, const scalar *slots,
                        scalar *gathered)
{
    const int width = columns.end - columns.first;
    const scalar *slot = slots + o.coefficient * t->block + columns.first;
    int count = 0;
    for (int row_lane = 0; row_lane < t->kept_lanes; ++row_lane, slot += t->span_chunks, count += width)
        memcpy(gathered + count, slot, (size_t)width * sizeof *slot);
    for (; count % slices != 0; ++count)
        gathered[count] = 0;
    return count;
}

/** CPU_LANES neighbouring slices at once, each summed as sum_slice does. */
static void sum_slices(const scalar *gathered, int count, int slice, int slices, scalar *exchange)
{
    pair_lanes sum = {REAL(0), REAL(0)};
    for (; slice < count; slice += slices)
        sum = add_lanes(sum, load_lanes(gathered + slice));
    for (int lane = 0; lane < CPU_LANES; ++lane) {
        exchange[2 * lane] = sum.high[lane];
        exchange[2 * lane + 1] = sum.low[lane];
    }
}
#else
static void add_all_row_lanes(const grkan_tiling *t, int count, scalar *slots)
{
    for (int thread = 0; thread < t->block; ++thread)
        add_row_lanes(t, count, thread, slots);
}
#endif

/** All slices of an output of a block. Where there are enough, they are the lanes of vectors. */
static pair sum_output(const grkan_tiling *t, const tile *b, output o, const scalar *slots)
{
    const column_range columns = columns_of_output(t, b, o);
    const int slices = 1 << slices_log2_of(t, o.shared);
    scalar exchange[2 * MOST_SLICES];
#if CPU_BYTES > 0
    if (slices % CPU_LANES == 0) {
        scalar gathered[CPU_MOST_THREADS + MOST_SLICES];
        const int count = gather_slots(t, columns, o, slices, slots, gathered);
        for (int slice = 0; slice < slices; slice += CPU_LANES)
            sum_slices(gathered, count, slice, slices, exchange + 2 * slice);
        return sum_exchanged(exchange, slices);
    }
#endif
    for (int slice = 0; slice < slices; ++slice) {
        const pair sum = sum_slice(t, columns, o, slice, slices, slots);
        exchange[2 * slice] = sum.high;
        exchange[2 * slice + 1] = sum.low;
    }
    return sum_exchanged(exchange, slices);
}
