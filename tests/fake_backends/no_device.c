/* SPDX-License-Identifier: Apache-2.0 */
/** @file no_device.c @brief A module whose vendor finds no device. */
#define FAKE_NAME "hip"
#define FAKE_COUNT count_nothing
#include "fake.h"

static grkan_status count_nothing(const grkan_host *host, int *count)
{
    *count = 0;
    return host->set_error(GRKAN_ERROR_NO_DEVICE, "fakeGetDeviceCount: no such hardware");
}

const grkan_backend grkan_backend_table = {FAKE_TABLE};
