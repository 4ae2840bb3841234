/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file kernels.c
 * @brief The blocks of a plan as loops over their threads, for one storage type and one set of instructions.
 *
 * Compiled once for each; see dialect.h and meson.build. The order of every addition is that of the GPUs: lanes of a
 * vector are neighbouring threads of a block, each with its own sums.
 */
#include "cpu.h"
#include "dialect.h"
#include "../kernels/rational.h"
#include "../kernels/tile.h"
#include "../kernels/storage.h"
#if CPU_BYTES == 0
#include "../kernels/far.h"
#endif
#include "stage.h"
#include "elements.h"
#include "runs.h"
#include "reduce.h"

#define JOIN(a, b, c) a##_##b##_##c
#define NAME(simd, dtype) JOIN(grkan_cpu, simd, dtype)

/* --------------------------------------------------------------------------------------------------- blocks */

/** Add one element's gradients to memory at once: the baseline that FlashKAT improved upon. */
DEVICE void add_element(const grkan_tiling *t, rational kind, const gradients *g, int64_t group, const scalar *sums)
{
    const int outputs = coefficient_count(kind);
    for (int i = 0; i < outputs; ++i) {
        const int in_denominator = i > kind.m;
        const output o = output_of(t, kind, in_denominator, group, in_denominator ? i - (kind.m + 1) : i);
        ATOMIC_ADD(gradient_at(g, in_denominator, o.position),
                   is_negative(kind, g, in_denominator, o.position) ? -sums[i] : sums[i]);
    }
}

DEVICE gradients gradients_of(const cpu_job *job)
{
    const gradients g = {.denominator = job->denominator,
                         .dnumerator = job->dnumerator,
                         .ddenominator = job->ddenominator,
                         .parts =
                             job->workspace ? (scalar *)((char *)job->workspace + GRKAN_WORKSPACE_COUNTER_BYTES) : NULL,
                         .numerator_parts = job->plan->numerator_parts,
                         .denominator_parts = job->plan->denominator_parts,
                         .strategy = (int)job->plan->options.strategy,
                         .add = job->add};
    return g;
}

enum {
    forward_elements = 1024, /* of a stage of forward */
    most_forward_runs = (12 << 10) / (int)sizeof(run),
    most_staged =
        9216, /* elements of a stage of backward: memory brings 12 whole rows of 768 fastest, half of that slower */
    narrow_strip = 256 / (int)sizeof(scalar),    /* columns, where memory is small: so that several rows fit */
    staged_scalars = 5,                          /* of an element of backward: x, dy, and what is kept of it */
    run_scalars = 38,                            /* of a column, if its vector is a run of its own */
    least_bytes = CPU_DTYPE == 3 ? 26112 : 21504 /* of memory for a block of backward; see the assertion below */
};

/* A vector of columns fits beside the sums of outputs that are under way: at most 64 columns of the highest degrees. */
_Static_assert(least_bytes - 8 * line - 64 * MAX_COEFFICIENTS * (int)sizeof(scalar) >=
                   CPU_LANES *
                       (run_scalars + 3 * MAX_COEFFICIENTS + (CPU_DTYPE == 3 ? 2 : most_vector) * staged_scalars) *
                       (int)sizeof(scalar),
               "least_bytes");
_Static_assert(sizeof(run) <= CPU_LANES * run_scalars * sizeof(scalar), "run_scalars");

/** Columns of a strip of backward: as many as have memory for their sums, their runs, and a few staged rows. */
static int columns_of_strip(const grkan_tiling *t, int count, int bytes)
{
    const int sums = 3; /* arrays of them */
    const int rows = t->vector > 2 ? t->vector : 2;
    const int column = (run_scalars + sums * count + rows * staged_scalars) * (int)sizeof(scalar);
    const int most = bytes > least_bytes ? CPU_MOST_THREADS : narrow_strip;
    return least((bytes - 8 * line) / column, most) / CPU_LANES * CPU_LANES;
}

