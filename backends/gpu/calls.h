/* SPDX-License-Identifier: Apache-2.0 */
/** @file calls.h @brief Calls of a vendor's driver where a device is current, up to the first that fails. */
#ifndef GRKAN_CALLS_H
#define GRKAN_CALLS_H

#include "runtime.h"

/** Calls under way. What was current before is so again at their end. */
struct gpu_calls {
    const char *call; /**< the last one */
    CUresult code;    /**< its code */
    int is_changed;   /**< whether something else is current now */
    int before;       /**< HIP: the device that was current */
    int is_primary;   /**< CUDA: whether the device's primary context is current now */
};

/* The name that a word has for the vendor, as text. */
#define TEXT_OF(name) #name
#define NAME_OF(name) TEXT_OF(name)

/** A call of the driver, CALL(&c, cuMemFree, (base)); not made when one before it failed. */
#define CALL(c, name, arguments)                                                                                       \
    do {                                                                                                               \
        if ((c)->code == CUDA_SUCCESS)                                                                                 \
            LAST_CALL(c, name, arguments);                                                                             \
    } while (0)

/** One that is made whatever failed before, and tells of its failure if nothing did. */
#define LAST_CALL(c, name, arguments)                                                                                  \
    do {                                                                                                               \
        const CUresult code_of_call = driver.name arguments;                                                           \
        if ((c)->code == CUDA_SUCCESS) {                                                                               \
            (c)->call = NAME_OF(name);                                                                                 \
            (c)->code = code_of_call;                                                                                  \
        }                                                                                                              \
    } while (0)

/** Begin, with the device current. */
gpu_calls calls_begin(const grkan_backend_device *device);

/** Begin where nothing is to be current: before there is a device. */
gpu_calls calls_begin_anywhere(void);

/** End. @return their status; an error names the call that failed */
grkan_status calls_end(gpu_calls *calls);

/** End calls that take back what was made: nobody can do anything about their errors, and nobody shall see them. */
void calls_end_silently(gpu_calls *calls);

#endif
