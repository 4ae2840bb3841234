/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file lanes.h
 * @brief Kernels of processors: a block is one work-item, whose phases are loops over the block's threads. `real` is a vector of
 * GRKAN_LANES numbers, one for each of as many neighbouring threads.
 *
 * A device that runs work-items one after the other gains nothing from a block of them, and keeps what each has between
 * barriers in memory. What a block and its threads have to do is the same as on GPUs, so the bits are. Each kernel calls a
 * function that has the block: PoCL compiles what stands in a kernel itself three times. Words beside those of words.h:
 *
 *     GRKAN_LANES              how many
 *     PRIVATE                  the address space of a work-item's own arrays, like GLOBAL and SHARED
 *     LOAD_LANES(space, from)  as many scalars as lanes, at any address; STORE_LANES(space, to, lanes)
 *     LOAD_SHORTS(space, from) likewise, 16-bit elements; STORE_SHORTS(space, to, shorts)
 *     BITS_OF_LANES(shorts)    16-bit elements as STORED_BITS; SHORTS_OF_LANES(bits) back
 *     BROADCAST(scalar)        in all lanes
 *     EVEN_LANES, ODD_LANES(a, b)   every second one of a, then of b
 *     MERGED_LOW, MERGED_HIGH(a, b) one of a, one of b and so on: from the lower halves, from the upper ones
 *     ASK_FOR(pointer)         have memory bring a cache line, for which nobody waits
 */
#ifndef GRKAN_LANES_H
#define GRKAN_LANES_H

#include "arguments.h"
#include "storage.h"

/** Tile rows that are computed together at most: what a few rows have in a cache's sets, and memory brings fast. A divisor of a
    chain, or as many as one has. */
#define MOST_LANE_ROWS 12

/** Strips of a run at most: as much as is asked for at once of the rows to come. */
#define LONGEST_RUN (128 / GRKAN_LANES)

/* ------------------------------------------------------------------------------------------------------ memory */

#if X_DTYPE != 3
DEVICE real unpack_lanes(int dtype, STORED_BITS bits)
{
    return dtype == 1 ? HALF_TO_FLOAT(bits) : bf16_to_float(bits);
}

DEVICE STORED_BITS pack_lanes(int dtype, real lanes)
{
    return dtype == 1 ? FLOAT_TO_HALF(lanes) : FLOAT_TO_BF16(lanes);
}
#endif

/** Neighbouring elements of a tensor, where fewer exist than lanes: zeros in the others. */
OUTLINE real load_some(int dtype, GLOBAL const char *tensor, grkan_int64 element, int count)
{
    scalar own[GRKAN_LANES];
    unsigned short shorts[GRKAN_LANES];
    NO_UNROLL
    for (int i = 0; i < GRKAN_LANES; ++i) {
        own[i] = i < count && !IS_16_BIT(dtype) ? ((GLOBAL const scalar *)tensor)[element + i] : 0;
        shorts[i] = i < count && IS_16_BIT(dtype) ? ((GLOBAL const unsigned short *)tensor)[element + i] : 0;
    }
#if X_DTYPE != 3
    if (IS_16_BIT(dtype))
        return unpack_lanes(dtype, BITS_OF_LANES(LOAD_SHORTS(PRIVATE, shorts)));
#endif
    return LOAD_LANES(PRIVATE, own);
}

OUTLINE void store_some(int dtype, GLOBAL char *tensor, grkan_int64 element, int count, real lanes)
{
    scalar own[GRKAN_LANES];
    unsigned short shorts[GRKAN_LANES];
    STORE_LANES(PRIVATE, own, lanes);
#if X_DTYPE != 3
    if (IS_16_BIT(dtype))
        STORE_SHORTS(PRIVATE, shorts, SHORTS_OF_LANES(pack_lanes(dtype, lanes)));
#endif
    NO_UNROLL
    for (int i = 0; i < count; ++i)
        if (IS_16_BIT(dtype))
            ((GLOBAL unsigned short *)tensor)[element + i] = shorts[i];
        else
            ((GLOBAL scalar *)tensor)[element + i] = own[i];
}

