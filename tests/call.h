/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file call.h
 * @brief A forward and backward call with its buffers.
 *
 * A `device_layer` holds the buffers that a test has; a `call` has memory of its own, with sentinels around every tensor.
 */
#ifndef CALL_H
#define CALL_H

#include "device_layer.h"
#include "operations.h"

/* These assert nothing, so that any thread and any child may call them. */

static inline grkan_status call_forward(const grkan_plan *plan, const device_layer *at, void *stream)
{
    const grkan_forward_arguments arguments = device_layer_forward_arguments(at);
    return grkan_forward(plan, &arguments, stream);
}

static inline grkan_status call_backward(const grkan_plan *plan, const device_layer *at, void *stream)
{
    const grkan_backward_arguments arguments = device_layer_backward_arguments(at);
    return grkan_backward(plan, &arguments, stream);
}

static inline grkan_status call_both(const grkan_plan *plan, const device_layer *at, void *stream)
{
    const grkan_status status = call_forward(plan, at, stream);
    return status == GRKAN_SUCCESS ? call_backward(plan, at, stream) : status;
}

/* -------------------------------------------------------------------------------- a case with memory of its own */

/** The caller's memory. Buffers begin at their offset; calls that fail end the test. */
typedef struct call_memory {
    void *(*allocate)(size_t bytes);
    void (*release)(void *base);
    void (*write)(grkan_buffer to, const void *from, size_t bytes);
    void (*read)(grkan_buffer from, void *to, size_t bytes);
} call_memory;

/** A case with its plan and buffers. */
typedef struct call {
    grkan_device *device;
    const check_case *one;     /**< must outlive the call */
    const call_memory *memory; /**< NULL: the device's, by grkan */
    grkan_plan *plan;
    check_data data; /**< the inputs; call_prepare makes none */
    device_layer at;
    size_t offset; /**< tensor number t lies at offset * (t + 1) elements */
} call;

/** End the test unless a call succeeded. */
void expect_success(grkan_status status);

/** Open a device, or end the test. */
grkan_device *open_device(const char *selector);

/** Make the plan of a case, or end the test. */
grkan_plan *make_plan(grkan_device *device, const check_case *one);

/** Make the plan and take the memory; the workspace is zero. Inputs are the caller's to write. */
call call_prepare(grkan_device *device, const check_case *one, const call_memory *memory, size_t offset);

/** As call_prepare, with the inputs of the case. */
call call_begin(grkan_device *device, const check_case *one, const call_memory *memory, size_t offset);

/** Give all back. Ends the test if anything was written beside a tensor. */
void call_end(call *c);

/** Have the call on another device, without a plan there. */
void call_move(call *c, grkan_device *device);

/** Memory of the call's kind that begins `offset` bytes into it, with sentinels around, and its end, where they are
    looked at. No memory for no bytes. */
grkan_buffer call_allocate(const call *c, size_t bytes, size_t offset);
void call_release(const call *c, grkan_buffer buffer, size_t bytes);

void call_write(const call *c, check_tensor tensor, const void *from);
void call_read(const call *c, check_tensor tensor, void *to);

/** Fill a buffer with one byte. */
void call_fill(const call *c, grkan_buffer to, int byte, size_t bytes);

/** The address of a tensor, on the cpu. */
void *call_host(const call *c, check_tensor tensor);

/** Enqueue both passes. With stream NULL, the device's default, wait for them. */
void call_run(const call *c, void *stream);

/** As call_run on the default stream, from what gradients are added to, and download all outputs. Asserts nothing where
    the memory is grkan's. @param plan one that needs the same workspace */
grkan_status call_run_to(const call *c, const grkan_plan *plan, char *outputs);

/** Overwrite all outputs, so that what is read afterwards was written afterwards. */
void call_spoil_outputs(const call *c);

/** Bytes of all outputs of a case. */
size_t call_output_bytes(const check_case *one);

/** All outputs, one behind the other. Free them. */
char *call_outputs(const call *c);

/** @return the name of the first output that is not the same; NULL if all are */
const char *call_difference(const check_case *one, const char *outputs, const char *others);

/** End the test if the outputs are others. @param where it ran */
void call_expect(const call *c, const char *expected, const char *where);

/** What a device that is opened by its selector gives for a case that needs a workspace, in grkan's memory, as
    call_outputs. */
char *call_expected(const char *selector, const check_case *one);

#endif
