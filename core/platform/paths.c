/* SPDX-License-Identifier: Apache-2.0 */
/** @file paths.c @brief What is done with paths alike on all systems. */
#include "platform.h"

#include <stdio.h>

bool grkan_library_folder(const void *address, char *path, size_t bytes)
{
    char file[GRKAN_PATH_BYTES];
    const bool is_known = grkan_library_file(address, file, sizeof file);
    const int length = is_known ? (int)(grkan_path_name(file) - file) - 1 : 0;
    const int written = snprintf(path, bytes, "%.*s", length, file);
    if (length > 0 && (size_t)written < bytes)
        return true;
    path[0] = '\0';
    return false;
}
