/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file gpu.h
 * @brief The kernels of the GPU backends: one thread of a block each.
 *
 * Specialised by macros (core/specialise.c): GRKAN_NUMERATOR_DEGREE, GRKAN_DENOMINATOR_DEGREE, GRKAN_FORM,
 * GRKAN_NEAR_EXPONENT, GRKAN_REPEATS, GRKAN_DTYPE, GRKAN_VECTOR, GRKAN_BLOCK, GRKAN_FOLDED, GRKAN_STRATEGY,
 * GRKAN_IEEE, GRKAN_FORWARD_RESIDENT, GRKAN_FORWARD_AHEAD, GRKAN_BACKWARD_RESIDENT, GRKAN_BACKWARD_AHEAD.
 *
 * Beside the words of rational.h and storage.h, a dialect gives
 *
 *     KERNEL(threads, resident)   qualifiers and type of a kernel; how many blocks a multiprocessor shall hold
 *     OUTLINE                     qualifiers of a function that is called, not inlined
 *     GLOBAL, SHARED              address spaces of pointers
 *     SHARED_ARRAY(type, n, size) an array of a block
 *     BLOCK_INDEX(), THREAD_INDEX(), BARRIER()
 *     OFFSET(pointer, elements)   pointer + elements, or the pointer where the host has added them already
 *     HIDE(value)                 the value, which the compiler must not remember
 *     words2, words4              2 and 4 unsigned ints, .x .y .z .w, aligned to their size
 *     DOUBLE_OF(low, high), LOW_OF(double), HIGH_OF(double)   only for f64
 *     ATOMIC_ADD(pointer, value)  only for the strategies that use it
 *
 * and, where the last block of a launch may read what the others wrote, LAST_BLOCK_COMBINES with FENCE() and
 * TICKET(counter): the previous value of a counter that is raised by 1 atomically.
 */

#define B_COUNT (GRKAN_DENOMINATOR_DEGREE + (GRKAN_FORM == FORM_ABS_SUM_OFFSET ? 1 : 0))
#define COUNT (GRKAN_NUMERATOR_DEGREE + 1 + B_COUNT)

/** Chunks of a thread in registers: the one at hand and those on their way. No copies, since loops unroll by it. */
#define FORWARD_RING (GRKAN_FORWARD_AHEAD + 1)
#define BACKWARD_RING (GRKAN_BACKWARD_AHEAD + 1)

/** Without folding, a thread that has visits has a chunk in each of them. */
#if GRKAN_FOLDED
#define HAS_CHUNK(t, b, p, at) (chunks_left(t, b, p, at) > 0)
#else
#define HAS_CHUNK(t, b, p, at) 1
#endif

DEVICE rational the_kind(void)
{
    rational kind;
    kind.m = GRKAN_NUMERATOR_DEGREE;
    kind.n = GRKAN_DENOMINATOR_DEGREE;
    kind.form = GRKAN_FORM;
    kind.near_exponent = GRKAN_NEAR_EXPONENT;
    kind.repeats = GRKAN_REPEATS;
    return kind;
}

/** The coefficients of one group, the denominator as rational.h wants it. */
DEVICE coefficients load_coefficients(const grkan_tiling *t, grkan_int64 group, GLOBAL const scalar *numerator,
                                      GLOBAL const scalar *denominator)
{
    coefficients c;
    GLOBAL const scalar *a = numerator + (t->numerator_shared ? 0 : group * (GRKAN_NUMERATOR_DEGREE + 1));
    GLOBAL const scalar *b = denominator + (t->denominator_shared ? 0 : group * B_COUNT);
    UNROLL
    for (int i = 0; i <= GRKAN_NUMERATOR_DEGREE; ++i)
        c.a[i] = a[i];
#if GRKAN_FORM == FORM_ABS_SUM_OFFSET
    UNROLL
    for (int j = 0; j <= GRKAN_DENOMINATOR_DEGREE; ++j)
        c.b[j] = b[j];
#else
    c.b[0] = GRKAN_FORM == FORM_ABS_SUM ? REAL(0.0) : REAL(1.0);
    UNROLL
    for (int j = 1; j <= GRKAN_DENOMINATOR_DEGREE; ++j)
        c.b[j] = GRKAN_FORM == FORM_ABS_TERMS ? ABS(b[j - 1]) : b[j - 1];
#endif
    return c;
}

