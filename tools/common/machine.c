/* SPDX-License-Identifier: Apache-2.0 */
/** @file machine.c @brief What the machine is that a report was made on; its host name stays private. */
#define _POSIX_C_SOURCE 200809L
#include <stdio.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "tools.h"

/** Copy what follows `key` and `separator` in the first line of a file that has them, without quotes. */
static int read_field(const char *path, const char *key, char separator, char *text, size_t size)
{
    FILE *file = fopen(path, "r");
    if (file == NULL)
        return -1;
    int found = -1;
    char line[512];
    while (found != 0 && fgets(line, sizeof line, file) != NULL) {
        char *value = strchr(line, separator);
        if (strncmp(line, key, strlen(key)) != 0 || value == NULL)
            continue;
        value += 1 + strspn(value + 1, " \t\"");
        value[strcspn(value, "\"\n")] = '\0';
        snprintf(text, size, "%s", value);
        found = 0;
    }
    fclose(file);
    return found;
}

static uint64_t physical_memory(void)
{
    long pages = sysconf(_SC_PHYS_PAGES);
    long page_bytes = sysconf(_SC_PAGESIZE);
    return pages > 0 && page_bytes > 0 ? (uint64_t)pages * (uint64_t)page_bytes : 0;
}

void machine_describe(machine_description *machine)
{
    struct utsname names;
    int has_names = uname(&names) >= 0;
    if (read_field("/proc/cpuinfo", "model name", ':', machine->cpu, sizeof machine->cpu) != 0)
        snprintf(machine->cpu, sizeof machine->cpu, "%s", has_names ? names.machine : "unknown");
    if (read_field("/etc/os-release", "PRETTY_NAME", '=', machine->os, sizeof machine->os) != 0)
        snprintf(machine->os, sizeof machine->os, "%s", has_names ? names.sysname : "unknown");
    snprintf(machine->kernel, sizeof machine->kernel, "%s", has_names ? names.release : "unknown");
    long cores = sysconf(_SC_NPROCESSORS_ONLN);
    machine->cores = cores > 0 ? (int)cores : 0;
    machine->memory_bytes = physical_memory();
}
