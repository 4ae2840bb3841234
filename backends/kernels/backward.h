/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file backward.h
 * @brief The kernels of backward on GPUs, see gpu.h: each strategy's, and those that combine parts and clear gradients.
 */

#define BACKWARD_ROWS STEP_ROWS(GRKAN_BACKWARD_STEP)
#define BACKWARD_AHEAD STEPS_AHEAD(GRKAN_BACKWARD_AHEAD)
#define BACKWARD_STRIDE QUEUE_STRIDE(GRKAN_BACKWARD_BLOCK)    /* from a chunk of the queue to a thread's next */
#define BACKWARD_LENGTH (2 * BACKWARD_ROWS * BACKWARD_STRIDE) /* of a step in the queue: chunks of x, then of dy */
#define SUMS (GRKAN_SETS * COUNT)                             /* of a thread: one set's after the other's */

#if GRKAN_STRATEGY == STRATEGY_ELEMENT
/**
 * The baseline that FlashKAT improved upon: every element adds to memory. Neighbouring threads begin with different
 * coefficients, since memory makes the additions of one instruction to one address one after another, but those to
 * different words of a sector at once.
 */
DEVICE void add_element(const grkan_tiling *t, const gradients *g, grkan_int64 group, const real *sums)
{
    const rational kind = the_kind();
    const int start = THREAD_INDEX();
    NO_UNROLL
    for (int i = 0; i < COUNT; ++i) {
        output o;
        o.coefficient = (start + i) % COUNT;
        o.in_denominator = o.coefficient > GRKAN_NUMERATOR_DEGREE;
        o.shared = o.in_denominator ? t->denominator_shared : t->numerator_shared;
        o.group = group;
        ATOMIC_ADD(gradient_of(kind, g, o), is_negative(kind, g, o) ? -sums[o.coefficient] : sums[o.coefficient]);
    }
}

/** The elements of one set of a chunk. */
DEVICE void backward_set(const grkan_tiling *t, const gradients *g, grkan_int64 group, const coefficients *c,
                         GLOBAL const storage *x, GLOBAL const storage *dy, GLOBAL storage *dx)
{
    const rational kind = the_kind();
    NO_UNROLL
    for (int v = 0; v < GRKAN_VECTOR; v += GRKAN_SETS) {
        real sums[COUNT];
        UNROLL
        for (int i = 0; i < COUNT; ++i)
            sums[i] = REAL(0.0);
        dx[v] = PACK(backward_element(kind, c, UNPACK(x[v]), UNPACK(dy[v]), sums));
        add_element(t, g, group, sums);
    }
}
#else
/** The tensors of backward: as a kernel gets them, or from their first element. */
typedef struct tensors {
    GLOBAL const storage *x;
    GLOBAL const storage *dy;
    GLOBAL storage *dx;
} tensors;

/** From their first element. Found again where that is rare, so that no loop keeps them in registers. */
DEVICE tensors first_elements(tensors given, const grkan_launch *launch)
{
    tensors base;
    base.x = OFFSET(given.x, HIDE(launch->x));
    base.dy = OFFSET(given.dy, HIDE(launch->dy));
    base.dx = OFFSET(given.dx, HIDE(launch->result));
    return base;
}

/** A thread's coefficients and register sums. */
typedef struct thread_state {
    coefficients c[GRKAN_SETS];
    real sums[SUMS];
} thread_state;

/** As forward_rare. Out of line, and given copies, so that the loop around it keeps registers. */
OUTLINE void backward_rare(thread_state *state, tensors base, GLOBAL storage *dx)
{
    GLOBAL const storage *const x = base.x + (dx - base.dx);
    GLOBAL const storage *const dy = base.dy + (dx - base.dx);
    NO_UNROLL
    for (int v = 0; v < GRKAN_VECTOR; ++v) {
        const int s = v % GRKAN_SETS;
        dx[v] = PACK(backward_element(the_kind(), &state->c[s], UNPACK(x[v]), UNPACK(dy[v]), state->sums + s * COUNT));
    }
}