DEVICE real load_lanes(int dtype, GLOBAL const char *tensor, grkan_int64 element, int count)
{
    if (count < GRKAN_LANES)
        return load_some(dtype, tensor, element, count);
#if X_DTYPE != 3
    if (IS_16_BIT(dtype))
        return unpack_lanes(dtype, BITS_OF_LANES(LOAD_SHORTS(GLOBAL, (GLOBAL const unsigned short *)tensor + element)));
#endif
    return LOAD_LANES(GLOBAL, (GLOBAL const scalar *)tensor + element);
}

DEVICE void store_lanes(int dtype, GLOBAL char *tensor, grkan_int64 element, int count, real lanes)
{
    if (count < GRKAN_LANES) {
        store_some(dtype, tensor, element, count, lanes);
        return;
    }
#if X_DTYPE != 3
    if (IS_16_BIT(dtype)) {
        STORE_SHORTS(GLOBAL, (GLOBAL unsigned short *)tensor + element, SHORTS_OF_LANES(pack_lanes(dtype, lanes)));
        return;
    }
#endif
    STORE_LANES(GLOBAL, (GLOBAL scalar *)tensor + element, lanes);
}

/* ------------------------------------------------------------------------------------------------------ strips */

/** The tile rows that are computed together. */
typedef struct lane_rows {
    int count;
    grkan_int64 elements[MOST_LANE_ROWS]; /* of the tensor, where each begins */
    int lengths[MOST_LANE_ROWS];          /* elements of each */
} lane_rows;

/** Elements of the longest tile row. */
DEVICE int longest_lane_row(const tile *b)
{
    return (int)smaller(b->vectors, b->g->columns.block) * GRKAN_VECTOR;
}

/** @param first of all rows of the block, as tile rows follow each other @param step to the next: 1, or block_rows */
OUTLINE void find_lane_rows(const tile *b, int first, int step, int most, lane_rows *rows)
{
    const int side_by_side = b->g->columns.block_rows;
    int row = first / side_by_side;
    worker w;
    w.block = *b;
    w.column = 0;
    w.block_row = first - row * side_by_side;
    for (rows->count = 0; rows->count < most && row < rows_of_thread(b, w.block_row); ++rows->count) {
        const row_position at = position_of_row(&w, row);
        rows->elements[rows->count] = at.element;
        rows->lengths[rows->count] = (int)smaller(vectors_left(&w, at.segment), b->g->columns.block) * GRKAN_VECTOR;
        w.block_row += step;
        if (w.block_row >= side_by_side) {
            w.block_row -= side_by_side;
            ++row;
        }
    }
}

/** What is asked for of the rows to come: line by line as memory has them. Rows that are computed column by column go to and fro
    in memory, and no processor foresees that: forward of 1576 x 192 takes half of the time (PoCL, two cores of an EPYC). */
typedef struct asked_lines {
    int row;
    int element; /* of the row */
    int due;     /* elements that are still to be asked for */
} asked_lines;

/** The next line that is to be asked for. @param element out: its first @return whether there is one */
DEVICE int next_line(const lane_rows *rows, asked_lines *asked, grkan_int64 *element)
{
    enum { line = 64 / (DTYPE_BYTES(X_DTYPE) > DTYPE_BYTES(Y_DTYPE) ? DTYPE_BYTES(X_DTYPE) : DTYPE_BYTES(Y_DTYPE)) };
    if (asked->due <= 0 || asked->row == rows->count)
        return 0;
    *element = rows->elements[asked->row] + asked->element;
    asked->due -= line;
    asked->element += line;
    if (asked->element >= rows->lengths[asked->row]) {
        asked->element = 0;
        ++asked->row;
    }
    return 1;
}

/* ------------------------------------------------------------------------------------------------ coefficients */

/** Coefficients of all tables, at most. */
#define LANE_NUMBERS (FAMILY_SUMS + FAMILY_TABLES)

DEVICE GLOBAL const scalar *row_of_group(const grkan_geometry *g, const grkan_launch *launch, const arguments *a,
                                         int table, grkan_int64 group)
{
    return OFFSET(a->tables[table], launch->tables[table]) +
           (has_one_row(g, table) ? 0 : group * table_width(the_family(), table));
}

/** Of one group, in all lanes. */
DEVICE void load_common(const grkan_geometry *g, const grkan_launch *launch, const arguments *a, grkan_int64 group,
                        coefficients *c)
{
    UNROLL
    for (int table = 0; table < FAMILY_TABLES; ++table) {
        GLOBAL const scalar *const row = row_of_group(g, launch, a, table, group);
        UNROLL
        for (int i = 0; i < coefficient_count(the_family(), table); ++i)
            COEFFICIENT(c, table, i) = BROADCAST(coefficient_of(the_family(), table, row, i));
    }
}

