/* SPDX-License-Identifier: Apache-2.0 */
/** @file library.c @brief The search for a vendor's library, and for its functions. */
#include "library.h"

#include <stdlib.h>
#include <string.h>

/* ----------------------------------------------------------------------------------------------- functions */

void *gpu_library_symbol(void *library, const char *name)
{
    return grkan_library_symbol(library, name);
}

int gpu_functions_find(gpu_function_finder find, void *context, const gpu_function *functions, size_t count,
                       void *pointers, gpu_refusal *refusal)
{
    for (size_t i = 0; i < count; ++i) {
        void *const address = find(context, functions[i].name);
        memcpy((char *)pointers + functions[i].offset, &address, sizeof address);
        if (address == NULL && !functions[i].is_optional) {
            snprintf(refusal->words, sizeof refusal->words, "it has no function %s", functions[i].name);
            return 0;
        }
    }
    return 1;
}

/* ----------------------------------------------------------------------------------------- files and folders */

/** A search under way. */
typedef struct attempt {
    const gpu_library_search *search; /* the library's */
    gpu_library *library;
    gpu_refusal refusal; /* the first file that was there, and why it could not be used; "" if there was none */
    int is_over;         /* no other may be opened: one of which a process bears only one is, and does not serve */
} attempt;

static void refuse(attempt *a, const char *file, const char *words)
{
    if (a->refusal.words[0] == '\0')
        snprintf(a->refusal.words, sizeof a->refusal.words, "%.200s%s%.300s", file, file[0] != '\0' ? ": " : "", words);
}

/** Take an open library, or refuse it. @param path of it, where the loader does not tell a better one */
static int take(attempt *a, grkan_library *handle, const char *path)
{
    gpu_library *const library = a->library;
    gpu_refusal refusal = {""};
    if (!grkan_library_file(grkan_library_symbol(handle, a->search->symbol), library->path, sizeof library->path))
        snprintf(library->path, sizeof library->path, "%s", path);
    if (!a->search->take(handle, library->version, sizeof library->version, &refusal)) {
        refuse(a, library->path, refusal.words);
        return 0;
    }
    library->handle = handle;
    return 1;
}

/** Open and take a library by its path, or by a name for the loader. */
static int try_to_open(attempt *a, const char *file)
{
    grkan_library *const handle = a->is_over ? NULL : grkan_library_open(file);
    if (a->is_over)
        return 0;
    if (handle == NULL) {
        const char *const words = grkan_library_error();
        const size_t length = strlen(file);
        /* The loader's words begin with the name if it found no file; else with what is wrong with one. */
        if (grkan_is_absolute(file) || strncmp(words, file, length) != 0)
            refuse(a, "", words);
        return 0;
    }
    if (take(a, handle, file))
        return 1;
    a->is_over = a->search->is_single; /* those have threads and memory of their own, and stay */
    if (!a->is_over)
        grkan_library_close(handle);
    return 0;
}

static int try_folder(attempt *a, const char *folder, const char *below, const char *file)
{
    char path[GRKAN_PATH_BYTES];
    const int written = snprintf(path, sizeof path, "%s%s/%s", folder, below, file);
    return written > 0 && (size_t)written < sizeof path && grkan_is_absolute(path) && grkan_is_file(path) &&
           try_to_open(a, path);
}

/* ------------------------------------------------------------------------------------------------- places */

/** What is in the process already. */
static int try_loaded(attempt *a)
{
    char path[GRKAN_PATH_BYTES];
    for (int i = 0; grkan_library_loaded(a->search->stem, i, path, sizeof path); ++i)
        if (try_to_open(a, path))
            return 1;
    return 0;
}

/** A part of its companion, or beside it. */
static int try_companion(attempt *a)
{
    const gpu_library *const companion = a->search->companion;
    char folder[GRKAN_PATH_BYTES];
    if (companion == NULL || companion->handle == NULL)
        return 0;
    if (grkan_library_symbol(companion->handle, a->search->symbol) != NULL &&
        take(a, companion->handle, companion->path))
        return 1;
    snprintf(folder, sizeof folder, "%s", companion->path);
    char *const end = folder + (grkan_path_name(folder) - folder);
    if (end == folder)
        return 0;
    end[-1] = '\0';
    for (const char *const *file = a->search->files; *file != NULL; ++file)
        if (try_folder(a, folder, "", *file))
            return 1;
    return 0;
}

