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
    int first, end;    /* columns, whole vectors */
    uint64_t far_rows; /* bit i: staged row i needs far.h in this run */
} run;

typedef run block_runs[most_width / CPU_LANES];

/** An element between the two passes. */
typedef struct kept {
    real x; /* dx may lie where x was */
    share s;
} kept;

/** The group of each column of a stage: of each thread of the block, row by row, and of any for columns beyond. */
static void find_groups(const grkan_tiling *t, const tile *b, int width, int64_t *groups)
{
    int column = 0;
    while (column < width) {
        int64_t group = b->first_group;
        int64_t end = group_start(t, group + 1), element = b->start;
        for (int chunk = 0; chunk < t->span_chunks && column < width; ++chunk, element += t->vector) {
            while (group + 1 < b->end_group && element >= end)
                end = group_start(t, ++group + 1);
            groups[column++] = group;
        }
    }
}

static int find_runs(const cpu_job *job, const grkan_tiling *t, const tile *b, int width, run *runs)
{
    int64_t groups[most_width];
    int count = 0;
    find_groups(t, b, width, groups);
    for (int column = 0; column < width; ++count) {
        run *r = runs + count;
        const int64_t group = groups[column];
        const int is_one = is_one_group(groups + column);
        r->far_rows = 0;
        r->first = column;
        column += CPU_LANES;
        while (is_one && column < width && column - r->first < longest_run && groups[column] == group &&
               is_one_group(groups + column))
            column += CPU_LANES;
        r->end = column;
        load_coefficients(kind_of(job->plan), job, t, groups + r->first, &r->c);
        r->limit = has_large(kind_of(job->plan), &r->c) ? -(scalar)1 : near_limit(kind_of(job->plan));
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

/** What a block of forward keeps. */
typedef struct forward_state {
    staged x;
    staged_visits at;
    staged_rows rows;
    block_runs runs;
    int run_count;
} forward_state;

DEVICE void forward_run(const cpu_job *job, rational kind, const run *r, const scalar *x, scalar *y)
{
    const int first = r->first, end = r->end;
    if (row_is_near(r, x))
        for (int column = first; column < end; column += CPU_LANES)
            store_lanes(y + column, forward_near(kind, &r->c, load_lanes(x + column)));
    else
        for (int column = first; column < end; column += CPU_LANES)
            store_lanes(y + column, forward_lanes(job->plan, &r->c, load_lanes(x + column)));
}

/** The staged rows; meanwhile the next stage is asked for. */
DEVICE void forward_rows(const cpu_job *job, rational kind, const stage *s, const forward_state *state)
{
    const staged_visits *at = &state->at;
    for (int visit = 0; visit < at->visits; ++visit) {
        const int64_t next = visit < at->next ? at->element[at->visits + visit] : -1;
        for (const run *r = state->runs; r < state->runs + state->run_count; ++r) {
            if (next >= 0)
                ask_for((const storage *)job->x + next + r->first * s->vector,
                        (const storage *)job->result + next + r->first * s->vector, (r->end - r->first) * s->vector);
            for (int row = visit * s->vector; row < (visit + 1) * s->vector; ++row)
                forward_run(job, kind, r, state->rows.x[row], state->rows.result[row]);
        }
    }
}

/** Functions that the compiler does not know, apart from the others, whose registers would not suffice for all. */
static __attribute__((noinline)) void forward_any(const cpu_job *job, const stage *s, const forward_state *state)
{
    if (job->plan->repeats == 1)
        forward_rows(job, repeated(kind_of(job->plan), 1), s, state);
    else
        forward_rows(job, kind_of(job->plan), s, state);
}

/** The loop of one function that the compiler knows, if it is the one at hand. */
#define FORWARD_IF(m, n, form, repeats)                                                                                \
    if (is_known(kind, m, n, form, repeats)) {                                                                         \
        forward_rows(job, known(m, n, form, repeats), s, state);                                                       \
        return;                                                                                                        \
    }

static __attribute__((noinline)) void forward_stage(const cpu_job *job, const stage *s, const forward_state *state)
{
    const rational kind = kind_of(job->plan);
    FOR_EACH_KNOWN(FORWARD_IF)
    (void)kind;
    forward_any(job, s, state);
}

/* ------------------------------------------------------------------------------------------------- backward */

/** What a block of backward keeps: threads in their registers and in shared memory on a GPU. */
typedef struct backward_state {
    staged x, dy;
    staged_visits at;
    staged_rows rows;
    kept shares[most_staged / CPU_LANES];                 /* [vector of columns][staged row] */
    real sums[MAX_COEFFICIENTS * most_width / CPU_LANES]; /* first level, [vector of columns][coefficient] */
    scalar slots[CPU_LOCAL_BYTES / sizeof(scalar)];       /* second level */
    block_runs runs;
    int run_count;
} backward_state;

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

/** Second pass over a run where some rows have large elements. */
static __attribute__((noinline, cold)) void add_far_run(const cpu_job *job, const run *r, int rows,
                                                        backward_state *state)
{
    const rational kind = kind_of(job->plan);
    for (int column = r->first; column < r->end; column += CPU_LANES) {
        const kept *shares = state->shares + column / CPU_LANES * rows;
        real *sums = state->sums + column / CPU_LANES * coefficient_count(kind);
        for (int row = 0; row < rows; ++row) {
            if (r->far_rows >> row & 1)
                store_lanes(state->rows.result[row] + column,
                            backward_lanes(job->plan, &r->c, load_lanes(state->rows.x[row] + column),
                                           load_lanes(state->rows.dy[row] + column), sums));
            else
                add_share(kind, shares[row].x, shares[row].s, sums);
        }
    }
}

/** Second pass: the sums of every column, in the order of the rows. */
DEVICE void backward_sums(const cpu_job *job, rational kind, int rows, backward_state *state)
{
    const int count = coefficient_count(kind);
    for (run *r = state->runs; r < state->runs + state->run_count; ++r) {
        if (r->far_rows != 0) {
            add_far_run(job, r, rows, state);
            r->far_rows = 0;
            continue;
        }
        for (int vector = r->first / CPU_LANES; vector < r->end / CPU_LANES; ++vector) {
            const kept *shares = state->shares + vector * rows;
            real sums[MAX_COEFFICIENTS];
            UNROLL
            for (int i = 0; i < count; ++i)
                sums[i] = state->sums[vector * count + i];
            for (int row = 0; row < rows; ++row)
                add_share(kind, shares[row].x, shares[row].s, sums);
            UNROLL
            for (int i = 0; i < count; ++i)
                state->sums[vector * count + i] = sums[i];
        }
    }
}

DEVICE void backward_rows(const cpu_job *job, rational kind, int rows, backward_state *state)
{
    backward_slopes(kind, rows, state);
    backward_sums(job, kind, rows, state);
}

static __attribute__((noinline)) void backward_any(const cpu_job *job, int rows, backward_state *state)
{
    if (job->plan->repeats == 1)
        backward_rows(job, repeated(kind_of(job->plan), 1), rows, state);
    else
        backward_rows(job, kind_of(job->plan), rows, state);
}

#define BACKWARD_IF(m, n, form, repeats)                                                                               \
    if (is_known(kind, m, n, form, repeats)) {                                                                         \
        backward_rows(job, known(m, n, form, repeats), rows, state);                                                   \
        return;                                                                                                        \
    }

/** As forward_stage. */
static __attribute__((noinline)) void backward_stage(const cpu_job *job, int rows, backward_state *state)
{
    const rational kind = kind_of(job->plan);
    FOR_EACH_KNOWN(BACKWARD_IF)
    (void)kind;
    backward_any(job, rows, state);
}
