/* SPDX-License-Identifier: Apache-2.0 */
/** @file present.h @brief Devices that a test can do without, unless GRKAN_TEST_DEVICES names them. */
#ifndef PRESENT_H
#define PRESENT_H

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <grkan/grkan.h>

/** true if GRKAN_TEST_DEVICES names a device of the backend, so that its absence is a failure. */
static inline bool must_be_present(const char *backend)
{
    const char *const wanted = getenv("GRKAN_TEST_DEVICES");
    const size_t length = strlen(backend);
    for (const char *at = wanted; at != NULL && *at != '\0'; at += strspn(at, " ")) {
        const size_t word = strcspn(at, " ");
        if (strncmp(at, backend, length) == 0 && (word == length || (word > length && at[length] == ':')))
            return true;
        at += word;
    }
    return false;
}

/** Open the first device of a backend. NULL, having said why, if there is none. */
static inline grkan_device *open_if_present(const char *backend)
{
    grkan_device *device = NULL;
    if (grkan_device_open(backend, &device) != GRKAN_SUCCESS)
        printf("absent: %s: %s\n", backend, grkan_last_error());
    return device;
}

#endif
