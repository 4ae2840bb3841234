/* SPDX-License-Identifier: Apache-2.0 */
/** @file call.c @brief A forward and backward call with its buffers. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "call.h"

enum { margin = 64, sentinel = 0x5A, spoilt = 0xA5 };

void expect_success(grkan_status status)
{
    if (status != GRKAN_SUCCESS)
        fail_msg("%s: %s", grkan_status_name(status), grkan_last_error());
}

grkan_device *open_device(const char *selector)
{
    grkan_device *device = NULL;
    expect_success(grkan_device_open(selector, &device));
    return device;
}

grkan_plan *make_plan(grkan_device *device, const check_case *one)
{
    grkan_plan *plan = NULL;
    if (grkan_plan_create(device, &one->operation, &one->options, &plan) != GRKAN_SUCCESS)
        fail_msg("%s: %s", one->name, grkan_last_error());
    return plan;
}

/* --------------------------------------------------------------------------------------------------------- memory */

static void *take(size_t bytes)
{
    void *const memory = malloc(bytes);
    assert_non_null(memory);
    return memory;
}

static grkan_status write_buffer(const call *c, grkan_buffer to, const void *from, size_t bytes)
{
    if (c->memory == NULL)
        return grkan_memory_upload(c->device, to, from, bytes);
    c->memory->write(to, from, bytes);
    return GRKAN_SUCCESS;
}

static grkan_status read_buffer(const call *c, grkan_buffer from, void *to, size_t bytes)
{
    if (c->memory == NULL)
        return grkan_memory_download(c->device, to, from, bytes);
    c->memory->read(from, to, bytes);
    return GRKAN_SUCCESS;
}

void call_fill(const call *c, grkan_buffer to, int byte, size_t bytes)
{
    if (bytes == 0)
        return;
    char *const filled = take(bytes);
    memset(filled, byte, bytes);
    expect_success(write_buffer(c, to, filled, bytes));
    free(filled);
}

grkan_buffer call_allocate(const call *c, size_t bytes, size_t offset)
{
    grkan_buffer buffer = {NULL, 0};
    const size_t all = offset + bytes + margin;
    if (bytes == 0)
        return buffer;
    if (c->memory == NULL)
        expect_success(grkan_memory_allocate(c->device, all, &buffer.base));
    else
        buffer.base = c->memory->allocate(all);
    call_fill(c, buffer, sentinel, all);
    buffer.offset = offset;
    return buffer;
}

void call_release(const call *c, grkan_buffer buffer, size_t bytes)
{
    const size_t end = buffer.offset + bytes, all = end + margin;
    if (buffer.base == NULL)
        return;
    unsigned char *const image = take(all);
    expect_success(read_buffer(c, (grkan_buffer){buffer.base, 0}, image, all));
    for (size_t i = 0; i < all; i++)
        if ((i < buffer.offset || i >= end) && image[i] != sentinel)
            fail_msg("byte %zu was written, of memory whose tensor has the bytes %zu to %zu", i, buffer.offset,
                     end - 1);
    free(image);
    if (c->memory == NULL)
        grkan_memory_free(c->device, buffer.base);
    else
        c->memory->release(buffer.base);
}

void call_write(const call *c, check_tensor tensor, const void *from)
{
    const size_t bytes = check_tensor_bytes(c->one, tensor);
    if (bytes > 0)
        expect_success(write_buffer(c, c->at.tensor[tensor], from, bytes));
}

void call_read(const call *c, check_tensor tensor, void *to)
{
    const size_t bytes = check_tensor_bytes(c->one, tensor);
    if (bytes > 0)
        expect_success(read_buffer(c, c->at.tensor[tensor], to, bytes));
}

void *call_host(const call *c, check_tensor tensor)
{
    return (char *)c->at.tensor[tensor].base + c->at.tensor[tensor].offset;
}

/* ------------------------------------------------------------------------------------------------ begin and end */

static void take_memory(call *c)
{
    for (int i = 0; i < CHECK_TENSORS; i++) {
        const check_tensor t = (check_tensor)i;
        const size_t element = grkan_dtype_bytes(check_tensor_dtype(c->one, t));
        c->at.tensor[t] = call_allocate(c, check_tensor_bytes(c->one, t), c->offset * ((size_t)t + 1) * element);
        if (c->data.tensor[t] != NULL)
            call_write(c, t, c->data.tensor[t]);
    }
    c->at.workspace = call_allocate(c, c->at.workspace_bytes, c->offset * 16);
    call_fill(c, c->at.workspace, 0, c->at.workspace_bytes);
}

static void release_memory(const call *c)
{
    for (int t = 0; t < CHECK_TENSORS; t++)
        call_release(c, c->at.tensor[t], check_tensor_bytes(c->one, (check_tensor)t));
    call_release(c, c->at.workspace, c->at.workspace_bytes);
}

