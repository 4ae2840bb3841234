/* SPDX-License-Identifier: Apache-2.0 */
/** @file run.c @brief Forward and backward: every argument checked, then handed to the backend. */
#include "internal.h"

/** One tensor of a call, as the checks see it. */
typedef struct tensor {
    const char *name;
    const grkan_buffer *buffer;
    int64_t bytes;
    size_t alignment;
    uintptr_t start;   /**< an address, or an offset that means something within one base only; once checked */
    uintptr_t end;     /**< behind the last byte; both are 0 without bytes, so that nothing overlaps it */
    unsigned in_place; /**< of an output; bit i: it may be input i exactly */
} tensor;

/** The tensors of one call: all inputs first, then all outputs. Begins empty: most of the list is never touched. */
typedef struct tensors {
    int inputs, outputs;
    int like_output;                        /* of the inputs, the first so many have the shape of the first output */
    tensor list[7 + 2 * GRKAN_MOST_TABLES]; /* x, dy, tables, mean, rstd; dx or y, y again, gradients, workspace */
} tensors;

enum { workspace_alignment = 16, of_x = 1 << 0, of_dy = 1 << 1 };

/* ------------------------------------------------------------------------------------------------------ one tensor */

/** Where the base of a tensor lies, and how many bytes there are from there on, as far as a backend tells. */
static grkan_status locate(const grkan_backend *backend, const tensor *t, uintptr_t *address, size_t *room)
{
    *address = backend->uses_pointers ? (uintptr_t)t->buffer->base : 0;
    *room = SIZE_MAX;
    if (backend->locate == NULL)
        return GRKAN_SUCCESS;
    const grkan_status status = backend->locate(t->buffer->base, address, room);
    return status == GRKAN_SUCCESS ? status : grkan_fail(status, "%s: %s", t->name, grkan_last_error());
}

/** Whether a tensor is right where buffers are pointers that tell no size: what a call of forward waits for. */
static inline bool is_right_pointer(tensor *t)
{
    const uintptr_t base = (uintptr_t)t->buffer->base, start = base + t->buffer->offset;
    t->start = start;
    t->end = start + (uintptr_t)t->bytes;
    return base != 0 && t->bytes > 0 && base <= start && start < t->end && (start & (t->alignment - 1)) == 0;
}

static grkan_status check_tensor(const grkan_backend *backend, tensor *t)
{
    uintptr_t address, end;
    size_t room;
    t->start = t->end = 0;
    if (t->bytes == 0)
        return GRKAN_SUCCESS;
    if (t->buffer->base == NULL)
        return grkan_fail(GRKAN_ERROR_INVALID_ARGUMENT, "%s.base is NULL; expected memory of %lld bytes", t->name,
                          (long long)t->bytes);
    const grkan_status status = locate(backend, t, &address, &room);
    if (status != GRKAN_SUCCESS)
        return status;
    if (__builtin_add_overflow(address, t->buffer->offset, &end) ||
        __builtin_add_overflow(end, (uintptr_t)t->bytes, &end))
        return grkan_fail(GRKAN_ERROR_INVALID_ARGUMENT, "%s.offset is %zu; it and %lld bytes overflow an address",
                          t->name, t->buffer->offset, (long long)t->bytes);
    if (t->buffer->offset > room || (uintptr_t)t->bytes > room - t->buffer->offset)
        return grkan_fail(GRKAN_ERROR_INVALID_ARGUMENT, "%s.base has %zu bytes; expected %lld from the offset %zu on",
                          t->name, room, (long long)t->bytes, t->buffer->offset);
    if (((address + t->buffer->offset) & (t->alignment - 1)) != 0)
        return grkan_fail(GRKAN_ERROR_INVALID_ARGUMENT, "%s is not aligned: base + offset must be a multiple of %zu",
                          t->name, t->alignment);
    t->start = (backend->uses_pointers ? address : 0) + t->buffer->offset;
    t->end = t->start + (uintptr_t)t->bytes;
    return GRKAN_SUCCESS;
}

/* ----------------------------------------------------------------------------------------------------- all tensors */

static bool overlap(const grkan_backend *backend, const tensor *a, const tensor *b)
{
    return a->start < b->end && b->start < a->end && (backend->uses_pointers || a->buffer->base == b->buffer->base);
}

