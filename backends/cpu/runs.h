/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file runs.h
 * @brief Arithmetic on staged rows.
 *
 * Rows are computed as they lie in memory, run by run. Backward does so twice: first each staged row gives dx and what its
 * elements add to the sums, then each SIMD vector of columns adds that, row after row. In one loop the sums would fill the
 * registers, and nothing would be left to do while a division is under way.
 */

/** As many columns as are asked for ahead at once: with 768, forward takes half as long again. */
enum { longest_run = 128 };

/** Neighbouring columns that have the same coefficients; one SIMD vector of columns where groups meet. */
typedef struct run {
    coefficients c;
    scalar limit;       /* of |x|, up to which no element needs the rare formulas */
    int first, end;     /* columns of the strip, whole SIMD vectors */
    uint64_t rare_rows; /* bit i: staged row i needs them in this run */
} run;

/** An element between the two passes. */
typedef struct kept_element {
    real x; /* dx may lie where x was */
    element_terms terms;
} kept_element;

/** The group of a column of a block, and of the next ones: row by row, and of any for columns beyond. */
typedef struct column_group {
    int column; /* of the column tile */
    int64_t group;
    int64_t end; /* of the group, from the tile's start, in elements */
} column_group;

DEVICE int64_t end_of_group(const tile *b, int64_t group)
{
    return group + 1 < b->end_group ? group_start(b->g, group + 1) - b->start : INT64_MAX;
}

DEVICE column_group group_of_column(const tile *b, int thread)
{
    const int column = thread % b->g->columns.tile_vectors;
    const int64_t group = group_of(b, column * b->g->columns.vector);
    const column_group at = {column, group, end_of_group(b, group)};
    return at;
}

static void to_next_column(const tile *b, column_group *at)
{
    if (++at->column == b->g->columns.tile_vectors) {
        at->column = 0;
        at->group = b->first_group;
        at->end = end_of_group(b, at->group);
    }
    while ((int64_t)at->column * b->g->columns.vector >= at->end)
        at->end = end_of_group(b, ++at->group);
}

/** The groups of CPU_LANES columns. @return whether all are the first one's */
static int groups_of_lanes(const tile *b, column_group *at, int64_t *groups)
{
    const grkan_columns *const c = &b->g->columns;
    groups[0] = at->group;
    if (at->column + CPU_LANES < c->tile_vectors && (int64_t)(at->column + CPU_LANES) * c->vector < at->end) {
        at->column += CPU_LANES; /* all of these and the next one */
        return 1;
    }
    for (int lane = 0; lane < CPU_LANES; ++lane, to_next_column(b, at))
        groups[lane] = at->group;
    return is_one_group(groups);
}

/** A run of columns whose first ones have these groups, or that one. @return it, its columns not yet known */
static run *load_run(const cpu_job *job, const grkan_geometry *g, const int64_t *groups, int is_one, run *r)
{
    const family f = family_of(job->plan);
    load_coefficients(f, job, g, groups, is_one, &r->c);
    r->limit = has_large(f, &r->c) ? -(scalar)1 : near_limit(f);
    r->rare_rows = 0;
    return r;
}

/**
 * The runs of a strip, up to most_runs of them; a strip that has more ends there.
 * @return their number
 */
static int find_runs(const cpu_job *job, const tile *b, strip *s, run *runs, int most_runs)
{
    column_group at = group_of_column(b, s->first);
    int count = 0, is_one = 0;
    int64_t group = -1;
    for (int column = 0; column < s->width; column += CPU_LANES) {
        int64_t groups[CPU_LANES];
        const int is_next_one = groups_of_lanes(b, &at, groups), was_one = is_one && group == groups[0];
        is_one = is_next_one;
        group = groups[0];
        if (!was_one || !is_one || column - runs[count - 1].first >= longest_run) {
            if (count == most_runs) {
                s->columns = s->width = column;
                break;
            }
            load_run(job, b->g, groups, is_one, runs + count++)->first = column;
        }
        runs[count - 1].end = column + CPU_LANES;
    }
    return count;
}

