/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file programs.c
 * @brief The programs that a device has loaded. Plans that differ in sizes alone share one.
 *
 * They stay until the device is closed: what a plan enqueued, or what was captured into a graph, may run long after
 * the plan is gone.
 */
#include <stdlib.h>
#include <string.h>

#include "internal.h"

/** A program under its name, newest first. */
struct grkan_loaded {
    grkan_loaded *next;
    grkan_cache_key key;
    grkan_backend_program *program;
};

/** The caller holds the lock. */
static grkan_backend_program *find(const grkan_device *device, const grkan_cache_key *key)
{
    for (const grkan_loaded *l = device->loaded; l != NULL; l = l->next)
        if (strcmp(l->key.text, key->text) == 0)
            return l->program;
    return NULL;
}

grkan_backend_program *grkan_programs_find(grkan_device *device, const grkan_cache_key *key)
{
    grkan_lock_take(&device->lock);
    grkan_backend_program *const found = find(device, key);
    grkan_lock_release(&device->lock);
    return found;
}

grkan_status grkan_programs_keep(grkan_device *device, const grkan_cache_key *key, grkan_backend_program **program)
{
    grkan_loaded *made = malloc(sizeof *made);
    if (made == NULL) {
        device->backend->unload(*program);
        return grkan_fail(GRKAN_ERROR_OUT_OF_MEMORY, "no memory for a program of %s", device->properties.selector);
    }
    grkan_lock_take(&device->lock);
    grkan_backend_program *const earlier = find(device, key);
    if (earlier == NULL) {
        *made = (grkan_loaded){device->loaded, *key, *program};
        device->loaded = made;
    }
    grkan_lock_release(&device->lock);
    if (earlier != NULL) { /* another thread was faster */
        device->backend->unload(*program);
        *program = earlier;
        free(made);
    }
    return GRKAN_SUCCESS;
}

void grkan_programs_unload(grkan_device *device)
{
    while (device->loaded != NULL) {
        grkan_loaded *const next = device->loaded->next;
        device->backend->unload(device->loaded->program);
        free(device->loaded);
        device->loaded = next;
    }
}
