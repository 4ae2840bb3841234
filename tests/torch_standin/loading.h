/* SPDX-License-Identifier: Apache-2.0 */
/** @file loading.h @brief What the tests share: the operators and the stand-in, loaded, and calls of operators. */
#ifndef GRKAN_TORCH_LOADING_H
#define GRKAN_TORCH_LOADING_H

#include <stdbool.h>

#include "standin.h"

/** Of the stand-in. */
extern standin_state *pytorch;
extern torch_kernel (*kernel_of)(const char *name, const char *key);
extern torch_tensor *(*tensor_of)(int64_t dim, const int64_t *sizes, const int64_t *strides, int32_t dtype);
extern torch_status (*delete_tensor)(torch_tensor *tensor);

/** Of the operators. */
extern int (*set_determinism)(int determinism);

/** Load the operators before PyTorch, which they say, then PyTorch; the test ends if anything of it fails. */
void load_operators(const char *operators, const char *standin_path);

/** The address of a library's function; the test ends if there is none. */
void find_function(void *library, const char *name, void *function);

/**
 * Call an operator of tensors, which are its own then, and numbers.
 * @param made out, its results
 * @return whether it threw nothing
 */
bool call_with_numbers(const char *name, const char *key, torch_tensor *const *tensors, int count,
                       const uint64_t *numbers, int number_count, int results, torch_tensor **made);

/** The same of (tensors, form, channel_dim). */
bool call_operator(const char *name, const char *key, torch_tensor *const *tensors, int count, int64_t form,
                   int64_t channel_dim, int results, torch_tensor **made);

/** A tensor of type f32 with values, which do not depend on how it lies. */
torch_tensor *filled(int64_t dim, const int64_t *sizes, const int64_t *strides, int seed);

/** The value of element n, in the order of indices; and where that lies. */
float value_of(int64_t n, int seed);
int64_t place_of(const torch_tensor *t, int64_t n);

int64_t count_of(const torch_tensor *t);

#endif
