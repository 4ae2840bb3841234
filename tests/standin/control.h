/* SPDX-License-Identifier: Apache-2.0 */
/** @file control.h @brief What a test asks of a stand-in beside what the runtime has. */
#ifndef STANDIN_CONTROL_H
#define STANDIN_CONTROL_H

/** The nth call from now on of an entry point (NULL: of any) fails with a code and does nothing. nth 0: none does. */
void standin_fail(const char *entry_point, int nth, int code);

/** Entry points that were called since the process began, in order; NULL past the last. */
const char *standin_called(int index);

/** What was created and not destroyed, as "2 memory, 1 event"; "" if there is nothing. Valid until the next call. */
const char *standin_alive(void);

#endif
