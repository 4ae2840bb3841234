/* SPDX-License-Identifier: Apache-2.0 */
/** @file run.c @brief Forward and backward: every argument checked, then handed to the backend. */
#include "internal.h"

/** One argument as the checks see it. */
typedef struct tensor {
    const char *name;
    const grkan_buffer *buffer;
    int64_t bytes;
    size_t alignment;
} tensor;

enum { workspace_alignment = 16 };

static grkan_status check_tensor(const grkan_backend *backend, const tensor *t)
{
    if (t->bytes == 0)
        return GRKAN_SUCCESS;
    if (t->buffer->base == NULL)
        return grkan_fail(GRKAN_ERROR_INVALID_ARGUMENT, "%s.base is NULL; expected memory of %lld bytes", t->name,
                          (long long)t->bytes);
    uintptr_t address = backend->uses_pointers ? (uintptr_t)t->buffer->base : 0, end;
    size_t room = SIZE_MAX;
    if (backend->locate != NULL) {
        const grkan_status status = backend->locate(t->buffer->base, &address, &room);
        if (status != GRKAN_SUCCESS)
            return grkan_fail(status, "%s: %s", t->name, grkan_last_error());
    }
    if (__builtin_add_overflow(address, t->buffer->offset, &end) ||
        __builtin_add_overflow(end, (uintptr_t)t->bytes, &end))
        return grkan_fail(GRKAN_ERROR_INVALID_ARGUMENT, "%s.offset is %zu; it and %lld bytes overflow an address",
                          t->name, t->buffer->offset, (long long)t->bytes);
    if (t->buffer->offset > room || (uintptr_t)t->bytes > room - t->buffer->offset)
        return grkan_fail(GRKAN_ERROR_INVALID_ARGUMENT, "%s.base has %zu bytes; expected %lld from the offset %zu on",
                          t->name, room, (long long)t->bytes, t->buffer->offset);
    if ((address + t->buffer->offset) % t->alignment != 0)
        return grkan_fail(GRKAN_ERROR_INVALID_ARGUMENT, "%s is not aligned: base + offset must be a multiple of %zu",
                          t->name, t->alignment);
    return GRKAN_SUCCESS;
}

/** Where a tensor starts: an address, or an offset that means something within one base only. */
static uintptr_t start_of(const grkan_backend *backend, const tensor *t)
{
    return (backend->uses_pointers ? (uintptr_t)t->buffer->base : 0) + t->buffer->offset;
}

static bool overlap(const grkan_backend *backend, const tensor *a, const tensor *b)
{
    const uintptr_t first = start_of(backend, a), second = start_of(backend, b);
    if (a->bytes == 0 || b->bytes == 0 || (!backend->uses_pointers && a->buffer->base != b->buffer->base))
        return false;
    return first < second + (uintptr_t)b->bytes && second < first + (uintptr_t)a->bytes;
}

/**
 * Check all arguments: inputs first, then outputs. An output may be exactly one of the first in_place inputs if it is
 * the first output; no other overlap with an output is allowed.
 */
static grkan_status check_all(const grkan_backend *backend, const tensor *tensors, int inputs, int outputs,
                              int in_place)
{
    const tensor *output = tensors + inputs;
    for (int i = 0; i < inputs + outputs; ++i) {
        const grkan_status status = check_tensor(backend, &tensors[i]);
        if (status != GRKAN_SUCCESS)
            return status;
    }
    for (int i = 0; i < outputs; ++i) {
        for (int j = 0; j < inputs + i; ++j) {
            if (!overlap(backend, &output[i], &tensors[j]))
                continue;
            const bool same = start_of(backend, &output[i]) == start_of(backend, &tensors[j]);
            if (i == 0 && j < in_place && same)
                continue;
            return grkan_fail(
                GRKAN_ERROR_INVALID_ARGUMENT, "%s overlaps %s; expected %s", output[i].name, tensors[j].name,
                i == 0 && j < in_place ? "the same memory exactly (in place), or none of it" : "memory of its own");
        }
    }
    return GRKAN_SUCCESS;
}

static grkan_status check_stream(const grkan_plan *plan, void *stream)
{
    const grkan_backend *backend = plan->device->backend;
    return stream == NULL || backend->check_stream == NULL ? GRKAN_SUCCESS
                                                           : backend->check_stream(plan->device->state, stream);
}

/** The tensors of one call: all inputs first, then all outputs. Begins empty: most of the list is never touched. */
typedef struct tensors {
    int inputs, outputs;
    tensor list[4 + 2 * GRKAN_MOST_TABLES]; /* x, dy, tables; result, gradients, workspace */
} tensors;

static int64_t tensor_bytes(const grkan_operation *o)
{
    return grkan_operation_elements(o) * (int64_t)grkan_dtype_bytes(o->dtype);
}

static int64_t table_bytes(const grkan_operation *o, const grkan_table *table)
{
    return table->rows * table->width * (int64_t)grkan_coefficient_bytes(o->dtype);
}

