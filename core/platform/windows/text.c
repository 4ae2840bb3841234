/* SPDX-License-Identifier: Apache-2.0 */
/** @file text.c @brief Text and paths between UTF-8 and Windows, and its errors as those of the C library. */
#include "windows.h"

#include <errno.h>
#include <string.h>
#include <wchar.h>

bool windows_fail(void)
{
    static const struct {
        DWORD system;
        int reason;
    } reasons[] = {{ERROR_FILE_NOT_FOUND, ENOENT},
                   {ERROR_PATH_NOT_FOUND, ENOENT},
                   {ERROR_INVALID_DRIVE, ENOENT},
                   {ERROR_BAD_NETPATH, ENOENT},
                   {ERROR_INVALID_NAME, ENOENT},
                   {ERROR_DIRECTORY, ENOTDIR},
                   {ERROR_ACCESS_DENIED, EACCES},
                   {ERROR_SHARING_VIOLATION, EACCES},
                   {ERROR_LOCK_VIOLATION, EACCES},
                   {ERROR_WRITE_PROTECT, EROFS},
                   {ERROR_FILE_EXISTS, EEXIST},
                   {ERROR_ALREADY_EXISTS, EEXIST},
                   {ERROR_DIR_NOT_EMPTY, ENOTEMPTY},
                   {ERROR_INVALID_HANDLE, EBADF},
                   {ERROR_NOT_ENOUGH_MEMORY, ENOMEM},
                   {ERROR_OUTOFMEMORY, ENOMEM},
                   {ERROR_DISK_FULL, ENOSPC},
                   {ERROR_HANDLE_DISK_FULL, ENOSPC},
                   {ERROR_FILENAME_EXCED_RANGE, ENAMETOOLONG},
                   {ERROR_INSUFFICIENT_BUFFER, ENAMETOOLONG},
                   {ERROR_NO_UNICODE_TRANSLATION, EILSEQ},
                   {ERROR_BROKEN_PIPE, EPIPE},
                   {ERROR_NO_DATA, EPIPE},
                   {ERROR_BAD_EXE_FORMAT, ENOEXEC},
                   {ERROR_INVALID_PARAMETER, EINVAL}};
    const DWORD code = GetLastError();
    errno = EIO;
    for (size_t i = 0; i < sizeof reasons / sizeof reasons[0]; i++)
        if (reasons[i].system == code)
            errno = reasons[i].reason;
    return false;
}

bool windows_wide(const char *text, wchar_t *wide, size_t room)
{
    return MultiByteToWideChar(CP_UTF8, MB_ERR_INVALID_CHARS, text, -1, wide, (int)room) > 0 || windows_fail();
}

/** Beyond MAX_PATH the system takes a path only with a prefix that has it take everything else as it is. */
static bool lengthen(wchar_t wide[WINDOWS_PATH])
{
    static const wchar_t prefix[] = L"\\\\?\\";
    const size_t before = sizeof prefix / sizeof prefix[0] - 1;
    wchar_t whole[WINDOWS_PATH];
    const DWORD length = GetFullPathNameW(wide, WINDOWS_PATH, whole, NULL);
    if (length == 0)
        return windows_fail();
    if (length + before >= WINDOWS_PATH || whole[1] != L':') { /* of another machine: as it is */
        errno = ENAMETOOLONG;
        return length + before < WINDOWS_PATH;
    }
    wmemcpy(wide, prefix, before);
    wmemcpy(wide + before, whole, length + 1);
    return true;
}

bool windows_path(const char *path, wchar_t wide[WINDOWS_PATH])
{
    enum { room_for_names = 13 }; /* the system keeps so much for a file in a folder */
    if (*path == '\0') {
        errno = ENOENT;
        return false;
    }
    if (!windows_wide(path, wide, WINDOWS_PATH))
        return false;
    for (wchar_t *at = wide; *at != L'\0'; at++)
        if (*at == L'/')
            *at = L'\\';
    return wcslen(wide) + room_for_names < MAX_PATH || wide[0] == L'\\' || lengthen(wide);
}

bool windows_text(const wchar_t *wide, char *text, size_t bytes)
{
    if (WideCharToMultiByte(CP_UTF8, WC_ERR_INVALID_CHARS, wide, -1, text, (int)bytes, NULL, NULL) > 0)
        return true;
    if (bytes > 0)
        text[0] = '\0';
    return windows_fail();
}

bool windows_path_text(const wchar_t *wide, char *path, size_t bytes)
{
    const bool is_long = wcsncmp(wide, L"\\\\?\\", 4) == 0;
    const bool is_elsewhere = is_long && wcsncmp(wide + 4, L"UNC\\", 4) == 0;
    if (!windows_text(is_elsewhere ? wide + 6 : is_long ? wide + 4 : wide, path, bytes))
        return false;
    for (char *at = path; *at != '\0'; at++)
        if (*at == '\\')
            *at = '/';
    if (is_elsewhere)
        path[0] = '/'; /* of UNC: //machine/folder */
    return true;
}
