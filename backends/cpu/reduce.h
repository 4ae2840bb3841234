/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file reduce.h
 * @brief From the sums of a block's columns to its outputs, strip by strip, in the order of block_reduction.h: what an
 * output's threads have added up is kept while strips with its columns are computed, so that no block keeps the sums of all
 * of its columns.
 */

/** The groups whose outputs are under way at a time: the strips of one block row come one after the other. */
DEVICE int groups_under_way(const grkan_geometry *g, int table)
{
    return g->block.column_partials > 1 && !g->tables[table].is_shared ? (int)g->columns.tile_groups : 1;
}

/** Threads of the outputs of a table that are under way. */
DEVICE int threads_under_way(const gradients *d, int table)
{
    return groups_under_way(d->g, table) * table_width(d->f, table) << d->g->tables[table].output_threads_log2;
}

static size_t output_sums_bytes(const gradients *d)
{
    size_t threads = 0;
    for (int table = 0; table < TABLES; ++table)
        threads += (size_t)threads_under_way(d, table);
    return threads * sizeof(scalar);
}

/** What an output's threads have added up. */
DEVICE scalar *sums_of_output(const gradients *d, output o, scalar *output_sums)
{
    const int group = groups_under_way(d->g, o.table) > 1 ? o.group : 0;
    const int index = group * table_width(d->f, o.table) + o.sum - first_sum(d->f, o.table);
    for (int table = 0; table < o.table; ++table)
        output_sums += threads_under_way(d, table);
    return output_sums + (index << d->g->tables[o.table].output_threads_log2);
}

/** Add sums to those of an output's threads in turn, from thread `thread` on. */
static void add_to_threads(const scalar *sums, int count, int thread, int threads, scalar *to)
{
    int i = 0;
    while (i < count && (thread != 0 || count - i < threads || threads % CPU_LANES != 0)) {
        to[thread] = to[thread] + sums[i++];
        thread = thread + 1 == threads ? 0 : thread + 1;
    }
    for (; i + threads <= count; i += threads)
        for (thread = 0; thread < threads; thread += CPU_LANES)
            store_lanes(to + thread, load_lanes(to + thread) + load_lanes(sums + i + thread));
    for (thread = 0; i < count; ++thread)
        to[thread] = to[thread] + sums[i++];
}

/** Columns of one block row, of those that are left, with their sums. */
typedef struct summed_columns {
    int block_row;
    int first, end;       /* within the row */
    const scalar *totals; /* of the first column and the first sum */
    int pitch;            /* from a sum to the next one's */
} summed_columns;

/** Add what columns have for an output, and store it with its last ones. */
static void add_to_output(const gradients *d, const tile *b, const summed_columns *c, column_range of_output, output o,
                          scalar *output_sums)
{
    const int threads = 1 << d->g->tables[o.table].output_threads_log2;
    scalar *const own = sums_of_output(d, o, output_sums);
    const int width = of_output.end - of_output.first;
    const int first = c->first > of_output.first ? c->first : of_output.first;
    const int count = least(c->end, of_output.end) - first;
    const int index = c->block_row * width + first - of_output.first; /* among the output's columns */
    if (index == 0)
        memset(own, 0, (size_t)threads * sizeof *own);
    add_to_threads(c->totals + o.sum * c->pitch + first - c->first, count, index & (threads - 1), threads, own);
    if (index + count == width * d->g->block.column_partials)
        store_output(d, destination_of(d, b, o), sum_exchanged(own, 1, threads));
}

/** Add what columns have to the outputs that sum them. */
static void add_to_outputs(const gradients *d, const tile *b, const summed_columns *c, scalar *output_sums)
{
    for (int table = 0; table < TABLES; ++table) {
        const int width = table_width(d->f, table), is_shared = d->g->tables[table].is_shared;
        int group = is_shared ? 0 : (int)(group_of(b, c->first * d->g->columns.vector) - b->first_group);
        for (int end = c->first; width > 0 && end < c->end; ++group) {
            output o = output_of(d, table, b->first_group, group * width);
            const column_range columns = columns_of_output(b, o);
            for (int i = 0; i < width; ++i, ++o.sum, ++o.position)
                add_to_output(d, b, c, columns, o, output_sums);
            end = columns.end;
        }
    }
}

/** As add_to_outputs, of columns of a block of which the last may have other block rows than the first. */
static void reduce_columns(const gradients *d, const tile *b, const strip *s, const scalar *totals, scalar *output_sums)
{
    const int all = d->g->columns.block_rows > 1 ? d->g->columns.tile_vectors : s->first + s->columns;
    for (int done = 0; done < s->columns;) {
        const int block_row = (s->first + done) / all, first = s->first + done - block_row * all;
        const int count = least(s->columns - done, all - first);
        const summed_columns c = {block_row, first, first + count, totals + done, s->width};
        add_to_outputs(d, b, &c, output_sums);
        done += count;
    }
}
