/* SPDX-License-Identifier: Apache-2.0 */
/** @file late_device.c @brief A module whose vendor finds its devices at the second look, as when a driver's library came. */
#define FAKE_NAME "hip"
#define FAKE_COUNT count_late
#include "fake.h"

static grkan_status count_late(const grkan_host *host, int *count)
{
    static int looks;
    if (++looks == 1) {
        return host->set_error(GRKAN_ERROR_NO_DEVICE, "fakeGetDeviceCount: no such hardware");
    }
    return fake_count(host, count);
}

const grkan_backend grkan_backend_table = {FAKE_TABLE};
