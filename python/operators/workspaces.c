/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file workspaces.c
 * @brief A list of workspaces that only grows, so that looking for one takes no lock. Clearing one at each call took the host
 * a twentieth of forward and backward, and more of a prologue's, which may have several MiB.
 */
#include "workspaces.h"

#include <stdlib.h>

#include "../../core/platform/platform.h"

enum {
    least_bytes = 1 << 20, /* of one that is kept: all that plans without a prologue need */
    most_bytes = 32 << 20, /* likewise; clearing a larger one takes no time beside its call */
    most_kept = 256
};

/** CUDA's and ROCm's handle for a default stream that each thread has its own of. */
#define PER_THREAD_STREAM ((void *)2)

typedef struct kept_workspace {
    int32_t device_index; /* as of plan_key */
    void *stream;
    size_t bytes; /**< a power of two */
    void *base;
    atomic_bool in_use;
} kept_workspace;

static kept_workspace kept[most_kept];
static atomic_int kept_count;
static grkan_lock lock = GRKAN_LOCK_INIT; /* for those that add one */

static kept_workspace *look_up(const plan *p, const void *stream)
{
    const int count = atomic_load_explicit(&kept_count, memory_order_acquire);
    for (int i = 0; i < count; ++i)
        if (kept[i].stream == stream && kept[i].device_index == p->key.device_index &&
            kept[i].bytes >= p->workspace_bytes)
            return &kept[i];
    return NULL;
}

/** @return NULL if there is no memory; then there is none for this stream yet */
static void *make_cleared(grkan_device *device, size_t bytes)
{
    void *const zeros = calloc(1, bytes);
    void *base = NULL;
    if (zeros != NULL && grkan_memory_allocate(device, bytes, &base) == GRKAN_SUCCESS &&
        grkan_memory_upload(device, (grkan_buffer){base, 0}, zeros, bytes) != GRKAN_SUCCESS) {
        grkan_memory_free(device, base);
        base = NULL;
    }
    free(zeros);
    return base;
}

/** Powers of two, so that a stream has few of them, whatever the sizes that its plans need. */
static size_t bytes_for(const plan *p)
{
    size_t bytes = least_bytes;
    while (bytes < p->workspace_bytes)
        bytes *= 2;
    return bytes;
}

static kept_workspace *add(const plan *p, void *stream)
{
    grkan_lock_take(&lock);
    const int count = atomic_load_explicit(&kept_count, memory_order_relaxed);
    kept_workspace *found = look_up(p, stream); /* another thread may have added it */
    void *const base = found == NULL && count < most_kept ? make_cleared(p->device, bytes_for(p)) : NULL;
    if (base != NULL) {
        found = &kept[count];
        found->device_index = p->key.device_index;
        found->stream = stream;
        found->bytes = bytes_for(p);
        found->base = base;
        atomic_store_explicit(&kept_count, count + 1, memory_order_release);
    }
    grkan_lock_release(&lock);
    return found;
}

/** Whether a graph may be captured: if nobody can tell, it may. */
static bool may_be_captured(const plan *p, void *stream)
{
    int status = 0;
    if (p->key.device_index < 0)
        return false;
    if (torch.cudaStreamIsCapturing != NULL)
        return torch.cudaStreamIsCapturing(stream, &status) != 0 || status != 0;
    return torch.hipStreamIsCapturing == NULL || torch.hipStreamIsCapturing(stream, &status) != 0 || status != 0;
}

static bool take_kept(const plan *p, void *stream, workspace *taken)
{
    if (p->workspace_bytes > most_bytes || stream == PER_THREAD_STREAM || may_be_captured(p, stream))
        return false;
    kept_workspace *found = look_up(p, stream);
    if (found == NULL)
        found = add(p, stream);
    if (found == NULL || atomic_exchange_explicit(&found->in_use, true, memory_order_acquire))
        return false;
    *taken = (workspace){found->base, &found->in_use};
    return true;
}

bool workspaces_take(call *c, const plan *p, const tensor *x, void *stream, workspace *taken)
{
    const int64_t size = (int64_t)p->workspace_bytes, stride = 1;
    tensor made;
    *taken = (workspace){NULL, NULL};
    if (size == 0 || take_kept(p, stream, taken))
        return true;
    if (!call_make(c, 1, &size, &stride, torch_number.uint8, x, &made) || !TORCH(c, aoti_torch_zero_, made.handle))
        return false;
    taken->base = made.data;
    return true;
}

void workspaces_give(const workspace *taken)
{
    if (taken->in_use != NULL)
        atomic_store_explicit(taken->in_use, false, memory_order_release);
}
