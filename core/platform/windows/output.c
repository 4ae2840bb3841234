/* SPDX-License-Identifier: Apache-2.0 */
/** @file output.c @brief Finds what a path names, and writes to it or puts a complete file in its place. */
#include "windows.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

/** What a path names. */
typedef struct place {
    enum { REPLACED, WRITTEN_TO, STANDARD_OUTPUT } kind;
    char path[GRKAN_PATH_BYTES]; /**< REPLACED: the file's name behind all links */
} place;

/* --------------------------------------------------------------------------------------------------------- places */

/** What is there already, by its handle: a file's name behind all links, or what is no file: a device, a pipe. */
static bool look_at(HANDLE found, const char *path, place *to)
{
    wchar_t real[WINDOWS_PATH];
    if (GetFileType(found) != FILE_TYPE_DISK) {
        to->kind = WRITTEN_TO;
        return true;
    }
    const DWORD length = GetFinalPathNameByHandleW(found, real, WINDOWS_PATH, FILE_NAME_NORMALIZED);
    if (length > 0 && length < WINDOWS_PATH)
        return windows_path_text(real, to->path, sizeof to->path);
    if (snprintf(to->path, sizeof to->path, "%s", path) < (int)sizeof to->path)
        return true;
    errno = ENAMETOOLONG;
    return false;
}

static bool find_place(const char *path, place *to)
{
    wchar_t wide[WINDOWS_PATH];
    *to = (place){.kind = STANDARD_OUTPUT};
    if (strcmp(path, "-") == 0)
        return true;
    to->kind = REPLACED;
    if (!windows_path(path, wide))
        return false;
    const DWORD attributes = GetFileAttributesW(wide);
    if (attributes != INVALID_FILE_ATTRIBUTES &&
        (attributes & (FILE_ATTRIBUTE_DIRECTORY | FILE_ATTRIBUTE_READONLY)) != 0) {
        errno = (attributes & FILE_ATTRIBUTE_DIRECTORY) != 0 ? EISDIR : EACCES;
        return false;
    }
    /* Opened for writing, to know of whatever stands against that, and left as it is. */
    const HANDLE found = CreateFileW(wide, GENERIC_WRITE, FILE_SHARE_READ | FILE_SHARE_WRITE | FILE_SHARE_DELETE, NULL,
                                     OPEN_EXISTING, 0, NULL);
    if (found == INVALID_HANDLE_VALUE) {
        if (GetLastError() != ERROR_FILE_NOT_FOUND)
            return windows_fail();
        if (snprintf(to->path, sizeof to->path, "%s", path) < (int)sizeof to->path)
            return true;
        errno = ENAMETOOLONG;
        return false;
    }
    const bool is_found = look_at(found, path, to);
    (void)CloseHandle(found);
    return is_found;
}

/* ------------------------------------------------------------------------------------- a file that Ctrl-C takes along */

static const wchar_t *volatile name_to_remove;

/** Called in a thread of its own. @return FALSE: the next handler ends the program */
static BOOL WINAPI remove_unfinished(DWORD event)
{
    (void)event;
    if (name_to_remove != NULL)
        (void)DeleteFileW(name_to_remove);
    return FALSE;
}

static bool open_guarded(windows_new_file *file, const char *path)
{
    if (!windows_new_file_open(file, path))
        return false;
    name_to_remove = file->name;
    (void)SetConsoleCtrlHandler(remove_unfinished, TRUE);
    return true;
}

static bool close_guarded(windows_new_file *file, const char *path)
{
    const bool is_closed = windows_new_file_close(file, path);
    (void)SetConsoleCtrlHandler(remove_unfinished, FALSE);
    name_to_remove = NULL;
    return is_closed;
}

/* -------------------------------------------------------------------------------------------------------- writing */

static bool replace(const char *path, const void *bytes, size_t count)
{
    windows_new_file file;
    if (!open_guarded(&file, path))
        return false;
    const bool is_written = windows_write_all(file.file, bytes, count);
    const int reason = errno;
    if (!close_guarded(&file, is_written ? path : NULL))
        return false;
    errno = reason;
    return is_written;
}

static bool write_to(const char *path, const void *bytes, size_t count)
{
    wchar_t wide[WINDOWS_PATH];
    if (!windows_path(path, wide))
        return false;
    const HANDLE file =
        CreateFileW(wide, GENERIC_WRITE, FILE_SHARE_READ | FILE_SHARE_WRITE, NULL, OPEN_EXISTING, 0, NULL);
    if (file == INVALID_HANDLE_VALUE)
        return windows_fail();
    const bool is_written = windows_write_all(file, bytes, count);
    const int reason = errno;
    const bool is_closed = CloseHandle(file) || windows_fail();
    if (!is_written)
        errno = reason;
    return is_written && is_closed;
}

bool grkan_output_check(const char *path)
{
    place to;
    windows_new_file file;
    if (!find_place(path, &to))
        return false;
    if (to.kind != REPLACED)
        return true;
    return open_guarded(&file, to.path) && close_guarded(&file, NULL);
}

bool grkan_output_write(const char *path, const void *bytes, size_t count)
{
    place to;
    if (!find_place(path, &to))
        return false;
    switch (to.kind) {
    case STANDARD_OUTPUT: /* behind what the program has printed */
        return fwrite(bytes, 1, count, stdout) == count && fflush(stdout) == 0;
    case WRITTEN_TO:
        return write_to(path, bytes, count);
    default:
        return replace(to.path, bytes, count);
    }
}
