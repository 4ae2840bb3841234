/* SPDX-License-Identifier: Apache-2.0 */
/** @file device.c @brief Devices: selectors, opening, memory, the default stream and its stopwatch. */
#define _GNU_SOURCE 1 /* strdup under -std=c11 */

#include "internal.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DEVICE_VARIABLE "GRKAN_DEVICE"

/* No backend's name is as long; a longer one in a selector is cut, and still unknown. */
#define NAME_BYTES 64

static grkan_status fail_null(const char *argument, const char *expected)
{
    return grkan_fail(GRKAN_ERROR_INVALID_ARGUMENT, "%s is NULL; expected %s", argument, expected);
}

/* Status of an argument that must not be NULL. */
static grkan_status check_pointer(const void *pointer, const char *argument, const char *expected)
{
    return pointer == NULL ? fail_null(argument, expected) : GRKAN_SUCCESS;
}

static grkan_status check_device(const grkan_device *device)
{
    return check_pointer(device, "device", "a device that grkan_device_open gave");
}

/* ---------------------------------------------------------------------------------------------------- opening */

grkan_status grkan_device_count(const char *backend, int *count)
{
    grkan_status status = check_pointer(count, "count", "where to put the number of devices");
    if (status != GRKAN_SUCCESS) {
        return status;
    }
    *count = 0;
    status = check_pointer(backend, "backend", "the name of a backend");
    if (status != GRKAN_SUCCESS) {
        return status;
    }
    const grkan_backend *found = NULL;
    return grkan_registry_find(backend, &found, count);
}

grkan_status grkan_backend_libraries(const char *backend, char *text, size_t bytes)
{
    grkan_status status = check_pointer(text, "text", "where to put the libraries");
    if (status == GRKAN_SUCCESS && bytes == 0) {
        status = grkan_fail(GRKAN_ERROR_INVALID_ARGUMENT, "bytes is 0; expected the room that text has");
    }
    if (status != GRKAN_SUCCESS) {
        return status;
    }
    text[0] = '\0';
    status = check_pointer(backend, "backend", "the name of a backend");
    const grkan_backend *found = NULL;
    if (status == GRKAN_SUCCESS) {
        status = grkan_registry_find(backend, &found, NULL);
    }
    if (status == GRKAN_SUCCESS && found->libraries != NULL) {
        found->libraries(text, bytes);
    }
    return status;
}

/* Take over an open state, or close it. */
static grkan_status wrap_state(const grkan_backend *backend, grkan_backend_device *state, grkan_device **device)
{
    grkan_device *const made = calloc(1, sizeof *made);
    if (made == NULL) {
        backend->close(state);
        return grkan_fail(GRKAN_ERROR_OUT_OF_MEMORY, "no memory for a device of backend \"%s\"", backend->name);
    }
    made->backend = backend;
    made->state = state;
    grkan_lock_init(&made->lock);
    const grkan_status status = backend->describe(state, &made->properties, &made->limits);
    if (status != GRKAN_SUCCESS) {
        grkan_device_close(made);
        return status;
    }
    grkan_tunings_open(made);
    *device = made;
    return GRKAN_SUCCESS;
}

static grkan_status open_index(const grkan_backend *backend, int count, int index, grkan_device **device)
{
    if (index < 0 || index >= count) {
        return grkan_fail(GRKAN_ERROR_NO_DEVICE, "backend \"%s\" has %d device%s: index %d is not in 0..%d",
                          backend->name, count, count == 1 ? "" : "s", index, count - 1);
    }
    grkan_backend_device *state = NULL;
    const grkan_status status = backend->open(index, &state);
    return status == GRKAN_SUCCESS ? wrap_state(backend, state, device) : status;
}

grkan_status grkan_device_open_index(const char *backend, int index, grkan_device **device)
{
    grkan_status status = check_pointer(device, "device", "where to put the device");
    if (status != GRKAN_SUCCESS) {
        return status;
    }
    *device = NULL;
    status = check_pointer(backend, "backend", "the name of a backend");
    if (status != GRKAN_SUCCESS) {
        return status;
    }
    const grkan_backend *found = NULL;
    int count = 0;
    status = grkan_registry_find(backend, &found, &count);
    return status == GRKAN_SUCCESS ? open_index(found, count, index, device) : status;
}

grkan_status grkan_device_open_native(const char *backend, void *context, void *native, grkan_device **device)
{
    grkan_status status = check_pointer(device, "device", "where to put the device");
    if (status != GRKAN_SUCCESS) {
        return status;
    }
    *device = NULL;
    status = check_pointer(backend, "backend", "the name of a backend");
    const grkan_backend *found = NULL;
    if (status == GRKAN_SUCCESS) {
        status = grkan_registry_find(backend, &found, NULL);
    }
    if (status != GRKAN_SUCCESS) {
        return status;
    }
    if (found->open_native == NULL) {
        return grkan_fail(GRKAN_ERROR_UNSUPPORTED,
                          "backend \"%s\" opens no device inside a context of the caller's; use grkan_device_open",
                          found->name);
    }
    if (context == NULL) {
        return fail_null("context", "a context of the backend's runtime");
    }
    if (native == NULL) {
        return fail_null("native", "a device of that context");
    }
    grkan_backend_device *state = NULL;
    status = found->open_native(context, native, &state);
    return status == GRKAN_SUCCESS ? wrap_state(found, state, device) : status;
}

