/* SPDX-License-Identifier: Apache-2.0 */
/** @file inputs.h @brief What the operators of family rational are given, checked, and the plan for it. */
#ifndef GRKAN_TORCH_INPUTS_H
#define GRKAN_TORCH_INPUTS_H

#include "plans.h"

/** An operator's tensors, and the numbers behind them. Begins with zeros. */
typedef struct inputs {
    tensor dy; /**< of backward */
    tensor x;
    tensor tables[GRKAN_MOST_TABLES]; /**< the function's, then the prologue's; one that there is not is empty */
    tensor mean, rstd;                /**< of backward of a norm */
    int64_t form;
    int64_t channel_dim;
    grkan_prologue prologue;
    double epsilon;
    grkan_output_dtype output; /**< of forward; backward takes dy's type */
    tensor y;                  /**< of forward: where the result goes; no handle: to be made */
    uint32_t frozen;
    bool writes_y;
    int table_count;    /**< of the operation; inputs_prepare sets it, as what follows */
    int32_t rows_dtype; /**< PyTorch's number of the type of the tables, and of mean and rstd */
    int32_t y_dtype;    /**< likewise, of y and dy */
} inputs;

bool inputs_is_norm(const inputs *in);

/** Check dy: whether it has x's shape, and its type if it must have. */
bool inputs_check_gradient(call *c, const inputs *in, bool is_one_type);

/** Check y after inputs_prepare: whether it lies as the result that would be made. */
bool inputs_check_result(call *c, const inputs *in);

/** Check the others, let x and the tables lie as kernels take them, and find the plan. @param found out, to release */
bool inputs_prepare(call *c, inputs *in, plan *found);

/** What is promised from now on: a grkan_determinism. */
void inputs_set_determinism(grkan_determinism determinism);

#endif
