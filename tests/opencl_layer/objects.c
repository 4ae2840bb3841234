/* SPDX-License-Identifier: Apache-2.0 */
/** @file objects.c @brief What the application holds; complaints; faults on demand, and the log of calls. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "layer.h"

enum { most_logged = 65536, most_answers = 16 };

static const struct {
    const char *name;
    cl_int invalid;
} kinds[KINDS] = {[CONTEXT] = {"context", CL_INVALID_CONTEXT},  [QUEUE] = {"queue", CL_INVALID_COMMAND_QUEUE},
                  [MEMORY] = {"buffer", CL_INVALID_MEM_OBJECT}, [PROGRAM] = {"program", CL_INVALID_PROGRAM},
                  [KERNEL] = {"kernel", CL_INVALID_KERNEL},     [EVENT] = {"event", CL_INVALID_EVENT}};

/* Guards what follows. Recursive, so that a test whose runtime crashed below can still end. */
static pthread_mutex_t mutex = PTHREAD_RECURSIVE_MUTEX_INITIALIZER_NP;
static layer_object *objects;
static const char *calls[most_logged]; /* entry points' names, which are literals */
static int call_count;
static const char *current = "";
static char complaint[512];
static struct {
    const char *entry_point;
    int left; /* calls until it strikes, that one included */
    cl_int code;
} fault;
static struct {
    cl_uint what;
    const void *value;
    size_t bytes;
} answers[most_answers];
static cl_command_queue_properties added_properties;

/* --------------------------------------------------------------------------------------------- for tests */

LAYER_API void opencl_layer_fail(const char *entry_point, int nth, cl_int code)
{
    pthread_mutex_lock(&mutex);
    fault.entry_point = entry_point;
    fault.left = nth;
    fault.code = code;
    pthread_mutex_unlock(&mutex);
}

LAYER_API const char *opencl_layer_called(int index)
{
    pthread_mutex_lock(&mutex);
    const char *const name = index >= 0 && index < call_count ? calls[index] : NULL;
    pthread_mutex_unlock(&mutex);
    return name;
}

LAYER_API const char *opencl_layer_alive(void)
{
    static _Thread_local char text[256];
    int count[KINDS] = {0};
    size_t used = 0;
    pthread_mutex_lock(&mutex);
    for (const layer_object *o = objects; o != NULL; o = o->next)
        ++count[o->kind];
    pthread_mutex_unlock(&mutex);
    text[0] = '\0';
    for (int kind = 0; kind < KINDS; ++kind)
        if (count[kind] > 0)
            used += (size_t)snprintf(text + used, sizeof text - used, "%s%d %s%s", used > 0 ? ", " : "", count[kind],
                                     kinds[kind].name, count[kind] == 1 ? "" : "s");
    return text;
}

LAYER_API const char *opencl_layer_complaint(void)
{
    static _Thread_local char text[sizeof complaint];
    pthread_mutex_lock(&mutex);
    memcpy(text, complaint, sizeof text);
    complaint[0] = '\0';
    pthread_mutex_unlock(&mutex);
    return text;
}

LAYER_API void opencl_layer_answer(cl_uint what, const void *value, size_t bytes)
{
    pthread_mutex_lock(&mutex);
    int place = 0;
    while (place < most_answers - 1 && answers[place].what != what)
        ++place;
    for (int i = 0; answers[place].what != what && i < most_answers; ++i)
        if (answers[i].value == NULL)
            place = i;
    answers[place].what = what;
    answers[place].value = value;
    answers[place].bytes = bytes;
    pthread_mutex_unlock(&mutex);
}

LAYER_API void opencl_layer_add_queue_properties(cl_command_queue_properties properties)
{
    pthread_mutex_lock(&mutex);
    added_properties = properties;
    pthread_mutex_unlock(&mutex);
}

/* ----------------------------------------------------------------------------- for the layer, which has the lock */

bool layer_answer_of(cl_uint what, const void **value, size_t *bytes)
{
    for (int i = 0; i < most_answers; ++i) {
        if (answers[i].value != NULL && answers[i].what == what) {
            *value = answers[i].value;
            *bytes = answers[i].bytes;
            return true;
        }
    }
    return false;
}

cl_command_queue_properties layer_added_properties(void)
{
    return added_properties;
}

cl_int layer_enter(const char *entry_point)
{
    pthread_mutex_lock(&mutex);
    current = entry_point;
    if (call_count < most_logged)
        calls[call_count++] = entry_point;
    const bool strikes = fault.left > 0 && (fault.entry_point == NULL || strcmp(fault.entry_point, entry_point) == 0) &&
                         --fault.left == 0;
    return strikes ? fault.code : CL_SUCCESS;
}

void layer_leave(void)
{
    pthread_mutex_unlock(&mutex);
}

cl_int layer_refuse(cl_int code, const char *format, ...)
{
    if (complaint[0] == '\0') {
        va_list arguments;
        const int used = snprintf(complaint, sizeof complaint, "%s: ", current);
        va_start(arguments, format);
        vsnprintf(complaint + used, sizeof complaint - (size_t)used, format, arguments);
        va_end(arguments);
    }
    return code;
}

layer_object *layer_add(layer_kind kind, const void *handle, cl_context context)
{
    if (handle == NULL)
        return NULL;
    layer_object *const made = calloc(1, sizeof *made);
    if (made == NULL)
        abort(); /* a test's process without memory has nothing more to say */
    *made = (layer_object){.next = objects, .kind = kind, .handle = handle, .references = 1, .context = context};
    objects = made;
    return made;
}

static layer_object *look_for(layer_kind kind, const void *handle)
{
    layer_object *o = objects;
    while (o != NULL && (o->kind != kind || o->handle != handle))
        o = o->next;
    return o;
}

layer_object *layer_find(layer_kind kind, const void *handle)
{
    layer_object *const found = look_for(kind, handle);
    if (found == NULL)
        (void)layer_refuse(kinds[kind].invalid, "%p is no %s, or was released", handle, kinds[kind].name);
    return found;
}

cl_int layer_retain(layer_kind kind, const void *handle)
{
    layer_object *const found = layer_find(kind, handle);
    if (found != NULL)
        ++found->references;
    return found != NULL ? CL_SUCCESS : kinds[kind].invalid;
}

cl_int layer_release(layer_kind kind, const void *handle)
{
    layer_object *const found = layer_find(kind, handle);
    if (found == NULL)
        return kinds[kind].invalid;
    if (--found->references > 0)
        return CL_SUCCESS;
    layer_object *const program = kind == KERNEL ? look_for(PROGRAM, found->program) : NULL;
    if (program != NULL)
        --program->kernels;
    for (layer_object **at = &objects; *at != NULL; at = &(*at)->next) {
        if (*at == found) {
            *at = found->next;
            break;
        }
    }
    free(found);
    return CL_SUCCESS;
}

bool layer_has_device(const layer_object *of, cl_device_id device, cl_uint *place)
{
    cl_uint i = 0;
    while (i < of->device_count && of->devices[i] != device)
        ++i;
    if (place != NULL)
        *place = i;
    return i < of->device_count;
}
