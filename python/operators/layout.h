/* SPDX-License-Identifier: Apache-2.0 */
/** @file layout.h @brief How a tensor lies in memory, and copies of it that lie as kernels take it. */
#ifndef GRKAN_TORCH_LAYOUT_H
#define GRKAN_TORCH_LAYOUT_H

#include "call.h"

/** Let t be a copy of it if its elements lie with gaps or overlap; any order of dimensions is left as it is. */
bool layout_make_dense(call *c, tensor *t);

/** Let t be a copy of it if it does not lie as `x` does, a dense tensor of its shape. */
bool layout_make_like(call *c, const tensor *x, tensor *t);

/** Let t be a copy of it if its last dimension is not the fastest one, and so on. */
bool layout_make_contiguous(call *c, tensor *t);

/** Make a tensor with a number for each row of a contiguous x, that is of x's sizes but the last. */
bool layout_make_rows(call *c, const tensor *x, int32_t dtype, tensor *made);

/** A dense tensor as grkan takes it: what lies slower than the channels, the channels, and what lies faster. */
void layout_of_channels(const tensor *t, int64_t channel, int64_t *outer, int64_t *channels, int64_t *inner);

#endif
