/* SPDX-License-Identifier: Apache-2.0 */
/** @file forward_lanes.h @brief The kernel of forward where a block is one work-item: see lanes.h. */
#ifndef GRKAN_FORWARD_LANES_H
#define GRKAN_FORWARD_LANES_H

#include "lanes.h"

/** y where elements are not near zero. */
OUTLINE real forward_far(const coefficients *c, real limits, real x, real y)
{
    scalar limit[GRKAN_LANES], own_x[GRKAN_LANES], own_y[GRKAN_LANES];
    STORE_LANES(PRIVATE, limit, limits);
    STORE_LANES(PRIVATE, own_x, x);
    STORE_LANES(PRIVATE, own_y, y);
    NO_UNROLL
    for (int lane = 0; lane < GRKAN_LANES; ++lane) {
        scalar_coefficients one;
        if (!(ABS(own_x[lane]) > limit[lane]))
            continue;
        take_lane(c, lane, &one);
        own_y[lane] = forward_scaled(the_family(), &one, own_x[lane]);
    }
    return LOAD_LANES(PRIVATE, own_y);
}

/** Elements from there on while all lanes' are near zero: what follows others is a call, which leaves no vector in a register.
    @return where that ended */
DEVICE grkan_int64 forward_while_near(const strip_numbers *n, grkan_int64 element, grkan_int64 end,
                                      GLOBAL const char *x, GLOBAL char *y)
{
    const coefficients c = n->c;
    const real limits = n->limits;
    for (; element + GRKAN_LANES <= end; element += GRKAN_LANES) {
        const real own = load_lanes(X_DTYPE, x, element, GRKAN_LANES);
        if (ANY_ABOVE(ABS(own), limits))
            break;
        store_lanes(Y_DTYPE, y, element, GRKAN_LANES, forward_near(the_family(), &c, own));
    }
    return element;
}

/** A run of each row. @param first, end of the column tile @param next the rows after them, which memory brings meanwhile
    @param asked in and out: of those */
DEVICE void forward_run(const lane_rows *rows, int first, int end, const strip_numbers *n, GLOBAL const char *x,
                        GLOBAL char *y, const lane_rows *next, asked_lines *asked)
{
    for (int row = 0; row < rows->count; ++row) {
        const grkan_int64 last = rows->elements[row] + (rows->lengths[row] < end ? rows->lengths[row] : end);
        grkan_int64 at = rows->elements[row] + first, line;
        asked->due += end - first;
        while (next_line(next, asked, &line)) {
            ASK_FOR(x + line * DTYPE_BYTES(X_DTYPE));
            ASK_FOR(y + line * DTYPE_BYTES(Y_DTYPE));
        }
        while ((at = forward_while_near(n, at, last, x, y)) < last) {
            const int count = last - at < GRKAN_LANES ? (int)(last - at) : GRKAN_LANES;
            const real own = load_lanes(X_DTYPE, x, at, count);
            const real near = forward_near(the_family(), &n->c, own);
            store_lanes(Y_DTYPE, y, at, count, forward_far(&n->c, n->limits, own, near));
            at += GRKAN_LANES;
        }
    }
}

/** Forward has no sums, so its lanes are neighbouring elements, whatever a thread's vectors are, and a row of the block is like
    another. */
OUTLINE void forward_block(const grkan_geometry *geometry, const grkan_launch *launch, const arguments *a, int block)
{
    const tile b = tile_of_block(geometry, block);
    const int width = longest_lane_row(&b);
    GLOBAL const char *const from = OFFSET(a->x, launch->x);
    GLOBAL char *const to = OFFSET(a->result, launch->result);
    lane_rows rows, next;
    find_lane_rows(&b, 0, 1, MOST_LANE_ROWS, &next);
    for (int first = next.count; next.count > 0; first += next.count) {
        asked_lines asked = {0, 0, 0};
        strip_numbers n;
        rows = next;
        find_lane_rows(&b, first, 1, MOST_LANE_ROWS, &next);
        n.end = 0;
        for (int element = 0, end; element < width; element = end) {
            load_strip(&b, launch, a, element, 1, width, &n);
            end = end_of_run(element, width, &n);
            forward_run(&rows, element, end, &n, from, to, &next, &asked);
        }
    }
}

KERNEL(GRKAN_FORWARD_BLOCK, GRKAN_FORWARD_RESIDENT)
grkan_forward(GLOBAL const char *x, TABLE_PARAMETERS(GLOBAL const scalar *, table), GLOBAL char *y,
              const grkan_launch launch, const grkan_geometry geometry)
{
    arguments a;
    a.x = x;
    a.result = y;
    TABLE_ARRAY(a.tables, table);
    forward_block(&geometry, &launch, &a, (int)BLOCK_INDEX() + launch.first_block);
}

#endif
