/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file element_lanes.h
 * @brief Backward where a block is one work-item (lanes.h): an element of each lane, and the baseline, the strategy that adds
 * what elements add to memory at once.
 */
#ifndef GRKAN_ELEMENT_LANES_H
#define GRKAN_ELEMENT_LANES_H

#include "atomics.h"
#include "block_outputs.h"
#include "lanes.h"

/** Where tensors are, and gradients that are wanted of them. */
typedef struct lane_tensors {
    GLOBAL const char *x;
    GLOBAL const char *dy;
    GLOBAL char *dx;
    GLOBAL char *y;
} lane_tensors;

DEVICE lane_tensors tensors_of(const grkan_launch *launch, const arguments *a)
{
    lane_tensors t;
    t.x = OFFSET(a->x, launch->x);
    t.dy = OFFSET(a->dy, launch->dy);
    t.dx = OFFSET(a->result, launch->result);
    t.y = a->y;
    return t;
}

/** dx, y and sums where elements are not near zero. */
typedef struct lane_results {
    real dx;
    real y;
    real sums[SUMS];
} lane_results;

/** @param before sums before the elements; those of lanes whose element is near have been added to. @param r in and out */
OUTLINE void backward_far(const coefficients *c, real limits, real x, real dy, const real *before, lane_results *r)
{
    scalar limit[GRKAN_LANES], own_x[GRKAN_LANES], own_dy[GRKAN_LANES], own_dx[GRKAN_LANES], own_y[GRKAN_LANES];
    STORE_LANES(PRIVATE, limit, limits);
    STORE_LANES(PRIVATE, own_x, x);
    STORE_LANES(PRIVATE, own_dy, dy);
    STORE_LANES(PRIVATE, own_dx, r->dx);
    STORE_LANES(PRIVATE, own_y, r->y);
    NO_UNROLL
    for (int lane = 0; lane < GRKAN_LANES; ++lane) {
        scalar_coefficients one;
        scalar sums[SUMS], all[GRKAN_LANES];
        if (!(ABS(own_x[lane]) > limit[lane]))
            continue;
        take_lane(c, lane, &one);
        NO_UNROLL
        for (int i = 0; i < SUMS; ++i) {
            STORE_LANES(PRIVATE, all, before[i]);
            sums[i] = all[lane];
        }
        own_dx[lane] = backward_scaled(the_family(), &one, own_x[lane], own_dy[lane], sums);
        if (GRKAN_WRITES_Y)
            own_y[lane] = forward_scaled(the_family(), &one, own_x[lane]);
        NO_UNROLL
        for (int i = 0; i < SUMS; ++i) {
            STORE_LANES(PRIVATE, all, r->sums[i]);
            all[lane] = sums[i];
            r->sums[i] = LOAD_LANES(PRIVATE, all);
        }
    }
    r->dx = LOAD_LANES(PRIVATE, own_dx);
    r->y = LOAD_LANES(PRIVATE, own_y);
}

/** One element of each lane: near zero, or the rare way. */
DEVICE real backward_lanes(const coefficients *c, real limits, real x, real dy, real *y, real *sums)
{
    if (ANY_ABOVE(ABS(x), limits)) {
        real before[SUMS];
        lane_results r;
        UNROLL
        for (int i = 0; i < SUMS; ++i)
            r.sums[i] = before[i] = sums[i];
        r.dx = backward_near(the_family(), c, PLUS_ZERO(x), dy, &r.y, r.sums);
        backward_far(c, limits, x, dy, before, &r);
        UNROLL
        for (int i = 0; i < SUMS; ++i)
            sums[i] = r.sums[i];
        *y = r.y;
        return r.dx;
    }
    return backward_near(the_family(), c, PLUS_ZERO(x), dy, y, sums);
}

#if GRKAN_STRATEGY == STRATEGY_ELEMENT
/** @param element of the column tile, the first lane's @param count elements that exist from there on */
OUTLINE void add_elements(const gradients *d, const tile *b, int element, int count, const real *sums)
{
    NO_UNROLL
    for (int lane = 0; lane < GRKAN_LANES && lane < count; ++lane) {
        scalar own[FAMILY_SUMS], all[GRKAN_LANES];
        NO_UNROLL
        for (int i = 0; i < FAMILY_SUMS; ++i) {
            STORE_LANES(PRIVATE, all, sums[i]);
            own[i] = all[lane];
        }
        add_element(d, group_of(b, element + lane), 0, own);
    }
}

/** Lanes are neighbouring elements, as in forward: nothing is kept from row to row. */
OUTLINE void backward_block(const grkan_geometry *geometry, const grkan_launch *launch, const arguments *a, int block)
{
    const tile b = tile_of_block(geometry, block);
    const int width = longest_lane_row(&b);
    const gradients d = gradients_of(geometry, launch, a);
    const lane_tensors t = tensors_of(launch, a);
    lane_rows rows;
    find_lane_rows(&b, 0, 1, MOST_LANE_ROWS, &rows);
    for (int first = rows.count; rows.count > 0; first += rows.count) {
        strip_numbers n;
        n.end = 0;
        for (int element = 0; element < width; element += GRKAN_LANES) {
            load_strip(&b, launch, a, element, 1, width, &n);
            for (int row = 0; row < rows.count; ++row) {
                const grkan_int64 at = rows.elements[row] + element;
                const int count = rows.lengths[row] - element;
                real y, sums[FAMILY_SUMS];
                if (count <= 0)
                    continue;
                UNROLL
                for (int i = 0; i < FAMILY_SUMS; ++i)
                    sums[i] = REAL(0.0);
                const real x = load_lanes(X_DTYPE, t.x, at, count), dy = load_lanes(Y_DTYPE, t.dy, at, count);
                store_lanes(X_DTYPE, t.dx, at, count, backward_lanes(&n.c, n.limits, x, dy, &y, sums));
                add_elements(&d, &b, element, count, sums);
            }
        }
        find_lane_rows(&b, first, 1, MOST_LANE_ROWS, &rows);
    }
}
#endif

#endif
