/* SPDX-License-Identifier: Apache-2.0 */
/** @file bench_data.c @brief Device memory with the data that bench runs on. */
#include <math.h>
#include <stdlib.h>

#include "bench.h"
#include "check/device_layer.h"
#include "check/random.h"
#include "check/storage_types.h"

/** Elements made on the host and uploaded again and again; more would only take longer to make. */
enum { PATTERN_ELEMENTS = 1 << 18 };

grkan_status bench_random_memory(grkan_device *device, grkan_dtype dtype, size_t bytes, uint64_t seed,
                                 grkan_buffer *buffer)
{
    size_t element = grkan_dtype_bytes(dtype);
    size_t elements = bytes / element < PATTERN_ELEMENTS ? bytes / element : PATTERN_ELEMENTS;
    void *pattern = tool_allocate(elements * element);
    check_random random = {seed};
    for (size_t i = 0; i < elements; i++)
        storage_store(dtype, pattern, (int64_t)i, check_random_normal(&random));
    grkan_status status = device_repeat(device, bytes, pattern, elements * element, buffer);
    free(pattern);
    return status;
}

grkan_status bench_coefficient_memory(grkan_device *device, grkan_dtype dtype, check_shape shape, double scale,
                                      grkan_buffer *buffer)
{
    const size_t bytes = (size_t)shape.rows * (size_t)shape.width * grkan_coefficient_bytes(dtype);
    void *values = tool_allocate(bytes);
    for (int64_t i = 0; i < shape.rows * shape.width; i++) {
        double row_factor = 1.0 + 0.01 * (double)(i / shape.width % 8);
        double factorial = tgamma((double)(shape.first + i % shape.width) + 1.0);
        storage_store(storage_of_coefficients(dtype), values, i, scale * row_factor / factorial);
    }
    grkan_status status = device_repeat(device, bytes, values, bytes, buffer);
    free(values);
    return status;
}
