/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file library.h
 * @brief Libraries of a vendor: found at run time, since modules are built without them.
 *
 * A list of functions (backends/cuda/driver_functions.h and its like) is included once to declare a struct of pointers,
 * and once to make the table of names that fills it.
 */
#ifndef GRKAN_GPU_LIBRARY_H
#define GRKAN_GPU_LIBRARY_H

#include "../../core/platform/platform.h"
#include "engine.h"

/** A function of a list. */
typedef struct gpu_function {
    const char *name;
    size_t offset; /**< of its pointer in the struct */
    int is_optional;
} gpu_function;

/** Why a library could not be used. */
typedef struct gpu_refusal {
    char words[512];
} gpu_refusal;

typedef struct gpu_library gpu_library;

/** Where a library is looked for, and what it is. Lists of texts end with NULL; all live as long as the process. */
typedef struct gpu_library_search {
    const char *label;               /**< what people call it: "NVRTC" */
    const char *stem;                /**< its file's name up to ".so": "libnvrtc" */
    const char *const *files;        /**< names of its file, the preferred one first */
    const char *symbol;              /**< a function of it, by which its file is told */
    const char *variable;            /**< of the environment: the path of a file; NULL: none */
    const char *const *homes;        /**< of the environment: installations, */
    const char *const *home_folders; /**< and folders in them: "/lib64" */
    const char *const *folders;      /**< of installations otherwise */
    const gpu_library *companion;    /**< it may be a part of that one, or lie beside it; NULL: of none */
    int is_single;                   /**< 1: a process bears one. What is loaded is taken or nothing is, and folders
                                             that callers handed over come first */
    grkan_status status;             /**< when there is none, */
    const char *advice;              /**< and what to do then: "install the package x" */
    /** Resolve an open library's functions, and check its version, which is written. @return 0 with a refusal */
    int (*take)(grkan_library *handle, char *version, size_t bytes, gpu_refusal *refusal);
} gpu_library_search;

/** A library that may be in use. Begins with a search, GRKAN_LOCK_INIT, and zeros. */
struct gpu_library {
    const gpu_library_search *search;
    grkan_lock lock; /**< guards what follows, until `handle` is set */
    grkan_library *handle;
    char path[GRKAN_PATH_BYTES];
    char version[32]; /**< "12.4" */
};

/**
 * Find a library, unless it has been found: in the process, by the environment's variable, by the loader, in
 * installations, in folders that callers handed over. @return the search's status, with all words of why
 */
grkan_status gpu_library_find(gpu_library *library);

/** Append a line for grkan_backend.libraries, and find the library if need be. No error is set. */
void gpu_library_tell(gpu_library *library, char *text, size_t bytes);

/** A function of an open library by name; NULL: there is none. Its context is the grkan_library. */
typedef void *(*gpu_function_finder)(void *context, const char *name);
void *gpu_library_symbol(void *library, const char *name);

/** Fill a struct with all functions of a list. @return 0, with a refusal, if one lacks that is not optional */
int gpu_functions_find(gpu_function_finder find, void *context, const gpu_function *functions, size_t count,
                       void *pointers, gpu_refusal *refusal);

#endif
