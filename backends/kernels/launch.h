/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file launch.h
 * @brief What a launch tells its kernel beside the geometry; passed by value. Compiled on hosts and on devices.
 */
#ifndef GRKAN_LAUNCH_H
#define GRKAN_LAUNCH_H

#include "geometry.h"

#ifndef HAS_OFFSETS /* a host: a dialect would have defined it */
#define HAS_OFFSETS 1
#endif

/** Kernels get it before the geometry: with two tables and no prologue all that forward needs for its first load then lies in two
    lines of 64 bytes. */
typedef struct grkan_launch {
    int first_block; /* a grid that a device cannot launch at once is split */
    int blocks;      /* of all launches together */
    int aligned;     /* 1: tensors are aligned to the width of a vector */
    int add;         /* 1: add to the gradients of the tables */
#if HAS_OFFSETS
    /* Offsets of each argument, for vendors whose buffers are no pointers. Kernels of others, who get base + offset, do not have
       these members. Of tensors and the workspace in bytes, of tables in numbers. */
    grkan_int64 x;
    grkan_int64 dy;
    grkan_int64 result; /* y, or dx */
    grkan_int64 tables[GRKAN_MOST_TABLES];
    grkan_int64 gradients[GRKAN_MOST_TABLES];
    grkan_int64 workspace;
#endif
} grkan_launch;

/** Likewise, of the buffers that not every plan has: kernels that have one of them get it behind the geometry. A struct of its
    own, since compilers allot other registers as soon as a kernel's arguments take more bytes. */
typedef struct grkan_more_offsets {
    grkan_int64 mean; /* of rows, in numbers */
    grkan_int64 rstd; /* likewise */
    grkan_int64 y;    /* that backward writes again, in bytes */
} grkan_more_offsets;

/** As of grkan_geometry (geometry.h). */
typedef char grkan_launch_has_no_padding
    [sizeof(grkan_launch) == 4 * 4 + (HAS_OFFSETS ? (4 + 2 * GRKAN_MOST_TABLES) * 8 : 0) ? 1 : -1];

#endif
