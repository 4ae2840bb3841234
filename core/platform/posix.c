/* SPDX-License-Identifier: Apache-2.0 */
/** @file posix.c @brief Processors, threads and semaphores of POSIX systems. */
#define _GNU_SOURCE 1 /* sched_getaffinity */

#include "platform.h"

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
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

/* ------------------------------------------------------------------------------------------------------ threads */

/** All signals, but for those that an instruction of the thread itself raises. */
static void fill_blocked(sigset_t *blocked)
{
    static const int own[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP, SIGSYS, SIGABRT};
    (void)sigfillset(blocked);
    for (size_t i = 0; i < sizeof own / sizeof own[0]; i++)
        (void)sigdelset(blocked, own[i]);
}

/** A system may take thread-local storage, of which a program's libraries have any amount, off the stack. */
static bool start_with(pthread_attr_t *attributes, pthread_t *thread, void *(*run)(void *), void *argument,
                       size_t stack_bytes)
{
    const size_t page = (size_t)sysconf(_SC_PAGESIZE), most = (size_t)16 << 20;
    int status = 1;
    for (size_t bytes = (stack_bytes + page - 1) / page * page; bytes <= most && status != 0; bytes *= 2) {
        status = pthread_attr_setstacksize(attributes, bytes);
        if (status == 0)
            status = pthread_create(thread, attributes, run, argument);
        if (status != 0 && status != EINVAL)
            break;
    }
    return status == 0;
}

bool grkan_thread_start(grkan_thread *thread, void *(*run)(void *), void *argument, size_t stack_bytes)
{
    sigset_t blocked, earlier;
    pthread_attr_t attributes;
    bool is_started = false;
    if (pthread_attr_init(&attributes) != 0)
        return false;
    fill_blocked(&blocked);
    if (pthread_sigmask(SIG_SETMASK, &blocked, &earlier) == 0) {
        is_started = start_with(&attributes, thread, run, argument, stack_bytes);
        (void)pthread_sigmask(SIG_SETMASK, &earlier, NULL);
    }
    (void)pthread_attr_destroy(&attributes);
    return is_started;
}

void grkan_thread_join(grkan_thread thread)
{
    (void)pthread_join(thread, NULL);
}

void grkan_thread_detach(grkan_thread thread)
{
    (void)pthread_detach(thread);
}

void grkan_on_fork(void (*in_child)(void))
{
    (void)pthread_atfork(NULL, NULL, in_child);
}

/* --------------------------------------------------------------------------------------------------- semaphores */

void grkan_semaphore_init(grkan_semaphore *semaphore)
{
    (void)sem_init(&semaphore->handle, 0, 0);
}

void grkan_semaphore_post(grkan_semaphore *semaphore)
{
    (void)sem_post(&semaphore->handle);
}

void grkan_semaphore_wait(grkan_semaphore *semaphore)
{
    int earlier;
    (void)pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &earlier);
    while (sem_wait(&semaphore->handle) != 0) {
    }
    (void)pthread_setcancelstate(earlier, NULL);
}