/** Where one of a thread's sums has its slot, from the thread's first: slots are ordered by coefficients, threads, sets. */
DEVICE int slot_of(int sum)
{
    return sum % COUNT * GRKAN_BACKWARD_BLOCK * GRKAN_SETS + sum / COUNT;
}

/** The leading coefficients, which are factors of x: newer than it, so that it is the first factor everywhere. */
DEVICE void renew_sets(const coefficients *c, real x, coefficients *renewed)
{
    UNROLL
    for (int s = 0; s < GRKAN_SETS; ++s) {
        renewed[s] = c[s];
        renewed[s].a[GRKAN_NUMERATOR_DEGREE] = RENEWED(c[s].a[GRKAN_NUMERATOR_DEGREE], x);
        renewed[s].b[GRKAN_DENOMINATOR_DEGREE] = RENEWED(c[s].b[GRKAN_DENOMINATOR_DEGREE], x);
    }
}

/** Ask for the chunks of a step of both tensors. @param left visits from there, of those whose chunks are asked for */
DEVICE void ask_step(const grkan_tiling *t, const tile *b, const place *p, int left, walk *w, GLOBAL const storage *x,
                     GLOBAL const storage *dy, QUEUE *queue, int place)
{
    UNROLL
    for (int r = 0; r < BACKWARD_ROWS; ++r) {
        const int exists = has_chunk(t, b, p, w, r, left);
        ask_chunk(queue + place + r * BACKWARD_STRIDE, AT(x, w), exists);
        ask_chunk(queue + place + (BACKWARD_ROWS + r) * BACKWARD_STRIDE, AT(dy, w), exists);
        walk_on(t, w);
    }
    QUEUE_END();
    hide_walk(w);
}

/**
 * Phase 1: a thread's visits, the chunks of the next steps on their way while this one's are computed. Register sums
 * go to the thread's sums in shared memory every t->flush visits, a multiple of BACKWARD_ROWS.
 */
