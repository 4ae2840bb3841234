/* SPDX-License-Identifier: Apache-2.0 */
/** @file execute.c @brief Running a case on a device, with sentinels around every tensor. */
#include "execute.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "device_layer.h"

#define GUARD 256u          /* bytes of sentinels on either side; keeps the tensor's alignment */
#define SENTINEL 0xa5       /* the pattern */
#define POISON 0xff         /* a NaN in every storage type: what outputs hold before they are written */
#define WORKSPACE_ALIGNED 0 /* offset of the workspace, which has no element type to be aligned to */

static bool complain(execution *run, const char *what, const char *name)
{
    snprintf(run->text, sizeof run->text, "%s %s", name, what);
    return false;
}

static bool called(execution *run, grkan_status status, const char *name)
{
    if (status == GRKAN_SUCCESS)
        return true;
    snprintf(run->text, sizeof run->text, "%s: %s: %s", name, grkan_status_name(status), grkan_last_error());
    return false;
}

static size_t slot_total(const execute_slot *slot)
{
    return slot->offset + slot->bytes + GUARD;
}

static grkan_buffer slot_buffer(const execute_slot *slot)
{
    return (grkan_buffer){slot->base, slot->offset};
}

static grkan_status slot_allocate(execution *run, execute_slot *slot, size_t bytes, size_t misalignment)
{
    slot->offset = GUARD + misalignment;
    slot->bytes = bytes;
    return grkan_memory_allocate(run->device, slot_total(slot), &slot->base);
}

/** Write sentinels and contents: from, or bytes of the given filling where from is NULL. */
static bool slot_fill(execution *run, execute_slot *slot, const void *from, int filling)
{
    unsigned char *image = malloc(slot_total(slot));
    if (!image)
        return complain(run, "does not fit into host memory", "a tensor");
    memset(image, SENTINEL, slot_total(slot));
    if (from)
        memcpy(image + slot->offset, from, slot->bytes);
    else
        memset(image + slot->offset, filling, slot->bytes);
    const grkan_status status =
        grkan_memory_upload(run->device, (grkan_buffer){slot->base, 0}, image, slot_total(slot));
    free(image);
    return called(run, status, "grkan_memory_upload");
}

static bool is_sentinel(const unsigned char *from, size_t bytes)
{
    for (size_t i = 0; i < bytes; i++)
        if (from[i] != SENTINEL)
            return false;
    return true;
}

/** Read a slot back and check its sentinels; the contents are at the result + offset. NULL, with text, on a failure. */
static unsigned char *slot_read(execution *run, const execute_slot *slot, const char *name)
{
    unsigned char *image = malloc(slot_total(slot));
    bool good = image || complain(run, "does not fit into host memory", name);
    good =
        good && called(run, grkan_memory_download(run->device, image, (grkan_buffer){slot->base, 0}, slot_total(slot)),
                       "grkan_memory_download");
    if (good && !is_sentinel(image, slot->offset))
        good = complain(run, "was written before its begin", name);
    if (good && !is_sentinel(image + slot->offset + slot->bytes, GUARD))
        good = complain(run, "was written past its end", name);
    if (!good) {
        free(image);
        return NULL;
    }
    return image;
}

/** Whether the tensor is a gradient that the case freezes. */
static bool is_frozen(const check_case *one, check_tensor tensor)
{
    check_case whole = *one;
    whole.options.frozen = 0;
    return check_has_tensor(&whole, tensor) && !check_has_tensor(one, tensor);
}

/** Bytes of a tensor, and of what would be one if it were not frozen. */
static size_t bytes_of(const check_case *one, check_tensor tensor)
{
    check_case whole = *one;
    whole.options.frozen = 0;
    return check_tensor_bytes(&whole, tensor);
}

/** The slot that holds a tensor: its own, or the one that it is in place of. */
static check_tensor slot_of(const check_case *one, check_tensor tensor)
{
    if (!check_has_tensor(one, tensor))
        return tensor;
    if (tensor == CHECK_Y && one->placement != CHECK_APART &&
        check_tensor_dtype(one, CHECK_Y) == check_tensor_dtype(one, CHECK_X))
        return CHECK_X;
    if (tensor == CHECK_DX && one->placement == CHECK_DX_IS_DY)
        return CHECK_DY;
    if (tensor == CHECK_DX && one->placement == CHECK_DX_IS_X)
        return CHECK_X;
    return tensor == CHECK_Y_AGAIN && one->placement == CHECK_DX_IS_X ? CHECK_DY : tensor;
}

