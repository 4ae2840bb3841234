/* SPDX-License-Identifier: Apache-2.0 */
/** @file support.c @brief Small helpers that every sub-command uses. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tools.h"

static int exit_status(grkan_status status)
{
    switch (status) {
    case GRKAN_ERROR_INVALID_ARGUMENT:
        return TOOL_BAD_USAGE;
    case GRKAN_ERROR_NO_BACKEND:
    case GRKAN_ERROR_NO_DEVICE:
        return TOOL_NO_DEVICE;
    default:
        return TOOL_CHECK_FAILED;
    }
}

int tool_complain(const char *who, const char *what, grkan_status status)
{
    fprintf(stderr, "%s: %s: %s\n", who, what, grkan_last_error());
    return exit_status(status);
}

int tool_complain_of_file(const char *who, const char *option, const char *path)
{
    fprintf(stderr, "%s: --%s: cannot write '%s': %s\n", who, option, path, strerror(errno));
    return TOOL_CHECK_FAILED;
}

static void *require(void *memory)
{
    if (memory == NULL) {
        fputs("grkan: the host has no memory left\n", stderr);
        exit(TOOL_CHECK_FAILED);
    }
    return memory;
}

void *tool_allocate(size_t bytes)
{
    return require(calloc(1, bytes ? bytes : 1));
}

void *tool_resize(void *memory, size_t bytes)
{
    return require(realloc(memory, bytes ? bytes : 1));
}

char *tool_copy_text(const char *text)
{
    size_t bytes = strlen(text) + 1;
    return memcpy(tool_allocate(bytes), text, bytes);
}

void tool_append_text(const char ***list, int *count, const char *text)
{
    *list = tool_resize(*list, ((size_t)*count + 1) * sizeof **list);
    (*list)[(*count)++] = text;
}

int tool_flush(int status)
{
    if ((fflush(stdout) == 0 && !ferror(stdout)) || status != TOOL_GOOD)
        return status;
    fputs("grkan: cannot write to the standard output\n", stderr);
    return TOOL_CHECK_FAILED;
}

int tool_parse_integer(const char *text, int64_t low, int64_t high, int64_t *value)
{
    char *end = NULL;
    errno = 0;
    long long number = strtoll(text, &end, 10);
    if (errno != 0 || end == text || *end != '\0' || number < low || number > high)
        return -1;
    *value = number;
    return 0;
}