/** Whether no element of a run needs the rare formulas, the largest of whose |x| has these bits. For NaN it is not: integers,
    which are larger for it, are compared with fewer instructions. */
DEVICE int run_is_near(const run *r, real_bits largest)
{
    scalar_bits limit;
    memcpy(&limit, &r->limit, sizeof limit);
    return has_no_lane(IS_ABOVE(largest, limit));
}

/** Likewise, of a run's part of a row. */
DEVICE int row_is_near(const run *r, grkan_dtype dtype, const char *x)
{
    const int size = (r->end - r->first) * stored_bytes(dtype);
    real_bits largest = {0};
    for (int at = 0; at < size; at += CPU_LANES * stored_bytes(dtype))
        largest = larger_bits(largest, bits_of_lanes(ABS(load_stored(dtype, x + at))));
    return run_is_near(r, largest);
}

/* -------------------------------------------------------------------------------------------------- forward */

/** Rows of forward that lie one behind the other, where the coefficients of each run, which they share, are at hand. Vectors
    are of one element: cpu_describe asks for no others. */
typedef struct forward_row {
    const char *x; /* where the first lies, or staged */
    char *y;
    grkan_dtype dtype;  /* of both */
    int rows;           /* more than one where they repeat the runs */
    int pitch;          /* from a row to the next, in elements */
    const char *next_x; /* what is asked for meanwhile; NULL: nothing */
    const char *next_y;
    int line_elements;  /* of a cache line of the wider type */
    int x_step, y_step; /* bytes of so many of each */
    const run *runs;
    int run_count;
} forward_row;

/** Of staged elements. */
DEVICE forward_row row_in_place(scalar *z, const run *runs, int run_count)
{
    char *const own = (char *)z;
    return (forward_row){.x = own, .y = own, .dtype = SCALAR_DTYPE, .rows = 1, .runs = runs, .run_count = run_count};
}

DEVICE void forward_runs(const cpu_job *job, family f, grkan_dtype dtype, const forward_row *row)
{
    const forward_row all = *row; /* which y may not alias */
    const int bytes = stored_bytes(dtype);
    const run *const last = all.runs + all.run_count;
    const char *next_x = all.next_x, *next_y = all.next_y;
    int due = next_x != NULL ? 0 : INT_MIN / 2; /* elements whose lines are to be asked for */
    int asked = 0;
    for (const run *r = all.runs; r < last; ++r) {
        const coefficients c = r->c;
        const scalar limit = r->limit;
        const int size = (r->end - r->first) * bytes;
        const char *x = all.x + r->first * bytes;
        char *y = all.y + r->first * bytes;
        for (int i = 0; i < all.rows; ++i, x += all.pitch * bytes, y += all.pitch * bytes) {
            due += r->end - r->first;
            for (; asked < due; asked += all.line_elements, next_x += all.x_step, next_y += all.y_step) {
                __builtin_prefetch(next_x);
                __builtin_prefetch(next_y, 1);
            }
            for (int at = 0; at < size; at += CPU_LANES * bytes) {
                const real here = load_stored(dtype, x + at);
                if (__builtin_expect(ANY_ABOVE(ABS(here), limit), 0))
                    store_stored(dtype, y + at, forward_lanes(job->plan, &r->c, here));
                else
                    store_stored(dtype, y + at, forward_near(f, &c, here));
            }
        }
    }
}

/** Rows of each type. */
DEVICE void forward_stored(const cpu_job *job, family f, const forward_row *row)
{
#if !CPU_DOUBLE
    if (row->dtype == GRKAN_BF16)
        forward_runs(job, f, GRKAN_BF16, row);
    else if (row->dtype == GRKAN_F16)
        forward_runs(job, f, GRKAN_F16, row);
    else
#endif
        forward_runs(job, f, SCALAR_DTYPE, row);
}

/** Functions that the compiler does not know, apart from the others, whose registers would not suffice for all. */
static __attribute__((noinline)) void forward_any(const cpu_job *job, const forward_row *row)
{
    forward_stored(job, family_of(job->plan), row);
}