/** Tensors of a pass: those before its first output are inputs, and with backward mean and rstd. */
typedef struct execute_pass {
    check_tensor first, last; /**< outputs */
} execute_pass;

static const execute_pass forward_pass = {CHECK_Y, CHECK_RSTD};
static const execute_pass backward_pass = {CHECK_DX, (check_tensor)(CHECK_TENSORS - 1)};

/** Whether an output of a pass lies in the slot of another tensor. */
static bool is_written(const check_case *one, execute_pass pass, check_tensor slot)
{
    for (int t = (int)pass.first; t <= (int)pass.last; t++)
        if (slot_of(one, (check_tensor)t) == slot)
            return true;
    return false;
}

/** What a tensor holds before a call; NULL: the poison. */
static const void *contents_of(const execution *run, check_tensor tensor)
{
    const bool is_statistic = tensor == CHECK_MEAN || tensor == CHECK_RSTD;
    return is_statistic && run->forward != NULL ? run->forward->tensor[tensor] : run->data->tensor[tensor];
}

static bool fill_tensor(execution *run, check_tensor tensor)
{
    return slot_fill(run, &run->slots[tensor], contents_of(run, tensor), POISON);
}

static bool tensor_unchanged(execution *run, check_tensor tensor)
{
    const execute_slot *slot = &run->slots[tensor];
    const char *const name = check_tensor_name(&run->one->operation, tensor);
    const unsigned char *const before = contents_of(run, tensor);
    unsigned char *image = slot_read(run, slot, name);
    bool same = true;
    if (!image)
        return false;
    for (size_t i = 0; i < slot->bytes; i++)
        same = same && image[slot->offset + i] == (before != NULL ? before[i] : POISON);
    free(image);
    return same || complain(run, "is not to be written, and was changed", name);
}

/** Whether inputs, and with backward what is frozen, are as they were. */
static bool others_unchanged(execution *run, execute_pass pass)
{
    const bool is_backward = pass.first == CHECK_DX;
    for (int t = 0; t < CHECK_TENSORS; t++) {
        const check_tensor tensor = (check_tensor)t;
        const bool is_input = t < CHECK_FIRST_OUTPUT || (is_backward && t > CHECK_Y && t < CHECK_DX);
        if (is_input ? is_written(run->one, pass, tensor) : !is_backward || !is_frozen(run->one, tensor))
            continue;
        if (!tensor_unchanged(run, tensor))
            return false;
    }
    return true;
}

/** Download an output into results->tensor. */
static bool fetch(execution *run, check_tensor tensor, check_data *results)
{
    const execute_slot *slot = &run->slots[slot_of(run->one, tensor)];
    unsigned char *image = slot_read(run, slot, check_tensor_name(&run->one->operation, tensor));
    if (!image)
        return false;
    memmove(image, image + slot->offset, slot->bytes); /* a host array of its own, aligned as malloc has it */
    free(results->tensor[tensor]);
    results->tensor[tensor] = image;
    return true;
}

static bool fetch_outputs(execution *run, execute_pass pass, check_data *results)
{
    for (int t = (int)pass.first; t <= (int)pass.last; t++)
        if (check_has_tensor(run->one, (check_tensor)t) && !fetch(run, (check_tensor)t, results))
            return false;
    return true;
}

/** An empty table may be NULL, and so may what a case has not. */
static grkan_buffer buffer_of(const execution *run, check_tensor tensor)
{
    const execute_slot *const slot = &run->slots[slot_of(run->one, tensor)];
    const bool is_of_table = tensor >= CHECK_GRADIENT || (tensor >= CHECK_TABLE && tensor < CHECK_FIRST_OUTPUT);
    const bool is_shown = is_frozen(run->one, tensor) ? run->shows_frozen : check_has_tensor(run->one, tensor);
    return !is_shown || (is_of_table && slot->bytes == 0) ? (grkan_buffer){NULL, 0} : slot_buffer(slot);
}

