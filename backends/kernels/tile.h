/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file tile.h
 * @brief Where a thread works, and how the sums of threads become gradients. Geometry: grkan/tiling.h.
 *
 * The accumulation has four levels, each with a fixed order, so that the bits of a gradient depend on the geometry
 * alone: a thread's registers (at most `flush` visits), its second-level sums in shared memory (slots), the block's
 * outputs, and the parts that blocks leave in the workspace. The last two are summed in pairs (sums.h).
 *
 * A block runs in phases with a barrier after each: slots are filled; those of a column are added over its row lanes;
 * several threads per output sum a slice of them each; the first of them adds the slices and delivers; the last two again
 * where a block has not threads enough for all outputs at once. The cpu runs the same phases as loops.
 */
#include "launch.h"

/* A dialect gives TILE_FOLDS(t), TILE_VECTOR(t), TILE_SETS(t) and, where sums are, TILE_BLOCK(t): constants in
   specialised kernels. */

/** As SLICE_BATCH: slots of a column, and parts in the workspace, of which a dialect may have more. */
#define LANE_BATCH 4
#ifndef COMBINE_BATCH
#define COMBINE_BATCH 12
#endif

/* Values of grkan_strategy. */
#define STRATEGY_ELEMENT 1
#define STRATEGY_BLOCK 2
#define STRATEGY_TREE 3

DEVICE grkan_int64 smaller(grkan_int64 a, grkan_int64 b)
{
    return a < b ? a : b;
}

/** Of numbers that are not negative, which takes a GPU half the instructions. */
DEVICE int quotient_of(int dividend, int divisor)
{
    return (int)((unsigned int)dividend / (unsigned int)divisor);
}

/** First element of a group within a row: groups are split as numpy.array_split does. */
DEVICE grkan_int64 group_start(const grkan_tiling *t, grkan_int64 group)
{
    return (group * t->group_size + smaller(group, t->larger_groups)) * t->inner;
}

/** The part of the tensor that a block works on. */
typedef struct tile {
    grkan_int64 stripe;
    grkan_int64 span;
    grkan_int64 first_group;
    grkan_int64 end_group;
    grkan_int64 start;  /* first element of the span within a row */
    grkan_int64 chunks; /* of the span within a row */
    grkan_int64 first_row;
    grkan_int64 rows; /* tile rows from there to the stripe's end */
} tile;

DEVICE tile tile_of_block(const grkan_tiling *t, grkan_int64 block_index)
{
    tile b;
    if (t->spans == 1) { /* spares most layers a few hundred cycles of 64-bit arithmetic */
        b.stripe = block_index;
        b.span = 0;
        b.first_group = 0;
        b.end_group = t->groups;
        b.start = 0;
        b.chunks = t->row_elements / TILE_VECTOR(t);
    } else {
        b.stripe = block_index / t->spans;
        b.span = block_index - b.stripe * t->spans;
        b.first_group = b.span * t->span_groups;
        b.end_group = smaller(b.first_group + t->span_groups, t->groups);
        b.start = group_start(t, b.first_group);
        b.chunks = (group_start(t, b.end_group) - b.start) / TILE_VECTOR(t);
    }
    b.first_row = b.stripe * t->stripe_stride;
    b.rows = smaller(b.first_row + t->stripe_rows, t->tile_rows) - b.first_row;
    return b;
}

/** A thread of a block: its chunk column, and how often it visits a tile row. */
typedef struct place {
    int column;
    int row_lane;
    int visits; /* 0 for a thread with nothing to do */
} place;

/** The group of an element of a span. One of several groups has a few thousand elements at most, so int is enough. */
DEVICE grkan_int64 group_of(const grkan_tiling *t, const tile *b, int element)
{
    const int size = (int)(t->group_size * t->inner);
    const int larger = size + (int)t->inner;
    const grkan_int64 left = t->larger_groups - b->first_group; /* larger ones from this span on */
    const int larger_groups = left < 0 ? 0 : (int)smaller(left, t->span_groups);
    const int rest = element - larger_groups * larger; /* from the first group of the smaller ones */
    const int quotient = quotient_of(rest < 0 ? element : rest, rest < 0 ? larger : size);
    return b->first_group + (t->span_groups == 1 ? 0 : rest < 0 ? quotient : larger_groups + quotient);
}

