/* SPDX-License-Identifier: Apache-2.0 */
/** @file older.c @brief A module of version 0.1, whose table began with its size and the version of its interface. */
#include <grkan/grkan.h>

typedef struct older_table {
    uint32_t struct_size;
    uint32_t api_version;
    const char *name;
} older_table;

GRKAN_API extern const older_table grkan_backend_table;
const older_table grkan_backend_table = {sizeof(older_table), 6, "hip"};