/** Of each lane's group. */
OUTLINE void load_each(const tile *b, const grkan_launch *launch, const arguments *a, int element, int step, int end,
                       coefficients *c)
{
    scalar own[LANE_NUMBERS][GRKAN_LANES];
    int number = 0;
    NO_UNROLL
    for (int lane = 0; lane < GRKAN_LANES; ++lane) {
        const int at = element + lane * step < end ? element + lane * step : end - 1;
        const grkan_int64 group = group_of(b, at);
        number = 0;
        UNROLL
        for (int table = 0; table < FAMILY_TABLES; ++table) {
            GLOBAL const scalar *const row = row_of_group(b->g, launch, a, table, group);
            NO_UNROLL
            for (int i = 0; i < coefficient_count(the_family(), table); ++i)
                own[number++][lane] = coefficient_of(the_family(), table, row, i);
        }
    }
    number = 0;
    UNROLL
    for (int table = 0; table < FAMILY_TABLES; ++table) {
        NO_UNROLL
        for (int i = 0; i < coefficient_count(the_family(), table); ++i)
            COEFFICIENT(c, table, i) = LOAD_LANES(PRIVATE, own[number++]);
    }
}

/** One lane's, as scalars. */
DEVICE void take_lane(const coefficients *c, int lane, scalar_coefficients *one)
{
    scalar own[GRKAN_LANES];
    UNROLL
    for (int table = 0; table < FAMILY_TABLES; ++table) {
        NO_UNROLL
        for (int i = 0; i < coefficient_count(the_family(), table); ++i) {
            STORE_LANES(PRIVATE, own, COEFFICIENT(c, table, i));
            COEFFICIENT(one, table, i) = own[lane];
        }
    }
}

/** Of each lane, up to where its elements are near zero: -1 where a coefficient is large. */
OUTLINE real limits_of(const coefficients *c)
{
    scalar limits[GRKAN_LANES];
    NO_UNROLL
    for (int lane = 0; lane < GRKAN_LANES; ++lane) {
        scalar_coefficients one;
        coefficients all;
        take_lane(c, lane, &one);
        UNROLL
        for (int table = 0; table < FAMILY_TABLES; ++table)
            for (int i = 0; i < coefficient_count(the_family(), table); ++i)
                COEFFICIENT(&all, table, i) = BROADCAST(COEFFICIENT(&one, table, i));
        limits[lane] = has_large(the_family(), &all) ? SCALAR(-1.0) : near_limit(the_family());
    }
    return LOAD_LANES(PRIVATE, limits);
}

/** The coefficients of a strip, which the next one keeps if it is of the same group. */
typedef struct strip_numbers {
    coefficients c;
    real limits; /* of each lane, up to where its elements are near zero: -1 where a coefficient is large */
    int end;     /* of the column tile, up to where they serve */
} strip_numbers;

/** @param element of the column tile, the first lane's @param step to the next lane's @param end of the column tile
    @param n in and out */
OUTLINE void load_strip(const tile *b, const grkan_launch *launch, const arguments *a, int element, int step, int end,
                        strip_numbers *n)
{
    const int next = element + GRKAN_LANES * step < end ? element + GRKAN_LANES * step : end; /* strip's first */
    if (next <= n->end)
        return;
    const grkan_int64 group = group_of(b, element);
    n->end = (int)smaller(group_start(b->g, group + 1) - b->start, end);
    if (next <= n->end) {
        load_common(b->g, launch, a, group, &n->c);
    } else {
        load_each(b, launch, a, element, step, end, &n->c);
        n->end = 0;
    }
    n->limits = has_large(the_family(), &n->c) ? limits_of(&n->c) : BROADCAST(near_limit(the_family()));
}

/** Up to where the coefficients of an element serve those after it: whole strips, and what is left at the end of a column tile. */
DEVICE int end_of_run(int element, int width, const strip_numbers *n)
{
    const int strips = (n->end - element) / GRKAN_LANES;
    const int end = element + (strips < 1 ? 1 : strips < LONGEST_RUN ? strips : LONGEST_RUN) * GRKAN_LANES;
    return n->end == width && width - end < GRKAN_LANES ? width : end;
}

#endif
