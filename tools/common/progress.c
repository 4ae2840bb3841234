/* SPDX-License-Identifier: Apache-2.0 */
/** @file progress.c @brief A progress bar for a person who watches; nothing when stderr is not a terminal. */
#include <stdio.h>

#include "../../core/platform/platform.h"
#include "progress.h"

enum { BAR_WIDTH = 30 };

#define ERASE_LINE "\r\033[K"

void progress_show(size_t done, size_t total, const char *label)
{
    if (!grkan_is_terminal(stderr) || total == 0)
        return;
    char bar[BAR_WIDTH + 1];
    for (size_t i = 0; i < BAR_WIDTH; i++)
        bar[i] = i * total < done * BAR_WIDTH ? '#' : '.';
    bar[BAR_WIDTH] = '\0';
    fprintf(stderr, ERASE_LINE "[%s] %zu/%zu  %.40s", bar, done, total, label);
    fflush(stderr);
}

void progress_clear(void)
{
    if (grkan_is_terminal(stderr))
        fputs(ERASE_LINE, stderr);
}
