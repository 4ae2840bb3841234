/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file registry.c
 * @brief The list of backends: found, loaded and checked once, on first use.
 *
 * A module is looked for in the directories of GRKAN_BACKEND_PATH, then in <library's directory>/grkan, where it is
 * installed, then in the library's directory, where a build tree has it. Never in the current directory. The module that
 * the first look gave, good or bad, and the devices that it has hold until the process ends; a module that finds none is
 * asked again each time, since what it lacks may come: a driver's library, a device.
 */
#define _GNU_SOURCE 1 /* strdup under -std=c11 */

#include "interface.h"
#include "internal.h"
#include "platform/float_environment.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PATH_VARIABLE "GRKAN_BACKEND_PATH"

/* A name further than this from every backend's is not a slip of the finger. */
#define LARGEST_SLIP 2
#define LONGEST_NAME 15

typedef struct registry_entry {
    const char *name;
    const grkan_backend *built_in; /* NULL: a module */
    grkan_lock lock;               /* guards what follows */
    bool is_known;                 /* what was looked for is known, found or not */
    const grkan_backend *backend;  /* NULL: there is none, see status and error */
    int devices;                   /* 0: not known to have any, see status and error */
    grkan_status status;           /* of finding the backend, then of counting its devices */
    char *error;                   /* its text; NULL for want of memory */
} registry_entry;

/* In the order of preference. A new backend is one line here. */
static registry_entry registry[] = {
    {.name = "cuda", .lock = GRKAN_LOCK_INIT},
    {.name = "hip", .lock = GRKAN_LOCK_INIT},
    {.name = "opencl", .lock = GRKAN_LOCK_INIT},
    {.name = "cpu", .lock = GRKAN_LOCK_INIT, .built_in = &grkan_cpu_backend},
};

#define REGISTRY_COUNT ((int)(sizeof registry / sizeof registry[0]))

int grkan_backend_count(void)
{
    return REGISTRY_COUNT;
}

const char *grkan_backend_name(int index)
{
    return index >= 0 && index < REGISTRY_COUNT ? registry[index].name : NULL;
}

/* ------------------------------------------------------------------------------------------ unknown names */

/* Insertions, deletions and replacements that make name of typed, letters of either case being the same. */
static int edit_distance(const char *typed, const char *name)
{
    int row[LONGEST_NAME + 1];
    const int length = (int)strlen(name);
    for (int column = 0; column <= length; column++) {
        row[column] = column;
    }
    for (int line = 1; typed[line - 1] != '\0'; line++) {
        int diagonal = row[0];
        row[0] = line;
        for (int column = 1; column <= length; column++) {
            const bool is_same = tolower((unsigned char)typed[line - 1]) == name[column - 1];
            int least = diagonal + (is_same ? 0 : 1);
            least = row[column] + 1 < least ? row[column] + 1 : least;
            least = row[column - 1] + 1 < least ? row[column - 1] + 1 : least;
            diagonal = row[column];
            row[column] = least;
        }
    }
    return row[length];
}

static grkan_status fail_unknown(const char *typed)
{
    const char *closest = NULL;
    int least = LARGEST_SLIP + 1;
    for (int i = 0; i < REGISTRY_COUNT && strlen(typed) <= LONGEST_NAME; i++) {
        const int distance = edit_distance(typed, registry[i].name);
        if (distance < least) {
            least = distance;
            closest = registry[i].name;
        }
    }
    char known[8 * LONGEST_NAME] = "";
    for (int i = 0; i < REGISTRY_COUNT; i++) {
        const size_t used = strlen(known);
        (void)snprintf(known + used, sizeof known - used, "%s%s", i == 0 ? "" : ", ", registry[i].name);
    }
    if (closest == NULL) {
        return grkan_fail(GRKAN_ERROR_NO_BACKEND, "there is no backend \"%s\"; expected one of %s", typed, known);
    }
    return grkan_fail(GRKAN_ERROR_NO_BACKEND, "there is no backend \"%s\"; did you mean \"%s\"? Expected one of %s",
                      typed, closest, known);
}

/* --------------------------------------------------------------------------------------- finding a module */

/* The directory that this library was loaded from; "" if that cannot be told. */
static char own_directory[GRKAN_PATH_BYTES];

/* At load, because the loader's name of the library may be relative to the directory that is current now. */
__attribute__((constructor)) static void remember_own_directory(void)
{
    (void)grkan_library_folder(own_directory, own_directory, sizeof own_directory);
}

