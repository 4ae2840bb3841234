/* SPDX-License-Identifier: Apache-2.0 */
/** @file tiling.c @brief From an operation to the geometry of its kernels and the size of its workspace. */
#include <limits.h>
#include <stdlib.h>

#include "internal.h"

enum {
    block_step = 32,             /* a multiple of common wave widths */
    fixed_preferred_block = 384, /* of the geometry that depends on the operation alone: measured on an H200 */
    fixed_block = 512,           /* likewise, at most */
    fixed_local_bytes = 32768,   /* likewise: local memory that every OpenCL 1.2 device has */
    flag_bytes = 64,             /* local memory for what a block agrees on, beside its sums */
    line_bytes = 128,            /* of local memory: queues start at a line */
    vector_bytes = 16,           /* widest access that devices have */
    flush_elements = 48,         /* chain of additions in one register; visits divide by those of a step */
    fixed_blocks = 528,          /* blocks of a geometry that depends on the operation alone */
    fixed_least_elements = 64,   /* of a thread, in that geometry */
    largest_workspace = 1 << 20  /* bytes; exceeded only if one part of a shared gradient per block needs more */
};

static int64_t ceil_div(int64_t a, int64_t b)
{
    return a / b + (a % b != 0);
}

/** What times_inverse of tile.h takes for a divisor. */
static unsigned int inverse_of(int64_t divisor)
{
    return (unsigned int)ceil_div(INT64_C(1) << 31, divisor);
}