static device_layer layer_of(const execution *run)
{
    device_layer layer = {
        .workspace = run->workspace.bytes ? slot_buffer(&run->workspace) : (grkan_buffer){NULL, 0},
        .workspace_bytes = run->workspace.bytes,
        .accumulation = run->one->accumulation,
    };
    for (int t = 0; t < CHECK_TENSORS; t++)
        layer.tensor[t] = buffer_of(run, (check_tensor)t);
    return layer;
}

grkan_status execute_begin(execution *run, grkan_device *device, const check_case *one, const check_data *data)
{
    *run = (execution){.device = device, .one = one, .data = data};
    grkan_status status = grkan_plan_create(device, &one->operation, &one->options, &run->plan);
    const char *call = "grkan_plan_create";
    for (int t = 0; t < CHECK_TENSORS && status == GRKAN_SUCCESS; t++) {
        const check_tensor tensor = (check_tensor)t;
        const size_t element = grkan_dtype_bytes(check_tensor_dtype(one, tensor));
        call = "grkan_memory_allocate";
        status =
            slot_allocate(run, &run->slots[t], bytes_of(one, tensor), (size_t)one->offset * (size_t)(t + 1) * element);
    }
    if (status == GRKAN_SUCCESS)
        status = slot_allocate(run, &run->workspace, grkan_plan_workspace_bytes(run->plan), WORKSPACE_ALIGNED);
    called(run, status, call);
    if (status == GRKAN_SUCCESS && !slot_fill(run, &run->workspace, NULL, 0))
        status = GRKAN_ERROR_DEVICE;
    if (status != GRKAN_SUCCESS)
        execute_end(run);
    return status;
}

void execute_end(execution *run)
{
    for (int t = 0; t < CHECK_TENSORS; t++)
        grkan_memory_free(run->device, run->slots[t].base);
    grkan_memory_free(run->device, run->workspace.base);
    grkan_plan_destroy(run->plan);
    run->plan = NULL;
    memset(run->slots, 0, sizeof run->slots);
    run->workspace = (execute_slot){0};
}

/** @param results out: y, and mean and rstd where the layer has memory for them */
static bool run_forward(execution *run, bool is_inference, check_data *results)
{
    run->forward = NULL;
    for (int t = 0; t <= (int)forward_pass.last; t++)
        if (!fill_tensor(run, (check_tensor)t))
            return false;
    device_layer layer = layer_of(run);
    if (is_inference)
        layer.tensor[CHECK_MEAN] = layer.tensor[CHECK_RSTD] = (grkan_buffer){NULL, 0};
    return called(run, device_layer_forward(run->plan, &layer), "grkan_forward") &&
           others_unchanged(run, forward_pass) &&
           (is_inference ? fetch(run, CHECK_Y, results) : fetch_outputs(run, forward_pass, results));
}

bool execute_forward(execution *run, check_data *results)
{
    const bool good = run_forward(run, false, results);
    run->forward = results;
    return good;
}

bool execute_inference(execution *run, check_data *results)
{
    return run_forward(run, true, results);
}

/** Fill what backward uses: the inputs, NaN in the outputs or what they add to. */
static bool fill_for_backward(execution *run)
{
    const bool adds = run->one->accumulation == GRKAN_ADD;
    for (int t = 0; t < CHECK_TENSORS; t++) {
        const bool is_overwritten = t >= CHECK_GRADIENT && !adds && check_has_tensor(run->one, (check_tensor)t);
        if (is_overwritten ? !slot_fill(run, &run->slots[t], NULL, POISON) : !fill_tensor(run, (check_tensor)t))
            return false;
    }
    return true;
}

static bool workspace_intact(execution *run)
{
    unsigned char *image = slot_read(run, &run->workspace, "workspace");
    free(image);
    return image != NULL;
}

bool execute_backward(execution *run, check_data *results)
{
    if (!fill_for_backward(run))
        return false;
    const device_layer layer = layer_of(run);
    return called(run, device_layer_backward(run->plan, &layer), "grkan_backward") &&
           others_unchanged(run, backward_pass) && fetch_outputs(run, backward_pass, results) && workspace_intact(run);
}
