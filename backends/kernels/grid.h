/* SPDX-License-Identifier: Apache-2.0 */
/** @file grid.h @brief Which part of the tensor a block and a thread work on. See geometry.h for the cut. */
#ifndef GRKAN_GRID_H
#define GRKAN_GRID_H

#include "geometry.h"
#include "words.h"

/* Without a prologue a kernel knows these; the cpu's serve every plan. */
#ifndef TILE_SEGMENTS
#ifdef GRKAN_PROLOGUE
#define TILE_SEGMENTS(g) ((g)->columns.tile_segments)
#define PADS_TILES (GRKAN_PROLOGUE > PROLOGUE_BIAS)
#else
#define TILE_SEGMENTS(g) 1
#define PADS_TILES 0 /* whether a tile of whole rows may have more threads than vectors */
#endif
#endif

DEVICE grkan_int64 smaller(grkan_int64 a, grkan_int64 b)
{
    return a < b ? a : b;
}

/** Of numbers that are not negative, which takes a GPU half the instructions. */
DEVICE int quotient_of(int dividend, int divisor)
{
    return (int)((unsigned int)dividend / (unsigned int)divisor);
}

/** A quotient by the divisor's inverse, 2^31 / divisor rounded up: right while dividend * divisor is less than 2^31. */
DEVICE int times_inverse(int dividend, unsigned int inverse)
{
    return (int)((grkan_int64)(unsigned int)dividend * inverse >> 31);
}

/** First element of a group within a row: groups are split as numpy.array_split does. */
DEVICE grkan_int64 group_start(const grkan_geometry *g, grkan_int64 group)
{
    return (group * g->columns.group_size + smaller(group, g->columns.larger_groups)) * g->columns.inner;
}

/** What a block works on: a column tile in a row split. */
typedef struct tile {
    const grkan_geometry *g;
    int row_split;
    int column_tile;
    grkan_int64 first_group;
    grkan_int64 end_group;
    grkan_int64 start;   /* first element of the column tile within a row */
    grkan_int64 vectors; /* of the column tile within a row */
    grkan_int64 first_row;
} tile;

/** Which of those of its group a column tile is. */
DEVICE int segment_of_tile(const grkan_geometry *g, int column_tile)
{
    return column_tile - quotient_of(column_tile, TILE_SEGMENTS(g)) * TILE_SEGMENTS(g);
}

APART tile tile_of_block(const grkan_geometry *g, int block_index)
{
    tile b;
    b.g = g;
    if (g->columns.tiles == 1) { /* spares most layers much 64-bit arithmetic */
        b.row_split = block_index;
        b.column_tile = 0;
        b.first_group = 0;
        b.end_group = g->columns.groups;
        b.start = 0;
        b.vectors =
            SEGMENTS(g) > 1 || PADS_TILES ? g->columns.row_elements / VECTOR_ELEMENTS(g) : g->columns.tile_vectors;
    } else {
        const int tile_segments = TILE_SEGMENTS(g);
        b.row_split = quotient_of(block_index, g->columns.tiles);
        b.column_tile = block_index - b.row_split * g->columns.tiles;
        b.first_group = quotient_of(b.column_tile, tile_segments) * g->columns.tile_groups;
        b.end_group = smaller(b.first_group + g->columns.tile_groups, g->columns.groups);
        b.start = group_start(g, b.first_group);
        grkan_int64 end = group_start(g, b.end_group);
        if (tile_segments > 1) {
            const grkan_int64 size =
                SEGMENTS(g) > 1 ? g->columns.inner : (grkan_int64)g->columns.tile_vectors * VECTOR_ELEMENTS(g);
            b.start = smaller(b.start + segment_of_tile(g, b.column_tile) * size, end);
            end = smaller(b.start + size, end);
        }
        b.vectors = (end - b.start) / VECTOR_ELEMENTS(g);
    }
    b.first_row = b.row_split * g->rows.split_stride;
    return b;
}

/** Tile rows from the split's first to its end. */
DEVICE grkan_int64 rows_of_tile(const tile *b)
{
    return smaller(b->first_row + b->g->rows.split_rows, b->g->rows.all) - b->first_row;
}

