/* SPDX-License-Identifier: Apache-2.0 */
/** @file atomics.h @brief What strategies have that add to gradients atomically: an element's numbers, and zeros to add to. */
#ifndef GRKAN_ATOMICS_H
#define GRKAN_ATOMICS_H

#include "arguments.h"

#if GRKAN_STRATEGY == STRATEGY_ELEMENT
/** What an element adds, straight to the gradients. @param start the sum to begin with */
DEVICE void add_element(const gradients *d, grkan_int64 group, int start, const scalar *sums)
{
    NO_UNROLL
    for (int i = 0; i < FAMILY_SUMS; ++i) {
        const int sum = (start + i) % FAMILY_SUMS;
        int table = 0;
        UNROLL
        for (int k = 1; k < TABLES; ++k)
            table = sum >= first_sum(d->f, k) ? k : table;
        const output o = output_of(d, table, group, sum - first_sum(d->f, table));
        ATOMIC_ADD(gradient_at(d, table, o.position),
                   is_negated(d->f, table, number_at(d, table, o.position)) ? -sums[sum] : sums[sum]);
    }
}
#endif

#if GRKAN_STRATEGY != STRATEGY_TREE
#ifdef LANES
#define WORK_ITEMS 1 /* of a block */
#else
#define WORK_ITEMS GRKAN_BACKWARD_BLOCK
#endif

/** Zero for the gradients that atomics add to. */
KERNEL(GRKAN_BACKWARD_BLOCK, 1)
grkan_clear(TABLE_PARAMETERS(GLOBAL scalar *, gradient), const grkan_launch launch, const grkan_geometry geometry)
{
    GLOBAL scalar *gradients[TABLES];
    TABLE_ARRAY(gradients, gradient);
    STREAM_WAIT();
#define CLEAR(table)                                                                                                   \
    for (grkan_int64 i = (BLOCK_INDEX() + launch.first_block) * WORK_ITEMS + THREAD_INDEX();                           \
         i < geometry.tables[table].numbers; i += (grkan_int64)launch.blocks * WORK_ITEMS)                             \
        OFFSET(gradients[table], launch.gradients[table])[i] = 0;
    EACH_TABLE(CLEAR)
#undef CLEAR
}
#endif

#endif
