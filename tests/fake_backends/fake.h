/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file fake.h
 * @brief A backend that has devices and can do nothing with them: what the modules of this folder start from.
 *
 * A module defines FAKE_NAME and what it is to be wrong or special in, includes this, and ends with
 * `const grkan_backend grkan_backend_table = {FAKE_TABLE};`.
 */
#ifndef FAKE_H
#define FAKE_H

#include "../../backends/backend.h"
#include "interface.h"

#include <stdio.h>

#ifndef FAKE_DEVICES
#define FAKE_DEVICES 1
#endif
#ifndef FAKE_INTERFACE
#define FAKE_INTERFACE GRKAN_INTERFACE
#endif
#ifndef FAKE_COUNT
#define FAKE_COUNT fake_count
#endif
#ifndef FAKE_RESOLVE
#define FAKE_RESOLVE NULL
#endif
#ifndef FAKE_OPEN
#define FAKE_OPEN fake_open
#endif
#ifndef FAKE_DESCRIBE
#define FAKE_DESCRIBE fake_describe
#endif
#ifndef FAKE_SYNCHRONIZE
#define FAKE_SYNCHRONIZE fake_synchronize
#endif

struct grkan_backend_device {
    int index;
};

static struct grkan_backend_device fake_devices[FAKE_DEVICES];
static const grkan_host *fake_host;

/* The core promises to call this once. */
static inline grkan_status fake_count(const grkan_host *host, int *count)
{
    if (fake_host != NULL) {
        return host->set_error(GRKAN_ERROR_DEVICE, "count was called twice");
    }
    fake_host = host;
    *count = FAKE_DEVICES;
    return GRKAN_SUCCESS;
}

static inline grkan_status fake_fail(void)
{
    return fake_host->set_error(GRKAN_ERROR_DEVICE, "a fake backend runs nothing");
}

static inline grkan_status fake_open(int index, grkan_backend_device **device)
{
    fake_devices[index].index = index;
    *device = &fake_devices[index];
    return GRKAN_SUCCESS;
}

static inline void fake_close(grkan_backend_device *device)
{
    (void)device;
}

static inline grkan_status fake_describe(const grkan_backend_device *device, grkan_device_properties *properties,
                                         grkan_device_limits *limits)
{
    (void)limits;
    (void)snprintf(properties->selector, sizeof properties->selector, FAKE_NAME ":%d", device->index);
    (void)snprintf(properties->backend, sizeof properties->backend, FAKE_NAME);
    properties->is_gpu = 1;
    return GRKAN_SUCCESS;
}

static inline grkan_status fake_load(grkan_backend_device *device, const grkan_plan_data *plan,
                                     const grkan_blob *binary, grkan_backend_program **program)
{
    (void)device, (void)plan, (void)binary, (void)program;
    return fake_fail();
}

static inline void fake_unload(grkan_backend_program *program)
{
    (void)program;
}

static inline grkan_status fake_forward(grkan_backend_program *program, const grkan_plan_data *plan,
                                        const grkan_call *arguments, void *stream)
{
    (void)program, (void)plan, (void)arguments, (void)stream;
    return fake_fail();
}

static inline grkan_status fake_backward(grkan_backend_program *program, const grkan_plan_data *plan,
                                         const grkan_call *arguments, void *stream)
{
    (void)program, (void)plan, (void)arguments, (void)stream;
    return fake_fail();
}

static inline grkan_status fake_allocate(grkan_backend_device *device, size_t bytes, void **base)
{
    (void)device, (void)bytes, (void)base;
    return fake_fail();
}

static inline void fake_free(grkan_backend_device *device, void *base)
{
    (void)device, (void)base;
}

static inline grkan_status fake_upload(grkan_backend_device *device, grkan_buffer to, const void *from, size_t bytes)
{
    (void)device, (void)to, (void)from, (void)bytes;
    return fake_fail();
}

static inline grkan_status fake_download(grkan_backend_device *device, void *to, grkan_buffer from, size_t bytes)
{
    (void)device, (void)to, (void)from, (void)bytes;
    return fake_fail();
}

static inline grkan_status fake_copy(grkan_backend_device *device, grkan_buffer to, grkan_buffer from, size_t bytes)
{
    (void)device, (void)to, (void)from, (void)bytes;
    return fake_fail();
}

static inline grkan_status fake_synchronize(grkan_backend_device *device)
{
    (void)device;
    return fake_fail();
}

static inline grkan_status fake_timer_stop(grkan_backend_device *device, double *milliseconds)
{
    (void)device, (void)milliseconds;
    return fake_fail();
}

#define FAKE_TABLE                                                                                                     \
    .interface_hash = FAKE_INTERFACE, .name = FAKE_NAME, .count = FAKE_COUNT, .resolve = FAKE_RESOLVE,                 \
    .open = FAKE_OPEN, .close = fake_close, .describe = FAKE_DESCRIBE, .load = fake_load, .unload = fake_unload,       \
    .forward = fake_forward, .backward = fake_backward, .allocate = fake_allocate, .free = fake_free,                  \
    .upload = fake_upload, .download = fake_download, .copy = fake_copy, .synchronize = FAKE_SYNCHRONIZE,              \
    .timer_start = fake_synchronize, .timer_stop = fake_timer_stop

GRKAN_API extern const grkan_backend grkan_backend_table;

#endif