/** Arrays of a strip of backward, cut from what the block's memory has left; as many visits as it holds at once. */
static void prepare_strip(const cpu_job *job, const tile *b, memory m, backward_state *state)
{
    const grkan_tiling *t = &job->plan->backward;
    const int count = coefficient_count(kind_of(job->plan));
    strip *const s = &state->s;
    const size_t sums = (size_t)(count * s->width) * sizeof(scalar);
    state->runs = (run *)m.next;
    state->run_count = find_runs(job, t, b, s, state->runs, s->width / CPU_LANES);
    take(&m, (size_t)state->run_count * sizeof(run));
    state->slots = take(&m, sums);
    state->sums = take(&m, sums);
    state->totals = take(&m, sums);
    const int held = (bytes_left(&m) - 2 * line) / (s->width * staged_scalars * (int)sizeof(scalar));
    const int rows = least(least(held, most_rows), most_staged / s->width);
    s->visits = rows / t->vector;
    const size_t staged = (size_t)(s->visits * s->vector * s->width) * sizeof(scalar);
    state->x = take(&m, staged);
    state->dy = take(&m, staged);
    state->shares = take(&m, 0);
}

/** The visits of a strip, chain by chain. */
static void backward_visits(const cpu_job *job, const tile *b, const place *p, backward_state *state)
{
    const grkan_tiling *t = &job->plan->backward;
    const strip *const s = &state->s;
    memset(state->slots, 0, (size_t)(coefficient_count(kind_of(job->plan)) * s->width) * sizeof(scalar));
    for (int first = 0, end; first < p->visits; first = end) {
        const int of_chain = first % t->flush;
        const int last = least(first - of_chain + t->flush, p->visits);
        end = least(first + s->visits, last);
        find_visits(t, b, p, s, first, end, &state->at);
        stage_in(s, &state->at, job->x, state->x, state->rows.x);
        stage_in(s, &state->at, job->dy, state->dy, state->rows.dy);
        prepare_result(s, &state->at, state->dy, job->result, state->rows.result);
        backward_stage(job, (chain){of_chain == 0, end == last}, state->at.visits * s->vector, state);
        stage_out(s, &state->at, state->dy, job->result);
    }
}

/** Add the sums of a strip to those of the row lanes before it. */
static void add_row_lane(int count, int is_first, const backward_state *state)
{
    const strip *const s = &state->s;
    const real *slot = state->slots;
    for (int column = 0; column < s->columns; column += CPU_LANES)
        for (int i = 0; i < count; ++i, ++slot) {
            scalar *const total = state->totals + i * s->width + column;
            if (is_first)
                store_lanes(total, *slot);
            else
                for (int lane = 0; lane < least(CPU_LANES, s->columns - column); ++lane)
                    total[lane] = total[lane] + LANE(*slot, lane);
        }
}

/** The sums of each column over its row lanes. Those of the kept lanes lie side by side, and so do those added to them. */
static void add_row_lanes(int count, int kept, int all, int pitch, scalar *totals)
{
    for (int i = 0; i < count; ++i, totals += pitch)
        for (int first = kept; first < all; first += kept)
            for (int column = 0; column < least(kept, all - first); ++column)
                totals[column] = totals[column] + totals[first + column];
}

/**
 * All columns at once where memory suffices, else strip by strip those of the row lanes that are kept; those of other row
 * lanes that are added to a strip are walked after it: they have the same groups.
 */
static void backward_strips(const cpu_job *job, const tile *b, const gradients *g, memory m, backward_state *state)
{
    const grkan_tiling *t = &job->plan->backward;
    const rational kind = kind_of(job->plan);
    const int count = coefficient_count(kind);
    const place p = place_of_thread(t, b, 0);
    const int all = columns_of_block(t, b);
    const int step = t->kept_lanes * t->span_chunks; /* from a row lane to the next that is added to it */
    const int kept = least(all, step);
    const int most = columns_of_strip(t, count, bytes_left(&m));
    const int is_whole = all <= most;
    for (int first = 0; first < kept; first += most) {
        const int columns = is_whole ? all : least(most, kept - first);
        state->s = (strip){first, columns, whole_vectors(columns), t->vector, 0};
        prepare_strip(job, b, m, state);
        for (; state->s.first < all; state->s.first += is_whole ? all : step) {
            state->s.columns = least(columns, all - state->s.first);
            backward_visits(job, b, &p, state);
            add_row_lane(count, state->s.first == first, state);
        }
        if (is_whole)
            add_row_lanes(count, kept, all, state->s.width, state->totals);
        state->s.first = first;
        state->s.columns = least(columns, kept - first);
        reduce_columns(t, kind, b, g, &state->s, state->totals, state->outputs);
    }
}

