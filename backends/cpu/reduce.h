/* SPDX-License-Identifier: Apache-2.0 */
/** @file reduce.h @brief The sums of a block's threads, with slices as the lanes of vectors. */

/** The sums of each column over its row lanes. Those of the kept lanes lie side by side, and so do those added to them. */
static void add_row_lanes(const grkan_tiling *t, int count, scalar *slots)
{
    const int kept = t->kept_lanes * t->span_chunks, all = t->row_lanes * t->span_chunks;
    for (int i = 0; i < count; ++i, slots += t->block)
        for (int first = kept; first < all; first += kept)
            for (int column = 0; column < least(kept, all - first); ++column)
                slots[column] = slots[column] + slots[first + column];
}

#if CPU_BYTES > 0
/** The slots of an output one behind the other, with zeros up to a multiple of slices. @return their number */
static int gather_slots(const grkan_tiling *t, column_range columns, output o, int slices, const scalar *slots,
                        scalar *gathered)
{
    const int width = columns.end - columns.first;
    const scalar *slot = slots + o.sum * t->block + columns.first;
    int count = 0;
    for (int row_lane = 0; row_lane < t->kept_lanes; ++row_lane, slot += t->span_chunks, count += width)
        memcpy(gathered + count, slot, (size_t)width * sizeof *slot);
    for (; count % slices != 0; ++count)
        gathered[count] = 0;
    return count;
}

/** CPU_LANES neighbouring slices at once, each summed as sum_slice does. */
static void sum_slice_lanes(const scalar *gathered, int count, int slice, int slices, scalar *exchange)
{
    real sum = REAL(0);
    for (int i = slice; i < count; i += slices)
        sum = sum + load_lanes(gathered + i);
    store_lanes(exchange + slice, sum);
}
#endif

/** All slices of an output of a block. Where there are enough, they are the lanes of vectors. */
static scalar sum_output(const grkan_tiling *t, const tile *b, output o, const scalar *slots)
{
    const int slices = 1 << slices_log2_of(t, o.shared);
    scalar exchange[MOST_SLICES];
    int index = 0;
#if CPU_BYTES > 0
    if (slices % CPU_LANES == 0) {
        scalar gathered[CPU_MOST_THREADS + MOST_SLICES];
        const int count = gather_slots(t, columns_of_output(t, b, o), o, slices, slots, gathered);
        for (; index < slices; index += CPU_LANES)
            sum_slice_lanes(gathered, count, index, slices, exchange);
    }
#endif
    for (; index < slices; ++index)
        exchange[index] = sum_slice(t, slice_of(t, b, o, index, slices), slots);
    return sum_exchanged(exchange, 1, slices);
}
