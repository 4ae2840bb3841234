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
    for (int lane = 0; lane < GRKAN_LANES; ++lane) {
        scalar_coefficients one;
        if (!(ABS(own_x[lane]) > limit[lane]))
            continue;
        take_lane(c, lane, &one);
        own_y[lane] = forward_scaled(the_family(), &one, own_x[lane]);
    }
    return LOAD_LANES(PRIVATE, own_y);
}

/** Whether all lanes of a strip have elements near zero in all rows. Most have: what follows needs no calls then. */
DEVICE int is_common_strip(const lane_rows *rows, int element, const strip_numbers *n, GLOBAL const char *x)
{
    real largest = REAL(0.0);
    if (rows->shortest - element < GRKAN_LANES)
        return 0;
    for (int row = 0; row < rows->count; ++row) {
        const real own = ABS(load_lanes(X_DTYPE, x, rows->elements[row] + element, GRKAN_LANES));
        largest = own > largest ? own : largest;
    }
    return !ANY_ABOVE(largest, n->limits);
}

DEVICE void forward_common(const lane_rows *rows, int element, const strip_numbers *n, GLOBAL const char *x,
                           GLOBAL char *y)
{
    for (int row = 0; row < rows->count; ++row) {
        const grkan_int64 at = rows->elements[row] + element;
        const real own = load_lanes(X_DTYPE, x, at, GRKAN_LANES);
        store_lanes(Y_DTYPE, y, at, GRKAN_LANES, forward_near(the_family(), &n->c, own));
    }
}

DEVICE void forward_any(const lane_rows *rows, int element, const strip_numbers *n, GLOBAL const char *x,
                        GLOBAL char *y)
{
    for (int row = 0; row < rows->count; ++row) {
        const grkan_int64 at = rows->elements[row] + element;
        const int count = rows->lengths[row] - element;
        if (count <= 0)
            continue;
        const real own = load_lanes(X_DTYPE, x, at, count);
        real result = forward_near(the_family(), &n->c, own);
        if (ANY_ABOVE(ABS(own), n->limits))
            result = forward_far(&n->c, n->limits, own, result);
        store_lanes(Y_DTYPE, y, at, count, result);
    }
}

/** Forward has no sums, so its lanes are neighbouring elements, whatever a thread's vectors are. */
KERNEL(GRKAN_FORWARD_BLOCK, GRKAN_FORWARD_RESIDENT)
grkan_forward(GLOBAL const char *x, TABLE_PARAMETERS(GLOBAL const scalar *, table), GLOBAL char *y,
              const grkan_launch launch, const grkan_geometry geometry)
{
    const tile b = tile_of_block(&geometry, (int)BLOCK_INDEX() + launch.first_block);
    const int width = longest_lane_row(&b);
    GLOBAL const char *const from = OFFSET(x, launch.x);
    GLOBAL char *const to = OFFSET(y, launch.result);
    const int all = rows_of_thread(&b, 0); /* of the block's first row, which has most */
    arguments a;
    TABLE_ARRAY(a.tables, table);
    for (int first = 0; first < all; first += MOST_LANE_ROWS) {
        for (int block_row = 0; block_row < geometry.columns.block_rows; ++block_row) {
            lane_rows rows;
            find_lane_rows(&b, block_row, first, MOST_LANE_ROWS, &rows);
            strip_numbers n;
            n.end = 0;
            for (int element = 0; element < width; element += GRKAN_LANES) {
                load_strip(&b, &launch, &a, element, 1, width, &n);
                if (is_common_strip(&rows, element, &n, from))
                    forward_common(&rows, element, &n, from, to);
                else
                    forward_any(&rows, element, &n, from, to);
            }
        }
    }
}

#endif