void grkan_device_close(grkan_device *device)
{
    if (device != NULL) {
        grkan_programs_unload(device);
        grkan_lock_destroy(&device->lock);
        device->backend->close(device->state);
        free(device);
    }
}

/* -------------------------------------------------------------------------------------------------- selectors */

/* Digits and nothing else. */
static grkan_status parse_index(const char *text, int *index)
{
    if (text[0] == '-') {
        return grkan_fail(GRKAN_ERROR_INVALID_ARGUMENT, "the index \"%s\" is negative; expected 0 or more", text);
    }
    const size_t digits = strspn(text, "0123456789");
    if (digits == 0) {
        return grkan_fail(GRKAN_ERROR_INVALID_ARGUMENT, "expected an index after \":\", found \"%s\"", text);
    }
    if (text[digits] != '\0') {
        return grkan_fail(GRKAN_ERROR_INVALID_ARGUMENT, "unexpected \"%s\" after the index %.*s", text + digits,
                          (int)digits, text);
    }
    errno = 0;
    const long value = strtol(text, NULL, 10);
    if (errno != 0 || value > INT_MAX) {
        return grkan_fail(GRKAN_ERROR_INVALID_ARGUMENT, "the index %s is too large; expected at most %d", text,
                          INT_MAX);
    }
    *index = (int)value;
    return GRKAN_SUCCESS;
}

/* "name", or "name:" and what the backend makes of the rest. */
static grkan_status open_selected(const char *selector, grkan_device **device)
{
    const size_t length = strcspn(selector, ":");
    if (length == 0) {
        return grkan_fail(GRKAN_ERROR_INVALID_ARGUMENT, "expected the name of a backend before \":\"");
    }
    char name[NAME_BYTES];
    (void)snprintf(name, sizeof name, "%.*s", (int)(length < NAME_BYTES ? length : NAME_BYTES - 1), selector);

    const grkan_backend *backend = NULL;
    int count = 0;
    int index = 0;
    grkan_status status = grkan_registry_find(name, &backend, &count);
    if (status == GRKAN_SUCCESS && selector[length] == ':') {
        const char *const rest = selector + length + 1;
        status = backend->resolve != NULL ? backend->resolve(rest, &index) : parse_index(rest, &index);
    }
    return status == GRKAN_SUCCESS ? open_index(backend, count, index, device) : status;
}

/* The first GPU of a backend that opens; for the cpu, the cpu. */
static grkan_status open_first_of(const char *name, grkan_device **device)
{
    const grkan_backend *backend = NULL;
    int count = 0;
    grkan_status status = grkan_registry_find(name, &backend, &count);
    for (int index = 0; index < count; index++) {
        grkan_device *opened = NULL;
        status = open_index(backend, count, index, &opened);
        if (status != GRKAN_SUCCESS) {
            continue;
        }
        if (opened->properties.is_gpu != 0 || backend == &grkan_cpu_backend) {
            *device = opened;
            return GRKAN_SUCCESS;
        }
        grkan_device_close(opened);
        status = grkan_fail(GRKAN_ERROR_NO_DEVICE, "backend \"%s\" has no GPU", name);
    }
    return status;
}

/* The registry's order is the order of preference. */
static grkan_status open_first(grkan_device **device)
{
    /* What did not work on the way to success is not an error of the caller's call. */
    char *const earlier = strdup(grkan_last_error());
    grkan_status status = GRKAN_ERROR_NO_DEVICE;
    for (int i = 0; i < grkan_backend_count() && status != GRKAN_SUCCESS; i++) {
        status = open_first_of(grkan_backend_name(i), device);
    }
    if (status == GRKAN_SUCCESS && earlier != NULL) {
        (void)grkan_fail(status, "%s", earlier);
    }
    free(earlier);
    return status;
}

grkan_status grkan_device_open(const char *selector, grkan_device **device)
{
    grkan_status status = check_pointer(device, "device", "where to put the device");
    if (status != GRKAN_SUCCESS) {
        return status;
    }
    *device = NULL;
    const char *origin = "";
    if (selector == NULL || selector[0] == '\0') {
        selector = grkan_environment(DEVICE_VARIABLE);
        origin = " (from " DEVICE_VARIABLE ")";
    }
    if (selector == NULL || selector[0] == '\0') {
        return open_first(device);
    }
    status = open_selected(selector, device);
    if (status != GRKAN_SUCCESS) {
        (void)grkan_fail(status, "device \"%s\"%s: %s", selector, origin, grkan_last_error());
    }
    return status;
}

