/* SPDX-License-Identifier: Apache-2.0 */
/** @file shape.c @brief From a device's limits to the geometry of both passes, part by part. */
#include "../prologues.h"
#include "arithmetic.h"
#include "plan.h"

/**
 * What fixes the bits of plans that promise them on every device: grkan's own contract, measured on an H200. With these, a
 * geometry depends on the operation alone. So it does with the constants of rows.c, grid_reduction.c, block_reduction.c and
 * geometry.h, whatever is promised.
 */
enum {
    fixed_preferred_block = 384,
    fixed_block = 512,         /* threads at most */
    fixed_blocks = 528,        /* of a grid */
    fixed_least_elements = 64, /* of a thread */
    fixed_local_bytes = 32768, /* that every OpenCL 1.2 device has */
    fixed_vector_bytes = 16
};

/** A device's limits with those in their places. */
static grkan_device_limits fixed_limits(const grkan_device_limits *limits)
{
    grkan_device_limits fixed = *limits;
    fixed.max_block = fixed_block;
    fixed.max_row_block = fixed_block;
    fixed.local_bytes = fixed_local_bytes;
    fixed.has_async_copies = 0;
    fixed.exchanges_registers = 0;
    fixed.block_step = 0;
    fixed.max_vector_bytes = fixed_vector_bytes;
    fixed.least_elements = fixed_least_elements;
    fixed.is_fixed = 1;
    return fixed;
}

static bool has_prologue(const grkan_plan_data *data)
{
    return data->operation.prologue != GRKAN_PROLOGUE_NONE;
}

static bool is_same_everywhere(const grkan_plan_data *data)
{
    return data->options.determinism == GRKAN_DEVICE_TO_DEVICE;
}

/** Whether a block is one work-item: the kernels for that have no prologues. */
static bool has_lanes(const grkan_device_limits *limits, const grkan_plan_data *data)
{
    return limits->lanes > 0 && !has_prologue(data);
}

/** A device's limits for a plan: where lanes are neighbouring threads, vectors of one element make them neighbouring elements, too;
    and a block that is one work-item needs neither a group of its threads nor a group's memory. */
static grkan_device_limits limits_for(const grkan_device_limits *limits, const grkan_plan_data *data)
{
    grkan_device_limits own = *limits;
    if (!has_lanes(limits, data))
        return own;
    own.max_block = (int32_t)larger(limits->max_block, fixed_block);
    own.local_bytes = limits->local_bytes > fixed_local_bytes ? limits->local_bytes : fixed_local_bytes;
    if (!is_same_everywhere(data))
        own.max_vector_bytes = 0;
    return own;
}

/** Numbers of a row of each table of channels, or of each other table. */
static int numbers_of(const grkan_plan_data *data, bool of_channels)
{
    int numbers = 0;
    for (int32_t k = 0; k < data->table_count; ++k)
        if ((data->tables[k].scope == GRKAN_SCOPE_CHANNEL) == of_channels)
            numbers += data->tables[k].width;
    return numbers;
}

/** Numbers of local memory for each thread where those of a row tell each other sums: at most. */
static int exchanged_numbers(const grkan_device_limits *limits, const grkan_plan_data *data, bool is_backward,
                             int vector)
{
    enum {
        rows = 4, /* of a step, in a place each, twice (row_reduction.h) */
        sums = 2, /* of a row in backward, where mean and rstd come by way of local memory, too (row_queue.h) */
        wave = 32
    };
    if (!limits->exchanges_registers)
        return is_backward ? sums : rows;
    const int64_t waves = grkan_row_threads(&data->operation, vector) / wave, places = ceil_div(waves, 4) * 4;
    const int numbers = is_backward ? sums * rows : rows;
    return (int)ceil_div(2 * numbers * places / waves + (is_backward ? 2 * numbers : 0), wave);
}

/** What a thread has in local memory: in backward its sums of the family, and what threads of a row tell each other, whether they
    have to or not: see request_for_prologue. */
static int local_numbers(const grkan_device_limits *limits, const grkan_plan_data *data, bool is_backward,
                         int vector_groups, int vector)
{
    return (is_backward ? vector_groups * numbers_of(data, false) : 0) +
           (grkan_row_statistics(&data->operation) > 0 ? exchanged_numbers(limits, data, is_backward, vector) : 0);
}

/** What a pass has columns for: numbers of all groups that a vector may be of. Forward has no sums.
    @param accesses that a vector may take */
