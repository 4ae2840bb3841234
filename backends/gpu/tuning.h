/* SPDX-License-Identifier: Apache-2.0 */
/** @file tuning.h @brief How passes run best on families of GPUs: what backends put into grkan_device_limits.tune. */
#ifndef GRKAN_TUNING_H
#define GRKAN_TUNING_H

#include "../backend.h"

/** Registers of 32 bits in a multiprocessor of NVIDIA's. */
enum { gpu_nvidia_registers = 65536 };

/** A family's tunings; for storage types of 4 and 8 bytes unless they say otherwise. */
typedef struct gpu_tunings {
    int32_t registers; /**< of 32 bits in a compute unit, of four parts with a quarter each; 0: unknown */
    grkan_tuning forward;
    grkan_tuning forward_16_bit; /**< in vectors of 8 and 16 bytes */
    grkan_tuning forward_norm;   /**< where rows are summed: its blocks wait for each other's threads */
    grkan_tuning backward;
    grkan_tuning backward_16_bit;
    grkan_tuning backward_large;  /**< where a thread's numbers leave no registers for `backward` */
    grkan_tuning backward_narrow; /**< in vectors of less than 16 bytes; 16-bit ones of several groups */
    grkan_tuning backward_norm;   /**< with a norm, whatever the vectors */
    grkan_tuning backward_bias;   /**< 16-bit, with a bias */
} gpu_tunings;

/* For grkan_device_limits.tune. */
grkan_tuning gpu_tune_nvidia(const grkan_pass_shape *shape);
grkan_tuning gpu_tune_amd(const grkan_pass_shape *shape);
grkan_tuning gpu_tune_other(const grkan_pass_shape *shape);

#endif
