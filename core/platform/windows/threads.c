/* SPDX-License-Identifier: Apache-2.0 */
/** @file threads.c @brief Threads, locks and semaphores of Windows. */
#include "windows.h"

#include "../float_environment.h"

#include <stdatomic.h>

/* ------------------------------------------------------------------------------------------------------ threads */

/** What a new thread reads before whoever starts it goes on: it lies on the other's stack. */
typedef struct beginning {
    void *(*run)(void *argument);
    void *argument;
    grkan_semaphore is_read;
} beginning;

static DWORD WINAPI begin(void *given)
{
    beginning *const read = given;
    void *(*const run)(void *) = read->run;
    void *const argument = read->argument;
    grkan_whole_environment own;
    grkan_semaphore_post(&read->is_read);
    grkan_float_enter_whole(&own); /* the system has x87 compute with 53 bits */
    (void)run(argument);
    return 0;
}

bool grkan_thread_start(grkan_thread *thread, void *(*run)(void *), void *argument, size_t stack_bytes)
{
    beginning given = {.run = run, .argument = argument};
    HMODULE unused;
    /* A program may unload the library while its threads run: it stays. */
    if (!GetModuleHandleExW(GET_MODULE_HANDLE_EX_FLAG_FROM_ADDRESS | GET_MODULE_HANDLE_EX_FLAG_PIN,
                            (LPCWSTR)(void *)begin, &unused))
        return false;
    grkan_semaphore_init(&given.is_read);
    *thread = CreateThread(NULL, stack_bytes, begin, &given, STACK_SIZE_PARAM_IS_A_RESERVATION, NULL);
    if (*thread == NULL)
        return false;
    grkan_semaphore_wait(&given.is_read);
    return true;
}

void grkan_thread_join(grkan_thread thread)
{
    (void)WaitForSingleObject(thread, INFINITE);
    (void)CloseHandle(thread);
}

void grkan_thread_detach(grkan_thread thread)
{
    (void)CloseHandle(thread);
}

/** There are no forks. */
void grkan_on_fork(void (*in_child)(void))
{
    (void)in_child;
}

/* ---------------------------------------------------------------------------------------- locks and semaphores */

_Static_assert(sizeof(SRWLOCK) == sizeof(grkan_lock), "a lock is an SRWLOCK");

static SRWLOCK *handle_of(grkan_lock *lock)
{
    return (SRWLOCK *)(void *)lock;
}

void grkan_lock_init(grkan_lock *lock)
{
    InitializeSRWLock(handle_of(lock));
}

void grkan_lock_destroy(grkan_lock *lock)
{
    (void)lock;
}

void grkan_lock_take(grkan_lock *lock)
{
    AcquireSRWLockExclusive(handle_of(lock));
}

void grkan_lock_release(grkan_lock *lock)
{
    ReleaseSRWLockExclusive(handle_of(lock));
}

void grkan_semaphore_init(grkan_semaphore *semaphore)
{
    atomic_store(&semaphore->count, 0);
}

/** Whoever waits may be gone with the semaphore before it is woken: the address is then nobody's, or wakes for nothing. */
void grkan_semaphore_post(grkan_semaphore *semaphore)
{
    atomic_fetch_add(&semaphore->count, 1);
    WakeByAddressSingle((void *)&semaphore->count);
}

void grkan_semaphore_wait(grkan_semaphore *semaphore)
{
    for (;;) {
        int32_t count = atomic_load(&semaphore->count);
        while (count > 0)
            if (atomic_compare_exchange_weak(&semaphore->count, &count, count - 1))
                return;
        (void)WaitOnAddress((volatile void *)&semaphore->count, &count, sizeof count, INFINITE);
    }
}
