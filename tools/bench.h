/* SPDX-License-Identifier: Apache-2.0 */
/** @file bench.h @brief What the parts of grkan bench share: the request, the cases, their measurement, the report. */
#ifndef GRKAN_BENCH_H
#define GRKAN_BENCH_H

#include "json_report.h"
#include "operation_options.h"
#include "text_table.h"

typedef enum bench_pass { BENCH_FORWARD = 0, BENCH_BACKWARD = 1 } bench_pass;

/** @return "forward" or "backward"; NULL for another value */
const char *bench_pass_name(bench_pass pass);

/** What the command line asks for. */
typedef struct bench_request {
    const char **selectors; /**< at least one; NULL in it is the default device */
    int selector_count;
    operation_request what;
    unsigned passes; /**< bit (1 << bench_pass) for each that was named; 0: both */
    int64_t repeats; /**< 0: as many as fit into about half a second */
    int cpu_threads;
    int is_host_time; /**< 1: measure what the host spends on a call, not what the device does */
    const char *json; /**< NULL: no JSON; "-": the standard output */
} bench_request;

/** Times of one call, of a unit that the name of the variable tells. */
typedef struct bench_timing {
    double min;
    double median;
    double max;
} bench_timing;

/** One row: what is measured, and what came out. */
typedef struct bench_case {
    grkan_operation operation;
    grkan_options options;
    bench_pass pass;
    char *refusal; /**< why the device does not do it; NULL when it was measured */
    bench_timing milliseconds;
    uint64_t bytes; /**< that the pass must move */
    double gb_per_s;
    double fraction_of_copy;
    double predicted_milliseconds;
    double plan_milliseconds;  /**< of the host, to make the plan; likewise from here on */
    int is_compiled;           /**< 1: the kernels were compiled for it, 0: found in the cache or made beforehand */
    double first_milliseconds; /**< of the first call until the device is done */
    bench_timing host_microseconds; /**< of a later call, which only enqueues */
    size_t workspace_bytes;
} bench_case;

/** A device with its cases. */
typedef struct bench_device {
    grkan_device *device;
    grkan_device_properties properties;
    double open_milliseconds; /**< of the host, to open it */
    double copy_gb_per_s;
    bench_case *cases;
    int case_count;
} bench_device;

/* bench_options.c */

/** Fill the request from the command line; a bad usage ends the program. Free request->selectors. */
void bench_parse(int argc, char **argv, bench_request *request);

/* bench_cases.c */

/** Make the list of cases for a device whose properties are known. Free with bench_free_cases. */
void bench_list_cases(const bench_request *request, bench_device *device);

void bench_free_cases(bench_device *device);

/* bench_measure.c */

/** One enqueued call; number counts up from 0, so that calls can rotate among sets of tensors. */
typedef grkan_status (*bench_call)(const void *context, int64_t number);

/** Warm up, then time a call. repeats 0: as many samples as fit into about half a second, at least 5. */
grkan_status bench_measure(grkan_device *device, bench_call call, const void *context, int64_t repeats,
                           bench_timing *timing);

/** Least, middle and largest of count > 0 samples, which are sorted. */
bench_timing bench_summary(double *samples, size_t count);

/** Bytes that exceed the last-level cache four times, yet leave most of the memory free. */
size_t bench_working_set(const grkan_device_properties *properties);

/** Measure the device's own copy into device->copy_gb_per_s, counting bytes read and written. */
grkan_status bench_measure_copy(bench_device *device, int64_t repeats);

/* bench_run.c */

/** How a case is measured once its tensors are there: fills in its part of the case. */
typedef grkan_status (*bench_measurement)(const bench_device *device, bench_call call, const void *context,
                                          int64_t repeats, bench_case *one);

/** Measure one case. A plan that the device refuses is a success that fills case->refusal. */
grkan_status bench_run_case(const bench_device *device, bench_case *one, int64_t repeats, bench_measurement measure);

/** The device's own time, and how fast that is beside its copy. */
grkan_status bench_device_time(const bench_device *device, bench_call call, const void *context, int64_t repeats,
                               bench_case *one);

/* bench_host.c */

/** Milliseconds of a clock that only runs forward. */
double bench_clock(void);

/** The host's time: of the first call until it is done, and of calls that only enqueue. */
grkan_status bench_host_time(const bench_device *device, bench_call call, const void *context, int64_t repeats,
                             bench_case *one);

/** What a case found by bench_host_time adds to its row and to its JSON. */
void bench_host_row(text_table *to, const bench_device *device, const bench_case *one);
void bench_host_json(cJSON *to, const bench_device *device, const bench_case *one);

/* bench_data.c */

/** Allocate bytes (a multiple of the element) and fill them with random values of about unit variance. */
grkan_status bench_random_memory(grkan_device *device, grkan_dtype dtype, size_t bytes, uint64_t seed, void **base);

/** Allocate zero bytes; with bytes 0, base is NULL. */
grkan_status bench_zero_memory(grkan_device *device, size_t bytes, void **base);

/** Allocate rows of coefficients of a mild function: row[i] = scale / (first_power + i)!, varied a little by row. */
grkan_status bench_coefficient_memory(grkan_device *device, grkan_dtype dtype, int64_t rows, int columns,
                                      int first_power, double scale, void **base);

/* bench_report.c */

/** Print a device's head line and its table. */
void bench_print_table(const bench_request *request, const bench_device *device, FILE *stream);

/** Add a timing as an object of its own. */
void bench_add_timing(cJSON *to, const char *name, const bench_timing *timing);

/** A device as the schema grkan-bench/1 or grkan-host-time/1 has it. */
cJSON *bench_json_of_device(const bench_request *request, const bench_device *device);

#endif