/* A search under way: where it looked, for the error text, and the file that it found. */
typedef struct module_search {
    const char *name;
    char looked[2048];
    char file[GRKAN_PATH_BYTES];
} module_search;

/* true if the module is in directory (of length characters) + subdirectory. */
static bool is_in(module_search *search, const char *directory, size_t length, const char *subdirectory)
{
    char *const looked = search->looked;
    const size_t used = strlen(looked);
    (void)snprintf(looked + used, sizeof search->looked - used, "%s%.*s%s", used == 0 ? "" : ", ", (int)length,
                   directory, subdirectory);
    const int written = snprintf(search->file, sizeof search->file, "%.*s%s/" GRKAN_MODULE_FILE, (int)length, directory,
                                 subdirectory, search->name);
    return written > 0 && (size_t)written < sizeof search->file && grkan_is_file(search->file);
}

/* Every entry must be absolute: a relative or an empty one means the current directory, which anybody may own. */
static grkan_status check_path(const char *path)
{
    for (const char *entry = path; entry != NULL;) {
        const size_t length = strcspn(entry, GRKAN_LIST_SEPARATOR);
        if (!grkan_is_absolute(entry)) {
            return grkan_fail(GRKAN_ERROR_NO_BACKEND,
                              "%s has the entry \"%.*s\"; expected absolute directories separated by \"%s\"",
                              PATH_VARIABLE, (int)length, entry, GRKAN_LIST_SEPARATOR);
        }
        entry = entry[length] != '\0' ? entry + length + 1 : NULL;
    }
    return GRKAN_SUCCESS;
}

static bool is_in_path(module_search *search, const char *path)
{
    for (const char *entry = path; entry != NULL;) {
        const size_t length = strcspn(entry, GRKAN_LIST_SEPARATOR);
        if (is_in(search, entry, length, "")) {
            return true;
        }
        entry = entry[length] != '\0' ? entry + length + 1 : NULL;
    }
    return false;
}

static grkan_status find_module(module_search *search)
{
    const char *path = grkan_trusted_environment(PATH_VARIABLE);
    if (path != NULL && path[0] == '\0') {
        path = NULL;
    }
    const grkan_status status = check_path(path);
    if (status != GRKAN_SUCCESS) {
        return status;
    }
    const size_t length = strlen(own_directory);
    const bool is_found =
        is_in_path(search, path) ||
        (length > 0 && (is_in(search, own_directory, length, "/grkan") || is_in(search, own_directory, length, "")));
    if (!is_found) {
        return grkan_fail(GRKAN_ERROR_NO_BACKEND,
                          "backend \"%s\" is not built: there is no " GRKAN_MODULE_FILE " in %s", search->name,
                          search->name,
                          search->looked[0] == '\0' ? "any directory that could be named" : search->looked);
    }
    return GRKAN_SUCCESS;
}

/* ---------------------------------------------------------------------------------- loading and checking it */

/* The name of a function that must be there and is not; NULL if all are. */
static const char *missing_function(const grkan_backend *backend)
{
    const struct {
        const char *name;
        bool is_there;
    } functions[] = {
        {"count", backend->count != NULL},
        {"open", backend->open != NULL},
        {"close", backend->close != NULL},
        {"describe", backend->describe != NULL},
        {"load", backend->load != NULL},
        {"unload", backend->unload != NULL},
        {"forward", backend->forward != NULL},
        {"backward", backend->backward != NULL},
        {"allocate", backend->allocate != NULL},
        {"free", backend->free != NULL},
        {"upload", backend->upload != NULL},
        {"download", backend->download != NULL},
        {"copy", backend->copy != NULL},
        {"synchronize", backend->synchronize != NULL},
        {"timer_start", backend->timer_start != NULL},
        {"timer_stop", backend->timer_stop != NULL},
    };
    for (size_t i = 0; i < sizeof functions / sizeof functions[0]; i++) {
        if (!functions[i].is_there) {
            return functions[i].name;
        }
    }
    return NULL;
}