/** The loop of one function that the compiler knows, if it is the one at hand. */
#define FORWARD_IF(function)                                                                                           \
    if (is_same_function(f, function)) {                                                                               \
        forward_stored(job, function, row);                                                                            \
        return;                                                                                                        \
    }

static __attribute__((noinline)) void forward_unrolled(const cpu_job *job, const forward_row *row)
{
    const family f = family_of(job->plan);
    FOR_EACH_UNROLLED(FORWARD_IF)
    (void)f;
    forward_any(job, row);
}

/* ------------------------------------------------------------------------------------------------- backward */

/** What a block of backward keeps: threads in their registers and in shared memory on a GPU. Sums are by SIMD vectors of
    columns: [SIMD vector of columns][sum]. */
typedef struct backward_state {
    strip s;
    block_rows at;
    staged_rows rows;
    scalar *x;
    scalar *dy;         /* staged, and then dx */
    kept_element *kept; /* [SIMD vector of columns][staged row] */
    run *runs;
    int run_count;
    cpu_known_runs *known; /* see runs_of_strip; may be NULL */
    int has_sums;          /* whether a gradient of the family's tables is wanted */
    real *sums;            /* first level, between stages of a chain */
    real *thread_sums;     /* second level */
    scalar *totals;        /* over the block's rows: [sum][column] */
    scalar *output_sums;   /* see reduce.h */
    strip_prologue prologue;
} backward_state;

/** Where a stage is in the chain of additions of the first level. */
typedef struct chain {
    int starts;
    int ends;
    int is_first; /* nothing is in the second level yet */
} chain;

/** A run's part of a row. */
typedef struct run_part {
    const char *x;
    const char *dy;
    char *dx; /* may be either */
} run_part;

/** Ask for so many bytes from a place on. */
DEVICE void ask_for(const char *place, int bytes)
{
    UNROLL
    for (int at = 0; at < bytes; at += line)
        __builtin_prefetch(place + at);
}

/**
 * The first pass over a run of a row, whose columns are single elements.
 * @param step from a SIMD vector's kept to the next one's
 * @return whether no element needs the rare formulas; if one does, nothing is written
 */
DEVICE int slopes_of_elements(family f, const run *r, grkan_dtype dtype, run_part part, int step, kept_element *kept)
{
    const int size = (r->end - r->first) * stored_bytes(dtype);
    if (!row_is_near(r, dtype, part.x))
        return 0;
    for (int at = 0; at < size; at += CPU_LANES * stored_bytes(dtype), kept += step) {
        const real here = load_stored(dtype, part.x + at);
        kept->x = here;
        store_stored(dtype, part.dx + at, slope_near(f, &r->c, here, load_stored(dtype, part.dy + at), &kept->terms));
    }
    return 1;
}

/**
 * Likewise, of vectors of several. Three loops, since what is done to a SIMD vector one after the other in one of them is too
 * long for a processor to begin with the next ones meanwhile. So the first would wait for memory, which no processor
 * foresees, since such rows are far apart: it is asked for a row before.
 * @param next_row bytes from here to the row after it
 * @param dys memory for as many elements as a run has
 */
DEVICE int slopes_of_vectors(family f, const run *r, grkan_dtype dtype, int vector, run_part part, ptrdiff_t next_row,
                             int step, kept_element *kept, real *dys)
{
    const int bytes = CPU_LANES * vector * stored_bytes(dtype), count = (r->end - r->first) / CPU_LANES;
    real own[most_vector];
    real_bits largest = {0};
    for (int i = 0; i < count; ++i) {
        ask_for(part.x + i * bytes + next_row, bytes);
        ask_for(part.dy + i * bytes + next_row, bytes);
        load_vectors(dtype, vector, part.x + i * bytes, own);
        UNROLL
        for (int v = 0; v < vector; ++v) {
            largest = larger_bits(largest, bits_of_lanes(ABS(own[v])));
            kept[i * step + v].x = own[v];
        }
        load_vectors(dtype, vector, part.dy + i * bytes, dys + i * vector);
    }
    if (!run_is_near(r, largest))
        return 0;
    for (int i = 0; i < count; ++i) {
        NO_UNROLL
        for (int v = 0; v < vector; ++v) {
            kept_element *const k = &kept[i * step + v];
            dys[i * vector + v] = slope_near(f, &r->c, k->x, dys[i * vector + v], &k->terms);
        }
    }
    for (int i = 0; i < count; ++i) {
        ask_for(part.dx + i * bytes + next_row, bytes);
        store_vectors(dtype, vector, part.dx + i * bytes, dys + i * vector);
    }
    return 1;
}

