/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file geometry.h
 * @brief How a tensor is cut into blocks and threads, and how their sums are added up. Kernels of every backend receive
 * it by value.
 *
 * This file is compiled as C, OpenCL C, CUDA and HIP. grkan_int64 is a signed 64-bit integer in each of them.
 *
 * A tensor is a matrix of `outer` rows, each of row_elements = channels * inner elements. A thread takes a *vector* of
 * neighbouring elements of a row at once. The columns are cut into *column tiles* of whole groups, the rows into *row
 * splits*; a block works on one column tile in one row split:
 *
 *                        column tile 0          column tile 1
 *                   +----------------------+----------------------+
 *                   | v v v v v v v v v v  |                      |    v: a vector, one thread's
 *     row split 0   | v v v v v v v v v v  |       block 1        |    here block_rows = 2: two rows side by side
 *                   |       block 0        |                      |
 *                   +----------------------+----------------------+
 *     row split 1   |       block 2        |       block 3        |
 *                   +----------------------+----------------------+
 *
 * - A group of at most `block` vectors is in a tile with as many whole groups as fit, and thread t of the block has row
 *   t / tile_vectors of the block's rows and vector t % tile_vectors.
 * - A wider group is a column tile of its own, cut into *segments* of `block` vectors, one below the other: a row of the
 *   tensor is `segments` tile rows then, and block_rows is 1.
 * - With tables of channels, whose sums belong to a thread's columns, it is cut into `tile_segments` column tiles of whole
 *   channels instead, side by side. Those of smaller groups than the largest may have a last one without vectors. Only a
 *   channel that is wider than a block is a tile of its own with segments.
 * - Where a prologue sums over a row, a tile is the whole row: `groups` groups, and tile_vectors a multiple of 32, of which
 *   the last may be none's.
 *
 * A thread begins at the first tile row of its split plus its row of the block and takes every step-th one up to the
 * split's end. Splits are runs of rows, or interleaved, so that blocks that run at the same time read neighbouring memory.
 * Either way a thread keeps its group, and its coefficients, throughout; and its channels, where tables of channels are.
 *
 * Sums of a table's gradient go up four levels, each in a fixed order: a thread's registers, for chains of `chain` rows;
 * its own sums in shared memory; the *block reduction*, by several threads per output; and the *grid reduction* of the
 * partial sums that blocks leave in the workspace.
 */
#ifndef GRKAN_GEOMETRY_H
#define GRKAN_GEOMETRY_H

#ifndef DEVICE /* a host: a dialect would have defined both */
#include <stdint.h>
typedef int64_t grkan_int64;
#endif

/** As operation.h has it, which kernels do not see. A compiler that sees both compares them. */
#define GRKAN_MOST_TABLES 4

/** Bytes at the start of a workspace that hold counters, zero between calls; partial sums follow. */
#define GRKAN_WORKSPACE_COUNTER_BYTES 64

/** Most threads that share the sum of one number over its partials. */
#define MOST_GRID_THREADS 32

/** Partials that a thread of the grid reduction loads at once, if there are so many. */
#define PARTIALS_AT_ONCE 24

/** Most threads that share the sum of one output of a block: a power of two that divides every block. */
#define MOST_OUTPUT_THREADS 16

/** Numbers that a thread of a block loads at once where it sums what others left: one wait serves them all. */
#define SUMS_AT_ONCE 8

/** Which columns of a row a block has, and its threads. What kernels need for their first load comes last, before that of
    grkan_rows: each line of 64 bytes of their arguments is a miss of its own. */
typedef struct grkan_columns {
    grkan_int64 tile_groups; /* groups of a column tile; the last tile may have fewer */
    grkan_int64 groups;
    grkan_int64 group_size;    /* channels / groups */
    grkan_int64 larger_groups; /* channels % groups: the first groups, with one channel more */
    grkan_int64 inner;
    grkan_int64 segments;      /* tile rows of a row: 1, or those that a wide group is cut into */
    int block;                 /* threads of a block */
    int vector;                /* elements of a vector: a power of two */
    int vector_groups;         /* groups that a vector may have elements of: 1, or as many as it has elements */
    int tile_segments;         /* column tiles that a wide group is cut into, for tables of channels; else 1 */
    int tiles;                 /* column tiles */
    int tile_vectors;          /* vectors of the widest tile, side by side in a block */
    unsigned int tile_inverse; /* 2^31 / tile_vectors, rounded up */
    int block_rows;            /* tile rows side by side in a block */
    grkan_int64 row_elements;  /* channels * inner */
} grkan_columns;

/** Which rows of a column tile a block has, and which of those a thread. What kernels need for their first load comes first. */
typedef struct grkan_rows {
    int whole_splits; /* the first splits, where a thread has `most` rows; else it has: */
    int most;
    int fewer;                  /* or, if its first row is before `remainder`, one more */
    unsigned int shared_tables; /* not of rows, but read as early, see has_one_row */
    grkan_int64 remainder;      /* see fewer */
    grkan_int64 split_stride;   /* tile rows from a split's first to the next one's */
    grkan_int64 step_elements;  /* from a thread's row to its next, unless it passes the end of a segmented row */
    int splits;
    int chain;                 /* rows after which a thread's register sums go to its sums in shared memory */
    grkan_int64 step;          /* tile rows from a thread's row to its next */
    grkan_int64 all;           /* tile rows: outer * segments */
    grkan_int64 split_rows;    /* tile rows from a split's first to its end, at most */
    grkan_int64 step_segments; /* step % segments */
    grkan_int64 wrap_elements; /* to add where a thread passes the end of a segmented row */
} grkan_rows;

/** How a block adds up the sums of its threads. */
typedef struct grkan_block_reduction {
    int column_partials; /* sums of each column that are left when a block has added up its rows */
    int threads;         /* that outputs of a block have together, some of which do not exist */
} grkan_block_reduction;

/** How the gradient of one table is added up. An output is one number of it, as one block has it. */
typedef struct grkan_table_reduction {
    grkan_int64 partials; /* sums of each number in the workspace; 1: none, a block writes the gradient itself */
    int is_shared;    /* 1: one row of the table for all groups; 0: one for each, or for each channel (for reductions
                                  alone: others ask has_one_row) */
    int numbers;      /* of the whole table; 0: nobody wants its gradient */
    int first_thread; /* of the block, of those that its outputs have, which those of channels are not among */
    int output_threads_log2;   /* 2^this many threads share the sum of one output */
    int grid_threads;          /* that share the sum of one number over its partials; 0 where there are none */
    unsigned int grid_inverse; /* 2^31 / numbers, rounded up; 0 where nobody has a use for it */
} grkan_table_reduction;

typedef struct grkan_geometry {
    grkan_columns columns;
    grkan_rows rows;
    grkan_block_reduction block;
    grkan_table_reduction tables[GRKAN_MOST_TABLES];
} grkan_geometry;

/**
 * Hosts and devices must agree on where each member lies, though compilers pad differently (i386 aligns 64-bit integers to
 * 4 bytes). They do if there is nothing to pad: if the size is the sum of the members' sizes, and each of 8 bytes lies at a
 * multiple of 8. The array has a negative size where that is not so.
 */
typedef char grkan_geometry_has_no_padding
    [sizeof(grkan_geometry) == (8 + 6 + 2 + 6 * GRKAN_MOST_TABLES) * 4 + (7 + 8 + GRKAN_MOST_TABLES) * 8 ? 1 : -1];

#endif
