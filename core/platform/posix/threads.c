/* SPDX-License-Identifier: Apache-2.0 */
/** @file threads.c @brief Threads, locks and semaphores of POSIX systems. */
#include "../platform.h"

#include <errno.h>
#include <signal.h>
#include <unistd.h>

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

/* ---------------------------------------------------------------------------------------- locks and semaphores */

void grkan_lock_init(grkan_lock *lock)
{
    (void)pthread_mutex_init(&lock->handle, NULL);
}

void grkan_lock_destroy(grkan_lock *lock)
{
    (void)pthread_mutex_destroy(&lock->handle);
}

void grkan_lock_take(grkan_lock *lock)
{
    (void)pthread_mutex_lock(&lock->handle);
}

void grkan_lock_release(grkan_lock *lock)
{
    (void)pthread_mutex_unlock(&lock->handle);
}

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