/** Whether a whole chunk may use the formulas in x; they need no branch then. */
DEVICE int chunk_is_near(rational kind, const real *x)
{
    real largest = ABS(x[0]);
    UNROLL
    for (int v = 1; v < GRKAN_VECTOR; ++v)
        largest = MAXIMUM(largest, ABS(x[v]));
    return is_near(kind, largest);
}

/** Everything that is rare: elements far from zero, and tensors that are not aligned to chunks. */
DEVICE void forward_rare(const coefficients *c, GLOBAL const storage *x, GLOBAL storage *y)
{
    NO_UNROLL
    for (int v = 0; v < GRKAN_VECTOR; ++v)
        y[v] = PACK(forward_element(the_kind(), c, UNPACK(x[v])));
}

DEVICE void forward_chunk(const coefficients *c, int aligned, chunk loaded, GLOBAL const storage *x, GLOBAL storage *y)
{
    const rational kind = the_kind();
    real value[GRKAN_VECTOR];
    unpack_chunk(loaded, value);
    if (aligned && chunk_is_near(kind, value)) {
        UNROLL
        for (int v = 0; v < GRKAN_VECTOR; ++v)
            value[v] = forward_near(kind, c, value[v]);
        store_chunk(y, value);
    } else {
        forward_rare(c, x, y);
    }
}

KERNEL(GRKAN_BLOCK, GRKAN_FORWARD_RESIDENT)
grkan_forward(GLOBAL const storage *x, GLOBAL const scalar *numerator, GLOBAL const scalar *denominator,
              GLOBAL storage *y, const grkan_tiling tiling, const grkan_launch launch)
{
    const tile b = tile_of_block(&tiling, BLOCK_INDEX() + launch.first_block);
    const place p = place_of_thread(&tiling, &b, THREAD_INDEX());
    const coefficients c = load_coefficients(&tiling, p.group, OFFSET(numerator, launch.numerator),
                                             OFFSET(denominator, launch.denominator));
    const int loads = launch.aligned ? p.visits : 0; /* visits whose chunks are loaded ahead */
    cursor here = cursor_at(&tiling, &b, &p, 0), at = here;
    chunk ring[FORWARD_RING];
    GLOBAL const storage *const x_base = OFFSET(x, launch.x);
    x = x_base + at.element;
    y = OFFSET(y, launch.result) + at.element;
    UNROLL
    for (int i = 0; i < GRKAN_FORWARD_AHEAD; ++i) {
        if (i < loads && HAS_CHUNK(&tiling, &b, &p, &at))
            ring[i] = load_chunk(x);
        x += cursor_advance(&tiling, &at);
    }
    NO_UNROLL
    for (int first = 0; first < p.visits; first += FORWARD_RING) {
        UNROLL
        for (int i = 0; i < FORWARD_RING; ++i) {
            if (first + i + GRKAN_FORWARD_AHEAD < loads && HAS_CHUNK(&tiling, &b, &p, &at))
                ring[(i + GRKAN_FORWARD_AHEAD) % FORWARD_RING] = load_chunk(x);
            if (first + i < p.visits && HAS_CHUNK(&tiling, &b, &p, &here))
                forward_chunk(&c, launch.aligned, ring[i], x_base + here.element, y);
            x += cursor_advance(&tiling, &at);
            y += cursor_advance(&tiling, &here);
        }
    }
}

#if GRKAN_STRATEGY == STRATEGY_ELEMENT
/** The baseline that FlashKAT improved upon: every element adds to memory. */
DEVICE void add_element(const grkan_tiling *t, const gradients *g, grkan_int64 group, const real *sums)
{
    const rational kind = the_kind();
    UNROLL
    for (int i = 0; i < COUNT; ++i) {
        output o;
        o.coefficient = i;
        o.in_denominator = i > GRKAN_NUMERATOR_DEGREE;
        o.shared = o.in_denominator ? t->denominator_shared : t->numerator_shared;
        o.group = group;
        ATOMIC_ADD((o.in_denominator ? g->ddenominator : g->dnumerator) + output_position(kind, o),
                   with_sign(kind, g, o, sums[i]));
    }
}

