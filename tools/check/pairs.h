/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file pairs.h
 * @brief Pairwise covering: rows of factor levels in which every two levels of two factors meet at least once.
 */
#ifndef GRKAN_CHECK_PAIRS_H
#define GRKAN_CHECK_PAIRS_H

#include <stdbool.h>

#include "random.h"

#define PAIRS_FACTORS 16
#define PAIRS_LEVELS 12

/** Which pairs have been seen. Zero it before the first row, then set factors and levels. */
typedef struct pairs {
    int factors;
    int levels[PAIRS_FACTORS]; /**< of each factor: <= PAIRS_LEVELS */
    bool seen[PAIRS_FACTORS][PAIRS_FACTORS][PAIRS_LEVELS][PAIRS_LEVELS];
} pairs;

/**
 * Choose a row: of many random ones that agree with what is fixed, the one with most pairs that are new.
 * @param row   in: a level, or -1 where it is free; out: all levels
 * @param legal whether a full row may be used
 * @return false when no legal row was found
 */
bool pairs_next(pairs *pairs, check_random *random, int row[PAIRS_FACTORS], bool (*legal)(const int *row));

/** Pairs that no row has covered. */
int pairs_missing(const pairs *pairs);

#endif
