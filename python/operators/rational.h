/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file rational.h
 * @brief The kernels of the operators of family rational, for the cpu and for GPUs. Those of prologues take tensors first and
 * second behind numerator and denominator, which are the bias, or scale and shift; numbers `prologue` and `output` are a
 * grkan_prologue and a grkan_output_dtype. A tensor that there is not, or that is not wanted, is an empty one.
 */
#ifndef GRKAN_TORCH_RATIONAL_H
#define GRKAN_TORCH_RATIONAL_H

#include "call.h"

/** y of (x, numerator, denominator, form, channel_dim). */
void rational_forward_on_cpu(uint64_t *values, uint64_t arguments, uint64_t results);
void rational_forward_on_gpu(uint64_t *values, uint64_t arguments, uint64_t results);

/** (dx, dnumerator, ddenominator) of (dy, x, numerator, denominator, form, channel_dim). */
void rational_backward_on_cpu(uint64_t *values, uint64_t arguments, uint64_t results);
void rational_backward_on_gpu(uint64_t *values, uint64_t arguments, uint64_t results);

/** y of (x, numerator, denominator, first, second, form, channel_dim, prologue, epsilon, output). */
void prologue_forward_on_cpu(uint64_t *values, uint64_t arguments, uint64_t results);
void prologue_forward_on_gpu(uint64_t *values, uint64_t arguments, uint64_t results);

/** (y, mean, rstd) of the same, with a norm; rms_norm has no mean. */
void norm_forward_on_cpu(uint64_t *values, uint64_t arguments, uint64_t results);
void norm_forward_on_gpu(uint64_t *values, uint64_t arguments, uint64_t results);

/** (dx, dnumerator, ddenominator, dfirst, dsecond, y) of (dy, x, numerator, denominator, first, second, mean, rstd, form,
    channel_dim, prologue, epsilon, wanted); wanted has a bit for each, 1 << 0 for dx. */
void prologue_backward_on_cpu(uint64_t *values, uint64_t arguments, uint64_t results);
void prologue_backward_on_gpu(uint64_t *values, uint64_t arguments, uint64_t results);

#endif