/** What the first output, or another, should not have overlapped so with an input, or with an output before it. */
static const char *expected_of(const tensors *all, int output, int other)
{
    const unsigned in_place = all->list[all->inputs + output].in_place;
    if (other < all->inputs && (in_place >> other & 1) != 0)
        return "the same memory exactly (in place), or none of it";
    return output == 0 && other < all->like_output ? "memory of its own, as their types differ" : "memory of its own";
}

/** Check all tensors: inputs first, then outputs. No overlap with an output is allowed, but for in place. */
static grkan_status check_all(const grkan_backend *backend, tensors *all)
{
    const tensor *const output = all->list + all->inputs;
    const bool are_pointers = backend->uses_pointers && backend->locate == NULL;
    for (int i = 0; i < all->inputs + all->outputs; ++i) {
        if (are_pointers && is_right_pointer(&all->list[i]))
            continue;
        const grkan_status status = check_tensor(backend, &all->list[i]);
        if (status != GRKAN_SUCCESS)
            return status;
    }
    for (int i = 0; i < all->outputs; ++i) {
        for (int j = 0; j < all->inputs + i; ++j) {
            const tensor *const other = &all->list[j];
            if (!overlap(backend, &output[i], other))
                continue;
            if (j < all->inputs && (output[i].in_place >> j & 1) != 0 && output[i].start == other->start)
                continue;
            return grkan_fail(GRKAN_ERROR_INVALID_ARGUMENT, "%s overlaps %s; expected %s", output[i].name, other->name,
                              expected_of(all, i, j));
        }
    }
    return GRKAN_SUCCESS;
}

static void add_input(tensors *all, const char *name, const grkan_buffer *buffer, int64_t bytes, size_t alignment)
{
    tensor *const t = &all->list[all->inputs++];
    t->name = name;
    t->buffer = buffer;
    t->bytes = bytes;
    t->alignment = alignment;
}

/** After all inputs. */
static void add_output(tensors *all, const char *name, const grkan_buffer *buffer, int64_t bytes, size_t alignment,
                       unsigned in_place)
{
    all->list[all->inputs + all->outputs++] =
        (tensor){.name = name, .buffer = buffer, .bytes = bytes, .alignment = alignment, .in_place = in_place};
}

/** Bytes of an output that a caller need not have. */
static int64_t optional(const grkan_buffer *buffer, int64_t bytes)
{
    return buffer->base != NULL ? bytes : 0;
}

/** x, dy where there is one, the tables, and the rows' statistics; y or dx, and y again. */
static void add_tensors(const grkan_plan *plan, const grkan_call *call, bool is_backward, tensors *all)
{
    const grkan_plan_data *const data = &plan->data;
    const bool is_one_type = data->operation.dtype == grkan_operation_output_dtype(&data->operation);
    all->inputs = all->outputs = 0;
    all->like_output = is_backward ? 2 : 1;
    add_input(all, "x", &call->x, plan->x_bytes, plan->x_element);
    if (is_backward)
        add_input(all, "dy", &call->dy, plan->y_bytes, plan->y_element);
    for (int32_t k = 0; k < data->table_count; ++k)
        add_input(all, data->tables[k].name, &call->tables[k], plan->table_bytes[k], plan->number_bytes);
    if (!is_backward) {
        add_output(all, "y", &call->result, plan->y_bytes, plan->y_element, is_one_type ? of_x : 0);
        if (plan->rstd_bytes > 0) {
            add_output(all, "mean", &call->mean, optional(&call->mean, plan->mean_bytes), plan->number_bytes, 0);
            add_output(all, "rstd", &call->rstd, optional(&call->rstd, plan->rstd_bytes), plan->number_bytes, 0);
        }
        return;
    }
    if (plan->rstd_bytes > 0) {
        add_input(all, "mean", &call->mean, plan->mean_bytes, plan->number_bytes);
        add_input(all, "rstd", &call->rstd, plan->rstd_bytes, plan->number_bytes);
    }
    add_output(all, "dx", &call->result, plan->dx_bytes, plan->x_element, is_one_type ? of_x | of_dy : of_x);
    if (plan->y_again_bytes > 0)
        add_output(all, "y", &call->y, plan->y_again_bytes, plan->y_element, of_dy);
}

