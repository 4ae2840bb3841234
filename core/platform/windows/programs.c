/* SPDX-License-Identifier: Apache-2.0 */
/** @file programs.c @brief Programs of Windows: this one's beginning, others that are run, and folders for their files. */
#include "windows.h"

#include <errno.h>
#include <fcntl.h>
#include <io.h>
#include <shellapi.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ------------------------------------------------------------------------------------------------ this program */

static UINT earlier_code_page;

static void restore_code_page(void)
{
    (void)SetConsoleOutputCP(earlier_code_page);
}

/** The console shows UTF-8 while the program runs. */
static void begin_output(void)
{
    DWORD mode;
    (void)_setmode(_fileno(stdout), _O_BINARY);
    (void)_setmode(_fileno(stderr), _O_BINARY);
    if (!GetConsoleMode(GetStdHandle(STD_OUTPUT_HANDLE), &mode) &&
        !GetConsoleMode(GetStdHandle(STD_ERROR_HANDLE), &mode))
        return;
    earlier_code_page = GetConsoleOutputCP();
    if (SetConsoleOutputCP(CP_UTF8))
        (void)atexit(restore_code_page);
}

/** Programs are known without what the system adds to their names. */
static void strip_suffix(char *name)
{
    const size_t length = strlen(name), suffix = strlen(".exe");
    if (length > suffix && _stricmp(name + length - suffix, ".exe") == 0)
        name[length - suffix] = '\0';
}

/** The C library's arguments have lost what the machine's code page lacks. These last as long as the program. */
void grkan_program_begin(int *argc, char ***argv)
{
    int count = 0;
    begin_output();
    wchar_t **const wide = CommandLineToArgvW(GetCommandLineW(), &count);
    char **const arguments = wide == NULL ? NULL : calloc((size_t)count + 1, sizeof *arguments);
    bool is_whole = arguments != NULL;
    for (int i = 0; i < count && is_whole; i++) {
        const size_t bytes = 3 * wcslen(wide[i]) + 1;
        is_whole = (arguments[i] = malloc(bytes)) != NULL && windows_text(wide[i], arguments[i], bytes);
    }
    (void)LocalFree(wide);
    if (!is_whole)
        return;
    if (count > 0)
        strip_suffix(arguments[0]);
    *argc = count;
    *argv = arguments;
}

bool grkan_is_terminal(FILE *stream)
{
    return _isatty(_fileno(stream)) != 0;
}

/* --------------------------------------------------------------------------------------------- temporary folders */

bool grkan_temporary_folder(char *path, size_t bytes)
{
    enum { most_attempts = 100 };
    static unsigned made;
    wchar_t wide[WINDOWS_PATH];
    char parent[GRKAN_PATH_BYTES];
    const DWORD length = GetTempPathW(WINDOWS_PATH, wide);
    if (length == 0 || length >= WINDOWS_PATH || !windows_path_text(wide, parent, sizeof parent))
        return windows_fail();
    for (int i = 0; i < most_attempts; i++) {
        const int written = snprintf(path, bytes, "%sgrkan-%lu-%u", parent, GetCurrentProcessId(), made++);
        if (written < 0 || (size_t)written >= bytes) {
            errno = ENAMETOOLONG;
            return false;
        }
        if (windows_path(path, wide) && windows_make_private(wide))
            return true;
        if (GetLastError() != ERROR_ALREADY_EXISTS)
            break;
    }
    return windows_fail();
}

void grkan_remove_folder(const char *path)
{
    wchar_t wide[WINDOWS_PATH];
    if (windows_path(path, wide))
        (void)RemoveDirectoryW(wide);
}

/* ------------------------------------------------------------------------------------------------ other programs */

/** Append an argument as programs take their command line apart again. @return false if there is no room */
static bool add_argument(char *line, size_t bytes, const char *argument)
{
    size_t used = strlen(line), backslashes = 0;
    const size_t most = used + 2 * strlen(argument) + 4; /* every character escaped, quotes, a space, the final 0 */
    if (most > bytes)
        return false;
    if (used > 0)
        line[used++] = ' ';
    line[used++] = '"';
    for (const char *at = argument;; at++) {
        if (*at == '\\') {
            backslashes++;
            line[used++] = '\\';
            continue;
        }
        /* Backslashes in front of a quote count double, and the quote itself takes one. */
        for (; (*at == '"' || *at == '\0') && backslashes > 0; backslashes--)
            line[used++] = '\\';
        backslashes = 0;
        if (*at == '\0')
            break;
        if (*at == '"')
            line[used++] = '\\';
        line[used++] = *at;
    }
    line[used++] = '"';
    line[used] = '\0';
    return true;
}

