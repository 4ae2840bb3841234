/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file runner.h
 * @brief One case on one device: run it, hold it against the oracle, and compare bits. Prints nothing.
 */
#ifndef GRKAN_CHECK_RUNNER_H
#define GRKAN_CHECK_RUNNER_H

#include "cases.h"
#include "data.h"

typedef enum check_outcome { CHECK_PASSED = 0, CHECK_FAILED, CHECK_SKIPPED } check_outcome;

/** How a case went. */
typedef struct check_report {
    check_outcome outcome;
    double worst;   /**< the largest error, as a fraction of its bound; 0 where nothing was compared */
    char text[400]; /**< of a failure: what is wrong, and the worst element; of a skip: the reason */
} check_report;

/** Run a case: sentinels, inputs, bounds, and where it is promised, the same bits a second time. */
void check_run(grkan_device *device, const check_case *one, check_report *report);

/**
 * Only run a case, and keep all outputs in results (free them with check_data_free).
 * @return false, with report filled in, when it was skipped or failed
 */
bool check_run_results(grkan_device *device, const check_case *one, check_data *results, check_report *report);

/** Compare two results of the same case bit for bit; a NaN equals any NaN. label says what was compared. */
void check_compare(const check_case *one, const check_data *first, const check_data *second, const char *label,
                   check_report *report);

/**
 * Run a case on two devices, which may be the same, with the options given, and compare the bits. What is frozen, and
 * whether backward writes y, is the case's.
 * @param first_options NULL for the case's own; likewise second_options
 */
void check_same_bits(grkan_device *first, const grkan_options *first_options, grkan_device *second,
                     const grkan_options *second_options, const check_case *one, const char *label,
                     check_report *report);

/** How results of the cpu may not depend on threads and instructions: check_cpu_variants of them. */
typedef struct check_variant {
    const char *label;
    grkan_options first, second;
} check_variant;

#define CHECK_CPU_VARIANTS 3
extern const check_variant check_cpu_variants[CHECK_CPU_VARIANTS];

#endif
