/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file families.h
 * @brief The families of learned functions: a row of a table each. Private: not installed.
 *
 * A row and a header of formulas in backends/kernels/families/ are all that the library knows of a family. Its tables and
 * parameters stand in the plan, where everybody takes them by index.
 */
#ifndef GRKAN_FAMILIES_H
#define GRKAN_FAMILIES_H

#include "internal.h"

/** Arithmetic of one element, an fma counted as two. */
typedef struct grkan_flops {
    int forward;
    int backward;
} grkan_flops;

typedef struct grkan_family_row {
    const char *name;
    const char *source;      /**< the kernels, as text */
    const char *source_hash; /**< of what a compiler sees of it */
    const char *lane_source; /**< likewise, of processors */
    const char *lane_source_hash;
    int32_t table_count;     /**< at most GRKAN_MOST_TABLES */
    int32_t parameter_count; /**< that kernels are specialised for, at most GRKAN_MOST_PARAMETERS */
    /** Check what an operation says of the family alone. The text names the field and what was expected. */
    grkan_status (*check)(const grkan_operation *operation);
    /** Fill in table `index` of an operation that has been checked, but for its rows, which follow from its scope. */
    void (*table)(const grkan_operation *operation, int32_t index, grkan_table *table);
    /** Fill in parameter_count parameters, in the order of the family's header. */
    void (*parameters)(const grkan_operation *operation, int32_t *parameters);
    /** Whether what the formulas divide by may be 0. */
    bool (*may_have_poles)(const grkan_operation *operation);
    grkan_flops (*flops)(const grkan_operation *operation);
} grkan_family_row;

/** The family of an operation; NULL where operation->family is none. */
const grkan_family_row *grkan_family_of(const grkan_operation *operation);

#endif
