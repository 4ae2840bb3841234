/* SPDX-License-Identifier: Apache-2.0 */
/** @file weak.c @brief A module whose devices lack what plans ask for: the first nearly everything, the second threads. */
#define FAKE_NAME "hip"
#define FAKE_DEVICES 2
#define FAKE_DESCRIBE describe_weakness
#include "fake.h"

static grkan_tuning tune(const grkan_device_limits *limits, const grkan_pass_shape *shape)
{
    (void)limits, (void)shape;
    return (grkan_tuning){.block = 64};
}

static grkan_status describe_weakness(const grkan_backend_device *device, grkan_device_properties *properties,
                                      grkan_device_limits *limits)
{
    const int is_second = device->index == 1;
    const grkan_status status = fake_describe(device, properties, limits);
    (void)snprintf(properties->name, sizeof properties->name, "Weakling %d", device->index);
    properties->dtypes = 1u << GRKAN_F32;
    properties->has_atomics = is_second;
    properties->is_ieee = is_second;
    *limits = (grkan_device_limits){
        .compute_units = 1, .least_elements = 32, .max_block = is_second ? 64 : 16, .tune = tune, .local_bytes = 32768};
    return status;
}

const grkan_backend grkan_backend_table = {FAKE_TABLE};
