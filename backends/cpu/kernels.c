/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file kernels.c
 * @brief The blocks of a plan as loops over their threads, for one type of arithmetic and one set of instructions.
 *
 * Compiled once for each; see dialect.h and meson.build. The order of every addition is that of the GPUs: lanes of a
 * vector are neighbouring threads of a block, each with its own sums.
 */
#include "cpu.h"
#include "dialect.h"
#include "../kernels/family.h"
#include "../kernels/grid_reduction.h"
#include "../kernels/storage.h"
#include "columns.h"
#include "stage.h"
#include "elements.h"
#include "channels.h"
#include "runs.h"
#include "backward_runs.h"
#include "reduce.h"
#include "row_tree.h"
#include "rows.h"

#define JOIN(a, b, c) a##_##b##_##c
#define NAME(simd, arithmetic) JOIN(grkan_cpu, simd, arithmetic)
#if CPU_DOUBLE
#define REFERENCE NAME(scalar, double)
#define OWN NAME(CPU_SIMD, double)
#else
#define REFERENCE NAME(scalar, float)
#define OWN NAME(CPU_SIMD, float)
#endif

#if CPU_BYTES == 0 && !CPU_DOUBLE
#define IN_EVERY_LANE(word) {[0 ... 15] = (word)}
const cpu_bf16_words grkan_cpu_bf16_words = {IN_EVERY_LANE(1), IN_EVERY_LANE(0x7FFF), IN_EVERY_LANE(0x7FC00000)};
#endif

/* --------------------------------------------------------------------------------------------------- blocks */

/** Add one element's gradients to memory at once: the baseline that FlashKAT improved upon. */
DEVICE void add_element(const gradients *d, int64_t group, const scalar *sums)
{
    for (int table = 0; table < FAMILY_TABLES; ++table)
        for (int i = 0; d->gradients[table] != NULL && i < table_width(d->f, table); ++i) {
            const output o = output_of(d, table, group, i);
            ATOMIC_ADD(gradient_at(d, table, o.position),
                       is_negated(d->f, table, number_at(d, table, o.position)) ? -sums[o.sum] : sums[o.sum]);
        }
}

DEVICE gradients gradients_of(const cpu_job *job)
{
    gradients d = {.g = &job->plan->backward,
                   .f = family_of(job->plan),
                   .partials =
                       job->workspace ? (scalar *)((char *)job->workspace + GRKAN_WORKSPACE_COUNTER_BYTES) : NULL,
                   .strategy = (int)job->plan->options.strategy,
                   .add = job->add};
    for (int table = 0; table < TABLES; ++table) {
        d.tables[table] = job->tables[table];
        d.gradients[table] = job->gradients[table];
    }
    return d;
}

enum {
    forward_elements = 1024, /* of a stage of forward */
    most_staged =
        9216, /* elements of a stage of backward: memory brings 12 whole rows of 768 fastest, half of that slower */
    narrow_strip = 256 / (int)sizeof(scalar), /* columns, where memory is small: so that several rows fit */
    staged_scalars = 5,                       /* of an element of backward: x, dy, and what is kept of it */
    run_scalars = 38,                         /* of a column, if its SIMD vector is a run of its own */
    least_bytes = CPU_DOUBLE ? 26112 : 21504  /* of memory for a block of backward; see the assertion below */
};

/* What a SIMD vector of columns takes, beside the sums of outputs that are under way: at most those of 64 columns. Highest degrees
   and widest vectors; with a prologue, two tables of channels and xhat, too. */
