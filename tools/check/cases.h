/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file cases.h
 * @brief The table of cases that `grkan check`, the test suite and the bench share.
 */
#ifndef GRKAN_CHECK_CASES_H
#define GRKAN_CHECK_CASES_H

#include <stdbool.h>

#include <grkan/fit.h>

/** Where the outputs go. */
typedef enum check_placement {
    CHECK_APART = 0, /**< every tensor for itself */
    CHECK_DX_IS_DY,  /**< y = x; dx = dy; of one storage type only */
    CHECK_DX_IS_X    /**< y = x, if their types are the same; dx = x, and backward's y = dy */
} check_placement;

/** What x and dy hold. */
typedef enum check_values {
    CHECK_ORDINARY = 0, /**< like a normal distribution */
    CHECK_HUGE,         /**< half of them up to 1e30 (f16: 65504, f64: 1e100) */
    CHECK_SPECIAL,      /**< by group: zeros and subnormals, NaN, infinities, non-finite dy */
    CHECK_GRID,         /**< x evenly over [-3, 3] */
    CHECK_LIMITS,       /**< of any size, and the coefficients, too; what is not in range differs from group to group */
    CHECK_ROWS,         /**< by row: ordinary, all the same, a mean far beyond the spread */
    CHECK_SPECIAL_ROWS  /**< by row: zeros and subnormals, a NaN, a dy that is not finite, ordinary */
} check_values;

/** What the coefficients hold. */
typedef enum check_coefficients {
    CHECK_RANDOM = 0,
    CHECK_TOP_ZERO, /**< the highest ones are zero, some of them -0.0 */
    CHECK_IDENTITY, /**< F(x) = x (m >= 1), no denominator */
    CHECK_PUBLISHED /**< those of a preset */
} check_coefficients;

/** One case: everything that a run depends on. */
typedef struct check_case {
    char name[192]; /**< the factors, joined by '/'; unique in its table */
    uint64_t seed;  /**< of the values */
    grkan_operation operation;
    grkan_options options;
    check_placement placement;
    grkan_accumulation accumulation;
    int offset; /**< tensor number t starts offset * (t + 1) elements off a 64-byte boundary */
    check_values values;
    check_coefficients coefficients;
    const grkan_preset *preset; /**< with CHECK_PUBLISHED */
} check_case;

/** A table of cases. */
typedef struct check_table {
    check_case *cases;
    int count;
} check_table;

/**
 * The table of checks against the oracle. All forms x degrees x types in full, the other factors in pairs.
 * @param quick a few small cases over few specialisations, for slow checkers
 * @return an empty table when memory ran out; free it with check_table_free
 */
check_table check_table_oracle(uint64_t seed, bool quick);

/** The table of GRKAN_DEVICE_TO_DEVICE cases whose bits are compared: 216 of them, on programs of the other table. */
check_table check_table_bits(uint64_t seed, bool quick);

/** The table of GRKAN_DEVICE_TO_DEVICE cases whose numbers are at the ends of their types' range. */
check_table check_table_limits(uint64_t seed, bool quick);

/** The table of GRKAN_SQUARE: all against the oracle, the GRKAN_DEVICE_TO_DEVICE ones for equal bits, too. */
check_table check_table_square(uint64_t seed, bool quick);

/** The table of unequal storage types: all against the oracle, the GRKAN_DEVICE_TO_DEVICE ones for equal bits, too. */
check_table check_table_two_types(uint64_t seed, bool quick);

/** The table of prologues, frozen tables, and backward that writes y: likewise. */
check_table check_table_prologues(uint64_t seed, bool quick);

void check_table_free(check_table *table);

/** Find a case by its name or by its index in decimal. NULL if there is none. */
const check_case *check_table_find(const check_table *table, const char *text);

/** Write the case's name from its other fields. */
void check_case_name(check_case *one);

#endif