/** Visits of a row lane: most_visits, or one less where stripes are interleaved. 64-bit divisions are slow on GPUs. */
DEVICE int visits_of(const grkan_tiling *t, const tile *b, int row_lane)
{
    const grkan_int64 rows = b->rows - row_lane;
    const grkan_int64 to_last = (t->most_visits - 1) * t->row_step; /* rows from the first visit to the last */
    if (rows > to_last)
        return t->most_visits;
    if (rows > to_last - t->row_step)
        return t->most_visits - 1;
    return rows <= 0 ? 0 : (int)((rows + t->row_step - 1) / t->row_step); /* the last one of stripes that are runs */
}

DEVICE place place_of_thread(const grkan_tiling *t, const tile *b, int thread)
{
    place p;
    p.row_lane = TILE_FOLDS(t) > 1 ? 0 : quotient_of(thread, t->span_chunks);
    p.column = thread - p.row_lane * t->span_chunks;
    p.visits = p.row_lane < t->row_lanes && p.column < b->chunks ? visits_of(t, b, p.row_lane) : 0;
    return p;
}

/** The group of an element of a thread's chunks: of each `sets`-th one from there. */
DEVICE grkan_int64 group_in_chunk(const grkan_tiling *t, const tile *b, const place *p, int set)
{
    return p->visits == 0 ? b->first_group : group_of(t, b, p->column * TILE_VECTOR(t) + set);
}

/** The chunk of one visit. */
typedef struct cursor {
    grkan_int64 element; /* first element of the chunk, from the start of the tensor */
    grkan_int64 fold;
} cursor;

DEVICE cursor cursor_at(const grkan_tiling *t, const tile *b, const place *p, int visit)
{
    cursor c;
    const grkan_int64 row = b->first_row + p->row_lane + (grkan_int64)visit * t->row_step;
    const grkan_int64 outer = TILE_FOLDS(t) > 1 ? row / TILE_FOLDS(t) : row;
    c.fold = row - outer * TILE_FOLDS(t);
    c.element = outer * t->row_elements + b->start + (c.fold * t->block + p->column) * TILE_VECTOR(t);
    return c;
}

/** To the next visit. */
DEVICE void cursor_advance(const grkan_tiling *t, cursor *c)
{
    grkan_int64 step = t->step_elements;
    if (TILE_FOLDS(t) > 1) {
        c->fold += t->step_folds;
        if (c->fold >= TILE_FOLDS(t)) {
            c->fold -= TILE_FOLDS(t);
            step += t->wrap_elements;
        }
    }
    c->element += step;
}

/** Chunks of this tile row from the thread's own to the end of the span: none beyond the end of a folded group. */
DEVICE grkan_int64 chunks_left(const grkan_tiling *t, const tile *b, const place *p, const cursor *c)
{
    return b->chunks - p->column - (TILE_FOLDS(t) > 1 ? c->fold * t->block : 0);
}

/** One of the gradients: which coefficient, summed over which groups. */
typedef struct output {
    int coefficient; /* 0..m for the numerator, then the denominator's */
    int in_denominator;
    int shared;
    grkan_int64 group; /* the first one when shared */
} output;

/** How many gradients of the numerator these groups have. */
DEVICE int numerator_outputs(const grkan_tiling *t, rational kind, grkan_int64 groups)
{
    return (t->numerator_shared ? 1 : (int)groups) * (kind.m + 1);
}

DEVICE int denominator_outputs(const grkan_tiling *t, rational kind, grkan_int64 groups)
{
    return (t->denominator_shared ? 1 : (int)groups) * denominator_count(kind);
}

