/* SPDX-License-Identifier: Apache-2.0 */
/** @file arena.c @brief Calls with one buffer wrong, in one allocation. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "arena.h"
#include "misuse.h"

char arena_pristine[arena_bytes], arena_found[arena_bytes];

void arena_make_pristine(void)
{
    for (size_t i = 0; i < arena_bytes / sizeof(float); i++) {
        const float value = (float)((i * 2654435761u) % 1000u) / 400.0f - 1.25f;
        memcpy(arena_pristine + i * sizeof value, &value, sizeof value);
    }
    memset(arena_pristine + arena_place(slot_workspace), 0, arena_spacing);
}

arena arena_create(grkan_device *device, const grkan_operation *operation, const grkan_options *options)
{
    arena made = {.device = device};
    expect_success(grkan_plan_create(device, operation, options, &made.plan));
    expect_success(grkan_memory_allocate(device, arena_bytes, &made.base));
    made.workspace_bytes = grkan_plan_workspace_bytes(made.plan);
    return made;
}

bool arena_with(const arena *on, const grkan_operation *operation, const grkan_options *options, arena *other)
{
    *other = *on;
    const grkan_status status = grkan_plan_create(on->device, operation, options, &other->plan);
    if (status == GRKAN_ERROR_UNSUPPORTED)
        return false;
    expect_success(status);
    other->workspace_bytes = grkan_plan_workspace_bytes(other->plan);
    return true;
}

void arena_destroy(arena *on)
{
    grkan_memory_free(on->device, on->base);
    grkan_plan_destroy(on->plan);
    *on = (arena){0};
}

size_t arena_place(int slot)
{
    return ((size_t)slot + 1) * arena_spacing;
}

grkan_buffer arena_buffer(const arena *on, int slot)
{
    return (grkan_buffer){on->base, arena_place(slot)};
}

device_layer arena_layer(const arena *on)
{
    device_layer at = {.workspace = arena_buffer(on, slot_workspace), .workspace_bytes = on->workspace_bytes};
    for (int t = 0; t < CHECK_TENSORS; t++)
        at.tensor[t] = arena_buffer(on, t);
    return at;
}

void arena_fill(const arena *on)
{
    expect_success(grkan_memory_upload(on->device, (grkan_buffer){on->base, 0}, arena_pristine, arena_bytes));
}

void arena_read(const arena *on)
{
    expect_success(grkan_memory_download(on->device, arena_found, (grkan_buffer){on->base, 0}, arena_bytes));
}

void arena_expect_untouched(const arena *on, const char *text)
{
    arena_read(on);
    for (size_t i = 0; i < arena_bytes; i++)
        if (arena_found[i] != arena_pristine[i])
            fail_msg("byte %zu of slot %zu was written, for \"%s\"", i % arena_spacing, i / arena_spacing - 1, text);
}

static void change_buffer(const arena_call *one, void *arguments)
{
    grkan_buffer *const buffer = (grkan_buffer *)((char *)arguments + one->buffer);
    switch (one->how) {
    case AS_IT_IS:
        break;
    case AT_NULL:
        buffer->base = NULL;
        break;
    case MOVED:
        buffer->offset += (size_t)one->bytes;
        break;
    case AT_OFFSET:
        buffer->offset = (size_t)one->bytes;
        break;
    case ONTO:
        buffer->offset = arena_place(one->onto) + (size_t)one->bytes;
        break;
    }
}

grkan_status arena_run(const arena *on, const arena_call *one)
{
    const device_layer at = arena_layer(on);
    grkan_forward_arguments forward = device_layer_forward_arguments(&at);
    grkan_backward_arguments backward = device_layer_backward_arguments(&at);
    change_buffer(one, one->pass == FORWARD ? (void *)&forward : (void *)&backward);
    return one->pass == FORWARD ? grkan_forward(on->plan, &forward, NULL) : grkan_backward(on->plan, &backward, NULL);
}

void arena_expect_refusals(const arena *on, const arena_call *calls, size_t count)
{
    arena_fill(on);
    for (size_t i = 0; i < count; i++) {
        const grkan_status status = arena_run(on, &calls[i]);
        EXPECT_INVALID(status, calls[i].text);
        arena_expect_untouched(on, calls[i].text);
    }
}

void arena_expect_success(const arena *on, const arena_call *calls, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        arena_fill(on);
        const grkan_status status = arena_run(on, &calls[i]);
        if (status != GRKAN_SUCCESS)
            fail_msg("call %zu was refused: %s", i, grkan_last_error());
        expect_success(grkan_device_synchronize(on->device));
    }
}
