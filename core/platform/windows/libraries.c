/* SPDX-License-Identifier: Apache-2.0 */
/** @file libraries.c @brief Shared libraries, by the loader of Windows. */
#include "windows.h"

#include <psapi.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* -------------------------------------------------------------------------------------------------- the reason */

/** Of this thread's last failure; "" when it was told. */
static _Thread_local char reason[512], told[512];

/** As other loaders have it: what is not there comes first; of what is, what is wrong with it. */
static void set_reason(const char *what)
{
    const DWORD code = GetLastError();
    wchar_t wide[256] = L"";
    char words[512] = "";
    (void)FormatMessageW(FORMAT_MESSAGE_FROM_SYSTEM | FORMAT_MESSAGE_IGNORE_INSERTS, NULL, code, 0, wide,
                         sizeof wide / sizeof wide[0], NULL);
    (void)windows_text(wide, words, sizeof words);
    size_t length = strlen(words);
    while (length > 0 && strchr(" .\r\n", words[length - 1]) != NULL)
        words[--length] = '\0';
    if (length == 0)
        (void)snprintf(words, sizeof words, "error");
    if (code == ERROR_MOD_NOT_FOUND || code == ERROR_PROC_NOT_FOUND)
        (void)snprintf(reason, sizeof reason, "%.300s: %.180s (%lu)", what, words, code);
    else
        (void)snprintf(reason, sizeof reason, "%.180s (%lu): %.300s", words, code, what);
}

const char *grkan_library_error(void)
{
    memcpy(told, reason, sizeof told);
    reason[0] = '\0';
    return told[0] == '\0' ? "no reason given" : told;
}

/* --------------------------------------------------------------------------------------------------- libraries */

/**
 * A grkan_library is the loader's own handle. A name alone is looked for beside the program, in the system's folder and in
 * those that the process has named (AddDllDirectory), never in the current folder or in those of PATH. What a library needs
 * in turn may lie beside it, too. No box tells the user of what is missing.
 */
grkan_library *grkan_library_open(const char *file)
{
    wchar_t path[WINDOWS_PATH];
    const DWORD folders =
        LOAD_LIBRARY_SEARCH_DEFAULT_DIRS | (grkan_is_absolute(file) ? LOAD_LIBRARY_SEARCH_DLL_LOAD_DIR : 0);
    DWORD earlier = 0;
    HMODULE library = NULL;
    (void)SetThreadErrorMode(SEM_FAILCRITICALERRORS | SEM_NOOPENFILEERRORBOX, &earlier);
    if (windows_path(file, path))
        library = LoadLibraryExW(path, NULL, folders);
    if (library == NULL)
        set_reason(file);
    (void)SetThreadErrorMode(earlier, NULL);
    return (grkan_library *)library;
}

void grkan_library_close(grkan_library *library)
{
    (void)FreeLibrary((HMODULE)library);
}

void *grkan_library_symbol(grkan_library *library, const char *symbol)
{
    const HMODULE module = library != NULL ? (HMODULE)library : GetModuleHandleW(NULL);
    void *const address = (void *)(uintptr_t)GetProcAddress(module, symbol);
    if (address == NULL)
        set_reason(symbol);
    return address;
}

/** Whether a file's name is STEM.dll, or has numbers, a hash or both before the end: STEM_130_0.dll, STEM-12ab.dll. */
static bool has_stem(const char *path, const char *stem)
{
    const char *rest = grkan_path_name(path);
    if (_strnicmp(rest, stem, strlen(stem)) != 0)
        return false;
    rest += strlen(stem);
    rest += strspn(rest, "_0123456789");
    if (*rest == '-')
        rest += 1 + strspn(rest + 1, "0123456789abcdef");
    return _stricmp(rest, ".dll") == 0;
}

static bool file_of(HMODULE module, char *path, size_t bytes)
{
    wchar_t wide[WINDOWS_PATH];
    const DWORD length = GetModuleFileNameW(module, wide, WINDOWS_PATH);
    return length > 0 && length < WINDOWS_PATH && windows_path_text(wide, path, bytes);
}

bool grkan_library_loaded(const char *stem, int index, char *path, size_t bytes)
{
    enum { most_modules = 4096 };
    DWORD size = 0;
    bool is_found = false;
    HMODULE *const modules = calloc(most_modules, sizeof(HMODULE));
    if (modules == NULL)
        return false;
    if (EnumProcessModules(GetCurrentProcess(), modules, most_modules * sizeof(HMODULE), &size)) {
        const size_t there = size / sizeof(HMODULE), count = there < most_modules ? there : most_modules;
        for (size_t i = 0; i < count && !is_found; i++) {
            char file[GRKAN_PATH_BYTES];
            if (file_of(modules[i], file, sizeof file) && has_stem(file, stem) && index-- == 0) {
                is_found = true;
                (void)snprintf(path, bytes, "%s", file);
                if (strlen(file) >= bytes)
                    break;
            }
        }
    }
    free(modules);
    return is_found && strlen(path) < bytes;
}

bool grkan_library_file(const void *address, char *path, size_t bytes)
{
    HMODULE module;
    if (address != NULL &&
        GetModuleHandleExW(GET_MODULE_HANDLE_EX_FLAG_FROM_ADDRESS | GET_MODULE_HANDLE_EX_FLAG_UNCHANGED_REFCOUNT,
                           address, &module) &&
        file_of(module, path, bytes))
        return true;
    path[0] = '\0';
    return false;
}
