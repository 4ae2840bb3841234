/* SPDX-License-Identifier: Apache-2.0 */
/** @file files.c @brief Files and folders of Windows. */
#include "windows.h"

#include <ctype.h>
#include <errno.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

bool grkan_is_separator(char character)
{
    return character == '/' || character == '\\';
}

/** On a drive or another machine. What begins with one separator is on the drive that is current. */
bool grkan_is_absolute(const char *path)
{
    const bool is_on_drive = isalpha((unsigned char)path[0]) && path[1] == ':' && grkan_is_separator(path[2]);
    return is_on_drive || (grkan_is_separator(path[0]) && grkan_is_separator(path[1]));
}

const char *grkan_path_name(const char *path)
{
    const char *name = path;
    for (const char *at = path; *at != '\0'; at++)
        if (grkan_is_separator(*at) || (at == path + 1 && *at == ':'))
            name = at + 1;
    return name;
}

bool grkan_is_file(const char *path)
{
    wchar_t wide[WINDOWS_PATH];
    return windows_path(path, wide) && GetFileAttributesW(wide) != INVALID_FILE_ATTRIBUTES;
}

FILE *grkan_file_open(const char *path, const char *mode)
{
    wchar_t wide[WINDOWS_PATH], wide_mode[16];
    if (!windows_path(path, wide) || !windows_wide(mode, wide_mode, sizeof wide_mode / sizeof wide_mode[0]))
        return NULL;
    FILE *const file = _wfopen(wide, wide_mode);
    const DWORD attributes = file == NULL ? GetFileAttributesW(wide) : INVALID_FILE_ATTRIBUTES;
    if (attributes != INVALID_FILE_ATTRIBUTES && (attributes & FILE_ATTRIBUTE_DIRECTORY) != 0)
        errno = EISDIR; /* which the C library calls a want of rights */
    return file;
}

void grkan_file_remove(const char *path)
{
    wchar_t wide[WINDOWS_PATH];
    if (windows_path(path, wide))
        (void)DeleteFileW(wide);
}

bool grkan_make_folder(const char *path, bool is_private)
{
    wchar_t wide[WINDOWS_PATH];
    if (!windows_path(path, wide))
        return false;
    if (is_private ? windows_make_private(wide) : CreateDirectoryW(wide, NULL))
        return true;
    return GetLastError() == ERROR_ALREADY_EXISTS || windows_fail();
}

bool grkan_caches_folder(char *path, size_t bytes)
{
    const char *const caches = grkan_trusted_environment("LOCALAPPDATA");
    if (caches == NULL || !grkan_is_absolute(caches))
        return false;
    const int length = snprintf(path, bytes, "%s", caches);
    return length > 0 && (size_t)length < bytes;
}

/* ---------------------------------------------------------------------------------------------------- new files */

bool windows_write_all(HANDLE file, const void *from, size_t bytes)
{
    const size_t most = (size_t)1 << 30;
    const char *next = from;
    while (bytes > 0) {
        DWORD put = 0;
        if (!WriteFile(file, next, (DWORD)(bytes < most ? bytes : most), &put, NULL))
            return windows_fail();
        next += put;
        bytes -= put;
    }
    return true;
}

/** Names are tried in turn: a process that was ended may have left the first ones. */
bool windows_new_file_open(windows_new_file *file, const char *place)
{
    enum { most_attempts = 100 };
    static atomic_uint created;
    const int parent = (int)(grkan_path_name(place) - place);
    char name[GRKAN_PATH_BYTES];
    file->file = INVALID_HANDLE_VALUE;
    errno = EEXIST;
    for (int i = 0; i < most_attempts && file->file == INVALID_HANDLE_VALUE && errno == EEXIST; i++) {
        const int length = snprintf(name, sizeof name, "%.*s.grkan-%lu-%u.tmp", parent, place, GetCurrentProcessId(),
                                    atomic_fetch_add(&created, 1u));
        if (length < 0 || (size_t)length >= sizeof name) {
            errno = ENAMETOOLONG;
            return false;
        }
        if (!windows_path(name, file->name))
            return false;
        file->file = CreateFileW(file->name, GENERIC_WRITE, FILE_SHARE_READ | FILE_SHARE_DELETE, NULL, CREATE_NEW,
                                 FILE_ATTRIBUTE_NORMAL, NULL);
        if (file->file == INVALID_HANDLE_VALUE)
            (void)windows_fail();
    }
    return file->file != INVALID_HANDLE_VALUE;
}

/** A file that somebody reads, or looks through for viruses, is refused for a while. */
static bool move(const wchar_t *from, const wchar_t *to)
{
    enum { most_attempts = 20, milliseconds = 5 };
    for (int i = 0; i < most_attempts; i++) {
        if (MoveFileExW(from, to, MOVEFILE_REPLACE_EXISTING))
            return true;
        const DWORD code = GetLastError();
        if (code != ERROR_ACCESS_DENIED && code != ERROR_SHARING_VIOLATION)
            break;
        Sleep(milliseconds);
    }
    return windows_fail();
}

bool windows_new_file_close(windows_new_file *file, const char *place)
{
    wchar_t to[WINDOWS_PATH];
    const bool is_closed = CloseHandle(file->file) || windows_fail();
    const bool is_in_place = is_closed && place != NULL && windows_path(place, to) && move(file->name, to);
    const int reason = errno;
    if (!is_in_place)
        (void)DeleteFileW(file->name);
    errno = reason;
    return is_closed && (is_in_place || place == NULL);
}

/* ------------------------------------------------------------------------------------------------ private files */

