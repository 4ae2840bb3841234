/* SPDX-License-Identifier: Apache-2.0 */
/** @file queue.c @brief What was enqueued, on any stream: run in order, and not before somebody waits for it. */
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "standin.h"

typedef struct command {
    struct command *next;
    hipError_t (*run)(void *payload);
    max_align_t payload[];
} command;

/* A queue that nobody waits for must not grow without end. */
enum { longest_queue = 256 };

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER; /* guards what follows, and is held while commands run */
static command *first, **last = &first;
static int length;
static hipError_t failed;

static void run_all(void)
{
    while (first != NULL) {
        command *const done = first;
        const hipError_t code = done->run(done->payload);
        failed = failed == hipSuccess ? code : failed;
        first = done->next;
        free(done);
    }
    last = &first;
    length = 0;
}

hipError_t standin_enqueue(hipError_t (*run)(void *payload), const void *payload, size_t bytes)
{
    command *made = malloc(sizeof *made + bytes);
    if (made == NULL)
        return hipErrorOutOfMemory;
    made->next = NULL;
    made->run = run;
    memcpy(made->payload, payload, bytes);
    pthread_mutex_lock(&mutex);
    *last = made;
    last = &made->next;
    if (++length > longest_queue)
        run_all();
    pthread_mutex_unlock(&mutex);
    return hipSuccess;
}

hipError_t standin_finish(void)
{
    pthread_mutex_lock(&mutex);
    run_all();
    const hipError_t code = failed;
    failed = hipSuccess;
    pthread_mutex_unlock(&mutex);
    return code;
}
