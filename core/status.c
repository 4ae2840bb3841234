/* SPDX-License-Identifier: Apache-2.0 */
/** @file status.c @brief Status names, the error text of each thread, version and commit. */
#include "internal.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* Room for the log of a compiler that complains at length. */
#define ERROR_TEXT_BYTES 8192

/* The build writes it, and GRKAN_COMMIT into it. */
#if defined(__has_include)
#if __has_include("commit.h")
#include "commit.h"
#endif
#endif
#ifndef GRKAN_COMMIT
#define GRKAN_COMMIT "unknown"
#endif

#define TEXT_OF_VALUE(value) #value
#define TEXT_OF(macro) TEXT_OF_VALUE(macro)

static _Thread_local char error_text[ERROR_TEXT_BYTES];

const char *grkan_status_name(grkan_status status)
{
    switch (status) {
    case GRKAN_SUCCESS:
        return "GRKAN_SUCCESS";
    case GRKAN_ERROR_INVALID_ARGUMENT:
        return "GRKAN_ERROR_INVALID_ARGUMENT";
    case GRKAN_ERROR_NO_BACKEND:
        return "GRKAN_ERROR_NO_BACKEND";
    case GRKAN_ERROR_NO_DEVICE:
        return "GRKAN_ERROR_NO_DEVICE";
    case GRKAN_ERROR_UNSUPPORTED:
        return "GRKAN_ERROR_UNSUPPORTED";
    case GRKAN_ERROR_OUT_OF_MEMORY:
        return "GRKAN_ERROR_OUT_OF_MEMORY";
    case GRKAN_ERROR_COMPILE:
        return "GRKAN_ERROR_COMPILE";
    case GRKAN_ERROR_DEVICE:
        return "GRKAN_ERROR_DEVICE";
    }
    return "unknown status";
}

const char *grkan_last_error(void)
{
    return error_text;
}

/* Mark a full text as cut, without leaving half a UTF-8 character in front of the mark. */
static void cut(char text[ERROR_TEXT_BYTES])
{
    static const char mark[] = " [cut]";
    size_t end = ERROR_TEXT_BYTES - sizeof mark;
    while (end > 0 && ((unsigned char)text[end] & 0xC0u) == 0x80u) {
        end--;
    }
    memcpy(text + end, mark, sizeof mark);
}

grkan_status grkan_fail(grkan_status status, const char *format, ...)
{
    /* Formatted beside the old text, because that may be one of the arguments. */
    char text[ERROR_TEXT_BYTES];
    va_list arguments;
    va_start(arguments, format);
    const int length = vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    if (length < 0) {
        (void)snprintf(text, sizeof text, "%s (its text could not be formatted)", grkan_status_name(status));
    } else if ((size_t)length >= sizeof text) {
        cut(text);
    }
    memcpy(error_text, text, strlen(text) + 1);
    return status;
}

const char *grkan_version(void)
{
    return TEXT_OF(GRKAN_VERSION_MAJOR) "." TEXT_OF(GRKAN_VERSION_MINOR) "." TEXT_OF(GRKAN_VERSION_PATCH);
}

const char *grkan_commit(void)
{
    return GRKAN_COMMIT;
}
