/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file backward_runs.h
 * @brief Backward of staged rows, as they lie in memory, run by run.
 *
 * Where registers hold the sums of a SIMD vector of columns beside all that an element needs, such a vector goes through
 * the rows once. Elsewhere the sums would fill them, and nothing would be left to do while a division is under way. So there
 * are two passes: first each row gives dx and what its elements add to the sums, then each SIMD vector of columns adds that,
 * row after row.
 */

/** AVX-512 has 32 registers. So has NEON, whose short vectors would visit each cache line four times, far apart. */
enum { has_room_for_sums = CPU_BYTES == 64 };

/** An element between the two passes. */
typedef struct kept_element {
    real x; /* dx may lie where x was */
    element_terms terms;
} kept_element;

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

/**
 * The sums of a SIMD vector of columns, to be added to. Where the compiler knows their number they are in registers; else
 * they stay where they are, since the stack is small.
 * @param own [count] if so
 */
DEVICE real *take_sums(chain at, int is_unrolled, int count, real *kept, real *own)
{
    start_sums(at, count, kept);
    if (!is_unrolled)
        return kept;
    UNROLL
    for (int i = 0; i < count; ++i)
        own[i] = kept[i];
    return own;
}

DEVICE void leave_sums(chain at, int is_unrolled, int count, const real *sums, real *kept, real *thread_sums)
{
    end_sums(at, count, sums, thread_sums);
    if (at.ends || !is_unrolled)
        return;
    UNROLL
    for (int i = 0; i < count; ++i)
        kept[i] = sums[i];
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

/** Second pass over a SIMD vector of columns. */
DEVICE void add_kept(family f, int is_unrolled, chain at, int rows, const kept_element *kept, real *kept_sums,
                     real *thread_sums)
{
    const int count = sum_count(f);
    real own[MOST_SUMS], *const sums = take_sums(at, is_unrolled, count, kept_sums, own);
    for (int row = 0; row < rows; ++row)
        add_terms(f, kept[row].x, kept[row].terms, sums);
    leave_sums(at, is_unrolled, count, sums, kept_sums, thread_sums);
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
            add_kept(f, is_unrolled, at, rows, state->kept + i * rows, state->sums + i * count,
                     state->thread_sums + i * count);
        }
    }
}

/** Whether no element of a column's vectors needs the rare formulas. */
DEVICE int are_near(const run *r, int vector, const real *x)
{
    real_bits largest = bits_of_lanes(ABS(x[0]));
    UNROLL
    for (int v = 1; v < vector; ++v)
        largest = larger_bits(largest, bits_of_lanes(ABS(x[v])));
    return run_is_near(r, largest);
}

/**
 * Both passes at once over a SIMD vector of columns. The next cache lines are asked for, since no processor foresees them in
 * so many rows: of these rows, or, where rows are far apart, of the next one.
 */
DEVICE void backward_column(const cpu_job *job, family f, int is_unrolled, grkan_dtype dtype, int vector, const run *r,
                            int column, chain at, int rows, const backward_state *state)
{
    const staged_rows *const s = &state->rows;
    const int bytes = CPU_LANES * vector * stored_bytes(dtype), place = column * vector * stored_bytes(dtype);
    const int count = sum_count(f), has_sums = state->has_sums;
    real *const kept = state->sums + column / CPU_LANES * count;
    real own[MOST_SUMS], *const sums = take_sums(at, is_unrolled, count, kept, own);
    const coefficients c = r->c; /* which dx may not alias */
    for (int row = 0; row < rows; row += vector) {
        const int i = row / vector;
        real x[most_vector], dx[most_vector];
        const ptrdiff_t next = vector == 1 ? line : s->x[i + 1] - s->x[i];
        ask_for(s->x[i] + place + next, bytes);
        ask_for(s->dy[i] + place + next, bytes);
        ask_for(s->result[i] + place + next, bytes);
        load_vectors(dtype, vector, s->x[i] + place, x);
        if (__builtin_expect(!are_near(r, vector, x), 0)) {
            real all[MOST_SUMS]; /* so that the others have no address */
            UNROLL
            for (int k = 0; k < count; ++k)
                all[k] = sums[k];
            for (int v = 0; v < vector; ++v)
                backward_rare(job, r, column, row + v, s, all);
            UNROLL
            for (int k = 0; k < count; ++k)
                sums[k] = all[k];
            continue;
        }
        load_vectors(dtype, vector, s->dy[i] + place, dx);
        NO_UNROLL
        for (int v = 0; v < vector; ++v) {
            element_terms terms;
            dx[v] = slope_near(f, &c, x[v], dx[v], &terms);
            if (__builtin_expect(has_sums, 1))
                add_terms(f, x[v], terms, sums);
        }
        store_vectors(dtype, vector, s->result[i] + place, dx);
    }
    leave_sums(at, is_unrolled, count, sums, kept, state->thread_sums + column / CPU_LANES * count);
}

DEVICE void backward_columns(const cpu_job *job, family f, int is_unrolled, grkan_dtype dtype, int vector, chain at,
                             int rows, const backward_state *state)
{
    for (const run *r = state->runs; r < state->runs + state->run_count; ++r)
        for (int column = r->first; column < r->end; column += CPU_LANES)
            backward_column(job, f, is_unrolled, dtype, vector, r, column, at, rows, state);
}

/** The only pass, or the first, over rows of a type that the compiler knows. */
DEVICE void backward_vectors(const cpu_job *job, family f, int is_unrolled, grkan_dtype dtype, int vector, chain at,
                             int rows, backward_state *state)
{
    if (has_room_for_sums)
        backward_columns(job, f, is_unrolled, dtype, vector, at, rows, state);
    else
        backward_slopes(f, dtype, vector, rows, state);
}

DEVICE void backward_stored(const cpu_job *job, family f, int is_unrolled, grkan_dtype dtype, chain at, int rows,
                            backward_state *state)
{
    if (state->rows.vector == 1)
        backward_vectors(job, f, is_unrolled, dtype, 1, at, rows, state);
    else
        backward_vectors(job, f, is_unrolled, dtype, wide_vector(dtype), at, rows, state);
}

DEVICE void backward_passes(const cpu_job *job, family f, int is_unrolled, chain at, int rows, backward_state *state)
{
#if !CPU_DOUBLE
    if (state->rows.dtype == GRKAN_BF16)
        backward_stored(job, f, is_unrolled, GRKAN_BF16, at, rows, state);
    else if (state->rows.dtype == GRKAN_F16)
        backward_stored(job, f, is_unrolled, GRKAN_F16, at, rows, state);
    else
#endif
        backward_stored(job, f, is_unrolled, SCALAR_DTYPE, at, rows, state);
    if (!has_room_for_sums)
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
