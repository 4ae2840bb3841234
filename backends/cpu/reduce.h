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
    for (int table = 0; table < FAMILY_TABLES; ++table)
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

/** Add sums to those of so many of all threads, which the compiler knows, turn by turn: in registers. */
DEVICE void add_turns(const scalar *sums, int turns, int some, int threads, scalar *to)
{
    typedef scalar four __attribute__((vector_size(4 * sizeof(scalar))));
    const int fours = some / 4;
    if (fours > 0) {
        four own[2], next[2];
        memcpy(own, to, (size_t)some * sizeof *to);
        for (int turn = 0; turn < turns; ++turn, sums += threads) {
            memcpy(next, sums, (size_t)some * sizeof *sums);
            for (int i = 0; i < fours; ++i)
                own[i] = own[i] + next[i];
        }
        memcpy(to, own, (size_t)some * sizeof *to);
        return;
    }
    scalar first = to[0], second = to[some - 1];
    for (int turn = 0; turn < turns; ++turn, sums += threads) {
        first = first + sums[0];
        second = second + sums[some - 1];
    }
    to[0] = first;
    to[some - 1] = second;
}

/** Likewise of all. */
static void add_all_turns(const scalar *sums, int turns, int threads, scalar *to)
{
    if (threads == 1)
        add_turns(sums, turns, 1, 1, to);
    else if (threads == 2)
        add_turns(sums, turns, 2, 2, to);
    else if (threads == 4)
        add_turns(sums, turns, 4, 4, to);
    else
        for (int thread = 0; thread < threads; thread += 8)
            add_turns(sums + thread, turns, 8, threads, to + thread);
}

/** Add sums to those of an output's threads in turn, from thread `thread` on. */
static void add_to_threads(const scalar *sums, int count, int thread, int threads, scalar *to)
{
    int i = 0;
    for (; i < count && thread != 0; thread = thread + 1 == threads ? 0 : thread + 1)
        to[thread] = to[thread] + sums[i++];
    const int turns = (count - i) / threads;
    add_all_turns(sums + i, turns, threads, to);
    i += turns * threads;
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

/** Add what columns have for an output, and store it with its last ones. @param own what its threads have added up */
static void add_to_output(const gradients *d, const tile *b, const summed_columns *c, column_range of_output, output o,
                          int threads, scalar *own)
{
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

/** Add what columns have to the outputs of the family that sum them. */
static void add_to_outputs(const gradients *d, const tile *b, const summed_columns *c, scalar *output_sums)
{
    for (int table = 0; table < FAMILY_TABLES; ++table) {
        const int width = d->gradients[table] == NULL ? 0 : table_width(d->f, table);
        const int is_shared = d->g->tables[table].is_shared;
        int group = is_shared ? 0 : (int)(group_of(b, c->first * d->g->columns.vector) - b->first_group);
        for (int end = c->first; width > 0 && end < c->end; ++group) {
            output o = output_of(d, table, b->first_group, group * width);
            const column_range columns = columns_of_output(b, o);
            for (int i = 0; i < width; ++i, ++o.sum, ++o.position)
                add_to_output(d, b, c, columns, o, 1 << d->g->tables[table].output_threads_log2,
                              sums_of_output(d, o, output_sums));
            end = columns.end;
        }
    }
}

/* ---------------------------------------------------------------------------------------- tables of channels */

/** The channels of a column tile: of whole groups, also where these have no elements, or of a segment of one. */
typedef struct tile_channels {
    int64_t first;
    int count;
} tile_channels;

DEVICE tile_channels channels_of_tile(const tile *b)
{
    const grkan_columns *const c = &b->g->columns;
    tile_channels channels = {first_channel(b->g, b->first_group), 0};
    if (c->tile_segments > 1) {
        channels.first = b->start / c->inner;
        channels.count = (int)(b->vectors * c->vector / c->inner);
    } else {
        channels.count = (int)(first_channel(b->g, b->end_group) - channels.first);
    }
    return channels;
}

/** The output of a channel of the tile. @param t which of the tables of channels whose gradients are wanted @param place of the channel in the tile */
DEVICE output output_of_channel(const gradients *d, const tile *b, const strip_prologue *of, int t, int place)
{
    const output o = {.exists = 1,
                      .table = of->table[t],
                      .sum = sum_count(d->f) + t * of->of_table + place % of->of_table,
                      .position = channels_of_tile(b).first + place};
    return o;
}

/** Channels whose outputs are under way at a time, as groups_under_way. */
DEVICE int channels_under_way(const gradients *d, const strip_prologue *of)
{
    const grkan_columns *const c = &d->g->columns;
    const int own = columns_of_channel(d->g);
    return d->g->block.column_partials > 1 ? (c->tile_vectors + own - 1) / own * of->of_table : of->of_table;
}

static size_t channel_output_bytes(const gradients *d, const strip_prologue *of)
{
    return of->tables == 0 ? 0 : (size_t)(of->tables * channels_under_way(d, of)) * sizeof(scalar);
}

/** Add what columns have to the outputs of their channels: one thread sums an output. */
static void add_to_channels(const gradients *d, const tile *b, const summed_columns *c, const strip_prologue *of)
{
    const int own = columns_of_channel(d->g), under_way = channels_under_way(d, of);
    for (int column = c->first, end; column < c->end; column = end) {
        const int first = column / own * own;
        column_range columns = {first, least(first + own, (int)smaller(b->vectors, d->g->columns.tile_vectors))};
        end = columns.end;
        for (int i = 0; i < of->tables * of->of_table; ++i) {
            const int t = i / of->of_table, place = column / own * of->of_table + i % of->of_table;
            add_to_output(d, b, c, columns, output_of_channel(d, b, of, t, place), 1,
                          of->output_sums + t * under_way + place % under_way);
        }
    }
}

/** As add_to_outputs, of columns of a block of which the last may have other block rows than the first. */
static void reduce_columns(const gradients *d, const tile *b, const backward_state *state)
{
    const strip *const s = &state->s;
    const int all = d->g->columns.block_rows > 1 ? d->g->columns.tile_vectors : s->first + s->columns;
    for (int done = 0; done < s->columns;) {
        const int block_row = (s->first + done) / all, first = s->first + done - block_row * all;
        const int count = least(s->columns - done, all - first);
        const summed_columns c = {block_row, first, first + count, state->totals + done, s->width};
        add_to_outputs(d, b, &c, state->output_sums);
        if (state->prologue.tables > 0)
            add_to_channels(d, b, &c, &state->prologue);
        done += count;
    }
}

/** Whether a gradient of the family's tables is wanted. */
DEVICE int has_gradient(const gradients *d)
{
    for (int table = 0; table < FAMILY_TABLES; ++table)
        if (d->gradients[table] != NULL)
            return 1;
    return 0;
}
