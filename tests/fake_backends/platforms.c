/* SPDX-License-Identifier: Apache-2.0 */
/** @file platforms.c @brief A module with selectors of its own, platform:device; device 0:0 is no GPU, 0:1 is one. */
#define FAKE_NAME "opencl"
#define FAKE_DEVICES 2
#define FAKE_RESOLVE resolve_platform
#define FAKE_DESCRIBE describe_platform
#include "fake.h"

#include <string.h>

static grkan_status resolve_platform(const char *text, int *index)
{
    if (strcmp(text, "0:0") != 0 && strcmp(text, "0:1") != 0) {
        return fake_host->set_error(GRKAN_ERROR_NO_DEVICE, "there is no platform and device \"%s\"", text);
    }
    *index = text[2] - '0';
    return GRKAN_SUCCESS;
}

static grkan_status describe_platform(const grkan_backend_device *device, grkan_device_properties *properties,
                                      grkan_device_limits *limits)
{
    (void)limits;
    (void)snprintf(properties->selector, sizeof properties->selector, "opencl:0:%d", device->index);
    (void)snprintf(properties->backend, sizeof properties->backend, "opencl");
    properties->is_gpu = device->index;
    return GRKAN_SUCCESS;
}

const grkan_backend grkan_backend_table = {FAKE_TABLE};
