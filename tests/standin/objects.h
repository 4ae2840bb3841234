/* SPDX-License-Identifier: Apache-2.0 */
/** @file objects.h @brief What the stand-ins for runtimes share: the objects that callers hold, faults, a log of calls. */
#ifndef STANDIN_OBJECTS_H
#define STANDIN_OBJECTS_H

#include <stdbool.h>
#include <stddef.h>

#define STANDIN_API __attribute__((visibility("default")))

typedef enum { MEMORY, EVENT, STREAM, MODULE, PROGRAM, CONTEXT, GRAPH, KINDS } standin_kind;

/** Begin an entry point. @return 0, or the code that a test wants it to fail with */
STANDIN_API int standin_enter(const char *entry_point);

STANDIN_API void standin_add(standin_kind kind, const void *object, size_t bytes, int device);
STANDIN_API bool standin_remove(standin_kind kind, const void *object);

/** The device of an object, or of bytes inside one; -1 if there is no such object of the kind. */
STANDIN_API int standin_device_of(standin_kind kind, const void *object, size_t bytes);

#endif