DEVICE void backward_chunk(const grkan_tiling *t, const gradients *g, grkan_int64 group, const coefficients *c,
                           GLOBAL const storage *x, GLOBAL const storage *dy, GLOBAL storage *dx)
{
    const rational kind = the_kind();
    NO_UNROLL
    for (int v = 0; v < GRKAN_VECTOR; ++v) {
        real sums[COUNT];
        UNROLL
        for (int i = 0; i < COUNT; ++i)
            sums[i] = REAL(0.0);
        dx[v] = PACK(backward_element(kind, c, UNPACK(x[v]), UNPACK(dy[v]), sums));
        add_element(t, g, group, sums);
    }
}
#else
/** A thread's coefficients and register sums, and the chunks it loads ahead. */
typedef struct thread_state {
    coefficients c;
    real sums[COUNT];
    chunk next_x, next_dy;
} thread_state;

/** As forward_rare, with the next load. Out of line, and given copies, so that the loop around it keeps registers. */
OUTLINE void backward_rare(thread_state *state, int vector, GLOBAL const storage *x, GLOBAL const storage *dy,
                           GLOBAL storage *dx, int has_next, GLOBAL const storage *next_x,
                           GLOBAL const storage *next_dy)
{
    NO_UNROLL
    for (int v = 0; v < vector; ++v)
        dx[v] = PACK(backward_element(the_kind(), &state->c, UNPACK(x[v]), UNPACK(dy[v]), state->sums));
    if (has_next) {
        state->next_x = load_chunk(next_x);
        state->next_dy = load_chunk(next_dy);
    }
}

DEVICE void backward_copied(const coefficients *c, int vector, GLOBAL const storage *x, GLOBAL const storage *dy,
                            GLOBAL storage *dx, int has_next, GLOBAL const storage *next_x,
                            GLOBAL const storage *next_dy, chunk *loaded_x, chunk *loaded_dy, real *sums)
{
    thread_state state;
    state.c = *c;
    UNROLL
    for (int i = 0; i < COUNT; ++i)
        state.sums[i] = sums[i];
    backward_rare(&state, vector, x, dy, dx, has_next, next_x, next_dy);
    UNROLL
    for (int i = 0; i < COUNT; ++i)
        sums[i] = state.sums[i];
    if (has_next) {
        *loaded_x = state.next_x;
        *loaded_dy = state.next_dy;
    }
}

/**
 * Phase 1: a thread's visits, the chunks of the next ones on their way while this one's are computed. Register sums
 * go to the slots every t->flush visits, a multiple of BACKWARD_RING.
 *
 * The chunk at hand is waited for first, then a load is issued, then the chunk is computed. A wait that comes after a
 * load may wait for that load too: hardware counts loads, it does not name them. So the load stands behind a branch
 * that depends on the chunk at hand, dy included: an infinite one counts as rare.
 */