/** Outputs are ordered [numerator: group][m + 1], then [denominator: group][count]. */
DEVICE output output_at(const grkan_tiling *t, rational kind, grkan_int64 first_group, grkan_int64 groups, int index)
{
    output o;
    const int numerator = kind.m + 1;
    const int of_numerator = numerator_outputs(t, kind, groups);
    o.in_denominator = index >= of_numerator;
    if (o.in_denominator) {
        const int count = denominator_count(kind);
        const int rest = index - of_numerator;
        o.shared = t->denominator_shared;
        o.group = first_group + rest / count;
        o.coefficient = numerator + rest % count;
    } else {
        o.shared = t->numerator_shared;
        o.group = first_group + index / numerator;
        o.coefficient = index % numerator;
    }
    return o;
}

DEVICE int output_count(const grkan_tiling *t, rational kind, grkan_int64 groups)
{
    return numerator_outputs(t, kind, groups) + denominator_outputs(t, kind, groups);
}

/** The gradients, the coefficients whose signs they need, and the workspace. Offsets are already added. */
typedef struct gradients {
    GLOBAL const scalar *denominator;
    GLOBAL scalar *dnumerator;
    GLOBAL scalar *ddenominator;
    GLOBAL scalar *parts;          /* the workspace behind its counters */
    grkan_int64 numerator_parts;   /* 1: the only block of an output writes the gradient itself */
    grkan_int64 denominator_parts; /* likewise */
    int strategy;
    int add; /* add to the gradients instead of overwriting them */
} gradients;

/** Where an output lies in its gradient (and in one part): [group or 0][coefficient]. */
DEVICE grkan_int64 output_position(rational kind, output o)
{
    const grkan_int64 group = o.shared ? 0 : o.group;
    return o.in_denominator ? group * denominator_count(kind) + o.coefficient - (kind.m + 1)
                            : group * (kind.m + 1) + o.coefficient;
}

/** The parts of an output: part p is at position + p * width. */
DEVICE grkan_int64 part_width(const grkan_tiling *t, rational kind, output o)
{
    return o.in_denominator ? (t->denominator_shared ? 1 : t->groups) * denominator_count(kind)
                            : (t->numerator_shared ? 1 : t->groups) * (kind.m + 1);
}

DEVICE GLOBAL scalar *output_parts(const grkan_tiling *t, rational kind, const gradients *g, output o)
{
    GLOBAL scalar *parts = g->parts + output_position(kind, o);
    if (o.in_denominator && g->numerator_parts > 1)
        parts += g->numerator_parts * (t->numerator_shared ? 1 : t->groups) * (kind.m + 1);
    return parts;
}

/** Whether an output has the factor sign(b_j) = -1 of abs_terms, which every element of the group shares. */
DEVICE int is_negative(rational kind, const gradients *g, output o)
{
    return o.in_denominator && kind.form == FORM_ABS_TERMS && g->denominator[output_position(kind, o)] < 0;
}

/** Where an output is in the end. */
DEVICE GLOBAL scalar *gradient_of(rational kind, const gradients *g, output o)
{
    return (o.in_denominator ? g->ddenominator : g->dnumerator) + output_position(kind, o);
}

/** The end of an output: into the gradient, overwriting or adding. */
DEVICE void finish(rational kind, const gradients *g, output o, pair sum)
{
    GLOBAL scalar *gradient = gradient_of(kind, g, o);
    if (g->add)
        sum = pair_add(sum, *gradient);
    *gradient = pair_value(sum);
}

/** The end of a block's output: atomically into the gradient, straight into it, or into the workspace. */
DEVICE void deliver(const grkan_tiling *t, rational kind, const gradients *g, const tile *b, output o, pair sum)
{
    if (g->strategy == STRATEGY_BLOCK) {
        ATOMIC_ADD(gradient_of(kind, g, o), pair_value(sum));
    } else if ((o.in_denominator ? g->denominator_parts : g->numerator_parts) == 1) {
        finish(kind, g, o, sum);
    } else {
        const grkan_int64 part = o.shared ? b->stripe * t->spans + b->span : b->stripe;
        output_parts(t, kind, g, o)[part * part_width(t, kind, o)] = pair_value(sum);
    }
}

