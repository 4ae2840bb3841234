/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file rows.h
 * @brief Norms look at rows as wholes: forward, and dx and y again of backward, some rows a turn.
 *
 * A turn computes its rows in windows of columns, as many as have memory. dx needs two sums over all of its row, so windows
 * are computed twice where a row has several: for the sums, and for dx. The sums of tables are blocks' work (kernels.c), whose
 * order of additions depends on the geometry.
 */

enum {
    most_window = 1024,     /* columns */
    least_window = 128,     /* on a stack */
    most_windowed_rows = 8, /* of more columns than a window may have */
    row_stack_bytes = 14336 /* memory of a turn without scratch */
};

/** The rows of a turn, and the window of them that is at hand. */
typedef struct row_turn {
    const cpu_job *job;
    prologue p;
    int64_t first_row;
    int rows;
    int64_t channels;
    grkan_geometry g; /* groups of channels: what find_runs looks at */
    tile window;      /* the columns of it and the next ones */
    strip s;
    run *runs;
    int most_runs, run_count;
    int most_columns;
    const scalar *scale, *shift; /* of the window's first channel */
    row_numbers numbers[CPU_MOST_TURN_ROWS];
    scalar *xhat, *z, *dz, *terms; /* [most_columns]; xhat may be z in forward */
    const scalar *dy;              /* where it lies, or in the place of dz */
} row_turn;

/** @param arrays as many as the pass needs, of xhat, z, dz, terms */
static void start_turn(const cpu_job *job, int64_t turn, int arrays, memory m, row_turn *t)
{
    const grkan_operation *const o = &job->plan->operation;
    const int rows = job->turn_rows;
    t->job = job;
    t->p = prologue_of(job->plan);
    t->first_row = turn * rows;
    t->rows = (int)smaller(rows, o->outer - t->first_row);
    t->channels = o->channels;
    t->g = job->plan->forward;
    t->g.columns.tile_groups = 1; /* a tile begins with the group of its first column */
    t->g.columns.vector = 1;
    t->g.columns.tile_vectors = INT_MAX;
    t->most_columns = bytes_left(&m) > row_stack_bytes ? most_window : least_window;
    scalar **const array[] = {&t->xhat, &t->z, &t->dz, &t->terms};
    for (int i = 0; i < arrays; ++i)
        *array[i] = take(&m, (size_t)t->most_columns * sizeof(scalar));
    t->runs = (run *)m.next;
    t->most_runs = least(bytes_left(&m) / (int)sizeof(run), t->most_columns / CPU_LANES);
}

/** The window that begins at a channel. @return its end */
static int64_t open_window(row_turn *t, int64_t first)
{
    const int columns = (int)smaller(t->channels - first, t->most_columns);
    if (first == 0)
        t->window = (tile){.g = &t->g, .end_group = t->g.columns.groups};
    t->window.start = first;
    while (t->window.first_group + 1 < t->window.end_group && group_start(&t->g, t->window.first_group + 1) <= first)
        t->window.first_group += 1;
    t->s = (strip){0, columns, whole_vectors(columns), 1, 0};
    t->run_count = find_runs(t->job, &t->window, &t->s, t->runs, t->most_runs);
    const int shift = shift_table(t->p);
    if (t->p.has_scale)
        t->scale = (const scalar *)t->job->tables[shift - 1] + first;
    if (t->p.has_shift)
        t->shift = (const scalar *)t->job->tables[shift] + first;
    return first + t->s.columns;
}

DEVICE int64_t element_of_row(const row_turn *t, int row)
{
    return (t->first_row + row) * t->channels + t->window.start;
}

/** The window's part of a row: whole SIMD vectors, with zeros in the end. */
static const scalar *load_row(const row_turn *t, const cpu_tensor *from, int row, scalar *to)
{
    const int64_t element = element_of_row(t, row);
    if (t->s.columns == t->s.width)
        return elements_at(from, element, t->s.columns, to);
    convert_in(from, element, t->s.columns, to);
    for (int column = t->s.columns; column < t->s.width; ++column)
        to[column] = 0;
    return to;
}

