/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file block_reduction.c
 * @brief How the sums of a block's threads become its outputs.
 *
 * A tile of 8 columns in two groups, 6 rows of it side by side in a block, and one number of a row of a table:
 *
 *     sums of threads             6 x   c c c c c c c c
 *     added over rows             2 x   c c c c c c c c       column_partials are left, by few threads
 *     added over columns          4 threads for the output of a shared table, or 2 for each of two groups' outputs
 *     added over those threads    1 for each output
 *
 * The threads of all tables' outputs stand in one line, each output's from a multiple of their number on. Those of tables of
 * channels are not among them: they are as many as columns, so one thread adds up each.
 */
#include "arithmetic.h"
#include "plan.h"

/** Sums of a column that are left when its rows are added: as many as each is the sum of, but in few threads of a block. */
static int column_partials_of(const grkan_columns *c)
{
    enum { few_threads = 128 };
    int left = 1;
    while (left * left < c->block_rows && (left + 1) * c->tile_vectors <= few_threads)
        left += 1;
    return left;
}

int64_t grkan_columns_of_output(const grkan_columns *c, grkan_scope scope)
{
    const int64_t of_channel = larger(1, c->inner / c->vector);
    const int64_t of_group = (c->group_size + (c->larger_groups > 0)) * c->inner * c->vector_groups / c->vector;
    const int64_t of_tile = (int64_t)c->tile_vectors * c->vector_groups;
    return scope == GRKAN_SCOPE_SHARED ? of_tile : smaller(of_tile, scope == GRKAN_SCOPE_GROUP ? of_group : of_channel);
}

/** Whether the outputs of a table have their threads here. */
static bool has_outputs(const grkan_plan_data *data, int32_t k)
{
    return data->tables[k].scope != GRKAN_SCOPE_CHANNEL && !grkan_is_frozen(data, k);
}

/** Outputs of a block for one table. */
static int64_t outputs_of(const grkan_plan_data *data, int32_t k, const grkan_columns *c)
{
    const grkan_table *const table = &data->tables[k];
    return has_outputs(data, k) ? (table->scope == GRKAN_SCOPE_SHARED ? 1 : c->tile_groups) * table->width : 0;
}

/** Give each table's outputs their threads. @return all of them */
static int place_outputs(const grkan_plan_data *data, const grkan_columns *c, const int threads_log2[2],
                         grkan_table_reduction *tables)
{
    int64_t all = 0;
    for (int32_t k = 0; k < data->table_count; ++k) {
        const int log2 = has_outputs(data, k) ? threads_log2[tables[k].is_shared] : 0;
        tables[k].output_threads_log2 = log2;
        tables[k].first_thread = (int)(ceil_div(all, INT64_C(1) << log2) << log2);
        all = tables[k].first_thread + (outputs_of(data, k, c) << log2);
    }
    return (int)all;
}

/**
 * Threads for the outputs of a block: twice as many where that shortens the longest sum most, until each loads its numbers at
 * once, as far as there are threads. An output has at most as many as columns.
 */
grkan_block_reduction grkan_block_reduction_make(const grkan_plan_data *data, const grkan_columns *c,
                                                 grkan_table_reduction *tables)
{
    const int64_t group_columns = c->group_size * c->inner * c->vector_groups / c->vector; /* of the smallest */
    const int64_t last_groups = c->groups - (c->tiles / c->tile_segments - 1) * c->tile_groups;
    const int64_t most_columns = (int64_t)c->block * c->vector_groups;
    const int64_t columns[2] = {smaller(group_columns, most_columns),
                                smaller(last_groups * group_columns, most_columns)};
    grkan_block_reduction block = {.column_partials = column_partials_of(c)};
    int threads_log2[2] = {0, 0}; /* of a table by groups, and of a shared one */
    bool can_grow[2] = {false, false};
    for (int32_t k = 0; k < data->table_count; ++k)
        can_grow[tables[k].is_shared] |= has_outputs(data, k);
    while (can_grow[0] || can_grow[1]) {
        const bool is_first =
            can_grow[0] && (!can_grow[1] || columns[0] >> threads_log2[0] >= columns[1] >> threads_log2[1]);
        const int longer = is_first ? 0 : 1;
        int *const log2 = &threads_log2[longer];
        const bool is_short = columns[longer] * block.column_partials <= (int64_t)SUMS_AT_ONCE << *log2;
        *log2 += 1;
        if (is_short || place_outputs(data, c, threads_log2, tables) > c->block || 1 << *log2 > MOST_OUTPUT_THREADS ||
            columns[longer] >> *log2 == 0) {
            *log2 -= 1;
            can_grow[longer] = false;
        }
    }
    block.threads = place_outputs(data, c, threads_log2, tables);
    return block;
}

bool grkan_block_reduction_holds(const grkan_plan_data *data, const grkan_geometry *g)
{
    bool holds = g->block.column_partials > 0 && g->block.column_partials <= g->columns.block_rows;
    bool is_one_pass = true; /* of a block's threads, where several share an output */
    int64_t end = 0;
    for (int32_t k = 0; k < data->table_count; ++k) {
        const grkan_table_reduction *t = &g->tables[k];
        const int threads = 1 << t->output_threads_log2;
        holds = holds && threads <= MOST_OUTPUT_THREADS && t->first_thread >= end && t->first_thread % threads == 0;
        is_one_pass = is_one_pass && threads == 1;
        end = t->first_thread + outputs_of(data, k, &g->columns) * threads;
    }
    return holds && g->block.threads == end && (is_one_pass || g->block.threads <= g->columns.block);
}
