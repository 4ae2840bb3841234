/* SPDX-License-Identifier: Apache-2.0 */
/** @file system.h @brief What platform.h needs to know of POSIX systems before anything is called. */
#ifndef GRKAN_SYSTEM_H
#define GRKAN_SYSTEM_H

#include <pthread.h>
#include <semaphore.h>

typedef pthread_t grkan_thread;

typedef struct grkan_lock {
    pthread_mutex_t handle;
} grkan_lock;

#define GRKAN_LOCK_INIT {PTHREAD_MUTEX_INITIALIZER}

typedef struct grkan_semaphore {
    sem_t handle;
} grkan_semaphore;

#define GRKAN_OF_SYSTEM(posix, windows) posix
#define GRKAN_FORMAT printf
#define GRKAN_MODULE_FILE "libgrkan_%s.so"
#define GRKAN_LIST_SEPARATOR ":"

#endif