enum {
    widest = CPU_DOUBLE ? 2 : most_vector,
    rounded = 8 * line, /* arrays begin at lines */
    rounded_more = 14 * line,
    least_scalars = CPU_LANES * (run_scalars + 3 * MOST_SUMS + widest * staged_scalars) + 64 * MOST_SUMS,
    more_scalars = CPU_LANES * widest * (3 * most_channel_tables + 3) + 64 * widest * most_channel_tables,
    fits_with_prologue = (least_scalars + more_scalars) * (int)sizeof(scalar) + rounded_more <= least_bytes
};
_Static_assert(least_scalars *(int)sizeof(scalar) + rounded <= least_bytes, "least_bytes");
_Static_assert(CPU_LANES > 1 || fits_with_prologue, "the reference serves where a vector does not fit");
_Static_assert(sizeof(run) <= CPU_LANES * run_scalars * sizeof(scalar), "run_scalars");

/** Columns of a strip of backward: as many as have memory for their sums, their runs, and a few staged rows. */
static int columns_of_strip(const grkan_geometry *g, int count, const strip_prologue *of, int bytes)
{
    const int sums = 3; /* arrays of them */
    const int rows = g->columns.vector > 2 ? g->columns.vector : 2;
    const int own = run_scalars + sums * count + rows * staged_scalars;
    const int column = (own + prologue_scalars(of, g->columns.vector, rows)) * (int)sizeof(scalar);
    const int most = bytes > least_bytes ? CPU_MOST_THREADS : narrow_strip;
    const int left = bytes - (of->p.kind == PROLOGUE_NONE ? rounded : rounded_more);
    return least(left / column, most) / CPU_LANES * CPU_LANES;
}

/** The runs of a strip, at the beginning of the memory that is left. */
static int runs_of_strip(const cpu_job *job, const tile *b, strip *s, run *runs, cpu_known_runs *known)
{
    if (known != NULL && known->call == job->call && known->start == b->start && known->first == s->first &&
        known->width == s->width)
        return known->count;
    const int count = find_runs(job, b, s, runs, s->width / CPU_LANES);
    if (known != NULL)
        *known = (cpu_known_runs){job->call, b->start, s->first, s->width, count};
    return count;
}

/** Arrays of a strip of backward, cut from what the block's memory has left; as many rows as it holds at once. */
static void prepare_strip(const cpu_job *job, const tile *b, memory m, backward_state *state)
{
    const int count = sum_count(family_of(job->plan));
    strip *const s = &state->s;
    const size_t sums = (size_t)(count * s->width) * sizeof(scalar);
    state->runs = (run *)m.next;
    state->run_count = runs_of_strip(job, b, s, state->runs, state->known);
    take(&m, (size_t)state->run_count * sizeof(run));
    state->thread_sums = take(&m, sums);
    state->sums = take(&m, sums);
    strip_prologue *const of = &state->prologue;
    const size_t of_channels = (size_t)(channel_sums(of) * s->width) * sizeof(scalar);
    state->totals = take(&m, sums + of_channels);
    if (of->p.kind != PROLOGUE_NONE) {
        of->sums = take(&m, of_channels);
        of->thread_sums = take(&m, of_channels);
        of->scale = take(&m, (size_t)(s->vector * s->width) * sizeof(scalar));
        of->shift = take(&m, (size_t)(s->vector * s->width) * sizeof(scalar));
        load_prologue(job, b, s, of);
    }
    const int has_norm = of->p.kind > PROLOGUE_BIAS;
    const int held = (bytes_left(&m) - 3 * line) / (s->width * (staged_scalars + has_norm) * (int)sizeof(scalar));
    const int rows = least(least(held, most_rows), most_staged / s->width);
    s->rows = rows / b->g->columns.vector;
    const size_t staged = (size_t)(s->rows * s->vector * s->width) * sizeof(scalar);
    of->xhat = has_norm ? take(&m, staged) : NULL;
    state->x = take(&m, staged);
    state->dy = take(&m, staged);
    state->kept = take(&m, 0);
}

