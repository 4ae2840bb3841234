/* SPDX-License-Identifier: Apache-2.0 */
/** @file bench_command.c @brief grkan bench: opens the devices, runs their cases, reports. */
#include <stdlib.h>
#include <string.h>

#include "bench.h"
#include "../../core/platform/platform.h"
#include "common/operation_report.h"
#include "common/progress.h"

static int open_device(const char *who, const bench_request *request, const char *selector, bench_device *device)
{
    double start = grkan_milliseconds();
    grkan_status status = grkan_device_open(selector, &device->device);
    device->open_milliseconds = grkan_milliseconds() - start;
    if (status == GRKAN_SUCCESS)
        status = grkan_device_describe(device->device, &device->properties);
    if (status == GRKAN_SUCCESS && request->is_tuned)
        status = bench_tune_begin(device);
    if (status != GRKAN_SUCCESS)
        return tool_complain(who, selector ? selector : "default device", status);
    if (!request->is_tuned)
        (request->is_study ? study_list_cases : bench_list_cases)(request, device);
    return TOOL_GOOD;
}

/** What the progress bar and error messages call a case. */
static void label_case(char *label, size_t size, const bench_device *device, const bench_case *one)
{
    snprintf(label, size, "%s %s %s, %lld channels", device->properties.selector, bench_pass_name(one->pass),
             operation_types(&one->operation).text, (long long)one->operation.channels);
}

/** A study has many cases and takes less of each. */
static bench_effort effort_of(const bench_request *request)
{
    return (bench_effort){.repeats = request->repeats, .milliseconds = request->is_study ? 100.0 : 500.0};
}

/** Measure a device's copy, which is a step of the progress bar too, and all its cases. */
static int run_device(const char *who, const bench_request *request, bench_device *device)
{
    bench_effort effort = effort_of(request);
    char label[96];
    if (request->is_predicted)
        bench_list_kernels(device);
    int count = device->case_count + bench_layer_count(device);
    int measurements = (int)request->rounds * count;
    size_t steps = (size_t)measurements + 1;
    snprintf(label, sizeof label, "%s copy", device->properties.selector);
    progress_show(0, steps, label);
    grkan_status status = request->is_host_time ? GRKAN_SUCCESS : bench_measure_copy(device, effort);
    for (int i = 0; i < measurements && status == GRKAN_SUCCESS; i++) {
        int index = i % count;
        bench_case *one =
            index < device->case_count ? &device->cases[index] : bench_layer(device, index - device->case_count);
        label_case(label, sizeof label, device, one);
        progress_show((size_t)i + 1, steps, label);
        status = bench_run_case(device, one, effort, request->is_host_time ? bench_host_time : bench_device_time);
    }
    if (status == GRKAN_SUCCESS)
        status = bench_predict(device);
    if (status == GRKAN_SUCCESS && request->parts >> STUDY_ERRORS & 1u) {
        snprintf(label, sizeof label, "%s errors", device->properties.selector);
        status = study_measure_errors(request, device);
    }
    progress_clear();
    return status == GRKAN_SUCCESS ? TOOL_GOOD : tool_complain(who, label, status);
}

/** Find a device's tunings. */
static int tune_device(const char *who, bench_device *device, FILE *tables)
{
    const grkan_status status = bench_tune(device, tables);
    progress_clear();
    return status == GRKAN_SUCCESS ? TOOL_GOOD : tool_complain(who, device->properties.selector, status);
}

/** Run all devices, each table as soon as it is complete. */
static int run_devices(const char *who, const bench_request *request, bench_device *devices, FILE *tables)
{
    for (int i = 0; i < request->selector_count; i++) {
        if (i > 0)
            fputc('\n', tables);
        int result = request->is_tuned ? tune_device(who, &devices[i], tables) : run_device(who, request, &devices[i]);
        if (result != TOOL_GOOD)
            return result;
        if (request->is_tuned)
            continue;
        bench_print_table(request, &devices[i], tables);
        study_print_errors(&devices[i], tables);
        fflush(tables);
    }
    return TOOL_GOOD;
}

static cJSON *make_document(const bench_request *request, const bench_device *devices, int argc, char **argv)
{
    const char *const schema = request->is_tuned       ? "grkan-tuning/1"
                               : request->is_host_time ? "grkan-host-time/1"
                                                       : "grkan-bench/1";
    cJSON *document = report_new(schema, argc, argv);
    cJSON *array = cJSON_AddArrayToObject(document, "devices");
    for (int i = 0; i < request->selector_count; i++)
        cJSON_AddItemToArray(array, request->is_tuned ? bench_json_of_tuning(&devices[i])
                                                      : bench_json_of_device(request, &devices[i]));
    return document;
}

static int are_kept(const bench_request *request, const bench_device *devices)
{
    int are = 1;
    for (int i = 0; i < request->selector_count; i++)
        are &= bench_is_kept(&devices[i]);
    return are;
}

/** Everything between opening the devices and closing them. */
static int run_and_report(const bench_request *request, bench_device *devices, int argc, char **argv)
{
    const int result = run_devices(argv[0], request, devices, report_table_stream(request->json));
    if (result != TOOL_GOOD)
        return result;
    const int written = request->json == NULL
                            ? TOOL_GOOD
                            : report_finish(argv[0], request->json, make_document(request, devices, argc, argv));
    return written == TOOL_GOOD && request->is_tuned && !are_kept(request, devices) ? TOOL_CHECK_FAILED : written;
}

int grkan_tool_bench(int argc, char **argv)
{
    bench_request request;
    bench_parse(argc, argv, &request);
    bench_device *devices = tool_allocate((size_t)request.selector_count * sizeof *devices);
    int result = report_check(argv[0], request.json);
    for (int i = 0; i < request.selector_count && result == TOOL_GOOD; i++)
        result = open_device(argv[0], &request, request.selectors[i], &devices[i]);
    if (result == TOOL_GOOD)
        result = run_and_report(&request, devices, argc, argv);
    for (int i = 0; i < request.selector_count; i++) {
        bench_free_kernels(&devices[i]);
        bench_free_cases(&devices[i]);
        bench_free_tuned(&devices[i]);
        grkan_device_close(devices[i].device);
    }
    free(devices);
    free(request.selectors);
    return result;
}
