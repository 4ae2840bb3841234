/* SPDX-License-Identifier: Apache-2.0 */
/** @file device_layer.c @brief Device memory that a pattern fills. */
#include "device_layer.h"

grkan_status device_repeat(grkan_device *device, size_t bytes, const void *pattern, size_t pattern_bytes,
                           grkan_buffer *buffer)
{
    *buffer = (grkan_buffer){NULL, 0};
    if (bytes == 0)
        return GRKAN_SUCCESS;
    size_t done = bytes < pattern_bytes ? bytes : pattern_bytes;
    grkan_status status = grkan_memory_allocate(device, bytes, &buffer->base);
    if (status == GRKAN_SUCCESS)
        status = grkan_memory_upload(device, *buffer, pattern, done);
    while (done < bytes && status == GRKAN_SUCCESS) { /* copy what is there behind itself */
        const size_t part = bytes - done < done ? bytes - done : done;
        status = grkan_memory_copy(device, (grkan_buffer){buffer->base, done}, *buffer, part);
        done += part;
    }
    return status;
}

grkan_status device_zeros(grkan_device *device, size_t bytes, grkan_buffer *buffer)
{
    static const char zeros[4096];
    return device_repeat(device, bytes, zeros, sizeof zeros, buffer);
}

void device_layer_free(grkan_device *device, device_layer *layer)
{
    for (int t = 0; t < CHECK_TENSORS; t++)
        grkan_memory_free(device, layer->tensor[t].base);
    grkan_memory_free(device, layer->workspace.base);
    *layer = (device_layer){0};
}
