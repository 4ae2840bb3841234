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

/** The slot that holds a tensor: its own, or the one that it is in place of. */
static check_tensor slot_of(const check_case *one, check_tensor tensor)
{
    if (tensor == CHECK_Y && one->placement != CHECK_APART &&
        check_tensor_dtype(one, CHECK_Y) == check_tensor_dtype(one, CHECK_X))
        return CHECK_X;
    if (tensor == CHECK_DX && one->placement == CHECK_DX_IS_DY)
        return CHECK_DY;
    if (tensor == CHECK_DX && one->placement == CHECK_DX_IS_X)
        return CHECK_X;
    return tensor;
}

static bool fill_tensor(execution *run, check_tensor tensor)
{
    return slot_fill(run, &run->slots[tensor], run->data->tensor[tensor], POISON);
}

static bool tensor_unchanged(execution *run, check_tensor tensor)
{
    const execute_slot *slot = &run->slots[tensor];
    const char *const name = check_tensor_name(&run->one->operation, tensor);
    unsigned char *image = slot_read(run, slot, name);
    if (!image)
        return false;
    const bool same = slot->bytes == 0 || memcmp(image + slot->offset, run->data->tensor[tensor], slot->bytes) == 0;
    free(image);
    return same || complain(run, "is an input, and was changed", name);
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

static grkan_buffer buffer_of(const execution *run, check_tensor tensor)
{
    const execute_slot *const slot = &run->slots[slot_of(run->one, tensor)];
    const bool is_of_table = tensor >= CHECK_GRADIENT || (tensor >= CHECK_TABLE && tensor < CHECK_FIRST_OUTPUT);
    return is_of_table && slot->bytes == 0 ? (grkan_buffer){NULL, 0} : slot_buffer(slot);
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
        status = slot_allocate(run, &run->slots[t], check_tensor_bytes(one, tensor),
                               (size_t)one->offset * (size_t)(t + 1) * element);
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

bool execute_forward(execution *run, check_data *results)
{
    for (int t = CHECK_X; t <= CHECK_Y; t++)
        if (!fill_tensor(run, (check_tensor)t))
            return false;
    const device_layer layer = layer_of(run);
    if (!called(run, device_layer_forward(run->plan, &layer), "grkan_forward"))
        return false;
    for (int t = CHECK_X; t < CHECK_FIRST_OUTPUT; t++)
        if ((check_tensor)t != slot_of(run->one, CHECK_Y) && !tensor_unchanged(run, (check_tensor)t))
            return false;
    return fetch(run, CHECK_Y, results);
}

/** Fill what backward uses: the inputs, NaN in the outputs or what they add to. */
static bool fill_for_backward(execution *run)
{
    const bool adds = run->one->accumulation == GRKAN_ADD;
    for (int t = 0; t < CHECK_TENSORS; t++) {
        if (t >= CHECK_GRADIENT && !adds ? !slot_fill(run, &run->slots[t], NULL, POISON)
                                         : !fill_tensor(run, (check_tensor)t))
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
    if (!called(run, device_layer_backward(run->plan, &layer), "grkan_backward"))
        return false;
    for (int t = CHECK_X; t < CHECK_FIRST_OUTPUT; t++)
        if ((check_tensor)t != slot_of(run->one, CHECK_DX) && !tensor_unchanged(run, (check_tensor)t))
            return false;
    for (int t = CHECK_DX; t < CHECK_TENSORS; t++)
        if (!fetch(run, (check_tensor)t, results))
            return false;
    return workspace_intact(run);
}
