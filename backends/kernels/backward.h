/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file backward.h
 * @brief The kernels of backward on GPUs: that of the strategies that reduce blocks, and what adds up their partials. That of
 * the strategy element, and what clears gradients for atomics: atomics.h.
 */
#ifndef GRKAN_BACKWARD_H
#define GRKAN_BACKWARD_H

#include "grid_reduction.h"
#include "kernel.h"

/** The gradients of a call, found again where they are needed, so that no loop keeps them in registers. */
DEVICE gradients gradients_of(const grkan_geometry *g, const grkan_launch *launch, const arguments *a)
{
    gradients d;
    d.g = g;
    d.f = the_family();
#define ADD_OFFSETS(i)                                                                                                 \
    d.tables[i] = OFFSET(a->tables[i], launch->tables[i]);                                                             \
    d.gradients[i] = OFFSET(a->gradients[i], launch->gradients[i]);
    EACH_POINTER(ADD_OFFSETS)
#undef ADD_OFFSETS
    d.partials = (GLOBAL scalar *)(OFFSET(a->workspace, launch->workspace) + GRKAN_WORKSPACE_COUNTER_BYTES);
    d.strategy = GRKAN_STRATEGY;
    d.add = launch->add;
    return d;
}

#if GRKAN_STRATEGY != STRATEGY_ELEMENT

#define BACKWARD_ROWS STEP_ROWS(GRKAN_BACKWARD_STEP)
#define BACKWARD_STAGES STAGES(GRKAN_BACKWARD_STAGES)
#define SUMS (GRKAN_VECTOR_GROUPS * FAMILY_SUMS) /* of a thread: one group's after the other's */

DEVICE pipeline_shape backward_shape(void)
{
    pipeline_shape s;
    s.tensors = 2;
    s.result_dtype = X_DTYPE;
    s.rows = BACKWARD_ROWS;
    s.stages = BACKWARD_STAGES;
    s.stride = QUEUE_STRIDE(GRKAN_BACKWARD_BLOCK);
    return s;
}

/* ----------------------------------------------------------------------------------- phase 1: a thread's rows */

/** The tensors of backward from their first element. */
typedef struct tensors {
    GLOBAL const char *x;
    GLOBAL const char *dy;
    GLOBAL char *dx;
} tensors;

/** Found again where that is rare, so that no loop keeps them in registers. */
DEVICE tensors first_elements(const grkan_launch *launch, const arguments *a)
{
    tensors first;
    first.x = OFFSET(a->x, HIDE(launch->x));
    first.dy = OFFSET(a->dy, HIDE(launch->dy));
    first.dx = OFFSET(a->result, HIDE(launch->result));
    return first;
}

/** A thread's coefficients and register sums, and one of its vectors. */
typedef struct thread_state {
    coefficients c[GRKAN_VECTOR_GROUPS];
    real sums[SUMS];
    tensors at;
} thread_state;

/** Everything that is rare, see forward_rare. */
OUTLINE void backward_rare(thread_state *state)
{
    NO_UNROLL
    for (int v = 0; v < GRKAN_VECTOR; ++v) {
        const int s = v % GRKAN_VECTOR_GROUPS;
        const real x = load_element(X_DTYPE, state->at.x, v), dy = load_element(Y_DTYPE, state->at.dy, v);
        const real dx = backward_element(the_family(), &state->c[s], x, dy, state->sums + s * FAMILY_SUMS);
        store_element(X_DTYPE, state->at.dx, v, dx);
    }
}

/** The rows of a step whose elements are near zero, and what they add to the sums. */
DEVICE void backward_step(const worker *w, const pipeline *p, const coefficients *c, const vector *x_now,
                          const vector *dy_now, int left, row_iterator *at, real *sums)
{
    real xs[BACKWARD_ROWS * GRKAN_VECTOR];
    coefficients renewed[GRKAN_VECTOR_GROUPS];
    UNROLL
    for (int r = 0; r < BACKWARD_ROWS; ++r)
        unpack_plus_zero(x_now[r], xs + r * GRKAN_VECTOR);
    UNROLL
    for (int i = 0; i < BACKWARD_ROWS * GRKAN_VECTOR; ++i)
        xs[i] = SETTLED(xs[i]);
    UNROLL
    for (int s = 0; s < GRKAN_VECTOR_GROUPS; ++s)
        renewed[s] = renewed_coefficients(the_family(), &c[s], xs[LAST_UNPACKED(BACKWARD_ROWS * GRKAN_VECTOR)]);
    UNROLL
    for (int r = 0; r < BACKWARD_ROWS; ++r) {
        real dys[GRKAN_VECTOR];
        unpack_vector(Y_DTYPE, dy_now[r], dys);
        UNROLL
        for (int v = 0; v < GRKAN_VECTOR; ++v) {
            const real x = xs[r * GRKAN_VECTOR + v];
            dys[v] = backward_near(the_family(), &renewed[v % GRKAN_VECTOR_GROUPS], v == 0 ? x : AFTER(x, dys[v - 1]),
                                   dys[v], sums + v % GRKAN_VECTOR_GROUPS * FAMILY_SUMS);
        }
        GLOBAL char *const result = result_at(backward_shape(), p, at);
        if (has_result(w, at, r, left))
            store_vector(X_DTYPE, result, dys);
        next_row(w->block.g, at);
    }
}