/** The group of an element of a column tile. One of several groups has a few thousand elements at most, so int is enough. */
APART grkan_int64 group_of(const tile *b, int element)
{
    const grkan_columns *const c = &b->g->columns;
    const int size = (int)(c->group_size * c->inner);
    const int larger = size + (int)c->inner;
    const grkan_int64 left = c->larger_groups - b->first_group; /* larger ones from this tile on */
    const int larger_groups = left < 0 ? 0 : (int)smaller(left, c->tile_groups);
    const int rest = element - larger_groups * larger; /* from the first group of the smaller ones */
    const int quotient = quotient_of(rest < 0 ? element : rest, rest < 0 ? larger : size);
    return b->first_group + (c->tile_groups == 1 ? 0 : rest < 0 ? quotient : larger_groups + quotient);
}

/** A thread of a block: which vectors of which rows are its. */
typedef struct worker {
    tile block;
    int column;    /* of vectors */
    int block_row; /* of the block's rows side by side */
    int rows;      /* of the thread; 0 for one with nothing to do */
} worker;

/** Rows of a thread of a block's row. */
DEVICE int rows_of_thread(const tile *b, int block_row)
{
    const grkan_rows *const r = &b->g->rows;
    if (b->row_split < r->whole_splits)
        return r->most;
    return r->fewer + (b->first_row + block_row < r->remainder ? 1 : 0);
}

DEVICE worker worker_of_thread(const tile *b, int thread)
{
    const grkan_geometry *const g = b->g;
    worker w;
    w.block = *b;
    w.block_row = SEGMENTS(g) > 1 ? 0 : times_inverse(thread, g->columns.tile_inverse);
    w.column = thread - w.block_row * g->columns.tile_vectors;
    w.rows = w.block_row < g->columns.block_rows && w.column < b->vectors ? rows_of_thread(b, w.block_row) : 0;
    return w;
}

/** The group of an element of a thread's vectors: of each `vector_groups`-th one from there. */
DEVICE grkan_int64 group_in_vector(const worker *w, int element)
{
    return w->rows == 0 ? w->block.first_group : group_of(&w->block, w->column * VECTOR_ELEMENTS(w->block.g) + element);
}

/** Where a thread's vector of one of its rows is. */
typedef struct row_position {
    grkan_int64 element; /* first element of the vector, from the start of the tensor */
    grkan_int64 segment;
} row_position;

DEVICE row_position position_of_row(const worker *w, int row)
{
    const grkan_geometry *const g = w->block.g;
    const grkan_int64 tile_row = w->block.first_row + w->block_row + (grkan_int64)row * g->rows.step;
    const grkan_int64 outer = SEGMENTS(g) > 1 ? tile_row / SEGMENTS(g) : tile_row;
    row_position p;
    p.segment = tile_row - outer * SEGMENTS(g);
    p.element = outer * g->columns.row_elements + w->block.start +
                (p.segment * g->columns.block + w->column) * VECTOR_ELEMENTS(g);
    return p;
}

/** The channel of an element of a row. */
DEVICE grkan_int64 channel_of(const grkan_geometry *g, grkan_int64 element)
{
    return g->columns.inner == 1 ? element : element / g->columns.inner;
}

/** The group of a channel, by its number. */
DEVICE grkan_int64 group_of_channel(const grkan_geometry *g, grkan_int64 number)
{
    const grkan_int64 in_larger = g->columns.larger_groups * (g->columns.group_size + 1);
    return number < in_larger ? number / (g->columns.group_size + 1)
                              : g->columns.larger_groups + (number - in_larger) / g->columns.group_size;
}

/** Vectors of a segment from the thread's own to the end of the column tile: none beyond the end of a segmented group. */
DEVICE grkan_int64 vectors_left(const worker *w, grkan_int64 segment)
{
    const grkan_geometry *const g = w->block.g;
    return w->block.vectors - w->column - (SEGMENTS(g) > 1 ? segment * g->columns.block : 0);
}

#endif
