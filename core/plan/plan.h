/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file plan.h
 * @brief From an operation, options and a device's limits to a plan, part by part. Private: not installed.
 *
 *     decide.c                 what does not depend on a device: options, tables and parameters of the family
 *     shape.c                  what does: calls the parts in this order, for forward and for backward
 *       columns.c              what a block has of a row, and what a thread
 *       rows.c                 which rows those are
 *       grid_reduction.c       how the partial sums of blocks become gradients of tables
 *       block_reduction.c      how the sums of a block's threads become partial sums
 *     longest_chain.c          how many roundings that takes
 *
 * All are pure functions. Each part has a struct in geometry.h, which says what its members mean, one function that makes
 * it, and one that says whether an instance holds what kernels rely on.
 */
#ifndef GRKAN_PLAN_H
#define GRKAN_PLAN_H

#include "../internal.h"

/** Whether nobody wants the gradient of a table. */
static inline bool grkan_is_frozen(const grkan_plan_data *data, int32_t table)
{
    return (data->options.frozen >> table & 1) != 0;
}

/** Whether a table has numbers, and their gradient is wanted. */
static inline bool grkan_is_wanted(const grkan_plan_data *data, int32_t table)
{
    return data->tables[table].width > 0 && !grkan_is_frozen(data, table);
}

/* decide.c */

/** Check operation and options (NULL: defaults) and decide all that does not depend on a device. */
grkan_status grkan_plan_decide(const grkan_operation *operation, const grkan_options *options, grkan_plan_data *data);

/* shape.c */

/** Fix the geometry of both passes, their tunings and the workspace, of a plan that has been decided. */
grkan_status grkan_plan_shape(const grkan_device_limits *limits, grkan_plan_data *data);

/* longest_chain.c */

/**
 * The most additions that follow one another on the way of any element to a gradient of a table, what GRKAN_ADD adds to
 * left out; additions to a zero, which are exact, do not count, but for a thread's first, which may be the end of an fma.
 *
 * A sum is then within so many unit roundoffs (of the type of arithmetic) of the sum of the absolute values.
 */
int64_t grkan_plan_longest_chain(const grkan_plan_data *data);

/* columns.c */

/** What a block's columns have to be. */
typedef enum grkan_column_cut {
    GRKAN_CUT_GROUPS,   /**< whole groups, or segments of one, below each other */
    GRKAN_CUT_CHANNELS, /**< whole groups, or whole channels of one: a thread keeps its channels */
    GRKAN_CUT_ROWS      /**< whole rows, a wave for every 32 threads of them */
} grkan_column_cut;

/** What a cut of the columns depends on. */
typedef struct grkan_columns_request {
    const grkan_operation *operation;
    grkan_column_cut cut;
    const grkan_device_limits *limits;
    grkan_tuning tuning;
    int vector;
    int vector_groups;
    int local_numbers; /**< that a thread keeps in local memory: sums, and what rows exchange */
} grkan_columns_request;

/** The widest power of two of elements, of either type, that fits in bytes and divides every group, so that a vector is of
    one; with a prologue and inner > 1, of one channel. */
int grkan_vector_of(const grkan_operation *operation, int bytes);

/** Threads that a whole row takes in a block, of a vector each: a multiple of 32. */
int64_t grkan_row_threads(const grkan_operation *operation, int vector);

/** Threads that a block may have, by its local memory, too: a multiple of the least block; 0 where the device runs none. */
int grkan_columns_most_threads(const grkan_columns_request *request);

/** Whether there is a cut. Of vectors of one group there is one wherever a block fits, of whole rows where it holds one; others
    may end within a group. */
bool grkan_columns_exist(const grkan_columns_request *request);

/**
 * The cut of the columns that keeps a device busiest: among those within 2 % of the best, the one whose block is nearest to
 * the tuning's, and of these the one with most groups.
 * @return GRKAN_ERROR_UNSUPPORTED where the device cannot run a block, or there is no cut
 */
grkan_status grkan_columns_make(const grkan_columns_request *request, grkan_columns *columns);

bool grkan_columns_hold(const grkan_operation *operation, const grkan_columns *columns);

/** Whether a block has all elements of its rows. */
bool grkan_has_whole_rows(const grkan_columns *columns);

/** The most elements that a column tile has of a row; of one with segments in one of them. */
int64_t grkan_tile_elements(const grkan_columns *columns);

/** Blocks that a compute unit shall hold at once. */
int grkan_resident_blocks(const grkan_tuning *tuning, const grkan_columns *columns);

/** Local memory that is left for what each thread of a block has. */
int64_t grkan_bytes_for_threads(const grkan_device_limits *limits);

/* rows.c */

/** What a cut of the rows depends on, beside their columns. */
typedef struct grkan_rows_request {
    int64_t outer;
    int64_t blocks;       /**< as many as a device keeps busy with */
    int64_t most_splits;  /**< that a workspace has room for */
    int64_t least_blocks; /**< into which a short tensor is cut, however few elements threads have then */
    int least_elements;   /**< of a thread otherwise, unless a tensor has fewer */
    bool is_interleaved;  /**< neighbouring rows go to neighbouring blocks; false: a split is a run of rows */
} grkan_rows_request;

grkan_rows grkan_rows_make(const grkan_rows_request *request, const grkan_columns *columns);

bool grkan_rows_hold(const grkan_columns *columns, const grkan_rows *rows);

/* grid_reduction.c */

/** Splits that keep the workspace within its limit, 1 MiB and with a prologue 1/16 of x more, or 1 where it cannot be kept. */
int64_t grkan_most_splits(const grkan_plan_data *data, const grkan_columns *columns);

/** How partial sums of each table become its gradient. What a block's threads have of it is block_reduction.c's. */
void grkan_grid_reduction_make(const grkan_plan_data *data, const grkan_columns *columns, const grkan_rows *rows,
                               grkan_table_reduction *tables);

bool grkan_grid_reduction_holds(const grkan_plan_data *data, const grkan_geometry *geometry);

/** Whether backward needs means of rows that a launch of its own has to make, as no block has whole ones. */
bool grkan_has_row_means(const grkan_plan_data *data, const grkan_columns *columns);

/** Bytes of all partial sums and means of rows, and of what blocks count with: 0 where there are none. */
size_t grkan_workspace_bytes(const grkan_plan_data *data, const grkan_table_reduction *tables);

/* block_reduction.c */

/** How a block adds up its threads' sums. @param tables in and out: gets its outputs' threads of the block */
grkan_block_reduction grkan_block_reduction_make(const grkan_plan_data *data, const grkan_columns *columns,
                                                 grkan_table_reduction *tables);

bool grkan_block_reduction_holds(const grkan_plan_data *data, const grkan_geometry *geometry);

/** Sums of columns that an output of a block is made of, at most. */
int64_t grkan_columns_of_output(const grkan_columns *columns, grkan_scope scope);

#endif
