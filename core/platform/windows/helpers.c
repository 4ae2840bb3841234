/* SPDX-License-Identifier: Apache-2.0 */
/** @file helpers.c @brief Processes beside a program's own: Windows knows no fork, so there are none. */
#include "../platform.h"

grkan_helpers *grkan_helpers_start(int count, bool (*work)(void *context, int number), void *context)
{
    (void)count;
    (void)work;
    (void)context;
    return NULL;
}

bool grkan_helpers_give(grkan_helpers *helpers, int number)
{
    (void)helpers;
    (void)number;
    return false;
}

void grkan_helpers_end(grkan_helpers *helpers)
{
    (void)helpers;
}
