/* SPDX-License-Identifier: Apache-2.0 */
/** @file library_folders.c @brief The folders that callers handed over for vendors' libraries. */
#include <stdlib.h>
#include <string.h>

#include "internal.h"

enum { MOST_FOLDERS = 64 };

static grkan_lock lock = GRKAN_LOCK_INIT; /* guards what follows; a text that is there stays as it is */
static char *folders[MOST_FOLDERS];
static int folder_count;

/* The lock is held. */
static bool is_known(const char *folder)
{
    for (int i = 0; i < folder_count; i++)
        if (strcmp(folders[i], folder) == 0)
            return true;
    return false;
}

/* The lock is held. */
static grkan_status add(const char *folder)
{
    if (is_known(folder))
        return GRKAN_SUCCESS;
    if (folder_count == MOST_FOLDERS)
        return grkan_fail(GRKAN_ERROR_OUT_OF_MEMORY, "no room for folder \"%s\": there are %d already", folder,
                          MOST_FOLDERS);
    char *const copy = strdup(folder);
    if (copy == NULL)
        return grkan_fail(GRKAN_ERROR_OUT_OF_MEMORY, "no memory for folder \"%s\"", folder);
    folders[folder_count++] = copy;
    return GRKAN_SUCCESS;
}

grkan_status grkan_add_library_folder(const char *folder)
{
    if (folder == NULL)
        return grkan_fail(GRKAN_ERROR_INVALID_ARGUMENT, "folder is NULL; expected an absolute path");
    if (!grkan_is_absolute(folder))
        return grkan_fail(GRKAN_ERROR_INVALID_ARGUMENT, "folder is \"%s\"; expected an absolute path", folder);
    grkan_lock_take(&lock);
    const grkan_status status = add(folder);
    grkan_lock_release(&lock);
    return status;
}

const char *grkan_library_folder_at(int index)
{
    grkan_lock_take(&lock);
    const char *const folder = index >= 0 && index < folder_count ? folders[index] : NULL;
    grkan_lock_release(&lock);
    return folder;
}
