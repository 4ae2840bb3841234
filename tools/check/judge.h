/* SPDX-License-Identifier: Apache-2.0 */
/** @file judge.h @brief Comparing what a device gave with the oracle, and with what another device gave. */
#ifndef GRKAN_CHECK_JUDGE_H
#define GRKAN_CHECK_JUDGE_H

#include "data.h"

/** The element that is worst: its error is the largest part of its bound, or beyond it. */
typedef struct judge_worst {
    check_tensor tensor;
    int64_t index;
    long double got, want, bound;
    long double fraction; /**< as of judge_number; infinite where a NaN or an infinity is missing or out of place */
    int64_t open;         /**< elements of which the oracle could say nothing */
} judge_worst;

/**
 * Hold a number against what the oracle wants of it, stored as dtype.
 * @param bound out: the oracle's and what storing adds to it
 * @return the error that storing does not explain, as a fraction of the oracle's bound: above 1 is a miss; < 0 where
 *         anything goes
 */
long double judge_number(grkan_dtype dtype, oracle_number want, long double got, long double *bound);

/**
 * The longest chain of additions on the path of one element to the sum of `elements` of the tensor's: the sum is then
 * within so many unit roundoffs of the sum of the absolute values.
 */
long double judge_chain(const grkan_plan_description *plan, int64_t elements);

/**
 * Hold the results of a case against the oracle.
 * @param plan  says how many additions follow one another
 * @param worst out: the worst element over all outputs
 * @return false when memory ran out
 */
bool judge_results(const check_case *one, const check_data *data, const check_data *results,
                   const grkan_plan_description *plan, judge_worst *worst);

/** First element in which two arrays differ in their bits, any NaN being any other; -1 if none does. */
int64_t judge_bits(grkan_dtype dtype, int64_t count, const void *first, const void *second);

/** Continue a digest by the bits of all results, after making one NaN of every NaN among them. */
uint64_t judge_digest(const check_case *one, check_data *results, uint64_t digest);

#endif
