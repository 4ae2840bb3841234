/* SPDX-License-Identifier: Apache-2.0 */
/** @file native_run.c @brief A case on memory and streams of the caller's own runtime. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "native_run.h"

static const check_tensor outputs[] = {CHECK_Y, CHECK_DX, CHECK_DNUMERATOR, CHECK_DDENOMINATOR};

enum { output_count = sizeof outputs / sizeof outputs[0], margin = 64 };

void native_check(grkan_status status)
{
    if (status != GRKAN_SUCCESS)
        fail_msg("%s: %s", grkan_status_name(status), grkan_last_error());
}

grkan_buffer native_allocate(const native_run *run, size_t bytes, size_t offset)
{
    grkan_buffer buffer = {NULL, offset};
    if (run->memory == NULL)
        native_check(grkan_memory_allocate(run->device, offset + bytes + margin, &buffer.base));
    else
        buffer.base = run->memory->allocate(offset + bytes + margin);
    return buffer;
}

void native_release(const native_run *run, grkan_buffer buffer)
{
    if (run->memory == NULL)
        grkan_memory_free(run->device, buffer.base);
    else
        run->memory->release(buffer.base);
}

static void write_buffer(const native_run *run, grkan_buffer to, const void *from, size_t bytes)
{
    if (run->memory == NULL)
        native_check(grkan_memory_upload(run->device, to, from, bytes));
    else
        run->memory->write(to, from, bytes);
}

static void read_buffer(const native_run *run, grkan_buffer from, void *to, size_t bytes)
{
    if (run->memory == NULL)
        native_check(grkan_memory_download(run->device, to, from, bytes));
    else
        run->memory->read(from, to, bytes);
}

/** Write the same byte all over a buffer. */
static void fill_buffer(const native_run *run, grkan_buffer to, int byte, size_t bytes)
{
    char *const filled = malloc(bytes);
    assert_non_null(filled);
    memset(filled, byte, bytes);
    write_buffer(run, to, filled, bytes);
    free(filled);
}

native_run native_begin(grkan_device *device, const check_case *one, const native_memory *memory, size_t offset)
{
    native_run run = {.device = device, .one = one, .memory = memory};
    native_check(grkan_plan_create(device, &one->operation, &one->options, &run.plan));
    assert_true(check_data_create(one, &run.data));
    for (int i = 0; i < CHECK_TENSORS; i++) {
        const check_tensor t = (check_tensor)i;
        const size_t bytes = check_tensor_bytes(one, t);
        const size_t element = grkan_dtype_bytes(check_tensor_dtype(one, t));
        run.buffers[t] = native_allocate(&run, bytes, offset * ((size_t)t + 1) * element);
        if (run.data.tensor[t] != NULL)
            write_buffer(&run, run.buffers[t], run.data.tensor[t], bytes);
    }
    run.workspace_bytes = grkan_plan_workspace_bytes(run.plan);
    assert_true(run.workspace_bytes > 0);
    run.workspace = native_allocate(&run, run.workspace_bytes, offset * 16);
    fill_buffer(&run, run.workspace, 0, run.workspace_bytes);
    return run;
}

void native_end(native_run *run)
{
    for (int t = 0; t < CHECK_TENSORS; t++)
        native_release(run, run->buffers[t]);
    native_release(run, run->workspace);
    check_data_free(&run->data);
    grkan_plan_destroy(run->plan);
}

grkan_forward_arguments native_forward_arguments(const native_run *run)
{
    const grkan_buffer *const b = run->buffers;
    return (grkan_forward_arguments){b[CHECK_X], b[CHECK_NUMERATOR], b[CHECK_DENOMINATOR], b[CHECK_Y]};
}

grkan_backward_arguments native_backward_arguments(const native_run *run)
{
    const grkan_buffer *const b = run->buffers;
    return (grkan_backward_arguments){.x = b[CHECK_X],
                                      .dy = b[CHECK_DY],
                                      .numerator = b[CHECK_NUMERATOR],
                                      .denominator = b[CHECK_DENOMINATOR],
                                      .dx = b[CHECK_DX],
                                      .dnumerator = b[CHECK_DNUMERATOR],
                                      .ddenominator = b[CHECK_DDENOMINATOR],
                                      .accumulation = run->one->accumulation,
                                      .workspace = run->workspace,
                                      .workspace_bytes = run->workspace_bytes};
}

void native_both(const native_run *run, void *stream)
{
    const grkan_forward_arguments forward = native_forward_arguments(run);
    const grkan_backward_arguments backward = native_backward_arguments(run);
    native_check(grkan_forward(run->plan, &forward, stream));
    native_check(grkan_backward(run->plan, &backward, stream));
    if (stream == NULL)
        native_check(grkan_device_synchronize(run->device));
}

size_t native_output_bytes(const check_case *one)
{
    size_t bytes = 0;
    for (int i = 0; i < output_count; i++)
        bytes += check_tensor_bytes(one, outputs[i]);
    return bytes;
}

char *native_outputs(const native_run *run)
{
    char *const all = malloc(native_output_bytes(run->one));
    assert_non_null(all);
    char *to = all;
    for (int i = 0; i < output_count; i++) {
        read_buffer(run, run->buffers[outputs[i]], to, check_tensor_bytes(run->one, outputs[i]));
        to += check_tensor_bytes(run->one, outputs[i]);
    }
    return all;
}

void native_spoil_outputs(const native_run *run)
{
    for (int i = 0; i < output_count; i++)
        fill_buffer(run, run->buffers[outputs[i]], 0xA5, check_tensor_bytes(run->one, outputs[i]));
}

char *native_expected(const char *selector, const check_case *one)
{
    grkan_device *device = NULL;
    native_check(grkan_device_open(selector, &device));
    native_run run = native_begin(device, one, NULL, 0);
    native_both(&run, NULL);
    char *const all = native_outputs(&run);
    native_end(&run);
    grkan_device_close(device);
    return all;
}
