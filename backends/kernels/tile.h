/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file tile.h
 * @brief Where a thread works, and how the sums of threads become gradients. Geometry: tiling.h.
 *
 * The accumulation has four levels, each with a fixed order, so that the bits of a gradient depend on the geometry
 * alone: a thread's registers (at most `flush` visits), its second-level sums in shared memory (slots), the block's
 * outputs, and the parts that blocks leave in the workspace. The last two are summed two by two, in chains of a few.
 *
 * A block runs in phases with a barrier after each: slots are filled; those of a column are added over its row lanes;
 * several threads per output sum a slice of them each; one adds the slices and delivers; the last two again where a block
 * has not threads enough for all outputs at once. The cpu runs the same phases as loops.
 */
#include "launch.h"

/* A dialect gives TILE_FOLDS(t), TILE_VECTOR(t), TILE_SETS(t) and, where sums are, TILE_BLOCK(t): constants in
   specialised kernels. HIDE(value) is the value, of which a compiler may not see how it was computed. */

/** As SLICE_BATCH: parts in the workspace, a multiple of 12, so that the additions are everywhere the same. */
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

/** A quotient by the divisor's inverse, 2^31 / divisor rounded up: right while dividend * divisor is less than 2^31. */
DEVICE int times_inverse(int dividend, unsigned int inverse)
{
    return (int)((grkan_int64)(unsigned int)dividend * inverse >> 31);
}

/** First element of a group within a row: groups are split as numpy.array_split does. */
DEVICE grkan_int64 group_start(const grkan_tiling *t, grkan_int64 group)
{
    return (group * t->group_size + smaller(group, t->larger_groups)) * t->inner;
}

/** The part of the tensor that a block works on. */
typedef struct tile {
    int stripe;
    int span;
    grkan_int64 first_group;
    grkan_int64 end_group;
    grkan_int64 start;  /* first element of the span within a row */
    grkan_int64 chunks; /* of the span within a row */
    grkan_int64 first_row;
    grkan_int64 rows; /* tile rows from there to the stripe's end */
} tile;

