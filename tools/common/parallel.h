/* SPDX-License-Identifier: Apache-2.0 */
/** @file parallel.h @brief Work on the host of which each processor takes a part. */
#ifndef GRKAN_TOOL_PARALLEL_H
#define GRKAN_TOOL_PARALLEL_H

#include <stdint.h>

/** The work for first <= i < end. */
typedef void (*tool_range)(void *context, int64_t first, int64_t end);

/** Cut 0..count - 1 into ranges, one for each processor, and work on all at once. Done when it returns. */
void tool_parallel(int64_t count, tool_range work, void *context);

#endif
