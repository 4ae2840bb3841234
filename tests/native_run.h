/* SPDX-License-Identifier: Apache-2.0 */
/** @file native_run.h @brief A case on memory and streams of the caller's own runtime. Include cmocka.h before it. */
#ifndef NATIVE_RUN_H
#define NATIVE_RUN_H

#include "data.h"

/** The caller's memory. Buffers begin at their offset; calls that fail end the test. */
typedef struct native_memory {
    void *(*allocate)(size_t bytes);
    void (*release)(void *base);
    void (*write)(grkan_buffer to, const void *from, size_t bytes);
    void (*read)(grkan_buffer from, void *to, size_t bytes);
} native_memory;

/** A case with its plan and buffers. */
typedef struct native_run {
    grkan_device *device;
    const check_case *one;
    const native_memory *memory; /**< NULL: the device's, by grkan */
    grkan_plan *plan;
    check_data data;
    grkan_buffer buffers[CHECK_TENSORS];
    grkan_buffer workspace;
    size_t workspace_bytes;
} native_run;

/** End the test unless a call succeeded. */
void native_check(grkan_status status);

/** Make the plan, take the memory, fill in the inputs. Tensor number t lies at offset * (t + 1) elements. The case must
    be one with a workspace. */
native_run native_begin(grkan_device *device, const check_case *one, const native_memory *memory, size_t offset);
void native_end(native_run *run);

/** Memory of the run's kind that begins `offset` bytes into it, and its end. */
grkan_buffer native_allocate(const native_run *run, size_t bytes, size_t offset);
void native_release(const native_run *run, grkan_buffer buffer);

grkan_forward_arguments native_forward_arguments(const native_run *run);
grkan_backward_arguments native_backward_arguments(const native_run *run);

/** Enqueue both passes. With stream NULL, the device's default, wait for them. */
void native_both(const native_run *run, void *stream);

/** Bytes of all outputs of a case. */
size_t native_output_bytes(const check_case *one);

/** All outputs, one behind the other. Free them. */
char *native_outputs(const native_run *run);

/** Overwrite all outputs, so that what is read afterwards was written afterwards. */
void native_spoil_outputs(const native_run *run);

/** What a device that is opened by its selector gives, in grkan's memory, as native_outputs. */
char *native_expected(const char *selector, const check_case *one);

#endif