static grkan_columns_request request_columns(const grkan_device_limits *limits, const grkan_plan_data *data,
                                             bool is_backward, int vector_groups, grkan_column_cut cut, int accesses)
{
    const grkan_operation *o = &data->operation;
    const int vector = vector_groups > 1 ? vector_groups : grkan_vector_of(o, accesses * limits->max_vector_bytes);
    const grkan_pass_shape shape = {.is_backward = is_backward,
                                    .dtype = grkan_wider_dtype(o),
                                    .vector = vector,
                                    .vector_groups = vector_groups,
                                    .numbers = vector_groups * numbers_of(data, false),
                                    .prologue = o->prologue,
                                    .channel_numbers = numbers_of(data, true) * (o->inner == 1 ? vector : 1),
                                    .row_threads = cut == GRKAN_CUT_ROWS ? (int)grkan_row_threads(o, vector) : 0};
    return (grkan_columns_request){.operation = o,
                                   .cut = cut,
                                   .limits = limits,
                                   .tuning = limits->tune(limits, &shape),
                                   .vector = vector,
                                   .vector_groups = vector_groups,
                                   .local_numbers = local_numbers(limits, data, is_backward, vector_groups, vector)};
}

/** With a prologue: whole rows if that needs them and a block holds one, else columns that keep their channels. Threads have as
    much local memory for either, so that the latter are whole rows for no norm. */
static grkan_columns_request request_for_prologue(const grkan_device_limits *limits, const grkan_plan_data *data,
                                                  bool is_backward, int accesses)
{
    const grkan_columns_request rows = request_columns(limits, data, is_backward, 1, GRKAN_CUT_ROWS, accesses);
    if (grkan_row_statistics(&data->operation) > 0 && grkan_columns_exist(&rows))
        return rows;
    return request_columns(limits, data, is_backward, 1, GRKAN_CUT_CHANNELS, accesses);
}

/** How a plan's threads and blocks take rows. */
typedef struct row_access {
    int accesses;         /* of a thread, for a vector */
    uint64_t local_bytes; /* of a block of backward */
} row_access;

/**
 * One access for a vector; or two, where a norm's backward has whole rows only then, in what local memory a block has without being
 * asked, or else in what a launch asks for: the time is half of what the general kernels take (4096 channels, H200). Vectors of two
 * accesses are in local memory until they are needed: registers have no room for them.
 */
static row_access access_of(const grkan_device_limits *limits, const grkan_plan_data *data)
{
    const row_access all[] = {{1, limits->local_bytes}, {2, limits->local_bytes}, {2, limits->launch_local_bytes}};
    if (grkan_row_statistics(&data->operation) == 0 || !limits->has_async_copies || is_same_everywhere(data) ||
        grkan_coefficient_bytes(data->operation.dtype) > grkan_dtype_bytes(grkan_wider_dtype(&data->operation)))
        return all[0];
    for (size_t i = 0; i < sizeof all / sizeof *all; ++i) {
        grkan_device_limits own = *limits;
        own.local_bytes = all[i].local_bytes;
        if (own.local_bytes > limits->local_bytes)
            own.max_row_block = limits->max_block; /* memory helps no thread that has too few registers */
        const grkan_columns_request rows = request_columns(&own, data, true, 1, GRKAN_CUT_ROWS, all[i].accesses);
        if (grkan_columns_exist(&rows))
            return all[i];
    }
    return all[0];
}

/** Pairs of 16-bit elements, where groups allow single ones only: accesses of 2 bytes use half of what memory can do. */
static bool has_pairs(const grkan_device_limits *limits, const grkan_plan_data *data)
{
    const grkan_operation *o = &data->operation;
    if (has_prologue(data) || is_same_everywhere(data) || grkan_dtype_bytes(grkan_wider_dtype(o)) != 2 ||
        limits->max_vector_bytes < 4 || grkan_vector_of(o, 4) > 1 || o->channels * o->inner % 2 != 0)
        return false;
    const grkan_columns_request forward = request_columns(limits, data, false, 2, GRKAN_CUT_GROUPS, 1);
    const grkan_columns_request backward = request_columns(limits, data, true, 2, GRKAN_CUT_GROUPS, 1);
    return grkan_columns_exist(&forward) && grkan_columns_exist(&backward);
}

/** The largest power of two within a number, or the least that is not below it. */
static int power_of_two(int number, bool is_above)
{
    int power = 1;
    while (is_above ? power < number : power <= number / 2)
        power *= 2;
    return power;
}

/**
 * The columns of forward. With a norm whose rows no block holds, all threads of a block take a row, one vector beside the other:
 * a power of two of them, as the tree over its elements wants. The columns say how many blocks there are then, and no more.
 */
