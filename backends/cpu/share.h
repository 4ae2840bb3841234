/* SPDX-License-Identifier: Apache-2.0 */
/** @file share.h @brief A loop shared among threads: the pool's, or those of the caller's own pool. */
#ifndef GRKAN_CPU_SHARE_H
#define GRKAN_CPU_SHARE_H

#include "../backend.h"

/** One turn of a loop. */
typedef void (*cpu_turn)(const void *context, int64_t index);

/** A loop: turn(context, i) for each i of 0..count - 1, in any order. */
typedef struct cpu_loop {
    cpu_turn turn;
    const void *context;
    int64_t count;
} cpu_loop;

/**
 * Run a loop on at most so many threads, the calling one among them. All of its arithmetic is done in the default
 * floating-point environment, whatever that of the threads is; what it raises is added to the flags of the calling
 * thread, and those of the others stay as they are.
 * @param options NULL: the library's own pool
 */
void cpu_share(const cpu_loop *loop, int threads, const grkan_options *options);

#endif