/** y of staged rows of z, which it takes the place of. */
static void store_y(const cpu_job *job, const strip *s, const backward_state *state)
{
    scalar *z = state->x;
    for (int row = 0; row < state->at.rows; ++row) {
        for (int v = 0; v < s->vector; ++v) {
            scalar *const own = z + v * s->width;
            const forward_row function = row_in_place(own, state->runs, state->run_count);
            forward_unrolled(job, &function);
        }
        pack_row(z, state->at.count[row], s, &job->y, state->at.element[row]);
        z += s->vector * s->width;
    }
}

/** The rows of a strip, chain by chain. dx of norms, and y again with them, are left to backward_rows. */
static void backward_strip(const cpu_job *job, const worker *w, backward_state *state)
{
    const grkan_geometry *const g = w->block.g;
    const strip *const s = &state->s;
    const strip_prologue *const of = &state->prologue;
    const int has_prologue = of->p.kind != PROLOGUE_NONE, has_norm = of->p.kind > PROLOGUE_BIAS;
    const int writes_y = job->y.first != NULL && !has_norm;
    const cpu_tensor *const result = job->result.first != NULL && !has_norm ? &job->result : NULL;
    if (w->rows == 0) /* others begin with their first chain's */
        memset(state->thread_sums, 0, (size_t)(sum_count(family_of(job->plan)) * s->width) * sizeof(scalar));
    if (has_prologue)
        memset(of->thread_sums, 0, (size_t)(channel_sums(of) * s->width) * sizeof(scalar));
    for (int first = 0, end; first < w->rows; first = end) {
        const int of_chain = first % g->rows.chain;
        const int last = least(first - of_chain + g->rows.chain, w->rows);
        end = least(first + s->rows, last);
        find_rows(w, s, first, end, &state->at);
        const int stays = !has_prologue && !writes_y && can_stay(job, s, &state->at);
        if (stays) {
            stay(job, s, &state->at, result, state->dy, &state->rows);
        } else {
            state->rows.dtype = SCALAR_DTYPE;
            state->rows.vector = 1;
            stage_in(s, &state->at, &job->x, has_prologue || writes_y, state->x, state->rows.x);
            stage_in(s, &state->at, &job->dy, 0, state->dy, state->rows.dy);
            prepare_result(s, &state->at, state->dy, result, state->rows.result);
        }
        if (has_prologue)
            rows_to_z(job, &w->block, s, &state->at, of, state->x);
        backward_stage(job, (chain){of_chain == 0, end == last, last <= g->rows.chain}, state->at.rows * s->vector,
                       state);
        if (has_prologue)
            add_channel_sums(s, state->at.rows, of, (const char *const *)state->rows.result, of_chain == 0,
                             end == last);
        if (result != NULL && !stays)
            stage_out(s, &state->at, state->dy, result);
        if (writes_y)
            store_y(job, s, state);
    }
}

/** Add the sums of a strip to those of the block rows before it. */
static void add_block_row(int count, int is_first, const backward_state *state)
{
    const strip *const s = &state->s;
    const real *own = state->thread_sums;
    for (int column = 0; column < s->columns; column += CPU_LANES) {
        scalar *total = state->totals + column;
        for (int i = 0; is_first && i < count; ++i, total += s->width)
            store_lanes(total, *own++);
        for (int i = 0; !is_first && i < count; ++i, ++own, total += s->width)
            for (int lane = 0; lane < least(CPU_LANES, s->columns - column); ++lane)
                total[lane] = total[lane] + LANE(*own, lane);
    }
    const scalar *const of_channels = state->prologue.thread_sums;
    scalar *const totals = state->totals + count * s->width;
    for (int i = 0; i < channel_sums(&state->prologue) * s->width; ++i)
        totals[i] = is_first ? of_channels[i] : totals[i] + of_channels[i];
}

/** The sums of each column over the block's rows. Those of the rows that are left lie side by side, and so do those added to
    them. */
static void add_block_rows(int count, int left, int all, int pitch, scalar *totals)
{
    for (int i = 0; i < count; ++i, totals += pitch)
        for (int first = left; first < all; first += left)
            for (int column = 0; column < least(left, all - first); ++column)
                totals[column] = totals[column] + totals[first + column];
}

