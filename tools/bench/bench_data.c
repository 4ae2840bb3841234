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

/** The numerator's coefficients are those of exp, a mild function, and the denominator's a twentieth of them; scales are
    about 1, biases and shifts about a tenth. */
static double number_of(const grkan_operation *operation, int k, int64_t index)
{
    if (k > GRKAN_DENOMINATOR)
        return operation->prologue != GRKAN_PROLOGUE_BIAS && k == GRKAN_SCALE ? 1.0 : 0.1;
    if (k == GRKAN_NUMERATOR)
        return 1.0 / tgamma((double)index + 1.0);
    return 0.05 / tgamma((double)(oracle_first_denominator(operation->rational.form) + index) + 1.0);
}

grkan_status bench_table_memory(grkan_device *device, const grkan_operation *operation, int k, grkan_buffer *buffer)
{
    const grkan_table table = check_table_of(operation, k);
    const grkan_dtype dtype = storage_of_coefficients(operation->dtype);
    const size_t bytes = (size_t)(table.rows * table.width) * grkan_dtype_bytes(dtype);
    void *values = tool_allocate(bytes);
    for (int64_t i = 0; i < table.rows * table.width; i++) {
        const double row_factor = 1.0 + 0.01 * (double)(i / table.width % 8);
        storage_store(dtype, values, i, row_factor * number_of(operation, k, i % table.width));
    }
    grkan_status status = device_repeat(device, bytes, values, bytes, buffer);
    free(values);
    return status;
}
