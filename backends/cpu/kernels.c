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
#include "../kernels/sums.h"
#include "../kernels/tile.h"
#include "../kernels/storage.h"
#include "stage.h"
#if CPU_BYTES == 0
#include "../kernels/far.h"
#endif

#define JOIN(a, b, c) a##_##b##_##c
#define NAME(simd, dtype) JOIN(grkan_cpu, simd, dtype)

/* -------------------------------------------------------------------------------------------- coefficients */

/** KAT's function, for which the compiler unrolls every loop over coefficients. */
static const rational kat = {.m = 5, .n = 4, .form = FORM_ABS_TERMS, .repeats = 1};

static int is_kat(rational kind)
{
    return kind.m == 5 && kind.n == 4 && kind.form == FORM_ABS_TERMS;
}

DEVICE rational kind_of(const grkan_plan_data *plan)
{
    const rational kind = {plan->operation.numerator_degree, plan->operation.denominator_degree,
                           (int)plan->operation.denominator, plan->near_exponent, plan->repeats};
    return kind;
}

/** KAT's function in a study. */
DEVICE rational kat_repeated(const grkan_plan_data *plan)
{
    rational kind = kat;
    kind.repeats = plan->repeats;
    return kind;
}

static int least(int a, int b)
{
    return a < b ? a : b;
}

/** Whether no element of these rows needs the formulas in 1 / x. */
static int rows_are_near(rational kind, const scalar *const *x, int rows, int width)
{
    const scalar limit = (scalar)((int64_t)1 << kind.near_exponent);
    scalar_bits far[CPU_LANES] = {0};
    scalar_bits any = 0;
    for (int row = 0; row < rows; ++row)
        for (int i = 0; i < width; i += CPU_LANES)
            for (int lane = 0; lane < CPU_LANES; ++lane)
                far[lane] |= -(scalar_bits)(SCALAR_ABS(x[row][i + lane]) > limit);
    for (int lane = 0; lane < CPU_LANES; ++lane)
        any |= far[lane];
    return any == 0;
}

/** Q's polynomial of one group as rational.h wants it. */
DEVICE scalar denominator_term(rational kind, const scalar *b, int j)
{
    if (kind.form == FORM_ABS_SUM_OFFSET)
        return b[j];
    if (j == 0)
        return kind.form == FORM_ABS_SUM ? 0 : 1;
    return kind.form == FORM_ABS_TERMS ? SCALAR_ABS(b[j - 1]) : b[j - 1];
}

/** The coefficients of CPU_LANES neighbouring threads with these groups. */
DEVICE void load_coefficients(rational kind, const cpu_job *job, const grkan_tiling *t, const int64_t *groups,
                              coefficients *c)
{
    const int count = denominator_count(kind);
    const int is_one_group = groups[0] == groups[CPU_LANES - 1];
    for (int lane = 0; lane < (is_one_group ? 1 : CPU_LANES); ++lane) {
        const scalar *a = (const scalar *)job->numerator + (t->numerator_shared ? 0 : groups[lane] * (kind.m + 1));
        const scalar *b = (const scalar *)job->denominator + (t->denominator_shared ? 0 : groups[lane] * count);
        for (int i = 0; i <= kind.m; ++i)
            SET_LANES(c->a[i], lane, is_one_group, a[i]);
        for (int j = 0; j <= kind.n; ++j)
            SET_LANES(c->b[j], lane, is_one_group, denominator_term(kind, b, j));
    }
}

/** Whether the coefficients of the columns before do not serve these. */
DEVICE int starts_group(const int64_t *groups, int column)
{
    return column == 0 || groups[column - CPU_LANES] != groups[column + CPU_LANES - 1];
}

/** The group of each chunk column of a block; columns beyond its end have the last one. */
static void find_groups(const grkan_tiling *t, const tile *b, int width, int64_t *groups)
{
    int64_t group = b->first_group;
    for (int column = 0; column < width; ++column) {
        while (group + 1 < b->end_group && b->start + (int64_t)column * t->vector >= group_start(t, group + 1))
            ++group;
        groups[column] = group;
    }
}

/* ------------------------------------------------------------------------------------------------- elements */

#if CPU_BYTES == 0

DEVICE real forward_lanes(const grkan_plan_data *plan, rational kind, const coefficients *c, real x)
{
    (void)plan;
    return forward_element(kind, c, x);
}

DEVICE real backward_lanes(const grkan_plan_data *plan, rational kind, const coefficients *c, real x, real dy,
                           real *sums)
{
    (void)plan;
    return backward_element(kind, c, x, dy, sums);
}

