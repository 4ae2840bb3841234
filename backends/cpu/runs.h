/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file runs.h
 * @brief Arithmetic on staged rows.
 *
 * Rows are walked as they lie in memory, run by run. Backward does so twice: first each row gives dx and its elements'
 * shares in the sums, then each vector of columns adds its shares, row after row. In one loop the sums would fill the
 * registers, and nothing would be left to do while a division is under way.
 */

/** As many columns as are asked for ahead at once: with 768, forward takes half as long again. */
enum { longest_run = 128 };

/** Neighbouring columns that have the same coefficients; one vector of columns where groups meet. */
typedef struct run {
    coefficients c;
    scalar limit;      /* of |x|, up to which no element needs far.h */
    int first, end;    /* columns of the strip, whole vectors */
    uint64_t far_rows; /* bit i: staged row i needs far.h in this run */
} run;

/** An element between the two passes. */
typedef struct kept {
    real x; /* dx may lie where x was */
    share s;
} kept;

/** The group of a column of a block, and of the next ones: row by row, and of any for columns beyond. */
typedef struct column_group {
    int chunk;
    int64_t group;
    int64_t end; /* of the group, from the span's start, in elements */
} column_group;

DEVICE int64_t end_of_group(const grkan_tiling *t, const tile *b, int64_t group)
{
    return group + 1 < b->end_group ? group_start(t, group + 1) - b->start : INT64_MAX;
}

DEVICE column_group group_of_column(const grkan_tiling *t, const tile *b, int column)
{
    const int chunk = column % t->span_chunks;
    const int64_t group = group_of(t, b, chunk * t->vector);
    const column_group g = {chunk, group, end_of_group(t, b, group)};
    return g;
}

static void to_next_column(const grkan_tiling *t, const tile *b, column_group *g)
{
    if (++g->chunk == t->span_chunks) {
        g->chunk = 0;
        g->group = b->first_group;
        g->end = end_of_group(t, b, g->group);
    }
    while ((int64_t)g->chunk * t->vector >= g->end)
        g->end = end_of_group(t, b, ++g->group);
}

/** A run of columns whose first ones have these groups. @return it, its columns not yet known */
static run *load_run(const cpu_job *job, const grkan_tiling *t, const int64_t *groups, run *r)
{
    const rational kind = kind_of(job->plan);
    load_coefficients(kind, job, t, groups, &r->c);
    r->limit = has_large(kind, &r->c) ? -(scalar)1 : near_limit(kind);
    r->far_rows = 0;
    return r;
}

/**
 * The runs of a strip, up to most_runs of them; a strip that has more ends there.
 * @return their number
 */
static int find_runs(const cpu_job *job, const grkan_tiling *t, const tile *b, strip *s, run *runs, int most_runs)
{
    column_group at = group_of_column(t, b, s->first);
    int count = 0, is_one = 0;
    int64_t group = -1;
    for (int column = 0; column < s->width; column += CPU_LANES) {
        int64_t groups[CPU_LANES];
        for (int lane = 0; lane < CPU_LANES; ++lane, to_next_column(t, b, &at))
            groups[lane] = at.group;
        const int was_one = is_one && group == groups[0];
        is_one = is_one_group(groups);
        group = groups[0];
        if (!was_one || !is_one || column - runs[count - 1].first >= longest_run) {
            if (count == most_runs) {
                s->columns = s->width = column;
                break;
            }
            load_run(job, t, groups, runs + count++)->first = column;
        }
        runs[count - 1].end = column + CPU_LANES;
    }
    return count;
}

/** Whether no element of a run's row needs far.h. */
DEVICE int row_is_near(const run *r, const scalar *x)
{
    real_bits far = {0};
    for (int column = r->first; column < r->end; column += CPU_LANES)
        far |= IS_ABOVE(ABS(load_lanes(x + column)), r->limit);
    return has_no_lane(far);
}

/* -------------------------------------------------------------------------------------------------- forward */

/** A row of forward, where each run's coefficients are at hand. Chunks are of one element: cpu_describe asks for no others. */
typedef struct forward_row {
    const scalar *x; /* where it lies, or staged */
    scalar *y;
    const storage *next_x; /* what is asked for meanwhile; NULL: nothing */
    const storage *next_y;
    const run *runs;
    int run_count;
} forward_row;

