/* SPDX-License-Identifier: Apache-2.0 */
/** @file plans.h @brief The plans of all calls, found without a lock. Devices and plans live as long as the process. */
#ifndef GRKAN_TORCH_PLANS_H
#define GRKAN_TORCH_PLANS_H

#include "call.h"

/** All that tells a plan from another. Its padding is compared, too: begins with memset. */
typedef struct plan_key {
    grkan_operation operation;
    int32_t device_index; /**< of a GPU; -1: the cpu */
    int32_t threads;      /**< of the cpu, at most; 0: as many as grkan takes itself */
    grkan_determinism determinism;
    uint32_t frozen;  /**< as of grkan_options */
    int32_t writes_y; /**< likewise */
} plan_key;

/** A plan that was found, and what it needs. */
typedef struct plan {
    plan_key key;
    grkan_device *device;
    grkan_plan *handle;
    size_t workspace_bytes;
    bool is_kept; /**< false: it was made for this call alone */
} plan;

/**
 * Find a plan, or make it. So many plans are kept as the table has room for (1024); another one is made for its call, which
 * takes microseconds more, since plans that differ in sizes share their kernels.
 * @param found out; plans_release it after the call
 */
bool plans_find(call *c, const plan_key *key, plan *found);

/** Done with a plan. What it enqueued goes on. */
void plans_release(const plan *found);

#endif