/** F of a row of z, into a tensor. y of one row is written after all else of the row is read. */
static void store_function(const row_turn *t, scalar *z, int row, const cpu_tensor *y)
{
    const forward_row function = row_in_place(z, t->runs, t->run_count);
    forward_unrolled(t->job, &function);
    convert_out(z, t->s.columns, y, element_of_row(t, row));
}

/* -------------------------------------------------------------------------------------------------- forward */

/** The sum of a row's elements, or of their squares once they are centred. */
static scalar sum_row(const row_turn *t, int64_t row, scalar mean, int is_of_squares)
{
    scalar terms[piece_elements];
    row_tree tree;
    tree.count = 0;
    for (int64_t first = 0; first < t->channels; first += piece_elements) {
        const int count = (int)smaller(t->channels - first, piece_elements);
        const scalar *const x = elements_at(&t->job->x, row * t->channels + first, count, terms);
        for (int i = 0; is_of_squares && i < count; ++i) {
            const scalar centre = t->p.kind == PROLOGUE_LAYER_NORM ? x[i] - mean : x[i];
            terms[i] = centre * centre;
        }
        add_elements(&tree, first, is_of_squares ? terms : x, count, first + count == t->channels);
    }
    return sum_of_row(&tree);
}

static row_numbers statistics_of_row(const row_turn *t, int64_t row)
{
    const scalar divisor = divisor_of((scalar)t->channels);
    row_numbers n = {0, 0};
    if (t->p.kind == PROLOGUE_LAYER_NORM)
        n.mean = mean_of(sum_row(t, row, 0, 0), divisor);
    n.rstd = rstd_of(sum_row(t, row, n.mean, 1), divisor, (scalar)t->job->plan->operation.norm.epsilon);
    return n;
}

static void forward_rows_in(const cpu_job *job, int64_t turn, memory m)
{
    row_turn t;
    start_turn(job, turn, 1, m, &t);
    for (int row = 0; row < t.rows; ++row) {
        t.numbers[row] = statistics_of_row(&t, t.first_row + row);
        if (job->mean != NULL)
            ((scalar *)job->mean)[t.first_row + row] = t.numbers[row].mean;
        if (job->rstd != NULL)
            ((scalar *)job->rstd)[t.first_row + row] = t.numbers[row].rstd;
    }
    for (int64_t first = 0; first < t.channels;) {
        first = open_window(&t, first);
        for (int row = 0; row < t.rows; ++row) {
            elements_to_z(t.p, t.numbers[row], t.scale, t.shift, t.s.columns, load_row(&t, &job->x, row, t.xhat), NULL,
                          t.xhat);
            store_function(&t, t.xhat, row, &job->result);
        }
    }
}

/* ------------------------------------------------------------------------------------------------- backward */

/** dz of a row of z. */
DEVICE void slopes_of_runs(const cpu_job *job, family f, const row_turn *t)
{
    for (const run *r = t->runs; r < t->runs + t->run_count; ++r) {
        const int is_plain = row_is_near(r, SCALAR_DTYPE, (const char *)(t->z + r->first));
        for (int column = r->first; column < r->end; column += CPU_LANES) {
            const real z = load_lanes(t->z + column), dy = load_lanes(t->dy + column);
            element_terms unused;
            real unused_sums[MOST_SUMS];
            if (is_plain)
                store_lanes(t->dz + column, slope_near(f, &r->c, z, dy, &unused));
            else {
                memset(unused_sums, 0, sizeof unused_sums);
                store_lanes(t->dz + column, backward_lanes(job->plan, &r->c, z, dy, unused_sums));
            }
        }
    }
}

static __attribute__((noinline)) void slopes_any(const cpu_job *job, const row_turn *t)
{
    slopes_of_runs(job, family_of(job->plan), t);
}

#define SLOPES_IF(function)                                                                                            \
    if (is_same_function(f, function)) {                                                                               \
        slopes_of_runs(job, function, t);                                                                              \
        return;                                                                                                        \
    }

/** As forward_unrolled. */
static __attribute__((noinline)) void slopes_unrolled(const cpu_job *job, const row_turn *t)
{
    const family f = family_of(job->plan);
    FOR_EACH_UNROLLED(SLOPES_IF)
    (void)f;
    slopes_any(job, t);
}

