/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file predict.h
 * @brief What the passes of a plan should take, from what a device reaches at best. Errors are reported as grkan.h says.
 */
#ifndef GRKAN_PREDICT_H
#define GRKAN_PREDICT_H

#include <grkan/grkan.h>

#ifdef __cplusplus
extern "C" {
#endif

/** What one pass reaches on a device at best, in seconds, with kernels of one kind (types, strategy, determinism). */
typedef struct grkan_pass_ceilings {
    double launch;  /**< a call on one row */
    double block;   /**< what each further block adds */
    double element; /**< an element of KAT's function, degrees (5, 4) under GRKAN_ABS_TERMS, its memory included */
    double flop;    /**< of an element that has more flops than that, or fewer; 0 where arithmetic costs nothing */
} grkan_pass_ceilings;

/** What a device reaches at best: what a prediction starts from. `grkan bench --predict` measures it; see docs/study.md. */
typedef struct grkan_ceilings {
    double byte; /**< seconds of a byte that a copy within the device reads or writes */
    grkan_pass_ceilings forward;
    grkan_pass_ceilings backward;
} grkan_ceilings;

/** What the cost model says of one pass, in seconds: launch and elements together are what the pass should take. */
typedef struct grkan_pass_prediction {
    double launch;   /**< the call on a tensor of one row, and what each further block adds */
    double elements; /**< the elements, at the pace that these kernels keep on this device */
    double memory;   /**< for comparison: the necessary bytes at the pace of a copy within the device */
} grkan_pass_prediction;

/** See grkan_plan_predict. */
typedef struct grkan_prediction {
    grkan_pass_prediction forward;
    grkan_pass_prediction backward;
} grkan_prediction;

/**
 * Predict what the passes of a plan take, from what the device reaches at best with its kind of kernels. Nothing is
 * measured or run. See docs/study.md for the model and for how well it does.
 * @param ceilings   not NULL; finite seconds, 0 or more
 * @param prediction out, not NULL
 */
GRKAN_API grkan_status grkan_plan_predict(const grkan_plan *plan, const grkan_ceilings *ceilings,
                                          grkan_prediction *prediction);

#ifdef __cplusplus
}
#endif

#endif
