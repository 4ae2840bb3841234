/* SPDX-License-Identifier: Apache-2.0 */
/** @file bench.h @brief What the parts of grkan bench share: the request, the cases, their measurement, the report. */
#ifndef GRKAN_BENCH_H
#define GRKAN_BENCH_H

#include "check/data.h"
#include "common/json_report.h"
#include "common/operation_options.h"

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
    int64_t rounds;  /**< times that the whole list of cases is measured; their samples are taken together */
    int cpu_threads;
    int is_predicted; /**< 1: measure what the device reaches at best, too, and what follows for each case */
    int is_host_time; /**< 1: measure what the host spends on a call, not what the device does */
    int is_tuned;     /**< 1: try tunings instead, and keep the best */
    const char *json; /**< NULL: no JSON; "-": the standard output */
    int is_study;     /**< its own cases instead of what and passes */
    unsigned parts;   /**< bit (1 << study_part) for each part of the study */
} bench_request;

/** The parts of a study. */
typedef enum study_part {
    STUDY_TIMES = 0,   /**< forward and backward of the published models' layers */
    STUDY_LADDER,      /**< the strategies */
    STUDY_SIZES,       /**< growth with the tensor */
    STUDY_GROUPS,      /**< and with the number of groups */
    STUDY_DEGREES,     /**< and with the degrees */
    STUDY_DETERMINISM, /**< the levels of determinism */
    STUDY_ERRORS,      /**< rounding errors of the coefficient gradients */
    STUDY_PARTS
} study_part;

/** @return "times", ...; NULL for another value */
const char *study_part_name(int part);

/** How much to measure: so many samples, or with 0 so many milliseconds, but 5 samples at least. */
typedef struct bench_effort {
    int64_t repeats;
    double milliseconds;
} bench_effort;

/** Times of one call, of a unit that the name of the variable tells. */
typedef struct bench_timing {
    double min;
    double median;
    double max;
} bench_timing;

/** What a stopwatch showed, as often as it was asked: milliseconds of one call. */
typedef struct bench_samples {
    double *values;
    size_t count;
} bench_samples;

/** One row: what is measured, and what came out. */
typedef struct bench_case {
    grkan_operation operation;
    grkan_options options;
    bench_pass pass;
    const char *part;      /**< of a study; NULL outside */
    char *refusal;         /**< why the device does not do it; NULL when it was measured */
    bench_samples samples; /**< of all rounds */
    bench_timing milliseconds;
    grkan_pass_description cost; /**< by the library's IO model */
    double gb_per_s;
    double fraction_of_copy;
    double predicted_milliseconds; /**< 0: not predicted */
    double plan_milliseconds;      /**< of the host, to make the plan; likewise from here on */
    int is_compiled;               /**< 1: the kernels were compiled for it, 0: found in the cache or made beforehand */
    double first_milliseconds;     /**< of the first call until the device is done */
    bench_timing host_microseconds; /**< of a later call, which only enqueues */
    size_t workspace_bytes;
} bench_case;

/** How far the gradient of numerator or denominator is from exact sums, over all seeds. */
typedef struct study_error {
    double mean_absolute;    /**< mean of the absolute errors */
    double relative;         /**< mean of norm of the error / norm of the gradient */
    double largest_relative; /**< the largest of the seeds */
    double of_bound;         /**< the largest error as a fraction of its bound */
} study_error;

/** The rounding errors of one plan. */
typedef struct study_error_case {
    grkan_operation operation;
    grkan_options options;
    char *refusal; /**< as in bench_case */
    int seeds;
    study_error error[2]; /**< numerator, denominator */
} study_error_case;

typedef struct bench_kernels bench_kernels;
typedef struct bench_tuned bench_tuned;

/** A device with its cases. */
typedef struct bench_device {
    grkan_device *device;
    grkan_device_properties properties;
    double open_milliseconds; /**< of the host, to open it */
    double copy_gb_per_s;
    bench_case *cases;
    int case_count;
    bench_kernels *kernels; /**< see bench_ceilings.c */
    int kernels_count;
    study_error_case *errors;
    int error_count;
    bench_tuned *tuned; /**< see bench_tune.c; NULL: not asked for */
} bench_device;

/* bench_options.c */

/** Fill the request from the command line; a bad usage ends the program. Free request->selectors. */
void bench_parse(int argc, char **argv, bench_request *request);

/* bench_cases.c */

