/* SPDX-License-Identifier: Apache-2.0 */
/** @file registration.h @brief A table of operators, and its registration with PyTorch's dispatcher. */
#ifndef GRKAN_TORCH_REGISTRATION_H
#define GRKAN_TORCH_REGISTRATION_H

#include "call.h"

typedef struct torch_operator {
    const char *name;
    const char *schema;
    torch_kernel on_cpu;
    torch_kernel on_gpu;                        /**< CUDA's or ROCm's */
    void (*compute)(call *c, uint64_t *values); /**< what both do; NULL: no call but PyTorch's */
} torch_operator;

/**
 * Find PyTorch and register operators, for as long as the process lives; once for each table.
 * @param library what stands before "::" in their names
 * @return NULL, or a sentence about why that cannot be
 */
const char *torch_register(const char *library, const torch_operator *operators, int count);

#endif