/** First pass: dx, and what the second one needs. Rows with rare elements are left to it. */
DEVICE void backward_slopes(family f, grkan_dtype dtype, int vector, int rows, backward_state *state)
{
    const staged_rows *const s = &state->rows;
    for (int row = 0; row < rows; row += vector) {
        const int i = row / vector;
        for (run *r = state->runs; r < state->runs + state->run_count; ++r) {
            kept_element *const kept = state->kept + r->first / CPU_LANES * rows + row;
            const int at = r->first * vector * stored_bytes(dtype);
            const run_part part = {s->x[i] + at, s->dy[i] + at, s->result[i] + at};
            const int is_done = vector == 1 ? slopes_of_elements(f, r, dtype, part, rows, kept)
                                            : slopes_of_vectors(f, r, dtype, vector, part, s->x[i + 1] - s->x[i], rows,
                                                                kept, (real *)state->x);
            if (!is_done)
                r->rare_rows |= (((uint64_t)1 << vector) - 1) << row;
        }
    }
}

/** What the sums of a SIMD vector of columns begin with, unless it is with those of the stage before. */
DEVICE void start_sums(chain at, int count, real *sums)
{
    if (!at.starts)
        return;
    UNROLL
    for (int i = 0; i < count; ++i)
        sums[i] = REAL(0);
}

/** At the end of a chain they are added to the second level, which begins with them: a sum that began with +0 is never -0. */
DEVICE void end_sums(chain at, int count, const real *sums, real *thread_sums)
{
    if (!at.ends)
        return;
    UNROLL
    for (int i = 0; i < count; ++i)
        thread_sums[i] = at.is_first ? sums[i] : thread_sums[i] + sums[i];
}

/** Where element v of a column's vector is in rows as these. */
DEVICE int place_of(const staged_rows *rows, int column, int v)
{
    return (column * rows->vector + v) * stored_bytes(rows->dtype);
}

/** Dx of columns with rare elements, one element of their vectors. Adds to sums what they add. */
static void backward_rare(const cpu_job *job, const run *r, int column, int row, const staged_rows *rows, real *sums)
{
    const int step = place_of(rows, 1, 0), v = row % rows->vector, place = place_of(rows, column, v);
    const char *const x = rows->x[row / rows->vector] + place, *const dy = rows->dy[row / rows->vector] + place;
    char *const dx = rows->result[row / rows->vector] + place;
    const real slope = backward_lanes(job->plan, &r->c, gather_stored(rows->dtype, x, step),
                                      gather_stored(rows->dtype, dy, step), sums);
    scatter_stored(rows->dtype, dx, step, slope);
}

/** Second pass over a run where some rows have rare elements. Not marked cold: clang would take 10 to 20 KiB of stack. */
static __attribute__((noinline)) void add_rare_run(const cpu_job *job, const run *r, chain at, int rows,
                                                   backward_state *state)
{
    const family f = family_of(job->plan);
    const int count = sum_count(f);
    for (int column = r->first; column < r->end; column += CPU_LANES) {
        const kept_element *kept = state->kept + column / CPU_LANES * rows;
        real *const sums = state->sums + column / CPU_LANES * count;
        start_sums(at, count, sums);
        for (int row = 0; row < rows; ++row) {
            if (r->rare_rows >> row & 1)
                backward_rare(job, r, column, row, &state->rows, sums);
            else
                add_terms(f, kept[row].x, kept[row].terms, sums);
        }
        end_sums(at, count, sums, state->thread_sums + column / CPU_LANES * count);
    }
}

