/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file launch.h
 * @brief What a launch tells its kernel beside the geometry; passed by value. Compiled on hosts and on devices.
 */
#ifndef GRKAN_LAUNCH_H
#define GRKAN_LAUNCH_H

typedef struct grkan_launch {
    int first_block; /* a grid that a device cannot launch at once is split */
    int blocks;      /* of all launches together */
    int aligned;     /* 1: tensors are aligned to the width of a chunk */
    int add;         /* 1: add to the gradients of the coefficients */
    /* Offsets in elements of each argument, for vendors whose buffers are no pointers; others get base + offset. */
    grkan_int64 x;
    grkan_int64 dy;
    grkan_int64 result; /* y, or dx */
    grkan_int64 numerator;
    grkan_int64 denominator;
    grkan_int64 dnumerator;
    grkan_int64 ddenominator;
    grkan_int64 workspace; /* in bytes */
    grkan_int64 numerator_parts;
    grkan_int64 denominator_parts;
} grkan_launch;

/** As of grkan_tiling (tiling.h): 4 members of 4 bytes and 10 of 8. */
typedef char grkan_launch_has_no_padding[sizeof(grkan_launch) == 4 * 4 + 10 * 8 ? 1 : -1];

#endif