DEVICE void fill_slots(const grkan_tiling *t, const grkan_launch *launch, const tile *b, const place *p, tensors given,
                       GLOBAL const scalar *numerator, GLOBAL const scalar *denominator, QUEUE *queue,
                       SHARED scalar *second_level)
{
    coefficients c[GRKAN_SETS];
    int place_in_queue = QUEUE_START(); /* of the step at hand */
    const int queue_ends = ends_of_queue(BACKWARD_LENGTH, BACKWARD_AHEAD);
    const int loads = launch->aligned ? p->visits : 0; /* visits whose chunks are asked for ahead */
    const real limit = near_limit(launch);
    grkan_int64 start;
    walk here = start_walk(t, cursor_at(t, b, p, 0), &start), next = here;
    const tensors base = first_elements(given, launch);
    GLOBAL const storage *const x = base.x + start;
    GLOBAL const storage *const dy = base.dy + start;
    GLOBAL storage *const dx = lagging(t, base.dx + start, (BACKWARD_AHEAD + 1) * BACKWARD_ROWS);
    int visit = 0;
    STREAM_WAIT();
    UNROLL
    for (int i = 0; i < BACKWARD_AHEAD; ++i)
        ask_step(t, b, p, loads - i * BACKWARD_ROWS, &next, x, dy, queue, place_in_queue + i * BACKWARD_LENGTH);
    load_sets(t, b, p, OFFSET(numerator, launch->numerator), OFFSET(denominator, launch->denominator), c);
    UNROLL
    for (int i = 0; i < SUMS; ++i)
        second_level[slot_of(i)] = REAL(0.0);
    while (visit < p->visits) {
        const int end = visit + t->flush < p->visits ? visit + t->flush : p->visits;
        real sums[SUMS];
        UNROLL
        for (int i = 0; i < SUMS; ++i)
            sums[i] = REAL(0.0);
        NO_UNROLL
        while (visit < end) {
            chunk x_now[BACKWARD_ROWS], dy_now[BACKWARD_ROWS];
            QUEUE_WAIT(BACKWARD_AHEAD - 1);
            UNROLL
            for (int r = 0; r < BACKWARD_ROWS; ++r) {
                x_now[r] = queue[place_in_queue + r * BACKWARD_STRIDE];
                dy_now[r] = queue[place_in_queue + (BACKWARD_ROWS + r) * BACKWARD_STRIDE];
            }
            ask_step(t, b, p, loads - visit - BACKWARD_AHEAD * BACKWARD_ROWS, &next, x, dy, queue, place_in_queue);
            place_in_queue = next_place(place_in_queue, queue_ends, BACKWARD_LENGTH, BACKWARD_AHEAD);
            walk at = GRKAN_FOLDED ? here : next;
            if (!(largest_in(x_now, BACKWARD_ROWS) > limit)) {
                real xs[BACKWARD_ROWS * GRKAN_VECTOR];
                coefficients renewed[GRKAN_SETS];
                UNROLL
                for (int r = 0; r < BACKWARD_ROWS; ++r)
                    unpack_plus_zero(x_now[r], xs + r * GRKAN_VECTOR);
                UNROLL
                for (int i = 0; i < BACKWARD_ROWS * GRKAN_VECTOR; ++i)
                    xs[i] = SETTLED(xs[i]);
                renew_sets(c, xs[BACKWARD_ROWS * GRKAN_VECTOR - 1], renewed);
                UNROLL
                for (int r = 0; r < BACKWARD_ROWS; ++r) {
                    real dys[GRKAN_VECTOR];
                    unpack_chunk(dy_now[r], dys);
                    UNROLL
                    for (int v = 0; v < GRKAN_VECTOR; ++v) {
                        const real x = xs[r * GRKAN_VECTOR + v];
                        dys[v] = backward_near(the_kind(), &renewed[v % GRKAN_SETS], v == 0 ? x : AFTER(x, dys[v - 1]),
                                               dys[v], sums + v % GRKAN_SETS * COUNT);
                    }
                    GLOBAL storage *const result = result_at(dx, &at);
                    if (has_result(t, b, p, &at, r, p->visits - visit))
                        store_chunk(result, dys);
                    walk_on(t, &at);
                }
            } else {
                const tensors again = first_elements(given, launch);
                thread_state state;
                UNROLL
                for (int s = 0; s < GRKAN_SETS; ++s)
                    state.c[s] = c[s];
                UNROLL
                for (int i = 0; i < SUMS; ++i)
                    state.sums[i] = sums[i];
                NO_UNROLL
                for (int r = 0; r < BACKWARD_ROWS; ++r) {
                    if (has_result(t, b, p, &at, r, p->visits - visit))
                        backward_rare(&state, again, AT(dx, &at));
                    walk_on(t, &at);
                }
                UNROLL
                for (int i = 0; i < SUMS; ++i)
                    sums[i] = state.sums[i];
            }
            here = at;
            visit += BACKWARD_ROWS;
        }
        UNROLL
        for (int i = 0; i < SUMS; ++i)
            second_level[slot_of(i)] += sums[i];
    }
    QUEUE_WAIT(0);
}
#endif

DEVICE gradients the_gradients(const grkan_launch *launch, GLOBAL const scalar *denominator, GLOBAL scalar *dnumerator,
                               GLOBAL scalar *ddenominator, GLOBAL char *workspace)
{
    gradients g;
    g.denominator = OFFSET(denominator, launch->denominator);
    g.dnumerator = OFFSET(dnumerator, launch->dnumerator);
    g.ddenominator = OFFSET(ddenominator, launch->ddenominator);
    g.parts = (GLOBAL scalar *)(OFFSET(workspace, launch->workspace) + GRKAN_WORKSPACE_COUNTER_BYTES);
    g.numerator_parts = launch->numerator_parts;
    g.denominator_parts = launch->denominator_parts;
    g.strategy = GRKAN_STRATEGY;
    g.add = launch->add;
    return g;
}

#if GRKAN_STRATEGY != STRATEGY_ELEMENT
/**
 * From the block's slots to its outputs. A short call spends as much time here as with its rows, so what only the few
 * threads need that have a slice to sum, no other computes. Nothing is kept in registers while rows are visited.
 */