/** The rows of a step that are rare. */
DEVICE void backward_rare_step(const worker *w, const pipeline *p, const coefficients *c, tensors first, int left,
                               row_iterator *at, real *sums)
{
    thread_state state;
    UNROLL
    for (int s = 0; s < GRKAN_VECTOR_GROUPS; ++s)
        state.c[s] = c[s];
    UNROLL
    for (int i = 0; i < SUMS; ++i)
        state.sums[i] = sums[i];
    NO_UNROLL
    for (int r = 0; r < BACKWARD_ROWS; ++r) {
        if (has_result(w, at, r, left)) {
            state.at.dx = AT(X_DTYPE, p->result, at);
            state.at.x = first.x + (state.at.dx - first.dx);
            state.at.dy = first.dy + CONVERTED_BYTES(state.at.dx - first.dx, X_DTYPE, Y_DTYPE);
            backward_rare(&state);
        }
        next_row(w->block.g, at);
    }
    UNROLL
    for (int i = 0; i < SUMS; ++i)
        sums[i] = state.sums[i];
}

/** Where one of a thread's sums is in shared memory, from the thread's first: ordered by sums, threads, groups of a vector. */
DEVICE int place_of_sum(int sum)
{
    return sum % FAMILY_SUMS * GRKAN_BACKWARD_BLOCK * GRKAN_VECTOR_GROUPS + sum / FAMILY_SUMS;
}

/**
 * A thread's rows. Register sums go to the thread's sums in shared memory every `chain` rows, a multiple of BACKWARD_ROWS.
 */
DEVICE void sum_rows(const worker *w, const grkan_launch *launch, const arguments *a, QUEUE *queue,
                     SHARED scalar *thread_sums)
{
    const grkan_geometry *const g = w->block.g;
    const pipeline_shape shape = backward_shape();
    const tensors first = first_elements(launch, a);
    pipeline p = start_pipeline(shape, w, launch->aligned, first.x, first.dy, first.dx);
    coefficients c[GRKAN_VECTOR_GROUPS];
    int row = 0;
    STREAM_WAIT();
    fill_pipeline(shape, w, &p, queue);
    load_coefficients(w, launch, a, c);
    const real limit = step_limit(launch, c);
    UNROLL
    for (int i = 0; i < SUMS; ++i)
        thread_sums[place_of_sum(i)] = REAL(0.0);
    while (row < w->rows) {
        const int end = row + g->rows.chain < w->rows ? row + g->rows.chain : w->rows;
        real sums[SUMS];
        UNROLL
        for (int i = 0; i < SUMS; ++i)
            sums[i] = REAL(0.0);
        NO_UNROLL
        while (row < end) {
            vector x_now[BACKWARD_ROWS], dy_now[BACKWARD_ROWS];
            QUEUE_WAIT(BACKWARD_STAGES - 1);
            take_vectors(shape, &p, 0, queue, x_now);
            take_vectors(shape, &p, 1, queue, dy_now);
            row_iterator at = advance_pipeline(shape, w, &p, row, queue);
            if (!(largest_in(x_now, BACKWARD_ROWS) > limit))
                backward_step(w, &p, c, x_now, dy_now, w->rows - row, &at, sums);
            else
                backward_rare_step(w, &p, c, first_elements(launch, a), w->rows - row, &at, sums);
            p.here = at;
            row += BACKWARD_ROWS;
        }
        UNROLL
        for (int i = 0; i < SUMS; ++i)
            thread_sums[place_of_sum(i)] += sums[i];
    }
    QUEUE_WAIT(0);
}

/* ------------------------------------------------------------------------------- phases 2 to 4: a block's sums */

