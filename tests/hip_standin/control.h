/* SPDX-License-Identifier: Apache-2.0 */
/** @file control.h @brief What a test asks of the HIP stand-in beside HIP itself. */
#ifndef HIP_STANDIN_CONTROL_H
#define HIP_STANDIN_CONTROL_H

#include "../standin/control.h"

/** This thread's current device; no entry point, so no fault strikes it. */
int hip_standin_device(void);

#endif