#if CPU_DTYPE == 0 || CPU_DTYPE == 3
#if CPU_DTYPE == 0
#define FORWARD_ELEMENT grkan_cpu_forward_float
#define BACKWARD_ELEMENT grkan_cpu_backward_float
#else
#define FORWARD_ELEMENT grkan_cpu_forward_double
#define BACKWARD_ELEMENT grkan_cpu_backward_double
#endif

scalar FORWARD_ELEMENT(const grkan_plan_data *plan, const scalar *c, scalar x)
{
    return forward_element(kind_of(plan), (const coefficients *)(const void *)c, x);
}

scalar BACKWARD_ELEMENT(const grkan_plan_data *plan, const scalar *c, scalar x, scalar dy, scalar *sums)
{
    return backward_element(kind_of(plan), (const coefficients *)(const void *)c, x, dy, sums);
}
#endif

#else

#if CPU_DTYPE == 3
#define FORWARD_ELEMENT grkan_cpu_forward_double
#define BACKWARD_ELEMENT grkan_cpu_backward_double
#else
#define FORWARD_ELEMENT grkan_cpu_forward_float
#define BACKWARD_ELEMENT grkan_cpu_backward_float
#endif

/** Whether every lane may use the formulas in x. */
DEVICE int all_near(rational kind, real x)
{
    const scalar limit = (scalar)((int64_t)1 << kind.near_exponent);
    const real_bits far = ABS(x) > limit;
    uint64_t words[CPU_BYTES / 8], any = 0;
    memcpy(words, &far, sizeof words);
    for (int i = 0; i < CPU_BYTES / 8; ++i)
        any |= words[i];
    return any == 0;
}

static void lane_coefficients(const coefficients *c, int lane, scalar *out)
{
    for (int i = 0; i <= MAX_DEGREE; ++i) {
        out[i] = c->a[i][lane];
        out[MAX_DEGREE + 1 + i] = c->b[i][lane];
    }
}

static __attribute__((noinline, cold)) real forward_lanes_far(const grkan_plan_data *plan, const coefficients *c,
                                                              real x)
{
    scalar own[CPU_COEFFICIENTS];
    for (int lane = 0; lane < CPU_LANES; ++lane) {
        lane_coefficients(c, lane, own);
        x[lane] = FORWARD_ELEMENT(plan, own, x[lane]);
    }
    return x;
}

static __attribute__((noinline, cold)) real backward_lanes_far(const grkan_plan_data *plan, const coefficients *c,
                                                               real x, real dy, real *sums)
{
    const int count = coefficient_count(kind_of(plan));
    scalar own[CPU_COEFFICIENTS], own_sums[CPU_COEFFICIENTS];
    for (int lane = 0; lane < CPU_LANES; ++lane) {
        lane_coefficients(c, lane, own);
        for (int i = 0; i < count; ++i)
            own_sums[i] = sums[i][lane];
        dy[lane] = BACKWARD_ELEMENT(plan, own, x[lane], dy[lane], own_sums);
        for (int i = 0; i < count; ++i)
            sums[i][lane] = own_sums[i];
    }
    return dy;
}

DEVICE real forward_lanes(const grkan_plan_data *plan, rational kind, const coefficients *c, real x)
{
    return all_near(kind, x) ? forward_near(kind, c, x) : forward_lanes_far(plan, c, x);
}

DEVICE real backward_lanes(const grkan_plan_data *plan, rational kind, const coefficients *c, real x, real dy,
                           real *sums)
{
    return all_near(kind, x) ? backward_near(kind, c, x, dy, sums) : backward_lanes_far(plan, c, x, dy, sums);
}

#endif

/* --------------------------------------------------------------------------------------------------- blocks */

