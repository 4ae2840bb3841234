/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file runs.h
 * @brief The runs of a strip, and forward of rows by them, as they lie in memory.
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
    return !any_bits_above(largest, limit);
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