grkan_status grkan_device_describe(const grkan_device *device, grkan_device_properties *properties)
{
    const grkan_status status = check_device(device);
    if (status != GRKAN_SUCCESS) {
        return status;
    }
    if (properties == NULL) {
        return fail_null("properties", "where to put what the device is");
    }
    *properties = device->properties;
    return GRKAN_SUCCESS;
}

/* ----------------------------------------------------------------------------------------------------- memory */

grkan_status grkan_memory_allocate(grkan_device *device, size_t bytes, void **base)
{
    if (base == NULL) {
        return fail_null("base", "where to put the memory");
    }
    *base = NULL;
    const grkan_status status = check_device(device);
    if (status != GRKAN_SUCCESS) {
        return status;
    }
    if (bytes == 0) {
        return grkan_fail(GRKAN_ERROR_INVALID_ARGUMENT, "bytes is 0; expected 1 or more");
    }
    return device->backend->allocate(device->state, bytes, base);
}

void grkan_memory_free(grkan_device *device, void *base)
{
    if (device != NULL && base != NULL) {
        device->backend->free(device->state, base);
    }
}

/* Status of a buffer of the device's, of bytes > 0. */
static grkan_status check_buffer(const grkan_device *device, grkan_buffer buffer, size_t bytes, const char *argument)
{
    if (buffer.base == NULL) {
        return grkan_fail(GRKAN_ERROR_INVALID_ARGUMENT, "%s.base is NULL; expected memory of the device", argument);
    }
    const uintptr_t start = device->backend->uses_pointers != 0 ? (uintptr_t)buffer.base : 0;
    if (buffer.offset > UINTPTR_MAX - start || bytes > UINTPTR_MAX - start - buffer.offset) {
        return grkan_fail(GRKAN_ERROR_INVALID_ARGUMENT,
                          "%s.offset %zu and bytes %zu run over the end of the address space", argument, buffer.offset,
                          bytes);
    }
    return GRKAN_SUCCESS;
}

grkan_status grkan_memory_upload(grkan_device *device, grkan_buffer to, const void *from, size_t bytes)
{
    grkan_status status = check_device(device);
    if (status != GRKAN_SUCCESS || bytes == 0) {
        return status;
    }
    status = check_buffer(device, to, bytes, "to");
    if (status != GRKAN_SUCCESS) {
        return status;
    }
    if (from == NULL) {
        return fail_null("from", "memory of the host");
    }
    return device->backend->upload(device->state, to, from, bytes);
}

grkan_status grkan_memory_download(grkan_device *device, void *to, grkan_buffer from, size_t bytes)
{
    grkan_status status = check_device(device);
    if (status != GRKAN_SUCCESS || bytes == 0) {
        return status;
    }
    status = check_buffer(device, from, bytes, "from");
    if (status != GRKAN_SUCCESS) {
        return status;
    }
    if (to == NULL) {
        return fail_null("to", "memory of the host");
    }
    return device->backend->download(device->state, to, from, bytes);
}

/* Both have been checked, so no sum overflows. */
static bool is_overlap(const grkan_device *device, grkan_buffer first, grkan_buffer second, size_t bytes)
{
    const bool uses_pointers = device->backend->uses_pointers != 0;
    if (!uses_pointers && first.base != second.base) {
        return false;
    }
    const uintptr_t first_start = (uses_pointers ? (uintptr_t)first.base : 0) + first.offset;
    const uintptr_t second_start = (uses_pointers ? (uintptr_t)second.base : 0) + second.offset;
    return first_start < second_start + bytes && second_start < first_start + bytes;
}

grkan_status grkan_memory_copy(grkan_device *device, grkan_buffer to, grkan_buffer from, size_t bytes)
{
    grkan_status status = check_device(device);
    if (status != GRKAN_SUCCESS || bytes == 0) {
        return status;
    }
    status = check_buffer(device, to, bytes, "to");
    if (status == GRKAN_SUCCESS) {
        status = check_buffer(device, from, bytes, "from");
    }
    if (status != GRKAN_SUCCESS) {
        return status;
    }
    if (is_overlap(device, to, from, bytes)) {
        return grkan_fail(GRKAN_ERROR_INVALID_ARGUMENT, "to overlaps from; expected %zu bytes apart from each other",
                          bytes);
    }
    return device->backend->copy(device->state, to, from, bytes);
}

/* --------------------------------------------------------------------- the default stream and its stopwatch */

grkan_status grkan_device_synchronize(grkan_device *device)
{
    const grkan_status status = check_device(device);
    return status == GRKAN_SUCCESS ? device->backend->synchronize(device->state) : status;
}

grkan_status grkan_timer_start(grkan_device *device)
{
    const grkan_status status = check_device(device);
    return status == GRKAN_SUCCESS ? device->backend->timer_start(device->state) : status;
}

grkan_status grkan_timer_stop(grkan_device *device, double *milliseconds)
{
    const grkan_status status = check_device(device);
    if (status != GRKAN_SUCCESS) {
        return status;
    }
    if (milliseconds == NULL) {
        return fail_null("milliseconds", "where to put the time");
    }
    return device->backend->timer_stop(device->state, milliseconds);
}
