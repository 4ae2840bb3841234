/* SPDX-License-Identifier: Apache-2.0 */
/** @file workspaces.h @brief Workspaces of backward calls: kept for each stream where that is safe, of PyTorch's otherwise. */
#ifndef GRKAN_TORCH_WORKSPACES_H
#define GRKAN_TORCH_WORKSPACES_H

#include <stdatomic.h>

#include "plans.h"

/** A call's workspace. */
typedef struct workspace {
    void *base;          /**< NULL: the plan needs none */
    atomic_bool *in_use; /**< of one that is kept; else NULL */
} workspace;

/**
 * Take a workspace for a call. Calls of a stream run one after the other, so that they share one: it is grkan's own memory,
 * made and cleared at the first call of its stream that needs so much. Where a graph is being captured, another thread has it, or none can
 * be kept, the call gets one from PyTorch's allocator, which is cleared on the stream: a graph owns its memory then, and
 * its replays share nothing with other calls.
 * @param x lies on the device; its stream is `stream`
 */
bool workspaces_take(call *c, const plan *p, const tensor *x, void *stream, workspace *taken);

/** Give it back, once the call is enqueued. After one that failed it is not, since it may hold anything. */
void workspaces_give(const workspace *taken);

#endif
