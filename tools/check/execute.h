/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file execute.h
 * @brief Running a case on a device, with sentinels around every tensor.
 */
#ifndef GRKAN_CHECK_EXECUTE_H
#define GRKAN_CHECK_EXECUTE_H

#include "data.h"

#define EXECUTE_TEXT 256

/** Memory of a device with sentinels before and after it. */
typedef struct execute_slot {
    void *base;
    size_t offset; /**< of the tensor */
    size_t bytes;  /**< of the tensor */
} execute_slot;

/** A case on a device: its plan and its memory. */
typedef struct execution {
    grkan_device *device;
    const check_case *one;
    const check_data *data;
    grkan_plan *plan;
    execute_slot slots[CHECK_TENSORS];
    execute_slot workspace;
    const check_data *forward; /**< results of the last forward, whose mean and rstd backward reads */
    bool shows_frozen;         /**< backward gets memory for what is frozen, to see that it is not written; else NULL */
    char text[EXECUTE_TEXT];   /**< what went wrong */
} execution;

/**
 * Make the plan and take the memory.
 * @param data the case's inputs; they must outlive the execution
 * @return what grkan_plan_create or the memory functions return; on an error the execution holds only its text
 */
grkan_status execute_begin(execution *run, grkan_device *device, const check_case *one, const check_data *data);

/**
 * Run forward and download y, mean and rstd (allocated here, into results->tensor, which backward reads). false, with text: a
 * call failed, a sentinel was overwritten, or an input changed.
 */
bool execute_forward(execution *run, check_data *results);

/** Run forward without memory for mean and rstd, and download y. Before execute_forward, which backward needs. */
bool execute_inference(execution *run, check_data *results);

/** Likewise backward, after execute_forward: all its outputs. May be repeated; the workspace is zeroed only once. */
bool execute_backward(execution *run, check_data *results);

/** Give everything back. */
void execute_end(execution *run);

#endif
