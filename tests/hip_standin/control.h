/* SPDX-License-Identifier: Apache-2.0 */
/** @file control.h @brief What a test asks of the HIP stand-in beside HIP itself. */
#ifndef HIP_STANDIN_CONTROL_H
#define HIP_STANDIN_CONTROL_H

/** The nth call from now on of an entry point (NULL: of any) fails with a code and does nothing. nth 0: none does. */
void hip_standin_fail(const char *entry_point, int nth, int code);

/** Entry points that were called since the process began, in order; NULL past the last. */
const char *hip_standin_called(int index);

/** This thread's current device; no entry point, so no fault strikes it. */
int hip_standin_device(void);

/** What was created and not destroyed, as "2 memory, 1 event"; "" if there is nothing. Valid until the next call. */
const char *hip_standin_alive(void);

#endif
