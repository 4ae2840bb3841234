/* SPDX-License-Identifier: Apache-2.0 */
/** @file forward.h @brief The kernel of forward on GPUs, see gpu.h. */

#define FORWARD_ROWS STEP_ROWS(GRKAN_FORWARD_STEP)
#define FORWARD_AHEAD STEPS_AHEAD(GRKAN_FORWARD_AHEAD)
#define FORWARD_STRIDE QUEUE_STRIDE(GRKAN_FORWARD_BLOCK) /* from a chunk of the queue to a thread's next */
#define FORWARD_LENGTH (FORWARD_ROWS * FORWARD_STRIDE)   /* of a step in the queue */

/**
 * Everything that is rare: elements far from zero, large coefficients, and tensors that are not aligned to chunks. It is given
 * copies, so that the loop around it keeps coefficients in registers. Out of line it would take more of them: 71 instead of 61
 * with pairs, and bf16 with 1000 channels 8 % more time (H200).
 */
DEVICE void forward_rare(const coefficients *c, GLOBAL const storage *x_base, GLOBAL storage *y_base, GLOBAL storage *y)
{
    GLOBAL const storage *const x = x_base + (y - y_base);
    NO_UNROLL
    for (int v = 0; v < GRKAN_VECTOR; v += GRKAN_SETS) {
        UNROLL
        for (int s = 0; s < GRKAN_SETS; ++s)
            y[v + s] = PACK(forward_element(the_kind(), &c[s], UNPACK(x[v + s])));
    }
}

/** Ask for the chunks of a step. @param left visits from there, of those whose chunks are asked for */
DEVICE void ask_forward(const grkan_tiling *t, const tile *b, const place *p, int left, walk *w,
                        GLOBAL const storage *x, QUEUE *queue, int place)
{
    UNROLL
    for (int r = 0; r < FORWARD_ROWS; ++r) {
        ask_chunk(queue + place + r * FORWARD_STRIDE, AT(x, w), has_chunk(t, b, p, w, r, left));
        walk_on(t, w);
    }
    QUEUE_END();
    hide_walk(w);
}

KERNEL(GRKAN_FORWARD_BLOCK, GRKAN_FORWARD_RESIDENT)
grkan_forward(GLOBAL const storage *x, GLOBAL const scalar *numerator, GLOBAL const scalar *denominator,
              GLOBAL storage *y, const grkan_tiling tiling, const grkan_launch launch)
{
    QUEUE_ARRAY(queue, FORWARD_AHEAD * FORWARD_ROWS, GRKAN_FORWARD_BLOCK);
    int place_in_queue = QUEUE_START(); /* of the step at hand */
    const tile b = tile_of_block(&tiling, (int)BLOCK_INDEX() + launch.first_block);
    const place p = place_of_thread(&tiling, &b, THREAD_INDEX());
    coefficients c[GRKAN_SETS];
    const int queue_ends = ends_of_queue(FORWARD_LENGTH, FORWARD_AHEAD);
    const int loads = launch.aligned ? p.visits : 0; /* visits whose chunks are asked for ahead */
    grkan_int64 start;
    walk here = start_walk(&tiling, cursor_at(&tiling, &b, &p, 0), &start), next = here;
    GLOBAL const storage *const x_base = OFFSET(x, launch.x);
    GLOBAL storage *const y_base = OFFSET(y, launch.result);
    int visit = 0;
    x = x_base + start;
    y = lagging(&tiling, y_base + start, (FORWARD_AHEAD + 1) * FORWARD_ROWS);
    STREAM_WAIT();
    UNROLL
    for (int i = 0; i < FORWARD_AHEAD; ++i)
        ask_forward(&tiling, &b, &p, loads - i * FORWARD_ROWS, &next, x, queue, place_in_queue + i * FORWARD_LENGTH);
    load_sets(&tiling, &b, &p, OFFSET(numerator, launch.numerator), OFFSET(denominator, launch.denominator), c);
    const real limit = step_limit(&launch, c);
    NO_UNROLL
    while (visit < p.visits) {
        chunk now[FORWARD_ROWS];
        QUEUE_WAIT(FORWARD_AHEAD - 1);
        UNROLL
        for (int r = 0; r < FORWARD_ROWS; ++r)
            now[r] = queue[place_in_queue + r * FORWARD_STRIDE];
        ask_forward(&tiling, &b, &p, loads - visit - FORWARD_AHEAD * FORWARD_ROWS, &next, x, queue, place_in_queue);
        place_in_queue = next_place(place_in_queue, queue_ends, FORWARD_LENGTH, FORWARD_AHEAD);
        walk at = GRKAN_FOLDED ? here : next;
        if (!(largest_in(now, FORWARD_ROWS) > limit)) {
            real values[FORWARD_ROWS * GRKAN_VECTOR];
            UNROLL
            for (int r = 0; r < FORWARD_ROWS; ++r)
                unpack_chunk(now[r], values + r * GRKAN_VECTOR);
            UNROLL
            for (int v = 0; v < FORWARD_ROWS * GRKAN_VECTOR; ++v)
                values[v] = forward_near(the_kind(), &c[v % GRKAN_SETS], values[v]);
            UNROLL
            for (int r = 0; r < FORWARD_ROWS; ++r) {
                GLOBAL storage *const result = result_at(y, &at);
                if (has_result(&tiling, &b, &p, &at, r, p.visits - visit))
                    store_chunk(result, values + r * GRKAN_VECTOR);
                walk_on(&tiling, &at);
            }
        } else {
            coefficients copies[GRKAN_SETS];
            UNROLL
            for (int s = 0; s < GRKAN_SETS; ++s)
                copies[s] = c[s];
            NO_UNROLL
            for (int r = 0; r < FORWARD_ROWS; ++r) {
                if (has_result(&tiling, &b, &p, &at, r, p.visits - visit))
                    forward_rare(copies, x_base, y_base, AT(y, &at));
                walk_on(&tiling, &at);
            }
        }
        here = at;
        visit += FORWARD_ROWS;
    }
}
