/* SPDX-License-Identifier: Apache-2.0 */
/** @file progress.h @brief A progress bar for a person who watches; nothing when stderr is not a terminal. */
#ifndef GRKAN_PROGRESS_H
#define GRKAN_PROGRESS_H

#include <stddef.h>

/** Show that done of total steps are over and that `label` comes next, in place of what was shown before. */
void progress_show(size_t done, size_t total, const char *label);

/** Take the bar away, before other text is printed. */
void progress_clear(void);

#endif