/** List the cases for a device whose properties are known, if they are not a study's. Free with bench_free_cases. */
void bench_list_cases(const bench_request *request, bench_device *device);

/** Append a case. */
void bench_add_case(bench_device *device, bench_case one);

/** Free what a case found out. */
void bench_free_case(bench_case *one);

void bench_free_cases(bench_device *device);

/* bench_measure.c */

/** One enqueued call; number counts up from 0, so that calls can rotate among sets of tensors. */
typedef grkan_status (*bench_call)(const void *context, int64_t number);

/** Warm up, then time a call and append what comes out. Free samples->values. */
grkan_status bench_measure(grkan_device *device, bench_call call, const void *context, bench_effort effort,
                           bench_samples *samples);

/** Least, middle and largest of count > 0 samples, which are sorted. */
bench_timing bench_summary(double *samples, size_t count);

/** Bytes that exceed the last-level cache four times (a very large one twice), yet leave most of the memory free. */
size_t bench_working_set(const grkan_device_properties *properties);

/** Measure the device's own copy into device->copy_gb_per_s, counting bytes read and written. */
grkan_status bench_measure_copy(bench_device *device, bench_effort effort);

/* bench_ceilings.c */

/** List the kernels that the cases have, each with the layers that its ceilings are measured on. */
void bench_list_kernels(bench_device *device);

/** How many layers those are, and one of them: to be measured as cases are. */
int bench_layer_count(const bench_device *device);
bench_case *bench_layer(bench_device *device, int index);

/** Predict every case from the layers. */
grkan_status bench_predict(bench_device *device);

void bench_free_kernels(bench_device *device);

/* bench_run.c */

/** How a case is measured once its tensors are there: fills in its part of the case. */
typedef grkan_status (*bench_measurement)(const bench_device *device, bench_call call, const void *context,
                                          bench_effort effort, bench_case *one);

/** Measure one case. A plan that the device refuses is a success that fills case->refusal. */
grkan_status bench_run_case(const bench_device *device, bench_case *one, bench_effort effort,
                            bench_measurement measure);

/** The device's own time, and how fast that is beside its copy. */
grkan_status bench_device_time(const bench_device *device, bench_call call, const void *context, bench_effort effort,
                               bench_case *one);

/* bench_host.c */

/** The host's time: of the first call until it is done, and of calls that only enqueue. */
grkan_status bench_host_time(const bench_device *device, bench_call call, const void *context, bench_effort effort,
                             bench_case *one);

/* bench_data.c */

/** Allocate bytes (a multiple of the element) and fill them with random values of about unit variance. */
grkan_status bench_random_memory(grkan_device *device, grkan_dtype dtype, size_t bytes, uint64_t seed,
                                 grkan_buffer *buffer);

/** Allocate table k of an operation: of a mild function, varied a little by row. */
grkan_status bench_table_memory(grkan_device *device, const grkan_operation *operation, int k, grkan_buffer *buffer);

/* bench_tune.c */

/** Before a minute is spent: make device->tuned. @return GRKAN_ERROR_UNSUPPORTED where the device has no tunings */
grkan_status bench_tune_begin(bench_device *device);

/** Find tunings for a device, print them, and keep them where that is possible. @return an error where nothing could be measured */
grkan_status bench_tune(bench_device *device, FILE *stream);

int bench_is_kept(const bench_device *device);

void bench_free_tuned(bench_device *device);

/** What was found, as the schema grkan-tuning/1 has it. */
cJSON *bench_json_of_tuning(const bench_device *device);

/* study_cases.c */

/** List the cases of the parts named, all but those of STUDY_ERRORS. Free with bench_free_cases. */
void study_list_cases(const bench_request *request, bench_device *device);

/* study_errors.c */

/** Measure the rounding errors of every strategy and type, into device->errors. */
grkan_status study_measure_errors(const bench_request *request, bench_device *device);

/* study_report.c */

/** Print the errors of a device; nothing where none were measured. */
void study_print_errors(const bench_device *device, FILE *stream);

/** The errors as the schema grkan-bench/1 has them: the array "errors". */
cJSON *study_json_of_errors(const bench_device *device);

/* bench_report.c */

/** Print a device's head line and its table. */
void bench_print_table(const bench_request *request, const bench_device *device, FILE *stream);

/** A device as the schema grkan-bench/1 or grkan-host-time/1 has it. */
cJSON *bench_json_of_device(const bench_request *request, const bench_device *device);

#endif