/** Second pass over a SIMD vector of columns, whose sums the compiler knows the number of: they are in registers. */
DEVICE void add_in_registers(family f, chain at, int rows, const kept_element *kept, real *kept_sums, real *thread_sums)
{
    const int count = sum_count(f);
    real sums[MOST_SUMS];
    UNROLL
    for (int i = 0; i < count; ++i)
        sums[i] = kept_sums[i];
    start_sums(at, count, sums);
    for (int row = 0; row < rows; ++row)
        add_terms(f, kept[row].x, kept[row].terms, sums);
    end_sums(at, count, sums, thread_sums);
    if (at.ends)
        return;
    UNROLL
    for (int i = 0; i < count; ++i)
        kept_sums[i] = sums[i];
}

/** Likewise, where they have no room in registers, nor twice in memory: the stack is small. */
DEVICE void add_in_memory(family f, chain at, int rows, const kept_element *kept, real *sums, real *thread_sums)
{
    const int count = sum_count(f);
    start_sums(at, count, sums);
    for (int row = 0; row < rows; ++row)
        add_terms(f, kept[row].x, kept[row].terms, sums);
    end_sums(at, count, sums, thread_sums);
}

/** Second pass: the sums of every column, in the order of the rows. */
DEVICE void backward_sums(const cpu_job *job, family f, int is_unrolled, chain at, int rows, backward_state *state)
{
    const int count = sum_count(f);
    for (run *r = state->runs; r < state->runs + state->run_count; ++r) {
        if (r->rare_rows != 0) {
            add_rare_run(job, r, at, rows, state);
            r->rare_rows = 0;
            continue;
        }
        if (!state->has_sums)
            continue;
        for (int i = r->first / CPU_LANES; i < r->end / CPU_LANES; ++i) {
            const kept_element *const kept = state->kept + i * rows;
            real *const sums = state->sums + i * count, *const thread_sums = state->thread_sums + i * count;
            if (is_unrolled)
                add_in_registers(f, at, rows, kept, sums, thread_sums);
            else
                add_in_memory(f, at, rows, kept, sums, thread_sums);
        }
    }
}

DEVICE void backward_vectors(family f, grkan_dtype dtype, int rows, backward_state *state)
{
    if (state->rows.vector == 1)
        backward_slopes(f, dtype, 1, rows, state);
    else
        backward_slopes(f, dtype, wide_vector(dtype), rows, state);
}

/** The first pass over rows of each type. */
DEVICE void backward_stored(family f, int rows, backward_state *state)
{
#if !CPU_DOUBLE
    if (state->rows.dtype == GRKAN_BF16)
        backward_vectors(f, GRKAN_BF16, rows, state);
    else if (state->rows.dtype == GRKAN_F16)
        backward_vectors(f, GRKAN_F16, rows, state);
    else
#endif
        backward_vectors(f, SCALAR_DTYPE, rows, state);
}

DEVICE void backward_passes(const cpu_job *job, family f, int is_unrolled, chain at, int rows, backward_state *state)
{
    backward_stored(f, rows, state);
    backward_sums(job, f, is_unrolled, at, rows, state);
}

static __attribute__((noinline)) void backward_any(const cpu_job *job, chain at, int rows, backward_state *state)
{
    backward_passes(job, family_of(job->plan), 0, at, rows, state);
}

#define BACKWARD_IF(function)                                                                                          \
    if (is_same_function(f, function)) {                                                                               \
        backward_passes(job, function, 1, at, rows, state);                                                            \
        return;                                                                                                        \
    }

/** As forward_unrolled. */
static __attribute__((noinline)) void backward_stage(const cpu_job *job, chain at, int rows, backward_state *state)
{
    const family f = family_of(job->plan);
    FOR_EACH_UNROLLED(BACKWARD_IF)
    (void)f;
    backward_any(job, at, rows, state);
}
