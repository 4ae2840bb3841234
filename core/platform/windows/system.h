/* SPDX-License-Identifier: Apache-2.0 */
/** @file system.h @brief What platform.h needs to know of Windows before anything is called, without its headers. */
#ifndef GRKAN_SYSTEM_H
#define GRKAN_SYSTEM_H

#include <stdint.h>

/** A HANDLE. */
typedef void *grkan_thread;

/** An SRWLOCK: a pointer of its own, with nothing to free. */
typedef struct grkan_lock {
    void *handle;
} grkan_lock;

#define GRKAN_LOCK_INIT {NULL}

/** A number that threads wait for by its address. */
typedef struct grkan_semaphore {
    _Atomic int32_t count;
} grkan_semaphore;

#define GRKAN_OF_SYSTEM(posix, windows) windows
#define GRKAN_FORMAT gnu_printf
#define GRKAN_MODULE_FILE "libgrkan_%s.dll"
#define GRKAN_LIST_SEPARATOR ";"

#endif