static int try_loader(attempt *a)
{
    for (const char *const *file = a->search->files; *file != NULL; ++file)
        if (try_to_open(a, *file))
            return 1;
    return 0;
}

static int try_handed_over(attempt *a)
{
    const char *folder;
    for (const char *const *file = a->search->files; *file != NULL; ++file)
        for (int i = 0; (folder = gpu_host->library_folder(i)) != NULL; ++i)
            if (try_folder(a, folder, "", *file))
                return 1;
    return 0;
}

static int try_homes(attempt *a, const char *file)
{
    for (const char *const *home = a->search->homes; *home != NULL; ++home) {
        const char *const folder = grkan_trusted_environment(*home);
        for (const char *const *below = a->search->home_folders; folder != NULL && *below != NULL; ++below)
            if (try_folder(a, folder, *below, file))
                return 1;
    }
    return 0;
}

static int try_installations(attempt *a)
{
    for (const char *const *file = a->search->files; *file != NULL; ++file) {
        if (try_homes(a, *file))
            return 1;
        for (const char *const *folder = a->search->folders; *folder != NULL; ++folder)
            if (try_folder(a, *folder, "", *file))
                return 1;
    }
    return 0;
}

/** What the user asks for, and nothing else then. @return -1 if that cannot be had */
static int try_variable(attempt *a)
{
    const char *const name = a->search->variable;
    const char *const path = name != NULL ? grkan_trusted_environment(name) : NULL;
    gpu_refusal of_file;
    if (path == NULL || path[0] == '\0')
        return 0;
    a->refusal.words[0] = '\0';
    if (!grkan_is_absolute(path) || !grkan_is_file(path))
        refuse(a, "", "expected the absolute path of a file");
    else if (try_to_open(a, path))
        return 1;
    of_file = a->refusal;
    snprintf(a->refusal.words, sizeof a->refusal.words, "the environment's %s is \"%.150s\": %.300s", name, path,
             of_file.words);
    return -1;
}

/* ------------------------------------------------------------------------------------------------- searches */

/** @return 1 if the library is found, now or before; 0 with words of why not */
static int look(gpu_library *library, char *words, size_t bytes)
{
    const gpu_library_search *const search = library->search;
    attempt a = {search, library, {""}, 0};
    int asked;
    if (library->handle != NULL || try_loaded(&a))
        return 1;
    if (a.is_over) {
        snprintf(words, bytes, "the one in this process cannot be used: %s; %s", a.refusal.words, search->advice);
        return 0;
    }
    if ((asked = try_variable(&a)) > 0)
        return 1;
    if (asked < 0) {
        snprintf(words, bytes, "%s", a.refusal.words);
        return 0;
    }
    if (try_companion(&a) || (search->is_single && try_handed_over(&a)) || try_loader(&a) || try_installations(&a) ||
        (!search->is_single && try_handed_over(&a)))
        return 1;
    if (a.refusal.words[0] != '\0')
        snprintf(words, bytes, "%s; %s", a.refusal.words, search->advice);
    else
        snprintf(words, bytes, "there is no %s; %s", search->files[0], search->advice);
    return 0;
}

static int look_locked(gpu_library *library, char *words, size_t bytes)
{
    grkan_lock_take(&library->lock);
    const int is_found = look(library, words, bytes);
    grkan_lock_release(&library->lock);
    return is_found;
}

grkan_status gpu_library_find(gpu_library *library)
{
    char words[1024];
    return look_locked(library, words, sizeof words)
               ? GRKAN_SUCCESS
               : gpu_host->set_error(library->search->status, "no %s: %s", library->search->label, words);
}

void gpu_library_tell(gpu_library *library, char *text, size_t bytes)
{
    char words[1024];
    const size_t used = strlen(text);
    const char *const label = library->search->label;
    if (look_locked(library, words, sizeof words))
        snprintf(text + used, bytes - used, "%s %s: %s\n", label, library->version, library->path);
    else
        snprintf(text + used, bytes - used, "%s: none: %s\n", label, words);
}