DEVICE void deliver_sums(const grkan_tiling *t, const gradients *g, grkan_int64 block_index, SHARED scalar *slots,
                         SHARED scalar *exchange)
{
    const rational kind = the_kind();
    const int slices = block_slices(t, kind, (int)t->span_groups); /* at most: the last span may have fewer groups */
    SHARED scalar *const exchanged = exchange + 2 * THREAD_INDEX();
    if (t->row_lanes > 1) {
        add_row_lanes(t, COUNT, (int)HIDE(THREAD_INDEX()), slots);
        BARRIER();
    }
    NO_UNROLL
    for (int first = 0; first < slices; first += GRKAN_BACKWARD_BLOCK) {
        tile b;
        slice_place own;
        output o;
        own.exists = 0;
        if (first + THREAD_INDEX() < slices) {
            b = tile_of_block(t, block_index);
            const int groups = (int)(b.end_group - b.first_group);
            own = slice_of_thread(t, kind, groups, first + THREAD_INDEX());
            o = output_at(t, kind, b.first_group, groups, own.index);
        }
        if (own.exists) {
            const pair sum = sum_slice(t, columns_of_output(t, &b, o), o, own.slice, own.slices, slots);
            exchanged[0] = sum.high;
            exchanged[1] = sum.low;
        }
        BARRIER();
        if (own.exists && own.slice == 0)
            deliver(t, kind, g, &b, o, pair_negated(sum_exchanged(exchanged, own.slices), is_negative(kind, g, o)));
        if (slices > GRKAN_BACKWARD_BLOCK)
            BARRIER(); /* before the next round's exchange */
    }
}
#endif

#if GRKAN_STRATEGY == STRATEGY_TREE
/** Sum the parts of t->combine_outputs outputs at a time, from output `first` on; `step` outputs to the next time. */
DEVICE void combine_outputs(const grkan_tiling *t, const gradients *g, int first, int step, SHARED scalar *exchange)
{
    const rational kind = the_kind();
    const int count = output_count(t, kind, t->groups);
    const int lane = quotient_of(THREAD_INDEX(), t->combine_outputs);
    const int own = THREAD_INDEX() - lane * t->combine_outputs; /* neighbours: so are their parts */
    SHARED scalar *const sums = exchange + 2 * own * t->combine_lanes;
    NO_UNROLL
    for (int index = first + own; index - own < count; index += step) {
        const output o = output_at(t, kind, 0, t->groups, index);
        const int waiting = index < count && lane < t->combine_lanes && parts_waiting(g, o) > 0;
        if (waiting) {
            const pair sum = sum_parts(t, kind, g, o, lane);
            sums[2 * lane] = sum.high;
            sums[2 * lane + 1] = sum.low;
        }
        BARRIER();
        if (waiting && lane == 0)
            finish(kind, g, o, sum_exchanged(sums, t->combine_lanes));
        BARRIER();
    }
}
#endif

