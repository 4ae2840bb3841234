/* SPDX-License-Identifier: Apache-2.0 */
/** @file table.h @brief Building a table of cases. Private to the checks. */
#ifndef GRKAN_CHECK_TABLE_H
#define GRKAN_CHECK_TABLE_H

#include "cases.h"

/** A table that grows. Start with {0}. */
typedef struct table_builder {
    check_table table;
    int capacity;
    bool failed; /**< what is built is of no use: memory ran out, or a pair is missing */
} table_builder;

/** Append a case, and give it its name. */
void table_add(table_builder *builder, check_case one);

/** The table; empty if building it failed. */
check_table table_finish(table_builder *builder);

#endif