DEVICE void forward_runs(const cpu_job *job, rational kind, const forward_row *row)
{
    const scalar *const x = row->x;
    scalar *const y = row->y;
    for (const run *r = row->runs; r < row->runs + row->run_count; ++r) {
        const int first = r->first, end = r->end;
        for (int i = first; row->next_x != NULL && i < end; i += line / (int)sizeof(storage)) {
            __builtin_prefetch(row->next_x + i);
            __builtin_prefetch(row->next_y + i, 1);
        }
        if (row_is_near(r, x))
            for (int column = first; column < end; column += CPU_LANES)
                store_lanes(y + column, forward_near(kind, &r->c, load_lanes(x + column)));
        else
            for (int column = first; column < end; column += CPU_LANES)
                store_lanes(y + column, forward_lanes(job->plan, &r->c, load_lanes(x + column)));
    }
}

/** Functions that the compiler does not know, apart from the others, whose registers would not suffice for all. */
static __attribute__((noinline)) void forward_any(const cpu_job *job, const forward_row *row)
{
    if (job->plan->repeats == 1)
        forward_runs(job, repeated(kind_of(job->plan), 1), row);
    else
        forward_runs(job, kind_of(job->plan), row);
}

/** The loop of one function that the compiler knows, if it is the one at hand. */
#define FORWARD_IF(m, n, form, repeats)                                                                                \
    if (is_known(kind, m, n, form, repeats)) {                                                                         \
        forward_runs(job, known(m, n, form, repeats), row);                                                            \
        return;                                                                                                        \
    }

static __attribute__((noinline)) void forward_known(const cpu_job *job, const forward_row *row)
{
    const rational kind = kind_of(job->plan);
    FOR_EACH_KNOWN(FORWARD_IF)
    (void)kind;
    forward_any(job, row);
}

/* ------------------------------------------------------------------------------------------------- backward */

/** What a block of backward keeps: threads in their registers and in shared memory on a GPU. Sums are by vectors of columns:
    [vector of columns][coefficient]. */
typedef struct backward_state {
    strip s;
    staged_visits at;
    staged_rows rows;
    scalar *x;
    scalar *dy;   /* staged, and then dx */
    kept *shares; /* [vector of columns][staged row] */
    run *runs;
    int run_count;
    real *sums;      /* first level, between stages of a chain */
    real *slots;     /* second level */
    scalar *totals;  /* over row lanes: [coefficient][column] */
    scalar *outputs; /* of the block, see reduce.h */
} backward_state;

/** Where a stage is in the chain of additions of the first level. */
typedef struct chain {
    int starts;
    int ends;
} chain;

/** First pass: dx, and what the second one needs. Rows with large elements are left to it. */
DEVICE void backward_slopes(rational kind, int rows, backward_state *state)
{
    for (int row = 0; row < rows; ++row) {
        const scalar *x = state->rows.x[row];
        const scalar *dy = state->rows.dy[row];
        scalar *dx = state->rows.result[row];
        for (run *r = state->runs; r < state->runs + state->run_count; ++r) {
            kept *shares = state->shares + r->first / CPU_LANES * rows + row;
            if (!row_is_near(r, x)) {
                r->far_rows |= (uint64_t)1 << row;
                continue;
            }
            for (int column = r->first; column < r->end; column += CPU_LANES, shares += rows) {
                const real here = load_lanes(x + column);
                shares->x = here;
                store_lanes(dx + column, slope_near(kind, &r->c, here, load_lanes(dy + column), &shares->s));
            }
        }
    }
}

/** What the sums of a vector of columns begin with, unless it is with those of the stage before. */
DEVICE void start_sums(chain at, int count, real *sums)
{
    if (!at.starts)
        return;
    UNROLL
    for (int i = 0; i < count; ++i)
        sums[i] = REAL(0);
}

/** At the end of a chain they are added to the second level. */
DEVICE void end_sums(chain at, int count, const real *sums, real *slots)
{
    if (!at.ends)
        return;
    UNROLL
    for (int i = 0; i < count; ++i)
        slots[i] = slots[i] + sums[i];
}