KERNEL(GRKAN_BACKWARD_BLOCK, GRKAN_BACKWARD_RESIDENT)
grkan_backward(GLOBAL const storage *x, GLOBAL const storage *dy, GLOBAL const scalar *numerator,
               GLOBAL const scalar *denominator, GLOBAL storage *dx, GLOBAL scalar *dnumerator,
               GLOBAL scalar *ddenominator, GLOBAL char *workspace, const grkan_tiling tiling,
               const grkan_launch launch)
{
    const tile b = tile_of_block(&tiling, BLOCK_INDEX() + launch.first_block);
    const place p = place_of_thread(&tiling, &b, THREAD_INDEX());
#if GRKAN_STRATEGY == STRATEGY_ELEMENT
    coefficients c[GRKAN_SETS];
    STREAM_WAIT();
    load_sets(&tiling, &b, &p, OFFSET(numerator, launch.numerator), OFFSET(denominator, launch.denominator), c);
    const gradients g = the_gradients(&launch, denominator, dnumerator, ddenominator, workspace);
    x = OFFSET(x, launch.x);
    dy = OFFSET(dy, launch.dy);
    dx = OFFSET(dx, launch.result);
    cursor at = cursor_at(&tiling, &b, &p, 0);
    for (int visit = 0; visit < p.visits; ++visit) {
        UNROLL
        for (int s = 0; s < GRKAN_SETS; ++s)
            if (chunks_left(&tiling, &b, &p, &at) > 0)
                backward_set(&tiling, &g, group_in_chunk(&tiling, &b, &p, s), &c[s], x + at.element + s,
                             dy + at.element + s, dx + at.element + s);
        cursor_advance(&tiling, &at);
    }
#else
    SHARED_ARRAY(scalar, slots, SUMS * GRKAN_BACKWARD_BLOCK);
    QUEUE_ARRAY(queue, BACKWARD_AHEAD * 2 * BACKWARD_ROWS, GRKAN_BACKWARD_BLOCK);
    EXCHANGE_ARRAY(exchange, queue);
    tensors given;
    given.x = x;
    given.dy = dy;
    given.dx = dx;
    fill_slots(&tiling, &launch, &b, &p, given, numerator, denominator, queue, slots + THREAD_INDEX() * GRKAN_SETS);
    const gradients g = the_gradients(&launch, denominator, dnumerator, ddenominator, workspace);
    BARRIER(); /* slots are filled */
    deliver_sums(&tiling, &g, HIDE(BLOCK_INDEX()) + launch.first_block, slots, exchange);
#if defined(LAST_BLOCK_COMBINES) && GRKAN_STRATEGY == STRATEGY_TREE
    SHARED_ARRAY(int, is_last, 1);
    if (launch.numerator_parts > 1 || launch.denominator_parts > 1) {
        GLOBAL unsigned int *counter = (GLOBAL unsigned int *)OFFSET(workspace, launch.workspace);
        BARRIER(); /* one ticket serves the block: barriers order what it wrote before, and what it will read after */
        if (THREAD_INDEX() == 0)
            is_last[0] = TICKET(counter) == launch.blocks - 1;
        BARRIER();
        if (is_last[0]) {
            combine_outputs(&tiling, &g, 0, tiling.combine_outputs, exchange);
            if (THREAD_INDEX() == 0)
                *counter = 0;
        }
    }
#endif
#endif
}

#if GRKAN_STRATEGY == STRATEGY_TREE && !defined(LAST_BLOCK_COMBINES)
/** A launch of its own where blocks of one launch cannot wait for each other. */
KERNEL(GRKAN_BACKWARD_BLOCK, 1)
grkan_combine(GLOBAL const scalar *denominator, GLOBAL scalar *dnumerator, GLOBAL scalar *ddenominator,
              GLOBAL char *workspace, const grkan_tiling tiling, const grkan_launch launch)
{
    SHARED_ARRAY(scalar, exchange, 2 * GRKAN_BACKWARD_BLOCK);
    const gradients g = the_gradients(&launch, denominator, dnumerator, ddenominator, workspace);
    const int outputs = tiling.combine_outputs;
    const grkan_int64 block = BLOCK_INDEX() + launch.first_block;
    combine_outputs(&tiling, &g, (int)(block * outputs), (int)(launch.blocks * outputs), exchange);
}
#endif

#if GRKAN_STRATEGY != STRATEGY_TREE
/** Zero for the gradients that atomics add to. */
KERNEL(GRKAN_BACKWARD_BLOCK, 1)
grkan_clear(GLOBAL scalar *dnumerator, GLOBAL scalar *ddenominator, const grkan_tiling tiling,
            const grkan_launch launch)
{
    const grkan_int64 numerator = (tiling.numerator_shared ? 1 : tiling.groups) * (GRKAN_NUMERATOR_DEGREE + 1);
    const grkan_int64 denominator = (tiling.denominator_shared ? 1 : tiling.groups) * B_COUNT;
    STREAM_WAIT();
    for (grkan_int64 i = (BLOCK_INDEX() + launch.first_block) * GRKAN_BACKWARD_BLOCK + THREAD_INDEX();
         i < numerator + denominator; i += launch.blocks * GRKAN_BACKWARD_BLOCK) {
        if (i < numerator)
            OFFSET(dnumerator, launch.dnumerator)[i] = REAL(0.0);
        else
            OFFSET(ddenominator, launch.ddenominator)[i - numerator] = REAL(0.0);
    }
}
#endif
