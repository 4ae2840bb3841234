/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file platform.h
 * @brief The operating system, behind one header: processors, threads and their pool. Private: not installed.
 *
 * One file for each system; what is in pool.c is the same for all.
 */
#ifndef GRKAN_PLATFORM_H
#define GRKAN_PLATFORM_H

#include <pthread.h>
#include <semaphore.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <grkan/grkan.h>

/* --------------------------------------------------------------------------------------------- posix.c: the system */

/** Processors that the calling thread may run on; at least 1. */
int grkan_processors(void);

typedef pthread_t grkan_thread;

/**
 * Start a thread, which ends when `run` returns NULL. It gets no signal that is not of its own making, so that no
 * handler of the program's runs on its small stack. It allocates nothing.
 * @return false if the system gives none now: a limit is reached, or memory ran out
 */
bool grkan_thread_start(grkan_thread *thread, void *(*run)(void *argument), void *argument, size_t stack_bytes);

/** Wait until a thread has ended. */
void grkan_thread_join(grkan_thread thread);

/** Or let it end with the process. */
void grkan_thread_detach(grkan_thread thread);

/** Have a function called in every forked child, by its only thread, before fork returns. Once for each function. */
void grkan_on_fork(void (*in_child)(void));

/** A counter that waits to get positive. Nothing has to be freed. */
typedef struct grkan_semaphore {
    sem_t handle;
} grkan_semaphore;

void grkan_semaphore_init(grkan_semaphore *semaphore);

/** Add 1, and wake a thread that waits. */
void grkan_semaphore_post(grkan_semaphore *semaphore);

/** Wait until it is positive, and take 1 off. No thread is cancelled here. */
void grkan_semaphore_wait(grkan_semaphore *semaphore);

/** Tell the processor that this is a loop that waits. */
static inline void grkan_relax(void)
{
#if defined(__x86_64__) || defined(__i386__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    __asm__ volatile("isb");
#endif
}

/* ------------------------------------------------------------------------------------------------- pool.c: the pool */

/**
 * The process has one pool. Its threads stay as long as anybody holds it, parked when there is nothing to do. A forked
 * child starts without any.
 */
void grkan_pool_hold(void);

/** Whoever lets go last ends its threads, and waits until they have gone. */
void grkan_pool_release(void);

/** See to it that so many threads can help a caller; fewer if the system does not give them. */
void grkan_pool_grow(int helpers);

/**
 * Call task(argument, i) for each i of 0..count - 1, once each: by the calling thread, and by those threads of the pool
 * that have nothing else to do. Allocates nothing. With no thread at hand the caller does all.
 */
void grkan_pool_run(int64_t count, grkan_task task, void *argument);

#endif