/** The columns of slots of a block that an output sums: `sets` for each column of chunks. */
typedef struct column_range {
    int first;
    int end;
} column_range;

DEVICE column_range columns_of_output(const grkan_tiling *t, const tile *b, output o)
{
    const int slot = TILE_VECTOR(t) / TILE_SETS(t); /* elements of a row that one sums */
    column_range columns;
    columns.first = 0;
    columns.end = (int)smaller(b->chunks, TILE_BLOCK(t)) * TILE_SETS(t);
    if (!o.shared && t->span_groups > 1) { /* a few thousand elements, see group_of */
        const int group = (int)(o.group - b->first_group);
        const grkan_int64 left = smaller(t->larger_groups, b->end_group) - b->first_group;
        const int larger = left < 0 ? 0 : (int)left; /* groups of the span with one channel more */
        const int start = group * (int)t->group_size + (group < larger ? group : larger);
        const int size = (int)t->group_size + (group < larger ? 1 : 0);
        columns.first = start * (int)t->inner / slot;
        columns.end = columns.first + size * (int)t->inner / slot;
    }
    return columns;
}

/**
 * The first sum of a block: each column's over its row lanes, until kept_lanes of them are left, which have the sums. The
 * threads of a column share its coefficients, so each has about as many slots as a thread has sums. @param count of those
 */
DEVICE void add_row_lanes(const grkan_tiling *t, int count, int thread, SHARED scalar *slots)
{
    const int first = quotient_of(thread, t->span_chunks);
    const int column = thread - first * t->span_chunks;
    const int step = t->kept_lanes * t->span_chunks * TILE_SETS(t);
    int sum = first < t->row_lanes ? first : count * t->kept_lanes;
    for (; sum < count * t->kept_lanes; sum += t->row_lanes) {
        const int kept = quotient_of(sum, count);
        SHARED scalar *const slot = slots + (sum - kept * count) * TILE_BLOCK(t) * TILE_SETS(t) +
                                    (kept * t->span_chunks + column) * TILE_SETS(t);
        for (int set = 0; set < TILE_SETS(t); ++set) {
            scalar total = 0;
            int at = set;
            for (int left = t->row_lanes - kept; left > 0; left -= LANE_BATCH * t->kept_lanes) {
                scalar batch[LANE_BATCH];
                UNROLL
                for (int i = 0; i < LANE_BATCH; ++i) {
                    batch[i] = left > i * t->kept_lanes ? slot[at] : 0;
                    at += step;
                }
                UNROLL
                for (int i = 0; i < LANE_BATCH; ++i)
                    total = total + batch[i];
            }
            slot[set] = total;
        }
    }
}

/**
 * One slice of an output of a block. Its slots are those of its groups' columns, row lane by row lane; a slice has every
 * `slices`-th of them. There are at most as many slices as columns.
 */
DEVICE pair sum_slice(const grkan_tiling *t, column_range columns, output o, int slice, int slices,
                      SHARED const scalar *slots)
{
    const int width = columns.end - columns.first;
    int column = slice;
    int at = o.coefficient * TILE_BLOCK(t) * TILE_SETS(t) + columns.first + slice;
    int left = width * t->kept_lanes - slice;
    pair sum = pair_zero();
    while (left > 0) {
        scalar batch[SLICE_BATCH];
        UNROLL
        for (int i = 0; i < SLICE_BATCH; ++i) {
            batch[i] = left > 0 ? slots[at] : 0;
            left -= slices;
            column += slices;
            at += slices;
            if (column >= width) { /* on to the next row lane */
                column -= width;
                at += t->span_chunks * TILE_SETS(t) - width;
            }
        }
        UNROLL
        for (int i = 0; i < SLICE_BATCH; ++i)
            sum = pair_add(sum, batch[i]);
    }
    return sum;
}

