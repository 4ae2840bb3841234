/* SPDX-License-Identifier: Apache-2.0 */
/** @file cuda.h @brief What the files of CUDA's own folder know of each other. */
#ifndef GRKAN_CUDA_H
#define GRKAN_CUDA_H

/** The driver's version of CUDA, 12040 for 12.4; 0: no driver was found. */
int cuda_driver_version(void);

#endif
