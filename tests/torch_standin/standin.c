/* SPDX-License-Identifier: Apache-2.0 */
/** @file standin.c @brief See standin.h. Built with LATEST, it has the optional functions, too. */
#include "standin.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define EXPORTED __attribute__((visibility("default")))

/* The functions are declared by the list, so that none has other arguments. */
#define FUNCTION(result, name, arguments) EXPORTED result name arguments;
#include "../../python/operators/torch_functions.h"

EXPORTED standin_state *standin(void)
{
    static standin_state state;
    return &state;
}

/* ---------------------------------------------------------------------------------------------------- failures */

/** @return the status of a call that may fail */
static torch_status attempt(const char *function)
{
    standin_state *const s = standin();
    s->calls += 1;
    if (s->calls != s->fails_at)
        return 0;
    snprintf(s->failed, sizeof s->failed, "%s", function);
    return 1;
}

#define ATTEMPT                                                                                                        \
    if (attempt(__func__) != 0)                                                                                        \
        return 1;

void aoti_torch_check(_Bool is_good, const char *function, const char *file, uint32_t line, const char *text)
{
    standin_state *const s = standin();
    (void)file, (void)line;
    if (is_good)
        return;
    snprintf(s->thrower, sizeof s->thrower, "%s", function);
    snprintf(s->error, sizeof s->error, "%s", text);
}

/* ----------------------------------------------------------------------------------------------------- tensors */

#define NUMBER(function, value)                                                                                        \
    int32_t function(void)                                                                                             \
    {                                                                                                                  \
        return value;                                                                                                  \
    }
NUMBER(aoti_torch_dtype_float32, STANDIN_F32)
NUMBER(aoti_torch_dtype_float16, STANDIN_F16)
NUMBER(aoti_torch_dtype_bfloat16, STANDIN_BF16)
NUMBER(aoti_torch_dtype_float64, STANDIN_F64)
NUMBER(aoti_torch_dtype_uint8, STANDIN_UINT8)
NUMBER(aoti_torch_device_type_cpu, STANDIN_CPU)
NUMBER(aoti_torch_device_type_cuda, STANDIN_CUDA)

static size_t element_of(int32_t dtype)
{
    return dtype == STANDIN_F64                             ? 8
           : dtype == STANDIN_F32 || dtype == STANDIN_INT32 ? 4
           : dtype == STANDIN_UINT8                         ? 1
                                                            : 2;
}

static int64_t count_of(const torch_tensor *t)
{
    int64_t count = 1;
    for (int64_t i = 0; i < t->dim; ++i)
        count *= t->sizes[i];
    return count;
}

EXPORTED torch_tensor *standin_tensor(int64_t dim, const int64_t *sizes, const int64_t *strides, int32_t dtype)
{
    torch_tensor *const t = calloc(1, sizeof *t);
    int64_t last = 0;
    t->dim = dim;
    t->dtype = dtype;
    t->device_type = STANDIN_CPU;
    t->device_index = -1;
    for (int64_t i = 0; i < dim; ++i) {
        t->sizes[i] = sizes[i];
        t->strides[i] = strides[i];
        last += sizes[i] > 0 ? (sizes[i] - 1) * strides[i] : 0;
    }
    t->bytes = count_of(t) > 0 ? (size_t)(last + 1) * element_of(dtype) : 0;
    t->data = t->bytes > 0 ? aligned_alloc(64, (t->bytes + 63) / 64 * 64) : NULL;
    if (t->bytes > 0)
        memset(t->data, 0xff, t->bytes); /* NaN, and no zero */
    standin()->alive += 1;
    return t;
}

torch_status aoti_torch_delete_tensor_object(torch_tensor *tensor)
{
    standin()->alive -= 1;
    free(tensor->data);
    free(tensor);
    return 0;
}

#define READ(function, type, value)                                                                                    \
    torch_status function(torch_tensor *tensor, type *to)                                                              \
    {                                                                                                                  \
        ATTEMPT                                                                                                        \
        *to = value;                                                                                                   \
        return 0;                                                                                                      \
    }
READ(aoti_torch_get_dim, int64_t, tensor->dim)
READ(aoti_torch_get_sizes, int64_t *, tensor->sizes)
READ(aoti_torch_get_strides, int64_t *, tensor->strides)
READ(aoti_torch_get_dtype, int32_t, tensor->dtype)
READ(aoti_torch_get_device_index, int32_t, tensor->device_index)
READ(aoti_torch_get_data_ptr, void *, tensor->data)

torch_status aoti_torch_empty_strided(int64_t dim, const int64_t *sizes, const int64_t *strides, int32_t dtype,
                                      int32_t device_type, int32_t device_index, torch_tensor **made)
{
    ATTEMPT
    standin()->made += 1;
    *made = standin_tensor(dim, sizes, strides, dtype);
    (*made)->device_type = device_type;
    (*made)->device_index = device_index;
    return 0;
}

