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
#if CPU_BYTES == 0
#include "../kernels/far.h"
#endif

#define JOIN(a, b, c) a##_##b##_##c
#define NAME(simd, dtype) JOIN(grkan_cpu, simd, dtype)

enum { most_vector = 8, most_threads = 512 };

/* -------------------------------------------------------------------------------------------------- memory */

#if CPU_DTYPE == 0 || CPU_DTYPE == 3
typedef scalar storage;
#define UNPACK(s) (s)
#define PACK(s) (s)
#elif CPU_DTYPE == 1
typedef uint16_t storage;
#define UNPACK half_to_float
#define PACK (storage) float_to_half
#else
typedef uint16_t storage;
#define UNPACK bf16_to_float
#define PACK (storage) float_to_bf16
#endif

/** Chunks of `lanes` neighbouring threads: element v of each thread's chunk goes to out[v]; missing lanes read 0. */
DEVICE void load_lanes(const storage *from, int lanes, int vector, real *out)
{
    scalar flat[CPU_LANES * most_vector];
    if (lanes == CPU_LANES) {
        for (int i = 0; i < CPU_LANES * vector; ++i)
            flat[i] = UNPACK(from[i]);
    } else {
        for (int i = 0; i < CPU_LANES * vector; ++i)
            flat[i] = i < lanes * vector ? UNPACK(from[i]) : 0;
    }
    if (vector == 1) {
        memcpy(out, flat, sizeof *out);
    } else {
        for (int v = 0; v < vector; ++v)
            for (int lane = 0; lane < CPU_LANES; ++lane)
                LANE(out[v], lane) = flat[lane * vector + v];
    }
}

DEVICE void store_lanes(storage *to, int lanes, int vector, const real *in)
{
    if (vector == 1 && lanes == CPU_LANES) {
        scalar flat[CPU_LANES];
        memcpy(flat, in, sizeof flat);
        for (int i = 0; i < CPU_LANES; ++i)
            to[i] = PACK(flat[i]);
    } else {
        for (int v = 0; v < vector; ++v)
            for (int lane = 0; lane < lanes; ++lane)
                to[lane * vector + v] = PACK(LANE(in[v], lane));
    }
}

/* -------------------------------------------------------------------------------------------- coefficients */

