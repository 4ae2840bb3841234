/* SPDX-License-Identifier: Apache-2.0 */
/** @file internal.h @brief What the files of core/ share. Private: not installed. */
#ifndef GRKAN_INTERNAL_H
#define GRKAN_INTERNAL_H

#include <stdbool.h>

#include "platform/platform.h"

#include "../backends/backend.h"

typedef struct grkan_loaded grkan_loaded;

/** A device: a backend's state and what the core has read of it once. */
struct grkan_device {
    const grkan_backend *backend;
    grkan_backend_device *state;
    grkan_device_properties properties;
    grkan_device_limits limits;
    grkan_tuning told[GRKAN_TUNING_KINDS]; /* the tunings that follow from what it tells */
    grkan_tuning_source tuning_source;     /* of those in limits */
    const char *tuning_complaint;          /* why the file is not used; NULL: there is none, or it is */
    grkan_lock lock;                       /* of loaded */
    grkan_loaded *loaded;                  /* see programs.c */
};

/** A plan: what was decided, and the kernels that do it. */
struct grkan_plan {
    grkan_device *device;
    grkan_plan_data data;
    grkan_backend_program *program; /* the device's */
    bool is_compiled;               /* now, rather than found in the cache or made beforehand */
    /* What every call's tensors are compared with. */
    int64_t x_bytes, y_bytes, table_bytes[GRKAN_MOST_TABLES];
    int64_t gradient_bytes[GRKAN_MOST_TABLES], dx_bytes; /* 0 where they are frozen */
    int64_t y_again_bytes, mean_bytes, rstd_bytes;       /* 0 where there is none */
    size_t x_element, y_element, number_bytes;           /* of an element of x and of y, and of a number of a table */
};

/* status.c */

/** Set this thread's error text (printf style) and return status. */
grkan_status grkan_fail(grkan_status status, const char *format, ...) __attribute__((format(GRKAN_FORMAT, 2, 3)));

/* library_folders.c */

/** The folders that grkan_add_library_folder was given, in order; NULL past the last. Lives as long as the process. */
const char *grkan_library_folder_at(int index);

/* registry.c */

/** Find a backend by name and load it if need be. @param count out, may be NULL: its devices, at least 1 */
grkan_status grkan_registry_find(const char *name, const grkan_backend **backend, int *count);

/** The backend that is built in (backends/cpu). */
extern const grkan_backend grkan_cpu_backend;

/* operation.c */

/** Check what an operation says of its tensor and groups, field by field. The text names the field and what was expected. */
grkan_status grkan_check_layout(const grkan_operation *operation);

/** Check that all can be counted, once every field is right by itself. */
grkan_status grkan_check_size(const grkan_operation *operation);

/** Check a field of an operation against what it may be, from low to high. */
grkan_status grkan_check_range(const char *field, int64_t value, int64_t low, int64_t high);

/** Check a field that says which elements read the same row of a table: all, or those of a group. */
grkan_status grkan_check_scope(const char *field, grkan_scope scope);

/** Of the storage types of x and y, that of more bytes. */
grkan_dtype grkan_wider_dtype(const grkan_operation *operation);

/** Elements of the tensor. The operation has been checked, so this does not overflow. */
int64_t grkan_operation_elements(const grkan_operation *operation);

/** First channel of a group, 0 <= group <= groups. */
int64_t grkan_operation_group_start(const grkan_operation *operation, int64_t group);

/* tables.c */

/** Check all that an operation says, field by field. The text names the field and what was expected. */
grkan_status grkan_check_operation(const grkan_operation *operation);

/** The tables of an operation that has been checked. @return how many */
int32_t grkan_list_tables(const grkan_operation *operation, grkan_table tables[GRKAN_MOST_TABLES]);

/** Numbers of all tables that one element reads. */
int grkan_tables_width(const grkan_table *tables, int32_t count);

/* cache.c */

/** Name of a compiled program: the hash of all that it depends on, as 32 hexadecimal digits. */
typedef struct grkan_cache_key {
    char text[33];
} grkan_cache_key;

/** Hash parts in order; {"ab", "c"} and {"a", "bc"} differ. A NULL part counts as "". */
grkan_cache_key grkan_cache_key_of(const char *const parts[], size_t count);

/** Read a program. false, and nothing allocated, when it is not there, damaged, or the cache is not to be trusted. */
bool grkan_cache_load(const grkan_cache_key *key, grkan_blob *binary);

/** Keep a program. Every failure is soft: the next process compiles again. @return whether it is kept */
bool grkan_cache_store(const grkan_cache_key *key, const grkan_blob *binary);

/** The file of a key. @return false: there is none */
bool grkan_cache_path(const grkan_cache_key *key, char path[GRKAN_PATH_BYTES]);

/** Say why nothing is kept, after grkan_cache_store failed. */
void grkan_cache_obstacle(char *text, size_t bytes);

/** Why there is no file of a key to be used though there is one, after grkan_cache_load. @return NULL: there is none */
const char *grkan_cache_complaint(const grkan_cache_key *key);

/* tunings.c */

/** Put the tunings of a device that has been described into its limits. Every failure is soft: a note says why. */
void grkan_tunings_open(grkan_device *device);

/** Likewise for a device that is not there, which has no file. */
void grkan_tunings_assume(grkan_device_limits *limits);

/* programs.c */

/** A loaded program by its name; NULL if there is none. */
grkan_backend_program *grkan_programs_find(grkan_device *device, const grkan_cache_key *key);

/** Give a program to the device. @param program in and out: another thread's may have been there first */
grkan_status grkan_programs_keep(grkan_device *device, const grkan_cache_key *key, grkan_backend_program **program);

/** Unload all. */
void grkan_programs_unload(grkan_device *device);

#endif
