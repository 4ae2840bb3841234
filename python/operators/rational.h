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

/** The kernels of an operator: for any call, and as PyTorch calls them for the cpu and for GPUs. */
#define RATIONAL_KERNELS(name)                                                                                         \
    void name(call *c, uint64_t *values);                                                                              \
    void name##_on_cpu(uint64_t *values, uint64_t arguments, uint64_t results);                                        \
    void name##_on_gpu(uint64_t *values, uint64_t arguments, uint64_t results);

/** y of (x, numerator, denominator, form, channel_dim). */
RATIONAL_KERNELS(rational_forward)

/** (dx, dnumerator, ddenominator) of (dy, x, numerator, denominator, form, channel_dim). */
RATIONAL_KERNELS(rational_backward)

/** y of (x, numerator, denominator, first, second, form, channel_dim, prologue, epsilon, output). */
RATIONAL_KERNELS(prologue_forward)

/** (y, mean, rstd) of the same, with a norm; rms_norm has no mean. */
RATIONAL_KERNELS(norm_forward)

/** (dx, dnumerator, ddenominator, dfirst, dsecond, y) of (dy, x, numerator, denominator, first, second, mean, rstd, form,
    channel_dim, prologue, epsilon, wanted); wanted has a bit for each, 1 << 0 for dx. */
RATIONAL_KERNELS(prologue_backward)

/** Nothing, of y and what follows in rational_forward and prologue_forward; y is as their result would be, and takes it. */
void rational_forward_into(call *c, uint64_t *values);
void prologue_forward_into(call *c, uint64_t *values);

#undef RATIONAL_KERNELS

#endif
