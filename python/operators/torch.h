/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file torch.h
 * @brief PyTorch as the operators see it: the functions that they call, found in the PyTorch that is loaded.
 */
#ifndef GRKAN_TORCH_H
#define GRKAN_TORCH_H

#include <stddef.h>
#include <stdint.h>

typedef struct torch_tensor torch_tensor;
typedef struct torch_library torch_library;
typedef int32_t torch_status;

/**
 * An operator's kernel. `values` holds its arguments, a tensor as its handle and an integer as it is, and takes its results.
 * The kernel deletes the tensors that it is given, and hands over those that it gives; where it throws, it gives none.
 */
typedef void (*torch_kernel)(uint64_t *values, uint64_t arguments, uint64_t results);

/** The functions of the list, by their names. Optional ones may be NULL. */
typedef struct torch_functions {
#define FUNCTION(result, name, arguments) result(*name) arguments;
#include "torch_functions.h"
} torch_functions;

/** PyTorch's numbers of types of elements and devices: those of ROCm's GPUs are CUDA's. */
typedef struct torch_numbers {
    int32_t float32;
    int32_t float16;
    int32_t bfloat16;
    int32_t float64;
    int32_t uint8;
    int32_t cpu;
    int32_t cuda;
} torch_numbers;

/** Filled in by torch_find; not before, and once. */
extern torch_functions torch;
extern torch_numbers torch_number;

/** "cuda" or "hip": whose GPUs PyTorch calls "cuda". Of torch_find, too. */
extern const char *torch_gpu_backend;

/** Find PyTorch's functions. @return NULL, or why that cannot be: a sentence that lasts until the next call */
const char *torch_find(void);

#endif
