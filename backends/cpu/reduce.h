/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file reduce.h
 * @brief From the sums of a block's columns to its outputs, strip by strip, in the order of tile.h: an output's slices
 * are kept while strips with its columns are walked, so that no block keeps the sums of all of its columns.
 */

/** The groups whose outputs are under way at a time: the strips of one row lane come one after the other. */
DEVICE int groups_under_way(const grkan_tiling *t, int in_denominator)
{
    return t->kept_lanes > 1 && !is_shared(t, in_denominator) ? (int)t->span_groups : 1;
}

/** Slices of the outputs that are under way. */
DEVICE int slices_under_way(const grkan_tiling *t, rational kind, int in_denominator)
{
    return groups_under_way(t, in_denominator) * group_outputs(kind, in_denominator)
           << slices_log2_of(t, is_shared(t, in_denominator));
}

static size_t outputs_bytes(const grkan_tiling *t, rational kind)
{
    return (size_t)(slices_under_way(t, kind, 0) + slices_under_way(t, kind, 1)) * sizeof(scalar);
}

DEVICE scalar *slices_of_output(const grkan_tiling *t, rational kind, output o, scalar *outputs)
{
    const int group = groups_under_way(t, o.in_denominator) > 1 ? o.group : 0;
    const int own = o.sum - (o.in_denominator ? kind.m + 1 : 0);
    const int index = group * group_outputs(kind, o.in_denominator) + own;
    return outputs + (o.in_denominator ? slices_under_way(t, kind, 0) : 0) + (index << slices_log2_of(t, o.shared));
}

/** Add sums to slices in turn, from slice `slice` on. */
static void add_to_slices(const scalar *sums, int count, int slice, int slices, scalar *to)
{
    int i = 0;
    while (i < count && (slice != 0 || count - i < slices || slices % CPU_LANES != 0)) {
        to[slice] = to[slice] + sums[i++];
        slice = slice + 1 == slices ? 0 : slice + 1;
    }
    for (; i + slices <= count; i += slices)
        for (slice = 0; slice < slices; slice += CPU_LANES)
            store_lanes(to + slice, load_lanes(to + slice) + load_lanes(sums + i + slice));
    for (slice = 0; i < count; ++slice)
        to[slice] = to[slice] + sums[i++];
}

/** Columns of one row lane, of those that are kept, with their sums. */
typedef struct summed_columns {
    int row_lane;
    int first, end;       /* within the lane */
    const scalar *totals; /* of the first column and the first coefficient */
    int pitch;            /* from a coefficient's to the next one's */
} summed_columns;

/** Add what columns have for an output, and deliver it with its last ones. */
static void add_to_output(const grkan_tiling *t, rational kind, const tile *b, const gradients *g,
                          const summed_columns *c, column_range of_output, output o, scalar *outputs)
{
    const int slices = 1 << slices_log2_of(t, o.shared);
    scalar *const own = slices_of_output(t, kind, o, outputs);
    const int width = of_output.end - of_output.first;
    const int first = c->first > of_output.first ? c->first : of_output.first;
    const int count = least(c->end, of_output.end) - first;
    const int index = c->row_lane * width + first - of_output.first; /* among the output's columns */
    if (index == 0)
        memset(own, 0, (size_t)slices * sizeof *own);
    add_to_slices(c->totals + o.sum * c->pitch + first - c->first, count, index & (slices - 1), slices, own);
    if (index + count == width * t->kept_lanes)
        deliver(g, destination_of(t, kind, g, b, o), sum_exchanged(own, 1, slices));
}

/** Add what columns have to the outputs that sum them. */
static void add_to_outputs(const grkan_tiling *t, rational kind, const tile *b, const gradients *g,
                           const summed_columns *c, scalar *outputs)
{
    for (int in_denominator = 0; in_denominator < 2; ++in_denominator) {
        const int count = group_outputs(kind, in_denominator), shared = is_shared(t, in_denominator);
        int group = shared ? 0 : (int)(group_of(t, b, c->first * t->vector) - b->first_group);
        for (int end = c->first; count > 0 && end < c->end; ++group) {
            output o = output_of(t, kind, in_denominator, b->first_group, group * count);
            const column_range columns = columns_of_output(t, b, o);
            for (int i = 0; i < count; ++i, ++o.sum, ++o.position)
                add_to_output(t, kind, b, g, c, columns, o, outputs);
            end = columns.end;
        }
    }
}

/** As add_to_outputs, of columns of a block of which the last may have other row lanes than the first. */
static void reduce_columns(const grkan_tiling *t, rational kind, const tile *b, const gradients *g, const strip *s,
                           const scalar *totals, scalar *outputs)
{
    const int all = t->row_lanes > 1 ? t->span_chunks : s->first + s->columns;
    for (int done = 0; done < s->columns;) {
        const int row_lane = (s->first + done) / all, first = s->first + done - row_lane * all;
        const int count = least(s->columns - done, all - first);
        const summed_columns c = {row_lane, first, first + count, totals + done, s->width};
        add_to_outputs(t, kind, b, g, &c, outputs);
        done += count;
    }
}