DEVICE rational kind_of(const grkan_plan_data *plan)
{
    const rational kind = {plan->operation.numerator_degree, plan->operation.denominator_degree,
                           (int)plan->operation.denominator, plan->near_exponent};
    return kind;
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

/** The coefficients of `lanes` neighbouring threads with these groups. */
DEVICE coefficients load_coefficients(rational kind, const cpu_job *job, const grkan_tiling *t, const int64_t *groups,
                                      int lanes)
{
    coefficients c;
    const int count = denominator_count(kind);
    for (int lane = 0; lane < CPU_LANES; ++lane) {
        const int64_t group = groups[lane < lanes ? lane : lanes - 1];
        const scalar *a = (const scalar *)job->numerator + (t->numerator_shared ? 0 : group * (kind.m + 1));
        const scalar *b = (const scalar *)job->denominator + (t->denominator_shared ? 0 : group * count);
        if (lane > 0 && groups[0] == groups[lanes - 1])
            break;
        for (int i = 0; i <= kind.m; ++i)
            LANE(c.a[i], lane) = a[i];
        for (int j = 0; j <= kind.n; ++j)
            LANE(c.b[j], lane) = denominator_term(kind, b, j);
    }
#if CPU_BYTES > 0
    if (groups[0] == groups[lanes - 1]) {
        for (int i = 0; i <= kind.m; ++i)
            c.a[i] = broadcast(c.a[i][0]);
        for (int j = 0; j <= kind.n; ++j)
            c.b[j] = broadcast(c.b[j][0]);
    }
#endif
    return c;
}

/** The group of each chunk column of a block. */
static void find_groups(const grkan_tiling *t, const tile *b, int64_t *groups)
{
    int64_t group = b->first_group;
    for (int column = 0; column < t->span_chunks; ++column) {
        while (group + 1 < b->end_group &&
               b->start + (int64_t)column * t->vector >= group_start(t, group + 1) * t->inner)
            ++group;
        groups[column] = group;
    }
}

/* ------------------------------------------------------------------------------------------------- elements */

#if CPU_BYTES == 0

DEVICE void forward_chunk(const grkan_plan_data *plan, rational kind, const coefficients *c, real *x, int vector)
{
    (void)plan;
    for (int v = 0; v < vector; ++v)
        x[v] = forward_element(kind, c, x[v]);
}

DEVICE void backward_chunk(const grkan_plan_data *plan, rational kind, const coefficients *c, const real *x, real *dy,
                           int vector, real *sums)
{
    (void)plan;
    for (int v = 0; v < vector; ++v)
        dy[v] = backward_element(kind, c, x[v], dy[v], sums);
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
DEVICE int all_near(rational kind, const real *x, int vector)
{
    const scalar limit = (scalar)((int64_t)1 << kind.near_exponent);
    real_bits far = {0};
    scalar_bits any = 0;
    for (int v = 0; v < vector; ++v)
        far |= ABS(x[v]) > limit;
    for (int lane = 0; lane < CPU_LANES; ++lane)
        any |= far[lane];
    return any == 0;
}

static void lane_coefficients(const coefficients *c, int lane, scalar *out)
{
    for (int i = 0; i <= MAX_DEGREE; ++i) {
        out[i] = c->a[i][lane];
        out[MAX_DEGREE + 1 + i] = c->b[i][lane];
    }
}

static __attribute__((noinline, cold)) void forward_lanes_far(const grkan_plan_data *plan, const coefficients *c,
                                                              real *x, int vector)
{
    scalar own[CPU_COEFFICIENTS];
    for (int lane = 0; lane < CPU_LANES; ++lane) {
        lane_coefficients(c, lane, own);
        for (int v = 0; v < vector; ++v)
            x[v][lane] = FORWARD_ELEMENT(plan, own, x[v][lane]);
    }
}

static __attribute__((noinline, cold)) void backward_lanes_far(const grkan_plan_data *plan, const coefficients *c,
                                                               const real *x, real *dy, int vector, real *sums,
                                                               int count)
{
    scalar own[CPU_COEFFICIENTS], own_sums[CPU_COEFFICIENTS];
    for (int lane = 0; lane < CPU_LANES; ++lane) {
        lane_coefficients(c, lane, own);
        for (int i = 0; i < count; ++i)
            own_sums[i] = sums[i][lane];
        for (int v = 0; v < vector; ++v)
            dy[v][lane] = BACKWARD_ELEMENT(plan, own, x[v][lane], dy[v][lane], own_sums);
        for (int i = 0; i < count; ++i)
            sums[i][lane] = own_sums[i];
    }
}

DEVICE void forward_chunk(const grkan_plan_data *plan, rational kind, const coefficients *c, real *x, int vector)
{
    if (all_near(kind, x, vector)) {
        for (int v = 0; v < vector; ++v)
            x[v] = forward_near(kind, c, x[v]);
    } else {
        forward_lanes_far(plan, c, x, vector);
    }
}

DEVICE void backward_chunk(const grkan_plan_data *plan, rational kind, const coefficients *c, const real *x, real *dy,
                           int vector, real *sums)
{
    if (all_near(kind, x, vector)) {
        for (int v = 0; v < vector; ++v)
            dy[v] = backward_near(kind, c, x[v], dy[v], sums);
    } else {
        /* A copy, so that the address of the sums escapes here only and they stay in registers otherwise. */
        real kept[MAX_COEFFICIENTS];
        const int count = coefficient_count(kind);
        for (int i = 0; i < count; ++i)
            kept[i] = sums[i];
        backward_lanes_far(plan, c, x, dy, vector, kept, count);
        for (int i = 0; i < count; ++i)
            sums[i] = kept[i];
    }
}

#endif

/* --------------------------------------------------------------------------------------------------- blocks */

/** Where `lanes` neighbouring threads of a block are. */
typedef struct lane_block {
    place first;
    int thread;
    int lanes;
} lane_block;

DEVICE lane_block lanes_at(const grkan_tiling *t, const tile *b, int row_lane, int column)
{
    const int thread = row_lane * t->span_chunks + column;
    const int64_t left = b->chunks - column;
    lane_block l = {place_of_thread(t, b, thread), thread, CPU_LANES};
    if (left < l.lanes)
        l.lanes = (int)left;
    return l;
}

/** Columns of a block that have work. */
DEVICE int columns_of(const grkan_tiling *t, const tile *b)
{
    return (int)smaller(b->chunks, t->span_chunks);
}

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

/** A range of visits of one lane block: dx, and the sums of that range. */
DEVICE void backward_visits(const cpu_job *job, rational kind, int vector, const tile *b, const lane_block *l,
                            const coefficients *c, int64_t first, int64_t end, real *sums)
{
    const grkan_tiling *t = &job->plan->backward;
    cursor at = cursor_at(t, b, &l->first, first);
    for (int64_t visit = first; visit < end; ++visit) {
        const int lanes = (int)smaller(l->lanes, chunks_left(t, b, &l->first, &at));
        if (lanes > 0) {
            real x[most_vector], dy[most_vector];
            load_lanes((const storage *)job->x + at.element, lanes, vector, x);
            load_lanes((const storage *)job->dy + at.element, lanes, vector, dy);
            backward_chunk(job->plan, kind, c, x, dy, vector, sums);
            store_lanes((storage *)job->result + at.element, lanes, vector, dy);
        }
        cursor_advance(t, &at);
    }
}

DEVICE gradients gradients_of(const cpu_job *job)
{
    const gradients g = {.denominator = job->denominator,
                         .dnumerator = job->dnumerator,
                         .ddenominator = job->ddenominator,
                         .parts = job->workspace ? (scalar *)((char *)job->workspace + GRKAN_WORKSPACE_COUNTER_BYTES)
                                                 : NULL,
                         .numerator_parts = job->plan->numerator_parts,
                         .denominator_parts = job->plan->denominator_parts,
                         .strategy = (int)job->plan->options.strategy,
                         .add = job->add};
    return g;
}

DEVICE void backward_body(const cpu_job *job, int64_t block, rational kind, int vector)
{
    const grkan_tiling *t = &job->plan->backward;
    const tile b = tile_of_block(t, block);
    const gradients g = gradients_of(job);
    const int count = coefficient_count(kind);
    const int columns = columns_of(t, &b);
    const int64_t most_visits = (b.end_row - b.first_row + t->row_lanes - 1) / t->row_lanes;
    scalar slots[32768 / sizeof(scalar)], exchange[2 * most_threads];
    int64_t groups[most_threads];
    const int flush = t->flush;

    memset(slots, 0, (size_t)(count * t->block) * sizeof(scalar));
    find_groups(t, &b, groups);
    for (int64_t first = 0; first < most_visits; first += flush) {
        for (int row_lane = 0; row_lane < t->row_lanes; ++row_lane) {
            for (int column = 0; column < columns; column += CPU_LANES) {
                const lane_block l = lanes_at(t, &b, row_lane, column);
                const coefficients c = load_coefficients(kind, job, t, groups + column, l.lanes);
                real sums[MAX_COEFFICIENTS];
                for (int i = 0; i < count; ++i)
                    sums[i] = REAL(0);
                backward_visits(job, kind, vector, &b, &l, &c, first, smaller(first + flush, l.first.visits), sums);
                for (int i = 0; i < count; ++i)
                    for (int lane = 0; lane < l.lanes; ++lane)
                        slots[i * t->block + l.thread + lane] += LANE(sums[i], lane);
            }
        }
    }
    for (int thread = 0; thread < t->block; ++thread)
        reduce_slots(t, kind, &g, &b, thread, slots, exchange);
    for (int thread = 0; thread < t->block; ++thread)
        deliver_slices(t, kind, &g, &b, thread, exchange);
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
        const coefficients c = load_coefficients(kind, job, t, &p.group, 1);
        cursor at = cursor_at(t, &b, &p, 0);
        for (int64_t visit = 0; visit < p.visits; ++visit, cursor_advance(t, &at)) {
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

DEVICE void forward_body(const cpu_job *job, int64_t block, rational kind, int vector)
{
    const grkan_tiling *t = &job->plan->forward;
    const tile b = tile_of_block(t, block);
    const int columns = columns_of(t, &b);
    const int64_t most_visits = (b.end_row - b.first_row + t->row_lanes - 1) / t->row_lanes;
    const int flush = t->flush;
    int64_t groups[most_threads];

    find_groups(t, &b, groups);
    for (int64_t first = 0; first < most_visits; first += flush) {
        for (int row_lane = 0; row_lane < t->row_lanes; ++row_lane) {
            for (int column = 0; column < columns; column += CPU_LANES) {
                const lane_block l = lanes_at(t, &b, row_lane, column);
                const coefficients c = load_coefficients(kind, job, t, groups + column, l.lanes);
                cursor at = cursor_at(t, &b, &l.first, first);
                for (int64_t visit = first; visit < smaller(first + flush, l.first.visits); ++visit) {
                    const int lanes = (int)smaller(l.lanes, chunks_left(t, &b, &l.first, &at));
                    if (lanes > 0) {
                        real x[most_vector];
                        load_lanes((const storage *)job->x + at.element, lanes, vector, x);
                        forward_chunk(job->plan, kind, &c, x, vector);
                        store_lanes((storage *)job->result + at.element, lanes, vector, x);
                    }
                    cursor_advance(t, &at);
                }
            }
        }
    }
}

/* -------------------------------------------------------------------------------------------------- entries */

/** KAT's function, for which the compiler unrolls every loop over coefficients. */
#define KAT_M 5
#define KAT_N 4
/** Elements of 16 bytes: the chunk of device_to_device for even sizes. */
#define FULL_VECTOR (16 / (int)sizeof(storage))

/** Instantiate a body with constants where they are common; otherwise loops stay loops. */
#define DISPATCH(body, job, block, vector_)                                                                            \
    do {                                                                                                               \
        const rational any = kind_of((job)->plan);                                                                     \
        const rational kat = {KAT_M, KAT_N, FORM_ABS_TERMS, any.near_exponent};                                        \
        const int is_kat = any.m == KAT_M && any.n == KAT_N && any.form == FORM_ABS_TERMS;                             \
        if (is_kat && (vector_) == 1)                                                                                  \
            body(job, block, kat, 1);                                                                                  \
        else if (is_kat && (vector_) == FULL_VECTOR)                                                                   \
            body(job, block, kat, FULL_VECTOR);                                                                        \
        else                                                                                                           \
            body(job, block, any, vector_);                                                                            \
    } while (0)

static void forward_block(const cpu_job *job, int64_t block)
{
    DISPATCH(forward_body, job, block, job->plan->forward.vector);
}

static void backward_block(const cpu_job *job, int64_t block)
{
#if CPU_BYTES == 0
    if (job->plan->options.strategy == GRKAN_STRATEGY_ELEMENT) {
        backward_by_element(job, block);
        return;
    }
#endif
    DISPATCH(backward_body, job, block, job->plan->backward.vector);
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

const cpu_kernels NAME(CPU_SIMD, CPU_DTYPE) = {forward_block, backward_block, combine_output};
