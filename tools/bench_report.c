/* SPDX-License-Identifier: Apache-2.0 */
/** @file bench_report.c @brief What bench found, as a table and as JSON; both show the same. */
#include "bench.h"
#include "text_table.h"

static const text_table_column columns[] = {
    {"outer", 'r'},       {"channels", 'r'},     {"inner", 'r'}, {"groups", 'r'},   {"degrees", 'l'},
    {"denominator", 'l'}, {"type", 'l'},         {"pass", 'l'},  {"strategy", 'l'}, {"determinism", 'l'},
    {"median ms", 'r'},   {"min", 'r'},          {"max", 'r'},   {"MB", 'r'},       {"GB/s", 'r'},
    {"of copy", 'r'},     {"predicted ms", 'r'},
};

static void add_what(text_table *to, const bench_case *one)
{
    const grkan_operation *operation = &one->operation;
    text_table_row(to);
    text_table_cell(to, "%lld", (long long)operation->outer);
    text_table_cell(to, "%lld", (long long)operation->channels);
    text_table_cell(to, "%lld", (long long)operation->inner);
    text_table_cell(to, "%lld", (long long)operation->groups);
    text_table_cell(to, "%d,%d", operation->numerator_degree, operation->denominator_degree);
    text_table_cell(to, "%s", grkan_denominator_name(operation->denominator));
    text_table_cell(to, "%s", grkan_dtype_name(operation->dtype));
    text_table_cell(to, "%s", bench_pass_name(one->pass));
    text_table_cell(to, "%s", grkan_strategy_name(one->options.strategy));
    text_table_cell(to, "%s", grkan_determinism_name(one->options.determinism));
}

static void add_measurement(text_table *to, const bench_case *one)
{
    text_table_cell(to, "%.4f", one->milliseconds.median);
    text_table_cell(to, "%.4f", one->milliseconds.min);
    text_table_cell(to, "%.4f", one->milliseconds.max);
    text_table_cell(to, "%.1f", (double)one->bytes / 1e6);
    text_table_cell(to, "%.1f", one->gb_per_s);
    text_table_cell(to, "%.3f", one->fraction_of_copy);
    text_table_cell(to, "%.4f", one->predicted_milliseconds);
}

void bench_print_table(const bench_device *device, FILE *stream)
{
    const grkan_device_properties *properties = &device->properties;
    fprintf(stream, "%s: %s (%s), %s\ncopy: %.1f GB/s\n", properties->selector, properties->name,
            properties->architecture, properties->driver, device->copy_gb_per_s);
    text_table *rows = text_table_new(columns, (int)(sizeof columns / sizeof *columns));
    for (int i = 0; i < device->case_count; i++) {
        add_what(rows, &device->cases[i]);
        if (device->cases[i].refusal != NULL)
            text_table_note(rows, device->cases[i].refusal);
        else
            add_measurement(rows, &device->cases[i]);
    }
    text_table_print(rows, stream);
    text_table_free(rows);
}

static cJSON *json_of_case(const bench_case *one)
{
    cJSON *object = cJSON_CreateObject();
    cJSON_AddItemToObject(object, "operation", report_operation(&one->operation));
    cJSON_AddStringToObject(object, "dtype", grkan_dtype_name(one->operation.dtype));
    cJSON_AddStringToObject(object, "pass", bench_pass_name(one->pass));
    cJSON_AddStringToObject(object, "strategy", grkan_strategy_name(one->options.strategy));
    cJSON_AddStringToObject(object, "determinism", grkan_determinism_name(one->options.determinism));
    if (one->refusal != NULL) {
        cJSON_AddStringToObject(object, "unsupported", one->refusal);
        return object;
    }
    cJSON *milliseconds = cJSON_AddObjectToObject(object, "milliseconds");
    report_add_measured(milliseconds, "min", one->milliseconds.min);
    report_add_measured(milliseconds, "median", one->milliseconds.median);
    report_add_measured(milliseconds, "max", one->milliseconds.max);
    cJSON_AddNumberToObject(object, "bytes", (double)one->bytes);
    report_add_measured(object, "gb_per_s", one->gb_per_s);
    report_add_measured(object, "fraction_of_copy", one->fraction_of_copy);
    report_add_measured(object, "predicted_milliseconds", one->predicted_milliseconds);
    return object;
}

cJSON *bench_json_of_device(const bench_device *device)
{
    const grkan_device_properties *properties = &device->properties;
    cJSON *object = cJSON_CreateObject();
    cJSON_AddStringToObject(object, "device", properties->selector);
    cJSON_AddStringToObject(object, "backend", properties->backend);
    cJSON_AddStringToObject(object, "name", properties->name);
    cJSON_AddStringToObject(object, "driver", properties->driver);
    cJSON_AddStringToObject(object, "architecture", properties->architecture);
    report_add_measured(object, "copy_gb_per_s", device->copy_gb_per_s);
    cJSON *cases = cJSON_AddArrayToObject(object, "cases");
    for (int i = 0; i < device->case_count; i++)
        cJSON_AddItemToArray(cases, json_of_case(&device->cases[i]));
    return object;
}