/** A block without rows has outputs all the same. */
static void deliver_nothing(const grkan_tiling *t, rational kind, const tile *b, const gradients *g)
{
    const int outputs = output_count(t, kind);
    for (int index = 0; index < outputs; ++index) {
        const output o = output_at(t, kind, b, index);
        if (o.exists)
            deliver(g, destination_of(t, kind, g, b, o), 0);
    }
}

/** @param m of least_bytes at least; of as many as a scratch has, so that whole rows are walked, and memory streams */
static void backward_in(const cpu_job *job, int64_t block, memory m)
{
    const rational kind = kind_of(job->plan);
    const grkan_tiling *t = &job->plan->backward;
    const tile b = tile_of_block(t, (int)block);
    const gradients g = gradients_of(job);
    backward_state state;
    if (place_of_thread(t, &b, 0).visits == 0) {
        deliver_nothing(t, kind, &b, &g);
        return;
    }
    state.outputs = take(&m, outputs_bytes(t, kind));
    backward_strips(job, &b, &g, m, &state);
}

/** Without scratch: in the little memory that any thread's stack has. Slower, and the bits are the same. */
static __attribute__((noinline)) void backward_on_stack(const cpu_job *job, int64_t block)
{
    char bytes[least_bytes] __attribute__((aligned(line)));
    backward_in(job, block, (memory){bytes, bytes + sizeof bytes});
}

static void backward_block(const cpu_job *job, int64_t block)
{
    const cpu_scratch scratch = cpu_scratch_take(job->scratches);
    if (scratch.bytes == NULL) {
        backward_on_stack(job, block);
        return;
    }
    backward_in(job, block, (memory){scratch.bytes, scratch.bytes + CPU_SCRATCH_BYTES});
    cpu_scratch_give_back(scratch);
}

#if CPU_BYTES == 0
/** Strategy element: every element on its own. */
static void backward_by_element(const cpu_job *job, int64_t block)
{
    const grkan_tiling *t = &job->plan->backward;
    const rational kind = kind_of(job->plan);
    const tile b = tile_of_block(t, (int)block);
    const gradients g = gradients_of(job);
    const storage *x = job->x, *dy = job->dy;
    storage *dx = job->result;
    for (int thread = 0; thread < t->block; ++thread) {
        const place p = place_of_thread(t, &b, thread);
        const int64_t group = group_in_chunk(t, &b, &p, 0);
        coefficients c;
        load_coefficients(kind, job, t, &group, &c);
        cursor at = cursor_at(t, &b, &p, 0);
        for (int visit = 0; visit < p.visits; ++visit, cursor_advance(t, &at)) {
            const int vector = chunks_left(t, &b, &p, &at) > 0 ? t->vector : 0;
            for (int64_t e = at.element; e < at.element + vector; ++e) {
                scalar sums[MAX_COEFFICIENTS] = {0};
                dx[e] = PACK(backward_element(kind, &c, UNPACK(x[e]), UNPACK(dy[e]), sums));
                add_element(t, kind, &g, group, sums);
            }
        }
    }
}
#endif

