/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file device_layer.h
 * @brief A layer's tensors in the memory of a device, and its calls: all that tools and tests know of grkan.h's
 *        arguments.
 */
#ifndef GRKAN_CHECK_DEVICE_LAYER_H
#define GRKAN_CHECK_DEVICE_LAYER_H

#include "data.h"

/** What calls read and write. Where a call runs in place, two tensors have the same buffer. Zero it first. */
typedef struct device_layer {
    grkan_buffer tensor[CHECK_TENSORS]; /**< {NULL, 0} for one without elements, and for one that no call uses */
    grkan_buffer workspace;
    size_t workspace_bytes;
    grkan_accumulation accumulation;
} device_layer;

#define DEVICE_LAYER_TABLES(first) {tensor[first], tensor[(first) + 1], tensor[(first) + 2], tensor[(first) + 3]}
_Static_assert(GRKAN_MOST_TABLES == 4, "DEVICE_LAYER_TABLES lists them");

/* The calls are in the header, so that a bench of the host's time measures what a caller of the library has. */

static inline grkan_forward_arguments device_layer_forward_arguments(const device_layer *layer)
{
    const grkan_buffer *const tensor = layer->tensor;
    return (grkan_forward_arguments){
        .x = tensor[CHECK_X],
        .tables = DEVICE_LAYER_TABLES(CHECK_TABLE),
        .y = tensor[CHECK_Y],
        .mean = tensor[CHECK_MEAN],
        .rstd = tensor[CHECK_RSTD],
    };
}

static inline grkan_backward_arguments device_layer_backward_arguments(const device_layer *layer)
{
    const grkan_buffer *const tensor = layer->tensor;
    return (grkan_backward_arguments){
        .x = tensor[CHECK_X],
        .dy = tensor[CHECK_DY],
        .tables = DEVICE_LAYER_TABLES(CHECK_TABLE),
        .dx = tensor[CHECK_DX],
        .gradients = DEVICE_LAYER_TABLES(CHECK_GRADIENT),
        .accumulation = layer->accumulation,
        .workspace = layer->workspace,
        .workspace_bytes = layer->workspace_bytes,
        .mean = tensor[CHECK_MEAN],
        .rstd = tensor[CHECK_RSTD],
        .y = tensor[CHECK_Y_AGAIN],
    };
}

/** Enqueue grkan_forward: from x and the coefficients to y. */
static inline grkan_status device_layer_forward(const grkan_plan *plan, const device_layer *layer)
{
    const grkan_forward_arguments arguments = device_layer_forward_arguments(layer);
    return grkan_forward(plan, &arguments, NULL);
}

/** Enqueue grkan_backward: from x, dy and the coefficients to dx and the coefficients' gradients. */
static inline grkan_status device_layer_backward(const grkan_plan *plan, const device_layer *layer)
{
    const grkan_backward_arguments arguments = device_layer_backward_arguments(layer);
    return grkan_backward(plan, &arguments, NULL);
}

/**
 * Allocate memory that begins with the bytes of a pattern, which then repeat. Without bytes, buffer is {NULL, 0}.
 * @param pattern       on the host
 * @param pattern_bytes above 0, unless bytes is 0; of a longer pattern only the beginning is used
 * @param buffer        out; also after an error it holds what must be freed
 */
grkan_status device_repeat(grkan_device *device, size_t bytes, const void *pattern, size_t pattern_bytes,
                           grkan_buffer *buffer);

/** Allocate zeros, likewise. */
grkan_status device_zeros(grkan_device *device, size_t bytes, grkan_buffer *buffer);

/** Free every tensor, each of which must have memory of its own, and the workspace. */
void device_layer_free(grkan_device *device, device_layer *layer);

#endif
