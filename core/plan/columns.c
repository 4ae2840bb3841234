/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file columns.c
 * @brief Which columns of a row a block has: how many threads it has, and how many groups side by side.
 *
 *     group    0      1      2      3      4
 *              vvvvv  vvvvv  vvvvv  vvvvv  vvvvv     vectors of a row, 5 of each group
 *              `------- tile 0 --------'  `tile 1'   4 groups of 20 vectors, and what is left
 *
 * A block of 64 threads has 3 rows of these 20 vectors side by side, and 4 threads to spare: those are what a cut loses.
 * Wide tiles are what memory likes. A group of more vectors than a block has threads is a tile of its own, in segments; or,
 * with tables of channels, as many tiles as it takes:
 *
 *     group    0                        1
 *              vvvvvvvvv vvvvvvvvv      vvvvvvvvv vvvvvvvvv     18 vectors each, blocks of 32 threads with 3 rows of 9
 *              `tile 0-' `tile 1-'      `tile 2-' `tile 3-'
 */
#include <stdlib.h>

#include "arithmetic.h"
#include "plan.h"

enum {
    least_step = 32,   /* of a block's threads: a multiple of common wave widths */
    wave = 32,         /* threads that a row's are a multiple of, where they add up what it has: kernels rely on it */
    flag_bytes = 64,   /* local memory for what a block agrees on, beside its sums */
    line_bytes = 128,  /* of local memory: pipelines start at a line */
    vector_bytes = 16, /* widest access that devices have */
};

/** A way to cut a row: the threads of a block, and the groups that it may have side by side. */
typedef struct cut {
    int block;
    int64_t most_groups;
} cut;

/** Elements of the largest group within a row. */
static int64_t largest_group(const grkan_operation *o)
{
    return ceil_div(o->channels, o->groups) * o->inner;
}

int grkan_vector_of(const grkan_operation *o, int bytes)
{
    const bool is_of_channel = o->prologue != GRKAN_PROLOGUE_NONE && o->inner != 1;
    const int64_t common = o->channels % o->groups == 0 && !is_of_channel ? largest_group(o) : o->inner;
    int vector = 1;
    while (vector * 2 * (int)grkan_dtype_bytes(grkan_wider_dtype(o)) <= bytes && common % (vector * 2) == 0)
        vector *= 2;
    return vector;
}

int grkan_resident_blocks(const grkan_tuning *tuning, const grkan_columns *c)
{
    return tuning->occupancy > c->block ? tuning->occupancy / c->block : 1;
}

int64_t grkan_bytes_for_threads(const grkan_device_limits *limits)
{
    return (int64_t)limits->local_bytes - flag_bytes - (limits->has_async_copies ? line_bytes : 0);
}

int64_t grkan_row_threads(const grkan_operation *o, int vector)
{
    return ceil_div(larger(1, o->channels * o->inner / vector), wave) * wave;
}

/** Rows side by side. block_rows is 0 where a block has too few threads for one. */
static void cut_rows(const grkan_operation *o, grkan_columns *c)
{
    const int64_t vectors = grkan_row_threads(o, c->vector);
    c->tile_groups = c->groups;
    c->block_rows = (int)(c->block / vectors);
    if (c->block_rows > 0)
        c->tile_vectors = (int)vectors;
}

/** Tiles of whole channels for a group that is wider than a block, about as wide as each other; else segments of a channel. */
static void cut_group(int64_t group_vectors, int64_t channel_vectors, grkan_columns *c)
{
    const int64_t channels = ceil_div(group_vectors, channel_vectors); /* or vectors, where those have several */
    if (channel_vectors > c->block) {
        c->tile_segments = (int)channels;
        c->segments = ceil_div(channel_vectors, c->block);
    } else {
        c->tile_segments = (int)ceil_div(channels, c->block / channel_vectors);
        c->tile_vectors = (int)(ceil_div(channels, c->tile_segments) * channel_vectors);
        c->block_rows = c->block / c->tile_vectors;
    }
}

static grkan_columns columns_of(const grkan_columns_request *r, cut by)
{
    const grkan_operation *o = r->operation;
    const int64_t group_elements = larger(r->vector, largest_group(o));
    const int64_t fitting = by.block * r->vector / group_elements; /* groups side by side */
    grkan_columns c = {.tile_groups = 1,
                       .tile_segments = 1,
                       .groups = o->groups,
                       .group_size = o->channels / o->groups,
                       .larger_groups = o->channels % o->groups,
                       .inner = o->inner,
                       .segments = 1,
                       .block = by.block,
                       .vector = r->vector,
                       .vector_groups = r->vector_groups,
                       .tile_vectors = by.block,
                       .block_rows = 1,
                       .row_elements = o->channels * o->inner};
    if (r->cut == GRKAN_CUT_ROWS) {
        cut_rows(o, &c);
    } else if (fitting > 0) {
        c.tile_groups = smaller(by.most_groups, fitting);
        c.tile_vectors = (int)larger(1, grkan_operation_group_start(o, c.tile_groups) * o->inner / r->vector);
        c.block_rows = by.block / c.tile_vectors;
    } else if (r->cut == GRKAN_CUT_CHANNELS) {
        cut_group(group_elements / r->vector, larger(1, o->inner / r->vector), &c);
    } else {
        c.segments = ceil_div(group_elements / r->vector, by.block);
    }
    c.tiles =
        (int)(ceil_div(o->groups, c.tile_groups) * c.tile_segments); /* an int can count channels, see operation.c */
    c.tile_inverse = inverse_of(c.tile_vectors);
    return c;
}

/** Local memory of a thread: its own numbers, and what it exchanges in the end, in the place of one vector of x and of dy. */
static int bytes_of_thread(const grkan_columns_request *r)
{
    const int scalar = (int)grkan_coefficient_bytes(r->operation->dtype);
    const int64_t elements = (int64_t)grkan_dtype_bytes(r->operation->dtype) +
                             (int64_t)grkan_dtype_bytes(grkan_operation_output_dtype(r->operation));
    const int64_t vectors = larger(2 * vector_bytes, r->vector * elements); /* more where they take two accesses each */
    return r->local_numbers * scalar + (int)larger(2 * scalar, r->limits->has_async_copies ? vectors : 0);
}

/** Threads that the device and its local memory allow a block. */
static int allowed_threads(const grkan_columns_request *r)
{
    const int64_t fitting = grkan_bytes_for_threads(r->limits) / bytes_of_thread(r);
    return (int)smaller(r->cut == GRKAN_CUT_ROWS ? r->limits->max_row_block : r->limits->max_block, fitting);
}

/** What its threads are a multiple of: as the device likes it, where that many are allowed. */
static int block_step(const grkan_columns_request *r)
{
    return r->limits->block_step > 0 && r->limits->block_step <= allowed_threads(r) ? r->limits->block_step
                                                                                    : least_step;
}

int grkan_columns_most_threads(const grkan_columns_request *r)
{
    return allowed_threads(r) / block_step(r) * block_step(r);
}

/** The widest cut there is. */
static cut first_cut(const grkan_columns_request *r)
{
    return (cut){block_step(r), r->operation->groups};
}

/**
 * The next narrower cut, or the widest of the next block.
 * @param c what the cut at hand gave
 * @return whether there is one
 */
static bool next_cut(const grkan_columns_request *r, int most_threads, const grkan_columns *c, cut *by)
{
    const int64_t group_bytes =
        largest_group(r->operation) * (int64_t)grkan_dtype_bytes(grkan_wider_dtype(r->operation));
    by->most_groups = c->tile_groups - 1;
    if (r->cut != GRKAN_CUT_ROWS && r->tuning.least_row_bytes > 0 && by->most_groups > 0 &&
        by->most_groups * group_bytes >= r->tuning.least_row_bytes)
        return true;
    *by = (cut){by->block + block_step(r), r->operation->groups};
    return by->block <= most_threads;
}

/** Whether every tile is whole vectors, where those may have elements of several groups. */
static bool has_whole_vectors(const grkan_operation *o, const grkan_columns *c)
{
    for (int64_t group = c->tile_groups; c->vector_groups > 1 && group < o->groups; group += c->tile_groups)
        if (grkan_operation_group_start(o, group) * o->inner % c->vector != 0)
            return false;
    return c->vector_groups == 1 || c->segments == 1;
}

/**
 * Thousandths of the threads that have elements: of all blocks' where the geometry is fixed, else of those that a compute
 * unit can hold. Blocks of less than half the preferred size count half, since each has a share in the grid reduction.
 * Negative for a cut that is not possible.
 */
static int64_t utilisation(const grkan_columns_request *r, const grkan_columns *c)
{
    const grkan_tuning *tuning = &r->tuning;
    const int64_t threads = c->tiles * c->segments * c->block;
    const int64_t vectors = larger(1, c->row_elements / c->vector);
    const int64_t of_blocks = (int64_t)((__int128)vectors * c->block_rows * 1000 / threads);
    const int64_t held = (int64_t)grkan_resident_blocks(tuning, c) * c->block;
    if (c->block_rows == 0 || !has_whole_vectors(r->operation, c))
        return -1;
    if (r->limits->is_fixed || tuning->occupancy == 0)
        return of_blocks;
    if (r->cut == GRKAN_CUT_ROWS && held > tuning->occupancy)
        return of_blocks / 2 * tuning->occupancy / held; /* threads have too few registers */
    return of_blocks * smaller(held, tuning->occupancy) / tuning->occupancy / (2 * c->block < tuning->block ? 2 : 1);
}

/** The best utilisation of all cuts; negative if there is none. */
static int64_t best_utilisation(const grkan_columns_request *r)
{
    const int limit = grkan_columns_most_threads(r);
    int64_t best = -1;
    cut by = first_cut(r);
    grkan_columns c;
    if (limit < least_step)
        return -1;
    do {
        c = columns_of(r, by);
        best = larger(best, utilisation(r, &c));
    } while (next_cut(r, limit, &c, &by));
    return best;
}

bool grkan_columns_exist(const grkan_columns_request *request)
{
    return best_utilisation(request) >= 0;
}

static grkan_status check_block(const grkan_columns_request *r)
{
    const int64_t room = grkan_bytes_for_threads(r->limits);
    const int least = least_step * bytes_of_thread(r);
    if (room < least)
        return grkan_fail(GRKAN_ERROR_UNSUPPORTED,
                          "a block of the device has %llu bytes of local memory; the operation needs at least %d",
                          (unsigned long long)r->limits->local_bytes,
                          least + (int)((int64_t)r->limits->local_bytes - room));
    if (grkan_columns_most_threads(r) < least_step)
        return grkan_fail(GRKAN_ERROR_UNSUPPORTED, "the device runs blocks of %d threads; expected at least %d",
                          r->limits->max_block, least_step);
    return GRKAN_SUCCESS;
}

grkan_status grkan_columns_make(const grkan_columns_request *r, grkan_columns *columns)
{
    const grkan_status status = check_block(r);
    if (status != GRKAN_SUCCESS)
        return status;
    const int limit = grkan_columns_most_threads(r);
    const int64_t best = best_utilisation(r);
    int64_t chosen_busy = 0;
    bool is_chosen = false;
    cut by = first_cut(r);
    grkan_columns c;
    do {
        c = columns_of(r, by);
        const int64_t own = utilisation(r, &c);
        const int64_t busy = c.tile_vectors * (int64_t)c.block_rows; /* no larger block for threads without elements */
        if (own >= 0 && own * 100 >= best * 98 &&
            (!is_chosen ||
             (abs(c.block - r->tuning.block) < abs(columns->block - r->tuning.block) && busy > chosen_busy))) {
            *columns = c;
            chosen_busy = busy;
            is_chosen = true;
        }
    } while (next_cut(r, limit, &c, &by));
    return is_chosen ? GRKAN_SUCCESS
                     : grkan_fail(GRKAN_ERROR_UNSUPPORTED, "no block of the device has whole vectors of %d groups",
                                  r->vector_groups);
}

bool grkan_has_whole_rows(const grkan_columns *c)
{
    return c->tiles == 1 && c->segments == 1;
}

int64_t grkan_tile_elements(const grkan_columns *c)
{
    return (int64_t)c->tile_vectors * c->vector;
}

/** Whether the tiles of a group that is cut into several have all of it between them, and each whole channels. */
static bool tiles_hold(const grkan_operation *o, const grkan_columns *c)
{
    const int64_t tile = c->segments > 1 ? c->inner : grkan_tile_elements(c);
    return c->tile_segments == 1 ||
           (c->tile_segments > 1 && c->tile_groups == 1 && c->vector_groups == 1 && tile % c->inner == 0 &&
            c->tile_segments * tile >= largest_group(o) && (c->tile_segments - 1) * tile < largest_group(o));
}

bool grkan_columns_hold(const grkan_operation *o, const grkan_columns *c)
{
    const int64_t smallest = c->group_size * c->inner;
    bool holds = c->block > 0 && c->block_rows > 0 && c->block_rows * c->tile_vectors <= c->block &&
                 c->tile_groups > 0 && c->tiles == ceil_div(o->groups, c->tile_groups) * c->tile_segments &&
                 (c->vector_groups == 1 || c->vector_groups == c->vector) && c->row_elements % c->vector == 0 &&
                 tiles_hold(o, c);
    if (c->vector_groups == 1)
        holds = holds && smallest % c->vector == 0 && (c->larger_groups == 0 || c->inner % c->vector == 0);
    if (c->segments > 1)
        holds = holds && c->tile_groups == 1 && c->vector_groups == 1;
    else if (c->tile_segments == 1)
        holds = holds && grkan_operation_group_start(o, c->tile_groups) * o->inner <= grkan_tile_elements(c);
    const int64_t step =
        c->tile_groups * (1 + c->tiles / c->tile_segments / 8); /* to the first group of another tile; not of each */
    for (int64_t group = 0; group < o->groups; group += step)
        holds = holds && grkan_operation_group_start(o, group) * o->inner % c->vector == 0;
    for (int thread = 0; thread < c->block; ++thread)
        holds = holds && (int64_t)thread * c->tile_inverse >> 31 == thread / c->tile_vectors;
    return holds;
}