static grkan_status make_forward(const grkan_columns_request *request, grkan_columns *columns)
{
    grkan_columns_request own = *request;
    grkan_device_limits limits = *request->limits;
    const bool has_long_rows = request->cut != GRKAN_CUT_ROWS && grkan_row_statistics(request->operation) > 0;
    if (has_long_rows)
        limits.max_block = power_of_two(limits.max_block, false);
    own.limits = &limits;
    const grkan_status status = grkan_columns_make(&own, columns);
    if (status == GRKAN_SUCCESS && has_long_rows)
        columns->block = power_of_two(columns->block, true);
    return status;
}

/** Whether a device runs the blocks that all devices have. */
static grkan_status check_fixed_block(const grkan_device_limits *limits, const grkan_columns_request *fixed, int block)
{
    grkan_columns_request own = *fixed;
    grkan_device_limits with_own = *fixed->limits;
    with_own.max_block = limits->max_block;
    with_own.max_row_block = limits->max_row_block;
    with_own.local_bytes = limits->local_bytes;
    own.limits = &with_own;
    const int most = grkan_columns_most_threads(&own);
    if (block > most)
        return grkan_fail(
            GRKAN_ERROR_UNSUPPORTED,
            "device_to_device needs blocks of %d threads here; the device runs at most %d, with %llu bytes "
            "of local memory",
            block, most, (unsigned long long)limits->local_bytes);
    return GRKAN_SUCCESS;
}

/** Columns and tunings of both passes. Forward has no sums, so its bits do not depend on its geometry.
    @param accesses of a thread, for a vector */
static grkan_status shape_columns(const grkan_device_limits *limits, const grkan_device_limits *of_backward,
                                  int accesses, grkan_plan_data *data)
{
    const int vector_groups = has_pairs(limits, data) ? 2 : 1;
    const grkan_columns_request forward =
        has_prologue(data) ? request_for_prologue(limits, data, false, accesses)
                           : request_columns(limits, data, false, vector_groups, GRKAN_CUT_GROUPS, accesses);
    grkan_columns_request backward =
        has_prologue(data) ? request_for_prologue(of_backward, data, true, accesses)
                           : request_columns(of_backward, data, true, vector_groups, GRKAN_CUT_GROUPS, accesses);
    data->forward_tuning = forward.tuning;
    data->backward_tuning = backward.tuning;
    if (is_same_everywhere(data))
        backward.tuning = (grkan_tuning){.block = fixed_preferred_block};
    grkan_status status = grkan_columns_make(&backward, &data->backward.columns);
    if (status == GRKAN_SUCCESS && is_same_everywhere(data))
        status = check_fixed_block(limits, &backward, data->backward.columns.block);
    return status == GRKAN_SUCCESS ? make_forward(&forward, &data->forward.columns) : status;
}

/** Blocks that keep a device busy. */
static int64_t blocks_of(const grkan_device_limits *limits, const grkan_columns *c, const grkan_tuning *tuning)
{
    return limits->is_fixed ? fixed_blocks
                            : (int64_t)limits->compute_units * grkan_resident_blocks(tuning, c) * tuning->grid_waves;
}

/** Of a short tensor each compute unit gets a block, however little that has to do. */
static int64_t least_blocks_of(const grkan_device_limits *limits)
{
    return limits->is_fixed ? 0 : limits->compute_units;
}

static uint32_t shared_tables(const grkan_plan_data *data)
{
    uint32_t bits = 0;
    for (int32_t k = 0; k < data->table_count; ++k)
        bits |= (uint32_t)(data->tables[k].scope == GRKAN_SCOPE_SHARED) << k;
    return bits;
}

static void shape_forward(const grkan_device_limits *limits, grkan_plan_data *data)
{
    grkan_geometry *const g = &data->forward;
    const grkan_rows_request request = {.outer = data->operation.outer,
                                        .blocks = blocks_of(limits, &g->columns, &data->forward_tuning),
                                        .most_splits = INT64_MAX,
                                        .least_blocks = least_blocks_of(limits),
                                        .least_elements = limits->least_elements,
                                        .is_interleaved = !limits->is_fixed};
    g->rows = grkan_rows_make(&request, &g->columns);
    g->rows.shared_tables = shared_tables(data);
}

