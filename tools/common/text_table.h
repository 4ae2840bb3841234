/* SPDX-License-Identifier: Apache-2.0 */
/** @file text_table.h @brief A text table whose columns are as wide as their widest cell. */
#ifndef GRKAN_TEXT_TABLE_H
#define GRKAN_TEXT_TABLE_H

#include <stdio.h>

#include "../../core/platform/platform.h"

/** A column: its heading, and 'l' or 'r' for the side that its cells keep to; 'L': left, and there is no such column where all
    its cells are empty. */
typedef struct text_table_column {
    const char *heading;
    char side;
} text_table_column;

typedef struct text_table text_table;

/** Start an empty table. columns must outlive it. */
text_table *text_table_new(const text_table_column *columns, int count);

/** The same, of a whole array of columns. */
#define TEXT_TABLE_OF(columns) text_table_new(columns, (int)(sizeof(columns) / sizeof *(columns)))

/** Begin a row; its cells follow from left to right. */
void text_table_row(text_table *to);

/** Fill the next cell of the last row (printf style). Cells beyond the last column are dropped. */
void text_table_cell(text_table *to, const char *format, ...) __attribute__((format(GRKAN_FORMAT, 2, 3)));

/** Text that takes the place of the cells that the last row lacks, however long it is. */
void text_table_note(text_table *to, const char *text);

/** Print headings and rows, and free the table. */
void text_table_finish(text_table *what, FILE *stream);

#endif
