/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file prologues.h
 * @brief What may stand before a family's function: a row of a table each. Private: not installed.
 *
 * A row and what backends/kernels/prologue.h says of it are all that the library knows of a prologue. Its tables stand in
 * the plan behind the family's.
 */
#ifndef GRKAN_PROLOGUES_H
#define GRKAN_PROLOGUES_H

#include "families.h"

typedef struct grkan_prologue_row {
    const char *name;
    int32_t table_count; /**< with those of any family at most GRKAN_MOST_TABLES */
    bool is_norm;        /**< has statistics of each row, and needs inner 1 */
    /** Check what an operation says of the prologue alone; NULL: nothing. */
    grkan_status (*check)(const grkan_operation *operation);
    /** Fill in table `index` of the prologue's, but for its rows. */
    void (*table)(const grkan_operation *operation, int32_t index, grkan_table *table);
    grkan_flops flops; /**< of an element, beside the family's */
} grkan_prologue_row;

/** The prologue of an operation; NULL where operation->prologue is none of them. */
const grkan_prologue_row *grkan_prologue_of(const grkan_operation *operation);

/** Statistics of a row that an operation has in memory between forward and backward: 0, rstd, or mean and rstd. */
int grkan_row_statistics(const grkan_operation *operation);

#endif
