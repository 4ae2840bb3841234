/* SPDX-License-Identifier: Apache-2.0 */
/** @file libraries.c @brief Shared libraries, by the dynamic loader of POSIX systems. */
#define _GNU_SOURCE 1 /* dladdr, dl_iterate_phdr */

#include "../platform.h"

#include <dlfcn.h>
#include <link.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/** A grkan_library is the loader's own handle. */
grkan_library *grkan_library_open(const char *file)
{
    return dlopen(file, RTLD_NOW | RTLD_LOCAL);
}

void grkan_library_close(grkan_library *library)
{
    (void)dlclose(library);
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

/** Whether a file's name is STEM.so or STEM-HASH.so, whatever follows; a HASH is of hexadecimal digits. */
static bool has_stem(const char *path, const char *stem)
{
    const char *const slash = strrchr(path, '/');
    const char *rest = slash == NULL ? path : slash + 1;
    if (strncmp(rest, stem, strlen(stem)) != 0)
        return false;
    rest += strlen(stem);
    if (*rest == '-')
        rest += 1 + strspn(rest + 1, "0123456789abcdef");
    return strncmp(rest, ".so", 3) == 0 && (rest[3] == '\0' || rest[3] == '.');
}

/** A search among the libraries of the process. */
typedef struct loaded_search {
    const char *stem;
    int left; /* that match and come before the wanted one */
    char *path;
    size_t bytes;
} loaded_search;

static int look_at_loaded(struct dl_phdr_info *info, size_t size, void *context)
{
    loaded_search *const search = context;
    (void)size;
    if (info->dlpi_name == NULL || !has_stem(info->dlpi_name, search->stem) || search->left-- > 0)
        return 0;
    const int written = snprintf(search->path, search->bytes, "%s", info->dlpi_name);
    return written > 0 && (size_t)written < search->bytes ? 1 : -1;
}

bool grkan_library_loaded(const char *stem, int index, char *path, size_t bytes)
{
    loaded_search search = {stem, index, path, bytes};
    return dl_iterate_phdr(look_at_loaded, &search) == 1;
}

bool grkan_library_file(const void *address, char *path, size_t bytes)
{
    Dl_info info;
    const bool is_known = dladdr(address, &info) != 0 && info.dli_fname != NULL && strchr(info.dli_fname, '/') != NULL;
    char *const file = is_known ? realpath(info.dli_fname, NULL) : NULL;
    const int written = snprintf(path, bytes, "%s", file == NULL ? "" : file);
    free(file);
    if (written > 0 && (size_t)written < bytes)
        return true;
    path[0] = '\0';
    return false;
}
