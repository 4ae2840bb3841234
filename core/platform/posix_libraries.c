/* SPDX-License-Identifier: Apache-2.0 */
/** @file posix_libraries.c @brief Shared libraries, by the dynamic loader of POSIX systems. */
#define _GNU_SOURCE 1 /* dladdr */

#include "platform.h"

#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/** A grkan_library is the loader's own handle. */
grkan_library *grkan_library_open(const char *file)
{
    return dlopen(file, RTLD_NOW | RTLD_LOCAL);
}

void *grkan_library_symbol(grkan_library *library, const char *symbol)
{
    return dlsym(library, symbol);
}

const char *grkan_library_error(void)
{
    const char *const words = dlerror();
    return words == NULL ? "no reason given" : words;
}

bool grkan_library_folder(const void *address, char *path, size_t bytes)
{
    Dl_info info;
    const bool is_known = dladdr(address, &info) != 0 && info.dli_fname != NULL && strchr(info.dli_fname, '/') != NULL;
    char *const file = is_known ? realpath(info.dli_fname, NULL) : NULL;
    const int length = file == NULL ? 0 : (int)(strrchr(file, '/') - file);
    const int written = snprintf(path, bytes, "%.*s", length, file == NULL ? "" : file);
    free(file);
    if (length > 0 && written == length && (size_t)written < bytes)
        return true;
    path[0] = '\0';
    return false;
}
