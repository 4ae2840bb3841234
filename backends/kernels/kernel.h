/* SPDX-License-Identifier: Apache-2.0 */
/** @file kernel.h @brief What the kernels of GPUs share: the numbers of tables that a thread reads. */
#ifndef GRKAN_KERNEL_H
#define GRKAN_KERNEL_H

#include "pipeline.h"
#include "row_reduction.h"

/** The coefficients of one group that come of one table. */
DEVICE void load_row(int table, GLOBAL const scalar *row, coefficients *c)
{
    UNROLL
    for (int i = 0; i < coefficient_count(the_family(), table); ++i)
        COEFFICIENT(c, table, i) = coefficient_of(the_family(), table, row, i);
}

/** The coefficients of one group. */
DEVICE coefficients load_group(const grkan_geometry *g, const grkan_launch *launch, const arguments *a,
                               grkan_int64 group)
{
    coefficients c;
#define LOAD(i)                                                                                                        \
    if ((i) < FAMILY_TABLES)                                                                                           \
        load_row(i,                                                                                                    \
                 OFFSET(a->tables[i], launch->tables[i]) +                                                             \
                     (has_one_row(g, i) ? 0 : group * table_width(the_family(), i)),                                   \
                 &c);
    EACH_TABLE(LOAD)
#undef LOAD
    return c;
}

/** The coefficients of each group of a thread's vectors. */
DEVICE void load_coefficients(const worker *w, const grkan_launch *launch, const arguments *a, coefficients *c)
{
    UNROLL
    for (int s = 0; s < GRKAN_VECTOR_GROUPS; ++s)
        c[s] = load_group(w->block.g, launch, a, group_in_vector(w, s));
}

#if HAS_PROLOGUE
/** What an element needs of its channel. */
DEVICE channel load_channel(const grkan_launch *launch, const arguments *a, grkan_int64 at)
{
    channel c;
    c.scale = REAL(1.0);
    c.shift = REAL(0.0);
    if (HAS_SCALE)
        c.scale = OFFSET(a->tables[FAMILY_TABLES + SCALE_TABLE], launch->tables[FAMILY_TABLES + SCALE_TABLE])[at];
    if (HAS_SHIFT)
        c.shift = OFFSET(a->tables[FAMILY_TABLES + SHIFT_TABLE], launch->tables[FAMILY_TABLES + SHIFT_TABLE])[at];
    if (GRKAN_PROLOGUE == PROLOGUE_BIAS)
        c.shift = c.shift + REAL(0.0); /* so that z is never -0 */
    return c;
}

/** The first element of a thread's vectors, within its row. */
DEVICE grkan_int64 first_element(const worker *w)
{
    return w->block.start + (grkan_int64)w->column * GRKAN_VECTOR;
}

/** What the elements of a thread's vectors need; any of a thread without elements. */
DEVICE void load_channels(const worker *w, const grkan_launch *launch, const arguments *a, channel *channels)
{
    UNROLL
    for (int v = 0; v < GRKAN_VECTOR; ++v)
        channels[v] = load_channel(launch, a, w->rows > 0 ? channel_of(w->block.g, first_element(w) + v) : 0);
}
#endif

#if HAS_PROLOGUE
/** What element v of a vector has of its channel. v may be a variable: registers have no index, so all are looked at then. */
DEVICE channel channel_at(const channel *channels, int v)
{
    channel c = channels[0];
    UNROLL
    for (int i = 1; i < GRKAN_VECTOR; ++i) {
        c.scale = i == v ? channels[i].scale : c.scale;
        c.shift = i == v ? channels[i].shift : c.shift;
    }
    return c;
}

/**
 * Up to where elements of x need only plain arithmetic, if those of z do up to the limit: with a bias less of them, as far as
 * rounding could tell. Rare formulas look at z itself, so that no bit depends on this.
 */
DEVICE real limit_of_x(real limit, const channel *channels)
{
    real largest = REAL(0.0);
    UNROLL
    for (int v = 0; v < GRKAN_VECTOR; ++v)
        largest = MAXIMUM(largest, ABS(channels[v].shift));
    return (limit - largest) * REAL(0.999999);
}
#endif

/** F of count elements of vectors that are near zero, in place. */
DEVICE void forward_near_elements(const coefficients *c, int count, real *values)
{
    UNROLL
    for (int i = 0; i < count; i += ABREAST)
        SET_ELEMENTS(values, i, forward_near(the_family(), &c[i % GRKAN_VECTOR_GROUPS], ELEMENTS_AT(values, i)));
}

/** Up to where steps need only plain arithmetic: none does where a coefficient is large, or vectors are not requested
    beforehand. */
DEVICE real step_limit(const grkan_launch *launch, const coefficients *c)
{
    const family f = the_family();
    int rare = !launch->aligned;
    UNROLL
    for (int s = 0; s < GRKAN_VECTOR_GROUPS; ++s)
        rare |= has_large(f, &c[s]);
    const float limit = rare ? -1.0f : (float)near_limit(f);
    return FLOAT_OF((unsigned int)HIDE(BITS_OF(limit))); /* one number, one comparison: see steering.h */
}

#endif
