/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file tiling.h
 * @brief How a tensor is cut into blocks, threads and visits. Kernels of every backend receive it by value.
 *
 * This file is compiled as C, OpenCL C, CUDA and HIP. grkan_int64 is a signed 64-bit integer in each of them.
 *
 * A tensor is a matrix of `outer` rows, each of row_elements = channels * inner elements. A thread takes `vector`
 * consecutive elements (a chunk) of a row at once. A chunk has elements of one group (sets is 1), or each of its elements
 * may be of another (sets is vector); spans begin and end with whole chunks. Consecutive groups form a span, the columns
 * that one block covers:
 *
 * - When a group has at most `block` chunks, a span holds as many whole groups as fit, and a block works on row_lanes
 *   rows side by side: thread t has row lane t / span_chunks and chunk t % span_chunks.
 * - When it has more, a span is one group, folded: a row of it becomes `folds` tile rows of `block` chunks each, and
 *   row_lanes is 1.
 *
 * One block works on one span in one of `stripes` parts of the tile rows (outer * folds of them): block b has stripe
 * b / spans and span b % spans. A thread starts at its stripe's first row plus its row lane and visits every
 * row_step-th row up to the stripe's end. Stripes are runs of rows, or interleaved, so that blocks that run at the same
 * time read neighbouring memory. Either way a thread keeps its group, and its coefficients, throughout.
 */
#ifndef GRKAN_TILING_H
#define GRKAN_TILING_H

/** Bytes at the start of a workspace that hold counters, zero between calls; partial sums follow. */
#define GRKAN_WORKSPACE_COUNTER_BYTES 64

/** Most threads that share the sum of one output over the parts in the workspace. */
#define MOST_COMBINE_LANES 32

/** Parts that a thread of a combination loads at once, if there are so many. */
#define COMBINE_PARTS 24

/** Most threads that share the sum of one output of a block: a power of two that divides every block. */
#define MOST_SLICES 16

/** Numbers that a thread of a block loads at once where it sums what others left: one wait serves them all. */
#define SLICE_BATCH 8

/** What kernels need for their first load comes first: each line of 64 bytes of their arguments is a miss of its own. */
typedef struct grkan_tiling {
    int spans;
    int span_chunks;           /* chunks of the widest span, side by side in a block */
    unsigned int span_inverse; /* 2^31 / span_chunks, rounded up */
    int row_lanes;             /* tile rows side by side in a block */
    int whole_stripes;         /* the first stripes, where a thread has most_visits; else it has: */
    int most_visits;
    int fewer_visits;          /* or, if its first row is before more_rows, one more */
    int flush;                 /* visits after which a thread's register sums go to its second-level sums */
    grkan_int64 more_rows;     /* see fewer_visits */
    grkan_int64 row_elements;  /* channels * inner */
    grkan_int64 stripe_stride; /* tile rows from a stripe's first to the next one's */
    grkan_int64 step_elements; /* from a thread's visit to its next, unless it passes the end of a folded row */
    grkan_int64 span_groups;   /* groups of a span; the last span may have fewer */
    grkan_int64 groups;
    grkan_int64 group_size;    /* channels / groups */
    grkan_int64 larger_groups; /* channels % groups: the first groups, with one channel more */
    grkan_int64 inner;
    int numerator_shared;   /* 1: one numerator for all groups */
    int denominator_shared; /* 1: one denominator for all groups */
    int kept_lanes;         /* row lanes that are left when a block has added up each column's */
    int slices_log2;        /* 2^this many threads share the sum of one output when a block combines its threads */
    int shared_slices_log2; /* likewise, of an output that all groups share */
    int denominator_slices; /* the first of the threads that sum slices for the denominator's outputs of a block */
    int all_slices;         /* threads that sum slices of a block, some of which do not exist */
    int numerator_lanes;    /* threads that share the sum of one number of the numerator's gradient over its parts */
    int denominator_lanes;  /* likewise; 0 where a block writes the gradient itself */
    int numerator_width;    /* numbers of the whole gradient */
    int denominator_width;
    unsigned int numerator_inverse;   /* 2^31 / numerator_width, rounded up; 0 where one lane has no use for it */
    unsigned int denominator_inverse; /* likewise */
    int block;                        /* threads of a block */
    int vector;                       /* elements of a chunk: a power of two */
    int sets;                         /* groups that a chunk may have elements of: 1, or as many as it has elements */
    int stripes;
    int unused;                /* so that what follows lies at a multiple of 8 also where a compiler would not see to it */
    grkan_int64 tile_rows;     /* outer * folds */
    grkan_int64 stripe_rows;   /* tile rows from a stripe's first to its end, at most */
    grkan_int64 row_step;      /* tile rows from a thread's visit to its next */
    grkan_int64 folds;         /* tile rows that a row of a span is folded into */
    grkan_int64 step_folds;    /* row_step % folds */
    grkan_int64 wrap_elements; /* to add when it does */
} grkan_tiling;

/**
 * Hosts and devices must agree on where each member lies, though compilers pad differently (i386 aligns 64-bit integers to
 * 4 bytes). They do if there is nothing to pad: if the size is the sum of the members' sizes, 26 of 4 bytes and 15 of 8.
 * The array has a negative size where that is not so.
 */
typedef char grkan_tiling_has_no_padding[sizeof(grkan_tiling) == 26 * 4 + 15 * 8 ? 1 : -1];

#endif
