/* SPDX-License-Identifier: Apache-2.0 */
/** @file dtypes.c @brief The storage types of tensors, and their sizes. The modules have this file too, and need nothing else of the core. */
#include <grkan/grkan.h>

size_t grkan_dtype_bytes(grkan_dtype dtype)
{
    switch (dtype) {
    case GRKAN_F32:
        return 4;
    case GRKAN_F16:
    case GRKAN_BF16:
        return 2;
    case GRKAN_F64:
        return 8;
    }
    return 0;
}

grkan_dtype grkan_operation_output_dtype(const grkan_operation *operation)
{
    return operation->output_dtype == GRKAN_OUTPUT_AS_INPUT ? operation->dtype
                                                            : (grkan_dtype)((int)operation->output_dtype - 1);
}

size_t grkan_coefficient_bytes(grkan_dtype dtype)
{
    const size_t bytes = grkan_dtype_bytes(dtype);
    return bytes == 2 ? 4 : bytes;
}
