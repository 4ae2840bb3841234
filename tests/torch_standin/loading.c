/* SPDX-License-Identifier: Apache-2.0 */
/** @file loading.c @brief See loading.h. */
#include "loading.h"

#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

standin_state *pytorch;
torch_kernel (*kernel_of)(const char *name, const char *key);
torch_tensor *(*tensor_of)(int64_t dim, const int64_t *sizes, const int64_t *strides, int32_t dtype);
torch_status (*delete_tensor)(torch_tensor *tensor);
int (*set_determinism)(int determinism);

void find_function(void *library, const char *name, void *function)
{
    void *const found = library == NULL ? NULL : dlsym(library, name);
    if (found == NULL) {
        printf("no %s: %s\n", name, dlerror());
        exit(1);
    }
    memcpy(function, &found, sizeof found);
}

void load_operators(const char *operators, const char *standin_path)
{
    const char *(*register_operators)(void);
    standin_state *(*state_of)(void);
    void *library = dlopen(operators, RTLD_NOW | RTLD_LOCAL);
    find_function(library, "grkan_torch_register", &register_operators);
    find_function(library, "grkan_torch_set_determinism", &set_determinism);
    const char *const words = register_operators();
    if (words == NULL || strstr(words, "expected PyTorch 2.9 or later") == NULL) {
        printf("without PyTorch: \"%s\"\n", words == NULL ? "" : words);
        exit(1);
    }
    library = dlopen(standin_path, RTLD_NOW | RTLD_LOCAL);
    find_function(library, "standin", &state_of);
    find_function(library, "standin_kernel", &kernel_of);
    find_function(library, "standin_tensor", &tensor_of);
    find_function(library, "aoti_torch_delete_tensor_object", &delete_tensor);
    pytorch = state_of();
    if (register_operators() != NULL || register_operators() != NULL) {
        printf("with PyTorch: \"%s\"\n", register_operators());
        exit(1);
    }
}

bool call_with_numbers(const char *name, const char *key, torch_tensor *const *tensors, int count,
                       const uint64_t *numbers, int number_count, int results, torch_tensor **made)
{
    uint64_t values[16] = {0};
    for (int i = 0; i < count; ++i)
        values[i] = (uint64_t)(uintptr_t)tensors[i];
    memcpy(&values[count], numbers, (size_t)number_count * sizeof *numbers);
    pytorch->error[0] = '\0';
    kernel_of(name, key)(values, (uint64_t)(count + number_count), (uint64_t)results);
    for (int i = 0; i < results && pytorch->error[0] == '\0'; ++i)
        made[i] = (torch_tensor *)(uintptr_t)values[i];
    return pytorch->error[0] == '\0';
}

bool call_operator(const char *name, const char *key, torch_tensor *const *tensors, int count, int64_t form,
                   int64_t channel_dim, int results, torch_tensor **made)
{
    const uint64_t numbers[] = {(uint64_t)form, (uint64_t)channel_dim};
    return call_with_numbers(name, key, tensors, count, numbers, 2, results, made);
}

float value_of(int64_t n, int seed)
{
    return (float)((n * 37 + seed * 11) % 101) / 25.0f - 2.0f;
}

int64_t place_of(const torch_tensor *t, int64_t n)
{
    int64_t at = 0;
    for (int64_t i = t->dim - 1; i >= 0; --i) {
        at += n % t->sizes[i] * t->strides[i];
        n /= t->sizes[i];
    }
    return at;
}

int64_t count_of(const torch_tensor *t)
{
    int64_t count = 1;
    for (int64_t i = 0; i < t->dim; ++i)
        count *= t->sizes[i];
    return count;
}

torch_tensor *filled(int64_t dim, const int64_t *sizes, const int64_t *strides, int seed)
{
    torch_tensor *const t = tensor_of(dim, sizes, strides, STANDIN_F32);
    for (int64_t n = 0; n < count_of(t); ++n)
        ((float *)(void *)t->data)[place_of(t, n)] = value_of(n, seed);
    return t;
}
