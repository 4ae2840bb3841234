/* SPDX-License-Identifier: Apache-2.0 */
/** @file on_cpu.h @brief A group of tests that have the cpu: what opens it before the first, and closes it after the last. */
#ifndef ON_CPU_H
#define ON_CPU_H

#include <grkan/grkan.h>

static grkan_device *cpu;

static inline int open_cpu(void **state)
{
    (void)state;
    return grkan_device_open("cpu", &cpu);
}

static inline int close_cpu(void **state)
{
    (void)state;
    grkan_device_close(cpu);
    return 0;
}

#endif
