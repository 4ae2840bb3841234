/* SPDX-License-Identifier: Apache-2.0 */
/** @file bench_report.c @brief What bench found, as a table and as JSON; both show the same. */
#include "bench.h"
#include "common/operation_report.h"

#define WHAT_COLUMNS                                                                                                   \
    {"outer", 'r'}, {"channels", 'r'}, {"inner", 'r'}, {"groups", 'r'}, OPERATION_COLUMNS, {"pass", 'l'},              \
        OPTIONS_COLUMNS

/** The first STUDY_COLUMNS are those of studies, the last PREDICTED_COLUMNS of predictions. */
static const text_table_column device_columns[] = {
    {"part", 'l'}, WHAT_COLUMNS,  {"median ms", 'r'}, {"min", 'r'},          {"max", 'r'},
    {"MB", 'r'},   {"GB/s", 'r'}, {"of copy", 'r'},   {"predicted ms", 'r'},
};

static const text_table_column host_columns[] = {
    WHAT_COLUMNS,           {"call us", 'r'},         {"min", 'r'},
    {"max", 'r'},           {"plan ms", 'r'},         {"kernels", 'l'},
    {"first call ms", 'r'}, {"first result ms", 'r'}, {"workspace B", 'r'},
};

enum { STUDY_COLUMNS = 1, PREDICTED_COLUMNS = 1 };

#define LENGTH(array) ((int)(sizeof(array) / sizeof *(array)))

static void add_what(text_table *to, const bench_case *one)
{
    const grkan_operation *operation = &one->operation;
    text_table_row(to);
    if (one->part != NULL)
        text_table_cell(to, "%s", one->part);
    text_table_cell(to, "%lld", (long long)operation->outer);
    text_table_cell(to, "%lld", (long long)operation->channels);
    text_table_cell(to, "%lld", (long long)operation->inner);
    text_table_cell(to, "%lld", (long long)operation->groups);
    operation_cells(to, operation);
    text_table_cell(to, "%s", bench_pass_name(one->pass));
    options_cells(to, operation, &one->options);
}

static void add_measurement(text_table *to, const bench_case *one)
{
    text_table_cell(to, "%.4f", one->milliseconds.median);
    text_table_cell(to, "%.4f", one->milliseconds.min);
    text_table_cell(to, "%.4f", one->milliseconds.max);
    text_table_cell(to, "%.1f", (double)one->cost.bytes / 1e6);
    text_table_cell(to, "%.1f", one->gb_per_s);
    text_table_cell(to, "%.3f", one->fraction_of_copy);
    if (one->predicted_milliseconds > 0.0)
        text_table_cell(to, "%.4f", one->predicted_milliseconds);
}

/** From nothing but the process to the first result, the making of tensors not counted. */
static double first_result(const bench_device *device, const bench_case *one)
{
    return device->open_milliseconds + one->plan_milliseconds + one->first_milliseconds;
}

static void add_host_time(text_table *to, const bench_device *device, const bench_case *one)
{
    text_table_cell(to, "%.2f", one->host_microseconds.median);
    text_table_cell(to, "%.2f", one->host_microseconds.min);
    text_table_cell(to, "%.2f", one->host_microseconds.max);
    text_table_cell(to, "%.2f", one->plan_milliseconds);
    text_table_cell(to, one->is_compiled ? "compiled" : "ready");
    text_table_cell(to, "%.2f", one->first_milliseconds);
    text_table_cell(to, "%.2f", first_result(device, one));
    text_table_cell(to, "%zu", one->workspace_bytes);
}