static void add_input(tensors *t, tensor input)
{
    t->list[t->inputs++] = input;
}

/** After all inputs. */
static void add_output(tensors *t, tensor output)
{
    t->list[t->inputs + t->outputs++] = output;
}

static tensor table_of(const grkan_plan_data *data, int32_t index, const char *name, const grkan_buffer *buffer)
{
    return (tensor){name, buffer, table_bytes(&data->operation, &data->tables[index]),
                    grkan_coefficient_bytes(data->operation.dtype)};
}

/** x, dy where there is one, and the tables. */
static void add_inputs(const grkan_plan_data *data, const grkan_call *call, bool is_backward, tensors *t)
{
    const grkan_operation *o = &data->operation;
    const size_t element = grkan_dtype_bytes(o->dtype);
    add_input(t, (tensor){"x", &call->x, tensor_bytes(o), element});
    if (is_backward)
        add_input(t, (tensor){"dy", &call->dy, tensor_bytes(o), element});
    for (int32_t k = 0; k < data->table_count; ++k)
        add_input(t, table_of(data, k, data->tables[k].name, &call->tables[k]));
}

grkan_status grkan_forward(const grkan_plan *plan, const grkan_forward_arguments *arguments, void *stream)
{
    if (plan == NULL)
        return grkan_fail(GRKAN_ERROR_INVALID_ARGUMENT, "plan is NULL; expected a plan");
    if (arguments == NULL)
        return grkan_fail(GRKAN_ERROR_INVALID_ARGUMENT, "arguments is NULL; expected the tensors of forward");
    const grkan_backend *backend = plan->device->backend;
    const grkan_operation *o = &plan->data.operation;
    const grkan_call call = {
        .x = arguments->x, .result = arguments->y, .tables = {arguments->numerator, arguments->denominator}};
    tensors all;
    all.inputs = all.outputs = 0;
    add_inputs(&plan->data, &call, false, &all);
    add_output(&all, (tensor){"y", &call.result, tensor_bytes(o), grkan_dtype_bytes(o->dtype)});
    grkan_status status = check_all(backend, all.list, all.inputs, all.outputs, 1);
    if (status == GRKAN_SUCCESS)
        status = check_stream(plan, stream);
    if (status != GRKAN_SUCCESS || tensor_bytes(o) == 0)
        return status;
    return backend->forward(plan->program, &plan->data, &call, stream);
}

grkan_status grkan_backward(const grkan_plan *plan, const grkan_backward_arguments *arguments, void *stream)
{
    if (plan == NULL)
        return grkan_fail(GRKAN_ERROR_INVALID_ARGUMENT, "plan is NULL; expected a plan");
    if (arguments == NULL)
        return grkan_fail(GRKAN_ERROR_INVALID_ARGUMENT, "arguments is NULL; expected the tensors of backward");
    if (arguments->accumulation != GRKAN_OVERWRITE && arguments->accumulation != GRKAN_ADD)
        return grkan_fail(GRKAN_ERROR_INVALID_ARGUMENT,
                          "arguments.accumulation is %d; expected GRKAN_OVERWRITE or GRKAN_ADD",
                          (int)arguments->accumulation);
    const grkan_backend *backend = plan->device->backend;
    const grkan_plan_data *data = &plan->data;
    const grkan_operation *o = &data->operation;
    const grkan_call call = {.x = arguments->x,
                             .dy = arguments->dy,
                             .result = arguments->dx,
                             .tables = {arguments->numerator, arguments->denominator},
                             .gradients = {arguments->dnumerator, arguments->ddenominator},
                             .workspace = data->workspace_bytes > 0 ? arguments->workspace : (grkan_buffer){NULL, 0},
                             .add = arguments->accumulation == GRKAN_ADD};
    if (arguments->workspace_bytes < data->workspace_bytes)
        return grkan_fail(GRKAN_ERROR_INVALID_ARGUMENT,
                          "arguments.workspace_bytes is %zu; expected at least %zu (grkan_plan_workspace_bytes)",
                          arguments->workspace_bytes, data->workspace_bytes);
    tensors all;
    all.inputs = all.outputs = 0;
    add_inputs(data, &call, true, &all);
    add_output(&all, (tensor){"dx", &call.result, tensor_bytes(o), grkan_dtype_bytes(o->dtype)});
    for (int32_t k = 0; k < data->table_count; ++k)
        add_output(&all, table_of(data, k, data->tables[k].gradient, &call.gradients[k]));
    add_output(&all, (tensor){"workspace", &call.workspace, (int64_t)data->workspace_bytes, workspace_alignment});
    grkan_status status = check_all(backend, all.list, all.inputs, all.outputs, 2);
    if (status == GRKAN_SUCCESS)
        status = check_stream(plan, stream);
    if (status != GRKAN_SUCCESS)
        return status;
    return backend->backward(plan->program, data, &call, stream);
}
