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
 * `numbers` apart, so that neighbouring threads read neighbouring ones.
 */
#include <limits.h>

#include "arithmetic.h"
#include "plan.h"

enum { largest_workspace = 1 << 20 /* bytes; exceeded only if one partial sum of each number for a tile needs more */ };

static int64_t numbers_of(const grkan_table *table)
{
    return table->rows * table->width;
}

/** Partial sums of each number of a table, of so many splits. */
static int64_t partials_of(const grkan_table *table, const grkan_columns *c, int64_t splits)
{
    return table->scope == GRKAN_SCOPE_SHARED ? splits * c->tiles : splits;
}

static int64_t bytes_of(const grkan_plan_data *data, const grkan_table *table, int64_t partials)
{
    return partials > 1 ? partials * numbers_of(table) * (int64_t)grkan_coefficient_bytes(data->operation.dtype) : 0;
}

int64_t grkan_most_splits(const grkan_plan_data *data, const grkan_columns *c)
{
    int64_t two = 0; /* bytes of two splits */
    for (int32_t k = 0; k < data->table_count; ++k)
        two += bytes_of(data, &data->tables[k], partials_of(&data->tables[k], c, 2));
    return (largest_workspace - (int64_t)GRKAN_WORKSPACE_COUNTER_BYTES) * 2 / larger(1, two);
}

size_t grkan_workspace_bytes(const grkan_plan_data *data, const grkan_table_reduction *tables)
{
    int64_t bytes = 0;
    for (int32_t k = 0; k < data->table_count; ++k)
        bytes += bytes_of(data, &data->tables[k], tables[k].partials);
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

/** As many threads as let each load its partials at once, if a block has threads for all numbers then. */
static void share_partials(const grkan_plan_data *data, const grkan_columns *c, grkan_table_reduction *tables)
{
    int64_t largest = 1, most_partials;
    for (int32_t k = 0; k < data->table_count; ++k)
        largest = larger(largest, tables[k].partials);
    most_partials = larger(PARTIALS_AT_ONCE, ceil_div(largest, MOST_GRID_THREADS));
    while (all_threads(data, tables, most_partials) > c->block && most_partials < largest)
        most_partials += 1;
    for (int32_t k = 0; k < data->table_count; ++k) {
        tables[k].grid_threads = (int)threads_of(&tables[k], most_partials);
        tables[k].grid_inverse = tables[k].grid_threads > 1 ? inverse_of(tables[k].numbers) : 0;
    }
}

void grkan_grid_reduction_make(const grkan_plan_data *data, const grkan_columns *c, const grkan_rows *rows,
                               grkan_table_reduction *tables)
{
    const bool has_partials = data->options.strategy == GRKAN_STRATEGY_TREE;
    for (int32_t k = 0; k < data->table_count; ++k) {
        const grkan_table *table = &data->tables[k];
        tables[k] = (grkan_table_reduction){
            .partials = has_partials && table->width > 0 ? partials_of(table, c, rows->splits) : 1,
            .is_shared = table->scope == GRKAN_SCOPE_SHARED,
            .numbers = (int)numbers_of(table)};
    }
    share_partials(data, c, tables);
}

bool grkan_grid_reduction_holds(const grkan_plan_data *data, const grkan_geometry *g)
{
    bool holds = true, is_one_pass = true; /* of a block's threads, where several share a number */
    int64_t threads = 0;
    for (int32_t k = 0; k < data->table_count; ++k) {
        const grkan_table_reduction *t = &g->tables[k];
        holds = holds && t->partials >= 1 && t->numbers == numbers_of(&data->tables[k]) &&
                t->is_shared == (data->tables[k].scope == GRKAN_SCOPE_SHARED) && t->grid_threads >= 0 &&
                t->grid_threads <= MOST_GRID_THREADS && (t->grid_threads > 0) == (t->partials > 1);
        is_one_pass = is_one_pass && t->grid_threads <= 1;
        threads += (int64_t)t->numbers * t->grid_threads;
        for (int64_t thread = 0; t->grid_threads > 1 && thread < threads; ++thread) /* at most a block's */
            holds = holds && thread * t->grid_inverse >> 31 == thread / t->numbers;
    }
    return holds && (is_one_pass || threads <= g->columns.block);
}
