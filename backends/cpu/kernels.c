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

/** Add the first level to the second. */
static void flush_sums(const grkan_tiling *t, int count, const stage *s, const real *sums, scalar *slots)
{
    for (int column = 0; column < s->columns; column += CPU_LANES) {
        for (int i = 0; i < count; ++i, ++sums) {
            scalar *slot = slots + i * t->block + column;
            if (column + CPU_LANES <= s->columns)
                store_lanes(slot, load_lanes(slot) + *sums);
            else
                for (int lane = 0; lane < s->columns - column; ++lane)
                    slot[lane] += LANE(*sums, lane);
        }
    }
}

/** The visits between two flushes. */
static void backward_visits(const cpu_job *job, const tile *b, const place *p, int first, const stage *s,
                            backward_state *state)
{
    const rational kind = kind_of(job->plan);
    const grkan_tiling *t = &job->plan->backward;
    const int count = coefficient_count(kind);
    const int end = least(first + t->flush, p->visits);
    memset(state->sums, 0, (size_t)(count * s->width) * sizeof(scalar));
    for (; first < end; first += s->visits) {
        find_visits(t, b, p, s, first, end, &state->at);
        stage_in(s, &state->at, job->x, state->x, state->rows.x);
        stage_in(s, &state->at, job->dy, state->dy, state->rows.dy);
        prepare_result(s, &state->at, state->dy, job->result, state->rows.result);
        backward_stage(job, state->at.visits * s->vector, state);
        stage_out(s, &state->at, state->dy, job->result);
    }
    flush_sums(t, count, s, state->sums, state->slots);
}

static void backward_block(const cpu_job *job, int64_t block)
{
    const rational kind = kind_of(job->plan);
    const grkan_tiling *t = &job->plan->backward;
    const tile b = tile_of_block(t, (int)block);
    const gradients g = gradients_of(job);
    const place p = place_of_thread(t, &b, 0);
    const stage s = stage_of(t, &b, backward_elements);
    backward_state state;

    memset(state.slots, 0, (size_t)(coefficient_count(kind) * t->block) * sizeof(scalar));
    state.run_count = find_runs(job, t, &b, s.width, state.runs);
    for (int first = 0; first < p.visits; first += t->flush)
        backward_visits(job, &b, &p, first, &s, &state);
    add_row_lanes(t, coefficient_count(kind), state.slots);
    const int outputs = output_count(t, kind);
    for (int index = 0; index < outputs; ++index) {
        const output o = output_at(t, kind, &b, index);
        if (o.exists)
            deliver(&g, destination_of(t, kind, &g, &b, o), sum_output(t, &b, o, state.slots));
    }
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

static void forward_block(const cpu_job *job, int64_t block)
{
    const grkan_tiling *t = &job->plan->forward;
    const tile b = tile_of_block(t, (int)block);
    const place p = place_of_thread(t, &b, 0);
    const stage s = stage_of(t, &b, forward_elements);
    forward_state state;

    state.run_count = find_runs(job, t, &b, s.width, state.runs);
    for (int first = 0; first < p.visits; first += s.visits) {
        find_visits(t, &b, &p, &s, first, p.visits, &state.at);
        stage_in(&s, &state.at, job->x, state.x, state.rows.x);
        prepare_result(&s, &state.at, state.x, job->result, state.rows.result);
        forward_stage(job, &s, &state);
        stage_out(&s, &state.at, state.x, job->result);
    }
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