DEVICE void fill_slots(const grkan_tiling *t, const grkan_launch *launch, const tile *b, const coefficients *c,
                       const place *p, GLOBAL const storage *x, GLOBAL const storage *dy, GLOBAL storage *dx,
                       SHARED scalar *slot)
{
    const rational kind = the_kind();
    const int loads = launch->aligned ? p->visits : 0; /* visits whose chunks are loaded ahead */
    real sums[COUNT];
    cursor here = cursor_at(t, b, p, 0), at = here;
    chunk ring_x[BACKWARD_RING], ring_dy[BACKWARD_RING];
    UNROLL
    for (int i = 0; i < COUNT; ++i)
        slot[i * GRKAN_BLOCK] = REAL(0.0);
    UNROLL
    for (int i = 0; i < GRKAN_BACKWARD_AHEAD; ++i) {
        if (i < loads && HAS_CHUNK(t, b, p, &at)) {
            ring_x[i] = load_chunk(x + at.element);
            ring_dy[i] = load_chunk(dy + at.element);
        }
        cursor_advance(t, &at);
    }
    for (int first = 0; first < p->visits;) {
        const int end = first + t->flush < p->visits ? first + t->flush : p->visits;
        UNROLL
        for (int i = 0; i < COUNT; ++i)
            sums[i] = REAL(0.0);
        NO_UNROLL
        for (; first < end; first += BACKWARD_RING) {
            UNROLL
            for (int i = 0; i < BACKWARD_RING; ++i) {
                const int next = (i + GRKAN_BACKWARD_AHEAD) % BACKWARD_RING;
                const int has_chunk = first + i < p->visits && HAS_CHUNK(t, b, p, &here);
                const int has_next = first + i + GRKAN_BACKWARD_AHEAD < loads && HAS_CHUNK(t, b, p, &at);
                real xs[GRKAN_VECTOR], dys[GRKAN_VECTOR];
                unpack_chunk(ring_x[i], xs);
                unpack_chunk(ring_dy[i], dys);
                if (has_chunk && launch->aligned && (chunk_is_near(kind, xs) & (ABS(dys[0]) < INFINITY))) {
                    if (has_next) {
                        ring_x[next] = load_chunk(x + at.element);
                        ring_dy[next] = load_chunk(dy + at.element);
                    }
                    UNROLL
                    for (int v = 0; v < GRKAN_VECTOR; ++v)
                        dys[v] = backward_near(kind, c, xs[v], dys[v], sums);
                    store_chunk(dx + here.element, dys);
                } else {
                    backward_copied(c, has_chunk ? GRKAN_VECTOR : 0, x + here.element, dy + here.element,
                                    dx + here.element, has_next, x + at.element, dy + at.element, &ring_x[next],
                                    &ring_dy[next], sums);
                }
                cursor_advance(t, &at);
                cursor_advance(t, &here);
            }
        }
        UNROLL
        for (int i = 0; i < COUNT; ++i)
            slot[i * GRKAN_BLOCK] += sums[i];
    }
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

#if GRKAN_STRATEGY == STRATEGY_TREE
/** Sum the parts of block / COMBINE_LANES outputs at a time, from output `first` on, every `step`-th time. */
DEVICE void combine_outputs(const grkan_tiling *t, const gradients *g, int first, int step, SHARED scalar *exchange)
{
    const rational kind = the_kind();
    const int count = output_count(t, kind, t->groups);
    const int own = THREAD_INDEX() / COMBINE_LANES;
    const int lane = THREAD_INDEX() % COMBINE_LANES;
    for (int base = first; base < count; base += step) {
        const int index = base + own;
        const output o = output_at(t, kind, 0, t->groups, index < count ? index : 0);
        const int waiting = index < count && parts_waiting(g, o) > 0;
        if (waiting) {
            const pair sum = sum_parts(t, kind, g, o, lane);
            exchange[2 * THREAD_INDEX()] = sum.high;
            exchange[2 * THREAD_INDEX() + 1] = sum.low;
        }
        BARRIER();
        if (waiting && lane == 0)
            finish(kind, g, o, sum_exchanged(exchange + 2 * THREAD_INDEX(), COMBINE_LANES));
        BARRIER();
    }
}
#endif

KERNEL(GRKAN_BLOCK, GRKAN_BACKWARD_RESIDENT)
grkan_backward(GLOBAL const storage *x, GLOBAL const storage *dy, GLOBAL const scalar *numerator,
               GLOBAL const scalar *denominator, GLOBAL storage *dx, GLOBAL scalar *dnumerator,
               GLOBAL scalar *ddenominator, GLOBAL char *workspace, const grkan_tiling tiling,
               const grkan_launch launch)
{
    const tile b = tile_of_block(&tiling, BLOCK_INDEX() + launch.first_block);
    const place p = place_of_thread(&tiling, &b, THREAD_INDEX());
    const coefficients c = load_coefficients(&tiling, p.group, OFFSET(numerator, launch.numerator),
                                             OFFSET(denominator, launch.denominator));
    const gradients g = the_gradients(&launch, denominator, dnumerator, ddenominator, workspace);
    x = OFFSET(x, launch.x);
    dy = OFFSET(dy, launch.dy);
    dx = OFFSET(dx, launch.result);
#if GRKAN_STRATEGY == STRATEGY_ELEMENT
    cursor at = cursor_at(&tiling, &b, &p, 0);
    for (int visit = 0; visit < p.visits; ++visit) {
        if (chunks_left(&tiling, &b, &p, &at) > 0)
            backward_chunk(&tiling, &g, p.group, &c, x + at.element, dy + at.element, dx + at.element);
        cursor_advance(&tiling, &at);
    }
#else
    SHARED_ARRAY(scalar, slots, COUNT * GRKAN_BLOCK);
    SHARED_ARRAY(scalar, exchange, 2 * GRKAN_BLOCK);
    fill_slots(&tiling, &launch, &b, &c, &p, x, dy, dx, slots + THREAD_INDEX());
    BARRIER();
    /* Found once more, so that it need not be kept in registers all along. */
    const tile same = tile_of_block(&tiling, HIDE(BLOCK_INDEX()) + launch.first_block);
    reduce_slots(&tiling, the_kind(), &g, &same, THREAD_INDEX(), slots, exchange);
    BARRIER();
    deliver_slices(&tiling, the_kind(), &g, &same, THREAD_INDEX(), exchange);
#if defined(LAST_BLOCK_COMBINES) && GRKAN_STRATEGY == STRATEGY_TREE
    if (launch.numerator_parts > 1 || launch.denominator_parts > 1) {
        SHARED_ARRAY(int, is_last, 1);
        GLOBAL unsigned int *counter = (GLOBAL unsigned int *)OFFSET(workspace, launch.workspace);
        FENCE();
        BARRIER();
        if (THREAD_INDEX() == 0)
            is_last[0] = TICKET(counter) == launch.blocks - 1;
        BARRIER();
        if (is_last[0]) {
            FENCE();
            combine_outputs(&tiling, &g, 0, GRKAN_BLOCK / COMBINE_LANES, exchange);
            if (THREAD_INDEX() == 0)
                *counter = 0;
        }
    }
#endif
#endif
}

#if GRKAN_STRATEGY == STRATEGY_TREE && !defined(LAST_BLOCK_COMBINES)
/** A launch of its own where blocks of one launch cannot wait for each other. */
KERNEL(GRKAN_BLOCK, 1)
grkan_combine(GLOBAL const scalar *denominator, GLOBAL scalar *dnumerator, GLOBAL scalar *ddenominator,
              GLOBAL char *workspace, const grkan_tiling tiling, const grkan_launch launch)
{
    SHARED_ARRAY(scalar, exchange, 2 * GRKAN_BLOCK);
    const gradients g = the_gradients(&launch, denominator, dnumerator, ddenominator, workspace);
    const int outputs = GRKAN_BLOCK / COMBINE_LANES;
    const grkan_int64 block = BLOCK_INDEX() + launch.first_block;
    combine_outputs(&tiling, &g, (int)(block * outputs), (int)(launch.blocks * outputs), exchange);
}
#endif

#if GRKAN_STRATEGY != STRATEGY_TREE
/** Zero for the gradients that atomics add to. */
KERNEL(GRKAN_BLOCK, 1)
grkan_clear(GLOBAL scalar *dnumerator, GLOBAL scalar *ddenominator, const grkan_tiling tiling,
            const grkan_launch launch)
{
    const grkan_int64 numerator = (tiling.numerator_shared ? 1 : tiling.groups) * (GRKAN_NUMERATOR_DEGREE + 1);
    const grkan_int64 denominator = (tiling.denominator_shared ? 1 : tiling.groups) * B_COUNT;
    for (grkan_int64 i = (BLOCK_INDEX() + launch.first_block) * GRKAN_BLOCK + THREAD_INDEX();
         i < numerator + denominator; i += launch.blocks * GRKAN_BLOCK) {
        if (i < numerator)
            OFFSET(dnumerator, launch.dnumerator)[i] = REAL(0.0);
        else
            OFFSET(ddenominator, launch.ddenominator)[i - numerator] = REAL(0.0);
    }
}
#endif
