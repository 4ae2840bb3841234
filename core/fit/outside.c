/* SPDX-License-Identifier: Apache-2.0 */
/** @file outside.c @brief Where a fit is kept from growing: samples beside the range, and how far it may go there. */
#include "search.h"

#include <math.h>
#include <stdlib.h>

/** Samples reach so many powers of ten times half the range's width: the highest powers of x decide there. */
enum { DECADES = 9 };

/** Samples of a side, denser near the range. */
static void fill_side(fit_function function, long double edge, long double half_width, size_t count,
                      fit_outside *outside)
{
    const long double y_at_edge = function ? function(edge) : 0;
    for (size_t i = 1; i <= count; i++) {
        const long double part = (long double)i / (long double)count;
        const long double distance = fabsl(half_width) * (powl(10, DECADES * part * sqrtl(part)) - 1);
        const long double x = edge + (half_width < 0 ? -distance : distance), y = function ? function(x) : 0;
        outside->x[outside->count] = x;
        outside->y[outside->count] = y;
        outside->distance[outside->count++] = distance;
        outside->slope = fmaxl(outside->slope, fabsl(y - y_at_edge) / distance);
    }
}

grkan_status grkan_fit_sample_outside(const fit_samples *samples, fit_function function, size_t count,
                                      fit_outside *outside)
{
    const fit_range range = grkan_fit_range_of(samples);
    const size_t sides = 2 * count;
    *outside = (fit_outside){.x = calloc(sides, sizeof(long double)),
                             .y = calloc(sides, sizeof(long double)),
                             .distance = calloc(sides, sizeof(long double)),
                             .height = range.largest_y,
                             .slope = range.largest_y / range.half_width};
    if (outside->x == NULL || outside->y == NULL || outside->distance == NULL)
        return grkan_fail(GRKAN_ERROR_OUT_OF_MEMORY, "no memory for %zu samples", sides);
    fill_side(function, range.low, -range.half_width, count, outside);
    fill_side(function, range.high, range.half_width, count, outside);
    return GRKAN_SUCCESS;
}