/** One visit of a strip of forward. @param next the first element of the visit after it; -1: none */
static void forward_visit(const cpu_job *job, grkan_int64 element, int columns, grkan_int64 next, forward_row *row,
                          scalar *staged)
{
    const storage *const x = (const storage *)job->x + element;
    storage *const y = (storage *)job->result + element;
    const int width = row->runs[row->run_count - 1].end;
    const int as_it_lies = (CPU_DTYPE == 0 || CPU_DTYPE == 3) && columns == width;
    row->next_x = next < 0 ? NULL : (const storage *)job->x + next;
    row->next_y = next < 0 ? NULL : (const storage *)job->result + next;
    row->x = as_it_lies ? (const scalar *)(const void *)x : staged;
    row->y = as_it_lies ? (scalar *)(void *)y : staged;
    if (!as_it_lies) {
        convert_in(x, columns, staged);
        for (int column = columns; column < width; ++column)
            staged[column] = 0;
    }
    forward_known(job, row);
    if (!as_it_lies)
        convert_out(staged, columns, y);
}

/** In strips of as many columns as their runs have memory for: `most` runs, at least one. */
static void forward_in(const cpu_job *job, int64_t block, run *runs, int most)
{
    const grkan_tiling *t = &job->plan->forward;
    const tile b = tile_of_block(t, (int)block);
    const place p = place_of_thread(t, &b, 0);
    const int all = p.visits > 0 ? columns_of_block(t, &b) : 0;
    scalar staged[forward_elements] __attribute__((aligned(64)));
    forward_row row = {.runs = runs};
    staged_visits v;
    strip s;
    for (int first = 0; first < all; first += s.columns) {
        const int columns = least(all - first, forward_elements);
        s = (strip){first, columns, whole_vectors(columns), 1, 0};
        row.run_count = find_runs(job, t, &b, &s, runs, most);
        for (int visit = 0; visit < p.visits; visit += v.visits) {
            find_visits(t, &b, &p, &s, visit, least(visit + most_rows, p.visits), &v);
            for (int i = 0; i < v.visits; ++i)
                forward_visit(job, v.element[i], v.count[i], i + 1 < v.visits ? v.element[i + 1] : -1, &row, staged);
        }
    }
}

/** As backward_on_stack. */
static __attribute__((noinline)) void forward_on_stack(const cpu_job *job, int64_t block)
{
    run runs[most_forward_runs];
    forward_in(job, block, runs, most_forward_runs);
}

/** Where groups are narrower than a vector, each has a run; whole rows of those have memory in a scratch only. */
static void forward_block(const cpu_job *job, int64_t block)
{
    const cpu_scratch scratch = cpu_scratch_take(job->scratches);
    if (scratch.bytes == NULL) {
        forward_on_stack(job, block);
        return;
    }
    forward_in(job, block, (run *)(void *)scratch.bytes, CPU_SCRATCH_BYTES / (int)sizeof(run));
    cpu_scratch_give_back(scratch);
}

/** One number of a gradient, if its parts wait: those of the numerator come first. */
static void combine_output(const cpu_job *job, int64_t index)
{
    const grkan_tiling *t = &job->plan->backward;
    const gradients g = gradients_of(job);
    const int in_denominator = index >= t->numerator_width;
    const int lanes = combine_lanes_of(t, in_denominator);
    share_of_parts s = {.exists = 1,
                        .in_denominator = in_denominator,
                        .lanes = lanes,
                        .width = whole_width(t, in_denominator),
                        .position = (int)index - (in_denominator ? t->numerator_width : 0)};
    scalar exchange[MOST_COMBINE_LANES];
    for (; s.lane < lanes; ++s.lane)
        exchange[s.lane] = sum_parts(t, &g, &s);
    if (lanes > 0)
        finish(&g, gradient_at(&g, in_denominator, s.position), sum_exchanged(exchange, 1, lanes));
}

#if CPU_BYTES == 0
static void run_backward_block(const cpu_job *job, int64_t block)
{
    if (job->plan->options.strategy == GRKAN_STRATEGY_ELEMENT)
        backward_by_element(job, block);
    else
        backward_block(job, block);
}
#else
#define run_backward_block backward_block
#endif

const cpu_kernels NAME(CPU_SIMD, CPU_DTYPE) = {forward_block, run_backward_block, combine_output};
