/* SPDX-License-Identifier: Apache-2.0 */
/** @file devices.c @brief A module with three devices, of which the first does not open. */
#define FAKE_NAME "hip"
#define FAKE_DEVICES 3
#define FAKE_OPEN open_but_first
#include "fake.h"

static grkan_status open_but_first(int index, grkan_backend_device **device)
{
    if (index == 0) {
        return fake_host->set_error(GRKAN_ERROR_DEVICE, "fakeSetDevice: device is in use");
    }
    return fake_open(index, device);
}

const grkan_backend grkan_backend_table = {FAKE_TABLE};