void bench_print_table(const bench_request *request, const bench_device *device, FILE *stream)
{
    const grkan_device_properties *properties = &device->properties;
    fprintf(stream, "%s: %s (%s), %s\n", properties->selector, properties->name, properties->architecture,
            properties->driver);
    if (request->is_host_time)
        fprintf(stream, "open: %.2f ms\n", device->open_milliseconds);
    else
        fprintf(stream, "copy: %.1f GB/s\n", device->copy_gb_per_s);
    if (device->case_count == 0)
        return;
    const int left_out = request->is_study ? 0 : STUDY_COLUMNS;
    const int ends_before = request->is_predicted ? 0 : PREDICTED_COLUMNS;
    text_table *rows = request->is_host_time
                           ? TEXT_TABLE_OF(host_columns)
                           : text_table_new(device_columns + left_out, LENGTH(device_columns) - left_out - ends_before);
    for (int i = 0; i < device->case_count; i++) {
        add_what(rows, &device->cases[i]);
        if (device->cases[i].refusal != NULL)
            text_table_note(rows, device->cases[i].refusal);
        else if (request->is_host_time)
            add_host_time(rows, device, &device->cases[i]);
        else
            add_measurement(rows, &device->cases[i]);
    }
    text_table_finish(rows, stream);
}

static void add_timing(cJSON *to, const char *name, const bench_timing *timing)
{
    cJSON *object = cJSON_AddObjectToObject(to, name);
    report_add_measured(object, "min", timing->min);
    report_add_measured(object, "median", timing->median);
    report_add_measured(object, "max", timing->max);
}

static void add_json_measurement(cJSON *to, const bench_case *one)
{
    add_timing(to, "milliseconds", &one->milliseconds);
    report_add_count(to, "bytes", one->cost.bytes);
    report_add_measured(to, "gb_per_s", one->gb_per_s);
    report_add_measured(to, "fraction_of_copy", one->fraction_of_copy);
    if (one->predicted_milliseconds > 0.0)
        report_add_measured(to, "predicted_milliseconds", one->predicted_milliseconds);
    report_add_count(to, "atomics", one->cost.atomics);
    cJSON_AddNumberToObject(to, "launches", one->cost.launches);
}

static void add_json_host_time(cJSON *to, const bench_device *device, const bench_case *one)
{
    add_timing(to, "host_microseconds", &one->host_microseconds);
    report_add_measured(to, "plan_milliseconds", one->plan_milliseconds);
    cJSON_AddBoolToObject(to, "is_compiled", one->is_compiled);
    report_add_measured(to, "first_call_milliseconds", one->first_milliseconds);
    report_add_measured(to, "first_result_milliseconds", first_result(device, one));
    report_add_count(to, "workspace_bytes", one->workspace_bytes);
}

static cJSON *json_of_case(const bench_request *request, const bench_device *device, const bench_case *one)
{
    cJSON *object = cJSON_CreateObject();
    report_add_operation(object, &one->operation);
    cJSON_AddStringToObject(object, "pass", bench_pass_name(one->pass));
    report_add_options(object, &one->operation, &one->options);
    if (one->part != NULL)
        cJSON_AddStringToObject(object, "part", one->part);
    if (one->refusal != NULL)
        cJSON_AddStringToObject(object, "unsupported", one->refusal);
    else if (request->is_host_time)
        add_json_host_time(object, device, one);
    else
        add_json_measurement(object, one);
    return object;
}

cJSON *bench_json_of_device(const bench_request *request, const bench_device *device)
{
    const grkan_device_properties *properties = &device->properties;
    cJSON *object = cJSON_CreateObject();
    report_add_device(object, properties);
    if (request->is_host_time)
        report_add_measured(object, "open_milliseconds", device->open_milliseconds);
    else
        report_add_measured(object, "copy_gb_per_s", device->copy_gb_per_s);
    cJSON *cases = cJSON_AddArrayToObject(object, "cases");
    for (int i = 0; i < device->case_count; i++)
        cJSON_AddItemToArray(cases, json_of_case(request, device, &device->cases[i]));
    if (device->error_count > 0)
        cJSON_AddItemToObject(object, "errors", study_json_of_errors(device));
    return object;
}
