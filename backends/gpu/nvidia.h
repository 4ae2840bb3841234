/* SPDX-License-Identifier: Apache-2.0 */
/** @file nvidia.h @brief NVIDIA's GPUs, for CUDA and for OpenCL on them. */
#ifndef GRKAN_NVIDIA_H
#define GRKAN_NVIDIA_H

#include "../backend.h"

/** Of 32 bits, in a multiprocessor. */
enum { nvidia_registers = 65536 };

/** Measured on an H200, see docs/notebook/nvidia.md. */
static const grkan_tunings nvidia_tunings = {
    .forward = {.block = 384, .threads = 1152, .rounds = 24, .ahead = 1, .step = 8},
    .forward_16_bit = {.block = 384, .threads = 1152, .rounds = 6, .ahead = 1, .step = 16},
    .backward = {.block = 480, .threads = 960, .rounds = 1, .ahead = 1, .step = 4, .narrowest = 1536},
    .backward_16_bit = {.block = 384, .threads = 384, .rounds = 1, .ahead = 2, .step = 8},
    .backward_large = {.block = 384, .threads = 768, .rounds = 1, .ahead = 1, .step = 8},
    .backward_narrow = {.block = 384, .threads = 512, .rounds = 1, .ahead = 1, .step = 8}};

#endif
