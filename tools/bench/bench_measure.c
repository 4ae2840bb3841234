/* SPDX-License-Identifier: Apache-2.0 */
/** @file bench_measure.c @brief Timing with the device's own stopwatch, and the device's copy. */
#include <math.h>
#include <stdlib.h>

#include "bench.h"

/** A sample shorter than this is several calls, so that starting and stopping the watch does not count. */
static const double sample_milliseconds = 1.0;
/** Calls run at least this long before any counts: clocks rise, pages are mapped, code is in its caches. */
static const double warm_up_milliseconds = 20.0;
enum { FEWEST_SAMPLES = 5, MOST_SAMPLES = 1000, MOST_CALLS = 1 << 16 };

/** Time `calls` calls in a row. *number is the next call's and counts on. */
static grkan_status time_calls(grkan_device *device, bench_call call, const void *context, int64_t calls,
                               int64_t *number, double *milliseconds)
{
    grkan_status status = grkan_timer_start(device);
    for (int64_t i = 0; i < calls && status == GRKAN_SUCCESS; i++)
        status = call(context, (*number)++);
    if (status != GRKAN_SUCCESS)
        return status;
    return grkan_timer_stop(device, milliseconds);
}

/** Run twice as many calls each time until they take long enough. @param each out: milliseconds of one call */
static grkan_status warm_up(grkan_device *device, bench_call call, const void *context, int64_t *number, double *each)
{
    double milliseconds = 0.0;
    int64_t calls = 1;
    grkan_status status = time_calls(device, call, context, calls, number, &milliseconds);
    while (status == GRKAN_SUCCESS) {
        status = time_calls(device, call, context, calls, number, &milliseconds);
        if (milliseconds >= warm_up_milliseconds || calls >= MOST_CALLS)
            break;
        calls *= 2;
    }
    *each = milliseconds / (double)calls;
    return status;
}

/** The whole number of times that `each` fits into `total`, rounded up, between low and high. */
static int64_t times_to_fill(double total, double each, int64_t low, int64_t high)
{
    if (each * (double)high <= total)
        return high;
    int64_t times = (int64_t)ceil(total / each);
    return times < low ? low : times;
}

static int compare_doubles(const void *left, const void *right)
{
    double a = *(const double *)left;
    double b = *(const double *)right;
    return (a > b) - (a < b);
}

bench_timing bench_summary(double *samples, size_t count)
{
    qsort(samples, count, sizeof *samples, compare_doubles);
    return (bench_timing){
        .min = samples[0],
        .median = 0.5 * (samples[(count - 1) / 2] + samples[count / 2]),
        .max = samples[count - 1],
    };
}

grkan_status bench_measure(grkan_device *device, bench_call call, const void *context, bench_effort effort,
                           bench_samples *samples)
{
    int64_t number = 0;
    double each = 0.0;
    grkan_status status = warm_up(device, call, context, &number, &each);
    if (status != GRKAN_SUCCESS)
        return status;
    int64_t calls = times_to_fill(sample_milliseconds, each, 1, MOST_CALLS);
    int64_t repeats = effort.repeats;
    if (repeats == 0)
        repeats = times_to_fill(effort.milliseconds, each * (double)calls, FEWEST_SAMPLES, MOST_SAMPLES);
    samples->values = tool_resize(samples->values, (samples->count + (size_t)repeats) * sizeof *samples->values);
    for (int64_t i = 0; i < repeats && status == GRKAN_SUCCESS; i++) {
        double milliseconds = 0.0;
        status = time_calls(device, call, context, calls, &number, &milliseconds);
        samples->values[samples->count++] = milliseconds / (double)calls;
    }
    return status;
}

/* ---------------------------------------------------------------------------------------------------------- copy */

static const uint64_t unknown_cache_bytes = UINT64_C(64) << 20;
static const uint64_t largest_working_set = UINT64_C(512) << 20; /* unless that is not twice the cache */
static const uint64_t smallest_copy_bytes = UINT64_C(256) << 20;
static const uint64_t largest_copy_bytes = UINT64_C(1) << 30;

size_t bench_working_set(const grkan_device_properties *properties)
{
    uint64_t cache = properties->cache_bytes ? properties->cache_bytes : unknown_cache_bytes;
    uint64_t bytes = 4 * cache > largest_working_set ? largest_working_set : 4 * cache;
    uint64_t room = properties->memory_bytes / 8;
    if (bytes < 2 * cache)
        bytes = 2 * cache;
    return (size_t)(room != 0 && bytes > room ? room : bytes);
}

/** Long enough for a GPU to reach its bandwidth, short enough for a CPU. */
static size_t copy_bytes(const grkan_device_properties *properties)
{
    uint64_t bytes = bench_working_set(properties);
    if (bytes < smallest_copy_bytes)
        bytes = smallest_copy_bytes;
    if (properties->is_gpu || bytes > largest_copy_bytes)
        bytes = largest_copy_bytes;
    uint64_t room = properties->memory_bytes / 8;
    return (size_t)(room != 0 && bytes > room ? room : bytes);
}

typedef struct copy_context {
    grkan_device *device;
    grkan_buffer to;
    grkan_buffer from;
    size_t bytes;
} copy_context;

static grkan_status call_copy(const void *context, int64_t number)
{
    const copy_context *copy = context;
    (void)number;
    return grkan_memory_copy(copy->device, copy->to, copy->from, copy->bytes);
}

grkan_status bench_measure_copy(bench_device *device, bench_effort effort)
{
    copy_context copy = {.device = device->device, .bytes = copy_bytes(&device->properties) / 256 * 256};
    grkan_status status = bench_random_memory(copy.device, GRKAN_F32, copy.bytes, 1, &copy.from);
    if (status == GRKAN_SUCCESS)
        status = grkan_memory_allocate(copy.device, copy.bytes, &copy.to.base);
    bench_samples samples = {NULL, 0};
    if (status == GRKAN_SUCCESS)
        status = bench_measure(copy.device, call_copy, &copy, effort, &samples);
    if (status == GRKAN_SUCCESS)
        device->copy_gb_per_s = 2.0 * (double)copy.bytes / bench_summary(samples.values, samples.count).median / 1e6;
    free(samples.values);
    grkan_memory_free(copy.device, copy.to.base);
    grkan_memory_free(copy.device, copy.from.base);
    return status;
}