static void add_gradients(const grkan_plan *plan, const grkan_call *call, tensors *all)
{
    const grkan_plan_data *const data = &plan->data;
    for (int32_t k = 0; k < data->table_count; ++k)
        add_output(all, data->tables[k].gradient, &call->gradients[k], plan->gradient_bytes[k], plan->number_bytes, 0);
    add_output(all, "workspace", &call->workspace, (int64_t)data->workspace_bytes, workspace_alignment, 0);
}

/* ------------------------------------------------------------------------------------------------------- the calls */

static grkan_status check_call(const grkan_plan *plan, tensors *all, void *stream)
{
    const grkan_backend *const backend = plan->device->backend;
    const grkan_status status = check_all(backend, all);
    return status != GRKAN_SUCCESS || stream == NULL || backend->check_stream == NULL
               ? status
               : backend->check_stream(plan->device->state, stream);
}

/** A buffer of the caller's, or none where the plan has none, so that a backend sees nothing that was not checked. */
static grkan_buffer present(const grkan_buffer *buffer, int64_t bytes)
{
    return bytes > 0 ? *buffer : (grkan_buffer){NULL, 0};
}

grkan_status grkan_forward(const grkan_plan *plan, const grkan_forward_arguments *arguments, void *stream)
{
    static const grkan_buffer none[GRKAN_MOST_TABLES];
    tensors all;
    if (plan == NULL)
        return grkan_fail(GRKAN_ERROR_INVALID_ARGUMENT, "plan is NULL; expected a plan");
    if (arguments == NULL)
        return grkan_fail(GRKAN_ERROR_INVALID_ARGUMENT, "arguments is NULL; expected the tensors of forward");
    const grkan_call call = {.x = arguments->x,
                             .result = arguments->y,
                             .tables = arguments->tables,
                             .gradients = none,
                             .mean = present(&arguments->mean, plan->mean_bytes),
                             .rstd = present(&arguments->rstd, plan->rstd_bytes)};
    add_tensors(plan, &call, false, &all);
    const grkan_status status = check_call(plan, &all, stream);
    if (status != GRKAN_SUCCESS || plan->x_bytes == 0)
        return status;
    return plan->device->backend->forward(plan->program, &plan->data, &call, stream);
}

/** What backward is told beside its tensors. */
static grkan_status check_numbers(const grkan_plan_data *data, const grkan_backward_arguments *arguments)
{
    if (arguments->accumulation != GRKAN_OVERWRITE && arguments->accumulation != GRKAN_ADD)
        return grkan_fail(GRKAN_ERROR_INVALID_ARGUMENT,
                          "arguments.accumulation is %d; expected GRKAN_OVERWRITE or GRKAN_ADD",
                          (int)arguments->accumulation);
    if (arguments->workspace_bytes < data->workspace_bytes)
        return grkan_fail(GRKAN_ERROR_INVALID_ARGUMENT,
                          "arguments.workspace_bytes is %zu; expected at least %zu (grkan_plan_workspace_bytes)",
                          arguments->workspace_bytes, data->workspace_bytes);
    return GRKAN_SUCCESS;
}

grkan_status grkan_backward(const grkan_plan *plan, const grkan_backward_arguments *arguments, void *stream)
{
    tensors all;
    grkan_status status;
    if (plan == NULL)
        return grkan_fail(GRKAN_ERROR_INVALID_ARGUMENT, "plan is NULL; expected a plan");
    if (arguments == NULL)
        return grkan_fail(GRKAN_ERROR_INVALID_ARGUMENT, "arguments is NULL; expected the tensors of backward");
    const grkan_call call = {.x = arguments->x,
                             .dy = arguments->dy,
                             .result = present(&arguments->dx, plan->dx_bytes),
                             .tables = arguments->tables,
                             .gradients = arguments->gradients,
                             .workspace = present(&arguments->workspace, (int64_t)plan->data.workspace_bytes),
                             .add = arguments->accumulation == GRKAN_ADD,
                             .mean = present(&arguments->mean, plan->mean_bytes),
                             .rstd = present(&arguments->rstd, plan->rstd_bytes),
                             .y = present(&arguments->y, plan->y_again_bytes)};
    if ((status = check_numbers(&plan->data, arguments)) != GRKAN_SUCCESS)
        return status;
    add_tensors(plan, &call, true, &all);
    add_gradients(plan, &call, &all);
    if ((status = check_call(plan, &all, stream)) != GRKAN_SUCCESS)
        return status;
    return plan->device->backend->backward(plan->program, &plan->data, &call, stream);
}
