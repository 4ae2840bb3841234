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

/** The first device of each backend that has one. All zero before it is opened. */
typedef struct present_devices {
    grkan_device *device[4];
    const char *backend[4];
    int count;
} present_devices;

/**
 * Open those of a list, and say which are absent.
 * @param backends the cpu first, at most 4
 * @return 0; -1 if one is absent that must be there
 */
static inline int open_present(const char *const *backends, int count, present_devices *present)
{
    for (int i = 0; i < count; i++) {
        grkan_device *device = NULL;
        if (grkan_device_open(backends[i], &device) == GRKAN_SUCCESS) {
            present->device[present->count] = device;
            present->backend[present->count++] = backends[i];
            continue;
        }
        printf("absent: %s: %s\n", backends[i], grkan_last_error());
        if (i == 0 || must_be_present(backends[i]))
            return -1;
    }
    return 0;
}

static inline void close_present(present_devices *present)
{
    for (int i = 0; i < present->count; i++)
        grkan_device_close(present->device[i]);
    present->count = 0;
}

#endif
