/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file standin.h
 * @brief A HIP runtime over the CPU, so that the HIP backend's own code runs where no AMD GPU is. For tests only.
 *
 * The library has the entry points of libamdhip64 and hipRTC that grkan and its tests use. hipRTC compiles a program's
 * text for the host with device.h in front of it, which gives the compiler's builtins for AMD GPUs a meaning there.
 * A block's threads are fibers, which stop at barriers and wave operations only; blocks are shared among a few pthreads,
 * each with a copy of the program, whose static data is the block's shared memory. Everything enqueued waits until
 * somebody synchronises, so a wait that was forgotten shows.
 *
 * What it does not emulate: the instructions, rounding modes and memory model of AMD GPUs (fences are those of the
 * host); registers, occupancy and the limits that follow from them; lanes that a branch switches off (all lanes of a wave
 * must reach a wave operation); streams that overlap (all work runs in the order in which it was enqueued); graphs,
 * managed memory, peers; times mean nothing. A figure taken on it says nothing about any device.
 *
 * Environment: HIP_STANDIN_WAVE is the wave width, 32 or 64 (the default); HIP_STANDIN_VERSION what
 * hipRuntimeGetVersion gives (the headers').
 */
#ifndef HIP_STANDIN_H
#define HIP_STANDIN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <hip/hip_runtime_api.h>

#include "../standin/objects.h"
#include "program.h"

enum { standin_devices = 2, standin_block_limit = 1024, standin_shared_bytes = 65536, standin_most_copies = 8 };

/* runtime.c */

/** Keep an error for hipGetLastError. @return it */
hipError_t standin_error(hipError_t code);

/** Begin an entry point of HIP: return when it shall fail. */
#define ENTRY_POINT(name)                                                                                              \
    do {                                                                                                               \
        const int entry_code = standin_enter(name);                                                                    \
        if (entry_code != 0)                                                                                           \
            return standin_error((hipError_t)entry_code);                                                              \
    } while (0)

/** The name of both devices' architecture. */
const char *standin_architecture(void);
int standin_wave_width(void);

/** The device that a stream belongs to; NULL is the current device's default. -1: no stream. */
int standin_stream_device(hipStream_t stream);

/* queue.c */

/** Enqueue a call of run with a copy of payload. */
hipError_t standin_enqueue(hipError_t (*run)(void *payload), const void *payload, size_t bytes);

/** Run all that was enqueued. @return the first error, once */
hipError_t standin_finish(void);

/* grid.c */

/** A kernel's launch: one dimension of blocks of one dimension. */
typedef struct standin_grid {
    struct standin_program **copies; /**< of the program, standin_copies() of them */
    int kernel;                      /**< index in the program */
    unsigned blocks, block;
    void *const *arguments;
} standin_grid;

/** Copies of a program that its blocks may run on at the same time. */
int standin_copies(void);

hipError_t standin_run_grid(const standin_grid *grid);

#endif
