/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file arena.h
 * @brief Calls with one buffer wrong: all tensors of a plan in one allocation of the device, far from each other, so that whatever
 *        is written shows.
 */
#ifndef ARENA_H
#define ARENA_H

#include "call.h"

/** Places in the allocation: those of check_tensor, and the workspace. */
enum {
    slot_workspace = CHECK_TENSORS,
    arena_slots,
    arena_spacing = 1 << 16,
    arena_bytes = (arena_slots + 1) * arena_spacing
};

/** A device, a plan, and the allocation. */
typedef struct arena {
    grkan_device *device;
    grkan_plan *plan;
    void *base;
    size_t workspace_bytes;
} arena;

/** What arena_fill writes, and what arena_read found. */
extern char arena_pristine[arena_bytes], arena_found[arena_bytes];

/** Numbers of ordinary size everywhere but in the workspace, which is zero. */
void arena_make_pristine(void);

/** Make the plan, or end the test, and take the memory. A device's plans may share it: see arena_with. */
arena arena_create(grkan_device *device, const grkan_operation *operation, const grkan_options *options);
void arena_destroy(arena *on);

/** The same memory under another plan. false: the device does not support it. Destroy the plan. */
bool arena_with(const arena *on, const grkan_operation *operation, const grkan_options *options, arena *other);

/** Where a slot begins. */
size_t arena_place(int slot);
grkan_buffer arena_buffer(const arena *on, int slot);

/** All tensors in their slots. */
device_layer arena_layer(const arena *on);

void arena_fill(const arena *on);
void arena_read(const arena *on);

/** End the test if anything is not as arena_fill wrote it. @param text what it was about */
void arena_expect_untouched(const arena *on, const char *text);

/** A call with one of its buffers set to something else. */
typedef struct arena_call {
    enum { FORWARD, BACKWARD } pass;
    size_t buffer; /* where it is in the arguments */
    enum { AS_IT_IS, AT_NULL, MOVED, AT_OFFSET, ONTO } how;
    int64_t bytes; /* moved by; the offset; after the start of: */
    int onto;
    const char *text; /* of the refusal; NULL: it is to be accepted */
} arena_call;

grkan_status arena_run(const arena *on, const arena_call *one);

/** Run calls that are to be refused, each with its text and nothing written. */
void arena_expect_refusals(const arena *on, const arena_call *calls, size_t count);

/** Run calls that are to succeed, each on what arena_fill writes. */
void arena_expect_success(const arena *on, const arena_call *calls, size_t count);

/* Where a tensor lies in the arguments, by its name; the test has the enumerators forward_NAME, backward_NAME and slot_NAME. */
#define IN_FORWARD(name) FORWARD, forward_##name
#define IN_BACKWARD(name) BACKWARD, backward_##name
#define ON(other) slot_##other

#define IS_NULL(place, name, size)                                                                                     \
    {place(name), AT_NULL, 0, arena_slots, #name ".base is NULL; expected memory of " size}
#define IS_ODD(place, name, by, multiple)                                                                              \
    {place(name), MOVED, by, arena_slots, #name " is not aligned: base + offset must be a multiple of " multiple}
#define IS_BEYOND(place, name, text)                                                                                   \
    {place(name), AT_OFFSET, -16, arena_slots, #name ".offset is 18446744073709551600; it and " text}
#define IN_PART(place, name, other, by)                                                                                \
    {place(name), ONTO, by, ON(other),                                                                                 \
     #name " overlaps " #other "; expected the same memory exactly (in place), or none of it"}
#define OVERLAP(place, name, other, by)                                                                                \
    {place(name), ONTO, by, ON(other), #name " overlaps " #other "; expected memory of its own"}
#define ACCEPTED(place, name, other, by) {place(name), ONTO, by, ON(other), NULL}

#endif
