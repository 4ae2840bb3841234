/* SPDX-License-Identifier: Apache-2.0 */
/** @file study_report.c @brief The rounding errors that a study found, as a table and as JSON. */
#include "bench.h"
#include "common/operation_report.h"

static const text_table_column columns[] = {
    {"outer", 'r'},         {"channels", 'r'}, {"type", 'l'},    OPTIONS_COLUMNS,   {"gradient", 'l'},
    {"mean absolute", 'r'}, {"relative", 'r'}, {"largest", 'r'}, {"of bound", 'r'},
};

static const char *const gradients[2] = {"numerator", "denominator"};

static void add_row(text_table *to, const study_error_case *one, int k)
{
    text_table_row(to);
    text_table_cell(to, "%lld", (long long)one->operation.outer);
    text_table_cell(to, "%lld", (long long)one->operation.channels);
    text_table_cell(to, "%s", operation_types(&one->operation).text);
    options_cells(to, &one->operation, &one->options);
    text_table_cell(to, "%s", gradients[k]);
    if (one->refusal != NULL) {
        text_table_note(to, one->refusal);
        return;
    }
    text_table_cell(to, "%.2e", one->error[k].mean_absolute);
    text_table_cell(to, "%.2e", one->error[k].relative);
    text_table_cell(to, "%.2e", one->error[k].largest_relative);
    text_table_cell(to, "%.4f", one->error[k].of_bound);
}

void study_print_errors(const bench_device *device, FILE *stream)
{
    if (device->error_count == 0)
        return;
    text_table *rows = TEXT_TABLE_OF(columns);
    fprintf(stream, "errors of the coefficient gradients over %d seeds\n", device->errors[0].seeds);
    for (int i = 0; i < device->error_count; i++)
        for (int k = 0; k < 2; k++)
            add_row(rows, &device->errors[i], k);
    text_table_finish(rows, stream);
}

static cJSON *json_of_error(const study_error *error)
{
    cJSON *object = cJSON_CreateObject();
    report_add_measured(object, "mean_absolute", error->mean_absolute);
    report_add_measured(object, "relative", error->relative);
    report_add_measured(object, "largest_relative", error->largest_relative);
    report_add_measured(object, "of_bound", error->of_bound);
    return object;
}

cJSON *study_json_of_errors(const bench_device *device)
{
    cJSON *array = cJSON_CreateArray();
    for (int i = 0; i < device->error_count; i++) {
        const study_error_case *one = &device->errors[i];
        cJSON *object = cJSON_CreateObject();
        cJSON_AddItemToArray(array, object);
        report_add_operation(object, &one->operation);
        report_add_options(object, &one->operation, &one->options);
        if (one->refusal != NULL) {
            cJSON_AddStringToObject(object, "unsupported", one->refusal);
            continue;
        }
        cJSON_AddNumberToObject(object, "seeds", one->seeds);
        for (int k = 0; k < 2; k++)
            cJSON_AddItemToObject(object, gradients[k], json_of_error(&one->error[k]));
    }
    return array;
}
