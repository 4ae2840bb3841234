/* SPDX-License-Identifier: Apache-2.0 */
/** @file longest_chain.c @brief How many additions follow one another, from an element to a gradient. */
#include "arithmetic.h"
#include "plan.h"

/** Additions one after the other, of so many numbers to one sum. */
static int64_t in_turn(int64_t numbers)
{
    return larger(0, numbers - 1);
}

/** Of what threads left for one: in fours, two by two, and those in turn. */
static int64_t in_fours(int64_t numbers)
{
    return smaller(in_turn(numbers), 2 + in_turn(ceil_div(numbers, 4)));
}

/** Of the partial sums of a thread: in twelves, three fours in turn, and those in turn. */
static int64_t in_twelves(int64_t numbers)
{
    return smaller(in_turn(numbers), 4 + in_turn(ceil_div(numbers, 12)));
}

/** Elements that read a row of a table: of all groups, or of the largest. */
static int64_t elements_of(const grkan_operation *o, const grkan_table *table)
{
    const int64_t channels = table->scope == GRKAN_SCOPE_SHARED  ? o->channels
                             : table->scope == GRKAN_SCOPE_GROUP ? ceil_div(o->channels, o->groups)
                                                                 : 1;
    return o->outer * channels * o->inner;
}

/** Elements of a thread's vector that it adds to one sum of a table. */
static int64_t elements_of_sum(const grkan_columns *c, grkan_scope scope)
{
    return scope == GRKAN_SCOPE_CHANNEL && c->inner == 1 ? 1 : c->vector / c->vector_groups;
}

/** Of a thread: in a register, whose first addition may be the end of an fma, and of the chains in its own sum. */
static int64_t chain_of_thread(const grkan_geometry *g, grkan_scope scope)
{
    const int64_t rows = smaller(g->rows.most, g->rows.chain);
    return rows * elements_of_sum(&g->columns, scope) + in_turn(ceil_div(g->rows.most, g->rows.chain));
}

/** Of a block: over the rows of a column, over the columns of an output, and over that output's threads. */
static int64_t chain_of_block(const grkan_geometry *g, const grkan_table_reduction *table, grkan_scope scope)
{
    const int threads = 1 << table->output_threads_log2;
    const int64_t rows = smaller(g->columns.block_rows, g->rows.all); /* others have nothing to add */
    const int64_t partials = grkan_columns_of_output(&g->columns, scope) * smaller(g->block.column_partials, rows);
    return in_turn(ceil_div(rows, g->block.column_partials)) + in_turn(ceil_div(partials, threads)) + in_fours(threads);
}

/** Of blocks: over the partial sums of a thread, and over the threads of a number; or as atomics come. */
static int64_t chain_of_grid(const grkan_plan_data *data, const grkan_table_reduction *table)
{
    const grkan_geometry *g = &data->backward;
    if (data->options.strategy == GRKAN_STRATEGY_BLOCK)
        return in_turn(g->rows.splits * (int64_t)(table->is_shared ? g->columns.tiles : 1));
    if (table->partials == 1)
        return 0;
    return in_twelves(ceil_div(table->partials, table->grid_threads)) + in_fours(table->grid_threads);
}

int64_t grkan_plan_longest_chain(const grkan_plan_data *data)
{
    const grkan_geometry *g = &data->backward;
    int64_t longest = 0;
    for (int32_t k = 0; k < data->table_count; ++k) {
        const grkan_table_reduction *table = &g->tables[k];
        const grkan_scope scope = data->tables[k].scope;
        const int64_t chain = chain_of_thread(g, scope) + chain_of_block(g, table, scope) + chain_of_grid(data, table);
        const int64_t elements = elements_of(&data->operation, &data->tables[k]); /* zeros add no roundings */
        if (grkan_is_wanted(data, k))
            longest =
                larger(longest, data->options.strategy == GRKAN_STRATEGY_ELEMENT ? elements : smaller(chain, elements));
    }
    return longest;
}