/** Of which output a thread sums which slice. An output's slices are neighbours. */
typedef struct slice_place {
    int exists;
    int index; /* of the output within the block; of any output for a thread that has none */
    int slice;
    int slices;
} slice_place;

/** Logarithm of the slices of an output. */
DEVICE int slices_log2_of(const grkan_tiling *t, int shared)
{
    return shared ? t->shared_slices_log2 : t->slices_log2;
}

/** Threads for the numerator's outputs, up to where the slices of a denominator's output cannot fall into two rounds. */
DEVICE int numerator_slices(const grkan_tiling *t, rational kind, int groups)
{
    const int slices = numerator_outputs(t, kind, groups) << slices_log2_of(t, t->numerator_shared);
    return (slices + MOST_SLICES - 1) / MOST_SLICES * MOST_SLICES;
}

/** Slices of all outputs of a block, some of which do not exist. */
DEVICE int block_slices(const grkan_tiling *t, rational kind, int groups)
{
    return numerator_slices(t, kind, groups) +
           (denominator_outputs(t, kind, groups) << slices_log2_of(t, t->denominator_shared));
}

DEVICE slice_place slice_of_thread(const grkan_tiling *t, rational kind, int groups, int thread)
{
    slice_place p;
    const int numerator = numerator_outputs(t, kind, groups);
    const int rest = thread - numerator_slices(t, kind, groups);
    const int log2 = slices_log2_of(t, rest < 0 ? t->numerator_shared : t->denominator_shared);
    const int own = rest < 0 ? thread : rest;
    p.slices = 1 << log2;
    p.slice = own & (p.slices - 1);
    p.index = (own >> log2) + (rest < 0 ? 0 : numerator);
    p.exists = rest < 0 ? p.index < numerator : thread < block_slices(t, kind, groups);
    if (!p.exists)
        p.index = 0;
    return p;
}

/** count pairs that lie one behind the other. */
DEVICE pair sum_exchanged(SHARED const scalar *exchange, int count)
{
    pair sum = pair_zero();
    NO_UNROLL
    for (int first = 0; first < count; first += SLICE_BATCH) {
        pair batch[SLICE_BATCH];
        UNROLL
        for (int i = 0; i < SLICE_BATCH; ++i) {
            batch[i].high = first + i < count ? exchange[2 * (first + i)] : 0;
            batch[i].low = first + i < count ? exchange[2 * (first + i) + 1] : 0;
        }
        UNROLL
        for (int i = 0; i < SLICE_BATCH; ++i) {
            sum = pair_add(sum, batch[i].high);
            sum.low = sum.low + batch[i].low;
        }
    }
    return sum;
}

/** Parts of an output that wait in the workspace; 0 when it is done already. */
DEVICE grkan_int64 parts_waiting(const gradients *g, output o)
{
    const grkan_int64 parts = o.in_denominator ? g->denominator_parts : g->numerator_parts;
    return parts > 1 ? parts : 0;
}

/** Combine, phase 1: one lane of an output, every combine_lanes-th part. */
DEVICE pair sum_parts(const grkan_tiling *t, rational kind, const gradients *g, output o, int lane)
{
    const int width = (int)part_width(t, kind, o);
    const int step = width * t->combine_lanes;
    GLOBAL const scalar *const parts = output_parts(t, kind, g, o);
    unsigned int at = (unsigned int)(lane * width);
    pair sum = pair_zero();
    for (int left = (int)parts_waiting(g, o) - lane; left > 0; left -= COMBINE_BATCH * t->combine_lanes) {
        scalar batch[COMBINE_BATCH];
        UNROLL
        for (int i = 0; i < COMBINE_BATCH; ++i) {
            batch[i] = left > i * t->combine_lanes ? parts[at] : 0;
            at += (unsigned int)step;
        }
        UNROLL
        for (int i = 0; i < COMBINE_BATCH; ++i)
            sum = pair_add(sum, batch[i]);
    }
    return sum;
}