static bool make_line(const char *const arguments[], wchar_t *wide, size_t room)
{
    char *const line = calloc(1, room);
    bool is_made = line != NULL;
    for (int i = 0; is_made && arguments[i] != NULL; i++)
        is_made = add_argument(line, room, arguments[i]);
    errno = line == NULL ? ENOMEM : is_made ? 0 : E2BIG;
    is_made = is_made && windows_wide(line, wide, room);
    free(line);
    return is_made;
}

static HANDLE open_inherited(const wchar_t *path, DWORD rights, DWORD creation)
{
    SECURITY_ATTRIBUTES inherited = {.nLength = sizeof inherited, .bInheritHandle = TRUE};
    return CreateFileW(path, rights, FILE_SHARE_READ | FILE_SHARE_WRITE, &inherited, creation, FILE_ATTRIBUTE_NORMAL,
                       NULL);
}

/** The program inherits these handles and no other that other threads may have open. */
static bool start(wchar_t *line, HANDLE in, HANDLE out, PROCESS_INFORMATION *child)
{
    HANDLE handles[] = {in, out};
    SIZE_T size = 0;
    (void)InitializeProcThreadAttributeList(NULL, 1, 0, &size);
    STARTUPINFOEXW info = {
        .StartupInfo = {
            .cb = sizeof info, .dwFlags = STARTF_USESTDHANDLES, .hStdInput = in, .hStdOutput = out, .hStdError = out}};
    info.lpAttributeList = malloc(size);
    if (info.lpAttributeList == NULL || !InitializeProcThreadAttributeList(info.lpAttributeList, 1, 0, &size)) {
        free(info.lpAttributeList);
        errno = ENOMEM;
        return false;
    }
    const bool is_started =
        (UpdateProcThreadAttribute(info.lpAttributeList, 0, PROC_THREAD_ATTRIBUTE_HANDLE_LIST, handles, sizeof handles,
                                   NULL, NULL) &&
         CreateProcessW(NULL, line, NULL, NULL, TRUE, EXTENDED_STARTUPINFO_PRESENT | CREATE_NO_WINDOW, NULL, NULL,
                        &info.StartupInfo, child)) ||
        windows_fail();
    DeleteProcThreadAttributeList(info.lpAttributeList);
    free(info.lpAttributeList);
    return is_started;
}

/** @return false with errno set if it did not start */
static bool run(wchar_t *line, const wchar_t *log, int *exit_status)
{
    PROCESS_INFORMATION child;
    DWORD code = 0;
    const HANDLE in = open_inherited(L"NUL", GENERIC_READ, OPEN_EXISTING);
    const HANDLE out = open_inherited(log, GENERIC_WRITE, CREATE_ALWAYS);
    bool is_started = in != INVALID_HANDLE_VALUE && out != INVALID_HANDLE_VALUE;
    if (!is_started)
        (void)windows_fail();
    is_started = is_started && start(line, in, out, &child);
    const int reason = errno;
    if (in != INVALID_HANDLE_VALUE)
        (void)CloseHandle(in);
    if (out != INVALID_HANDLE_VALUE)
        (void)CloseHandle(out);
    errno = reason;
    if (!is_started)
        return false;
    (void)WaitForSingleObject(child.hProcess, INFINITE);
    if (GetExitCodeProcess(child.hProcess, &code) && code < 0x80000000) /* beyond: what an exception ended it with */
        *exit_status = (int)code;
    (void)CloseHandle(child.hThread);
    (void)CloseHandle(child.hProcess);
    return true;
}

bool grkan_run_program(const char *const arguments[], const char *log, int *exit_status)
{
    enum { longest_line = 32767 };
    wchar_t wide_log[WINDOWS_PATH];
    wchar_t *const line = calloc(longest_line, sizeof *line);
    *exit_status = -1;
    errno = ENOMEM;
    const bool is_started = line != NULL && make_line(arguments, line, longest_line) && windows_path(log, wide_log) &&
                            run(line, wide_log, exit_status);
    free(line);
    return is_started;
}