/**
 * Phase 2: each column's sums over the block's rows, until column_partials of them are left. The few threads of those add
 * all of a thread's sums side by side: what else they execute counts for little then.
 */
DEVICE void add_block_rows(const grkan_geometry *g, int thread, SHARED scalar *sums)
{
    const int step =
        g->block.column_partials * g->columns.tile_vectors; /* to the next row that is added to a column's */
    if (thread < step) {
        SHARED scalar *const own = sums + thread * GRKAN_VECTOR_GROUPS;
        scalar totals[SUMS];
        UNROLL
        for (int i = 0; i < SUMS; ++i)
            totals[i] = own[place_of_sum(i)];
        NO_UNROLL
        for (int other = thread + step; other < g->columns.block_rows * g->columns.tile_vectors; other += step) {
            SHARED const scalar *const added = sums + other * GRKAN_VECTOR_GROUPS;
            scalar terms[SUMS];
            UNROLL
            for (int i = 0; i < SUMS; ++i)
                terms[i] = added[place_of_sum(i)];
            UNROLL
            for (int i = 0; i < SUMS; ++i)
                totals[i] = totals[i] + terms[i];
        }
        UNROLL
        for (int i = 0; i < SUMS; ++i)
            own[place_of_sum(i)] = totals[i];
    }
}

/** Where a thread leaves its sum for another: one place of 16 is left out, so that the first of outputs lie in all banks. */
DEVICE int exchange_place(int thread)
{
    return thread + (int)((unsigned int)thread / MOST_OUTPUT_THREADS);
}

/** What a thread adds up, of all that a block's outputs need. */
DEVICE output_columns columns_of_block_thread(const gradients *d, const tile *b, int thread)
{
    int table = 0;
    UNROLL
    for (int i = 1; i < TABLES; ++i)
        table = thread >= table_of(d->g, i).first_thread ? i : table;
    const grkan_table_reduction t = table_of(d->g, table);
    const int own = thread - t.first_thread;
    const int index = own >> t.output_threads_log2;
    const output o = output_of(d, table, b->first_group, index);
    output_columns s = columns_of_thread(b, o, own & ((1 << t.output_threads_log2) - 1), 1 << t.output_threads_log2);
    if (index >= outputs_of_groups(d, table, b->end_group - b->first_group))
        s.left = 0;
    return s;
}

/** An output that a thread finishes. */
typedef struct finished_output {
    int exists;
    int place; /* where the first of its threads left its sum */
    int threads;
    destination to;
} finished_output;

/** @param index of the output @param first of the threads that leave their sums this time */
DEVICE finished_output output_of_thread(const gradients *d, const tile *b, int index, int first)
{
    finished_output e;
    const output_index i = index_of_output(d, index);
    const grkan_table_reduction t = table_of(d->g, i.table);
    const output o = output_at(d, b, i);
    e.exists = o.exists;
    e.place = exchange_place((i.own << t.output_threads_log2) + t.first_thread - first);
    e.threads = 1 << t.output_threads_log2;
    e.to = destination_of(d, b, o);
    return e;
}

/**
 * From the sums of a block's threads to its outputs. A short call spends as much time here as with its rows: so what a phase
 * needs is worked out by threads that have nothing to do in the phase before it, which is why every other one begins at the
 * last thread. Nothing is kept in registers while rows are summed.
 */
DEVICE void reduce_block(const gradients *d, int block_index, int thread, SHARED scalar *sums, SHARED scalar *exchange)
{
    const grkan_geometry *const g = d->g;
    const tile b = tile_of_block(g, block_index);
    const int from_last = GRKAN_BACKWARD_BLOCK - 1 - thread;
    if (g->columns.block_rows > g->block.column_partials)
        add_block_rows(g, from_last, sums);
    NO_UNROLL
    for (int first = 0; first < g->block.threads;
         first += GRKAN_BACKWARD_BLOCK) { /* again only where no output has two */
        const output_columns own = columns_of_block_thread(d, &b, first + thread);
        BARRIER();
        exchange[exchange_place(thread)] = sum_columns(g, own, sums);
        const finished_output e = output_of_thread(d, &b, first + from_last, first);
        BARRIER();
        if (e.exists) {
            store_output(d, e.to, sum_exchanged(exchange + e.place, 1, e.threads));
            if (e.to.is_partial)
                RELEASE_PARTIALS();
        }
    }
}

/* ---------------------------------------------------------------------------------------------- the kernels */

