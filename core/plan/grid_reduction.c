/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file grid_reduction.c
 * @brief How the partial sums that blocks leave in the workspace become the gradients of tables.
 *
 * Of two tables, one shared by all groups and one with a row for each, two splits of three column tiles leave
 *
 *     workspace   | counters | shared: 6 partial sums of each number | by groups: 2 partial sums of each number |
 *
 * since a block has the outputs of its own groups only, but those of a shared table whatever its groups. Each number's are
 * `numbers` apart, so that neighbouring threads read neighbouring ones. A channel is in one column tile, so its numbers have a
 * partial sum for each split.
 *
 * Without a prologue one block can add up all of it, and the last one of a launch does where a device allows that. With one
 * there may be thousands of numbers, so a launch of its own has as many blocks as it takes.
 */
#include <limits.h>

#include "../prologues.h"
#include "arithmetic.h"
#include "plan.h"

enum {
    largest_workspace = 1 << 20, /* bytes; exceeded only if one partial sum of each number for a tile needs more */
    part_of_x = 16               /* with a prologue, 1 / this of x's bytes more */
};

static int64_t numbers_of(const grkan_table *table)
{
    return table->rows * table->width;
}

/** Partial sums of each number of a table, of so many splits. */
static int64_t partials_of(const grkan_table *table, const grkan_columns *c, int64_t splits)
{
    return table->scope == GRKAN_SCOPE_SHARED  ? splits * c->tiles
           : table->scope == GRKAN_SCOPE_GROUP ? splits * c->tile_segments
                                               : splits;
}

/** Bytes of a table's partial sums. */
static int64_t bytes_of(const grkan_plan_data *data, int32_t k, int64_t partials)
{
    const grkan_table *const table = &data->tables[k];
    return partials > 1 && grkan_is_wanted(data, k)
               ? partials * numbers_of(table) * (int64_t)grkan_coefficient_bytes(data->operation.dtype)
               : 0;
}

bool grkan_has_row_means(const grkan_plan_data *data, const grkan_columns *c)
{
    return grkan_row_statistics(&data->operation) > 0 && !grkan_has_whole_rows(c) &&
           (data->options.frozen & GRKAN_FROZEN_X) == 0;
}

/** Bytes of the means of rows that a launch in front of backward's leaves for it. */
static int64_t bytes_of_rows(const grkan_plan_data *data, const grkan_columns *c)
{
    return grkan_has_row_means(data, c) ? data->operation.outer * grkan_row_statistics(&data->operation) *
                                              (int64_t)grkan_coefficient_bytes(data->operation.dtype)
                                        : 0;
}

/** Bytes that all partial sums may have. */
static int64_t most_bytes(const grkan_plan_data *data, const grkan_columns *c)
{
    const grkan_operation *const o = &data->operation;
    const int64_t x_bytes = grkan_operation_elements(o) * (int64_t)grkan_dtype_bytes(o->dtype);
    return largest_workspace - (int64_t)GRKAN_WORKSPACE_COUNTER_BYTES - bytes_of_rows(data, c) +
           (o->prologue != GRKAN_PROLOGUE_NONE ? x_bytes / part_of_x : 0);
}

int64_t grkan_most_splits(const grkan_plan_data *data, const grkan_columns *c)
{
    int64_t two = 0; /* bytes of two splits */
    for (int32_t k = 0; k < data->table_count; ++k)
        two += bytes_of(data, k, partials_of(&data->tables[k], c, 2));
    return (int64_t)((__int128)most_bytes(data, c) * 2 / larger(1, two));
}

size_t grkan_workspace_bytes(const grkan_plan_data *data, const grkan_table_reduction *tables)
{
    int64_t bytes = bytes_of_rows(data, &data->backward.columns);
    for (int32_t k = 0; k < data->table_count; ++k)
        bytes += bytes_of(data, k, tables[k].partials);
    return bytes > 0 ? (size_t)bytes + GRKAN_WORKSPACE_COUNTER_BYTES : 0;
}

/** Threads that share the sum of a number, if each may have so many partials. */
static int64_t threads_of(const grkan_table_reduction *table, int64_t most_partials)
{
    return table->partials > 1 ? ceil_div(table->partials, most_partials) : 0;
}

/** Threads for all numbers of all tables. */
static int64_t all_threads(const grkan_plan_data *data, const grkan_table_reduction *tables, int64_t most_partials)
{
    int64_t threads = 0;
    for (int32_t k = 0; k < data->table_count; ++k)
        threads += tables[k].numbers * threads_of(&tables[k], most_partials);
    return threads;
}

/** Whether one block adds up all partials. */
static bool is_one_block(const grkan_plan_data *data)
{
    return data->operation.prologue == GRKAN_PROLOGUE_NONE;
}

/** As many threads as let each load its partials at once; where one block has them all, if it has that many. */
static void share_partials(const grkan_plan_data *data, const grkan_columns *c, grkan_table_reduction *tables)
{
    int64_t largest = 1, most_partials;
    for (int32_t k = 0; k < data->table_count; ++k)
        largest = larger(largest, tables[k].partials);
    most_partials = larger(PARTIALS_AT_ONCE, ceil_div(largest, MOST_GRID_THREADS));
    while (is_one_block(data) && all_threads(data, tables, most_partials) > c->block && most_partials < largest)
        most_partials += 1;
    for (int32_t k = 0; k < data->table_count; ++k) {
        tables[k].grid_threads = (int)threads_of(&tables[k], most_partials);
        tables[k].grid_inverse = is_one_block(data) && tables[k].grid_threads > 1 ? inverse_of(tables[k].numbers) : 0;
    }
}

void grkan_grid_reduction_make(const grkan_plan_data *data, const grkan_columns *c, const grkan_rows *rows,
                               grkan_table_reduction *tables)
{
    const bool has_partials = data->options.strategy == GRKAN_STRATEGY_TREE;
    for (int32_t k = 0; k < data->table_count; ++k) {
        const grkan_table *table = &data->tables[k];
        tables[k] = (grkan_table_reduction){
            .partials = has_partials && grkan_is_wanted(data, k) ? partials_of(table, c, rows->splits) : 1,
            .is_shared = table->scope == GRKAN_SCOPE_SHARED,
            .numbers = grkan_is_wanted(data, k) ? (int)numbers_of(table) : 0};
    }
    share_partials(data, c, tables);
}

bool grkan_grid_reduction_holds(const grkan_plan_data *data, const grkan_geometry *g)
{
    bool holds = true, is_one_pass = true; /* of a block's threads, where several share a number */
    int64_t threads = 0;
    for (int32_t k = 0; k < data->table_count; ++k) {
        const grkan_table_reduction *t = &g->tables[k];
        holds = holds && t->partials >= 1 &&
                t->numbers == (grkan_is_wanted(data, k) ? numbers_of(&data->tables[k]) : 0) &&
                t->is_shared == (data->tables[k].scope == GRKAN_SCOPE_SHARED) &&
                t->is_shared == (int)(g->rows.shared_tables >> k & 1) && t->grid_threads >= 0 &&
                t->grid_threads <= MOST_GRID_THREADS && (t->grid_threads > 0) == (t->partials > 1);
        is_one_pass = is_one_pass && t->grid_threads <= 1;
        threads += (int64_t)t->numbers * t->grid_threads;
        for (int64_t thread = 0; is_one_block(data) && t->grid_threads > 1 && thread < threads; ++thread)
            holds = holds && thread * t->grid_inverse >> 31 == thread / t->numbers; /* at most a block's */
    }
    return holds && (is_one_pass || !is_one_block(data) || threads <= g->columns.block);
}