/** Elements one by one, in the order of indices. */
static void copy(const torch_tensor *to, const torch_tensor *from)
{
    const size_t element = element_of(to->dtype);
    for (int64_t n = 0; n < count_of(to); ++n) {
        int64_t rest = n, to_at = 0, from_at = 0;
        for (int64_t i = to->dim - 1; i >= 0; --i) {
            to_at += rest % to->sizes[i] * to->strides[i];
            from_at += rest % to->sizes[i] * from->strides[i];
            rest /= to->sizes[i];
        }
        memcpy(to->data + (size_t)to_at * element, from->data + (size_t)from_at * element, element);
    }
}

torch_status aoti_torch_copy_(torch_tensor *to, torch_tensor *from, int32_t is_non_blocking)
{
    ATTEMPT(void) is_non_blocking;
    copy(to, from);
    return 0;
}

/** Contiguous, which the real one's is only where the strides leave it open. */
torch_status aoti_torch_clone(torch_tensor *tensor, torch_tensor **made)
{
    int64_t strides[8], step = 1;
    ATTEMPT
    for (int64_t i = tensor->dim - 1; i >= 0; --i) {
        strides[i] = step;
        step *= tensor->sizes[i];
    }
    *made = standin_tensor(tensor->dim, tensor->sizes, strides, tensor->dtype);
    copy(*made, tensor);
    return 0;
}

torch_status aoti_torch_zero_(torch_tensor *tensor)
{
    ATTEMPT
    standin()->cleared += 1;
    memset(tensor->data, 0, tensor->bytes);
    return 0;
}

/* --------------------------------------------------------------------------------------------------- operators */

struct torch_library {
    char key[16];
};

static struct {
    char name[64];
    char key[16];
    torch_kernel kernel;
} kernels[32];

static torch_library *make_library(const char *key)
{
    torch_library *const library = calloc(1, sizeof *library); /* as the real one, it stays */
    snprintf(library->key, sizeof library->key, "%s", key);
    return library;
}

torch_status aoti_torch_library_init_fragment(const char *operators, const char *file, uint32_t line,
                                              torch_library **made)
{
    (void)operators, (void)file, (void)line;
    *made = make_library("");
    return 0;
}

torch_status aoti_torch_library_init_impl(const char *operators, const char *key, const char *file, uint32_t line,
                                          torch_library **made)
{
    (void)operators, (void)file, (void)line;
    *made = make_library(key);
    return 0;
}

torch_status aoti_torch_library_def(torch_library *library, const char *schema)
{
    standin_state *const s = standin();
    const size_t used = strlen(s->schemas);
    (void)library;
    snprintf(s->schemas + used, sizeof s->schemas - used, "%s\n", schema);
    return 0;
}

torch_status aoti_torch_library_impl(torch_library *library, const char *name, torch_kernel kernel)
{
    for (size_t i = 0; i < sizeof kernels / sizeof kernels[0]; ++i)
        if (kernels[i].kernel == NULL) {
            snprintf(kernels[i].name, sizeof kernels[i].name, "%s", name);
            snprintf(kernels[i].key, sizeof kernels[i].key, "%s", library->key);
            kernels[i].kernel = kernel;
            return 0;
        }
    return 1;
}

EXPORTED torch_kernel standin_kernel(const char *name, const char *key)
{
    for (size_t i = 0; i < sizeof kernels / sizeof kernels[0]; ++i)
        if (strcmp(kernels[i].name, name) == 0 && strcmp(kernels[i].key, key) == 0)
            return kernels[i].kernel;
    return NULL;
}

/* --------------------------------------------------------------------------------------------------- optional */

#ifdef LATEST
torch_status aoti_torch_get_current_cuda_stream(int32_t device_index, void **stream)
{
    ATTEMPT(void) device_index;
    *stream = standin()->stream;
    return 0;
}

int cudaStreamIsCapturing(void *stream, int *status)
{
    *status = stream == standin()->stream && standin()->is_capturing;
    return 0;
}

torch_status torch_get_num_threads(uint32_t *threads)
{
    ATTEMPT
    *threads = 2;
    return 0;
}

const char *torch_exception_get_what_without_backtrace(void)
{
    return "the stand-in was asked to fail";
}

torch_status torch_library_impl(torch_library *library, const char *name, torch_kernel kernel, uint64_t version)
{
    return version >> 56 == 2 ? aoti_torch_library_impl(library, name, kernel) : 1;
}

NUMBER(torch_tag_pt2_compliant_tag, 7)

torch_status torch_library_def_with_tags(torch_library *library, const char *schema, const int32_t *tags, int32_t count)
{
    return count == 1 && tags[0] == 7 ? aoti_torch_library_def(library, schema) : 1;
}
#endif
