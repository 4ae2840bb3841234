/* SPDX-License-Identifier: Apache-2.0 */
/** @file posix.h @brief What the files for POSIX systems share: a new file that takes the place of another. */
#ifndef GRKAN_POSIX_H
#define GRKAN_POSIX_H

#include <fcntl.h>
#include <sys/stat.h>

#include "../platform.h"

/** A file under a temporary name in the folder of its place. */
typedef struct posix_new_file {
    int folder;                  /**< a descriptor of the folder that paths are from; AT_FDCWD */
    int descriptor;              /**< the file, to be written to */
    char name[GRKAN_PATH_BYTES]; /**< from `folder` */
} posix_new_file;

/** Create a file with a name that nobody else has, for a place. @return false with errno set, and nothing left */
bool posix_new_file_open(posix_new_file *file, int folder, const char *place, mode_t mode);

/** Close it, and give it its place's name; NULL: remove it. @return false with errno set, and nothing left */
bool posix_new_file_close(posix_new_file *file, const char *place);

/** Write all of the bytes. @return false with errno set */
bool posix_write_all(int descriptor, const void *from, size_t bytes);

#endif