DEVICE tile tile_of_block(const grkan_tiling *t, int block_index)
{
    tile b;
    if (t->spans == 1) { /* spares most layers much 64-bit arithmetic */
        b.stripe = block_index;
        b.span = 0;
        b.first_group = 0;
        b.end_group = t->groups;
        b.start = 0;
        b.chunks = TILE_FOLDS(t) > 1 ? t->row_elements / TILE_VECTOR(t) : t->span_chunks;
    } else {
        b.stripe = quotient_of(block_index, t->spans);
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

/** Visits of a row lane. */
DEVICE int visits_of(const grkan_tiling *t, const tile *b, int row_lane)
{
    if (b->stripe < t->whole_stripes)
        return t->most_visits;
    return t->fewer_visits + (b->first_row + row_lane < t->more_rows ? 1 : 0);
}

DEVICE place place_of_thread(const grkan_tiling *t, const tile *b, int thread)
{
    place p;
    p.row_lane = TILE_FOLDS(t) > 1 ? 0 : times_inverse(thread, t->span_inverse);
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

/** How many gradients of a group's coefficients there are. */
DEVICE int group_outputs(rational kind, int in_denominator)
{
    return in_denominator ? denominator_count(kind) : kind.m + 1;
}

DEVICE int is_shared(const grkan_tiling *t, int in_denominator)
{
    return in_denominator ? t->denominator_shared : t->numerator_shared;
}

/** How many numbers the numerator's gradient, or the denominator's, has for so many groups. */
DEVICE int gradient_width(const grkan_tiling *t, rational kind, int in_denominator, grkan_int64 groups)
{
    return (is_shared(t, in_denominator) ? 1 : (int)groups) * group_outputs(kind, in_denominator);
}

/** One number of a gradient, as a block has it: summed over the elements of one group, or of all of the block's. */
typedef struct output {
    int exists;
    int in_denominator;
    int shared;
    int group;            /* of the span, if not shared */
    int sum;              /* which of a thread's sums: 0..m for the numerator, then the denominator's */
    grkan_int64 position; /* in its gradient, and in each part of it: [group or 0][coefficient] */
} output;

/** @param index counts from the first coefficient of the first group on */
DEVICE output output_of(const grkan_tiling *t, rational kind, int in_denominator, grkan_int64 first_group, int index)
{
    output o;
    const int count = group_outputs(kind, in_denominator);
    o.exists = 1;
    o.in_denominator = in_denominator;
    o.shared = is_shared(t, in_denominator);
    o.group = o.shared         ? 0
              : in_denominator ? quotient_of(index, denominator_count(kind) > 0 ? denominator_count(kind) : 1)
                               : quotient_of(index, kind.m + 1);
    o.sum = index - o.group * count + (in_denominator ? kind.m + 1 : 0);
    o.position = index + (o.shared ? 0 : first_group * count);
    return o;
}

/**
 * The outputs of a block: those of the numerator, then those of the denominator, as many as the widest span has. Some do not
 * exist where a span has fewer groups.
 */
DEVICE output output_at(const grkan_tiling *t, rational kind, const tile *b, int index)
{
    const int of_numerator = gradient_width(t, kind, 0, t->span_groups);
    const int in_denominator = index >= of_numerator;
    const int own = index - (in_denominator ? of_numerator : 0);
    output o = output_of(t, kind, in_denominator, b->first_group, own);
    o.exists = own < gradient_width(t, kind, in_denominator, b->end_group - b->first_group);
    return o;
}

DEVICE int output_count(const grkan_tiling *t, rational kind)
{
    return gradient_width(t, kind, 0, t->span_groups) + gradient_width(t, kind, 1, t->span_groups);
}

/** The gradients, the coefficients whose signs they need, and the workspace. Offsets are already added. */
typedef struct gradients {
    GLOBAL const scalar *denominator;
    GLOBAL scalar *dnumerator;
    GLOBAL scalar *ddenominator;
    GLOBAL scalar *parts;          /* the workspace behind its counters: the numerator's, then the denominator's */
    grkan_int64 numerator_parts;   /* 1: the only block of an output writes the gradient itself */
    grkan_int64 denominator_parts; /* likewise */
    int strategy;
    int add; /* add to the gradients instead of overwriting them */
} gradients;

DEVICE grkan_int64 parts_of(const gradients *g, int in_denominator)
{
    return in_denominator ? g->denominator_parts : g->numerator_parts;
}

/** How many numbers a whole gradient has. */
DEVICE int whole_width(const grkan_tiling *t, int in_denominator)
{
    return in_denominator ? t->denominator_width : t->numerator_width;
}

/** The first part of a gradient; the next ones follow it. */
DEVICE GLOBAL scalar *first_part(const grkan_tiling *t, const gradients *g, int in_denominator)
{
    const int follows = in_denominator && g->numerator_parts > 1;
    return g->parts + (follows ? g->numerator_parts * t->numerator_width : 0);
}

/** Where a number of a gradient is in the end. */
DEVICE GLOBAL scalar *gradient_at(const gradients *g, int in_denominator, grkan_int64 position)
{
    return (in_denominator ? g->ddenominator : g->dnumerator) + position;
}

/** The end of a sum: into the gradient, overwriting or adding. */
DEVICE void finish(const gradients *g, GLOBAL scalar *gradient, scalar sum)
{
    *gradient = g->add ? *gradient + sum : sum;
}

/** Whether a number has the factor sign(b_j) = -1 of abs_terms, which every element of the group shares. */
DEVICE int is_negative(rational kind, const gradients *g, int in_denominator, grkan_int64 position)
{
    return in_denominator && kind.form == FORM_ABS_TERMS && g->denominator[position] < 0;
}

/** Where a block's output goes. */
typedef struct destination {
    GLOBAL scalar *to;
    int is_part; /* which waits there for the others */
    int negative;
} destination;

DEVICE destination destination_of(const grkan_tiling *t, rational kind, const gradients *g, const tile *b, output o)
{
    destination d;
    const grkan_int64 part = o.shared ? (grkan_int64)b->stripe * t->spans + b->span : b->stripe;
    d.is_part = g->strategy == STRATEGY_TREE && parts_of(g, o.in_denominator) > 1;
    d.to = d.is_part ? first_part(t, g, o.in_denominator) + part * whole_width(t, o.in_denominator) + o.position
                     : gradient_at(g, o.in_denominator, o.position);
    d.negative = o.exists && is_negative(kind, g, o.in_denominator, o.position);
    return d;
}

/** The end of a block's output: atomically into the gradient, straight into it, or into the workspace. */
DEVICE void deliver(const gradients *g, destination d, scalar sum)
{
    const scalar own = d.negative ? -sum : sum;
    if (g->strategy == STRATEGY_BLOCK)
        ATOMIC_ADD(d.to, own);
    else if (d.is_part)
        *d.to = own;
    else
        finish(g, d.to, own);
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
        const grkan_int64 left = smaller(t->larger_groups, b->end_group) - b->first_group;
        const int larger = left < 0 ? 0 : (int)left; /* groups of the span with one channel more */
        const int start = o.group * (int)t->group_size + (o.group < larger ? o.group : larger);
        const int size = (int)t->group_size + (o.group < larger ? 1 : 0);
        columns.first = quotient_of(start * (int)t->inner, slot);
        columns.end = columns.first + quotient_of(size * (int)t->inner, slot);
    }
    return columns;
}

/** What one slice of an output of a block sums. */
typedef struct slice {
    int at;     /* its first slot */
    int column; /* of that, from the output's first */
    int width;  /* columns of the output */
    int slices; /* of the output */
    int left;   /* slots from its first one to the output's last; 0 for a slice that does not exist */
} slice;

/**
 * The slots of an output are those of its groups' columns, row lane by row lane; a slice has every `slices`-th of them. There
 * are at most as many slices as columns.
 */
DEVICE slice slice_of(const grkan_tiling *t, const tile *b, output o, int index, int slices)
{
    slice s;
    const column_range columns = columns_of_output(t, b, o);
    s.column = index;
    s.at = o.sum * TILE_BLOCK(t) * TILE_SETS(t) + columns.first + index;
    s.width = columns.end - columns.first;
    s.slices = slices;
    s.left = s.width * t->kept_lanes - index;
    return s;
}

DEVICE scalar sum_slice(const grkan_tiling *t, slice s, SHARED const scalar *slots)
{
    scalar sum = 0;
    NO_UNROLL
    for (; s.left > 0; s.left -= SLICE_BATCH * s.slices) {
        scalar batch[SLICE_BATCH];
        UNROLL
        for (int i = 0; i < SLICE_BATCH; ++i) {
            batch[i] = s.left > i * s.slices ? slots[s.at] : 0;
            s.column += s.slices;
            s.at += s.slices;
            if (s.column >= s.width) { /* on to the next row lane */
                s.column -= s.width;
                s.at += t->span_chunks * TILE_SETS(t) - s.width;
            }
        }
        UNROLL
        for (int i = 0; i < SLICE_BATCH; ++i)
            sum = sum + batch[i];
    }
    return sum;
}

/** Logarithm of the slices of an output. */
DEVICE int slices_log2_of(const grkan_tiling *t, int shared)
{
    return shared ? t->shared_slices_log2 : t->slices_log2;
}

/** Two by two. */
DEVICE scalar sum_of_four(const scalar *terms)
{
    return (terms[0] + terms[1]) + (terms[2] + terms[3]);
}

/** What threads left for one: numbers that lie `step` apart. */
DEVICE scalar sum_exchanged(SHARED const scalar *exchange, int step, int count)
{
    scalar sum = 0;
    NO_UNROLL
    for (int left = count; left > 0; left -= SLICE_BATCH) {
        scalar batch[SLICE_BATCH];
        UNROLL
        for (int i = 0; i < SLICE_BATCH; ++i) {
            batch[i] = i < left ? *exchange : 0;
            exchange += step;
        }
        UNROLL
        for (int i = 0; i < SLICE_BATCH; i += 4)
            sum = sum + sum_of_four(batch + i);
    }
    return sum;
}

/** A thread's share in a combination of parts: every `lanes`-th part of one number of a gradient, from its lane on. */
typedef struct share_of_parts {
    int exists;
    int in_denominator;
    int lane;
    int lanes;
    int width; /* of a part */
    int position;
} share_of_parts;

DEVICE int combine_lanes_of(const grkan_tiling *t, int in_denominator)
{
    return in_denominator ? t->denominator_lanes : t->numerator_lanes;
}

/** Threads of a combination: for the numerator's gradient, lane by lane, each with all of its numbers, then the other's. */
DEVICE int combine_threads(const grkan_tiling *t)
{
    return t->numerator_width * t->numerator_lanes + t->denominator_width * t->denominator_lanes;
}

DEVICE share_of_parts share_of_thread(const grkan_tiling *t, int thread)
{
    share_of_parts s;
    const int of_numerator = t->numerator_width * t->numerator_lanes;
    s.in_denominator = thread >= of_numerator;
    s.exists = thread < combine_threads(t);
    s.width = whole_width(t, s.in_denominator);
    s.lanes = combine_lanes_of(t, s.in_denominator);
    s.position = thread - (s.in_denominator ? of_numerator : 0);
    s.lane = times_inverse(s.position, s.in_denominator ? t->denominator_inverse : t->numerator_inverse);
    s.position -= s.lane * s.width; /* neighbours: so are their numbers */
    return s;
}

/** Combine, phase 1: the sum of a thread's parts, twelve at a time. Phase 2 is sum_exchanged. */
DEVICE scalar sum_parts(const grkan_tiling *t, const gradients *g, const share_of_parts *s)
{
    GLOBAL const scalar *const parts = first_part(t, g, s->in_denominator) + s->position;
    const unsigned int step = (unsigned int)(s->width * s->lanes);
    unsigned int at = (unsigned int)(s->lane * s->width);
    scalar sum = 0;
    NO_UNROLL
    for (int left = (int)parts_of(g, s->in_denominator) - s->lane; left > 0; left -= COMBINE_BATCH * s->lanes) {
        scalar batch[COMBINE_BATCH];
        UNROLL
        for (int i = 0; i < COMBINE_BATCH; ++i) {
            batch[i] = left > i * s->lanes ? parts[at] : 0;
            at = (unsigned int)HIDE(at + step); /* else all are computed first, and held in registers */
        }
        UNROLL
        for (int i = 0; i < COMBINE_BATCH; i += 12)
            sum = sum + ((sum_of_four(batch + i) + sum_of_four(batch + i + 4)) + sum_of_four(batch + i + 8));
    }
    return sum;
}