static void shape_backward(const grkan_device_limits *limits, grkan_plan_data *data)
{
    grkan_geometry *const g = &data->backward;
    const grkan_rows_request request = {.outer = data->operation.outer,
                                        .blocks = blocks_of(limits, &g->columns, &data->backward_tuning),
                                        .most_splits = grkan_most_splits(data, &g->columns),
                                        .least_blocks = least_blocks_of(limits),
                                        .least_elements = limits->least_elements,
                                        .is_interleaved = !limits->is_fixed || is_same_everywhere(data)};
    g->rows = grkan_rows_make(&request, &g->columns);
    g->rows.shared_tables = shared_tables(data);
    grkan_grid_reduction_make(data, &g->columns, &g->rows, g->tables);
    g->block = grkan_block_reduction_make(data, &g->columns, g->tables);
    data->workspace_bytes = grkan_workspace_bytes(data, g->tables);
}

/** Local memory of a pipeline. @param bytes of an element of all tensors that it brings in */
static int64_t pipeline_bytes(int64_t scalar, size_t bytes, const grkan_columns *c, const grkan_tuning *tuning)
{
    return tuning->stages * larger(c->vector, tuning->step * 4 / scalar) * (int64_t)bytes * c->block;
}

/** Shorten a pipeline until local memory holds it beside the numbers that a thread has there: fewer stages, then smaller steps. */
static void fit_pipeline(const grkan_device_limits *limits, int64_t scalar, size_t bytes, int numbers,
                         const grkan_columns *c, grkan_tuning *tuning)
{
    const int64_t room = grkan_bytes_for_threads(limits) - c->block * numbers * scalar;
    while (limits->has_async_copies && pipeline_bytes(scalar, bytes, c, tuning) > room &&
           tuning->stages + tuning->step > 2) {
        if (tuning->stages > 1)
            tuning->stages -= 1;
        else
            tuning->step /= 2;
    }
}

/** Shorten the steps of a norm's backward until local memory holds what the rows of one exchange, where threads do that by local
    memory: a place for each number of a thread, and a quarter of them beside (row_reduction.h). */
static void fit_exchange(const grkan_device_limits *limits, int64_t scalar, int numbers, const grkan_columns *c,
                         grkan_tuning *tuning)
{
    enum { sums = 2 /* of a row */, in_the_end = 2 /* numbers of a thread that blocks exchange then */ };
    const int64_t room = grkan_bytes_for_threads(limits) / scalar / c->block;
    while (!limits->exchanges_registers && tuning->step > 1) {
        const int64_t exchanged = sums * larger(1, tuning->step * 4 / scalar / c->vector);
        if (numbers + exchanged + exchanged / 4 + in_the_end <= room)
            return;
        tuning->step /= 2;
    }
}

grkan_status grkan_plan_shape(const grkan_device_limits *of_device, grkan_plan_data *data)
{
    const grkan_device_limits own = limits_for(of_device, data), *const limits = &own;
    const int64_t scalar = (int64_t)grkan_coefficient_bytes(data->operation.dtype);
    const size_t x_bytes = grkan_dtype_bytes(data->operation.dtype);
    const size_t y_bytes = grkan_dtype_bytes(grkan_operation_output_dtype(&data->operation));
    const row_access access = access_of(limits, data);
    grkan_device_limits of_device_backward = *limits;
    of_device_backward.local_bytes = access.local_bytes;
    const grkan_device_limits of_backward =
        is_same_everywhere(data) ? fixed_limits(&of_device_backward) : of_device_backward;
    const grkan_columns *const forward = &data->forward.columns, *const backward = &data->backward.columns;
    const grkan_status status = shape_columns(limits, &of_backward, access.accesses, data);
    if (status != GRKAN_SUCCESS)
        return status;
    fit_pipeline(limits, scalar, x_bytes, local_numbers(limits, data, false, 1, forward->vector), forward,
                 &data->forward_tuning);
    fit_pipeline(&of_device_backward, scalar, x_bytes + y_bytes,
                 local_numbers(limits, data, true, backward->vector_groups, backward->vector), backward,
                 &data->backward_tuning);
    if (grkan_row_statistics(&data->operation) > 0)
        fit_exchange(limits, scalar, backward->vector_groups * numbers_of(data, false), backward,
                     &data->backward_tuning);
    if (access.local_bytes > limits->local_bytes)
        data->launch_local_bytes = (int32_t)pipeline_bytes(scalar, x_bytes + y_bytes, backward, &data->backward_tuning);
    shape_forward(limits, data);
    shape_backward(&of_backward, data);
    data->last_block_reduces = limits->last_block_reduces && !has_prologue(data);
    data->lanes = has_lanes(limits, data) ? limits->lanes * 4 / (int)scalar : 0;
    return GRKAN_SUCCESS;
}
