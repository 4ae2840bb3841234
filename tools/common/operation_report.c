/* SPDX-License-Identifier: Apache-2.0 */
/** @file operation_report.c @brief What was run and on what, as cells of tables and as members of JSON objects. */
#include "operation_report.h"

#include <stdbool.h>
#include <stdio.h>

type_names operation_types(const grkan_operation *operation)
{
    type_names names;
    const grkan_dtype output = grkan_operation_output_dtype(operation);
    const bool is_one = output == operation->dtype;
    snprintf(names.text, sizeof names.text, "%s%s%s", grkan_dtype_name(operation->dtype), is_one ? "" : ",",
             is_one ? "" : grkan_dtype_name(output));
    return names;
}

void operation_cells(text_table *to, const grkan_operation *operation)
{
    text_table_cell(to, "%d,%d", operation->rational.numerator_degree, operation->rational.denominator_degree);
    text_table_cell(to, "%s", grkan_form_name(operation->rational.form));
    text_table_cell(to, "%s", operation_types(operation).text);
}

void options_cells(text_table *to, grkan_strategy strategy, grkan_determinism determinism)
{
    text_table_cell(to, "%s", grkan_strategy_name(strategy));
    text_table_cell(to, "%s", grkan_determinism_name(determinism));
}

void report_add_operation(cJSON *to, const grkan_operation *operation)
{
    cJSON_AddItemToObject(to, "operation", report_operation(operation));
    cJSON_AddStringToObject(to, "dtype", grkan_dtype_name(operation->dtype));
    cJSON_AddStringToObject(to, "output_dtype", grkan_dtype_name(grkan_operation_output_dtype(operation)));
}

void report_add_options(cJSON *to, grkan_strategy strategy, grkan_determinism determinism)
{
    cJSON_AddStringToObject(to, "strategy", grkan_strategy_name(strategy));
    cJSON_AddStringToObject(to, "determinism", grkan_determinism_name(determinism));
}

void report_add_device(cJSON *to, const grkan_device_properties *properties)
{
    cJSON_AddStringToObject(to, "device", properties->selector);
    cJSON_AddStringToObject(to, "backend", properties->backend);
    cJSON_AddStringToObject(to, "name", properties->name);
    cJSON_AddStringToObject(to, "driver", properties->driver);
    cJSON_AddStringToObject(to, "architecture", properties->architecture);
}
