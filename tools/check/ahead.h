/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file ahead.h
 * @brief Kernels for a check, compiled on all processors.
 *
 * Nearly all of a first check's time is the vendor's compiler's, which works on one processor. So while the check goes through
 * its cases, other processes run one case of each program, from the last one to the first, and leave the kernels in the
 * caches, where the check finds them. What they find out is nobody's concern: what is reported is the check's own.
 */
#ifndef GRKAN_CHECK_AHEAD_H
#define GRKAN_CHECK_AHEAD_H

#include "cases.h"

typedef struct check_ahead check_ahead;

/**
 * Start the processes, which wait. No device is open yet: a vendor's library does not survive a fork.
 * @param selectors [devices], of devices to come, NULL for the default one; valid until the end, likewise tables
 * @param tables    [count], in the order in which the check goes through them
 * @return NULL: none, as there is one processor or one program, or no cache for what they make
 */
check_ahead *check_ahead_start(const char *const *selectors, int devices, const check_table *tables, int count);

/** A device has been opened, and has kernels: compile for it, too. A device that takes one process alone has this one. */
void check_ahead_compile(check_ahead *ahead, int device);

/** End the processes, wherever they are. @param ahead NULL: none */
void check_ahead_end(check_ahead *ahead);

#endif
