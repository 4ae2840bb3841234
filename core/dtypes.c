/* SPDX-License-Identifier: Apache-2.0 */
/** @file dtypes.c @brief The sizes of storage types. The modules have this file too, and need nothing else of the core. */
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

size_t grkan_coefficient_bytes(grkan_dtype dtype)
{
    const size_t bytes = grkan_dtype_bytes(dtype);
    return bytes == 2 ? 4 : bytes;
}