/**
 * All columns at once where memory suffices, else strip by strip those of the block rows that are left; those of other rows
 * that are added to a strip are computed after it: they have the same groups. Where rows do not adjoin, strips are of one.
 */
static void backward_strips(const cpu_job *job, const tile *b, const gradients *d, memory m, backward_state *state)
{
    const grkan_geometry *const g = d->g;
    const int count = sum_count(d->f);
    const int all = columns_of_block(b);
    const int step =
        g->block.column_partials * g->columns.tile_vectors; /* from a row to the next that is added to it */
    const int left = least(all, step);
    const int most = columns_of_strip(g, count, &state->prologue, bytes_left(&m));
    const int is_whole = all <= most && rows_adjoin(b);
    for (int first = 0, columns; first < left; first = column_after(b, first + columns)) {
        columns = is_whole ? all : least(most, columns_from(b, first, left));
        state->s = (strip){first, columns, whole_vectors(columns), g->columns.vector, 0};
        prepare_strip(job, b, m, state);
        for (; state->s.first < all; state->s.first += is_whole ? all : step) {
            const worker w = worker_of_strip(b, state->s.first);
            state->s.columns = least(columns, all - state->s.first);
            backward_strip(job, &w, state);
            add_block_row(count, state->s.first == first, state);
        }
        if (is_whole)
            add_block_rows(count + channel_sums(&state->prologue), left, all, state->s.width, state->totals);
        state->s.first = first;
        state->s.columns = least(columns, left - first);
        reduce_columns(d, b, state);
    }
}

/** A block without rows has outputs all the same. */
static void store_nothing(const gradients *d, const tile *b, const strip_prologue *of)
{
    for (int table = 0; table < FAMILY_TABLES; ++table)
        for (int i = 0; d->gradients[table] != NULL && i < outputs_of_groups(d, table, b->end_group - b->first_group);
             ++i)
            store_output(d, destination_of(d, b, output_of(d, table, b->first_group, i)), 0);
    for (int t = 0; t < of->tables; ++t)
        for (int i = 0; i < channels_of_tile(b).count; ++i)
            store_output(d, destination_of(d, b, output_of_channel(d, b, of, t, i)), 0);
}

/** @param m of least_bytes at least; of as many as a scratch has, so that whole rows are computed, and memory streams
    @param known which runs m holds; NULL: none */
static void backward_in(const cpu_job *job, int64_t block, memory m, cpu_known_runs *known)
{
    const gradients d = gradients_of(job);
    const tile b = tile_of_block(d.g, (int)block);
    backward_state state = {.has_sums = has_gradient(&d), .known = known, .prologue = start_prologue(job, d.g)};
    if (worker_of_thread(&b, 0).rows == 0) {
        store_nothing(&d, &b, &state.prologue);
        return;
    }
    state.output_sums = take(&m, output_sums_bytes(&d));
    state.prologue.output_sums = take(&m, channel_output_bytes(&d, &state.prologue));
    backward_strips(job, &b, &d, m, &state);
}

/** Without scratch: in the little memory that any thread's stack has. Slower, and the bits are the same. */
static __attribute__((noinline)) void backward_on_stack(const cpu_job *job, int64_t block)
{
    char bytes[least_bytes] __attribute__((aligned(line)));
    backward_in(job, block, (memory){bytes, bytes + sizeof bytes}, NULL);
}

static void backward_block(const cpu_job *job, int64_t block)
{
    const cpu_scratch scratch = cpu_scratch_take(job->scratches);
    if (scratch.bytes == NULL) {
        if (!fits_with_prologue && job->plan->operation.prologue != GRKAN_PROLOGUE_NONE)
            REFERENCE.backward_block(job, block);
        else
            backward_on_stack(job, block);
        return;
    }
    backward_in(job, block, (memory){scratch.bytes, scratch.bytes + CPU_SCRATCH_BYTES}, scratch.runs);
    cpu_scratch_give_back(scratch);
}

