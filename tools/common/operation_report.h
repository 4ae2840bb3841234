/* SPDX-License-Identifier: Apache-2.0 */
/** @file operation_report.h @brief What was run and on what, as cells of tables and as members of JSON objects. */
#ifndef GRKAN_OPERATION_REPORT_H
#define GRKAN_OPERATION_REPORT_H

#include <grkan/tune.h>

#include "json_report.h"
#include "text_table.h"

/** Columns that operation_cells fills: what kernels depend on of an operation. */
#define OPERATION_COLUMNS {"degrees", 'l'}, {"denominator", 'l'}, {"prologue", 'L'}, {"type", 'l'}
void operation_cells(text_table *to, const grkan_operation *operation);

/** Columns that options_cells fills. */
#define OPTIONS_COLUMNS {"strategy", 'l'}, {"determinism", 'l'}, {"frozen", 'L'}, {"y again", 'L'}
void options_cells(text_table *to, const grkan_operation *operation, const grkan_options *options);

/** The storage types of an operation: "f32", or "f32,bf16" where that of y and dy is another. */
typedef struct type_names {
    char text[16];
} type_names;
type_names operation_types(const grkan_operation *operation);

/** What stands before the function, without what has its default: "", "bias", "layer_norm", "rms_norm, no shift". */
typedef struct prologue_text {
    char text[48];
} prologue_text;
prologue_text operation_prologue(const grkan_operation *operation);

/** Add "operation", "dtype" and "output_dtype". */
void report_add_operation(cJSON *to, const grkan_operation *operation);

/** Add "strategy" and "determinism", and where they are not empty "frozen" and "writes_y". */
void report_add_options(cJSON *to, const grkan_operation *operation, const grkan_options *options);

/** Add "device", "backend", "name", "driver" and "architecture". */
void report_add_device(cJSON *to, const grkan_device_properties *properties);

/** Add "tunings": an object for each kind, by its name. @return it */
cJSON *report_add_tunings(cJSON *to, const grkan_tunings *tunings);

#endif
