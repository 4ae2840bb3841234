/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file ceilings.c
 * @brief What a device reaches at best, measured once and kept: in the device, and in the cache of compiled kernels.
 *
 * Each kind of kernels (storage type, strategy, determinism, on processors how blocks lie in rows, and on the cpu
 * threads and instructions) has ceilings of its own. docs/study.md shows how well they predict.
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <pthread.h>

#include "internal.h"

/* One measurement at a time: devices share a host, and a stopwatch has one user. */
static pthread_mutex_t measuring = PTHREAD_MUTEX_INITIALIZER;

/** Values under a key, newest first. */
struct grkan_memo {
    grkan_memo *next;
    grkan_cache_key key;
    double values[GRKAN_CEILING_VALUES];
};

void grkan_ceilings_forget(grkan_device *device)
{
    while (device->memos != NULL) {
        grkan_memo *const next = device->memos->next;
        free(device->memos);
        device->memos = next;
    }
}

static bool recall(const grkan_device *device, const grkan_cache_key *key, double *values)
{
    grkan_blob blob = {NULL, 0};
    for (const grkan_memo *m = device->memos; m != NULL; m = m->next) {
        if (strcmp(m->key.text, key->text) == 0) {
            memcpy(values, m->values, sizeof m->values);
            return true;
        }
    }
    bool is_found = grkan_cache_load(key, &blob) && blob.bytes == sizeof(double[GRKAN_CEILING_VALUES]);
    if (is_found)
        memcpy(values, blob.data, blob.bytes);
    for (int i = 0; is_found && i < GRKAN_CEILING_VALUES; ++i)
        is_found = isfinite(values[i]) && values[i] >= 0.0;
    free(blob.data);
    return is_found;
}

static void keep(grkan_device *device, const grkan_cache_key *key, double *values)
{
    const grkan_blob blob = {values, sizeof(double[GRKAN_CEILING_VALUES])};
    grkan_memo *const memo = malloc(sizeof *memo);
    grkan_cache_store(key, &blob);
    if (memo == NULL)
        return;
    memo->key = *key;
    memcpy(memo->values, values, blob.bytes);
    memo->next = device->memos;
    device->memos = memo;
}

/** What was measured before, or what is measured now. kind is NULL for what all kernels share. */
static grkan_status find(grkan_device *device, const char *what, const grkan_plan_data *kind, grkan_measurement take,
                         double values[GRKAN_CEILING_VALUES])
{
    const grkan_device_properties *p = &device->properties;
    char units[16], text[80] = "";
    grkan_cache_key program = {""};
    snprintf(units, sizeof units, "%d", p->compute_units);
    if (kind != NULL) {
        program = grkan_plan_key(device, kind);
        snprintf(text, sizeof text, "%d %d %d %d %lld", (int)kind->operation.dtype, (int)kind->options.strategy,
                 kind->options.cpu_threads, (int)kind->options.cpu_simd, (long long)kind->operation.channels);
    }
    const char *const parts[] = {"ceilings", what, p->selector,  p->name,       p->driver,
                                 units,      text, program.text, grkan_commit()};
    const grkan_cache_key key = grkan_cache_key_of(parts, sizeof parts / sizeof *parts);
    grkan_status status = GRKAN_SUCCESS;
    if (!recall(device, &key, values)) {
        memset(values, 0, sizeof(double[GRKAN_CEILING_VALUES]));
        status = take(device, kind, values);
        if (status == GRKAN_SUCCESS)
            keep(device, &key, values);
    }
    return status;
}

/** The ceilings of one pass, 0 for forward: of a layer whose blocks lie in rows as this pass's do. */
static grkan_status find_pass(grkan_device *device, const grkan_plan_data *plan, int pass, grkan_ceilings *c)
{
    const grkan_operation o = grkan_standard_operation(device, plan, pass);
    const bool is_standard = plan->repeats == 1 &&
                             grkan_element_flops(&o, 0) == grkan_element_flops(&plan->operation, 0) &&
                             grkan_element_flops(&o, 1) == grkan_element_flops(&plan->operation, 1);
    double values[GRKAN_CEILING_VALUES], flops[GRKAN_CEILING_VALUES] = {0};
    grkan_plan_data kind = {0};
    grkan_status status = grkan_plan_outline(device, &o, &plan->options, &kind);
    if (status == GRKAN_SUCCESS)
        status = find(device, "kind", &kind, grkan_measure_kind, values);
    if (status == GRKAN_SUCCESS && !is_standard && plan->options.strategy != GRKAN_STRATEGY_ELEMENT)
        status = find(device, "flops", &kind, grkan_measure_flops, flops);
    if (status != GRKAN_SUCCESS)
        return status;
    c->launch_seconds[pass] = values[3 * pass];
    c->block_seconds[pass] = values[3 * pass + 1];
    c->element_seconds[pass] = values[3 * pass + 2];
    c->flop_seconds[pass] = flops[pass];
    return GRKAN_SUCCESS;
}

grkan_status grkan_ceilings_find(grkan_device *device, const grkan_plan_data *plan, grkan_ceilings *c)
{
    double copy[GRKAN_CEILING_VALUES];
    pthread_mutex_lock(&measuring);
    grkan_status status = find(device, "copy", NULL, grkan_measure_copy, copy);
    if (status == GRKAN_SUCCESS)
        c->byte_seconds = copy[0];
    for (int pass = 0; pass < 2 && status == GRKAN_SUCCESS; ++pass)
        status = find_pass(device, plan, pass, c);
    pthread_mutex_unlock(&measuring);
    return status;
}
