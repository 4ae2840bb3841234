/* SPDX-License-Identifier: Apache-2.0 */
/** @file bench_host.c @brief What the host spends: on opening, planning, the first result, and each later call. */
#include <stdlib.h>

#include "bench.h"
#include "../../core/platform/platform.h"

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