/** xhat, z and dz of the window's part of a row. */
static void differentiate_row(row_turn *t, int row)
{
    const scalar *const x = load_row(t, &t->job->x, row, t->xhat);
    t->dy = load_row(t, &t->job->dy, row, t->dz);
    elements_to_z(t->p, t->numbers[row], t->scale, t->shift, t->s.columns, x, t->xhat, t->z);
    slopes_unrolled(t->job, t);
}

/** What dx needs of a row. */
typedef struct row_sums {
    row_tree gradients; /* of xhat */
    row_tree products;  /* of these and xhat */
} row_sums;

/** The gradients of xhat, in the place of dz. */
static void gradients_of_xhat(const row_turn *t)
{
    for (int column = 0; t->p.has_scale && column < t->s.columns; ++column)
        t->dz[column] = t->dz[column] * t->scale[column];
}

static void add_to_row_sums(const row_turn *t, row_sums *sums)
{
    const int64_t first = t->window.start;
    const int count = t->s.columns, is_last = first + count == t->channels;
    if (t->p.kind == PROLOGUE_LAYER_NORM)
        add_elements(&sums->gradients, first, t->dz, count, is_last);
    for (int column = 0; column < count; ++column)
        t->terms[column] = t->dz[column] * t->xhat[column];
    add_elements(&sums->products, first, t->terms, count, is_last);
}

/** dx of a row, from the gradients of xhat. */
static void store_dx(const row_turn *t, int row, const row_sums *sums)
{
    const scalar divisor = divisor_of((scalar)t->channels);
    const scalar mean = t->p.kind == PROLOGUE_LAYER_NORM ? mean_of(sum_of_row(&sums->gradients), divisor) : 0;
    const scalar product = mean_of(sum_of_row(&sums->products), divisor);
    const row_statistics numbers = {REAL(t->numbers[row].mean), REAL(t->numbers[row].rstd)};
    for (int column = 0; column < t->s.width; column += CPU_LANES)
        store_lanes(t->dz + column, gradient_of_x(t->p, numbers, load_lanes(t->xhat + column),
                                                  load_lanes(t->dz + column), REAL(mean), REAL(product)));
    convert_out(t->dz, t->s.columns, &t->job->result, element_of_row(t, row));
}

static void finish_row(const row_turn *t, int row, const row_sums *sums)
{
    if (t->job->result.first != NULL)
        store_dx(t, row, sums);
    if (t->job->y.first != NULL)
        store_function(t, t->z, row, &t->job->y);
}

/** A row of one window is finished while that is at hand. */
static void backward_whole_rows(row_turn *t)
{
    for (int row = 0; row < t->rows; ++row) {
        row_sums sums;
        sums.gradients.count = sums.products.count = 0;
        differentiate_row(t, row);
        gradients_of_xhat(t);
        add_to_row_sums(t, &sums);
        finish_row(t, row, &sums);
    }
}

static __attribute__((noinline)) void backward_windows(row_turn *t)
{
    row_sums sums[most_windowed_rows];
    for (int row = 0; row < t->rows; ++row)
        sums[row].gradients.count = sums[row].products.count = 0;
    for (int pass = 0; pass < 2; ++pass)
        for (int64_t first = 0; first < t->channels;) {
            first = open_window(t, first);
            for (int row = 0; row < t->rows; ++row) {
                differentiate_row(t, row);
                gradients_of_xhat(t);
                if (pass == 0)
                    add_to_row_sums(t, &sums[row]);
                else
                    finish_row(t, row, &sums[row]);
            }
        }
}

static void backward_rows_in(const cpu_job *job, int64_t turn, memory m)
{
    row_turn t;
    start_turn(job, turn, 4, m, &t);
    for (int row = 0; row < t.rows; ++row)
        t.numbers[row] = numbers_of_row(job, t.first_row + row);
    if (open_window(&t, 0) == t.channels) {
        backward_whole_rows(&t);
        return;
    }
    const int rows = t.rows;
    const int64_t first_row = t.first_row;
    for (int row = 0; row < rows; row += most_windowed_rows) {
        t.first_row = first_row + row;
        t.rows = least(most_windowed_rows, rows - row);
        memmove(t.numbers, t.numbers + row, (size_t)t.rows * sizeof *t.numbers);
        backward_windows(&t);
    }
}
