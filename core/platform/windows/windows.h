/* SPDX-License-Identifier: Apache-2.0 */
/** @file windows.h @brief What the files for Windows share: its headers, its text, its errors, new files. */
#ifndef GRKAN_WINDOWS_H
#define GRKAN_WINDOWS_H

#define WIN32_LEAN_AND_MEAN 1
#include <windows.h>

#include "../platform.h"

/** Characters of UTF-16 that hold any path of GRKAN_PATH_BYTES, with what makes it longer than MAX_PATH. */
#define WINDOWS_PATH (GRKAN_PATH_BYTES + 8)

/** Text as the system takes it. @return false with errno set: it is no UTF-8, or there is no room */
bool windows_wide(const char *text, wchar_t *wide, size_t room);

/** A path as the system takes it, however long it is. @return false with errno set */
bool windows_path(const char *path, wchar_t wide[WINDOWS_PATH]);

/** What the system gives as UTF-8. @return false with errno set, and text is "": it does not fit */
bool windows_text(const wchar_t *wide, char *text, size_t bytes);

/** The same of a path, its folders separated by "/", without what makes it longer than MAX_PATH. */
bool windows_path_text(const wchar_t *wide, char *path, size_t bytes);

/** Put the reason of the system's last failure into errno. @return false */
bool windows_fail(void);

/** Whether an open file or folder is the user's, and, `is_alone`, nobody but the user and the system has a right to it. */
bool windows_is_own(HANDLE file, bool is_alone);

/** Make a folder that is the user's alone. @return false with the system's last error */
bool windows_make_private(const wchar_t *path);

/** A file under a temporary name in the folder of its place. */
typedef struct windows_new_file {
    HANDLE file; /**< to be written to */
    wchar_t name[WINDOWS_PATH];
} windows_new_file;

/** Create a file with a name that nobody else has, for a place. @return false with errno set, and nothing left */
bool windows_new_file_open(windows_new_file *file, const char *place);

/** Close it, and give it its place's name; NULL: remove it. @return false with errno set, and nothing left */
bool windows_new_file_close(windows_new_file *file, const char *place);

/** Write all of the bytes. @return false with errno set */
bool windows_write_all(HANDLE file, const void *from, size_t bytes);

#endif
