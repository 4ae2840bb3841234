/* SPDX-License-Identifier: Apache-2.0 */
/** @file machine.c @brief The machine as POSIX systems, and Linux beyond them, tell of it. */
#define _GNU_SOURCE 1 /* sched_getaffinity, secure_getenv */

#include "../platform.h"

#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <time.h>
#include <unistd.h>

#ifdef __linux__
/* Sets grow until the kernel's fits: it refuses smaller ones. */
static int count_affine(void)
{
    int count = 0;
    for (size_t most = CPU_SETSIZE; most <= (size_t)CPU_SETSIZE * 64 && count == 0; most *= 2) {
        cpu_set_t *const set = CPU_ALLOC(most);
        const size_t bytes = CPU_ALLOC_SIZE(most);
        if (set == NULL)
            break;
        if (sched_getaffinity(0, bytes, set) == 0)
            count = CPU_COUNT_S(bytes, set);
        CPU_FREE(set);
    }
    return count;
}
#else
static int count_affine(void)
{
    return 0;
}
#endif

int grkan_processors(void)
{
    const int affine = count_affine();
    if (affine > 0)
        return affine;
    const long online = sysconf(_SC_NPROCESSORS_ONLN);
    return online > 0 ? (int)online : 1;
}

/** Copy what follows `key` and `separator` in the first line of a file that has them, without quotes. */
static bool read_field(const char *path, const char *key, char separator, char *text, size_t bytes)
{
    FILE *const file = fopen(path, "re");
    char line[512];
    bool is_found = false;
    while (file != NULL && !is_found && fgets(line, sizeof line, file) != NULL) {
        char *value = strchr(line, separator);
        if (strncmp(line, key, strlen(key)) != 0 || value == NULL)
            continue;
        value += 1 + strspn(value + 1, " \t\"");
        (void)snprintf(text, bytes, "%.*s", (int)strcspn(value, "\"\n"), value);
        is_found = true;
    }
    if (file != NULL)
        (void)fclose(file);
    return is_found;
}

bool grkan_processor_name(char *text, size_t bytes)
{
    return read_field("/proc/cpuinfo", "model name", ':', text, bytes);
}

static uint64_t known_size(long value)
{
    return value > 0 ? (uint64_t)value : 0;
}

uint64_t grkan_memory_bytes(void)
{
    return known_size(sysconf(_SC_PHYS_PAGES)) * known_size(sysconf(_SC_PAGESIZE));
}

uint64_t grkan_cache_bytes(void)
{
#ifdef _SC_LEVEL3_CACHE_SIZE
    return known_size(sysconf(_SC_LEVEL3_CACHE_SIZE));
#else
    return 0;
#endif
}

void grkan_machine_describe(grkan_machine *machine)
{
    struct utsname names;
    const bool has_names = uname(&names) >= 0;
    const long running = sysconf(_SC_NPROCESSORS_ONLN);
    *machine = (grkan_machine){.processors = running > 0 ? (int)running : 0, .memory_bytes = grkan_memory_bytes()};
    if (!grkan_processor_name(machine->processor, sizeof machine->processor))
        (void)snprintf(machine->processor, sizeof machine->processor, "%s", has_names ? names.machine : "unknown");
    if (!read_field("/etc/os-release", "PRETTY_NAME", '=', machine->system, sizeof machine->system))
        (void)snprintf(machine->system, sizeof machine->system, "%s", has_names ? names.sysname : "unknown");
    (void)snprintf(machine->kernel, sizeof machine->kernel, "%s", has_names ? names.release : "unknown");
}

double grkan_milliseconds(void)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return 1e3 * (double)now.tv_sec + 1e-6 * (double)now.tv_nsec;
}

const char *grkan_environment(const char *name)
{
    return getenv(name);
}

const char *grkan_trusted_environment(const char *name)
{
    return secure_getenv(name);
}

bool grkan_set_environment(const char *name, const char *value)
{
    return (value == NULL ? unsetenv(name) : setenv(name, value, 1)) == 0;
}

void *grkan_allocate_aligned(size_t bytes)
{
    const size_t line = 64;
    return bytes <= SIZE_MAX - line ? aligned_alloc(line, (bytes + line - 1) / line * line) : NULL;
}

void grkan_free_aligned(void *memory)
{
    free(memory);
}