/** @return a handle, or INVALID_HANDLE_VALUE. While it is held, no other folder gets this name. */
static HANDLE open_private(const char *path)
{
    wchar_t wide[WINDOWS_PATH];
    BY_HANDLE_FILE_INFORMATION found;
    if (!windows_path(path, wide))
        return INVALID_HANDLE_VALUE;
    const HANDLE folder = CreateFileW(wide, FILE_LIST_DIRECTORY | READ_CONTROL, FILE_SHARE_READ | FILE_SHARE_WRITE,
                                      NULL, OPEN_EXISTING, FILE_FLAG_BACKUP_SEMANTICS, NULL);
    if (folder != INVALID_HANDLE_VALUE &&
        (!GetFileInformationByHandle(folder, &found) || (found.dwFileAttributes & FILE_ATTRIBUTE_DIRECTORY) == 0 ||
         !windows_is_own(folder, true))) {
        (void)CloseHandle(folder);
        return INVALID_HANDLE_VALUE;
    }
    return folder;
}

bool grkan_is_private_folder(const char *path)
{
    const HANDLE folder = open_private(path);
    if (folder == INVALID_HANDLE_VALUE)
        return false;
    (void)CloseHandle(folder);
    return true;
}

static bool read_all(HANDLE file, void *to, size_t bytes)
{
    char *next = to;
    while (bytes > 0) {
        const size_t most = (size_t)1 << 30;
        DWORD got = 0;
        if (!ReadFile(file, next, (DWORD)(bytes < most ? bytes : most), &got, NULL) || got == 0)
            return false;
        next += got;
        bytes -= got;
    }
    return true;
}

/** Read an open file, trusting nothing in it. */
static void *read_file(HANDLE file, size_t most, size_t *bytes)
{
    const DWORD no_file = FILE_ATTRIBUTE_DIRECTORY | FILE_ATTRIBUTE_REPARSE_POINT;
    BY_HANDLE_FILE_INFORMATION found;
    if (GetFileType(file) != FILE_TYPE_DISK || !GetFileInformationByHandle(file, &found) ||
        (found.dwFileAttributes & no_file) != 0 || !windows_is_own(file, false))
        return NULL;
    const uint64_t size = (uint64_t)found.nFileSizeHigh << 32 | found.nFileSizeLow;
    if (size == 0 || size > most)
        return NULL;
    *bytes = (size_t)size;
    void *const content = malloc(*bytes);
    if (content != NULL && read_all(file, content, *bytes))
        return content;
    free(content);
    return NULL;
}

void *grkan_private_read(const char *path, const char *name, size_t most, size_t *bytes)
{
    char full[GRKAN_PATH_BYTES];
    wchar_t wide[WINDOWS_PATH];
    void *content = NULL;
    const HANDLE folder = open_private(path);
    if (folder == INVALID_HANDLE_VALUE)
        return NULL;
    if ((size_t)snprintf(full, sizeof full, "%s/%s", path, name) < sizeof full && windows_path(full, wide)) {
        const HANDLE file = CreateFileW(wide, GENERIC_READ, FILE_SHARE_READ | FILE_SHARE_WRITE | FILE_SHARE_DELETE,
                                        NULL, OPEN_EXISTING, FILE_FLAG_OPEN_REPARSE_POINT, NULL);
        if (file != INVALID_HANDLE_VALUE) {
            content = read_file(file, most, bytes);
            (void)CloseHandle(file);
        }
    }
    (void)CloseHandle(folder);
    return content;
}

static uint64_t ticks_of(FILETIME time) /* of 100 nanoseconds */
{
    return (uint64_t)time.dwHighDateTime << 32 | time.dwLowDateTime;
}

/** Of processes that were ended before their new file had its place. The folder is held open. */
static void remove_abandoned(const char *path)
{
    const uint64_t ticks = (uint64_t)GRKAN_ABANDONED_SECONDS * 10000000u;
    char pattern[GRKAN_PATH_BYTES], name[GRKAN_PATH_BYTES], full[GRKAN_PATH_BYTES];
    wchar_t wide[WINDOWS_PATH];
    WIN32_FIND_DATAW found;
    FILETIME now;
    GetSystemTimeAsFileTime(&now);
    if ((size_t)snprintf(pattern, sizeof pattern, "%s/.grkan-*.tmp", path) >= sizeof pattern ||
        !windows_path(pattern, wide))
        return;
    const HANDLE all = FindFirstFileW(wide, &found);
    if (all == INVALID_HANDLE_VALUE)
        return;
    do {
        if (ticks_of(now) > ticks_of(found.ftLastWriteTime) + ticks &&
            windows_text(found.cFileName, name, sizeof name) &&
            (size_t)snprintf(full, sizeof full, "%s/%s", path, name) < sizeof full)
            grkan_file_remove(full);
    } while (FindNextFileW(all, &found));
    (void)FindClose(all);
}

bool grkan_private_write(const char *path, const char *name, const void *data, size_t bytes)
{
    char full[GRKAN_PATH_BYTES];
    windows_new_file file;
    const HANDLE folder = open_private(path);
    if (folder == INVALID_HANDLE_VALUE)
        return false;
    bool is_written =
        (size_t)snprintf(full, sizeof full, "%s/%s", path, name) < sizeof full && windows_new_file_open(&file, full);
    if (is_written) {
        is_written = windows_write_all(file.file, data, bytes);
        is_written = windows_new_file_close(&file, is_written ? full : NULL) && is_written;
    }
    remove_abandoned(path);
    (void)CloseHandle(folder);
    return is_written;
}