/** Add one element's gradients to memory at once: the baseline that FlashKAT improved upon. */
DEVICE void add_element(const grkan_tiling *t, rational kind, const gradients *g, int64_t group, const scalar *sums)
{
    const int outputs = coefficient_count(kind);
    for (int i = 0; i < outputs; ++i) {
        const int in_denominator = i > kind.m;
        const output o = {i, in_denominator, in_denominator ? t->denominator_shared : t->numerator_shared, group};
        ATOMIC_ADD((in_denominator ? g->ddenominator : g->dnumerator) + output_position(kind, o),
                   with_sign(kind, g, o, sums[i]));
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

/** What a block of backward keeps: threads in their registers and in shared memory on a GPU. */
typedef struct backward_state {
    staged x, dy;
    staged_rows rows;
    scalar sums[MAX_COEFFICIENTS * most_width] __attribute__((aligned(64))); /* first level, [coefficient][column] */
    scalar slots[CPU_LOCAL_BYTES / sizeof(scalar)];                          /* second level */
    scalar exchange[2 * CPU_MOST_THREADS];
    int64_t groups[most_width];
    outlook next;
} backward_state;

/**
 * All columns over the staged rows: sums carried on. is_near says that no element of them needs
 * the formulas in 1 / x, so that nothing has to be tested.
 */
DEVICE void backward_columns(const cpu_job *job, rational kind, int is_near, const stage *s, int rows,
                             backward_state *state)
{
    const int count = coefficient_count(kind);
    const int width = s->width;
    coefficients c;
    for (int column = 0; column < width; column += CPU_LANES) {
        real sums[MAX_COEFFICIENTS];
        look_ahead(&state->next, column, s->vector);
        if (starts_group(state->groups, column))
            load_coefficients(kind, job, &job->plan->backward, state->groups + column, &c);
        UNROLL
        for (int i = 0; i < count; ++i)
            memcpy(&sums[i], state->sums + i * width + column, sizeof(real));
        for (int row = 0; row < rows; ++row) {
            real x, dy;
            memcpy(&x, state->rows.x[row] + column, sizeof x);
            memcpy(&dy, state->rows.dy[row] + column, sizeof dy);
            dy = is_near ? backward_near(kind, &c, x, dy, sums) : backward_lanes(job->plan, kind, &c, x, dy, sums);
            memcpy(state->rows.result[row] + column, &dy, sizeof dy);
        }
        UNROLL
        for (int i = 0; i < count; ++i)
            memcpy(state->sums + i * width + column, &sums[i], sizeof(real));
    }
}

static __attribute__((noinline)) void backward_any(const cpu_job *job, int is_near, const stage *s, int rows,
                                                   backward_state *state)
{
    if (is_near)
        backward_columns(job, kind_of(job->plan), 1, s, rows, state);
    else
        backward_columns(job, kind_of(job->plan), 0, s, rows, state);
}

static __attribute__((noinline)) void backward_kat(const cpu_job *job, const stage *s, int rows, backward_state *state)
{
    if (job->plan->repeats == 1)
        backward_columns(job, kat, 1, s, rows, state);
    else
        backward_columns(job, kat_repeated(job->plan), 1, s, rows, state);
}

/** The visits of one row lane between two flushes. */
static void backward_visits(const cpu_job *job, const tile *b, int row_lane, int first, const stage *s,
                            backward_state *state)
{
    const rational kind = kind_of(job->plan);
    const grkan_tiling *t = &job->plan->backward;
    const int count = coefficient_count(kind);
    const place p = place_of_thread(t, b, row_lane * t->span_chunks);
    const int end = least(first + t->flush, p.visits);
    memset(state->sums, 0, (size_t)(count * s->width) * sizeof(scalar));
    for (; first < end; first += s->visits) {
        const int visits = least(s->visits, end - first);
        stage_in(t, b, &p, first, visits, s, job->x, state->x, state->rows.x);
        stage_in(t, b, &p, first, visits, s, job->dy, state->dy, state->rows.dy);
        prepare_result(t, b, &p, first, visits, s, state->dy, job->result, state->rows.result);
        const int rows = visits * s->vector;
        const int is_near = rows_are_near(kind, state->rows.x, rows, s->width);
        find_outlook(t, b, &p, first + visits, least(s->visits, p.visits - first - visits), &state->next);
        if (is_near && is_kat(kind))
            backward_kat(job, s, rows, state);
        else
            backward_any(job, is_near, s, rows, state);
        stage_out(t, b, &p, first, visits, s, state->dy, job->result);
    }
    for (int i = 0; i < count; ++i)
        for (int column = 0; column < s->columns; ++column)
            state->slots[i * t->block + row_lane * t->span_chunks + column] += state->sums[i * s->width + column];
}

#include "reduce.h"

static void backward_block(const cpu_job *job, int64_t block)
{
    const rational kind = kind_of(job->plan);
    const grkan_tiling *t = &job->plan->backward;
    const tile b = tile_of_block(t, block);
    const gradients g = gradients_of(job);
    const stage s = stage_of((int)smaller(b.chunks, t->span_chunks), t->vector);
    const int most_visits = visits_of(t, &b, 0);
    backward_state state;

    state.next = (outlook){.x = job->x, .dy = job->dy, .result = job->result};
    memset(state.slots, 0, (size_t)(coefficient_count(kind) * t->block) * sizeof(scalar));
    find_groups(t, &b, s.width, state.groups);
    for (int first = 0; first < most_visits; first += t->flush)
        for (int row_lane = 0; row_lane < t->row_lanes; ++row_lane)
            backward_visits(job, &b, row_lane, first, &s, &state);
    reduce_block(t, kind, &g, &b, state.slots, state.exchange);
    for (int thread = 0; thread < t->block; ++thread)
        deliver_slices(t, kind, &g, &b, thread, state.exchange);
}

#if CPU_BYTES == 0
/** Strategy element: every element on its own. */
static void backward_by_element(const cpu_job *job, int64_t block)
{
    const grkan_tiling *t = &job->plan->backward;
    const rational kind = kind_of(job->plan);
    const tile b = tile_of_block(t, block);
    const gradients g = gradients_of(job);
    const storage *x = job->x, *dy = job->dy;
    storage *dx = job->result;
    for (int thread = 0; thread < t->block; ++thread) {
        const place p = place_of_thread(t, &b, thread);
        coefficients c;
        load_coefficients(kind, job, t, &p.group, &c);
        cursor at = cursor_at(t, &b, &p, 0);
        for (int visit = 0; visit < p.visits; ++visit, cursor_advance(t, &at)) {
            const int vector = chunks_left(t, &b, &p, &at) > 0 ? t->vector : 0;
            for (int64_t e = at.element; e < at.element + vector; ++e) {
                scalar sums[MAX_COEFFICIENTS] = {0};
                dx[e] = PACK(backward_element(kind, &c, UNPACK(x[e]), UNPACK(dy[e]), sums));
                add_element(t, kind, &g, p.group, sums);
            }
        }
    }
}
#endif

/** All columns over the staged rows: y in place of x. */
DEVICE void forward_columns(const cpu_job *job, rational kind, int is_near, const stage *s, int rows,
                            const int64_t *groups, const outlook *next, const staged_rows *where)
{
    const int width = s->width;
    coefficients c;
    for (int column = 0; column < width; column += CPU_LANES) {
        look_ahead(next, column, s->vector);
        if (starts_group(groups, column))
            load_coefficients(kind, job, &job->plan->forward, groups + column, &c);
        for (int row = 0; row < rows; ++row) {
            real x;
            memcpy(&x, where->x[row] + column, sizeof x);
            x = is_near ? forward_near(kind, &c, x) : forward_lanes(job->plan, kind, &c, x);
            memcpy(where->result[row] + column, &x, sizeof x);
        }
    }
}

static __attribute__((noinline)) void forward_any(const cpu_job *job, int is_near, const stage *s, int rows,
                                                  const int64_t *groups, const outlook *next, const staged_rows *where)
{
    if (is_near)
        forward_columns(job, kind_of(job->plan), 1, s, rows, groups, next, where);
    else
        forward_columns(job, kind_of(job->plan), 0, s, rows, groups, next, where);
}

static __attribute__((noinline)) void forward_kat(const cpu_job *job, const stage *s, int rows, const int64_t *groups,
                                                  const outlook *next, const staged_rows *where)
{
    if (job->plan->repeats == 1)
        forward_columns(job, kat, 1, s, rows, groups, next, where);
    else
        forward_columns(job, kat_repeated(job->plan), 1, s, rows, groups, next, where);
}

static void forward_block(const cpu_job *job, int64_t block)
{
    const rational kind = kind_of(job->plan);
    const grkan_tiling *t = &job->plan->forward;
    const tile b = tile_of_block(t, block);
    const stage s = stage_of((int)smaller(b.chunks, t->span_chunks), t->vector);
    outlook next = {.x = job->x, .result = job->result};
    int64_t groups[most_width];
    staged_rows where;
    staged x;

    find_groups(t, &b, s.width, groups);
    for (int row_lane = 0; row_lane < t->row_lanes; ++row_lane) {
        const place p = place_of_thread(t, &b, row_lane * t->span_chunks);
        for (int first = 0; first < p.visits; first += s.visits) {
            const int visits = least(s.visits, p.visits - first);
            const int rows = visits * s.vector;
            stage_in(t, &b, &p, first, visits, &s, job->x, x, where.x);
            prepare_result(t, &b, &p, first, visits, &s, x, job->result, where.result);
            const int is_near = rows_are_near(kind, where.x, rows, s.width);
            find_outlook(t, &b, &p, first + visits, least(s.visits, p.visits - first - visits), &next);
            if (is_near && is_kat(kind))
                forward_kat(job, &s, rows, groups, &next, &where);
            else
                forward_any(job, is_near, &s, rows, groups, &next, &where);
            stage_out(t, &b, &p, first, visits, &s, x, job->result);
        }
    }
}

static void combine_output(const cpu_job *job, int64_t index)
{
    const grkan_tiling *t = &job->plan->backward;
    const rational kind = kind_of(job->plan);
    const gradients g = gradients_of(job);
    const output o = output_at(t, kind, 0, t->groups, (int)index);
    scalar exchange[2 * COMBINE_LANES];
    if (parts_waiting(&g, o) == 0)
        return;
    for (int lane = 0; lane < COMBINE_LANES; ++lane) {
        const pair sum = sum_parts(t, kind, &g, o, lane);
        exchange[2 * lane] = sum.high;
        exchange[2 * lane + 1] = sum.low;
    }
    finish(kind, &g, o, sum_exchanged(exchange, COMBINE_LANES));
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
