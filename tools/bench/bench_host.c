/* SPDX-License-Identifier: Apache-2.0 */
/** @file bench_host.c @brief What the host spends: on opening, planning, the first result, and each later call. */
#include <stdlib.h>

#include "bench.h"

/* A queue that is full makes the host wait, so it is emptied after so many calls, outside of the time. */
enum { CALLS_BETWEEN_WAITS = 64, DEFAULT_CALLS = 2048 };

static grkan_status time_first(const bench_device *device, bench_call call, const void *context, bench_case *one)
{
    double start = grkan_milliseconds();
    grkan_status status = call(context, 0);
    if (status == GRKAN_SUCCESS)
        status = grkan_device_synchronize(device->device);
    one->first_milliseconds = grkan_milliseconds() - start;
    return status;
}

grkan_status bench_host_time(const bench_device *device, bench_call call, const void *context, bench_effort effort,
                             bench_case *one)
{
    const int64_t calls = effort.repeats ? effort.repeats : DEFAULT_CALLS;
    double *samples = tool_allocate((size_t)calls * sizeof *samples);
    grkan_status status = grkan_device_synchronize(device->device); /* the tensors' values */
    if (status == GRKAN_SUCCESS)
        status = time_first(device, call, context, one);
    for (int64_t i = 0; i < calls && status == GRKAN_SUCCESS; i++) {
        double start = grkan_milliseconds();
        status = call(context, i + 1);
        samples[i] = 1e3 * (grkan_milliseconds() - start);
        if (status == GRKAN_SUCCESS && i % CALLS_BETWEEN_WAITS == CALLS_BETWEEN_WAITS - 1)
            status = grkan_device_synchronize(device->device);
    }
    if (status == GRKAN_SUCCESS)
        status = grkan_device_synchronize(device->device);
    one->host_microseconds = bench_summary(samples, (size_t)calls);
    free(samples);
    return status;
}

/** From nothing but the process to the first result, the making of tensors not counted. */
static double first_result(const bench_device *device, const bench_case *one)
{
    return device->open_milliseconds + one->plan_milliseconds + one->first_milliseconds;
}

void bench_host_row(text_table *to, const bench_device *device, const bench_case *one)
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

void bench_host_json(cJSON *to, const bench_device *device, const bench_case *one)
{
    bench_add_timing(to, "host_microseconds", &one->host_microseconds);
    report_add_measured(to, "plan_milliseconds", one->plan_milliseconds);
    cJSON_AddBoolToObject(to, "is_compiled", one->is_compiled);
    report_add_measured(to, "first_call_milliseconds", one->first_milliseconds);
    report_add_measured(to, "first_result_milliseconds", first_result(device, one));
    report_add_count(to, "workspace_bytes", one->workspace_bytes);
}
