/* SPDX-License-Identifier: Apache-2.0 */
/** @file calls.h @brief Calls of a vendor's runtime while a device is current, up to the first that fails. */
#ifndef GRKAN_CALLS_H
#define GRKAN_CALLS_H

#include "runtime.h"

/** Calls under way. The caller's current device is put back at their end. */
typedef struct gpu_calls {
    int before;       /**< the caller's device, to put back; -1 for nothing */
    const char *call; /**< the last one */
    rt(Error_t) code; /**< its code */
} gpu_calls;

/** A call, with its name; not made when one before it failed. */
#define NAMED_CALL(c, name, expression)                                                                                \
    do {                                                                                                               \
        if ((c)->code == rt(Success)) {                                                                                \
            (c)->call = (name);                                                                                        \
            (c)->code = (expression);                                                                                  \
        }                                                                                                              \
    } while (0)

/** A call of the runtime by its name: CALL(&c, Free, (base)). */
#define CALL(c, name, arguments) NAMED_CALL(c, rt_string(#name), rt(name) arguments)

/** Begin: make a device current. */
gpu_calls calls_begin(int index);

/** End. @return their status; an error names the call that failed */
grkan_status calls_end(gpu_calls *calls);

/** For calls that take back what was made: nobody can do anything about their errors, and nobody shall see them. */
void calls_forget(rt(Error_t) code);

#endif
