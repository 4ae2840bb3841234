/* SPDX-License-Identifier: Apache-2.0 */
/** @file tuning.h @brief How passes run best on GPUs: what backends put into grkan_device_limits. */
#ifndef GRKAN_TUNING_H
#define GRKAN_TUNING_H

#include "../backend.h"

/** Registers of 32 bits in a multiprocessor of NVIDIA's. */
enum { gpu_nvidia_registers = 65536 };

/** Whose a device is; 0: none that the table of known devices has. */
typedef enum gpu_maker { GPU_NVIDIA = 1, GPU_AMD } gpu_maker;

/** What a device tells of itself; 0 where it does not. */
typedef struct gpu_told {
    gpu_maker maker;
    const char *name;     /**< as the vendor gives it; not NULL */
    int32_t wave;         /**< threads that run in step, or that blocks should have a multiple of */
    int32_t unit_threads; /**< that a compute unit holds at once */
    int32_t is_processor; /**< 1: a block is one work-item */
} gpu_told;

/**
 * Set what depends on how a device runs best: tune, tunings, known, registers. They follow from what it tells; those of a
 * device that was measured, or of its maker, stand beside them.
 */
void gpu_set_tunings(const gpu_told *told, grkan_device_limits *limits);

#endif