/* The interface comes first: of a module that was built from other headers, nothing else can be read. */
static grkan_status check_table(const char *name, const char *file, const grkan_backend *backend)
{
    if (backend->interface_hash != GRKAN_INTERFACE) {
        return grkan_fail(GRKAN_ERROR_NO_BACKEND,
                          "backend \"%s\": %s was built from other sources than this library (interface %016llx); "
                          "expected the module of the same build (interface %016llx)",
                          name, file, (unsigned long long)backend->interface_hash, (unsigned long long)GRKAN_INTERFACE);
    }
    if (backend->name == NULL || strcmp(backend->name, name) != 0) {
        return grkan_fail(GRKAN_ERROR_NO_BACKEND, "backend \"%s\": %s calls itself \"%s\"", name, file,
                          backend->name == NULL ? "" : backend->name);
    }
    const char *const missing = missing_function(backend);
    if (missing != NULL) {
        return grkan_fail(GRKAN_ERROR_NO_BACKEND, "backend \"%s\": %s lacks the function \"%s\"", name, file, missing);
    }
    return GRKAN_SUCCESS;
}

static grkan_status load_module(const char *name, const grkan_backend **backend)
{
    module_search search = {.name = name};
    const grkan_status found = find_module(&search);
    if (found != GRKAN_SUCCESS) {
        return found;
    }
    grkan_library *const module = grkan_library_open(search.file);
    if (module == NULL) {
        return grkan_fail(GRKAN_ERROR_NO_BACKEND, "backend \"%s\": %s does not load: %s", name, search.file,
                          grkan_library_error());
    }
    const grkan_backend *const table = grkan_library_symbol(module, GRKAN_BACKEND_SYMBOL);
    if (table == NULL) {
        return grkan_fail(GRKAN_ERROR_NO_BACKEND, "backend \"%s\": %s has no symbol \"%s\"", name, search.file,
                          GRKAN_BACKEND_SYMBOL);
    }
    const grkan_status status = check_table(name, search.file, table);
    if (status == GRKAN_SUCCESS) {
        *backend = table;
    }
    return status;
}

static const grkan_host host = {.set_error = grkan_fail, .library_folder = grkan_library_folder_at};

static grkan_status count_devices(const grkan_backend *backend, int *devices)
{
    int count = 0;
    const grkan_status status = backend->count(&host, &count);
    if (status != GRKAN_SUCCESS) {
        return status;
    }
    if (count < 1) {
        return grkan_fail(GRKAN_ERROR_NO_DEVICE, "backend \"%s\" has no device", backend->name);
    }
    *devices = count;
    return GRKAN_SUCCESS;
}

/* Find the backend, the first time, and its devices, until it has some. The entry is locked. */
static void look(registry_entry *entry)
{
    if (!entry->is_known && entry->built_in == NULL) {
        entry->status = load_module(entry->name, &entry->backend);
    } else if (!entry->is_known) {
        entry->backend = entry->built_in;
    }
    entry->is_known = true;
    if (entry->backend != NULL) {
        entry->status = count_devices(entry->backend, &entry->devices);
    }
    free(entry->error);
    entry->error = entry->status != GRKAN_SUCCESS ? strdup(grkan_last_error()) : NULL;
}

/* Who asks for no count can do without a device: to compile. The entry is locked. */
static grkan_status answer(const registry_entry *entry, const grkan_backend **backend, int *count)
{
    if (entry->backend == NULL || (count != NULL && entry->status != GRKAN_SUCCESS)) {
        return grkan_fail(entry->status, "%s", entry->error == NULL ? "no memory for the error text" : entry->error);
    }
    *backend = entry->backend;
    if (count != NULL) {
        *count = entry->devices;
    }
    return GRKAN_SUCCESS;
}

grkan_status grkan_registry_find(const char *name, const grkan_backend **backend, int *count)
{
    registry_entry *entry = NULL;
    for (int i = 0; i < REGISTRY_COUNT && entry == NULL; i++) {
        entry = strcmp(name, registry[i].name) == 0 ? &registry[i] : NULL;
    }
    if (entry == NULL) {
        return fail_unknown(name);
    }
    grkan_lock_take(&entry->lock);
    if (!entry->is_known || (count != NULL && entry->backend != NULL && entry->devices == 0)) {
        grkan_whole_environment
            own; /* a driver that was linked with -Ofast has the thread that loads it flush subnormals */
        grkan_float_enter_whole(&own);
        look(entry);
        grkan_float_leave_whole(&own);
    }
    const grkan_status status = answer(entry, backend, count);
    grkan_lock_release(&entry->lock);
    return status;
}