#if GRKAN_STRATEGY == STRATEGY_TREE
/** Add up the partials: in rounds of a block's threads, from thread `first` of all on, `step` to the next round. */
DEVICE void reduce_grid(const gradients *d, int thread, int first, int step, SHARED scalar *exchange)
{
    SHARED scalar *const own = exchange + thread;
    const int threads = grid_threads(d->g);
    NO_UNROLL
    for (; first < threads; first += step) {
        const partial_range p = partials_of_thread(d->g, first + thread);
        if (p.exists)
            *own = sum_partials(d, &p);
        BARRIER();
        if (p.exists && p.thread == 0)
            finish(d, gradient_at(d, p.table, p.position), sum_exchanged(own, p.numbers, p.threads));
        if (first + step < threads)
            BARRIER(); /* before the next round's exchange */
    }
}
#endif

KERNEL(GRKAN_BACKWARD_BLOCK, GRKAN_BACKWARD_RESIDENT)
grkan_backward(GLOBAL const char *x, GLOBAL const char *dy, TABLE_PARAMETERS(GLOBAL const scalar *, table),
               GLOBAL char *dx, TABLE_PARAMETERS(GLOBAL scalar *, gradient), GLOBAL char *workspace,
               const grkan_geometry geometry, const grkan_launch launch)
{
    const tile b = tile_of_block(&geometry, (int)BLOCK_INDEX() + launch.first_block);
    const worker w = worker_of_thread(&b, THREAD_INDEX());
    arguments a;
    a.x = x;
    a.dy = dy;
    a.result = dx;
    a.workspace = workspace;
    TABLE_ARRAY(a.tables, table);
    TABLE_ARRAY(a.gradients, gradient);
    SHARED_ARRAY(scalar, sums, SUMS * GRKAN_BACKWARD_BLOCK);
    QUEUE_ARRAY(queue, BACKWARD_STAGES * BACKWARD_ROWS * (QUEUE_SIZE(X_DTYPE) + QUEUE_SIZE(Y_DTYPE)),
                GRKAN_BACKWARD_BLOCK);
    EXCHANGE_ARRAY(exchange, queue);
    sum_rows(&w, &launch, &a, queue, sums + THREAD_INDEX() * GRKAN_VECTOR_GROUPS);
    const gradients d = gradients_of(&geometry, &launch, &a);
    BARRIER(); /* all threads have left their sums */
    const int thread = (int)HIDE(THREAD_INDEX());
    reduce_block(&d, (int)HIDE(BLOCK_INDEX()) + launch.first_block, thread, sums, exchange);
#if defined(LAST_BLOCK_REDUCES) && GRKAN_STRATEGY == STRATEGY_TREE
    SHARED_ARRAY(int, is_last, 1);
    if (grid_threads(&geometry) > 0) {
        GLOBAL unsigned int *counter = (GLOBAL unsigned int *)OFFSET(workspace, launch.workspace);
        BARRIER(); /* one ticket serves the block: barriers order what it wrote before, and what it will read after */
        if (thread == GRKAN_BACKWARD_BLOCK - 1)
            is_last[0] = TICKET(counter, (unsigned int)launch.blocks - 1) == (unsigned int)launch.blocks - 1;
        BARRIER();
        if (is_last[0]) {
            ACQUIRE_PARTIALS();
            reduce_grid(&d, thread, 0, GRKAN_BACKWARD_BLOCK, exchange);
        }
    }
#endif
}

#if GRKAN_STRATEGY == STRATEGY_TREE && !defined(LAST_BLOCK_REDUCES)
/** A launch of its own where blocks of one launch cannot wait for each other. */
KERNEL(GRKAN_BACKWARD_BLOCK, 1)
grkan_reduce(TABLE_PARAMETERS(GLOBAL const scalar *, table), TABLE_PARAMETERS(GLOBAL scalar *, gradient),
             GLOBAL char *workspace, const grkan_geometry geometry, const grkan_launch launch)
{
    SHARED_ARRAY(scalar, exchange, GRKAN_BACKWARD_BLOCK);
    arguments a;
    a.workspace = workspace;
    TABLE_ARRAY(a.tables, table);
    TABLE_ARRAY(a.gradients, gradient);
    const gradients d = gradients_of(&geometry, &launch, &a);
    const int first = ((int)BLOCK_INDEX() + launch.first_block) * GRKAN_BACKWARD_BLOCK;
    reduce_grid(&d, THREAD_INDEX(), first, launch.blocks * GRKAN_BACKWARD_BLOCK, exchange);
}
#endif
#endif

#endif