static call begin(grkan_device *device, const check_case *one, const call_memory *memory, size_t offset,
                  check_data data)
{
    call c = {.device = device, .one = one, .memory = memory, .data = data, .offset = offset};
    c.plan = make_plan(device, one);
    c.at.workspace_bytes = grkan_plan_workspace_bytes(c.plan);
    c.at.accumulation = one->accumulation;
    take_memory(&c);
    return c;
}

call call_prepare(grkan_device *device, const check_case *one, const call_memory *memory, size_t offset)
{
    return begin(device, one, memory, offset, (check_data){{NULL}});
}

call call_begin(grkan_device *device, const check_case *one, const call_memory *memory, size_t offset)
{
    check_data data;
    assert_true(check_data_create(one, &data));
    return begin(device, one, memory, offset, data);
}

void call_end(call *c)
{
    release_memory(c);
    check_data_free(&c->data);
    grkan_plan_destroy(c->plan);
    *c = (call){0};
}

void call_move(call *c, grkan_device *device)
{
    release_memory(c);
    grkan_plan_destroy(c->plan);
    c->plan = NULL;
    c->device = device;
    take_memory(c);
}

/* ------------------------------------------------------------------------------------------------------ the call */

void call_run(const call *c, void *stream)
{
    expect_success(call_both(c->plan, &c->at, stream));
    if (stream == NULL)
        expect_success(grkan_device_synchronize(c->device));
}

static grkan_status reset_sums(const call *c)
{
    grkan_status status = GRKAN_SUCCESS;
    for (int i = CHECK_FIRST_OUTPUT; i < CHECK_TENSORS && status == GRKAN_SUCCESS; i++) {
        const void *const from = c->data.tensor[i];
        const size_t bytes = check_tensor_bytes(c->one, (check_tensor)i);
        if (from != NULL && bytes > 0)
            status = write_buffer(c, c->at.tensor[i], from, bytes);
    }
    return status;
}

static grkan_status read_outputs(const call *c, char *to)
{
    grkan_status status = GRKAN_SUCCESS;
    for (int i = CHECK_FIRST_OUTPUT; i < CHECK_TENSORS && status == GRKAN_SUCCESS; i++) {
        const size_t bytes = check_tensor_bytes(c->one, (check_tensor)i);
        if (bytes > 0)
            status = read_buffer(c, c->at.tensor[i], to, bytes);
        to += bytes;
    }
    return status;
}

grkan_status call_run_to(const call *c, const grkan_plan *plan, char *to)
{
    grkan_status status = reset_sums(c);
    if (status == GRKAN_SUCCESS)
        status = call_both(plan, &c->at, NULL);
    return status == GRKAN_SUCCESS ? read_outputs(c, to) : status;
}

void call_spoil_outputs(const call *c)
{
    for (int i = CHECK_FIRST_OUTPUT; i < CHECK_TENSORS; i++)
        call_fill(c, c->at.tensor[i], spoilt, check_tensor_bytes(c->one, (check_tensor)i));
}

/* ------------------------------------------------------------------------------------------------------- outputs */

size_t call_output_bytes(const check_case *one)
{
    size_t bytes = 0;
    for (int i = CHECK_FIRST_OUTPUT; i < CHECK_TENSORS; i++)
        bytes += check_tensor_bytes(one, (check_tensor)i);
    return bytes;
}

char *call_outputs(const call *c)
{
    char *const all = take(call_output_bytes(c->one) + 1);
    expect_success(read_outputs(c, all));
    return all;
}

const char *call_difference(const check_case *one, const char *these, const char *others)
{
    for (int i = CHECK_FIRST_OUTPUT; i < CHECK_TENSORS; i++) {
        const size_t bytes = check_tensor_bytes(one, (check_tensor)i);
        if (memcmp(these, others, bytes) != 0)
            return check_tensor_name(&one->operation, (check_tensor)i);
        these += bytes;
        others += bytes;
    }
    return NULL;
}

void call_expect(const call *c, const char *expected, const char *where)
{
    char *const found = call_outputs(c);
    const char *const difference = call_difference(c->one, found, expected);
    if (difference != NULL)
        fail_msg("%s, %s: %s has other bits", c->one->name, where, difference);
    free(found);
}

char *call_expected(const char *selector, const check_case *one)
{
    grkan_device *const device = open_device(selector);
    call c = call_begin(device, one, NULL, 0);
    assert_true(c.at.workspace_bytes > 0);
    call_run(&c, NULL);
    char *const all = call_outputs(&c);
    call_end(&c);
    grkan_device_close(device);
    return all;
}
