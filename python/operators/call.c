/* SPDX-License-Identifier: Apache-2.0 */
/** @file call.c @brief What a call of an operator owns, and how it ends. */
#include "call.h"

#include <stdarg.h>
#include <stdio.h>

bool call_fail(call *c, grkan_status status, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    c->status = status;
    vsnprintf(c->words, sizeof c->words, format, arguments);
    va_end(arguments);
    return false;
}

bool call_fail_as_grkan(call *c, grkan_status status)
{
    return call_fail(c, status, "%s", grkan_last_error());
}

bool call_of_torch(call *c, torch_status status, const char *function)
{
    if (status == 0)
        return true;
    const char *const why = torch.torch_exception_get_what_without_backtrace != NULL
                                ? torch.torch_exception_get_what_without_backtrace()
                                : NULL;
    return call_fail(c, GRKAN_ERROR_DEVICE, "PyTorch's %s failed%s%.800s", function, why != NULL ? ": " : "",
                     why != NULL ? why : "");
}

static bool read_tensor(call *c, torch_tensor *handle, tensor *t)
{
    int64_t *sizes = NULL, *strides = NULL;
    t->handle = handle;
    const bool is_read =
        TORCH(c, aoti_torch_get_dim, handle, &t->dim) && TORCH(c, aoti_torch_get_sizes, handle, &sizes) &&
        TORCH(c, aoti_torch_get_strides, handle, &strides) && TORCH(c, aoti_torch_get_dtype, handle, &t->dtype) &&
        TORCH(c, aoti_torch_get_device_index, handle, &t->device_index) &&
        TORCH(c, aoti_torch_get_data_ptr, handle, &t->data);
    t->sizes = sizes;
    t->strides = strides;
    return is_read;
}

static bool read_known(call *c, torch_tensor *handle, tensor *t)
{
    return read_tensor(c, handle, t) &&
           (t->dim <= most_dimensions ||
            call_fail(c, GRKAN_ERROR_INVALID_ARGUMENT, "a tensor has %lld dimensions; expected at most %d",
                      (long long)t->dim, most_dimensions));
}

/** Own a tensor that PyTorch has made, and read it. */
static bool own(call *c, torch_tensor *handle, tensor *t)
{
    c->owned[c->count++] = handle;
    return read_known(c, handle, t);
}

bool call_take(call *c, const uint64_t *values, int count, tensor *tensors)
{
    for (int i = 0; c->read != NULL && i < count; ++i)
        tensors[i] = c->read[values[i]];
    for (int i = 0; c->read == NULL && i < count; ++i)
        c->owned[c->count++] = (torch_tensor *)(uintptr_t)values[i];
    for (int i = 0; c->read == NULL && i < count; ++i)
        if (!read_known(c, (torch_tensor *)(uintptr_t)values[i], &tensors[i]))
            return false;
    return true;
}

static bool make(call *c, int64_t dim, const int64_t *sizes, const int64_t *strides, int32_t dtype, const tensor *on,
                 torch_tensor **handle)
{
    return TORCH(c, aoti_torch_empty_strided, dim, sizes, strides, dtype,
                 c->is_gpu ? torch_number.cuda : torch_number.cpu, on->device_index, handle);
}

bool call_make(call *c, int64_t dim, const int64_t *sizes, const int64_t *strides, int32_t dtype, const tensor *on,
               tensor *made)
{
    torch_tensor *handle = NULL;
    return make(c, dim, sizes, strides, dtype, on, &handle) && own(c, handle, made);
}

/** Of what is made, only the address is not known: each question costs. */
bool call_make_like(call *c, const tensor *t, int32_t dtype, tensor *made)
{
    *made = *t;
    made->dtype = dtype;
    if (!make(c, t->dim, t->sizes, t->strides, dtype, t, &made->handle))
        return false;
    c->owned[c->count++] = made->handle;
    return TORCH(c, aoti_torch_get_data_ptr, made->handle, &made->data);
}

/** Copies need a handle. */
static bool may_copy(call *c)
{
    return c->read == NULL || call_fail(c, GRKAN_ERROR_UNSUPPORTED, "a tensor that was read already has to be copied");
}

bool call_clone(call *c, tensor *t)
{
    torch_tensor *copy = NULL;
    return may_copy(c) && TORCH(c, aoti_torch_clone, t->handle, &copy) && own(c, copy, t);
}

bool call_copy(call *c, const tensor *made, tensor *t)
{
    const bool is_copied = may_copy(c) && TORCH(c, aoti_torch_copy_, made->handle, t->handle, 0);
    *t = *made;
    return is_copied;
}

static bool is_result(const torch_tensor *owned, const tensor *results, int count)
{
    for (int i = 0; i < count; ++i)
        if (results[i].handle == owned)
            return true;
    return false;
}

void call_end(call *c, const char *operator, const tensor * results, int count, uint64_t *values)
{
    const int kept = c->status == GRKAN_SUCCESS ? count : 0;
    for (int i = 0; i < c->count; ++i)
        if (!is_result(c->owned[i], results, kept))
            (void)torch.aoti_torch_delete_tensor_object(c->owned[i]);
    for (int i = 0; i < kept; ++i)
        values[i] = (uint64_t)(uintptr_t)results[i].handle;
    if (c->status != GRKAN_SUCCESS && c->read == NULL) {
        char text[sizeof c->words + 64];
        snprintf(text, sizeof text, "%s [%s]", c->words, grkan_status_name(c->status));
        torch.aoti_torch_check(false, operator, "grkan", 0, text);
    }
}
