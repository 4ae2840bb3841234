/* SPDX-License-Identifier: Apache-2.0 */
/** @file operation_report.c @brief What was run and on what, as cells of tables and as members of JSON objects. */
#include "operation_report.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

type_names operation_types(const grkan_operation *operation)
{
    type_names names;
    const grkan_dtype output = grkan_operation_output_dtype(operation);
    const bool is_one = output == operation->dtype;
    snprintf(names.text, sizeof names.text, "%s%s%s", grkan_dtype_name(operation->dtype), is_one ? "" : ",",
             is_one ? "" : grkan_dtype_name(output));
    return names;
}

prologue_text operation_prologue(const grkan_operation *operation)
{
    prologue_text made = {""};
    const bool is_norm =
        operation->prologue == GRKAN_PROLOGUE_LAYER_NORM || operation->prologue == GRKAN_PROLOGUE_RMS_NORM;
    if (operation->prologue != GRKAN_PROLOGUE_NONE)
        snprintf(made.text, sizeof made.text, "%s%s%s", grkan_prologue_name(operation->prologue),
                 is_norm && !operation->norm.has_scale ? ", no scale" : "",
                 is_norm && !operation->norm.has_shift ? ", no shift" : "");
    return made;
}

void operation_cells(text_table *to, const grkan_operation *operation)
{
    text_table_cell(to, "%d,%d", operation->rational.numerator_degree, operation->rational.denominator_degree);
    text_table_cell(to, "%s", grkan_form_name(operation->rational.form));
    text_table_cell(to, "%s", operation_prologue(operation).text);
    text_table_cell(to, "%s", operation_types(operation).text);
}

/** Hear of each name of what options freeze: "x", and the names of tables. */
static void list_frozen(const grkan_operation *operation, const grkan_options *options,
                        void (*hear)(void *context, const char *name), void *context)
{
    grkan_table tables[GRKAN_MOST_TABLES];
    int count = 0;
    (void)grkan_operation_tables(operation, tables, &count); /* none of an operation that was refused */
    if (options->frozen & GRKAN_FROZEN_X)
        hear(context, "x");
    for (int k = 0; k < count; k++)
        if (options->frozen >> k & 1)
            hear(context, tables[k].name);
}

static void append_name(void *context, const char *name)
{
    char *const text = context;
    if (*text != '\0')
        strcat(text, ",");
    strcat(text, name);
}

void options_cells(text_table *to, const grkan_operation *operation, const grkan_options *options)
{
    char frozen[128] = ""; /* five names of at most 11 letters */
    list_frozen(operation, options, append_name, frozen);
    text_table_cell(to, "%s", grkan_strategy_name(options->strategy));
    text_table_cell(to, "%s", grkan_determinism_name(options->determinism));
    text_table_cell(to, "%s", frozen);
    text_table_cell(to, "%s", options->writes_y ? "yes" : "");
}

void report_add_operation(cJSON *to, const grkan_operation *operation)
{
    cJSON_AddItemToObject(to, "operation", report_operation(operation));
    cJSON_AddStringToObject(to, "dtype", grkan_dtype_name(operation->dtype));
    cJSON_AddStringToObject(to, "output_dtype", grkan_dtype_name(grkan_operation_output_dtype(operation)));
}

static void add_name(void *context, const char *name)
{
    cJSON_AddItemToArray(context, cJSON_CreateString(name));
}

void report_add_options(cJSON *to, const grkan_operation *operation, const grkan_options *options)
{
    cJSON_AddStringToObject(to, "strategy", grkan_strategy_name(options->strategy));
    cJSON_AddStringToObject(to, "determinism", grkan_determinism_name(options->determinism));
    if (options->frozen)
        list_frozen(operation, options, add_name, cJSON_AddArrayToObject(to, "frozen"));
    if (options->writes_y)
        cJSON_AddBoolToObject(to, "writes_y", 1);
}

void report_add_device(cJSON *to, const grkan_device_properties *properties)
{
    cJSON_AddStringToObject(to, "device", properties->selector);
    cJSON_AddStringToObject(to, "backend", properties->backend);
    cJSON_AddStringToObject(to, "name", properties->name);
    cJSON_AddStringToObject(to, "driver", properties->driver);
    cJSON_AddStringToObject(to, "architecture", properties->architecture);
}

cJSON *report_add_tunings(cJSON *to, const grkan_tunings *tunings)
{
    cJSON *const all = cJSON_AddObjectToObject(to, "tunings");
    for (int kind = 0; kind < GRKAN_TUNING_KINDS; kind++) {
        const grkan_tuning *const one = &tunings->of[kind];
        cJSON *const object = cJSON_AddObjectToObject(all, grkan_tuning_name((grkan_tuning_kind)kind));
        cJSON_AddNumberToObject(object, "block", one->block);
        cJSON_AddNumberToObject(object, "occupancy", one->occupancy);
        cJSON_AddNumberToObject(object, "grid_waves", one->grid_waves);
        cJSON_AddNumberToObject(object, "stages", one->stages);
        cJSON_AddNumberToObject(object, "step", one->step);
        cJSON_AddNumberToObject(object, "least_row_bytes", one->least_row_bytes);
    }
    return all;
}
