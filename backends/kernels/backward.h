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
        const int sum = (start + i) % COUNT;
        const int in_denominator = sum > GRKAN_NUMERATOR_DEGREE;
        const int first = in_denominator ? GRKAN_NUMERATOR_DEGREE + 1 : 0;
        const output o = output_of(t, kind, in_denominator, group, sum - first);
        ATOMIC_ADD(gradient_at(g, in_denominator, o.position),
                   is_negative(kind, g, in_denominator, o.position) ? -sums[sum] : sums[sum]);
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

/** A thread's coefficients and register sums, and one of its chunks. */
typedef struct thread_state {
    coefficients c[GRKAN_SETS];
    real sums[SUMS];
    tensors chunk;
} thread_state;

/** As forward_rare. */
OUTLINE void backward_rare(thread_state *state)
{
    NO_UNROLL
    for (int v = 0; v < GRKAN_VECTOR; ++v) {
        const int s = v % GRKAN_SETS;
        const real x = UNPACK(state->chunk.x[v]), dy = UNPACK(state->chunk.dy[v]);
        const real dx = backward_element(the_kind(), &state->c[s], x, dy, state->sums + s * COUNT);
        state->chunk.dx[v] = PACK(dx);
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
    const real limit = step_limit(launch, c);
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
                renew_sets(c, xs[LAST_UNPACKED(BACKWARD_ROWS * GRKAN_VECTOR)], renewed);
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
                    if (has_result(t, b, p, &at, r, p->visits - visit)) {
                        state.chunk.dx = AT(dx, &at);
                        state.chunk.x = again.x + (state.chunk.dx - again.dx);
                        state.chunk.dy = again.dy + (state.chunk.dx - again.dx);
                        backward_rare(&state);
                    }
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
 * Phase 2: each column's sums over its row lanes, until kept_lanes of them are left, which have the sums. The few threads of
 * those add all of a thread's sums side by side: what else they execute counts for little then.
 */
DEVICE void add_row_lanes(const grkan_tiling *t, int thread, SHARED scalar *slots)
{
    const int step = t->kept_lanes * t->span_chunks; /* from a row lane to the next that is added to it */
    if (thread < step) {
        SHARED scalar *const kept = slots + thread * GRKAN_SETS;
        scalar totals[SUMS];
        UNROLL
        for (int i = 0; i < SUMS; ++i)
            totals[i] = kept[slot_of(i)];
        NO_UNROLL
        for (int other = thread + step; other < t->row_lanes * t->span_chunks; other += step) {
            SHARED const scalar *const added = slots + other * GRKAN_SETS;
            scalar terms[SUMS];
            UNROLL
            for (int i = 0; i < SUMS; ++i)
                terms[i] = added[slot_of(i)];
            UNROLL
            for (int i = 0; i < SUMS; ++i)
                totals[i] = totals[i] + terms[i];
        }
        UNROLL
        for (int i = 0; i < SUMS; ++i)
            kept[slot_of(i)] = totals[i];
    }
}

/** Where a thread's slice is exchanged: one place of 16 is left out, so that the first slices of outputs lie in all banks. */
DEVICE int exchange_place(int thread)
{
    return thread + (int)((unsigned int)thread / MOST_SLICES);
}

/** The slice of a thread, of all that a block's outputs need. */
DEVICE slice slice_of_thread(const grkan_tiling *t, const tile *b, int thread)
{
    const rational kind = the_kind();
    const int in_denominator = thread >= t->denominator_slices;
    const int log2 = slices_log2_of(t, is_shared(t, in_denominator));
    const int own = thread - (in_denominator ? t->denominator_slices : 0);
    const int index = own >> log2;
    const output o = output_of(t, kind, in_denominator, b->first_group, index);
    slice s = slice_of(t, b, o, own & ((1 << log2) - 1), 1 << log2);
    if (index >= gradient_width(t, kind, in_denominator, b->end_group - b->first_group))
        s.left = 0;
    return s;
}

/** What a thread delivers. */
typedef struct delivery {
    int exists;
    int place; /* of its first slice */
    int slices;
    destination end;
} delivery;

/** @param index of the output @param first of the threads whose slices are exchanged */
DEVICE delivery delivery_of(const grkan_tiling *t, const gradients *g, const tile *b, int index, int first)
{
    delivery d;
    const rational kind = the_kind();
    const output o = output_at(t, kind, b, index);
    const int log2 = slices_log2_of(t, o.shared);
    const int own = o.in_denominator ? index - gradient_width(t, kind, 0, t->span_groups) : index;
    d.exists = o.exists;
    d.place = exchange_place((own << log2) + (o.in_denominator ? t->denominator_slices : 0) - first);
    d.slices = 1 << log2;
    d.end = destination_of(t, kind, g, b, o);
    return d;
}

/**
 * From the block's slots to its outputs. A short call spends as much time here as with its rows: so what a phase needs is
 * worked out by threads that have nothing to do in the phase before it, which is why every other one begins at the last
 * thread. Nothing is kept in registers while rows are visited.
 */
DEVICE void deliver_sums(const grkan_tiling *t, const gradients *g, int block_index, int thread, SHARED scalar *slots,
                         SHARED scalar *exchange)
{
    const tile b = tile_of_block(t, block_index);
    const int from_last = GRKAN_BACKWARD_BLOCK - 1 - thread;
    if (t->row_lanes > t->kept_lanes)
        add_row_lanes(t, from_last, slots);
    NO_UNROLL
    for (int first = 0; first < t->all_slices;
         first += GRKAN_BACKWARD_BLOCK) { /* again only where no output has two slices */
        const slice own = slice_of_thread(t, &b, first + thread);
        BARRIER();
        exchange[exchange_place(thread)] = sum_slice(t, own, slots);
        const delivery d = delivery_of(t, g, &b, first + from_last, first);
        BARRIER();
        if (d.exists) {
            deliver(g, d.end, sum_exchanged(exchange + d.place, 1, d.slices));
            if (d.end.is_part)
                RELEASE_PARTS();
        }
    }
}
#endif

#if GRKAN_STRATEGY == STRATEGY_TREE
/** Sum the parts of gradients: in rounds of a block's threads, from thread `first` of all on, `step` to the next round. */
DEVICE void combine_parts(const grkan_tiling *t, const gradients *g, int thread, int first, int step,
                          SHARED scalar *exchange)
{
    SHARED scalar *const own = exchange + thread;
    const int threads = combine_threads(t);
    NO_UNROLL
    for (; first < threads; first += step) {
        const share_of_parts s = share_of_thread(t, first + thread);
        if (s.exists)
            *own = sum_parts(t, g, &s);
        BARRIER();
        if (s.exists && s.lane == 0)
            finish(g, gradient_at(g, s.in_denominator, s.position), sum_exchanged(own, s.width, s.lanes));
        if (first + step < threads)
            BARRIER(); /* before the next round's exchange */
    }
}
#endif

KERNEL(GRKAN_BACKWARD_BLOCK, GRKAN_BACKWARD_RESIDENT)
grkan_backward(GLOBAL const storage *x, GLOBAL const storage *dy, GLOBAL const scalar *numerator,
               GLOBAL const scalar *denominator, GLOBAL storage *dx, GLOBAL scalar *dnumerator,
               GLOBAL scalar *ddenominator, GLOBAL char *workspace, const grkan_tiling tiling,
               const grkan_launch launch)
{
    const tile b = tile_of_block(&tiling, (int)BLOCK_INDEX() + launch.first_block);
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
    const int thread = (int)HIDE(THREAD_INDEX());
    deliver_sums(&tiling, &g, (int)HIDE(BLOCK_INDEX()) + launch.first_block, thread, slots, exchange);
#if defined(LAST_BLOCK_COMBINES) && GRKAN_STRATEGY == STRATEGY_TREE
    SHARED_ARRAY(int, is_last, 1);
    if (launch.numerator_parts > 1 || launch.denominator_parts > 1) {
        GLOBAL unsigned int *counter = (GLOBAL unsigned int *)OFFSET(workspace, launch.workspace);
        BARRIER(); /* one ticket serves the block: barriers order what it wrote before, and what it will read after */
        if (thread == GRKAN_BACKWARD_BLOCK - 1)
            is_last[0] = TICKET(counter, (unsigned int)launch.blocks - 1) == (unsigned int)launch.blocks - 1;
        BARRIER();
        if (is_last[0]) {
            ACQUIRE_PARTS();
            combine_parts(&tiling, &g, thread, 0, GRKAN_BACKWARD_BLOCK, exchange);
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
    SHARED_ARRAY(scalar, exchange, GRKAN_BACKWARD_BLOCK);
    const gradients g = the_gradients(&launch, denominator, dnumerator, ddenominator, workspace);
    const int first = ((int)BLOCK_INDEX() + launch.first_block) * GRKAN_BACKWARD_BLOCK;
    combine_parts(&tiling, &g, THREAD_INDEX(), first, launch.blocks * GRKAN_BACKWARD_BLOCK, exchange);
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
         i < numerator + denominator; i += (grkan_int64)launch.blocks * GRKAN_BACKWARD_BLOCK) {
        if (i < numerator)
            OFFSET(dnumerator, launch.dnumerator)[i] = REAL(0.0);
        else
            OFFSET(ddenominator, launch.ddenominator)[i - numerator] = REAL(0.0);
    }
}
#endif
