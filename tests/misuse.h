/* SPDX-License-Identifier: Apache-2.0 */
/** @file misuse.h @brief How the tests of misuse look at a refusal. Include cmocka.h before it. */
#ifndef MISUSE_H
#define MISUSE_H

#include <stdbool.h>
#include <string.h>

#include <grkan/grkan.h>

#define COUNT_OF(array) (sizeof(array) / sizeof((array)[0]))

/**
 * Compare a status and a text with what a case expects; the expected text tells which case it is. If it ends in "...",
 * it is the beginning of what is expected.
 */
static inline void expect(grkan_status status, grkan_status expected, const char *found, const char *text)
{
    const size_t length = strlen(text);
    const bool is_start = length > 3 && strcmp(text + length - 3, "...") == 0;
    if (status != expected)
        fail_msg("%s, not %s, for \"%s\"", grkan_status_name(status), grkan_status_name(expected), text);
    if (is_start ? strncmp(found, text, length - 3) != 0 : strcmp(found, text) != 0)
        fail_msg("the text is \"%s\"; expected \"%s\"", found, text);
}

#define EXPECT(call, expected, text) expect(call, expected, grkan_last_error(), text)
#define EXPECT_INVALID(call, text) EXPECT(call, GRKAN_ERROR_INVALID_ARGUMENT, text)

#endif
