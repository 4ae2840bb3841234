/* SPDX-License-Identifier: Apache-2.0 */
/** @file machine.c @brief The machine and the process as Windows tells of them. */
#include "windows.h"

#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ------------------------------------------------------------------------------------------------- the machine */

/** Those of the group that the process is in: at most 64, even where there are more. */
int grkan_processors(void)
{
    DWORD_PTR mine, all;
    const int count = GetProcessAffinityMask(GetCurrentProcess(), &mine, &all) ? __builtin_popcountll(mine) : 0;
    return count > 0 ? count : 1;
}

static bool read_registry(const wchar_t *key, const wchar_t *value, char *text, size_t bytes)
{
    wchar_t found[128];
    DWORD size = sizeof found;
    return RegGetValueW(HKEY_LOCAL_MACHINE, key, value, RRF_RT_REG_SZ, NULL, found, &size) == ERROR_SUCCESS &&
           windows_text(found, text, bytes);
}

bool grkan_processor_name(char *text, size_t bytes)
{
    char found[256];
    if (!read_registry(L"HARDWARE\\DESCRIPTION\\System\\CentralProcessor\\0", L"ProcessorNameString", found,
                       sizeof found))
        return false;
    const size_t before = strspn(found, " ");
    size_t length = strlen(found);
    while (length > before && found[length - 1] == ' ')
        length--;
    (void)snprintf(text, bytes, "%.*s", (int)(length - before), found + before);
    return true;
}

uint64_t grkan_memory_bytes(void)
{
    MEMORYSTATUSEX memory = {.dwLength = sizeof memory};
    return GlobalMemoryStatusEx(&memory) ? memory.ullTotalPhys : 0;
}

uint64_t grkan_cache_bytes(void)
{
    DWORD size = 0;
    uint64_t bytes = 0;
    (void)GetLogicalProcessorInformation(NULL, &size);
    SYSTEM_LOGICAL_PROCESSOR_INFORMATION *const all = malloc(size);
    const bool is_read = all != NULL && GetLogicalProcessorInformation(all, &size);
    for (size_t i = 0; is_read && i < size / sizeof *all; i++)
        if (all[i].Relationship == RelationCache && all[i].Cache.Level == 3 && all[i].Cache.Size > bytes)
            bytes = all[i].Cache.Size;
    free(all);
    return bytes;
}

/** A function of the system's lowest library, which is in every process. @return NULL if there is none */
static void (*system_function(const char *name))(void)
{
    const HMODULE library = GetModuleHandleW(L"ntdll.dll");
    return library == NULL ? NULL : (void (*)(void))(uintptr_t)GetProcAddress(library, name);
}

/** The version that the system has, not the one that it shows to old programs. */
static void write_version(char *text, size_t bytes)
{
    RTL_OSVERSIONINFOW version = {.dwOSVersionInfoSize = sizeof version};
    LONG(WINAPI *const get)(RTL_OSVERSIONINFOW *) =
        (LONG(WINAPI *)(RTL_OSVERSIONINFOW *))system_function("RtlGetVersion");
    if (get != NULL && get(&version) == 0)
        (void)snprintf(text, bytes, "%lu.%lu.%lu", version.dwMajorVersion, version.dwMinorVersion,
                       version.dwBuildNumber);
    else
        (void)snprintf(text, bytes, "unknown");
}

void grkan_machine_describe(grkan_machine *machine)
{
    SYSTEM_INFO info;
    GetNativeSystemInfo(&info);
    *machine = (grkan_machine){.processors = (int)info.dwNumberOfProcessors, .memory_bytes = grkan_memory_bytes()};
    if (!grkan_processor_name(machine->processor, sizeof machine->processor))
        (void)snprintf(machine->processor, sizeof machine->processor, "unknown");
    write_version(machine->kernel, sizeof machine->kernel);
    const char *(*const wine)(void) = (const char *(*)(void))system_function("wine_get_version");
    if (wine != NULL)
        (void)snprintf(machine->system, sizeof machine->system, "Wine %s", wine());
    else if (!read_registry(L"SOFTWARE\\Microsoft\\Windows NT\\CurrentVersion", L"ProductName", machine->system,
                            sizeof machine->system))
        (void)snprintf(machine->system, sizeof machine->system, "Windows");
}

double grkan_milliseconds(void)
{
    LARGE_INTEGER now, frequency;
    (void)QueryPerformanceCounter(&now);
    (void)QueryPerformanceFrequency(&frequency);
    return 1e3 * (double)now.QuadPart / (double)frequency.QuadPart;
}

void *grkan_allocate_aligned(size_t bytes)
{
    const size_t line = 64;
    return bytes <= SIZE_MAX - 2 * line ? _aligned_malloc(bytes, line) : NULL; /* which adds to it, unasked */
}

void grkan_free_aligned(void *memory)
{
    _aligned_free(memory);
}

/* --------------------------------------------------------------------------------------------- the environment */

/** What a variable was when it was asked for: whoever has it may keep it. There are few, and each is kept once. */
typedef struct known_value {
    struct known_value *next;
    char text[];
} known_value;

static grkan_lock of_values = GRKAN_LOCK_INIT;
static known_value *known_values;

static const char *keep(const char *text)
{
    grkan_lock_take(&of_values);
    known_value *found = known_values;
    while (found != NULL && strcmp(found->text, text) != 0)
        found = found->next;
    if (found == NULL && (found = malloc(sizeof *found + strlen(text) + 1)) != NULL) {
        strcpy(found->text, text);
        found->next = known_values;
        known_values = found;
    }
    grkan_lock_release(&of_values);
    return found == NULL ? NULL : found->text;
}

/** From the system: a C library's own copy does not follow what others set. */
const char *grkan_environment(const char *name)
{
    wchar_t wide_name[64];
    if (!windows_wide(name, wide_name, sizeof wide_name / sizeof wide_name[0]))
        return NULL;
    const DWORD room = GetEnvironmentVariableW(wide_name, NULL, 0);
    if (room == 0) /* not set; the system takes no empty ones */
        return NULL;
    wchar_t *const wide = calloc(room, sizeof *wide);
    const size_t bytes = 3 * (size_t)room + 1;
    char *const text = malloc(bytes);
    const bool is_read = wide != NULL && text != NULL && GetEnvironmentVariableW(wide_name, wide, room) < room &&
                         windows_text(wide, text, bytes);
    const char *const kept = is_read ? keep(text) : NULL;
    free(wide);
    free(text);
    return kept;
}

/** No process has more rights than its caller. */
const char *grkan_trusted_environment(const char *name)
{
    return grkan_environment(name);
}

bool grkan_set_environment(const char *name, const char *value)
{
    wchar_t wide_name[64];
    const size_t room = value == NULL ? 0 : strlen(value) + 1;
    wchar_t *const wide = calloc(room + 1, sizeof *wide);
    const bool is_set =
        wide != NULL && windows_wide(name, wide_name, sizeof wide_name / sizeof wide_name[0]) &&
        (value == NULL || windows_wide(value, wide, room)) &&
        (SetEnvironmentVariableW(wide_name, value == NULL ? NULL : wide) || GetLastError() == ERROR_ENVVAR_NOT_FOUND);
    free(wide);
    return is_set;
}
