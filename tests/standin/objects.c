/* SPDX-License-Identifier: Apache-2.0 */
/** @file objects.c @brief What callers hold; faults on demand, and the log of calls. */
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "control.h"
#include "objects.h"

typedef struct object {
    struct object *next;
    const char *start;
    size_t bytes;
    int device;
    standin_kind kind;
} object;

enum { most_logged = 8192 };

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER; /* guards what follows */
static object *objects;
static const char *calls[most_logged]; /* entry points' names, which are literals */
static int call_count;
static struct {
    const char *entry_point;
    int left; /* calls until it strikes, that one included */
    int code;
} fault;

STANDIN_API void standin_fail(const char *entry_point, int nth, int code)
{
    pthread_mutex_lock(&mutex);
    fault.entry_point = entry_point;
    fault.left = nth;
    fault.code = code;
    pthread_mutex_unlock(&mutex);
}

int standin_enter(const char *entry_point)
{
    int code = 0;
    pthread_mutex_lock(&mutex);
    if (call_count < most_logged)
        calls[call_count++] = entry_point;
    if (fault.left > 0 && (fault.entry_point == NULL || strcmp(fault.entry_point, entry_point) == 0) &&
        --fault.left == 0)
        code = fault.code;
    pthread_mutex_unlock(&mutex);
    return code;
}

STANDIN_API const char *standin_called(int index)
{
    pthread_mutex_lock(&mutex);
    const char *name = index >= 0 && index < call_count ? calls[index] : NULL;
    pthread_mutex_unlock(&mutex);
    return name;
}

void standin_add(standin_kind kind, const void *start, size_t bytes, int device)
{
    object *made = malloc(sizeof *made);
    if (made == NULL)
        abort(); /* a test's process without memory has nothing more to say */
    pthread_mutex_lock(&mutex);
    *made = (object){objects, start, bytes, device, kind};
    objects = made;
    pthread_mutex_unlock(&mutex);
}

bool standin_remove(standin_kind kind, const void *start)
{
    object *found = NULL;
    pthread_mutex_lock(&mutex);
    for (object **at = &objects; *at != NULL && found == NULL; at = &(*at)->next) {
        if ((*at)->kind == kind && (*at)->start == start) {
            found = *at;
            *at = found->next;
            break;
        }
    }
    pthread_mutex_unlock(&mutex);
    free(found);
    return found != NULL;
}

int standin_device_of(standin_kind kind, const void *start, size_t bytes)
{
    const uintptr_t first = (uintptr_t)start;
    int device = -1;
    pthread_mutex_lock(&mutex);
    for (const object *o = objects; o != NULL && device < 0; o = o->next) {
        const uintptr_t begin = (uintptr_t)o->start;
        if (o->kind == kind && (begin == first || (first > begin && first - begin < o->bytes)) &&
            bytes <= o->bytes - (first - begin))
            device = o->device;
    }
    pthread_mutex_unlock(&mutex);
    return device;
}

STANDIN_API const char *standin_alive(void)
{
    static const char *const names[KINDS] = {"memory", "event", "stream", "module", "program", "context", "graph"};
    static _Thread_local char text[128];
    int count[KINDS] = {0};
    size_t used = 0;
    pthread_mutex_lock(&mutex);
    for (const object *o = objects; o != NULL; o = o->next)
        ++count[o->kind];
    pthread_mutex_unlock(&mutex);
    text[0] = '\0';
    for (int kind = 0; kind < KINDS; ++kind)
        if (count[kind] > 0)
            used += (size_t)snprintf(text + used, sizeof text - used, "%s%d %s", used > 0 ? ", " : "", count[kind],
                                     names[kind]);
    return text;
}
