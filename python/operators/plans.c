/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file plans.c
 * @brief A table of plans with open addressing. An entry is written once and stays, so that a look-up takes no lock; the lock
 * is for those that make a plan, and for the devices.
 */
#include "plans.h"

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../../core/platform/platform.h"

enum { most_plans = 1024, places = 2 * most_plans /* a power of two, half of them empty at least */, most_gpus = 64 };

static _Atomic(const plan *) table[places];
static grkan_lock lock = GRKAN_LOCK_INIT; /* guards what follows, and writing to the table */
static int plan_count;
static grkan_device *devices[1 + most_gpus]; /* the cpu, then GPUs by their index */

static size_t place_of(const plan_key *key)
{
    uint64_t hash = 0;
    for (size_t at = 0; at + sizeof hash <= sizeof *key; at += sizeof hash) {
        uint64_t word;
        memcpy(&word, (const char *)key + at, sizeof word);
        hash = (hash ^ word) * 0x9e3779b97f4a7c15u;
        hash ^= hash >> 32;
    }
    return (size_t)hash % places;
}

typedef char whole_words_are_hashed[sizeof(plan_key) % sizeof(uint64_t) == 0 ? 1 : -1];

/** @param place out, of the plan, or where it would be */
static const plan *look_up(const plan_key *key, size_t *place)
{
    const plan *entry;
    *place = place_of(key);
    while ((entry = atomic_load_explicit(&table[*place], memory_order_acquire)) != NULL &&
           memcmp(&entry->key, key, sizeof *key) != 0)
        *place = (*place + 1) % places;
    return entry;
}

static bool open_device(call *c, int32_t index, grkan_device **device)
{
    char selector[32];
    if (index >= most_gpus)
        return call_fail(c, GRKAN_ERROR_UNSUPPORTED, "x lies on GPU %d; expected at most %d", (int)index,
                         most_gpus - 1);
    grkan_device **const kept = &devices[1 + index];
    snprintf(selector, sizeof selector, index < 0 ? "cpu" : "%s:%d", torch_gpu_backend, (int)index);
    const grkan_status status = *kept == NULL ? grkan_device_open(selector, kept) : GRKAN_SUCCESS;
    *device = *kept;
    return status == GRKAN_SUCCESS || call_fail_as_grkan(c, status);
}

static bool make(call *c, const plan_key *key, plan *made)
{
    const grkan_options options = {
        .determinism = key->determinism, .cpu_threads = key->threads, .frozen = key->frozen, .writes_y = key->writes_y};
    if (!open_device(c, key->device_index, &made->device))
        return false;
    const grkan_status status = grkan_plan_create(made->device, &key->operation, &options, &made->handle);
    if (status != GRKAN_SUCCESS)
        return call_fail_as_grkan(c, status);
    memcpy(&made->key, key, sizeof *key);
    made->workspace_bytes = grkan_plan_workspace_bytes(made->handle);
    return true;
}

/** Keep a plan, if there is room for it and memory. */
static void keep(plan *made, size_t place)
{
    plan *const entry = plan_count < most_plans ? malloc(sizeof *entry) : NULL;
    made->is_kept = entry != NULL;
    if (entry == NULL)
        return;
    memcpy(entry, made, sizeof *entry);
    plan_count += 1;
    atomic_store_explicit(&table[place], entry, memory_order_release);
}

bool plans_find(call *c, const plan_key *key, plan *found)
{
    size_t place;
    const plan *entry = look_up(key, &place);
    bool is_made = true;
    if (entry == NULL) {
        grkan_lock_take(&lock);
        entry = look_up(key, &place); /* another thread may have made it */
        if (entry == NULL && (is_made = make(c, key, found)))
            keep(found, place);
        grkan_lock_release(&lock);
    }
    if (entry != NULL)
        memcpy(found, entry, sizeof *found);
    return is_made;
}

void plans_release(const plan *found)
{
    if (!found->is_kept)
        grkan_plan_destroy(found->handle);
}
