/* SPDX-License-Identifier: Apache-2.0 */
/** @file rational.h @brief The kernels of the operators of family rational, for the cpu and for GPUs. */
#ifndef GRKAN_TORCH_RATIONAL_H
#define GRKAN_TORCH_RATIONAL_H

#include "call.h"

/** y of (x, numerator, denominator, form, channel_dim). */
void rational_forward_on_cpu(uint64_t *values, uint64_t arguments, uint64_t results);
void rational_forward_on_gpu(uint64_t *values, uint64_t arguments, uint64_t results);

/** (dx, dnumerator, ddenominator) of (dy, x, numerator, denominator, form, channel_dim). */
void rational_backward_on_cpu(uint64_t *values, uint64_t arguments, uint64_t results);
void rational_backward_on_gpu(uint64_t *values, uint64_t arguments, uint64_t results);

/** What is promised from now on: a grkan_determinism. */
void rational_set_determinism(grkan_determinism determinism);

#endif