#if CPU_BYTES == 0
/** Strategy element: every element on its own. */
static void backward_by_element(const cpu_job *job, int64_t block)
{
    const gradients d = gradients_of(job);
    const tile b = tile_of_block(d.g, (int)block);
    for (int thread = 0; thread < d.g->columns.block; ++thread) {
        const worker w = worker_of_thread(&b, thread);
        const int64_t group = group_in_vector(&w, 0);
        coefficients c;
        load_coefficients(d.f, job, d.g, &group, 1, &c);
        for (int row = 0; row < w.rows; ++row) {
            const row_position at = position_of_row(&w, row);
            const int vector = vectors_left(&w, at.segment) > 0 ? d.g->columns.vector : 0;
            for (int64_t e = at.element; e < at.element + vector; ++e) {
                scalar sums[MOST_SUMS] = {0}, x, dy;
                convert_in(&job->x, e, 1, &x);
                convert_in(&job->dy, e, 1, &dy);
                const scalar dx = backward_element(d.f, &c, x, dy, sums);
                if (job->result.first != NULL)
                    convert_out(&dx, 1, &job->result, e);
                if (job->y.first != NULL) {
                    const scalar y = forward_element(d.f, &c, x);
                    convert_out(&y, 1, &job->y, e);
                }
                add_element(&d, group, sums);
            }
        }
    }
}
#endif

/** Rows of a strip of forward. @param next the first element of those after them @param of NULL: no prologue */
static void forward_some_rows(const cpu_job *job, grkan_int64 element, int columns, grkan_int64 next,
                              const strip_prologue *of, forward_row *row, scalar *staged)
{
    const int width = row->runs[row->run_count - 1].end;
    row->next_x = element_of(&job->x, next);
    row->next_y = element_of(&job->result, next);
    if (of == NULL && job->x.dtype == job->result.dtype && columns == width) {
        row->x = element_of(&job->x, element);
        row->y = element_of(&job->result, element);
        row->dtype = job->x.dtype;
        forward_unrolled(job, row);
        return;
    }
    forward_row one = *row;
    one.x = one.y = (char *)staged;
    one.dtype = SCALAR_DTYPE;
    one.rows = 1;
    for (int i = 0; i < row->rows; ++i, element += row->pitch) {
        convert_in(&job->x, element, columns, staged);
        for (int column = columns; column < width; ++column)
            staged[column] = 0;
        if (of != NULL)
            elements_to_z(of->p, (row_numbers){0, 0}, NULL, of->shift, columns, staged, NULL, staged);
        forward_unrolled(job, &one);
        convert_out(staged, columns, &job->result, element);
        one.next_x += row->pitch * job->x.bytes;
        one.next_y += row->pitch * job->result.bytes;
    }
}

/**
 * From how many columns on a block's begin again: of rows that lie one behind the other, with the same groups each, so that
 * what is found and loaded for one row serves all. All of them where that would take SIMD vectors apart, or gains nothing.
 */
static int columns_to_repeat(const tile *b, int all)
{
    const grkan_columns *const c = &b->g->columns;
    const int repeats =
        c->block_rows > 1 && rows_adjoin(b) && b->end_group - b->first_group > 1 && c->tile_vectors % CPU_LANES == 0;
    return repeats ? c->tile_vectors : all;
}

