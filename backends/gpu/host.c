/* SPDX-License-Identifier: Apache-2.0 */
/** @file host.c @brief What the core offers, where every file of a module finds it. */
#include "engine.h"

const grkan_host *gpu_host;
