/* SPDX-License-Identifier: Apache-2.0 */
/** @file hip.h @brief What the files of HIP's own folder know of each other. */
#ifndef GRKAN_HIP_H
#define GRKAN_HIP_H

#include "../gpu/runtime.h"

/* Where ROCm is installed: see gpu_library_search. */
extern const char *const hip_homes[], *const hip_home_folders[], *const hip_folders[];

/** hipRTC ends the process for an architecture that its compiler does not know; comgr just says so. */
grkan_status hip_check_architecture(const char *architecture);

#endif