/** In strips of as many columns as their runs have memory for: at least one. */
static void forward_in(const cpu_job *job, int64_t block, memory m)
{
    const tile b = tile_of_block(&job->plan->forward, (int)block);
    const int all = worker_of_thread(&b, 0).rows > 0 ? columns_of_block(&b) : 0;
    const int pitch = columns_to_repeat(&b, all);
    const int has_prologue = job->plan->operation.prologue != GRKAN_PROLOGUE_NONE;
    scalar staged[forward_elements] __attribute__((aligned(64)));
    const int elements = least(line / job->x.bytes, line / job->result.bytes);
    strip_prologue of = {.p = prologue_of(job->plan)}; /* a bias: norms have forward_rows */
    block_rows at;
    strip s;
    of.shift = has_prologue ? take(&m, sizeof staged) : NULL;
    forward_row row = {.rows = 1,
                       .pitch = pitch,
                       .runs = (run *)m.next,
                       .line_elements = elements,
                       .x_step = elements * job->x.bytes,
                       .y_step = elements * job->result.bytes};
    for (int first = 0; first < pitch; first = column_after(&b, first + s.columns)) {
        const int columns = least(columns_from(&b, first, pitch), forward_elements);
        const worker w = worker_of_strip(&b, first);
        s = (strip){first, columns, whole_vectors(columns), 1, 0};
        row.run_count = find_runs(job, &b, &s, (run *)m.next, bytes_left(&m) / (int)sizeof(run));
        if (has_prologue)
            load_prologue(job, &b, &s, &of);
        const strip rows = {first, pitch < all ? all - first : s.columns, s.width, 1, 0};
        for (int done = 0; done < w.rows; done += at.rows) {
            find_rows(&w, &rows, done, least(done + most_rows, w.rows), &at);
            for (int i = 0; i < at.rows; ++i) {
                row.rows = pitch < all ? (at.count[i] + first) / pitch : 1;
                forward_some_rows(job, at.element[i], least(at.count[i], s.columns), at.element[i + 1],
                                  has_prologue ? &of : NULL, &row, staged);
            }
        }
    }
}

/** What a block or turn does with memory: of a scratch, or the little that any thread's stack has. */
typedef void (*work_in_memory)(const cpu_job *job, int64_t index, memory m);

static __attribute__((noinline)) void work_on_stack(work_in_memory work, const cpu_job *job, int64_t index)
{
    char bytes[row_stack_bytes] __attribute__((aligned(line)));
    work(job, index, (memory){bytes, bytes + sizeof bytes});
}

/** Where groups are narrower than a vector, each has a run; whole rows of those have memory in a scratch only. */
static void work_in_scratch(work_in_memory work, const cpu_job *job, int64_t index)
{
    const cpu_scratch scratch = cpu_scratch_take(job->scratches);
    if (scratch.bytes == NULL) {
        work_on_stack(work, job, index);
        return;
    }
    scratch.runs->call = 0;
    work(job, index, (memory){scratch.bytes, scratch.bytes + CPU_SCRATCH_BYTES});
    cpu_scratch_give_back(scratch);
}

static void forward_block(const cpu_job *job, int64_t block)
{
    work_in_scratch(forward_in, job, block);
}

static void forward_rows(const cpu_job *job, int64_t turn)
{
    work_in_scratch(forward_rows_in, job, turn);
}

static void backward_rows(const cpu_job *job, int64_t turn)
{
    work_in_scratch(backward_rows_in, job, turn);
}

/** One number of a gradient, if its partials wait: table by table. */
static void reduce_number(const cpu_job *job, int64_t number)
{
    const gradients d = gradients_of(job);
    scalar exchange[MOST_GRID_THREADS];
    int table = 0;
    while (number >= d.g->tables[table].numbers)
        number -= d.g->tables[table++].numbers;
    const grkan_table_reduction *const t = &d.g->tables[table];
    partial_range p = {
        .exists = 1, .table = table, .threads = t->grid_threads, .numbers = t->numbers, .position = (int)number};
    for (; p.thread < p.threads; ++p.thread)
        exchange[p.thread] = sum_partials(&d, &p);
    if (p.threads > 0)
        finish(&d, gradient_at(&d, table, number), sum_exchanged(exchange, 1, p.threads));
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

const cpu_kernels OWN = {forward_block, run_backward_block, reduce_number, forward_rows, backward_rows};