/** Second pass over a run where some rows have large elements. */
static __attribute__((noinline, cold)) void add_far_run(const cpu_job *job, const run *r, chain at, int rows,
                                                        backward_state *state)
{
    const rational kind = kind_of(job->plan);
    const int count = coefficient_count(kind);
    for (int column = r->first; column < r->end; column += CPU_LANES) {
        const kept *shares = state->shares + column / CPU_LANES * rows;
        real *const sums = state->sums + column / CPU_LANES * count;
        start_sums(at, count, sums);
        for (int row = 0; row < rows; ++row) {
            if (r->far_rows >> row & 1)
                store_lanes(state->rows.result[row] + column,
                            backward_lanes(job->plan, &r->c, load_lanes(state->rows.x[row] + column),
                                           load_lanes(state->rows.dy[row] + column), sums));
            else
                add_share(kind, shares[row].x, shares[row].s, sums);
        }
        end_sums(at, count, sums, state->slots + column / CPU_LANES * count);
    }
}

/** Second pass over a vector of columns, whose sums the compiler knows the number of: they are in registers. */
DEVICE void add_in_registers(rational kind, chain at, int rows, const kept *shares, real *kept_sums, real *slots)
{
    const int count = coefficient_count(kind);
    real sums[MAX_COEFFICIENTS];
    UNROLL
    for (int i = 0; i < count; ++i)
        sums[i] = kept_sums[i];
    start_sums(at, count, sums);
    for (int row = 0; row < rows; ++row)
        add_share(kind, shares[row].x, shares[row].s, sums);
    end_sums(at, count, sums, slots);
    if (at.ends)
        return;
    UNROLL
    for (int i = 0; i < count; ++i)
        kept_sums[i] = sums[i];
}

/** Likewise, where they have no room in registers, nor twice in memory: the stack is small. */
DEVICE void add_in_memory(rational kind, chain at, int rows, const kept *shares, real *sums, real *slots)
{
    const int count = coefficient_count(kind);
    start_sums(at, count, sums);
    for (int row = 0; row < rows; ++row)
        add_share(kind, shares[row].x, shares[row].s, sums);
    end_sums(at, count, sums, slots);
}

/** Second pass: the sums of every column, in the order of the rows. */
DEVICE void backward_sums(const cpu_job *job, rational kind, int is_known, chain at, int rows, backward_state *state)
{
    const int count = coefficient_count(kind);
    for (run *r = state->runs; r < state->runs + state->run_count; ++r) {
        if (r->far_rows != 0) {
            add_far_run(job, r, at, rows, state);
            r->far_rows = 0;
            continue;
        }
        for (int vector = r->first / CPU_LANES; vector < r->end / CPU_LANES; ++vector) {
            const kept *const shares = state->shares + vector * rows;
            real *const sums = state->sums + vector * count, *const slots = state->slots + vector * count;
            if (is_known)
                add_in_registers(kind, at, rows, shares, sums, slots);
            else
                add_in_memory(kind, at, rows, shares, sums, slots);
        }
    }
}

DEVICE void backward_rows(const cpu_job *job, rational kind, int is_known, chain at, int rows, backward_state *state)
{
    backward_slopes(kind, rows, state);
    backward_sums(job, kind, is_known, at, rows, state);
}

static __attribute__((noinline)) void backward_any(const cpu_job *job, chain at, int rows, backward_state *state)
{
    if (job->plan->repeats == 1)
        backward_rows(job, repeated(kind_of(job->plan), 1), 0, at, rows, state);
    else
        backward_rows(job, kind_of(job->plan), 0, at, rows, state);
}

#define BACKWARD_IF(m, n, form, repeats)                                                                               \
    if (is_known(kind, m, n, form, repeats)) {                                                                         \
        backward_rows(job, known(m, n, form, repeats), 1, at, rows, state);                                            \
        return;                                                                                                        \
    }

/** As forward_known. */
static __attribute__((noinline)) void backward_stage(const cpu_job *job, chain at, int rows, backward_state *state)
{
    const rational kind = kind_of(job->plan);
    FOR_EACH_KNOWN(BACKWARD_IF)
    (void)kind;
    backward_any(job, at, rows, state);
}