static int64_t smaller(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

static int64_t larger(int64_t a, int64_t b)
{
    return a > b ? a : b;
}

/** Elements of the largest group within a row. */
static int64_t largest_group(const grkan_operation *o)
{
    return ceil_div(o->channels, o->groups) * o->inner;
}

/** The widest power of two of elements that fits in bytes and divides every group, so that chunks are of one. */
static int choose_vector(const grkan_operation *o, int bytes)
{
    const int64_t common = o->channels % o->groups == 0 ? largest_group(o) : o->inner;
    int vector = 1;
    while (vector * 2 * (int)grkan_dtype_bytes(o->dtype) <= bytes && common % (vector * 2) == 0)
        vector *= 2;
    return vector;
}

/** Set the fields of the horizontal cut for a block size, with at most so many groups side by side. */
static void cut_columns(const grkan_operation *o, int block, int64_t most_groups, grkan_tiling *t)
{
    const int64_t group_elements = larger(t->vector, largest_group(o));
    const int64_t fitting = block * t->vector / group_elements; /* groups side by side */
    t->block = block;
    if (fitting == 0) {
        t->span_groups = 1;
        t->folds = ceil_div(group_elements / t->vector, block);
        t->span_chunks = block;
        t->row_lanes = 1;
    } else {
        t->span_groups = smaller(most_groups, fitting);
        t->folds = 1;
        t->span_chunks = (int)larger(1, grkan_operation_group_start(o, t->span_groups) * o->inner / t->vector);
        t->row_lanes = block / t->span_chunks;
    }
    t->spans = (int)smaller(ceil_div(o->groups, t->span_groups), INT_MAX);
    t->span_inverse = inverse_of(t->span_chunks);
    t->tile_rows = o->inner > 0 ? o->outer * t->folds : 0;
}

int grkan_resident_blocks(const grkan_tuning *tuning, const grkan_tiling *t)
{
    return tuning->threads > t->block ? tuning->threads / t->block : 1;
}

/** Whether every span is whole chunks, where those may have elements of several groups. */
static bool has_whole_chunks(const grkan_operation *o, const grkan_tiling *t)
{
    for (int64_t group = t->span_groups; t->sets > 1 && group < o->groups; group += t->span_groups)
        if (grkan_operation_group_start(o, group) * o->inner % t->vector != 0)
            return false;
    return t->sets == 1 || t->folds == 1;
}

/**
 * Thousandths of the threads that have elements: of all blocks' where the geometry is fixed, else of those that a compute
 * unit can hold. Blocks of less than half the preferred size count half, since each has a part in the combination.
 * Negative for a cut that is not possible.
 */
static int64_t utilisation(const grkan_operation *o, const grkan_tuning *tuning, bool is_fixed, const grkan_tiling *t)
{
    const int64_t threads = (int64_t)t->spans * t->folds * t->block;
    const int64_t chunks = larger(1, o->channels * o->inner / t->vector);
    const int64_t of_blocks = (int64_t)((__int128)chunks * t->row_lanes * 1000 / threads);
    const int64_t held = (int64_t)grkan_resident_blocks(tuning, t) * t->block;
    if (!has_whole_chunks(o, t))
        return -1;
    if (is_fixed || tuning->threads == 0)
        return of_blocks;
    return of_blocks * smaller(held, tuning->threads) / tuning->threads / (2 * t->block < tuning->block ? 2 : 1);
}

/** How blocks may cut a row: their threads, and the groups that they have side by side. */
typedef struct block_cut {
    int block;
    int64_t groups;
} block_cut;

/** The next narrower cut, or the widest of the next block. @return whether there is one */
static bool next_cut(const grkan_operation *o, const grkan_tuning *tuning, int limit, const grkan_tiling *t,
                     block_cut *c)
{
    const int64_t group_bytes = largest_group(o) * (int64_t)grkan_dtype_bytes(o->dtype);
    c->groups = t->span_groups - 1;
    if (tuning->narrowest > 0 && c->groups > 0 && c->groups * group_bytes >= tuning->narrowest)
        return true;
    *c = (block_cut){c->block + block_step, o->groups};
    return c->block <= limit;
}

/** Local memory that is left for what each thread of a block has. */
static int64_t bytes_for_threads(const grkan_device_limits *limits)
{
    return (int64_t)limits->local_bytes - flag_bytes - (limits->has_queues ? line_bytes : 0);
}

/**
 * The cut with the best utilisation; among those within 2 % of it, the one with the block nearest to the preferred size,
 * and of these the widest. No larger block is taken for threads that have nothing to do. The block is 0 if there is none.
 */
static grkan_status choose_block(const grkan_operation *o, int coefficients, const grkan_device_limits *limits,
                                 const grkan_tuning *tuning, grkan_tiling *t)
{
    const int64_t scalar = (int64_t)grkan_coefficient_bytes(o->dtype);
    /* A thread's sums, and what it exchanges in the end, in the place of a queue with one chunk of x and of dy. */
    const int bytes =
        (int)(t->sets * coefficients * scalar + larger(2 * scalar, limits->has_queues ? 2 * vector_bytes : 0));
    const int64_t room = bytes_for_threads(limits);
    const int limit = (int)smaller(limits->max_block, room / bytes) / block_step * block_step;
    const block_cut first = {block_step, o->groups};
    block_cut chosen = {0, 0}, c;
    int64_t best = -1, chosen_busy = 0;
    if (room < (int64_t)block_step * bytes)
        return grkan_fail(GRKAN_ERROR_UNSUPPORTED,
                          "a block of the device has %llu bytes of local memory; the operation needs at least %d",
                          (unsigned long long)limits->local_bytes,
                          block_step * bytes + (int)((int64_t)limits->local_bytes - room));
    if (limit < block_step)
        return grkan_fail(GRKAN_ERROR_UNSUPPORTED, "the device runs blocks of %d threads; expected at least %d",
                          limits->max_block, block_step);
    c = first;
    do {
        cut_columns(o, c.block, c.groups, t);
        best = larger(best, utilisation(o, tuning, limits->is_fixed, t));
    } while (next_cut(o, tuning, limit, t, &c));
    c = first;
    do {
        cut_columns(o, c.block, c.groups, t);
        const bool is_nearer = abs(c.block - tuning->block) < abs(chosen.block - tuning->block);
        const int64_t busy = t->span_chunks * (int64_t)t->row_lanes;
        const int64_t own = utilisation(o, tuning, limits->is_fixed, t);
        if (own >= 0 && own * 100 >= best * 98 && (chosen.block == 0 || (is_nearer && busy > chosen_busy))) {
            chosen = c;
            chosen_busy = busy;
        }
    } while (next_cut(o, tuning, limit, t, &c));
    if (chosen.block > 0)
        cut_columns(o, chosen.block, chosen.groups, t);
    t->block = chosen.block;
    return GRKAN_SUCCESS;
}

/** Cut the tile rows into about `blocks / spans` stripes, at most `most`, with `least_elements` for a thread. */
static void cut_rows(int64_t blocks, int64_t most, int least_elements, bool interleaved, grkan_tiling *t)
{
    const int64_t visits = larger(1, ceil_div(t->tile_rows, t->row_lanes));
    const int64_t least = larger(1, least_elements / t->vector);
    const int64_t wanted = larger(1, smaller(smaller(blocks / t->spans, most), ceil_div(visits, least)));
    const int64_t run = ceil_div(visits, wanted) * t->row_lanes;
    t->stripes = (int)larger(1, ceil_div(t->tile_rows, run));
    t->stripe_stride = interleaved ? t->row_lanes : run;
    t->stripe_rows = interleaved ? t->tile_rows : run;
    t->row_step = interleaved ? t->stripes * t->row_lanes : t->row_lanes;
    t->most_visits = (int)ceil_div(smaller(t->stripe_rows, t->tile_rows), t->row_step);
    t->whole_stripes = interleaved ? 0 : t->stripes - 1;
    const int64_t before = t->whole_stripes * run, rows = t->tile_rows - before;
    t->fewer_visits = (int)(rows / t->row_step);
    t->more_rows = before + rows % t->row_step;
    t->step_folds = t->row_step % t->folds;
    t->step_elements = t->row_step / t->folds * t->row_elements + t->step_folds * t->block * t->vector;
    t->wrap_elements = t->row_elements - t->folds * t->block * t->vector;
}

static grkan_tiling start_tiling(const grkan_operation *o, int vector, int sets)
{
    const grkan_tiling t = {.row_elements = o->channels * o->inner,
                            .inner = o->inner,
                            .groups = o->groups,
                            .group_size = o->channels / o->groups,
                            .larger_groups = o->channels % o->groups,
                            .vector = vector,
                            .sets = sets,
                            .flush = flush_elements / vector,
                            .numerator_shared = o->numerator_groups == 1,
                            .denominator_shared = o->denominator_groups == 1};
    return t;
}

/** Row lanes that are left when those of a column are added: as many as each is the sum of, but in few threads of a block. */
static int kept_lanes_of(const grkan_tiling *t)
{
    enum { few_threads = 128 };
    int kept = 1;
    while (kept * kept < t->row_lanes && (kept + 1) * t->span_chunks <= few_threads)
        kept += 1;
    return kept;
}

/** Outputs of one of the gradients in a block, in threads, when each has 2^log2 slices. */
static int64_t slice_threads(const grkan_tiling *t, int coefficients, int shared, int log2)
{
    return (shared ? 1 : t->span_groups) * coefficients << log2;
}

/** Which threads have slices. An output's begin at a multiple of their number, those of the denominator's outputs too. */
static void place_slices(int numerator, int denominator, grkan_tiling *t)
{
    const int log2[2] = {t->slices_log2, t->shared_slices_log2};
    const int of_numerator = log2[t->numerator_shared], of_denominator = log2[t->denominator_shared];
    const int64_t start = slice_threads(t, numerator, t->numerator_shared, of_numerator);
    t->denominator_slices = (int)(ceil_div(start, INT64_C(1) << of_denominator) << of_denominator);
    t->all_slices = t->denominator_slices + (int)slice_threads(t, denominator, t->denominator_shared, of_denominator);
}

/**
 * Slices for the outputs of a block: twice as many where they shorten the longest sum most, until each loads its slots at
 * once, as far as there are threads. An output has at most as many as columns.
 */
static void choose_slices(int numerator, int denominator, grkan_tiling *t)
{
    const int64_t group_columns = t->group_size * t->inner * t->sets / t->vector;
    const int64_t last_groups = t->groups - (t->spans - 1) * t->span_groups;
    const int64_t slots = (int64_t)t->block * t->sets;
    const int64_t columns[2] = {smaller(group_columns, slots), smaller(last_groups * group_columns, slots)};
    int *const log2[2] = {&t->slices_log2, &t->shared_slices_log2};
    int can_grow[2] = {!t->numerator_shared || !t->denominator_shared, t->numerator_shared || t->denominator_shared};
    while (can_grow[0] || can_grow[1]) {
        const int longer = can_grow[0] && (!can_grow[1] || columns[0] >> *log2[0] >= columns[1] >> *log2[1]) ? 0 : 1;
        const bool is_short = columns[longer] * t->kept_lanes <= (int64_t)SLICE_BATCH << *log2[longer];
        *log2[longer] += 1;
        place_slices(numerator, denominator, t);
        if (is_short || t->all_slices > t->block || 1 << *log2[longer] > MOST_SLICES ||
            columns[longer] >> *log2[longer] == 0) {
            *log2[longer] -= 1;
            can_grow[longer] = 0;
        }
    }
    place_slices(numerator, denominator, t);
}

/** Parts of one gradient in the workspace when the tensor is cut into stripes. */
static int64_t parts_of(const grkan_tiling *t, int shared, int64_t stripes)
{
    return shared ? stripes * t->spans : stripes;
}

static int64_t part_bytes(const grkan_operation *o, int64_t parts, int64_t groups, int coefficients)
{
    return parts > 1 ? parts * groups * coefficients * (int64_t)grkan_coefficient_bytes(o->dtype) : 0;
}

static void size_workspace(const grkan_options *options, grkan_plan_data *plan)
{
    const grkan_operation *o = &plan->operation;
    const grkan_tiling *t = &plan->backward;
    const int has_parts = options->strategy == GRKAN_STRATEGY_TREE;
    plan->numerator_parts = has_parts ? parts_of(t, t->numerator_shared, t->stripes) : 1;
    plan->denominator_parts =
        has_parts && plan->denominator_coefficients > 0 ? parts_of(t, t->denominator_shared, t->stripes) : 1;
    const int64_t bytes = part_bytes(o, plan->numerator_parts, o->numerator_groups, o->numerator_degree + 1) +
                          part_bytes(o, plan->denominator_parts, o->denominator_groups, plan->denominator_coefficients);
    plan->workspace_bytes = bytes > 0 ? (size_t)bytes + GRKAN_WORKSPACE_COUNTER_BYTES : 0;
}

/** Threads that share the sum of a number over its parts, if each may have so many of them. */
static int64_t lanes_of(int64_t parts, int64_t parts_for_each)
{
    return parts > 1 ? ceil_div(parts, parts_for_each) : 0;
}

/** Lanes of a combination: as many as let a thread load its parts at once, if a block has threads for all numbers then. */
static void choose_lanes(grkan_plan_data *plan)
{
    const grkan_operation *o = &plan->operation;
    grkan_tiling *const t = &plan->backward;
    const int64_t numerator = o->numerator_groups * (o->numerator_degree + 1);
    const int64_t denominator = o->denominator_groups * plan->denominator_coefficients;
    const int64_t most_parts = larger(plan->numerator_parts, plan->denominator_parts);
    int64_t parts_for_each = larger(COMBINE_PARTS, ceil_div(most_parts, MOST_COMBINE_LANES));
    while (numerator * lanes_of(plan->numerator_parts, parts_for_each) +
                   denominator * lanes_of(plan->denominator_parts, parts_for_each) >
               t->block &&
           parts_for_each < most_parts)
        parts_for_each += 1;
    t->numerator_width = (int)smaller(numerator, INT_MAX);
    t->denominator_width = (int)smaller(denominator, INT_MAX);
    t->numerator_lanes = (int)lanes_of(plan->numerator_parts, parts_for_each);
    t->denominator_lanes = (int)lanes_of(plan->denominator_parts, parts_for_each);
    t->numerator_inverse = t->numerator_lanes > 1 ? inverse_of(numerator) : 0;
    t->denominator_inverse = t->denominator_lanes > 1 ? inverse_of(denominator) : 0;
}

/** Stripes that keep the workspace within its limit. */
static int64_t most_stripes(const grkan_plan_data *plan, const grkan_tiling *t)
{
    const grkan_operation *o = &plan->operation;
    const int64_t two =
        part_bytes(o, parts_of(t, t->numerator_shared, 2), o->numerator_groups, o->numerator_degree + 1) +
        part_bytes(o, parts_of(t, t->denominator_shared, 2), o->denominator_groups, plan->denominator_coefficients);
    return (largest_workspace - (int64_t)GRKAN_WORKSPACE_COUNTER_BYTES) * 2 / larger(1, two);
}

/** Blocks of a device's own geometry. */
static int64_t blocks_of_device(const grkan_device_limits *limits, const grkan_tiling *t, const grkan_tuning *tuning)
{
    return limits->is_fixed ? fixed_blocks
                            : (int64_t)limits->compute_units * grkan_resident_blocks(tuning, t) * tuning->rounds;
}

/** A thread's registers, of 32 bits: for `kept` scalars all along, and `beside` others. */
static int64_t registers_of(const grkan_operation *o, int kept, int beside)
{
    return kept * (int64_t)grkan_coefficient_bytes(o->dtype) / 4 + beside;
}

/**
 * Threads that have so many registers. Those come in eights, and a compute unit's four parts have a quarter each, so that
 * the waves of 32 threads of one part decide.
 */
static int64_t threads_with(int64_t all_registers, int64_t registers)
{
    enum { register_step = 8, thread_step = 4 * 32 };
    return all_registers / (ceil_div(registers, register_step) * register_step) / thread_step * thread_step;
}

static bool has_registers(const grkan_device_limits *limits, const grkan_tuning *tuning, int64_t registers)
{
    return limits->registers == 0 || tuning->threads <= threads_with(limits->registers, registers);
}

/** No more threads than have so many registers. */
static grkan_tuning within_registers(const grkan_device_limits *limits, grkan_tuning tuning, int64_t registers)
{
    if (!has_registers(limits, &tuning, registers))
        tuning.threads = (int32_t)threads_with(limits->registers, registers);
    return tuning;
}

/** Bytes that a thread loads at once. */
static int chunk_bytes(const grkan_operation *o, const grkan_tiling *t)
{
    return t->vector * (int)grkan_dtype_bytes(o->dtype);
}

/** The tuning of backward, which keeps each set's coefficients and their sums in registers. */
static grkan_tuning backward_tuning_of(const grkan_device_limits *limits, const grkan_operation *o,
                                       const grkan_tiling *t, int coefficients)
{
    /* With less beside, loops spill; where degrees are high, that costs less than fewer threads do
       (docs/notebook/nvidia.md). */
    enum { beside = 42, least_beside = 34 };
    const int kept = 2 * t->sets * coefficients;
    const grkan_tunings *const all = &limits->tunings;
    const bool is_16_bit = grkan_dtype_bytes(o->dtype) == 2;
    const grkan_tuning *tuning = is_16_bit ? &all->backward_16_bit : &all->backward;
    if (is_16_bit ? t->sets > 1 : chunk_bytes(o, t) < vector_bytes)
        tuning = &all->backward_narrow;
    else if (!is_16_bit && !has_registers(limits, tuning, registers_of(o, kept, beside)))
        tuning = &all->backward_large;
    return within_registers(limits, *tuning, registers_of(o, kept, least_beside));
}

/** The tuning of forward, which keeps coefficients, and the chunks of a step where they are too narrow for a queue. */
static grkan_tuning forward_tuning_of(const grkan_device_limits *limits, const grkan_operation *o,
                                      const grkan_tiling *t, int coefficients)
{
    enum { beside = 46, chunks_among_them = 8 };
    const grkan_tunings *const all = &limits->tunings;
    const bool is_wide = chunk_bytes(o, t) * 2 >= vector_bytes;
    const grkan_tuning *const tuning =
        grkan_dtype_bytes(o->dtype) == 2 && is_wide ? &all->forward_16_bit : &all->forward;
    const int more_chunks = (int)larger(0, tuning->step / t->vector - chunks_among_them);
    return within_registers(limits, *tuning, registers_of(o, coefficients, beside + more_chunks));
}

/** Shorten the queue until local memory holds it beside the sums: fewer steps ahead, then smaller steps. */
static void fit_queue(const grkan_device_limits *limits, const grkan_operation *o, int tensors, int sums,
                      const grkan_tiling *t, grkan_tuning *tuning)
{
    const int64_t scalar = (int64_t)grkan_coefficient_bytes(o->dtype);
    const int64_t chunks = (int64_t)grkan_dtype_bytes(o->dtype) * tensors * t->block;
    const int64_t room = bytes_for_threads(limits) - t->block * sums * scalar;
    while (limits->has_queues && tuning->ahead * larger(t->vector, tuning->step * 4 / scalar) * chunks > room &&
           tuning->ahead + tuning->step > 2) {
        if (tuning->ahead > 1)
            tuning->ahead -= 1;
        else
            tuning->step /= 2;
    }
}

/** What plans that keep their bits on every device have in the place of a device's limits. */
static grkan_device_limits fixed_limits(const grkan_device_limits *limits)
{
    grkan_device_limits own = *limits;
    own.max_block = fixed_block;
    own.local_bytes = fixed_local_bytes;
    own.has_queues = 0;
    own.max_vector_bytes = vector_bytes;
    own.least_elements = fixed_least_elements;
    own.is_fixed = 1;
    return own;
}

/** Blocks, and how they cut rows, for chunks of so many sets; blocks of 0 threads where there is no such cut. */
static grkan_status cut_passes(const grkan_device_limits *limits, const grkan_device_limits *of_backward, int sets,
                               grkan_plan_data *plan)
{
    const grkan_operation *o = &plan->operation;
    const bool same_everywhere = plan->options.determinism == GRKAN_DEVICE_TO_DEVICE;
    const int coefficients = o->numerator_degree + 1 + plan->denominator_coefficients;
    const grkan_tuning fixed = {.block = fixed_preferred_block};
    plan->backward = start_tiling(o, sets > 1 ? sets : choose_vector(o, of_backward->max_vector_bytes), sets);
    plan->forward = start_tiling(o, sets > 1 ? sets : choose_vector(o, limits->max_vector_bytes), sets);
    plan->backward_tuning = backward_tuning_of(limits, o, &plan->backward, coefficients);
    plan->forward_tuning = forward_tuning_of(limits, o, &plan->forward, sets * coefficients);
    const grkan_status status =
        choose_block(o, coefficients, of_backward, same_everywhere ? &fixed : &plan->backward_tuning, &plan->backward);
    /* Forward has no sums, so its bits do not depend on the geometry. */
    return status == GRKAN_SUCCESS ? choose_block(o, 0, limits, &plan->forward_tuning, &plan->forward) : status;
}

/** Pairs of 16-bit elements, where groups allow single ones only: accesses of 2 bytes use half of what memory can do. */
static bool wants_pairs(const grkan_device_limits *limits, const grkan_plan_data *plan)
{
    const grkan_operation *o = &plan->operation;
    return plan->options.determinism != GRKAN_DEVICE_TO_DEVICE && grkan_dtype_bytes(o->dtype) == 2 &&
           limits->max_vector_bytes >= 4 && choose_vector(o, 4) == 1 && o->channels * o->inner % 2 == 0;
}

grkan_status grkan_plan_tile(const grkan_device_limits *limits, grkan_plan_data *plan)
{
    const grkan_operation *o = &plan->operation;
    const bool same_everywhere = plan->options.determinism == GRKAN_DEVICE_TO_DEVICE;
    const int numerator = o->numerator_degree + 1, denominator = plan->denominator_coefficients;
    const grkan_device_limits own = same_everywhere ? fixed_limits(limits) : *limits;
    grkan_tiling *const forward = &plan->forward, *const backward = &plan->backward;
    grkan_status status = GRKAN_SUCCESS;

    forward->block = backward->block = 0;
    if (wants_pairs(limits, plan))
        status = cut_passes(limits, &own, 2, plan);
    if (status != GRKAN_SUCCESS || forward->block == 0 || backward->block == 0)
        status = cut_passes(limits, &own, 1, plan);
    if (status != GRKAN_SUCCESS)
        return status;
    if (forward->spans == INT_MAX || backward->spans == INT_MAX)
        return grkan_fail(GRKAN_ERROR_UNSUPPORTED,
                          "operation.groups is %lld; blocks of this device are enough for %lld", (long long)o->groups,
                          (long long)(INT_MAX - 1) * backward->span_groups);
    if (backward->block > limits->max_block)
        return grkan_fail(GRKAN_ERROR_UNSUPPORTED,
                          "device_to_device needs blocks of %d threads here; the device runs at most %d",
                          backward->block, limits->max_block);
    plan->last_block_combines = limits->last_block_combines;
    fit_queue(limits, o, 1, 0, forward, &plan->forward_tuning);
    fit_queue(limits, o, 2, backward->sets * (numerator + denominator), backward, &plan->backward_tuning);
    cut_rows(blocks_of_device(limits, forward, &plan->forward_tuning), INT64_MAX, limits->least_elements,
             !limits->is_fixed, forward);
    cut_rows(blocks_of_device(&own, backward, &plan->backward_tuning), most_stripes(plan, backward), own.least_elements,
             !limits->is_fixed || same_everywhere, backward);
    backward->kept_lanes = kept_lanes_of(backward);
    choose_slices(numerator, denominator, backward);
    size_workspace(&plan->options, plan);
    choose_lanes(plan);
    return GRKAN_SUCCESS;
}
