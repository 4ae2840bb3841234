/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file large.h
 * @brief Tensors beyond 2^31 elements, and the error of their gradients against exact sums.
 *
 * Neither host memory nor time would do for a reference of each element. So the data repeats with a period of about a
 * million elements: outputs must repeat with it, bit for bit, and exact sums follow from those of one period.
 */
#ifndef GRKAN_CHECK_LARGE_H
#define GRKAN_CHECK_LARGE_H

#include "runner.h"

/** A tensor, and the part of it that its data repeats: whole rows, or, where there is one group only, anything. */
typedef struct large_case {
    const char *name;
    grkan_operation operation;
    check_case period;
    int seeds;    /**< runs, each with other data */
    double limit; /**< on the relative error of the gradients: the median of all runs */
} large_case;

#define LARGE_SEEDS 5 /* at most */

#define LARGE_TABLES 2 /* numerator, denominator */

typedef struct large_report {
    check_report check;
    double
        error[LARGE_TABLES]; /**< |got - exact| / |exact| of da and of db, each as one vector; the median of all runs */
} large_report;

#define LARGE_CASES 5

/**
 * Make a case.
 * @param index    0..LARGE_CASES - 1. The first is a layer of KAT-B at batch 1024, at most; the others have `elements`
 * @param elements about how many
 */
large_case large_case_at(int index, int64_t elements);

/** Run both passes. A device whose memory is too small skips the case. */
void large_run(grkan_device *device, const large_case *one, large_report *report);

#endif
