/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file engine.h
 * @brief What the GPU backends share: a plan run on a vendor's runtime.
 *
 * The engine knows the operation and no vendor; a vendor's file knows its runtime and no operation. A module is both
 * linked together: the vendor defines the functions of the second half and puts those of the first into its table.
 */
#ifndef GRKAN_ENGINE_H
#define GRKAN_ENGINE_H

#include "../../core/platform/platform.h"
#include "../backend.h"

/* ----------------------------------------------------------------------------------------- done by the engine */

grkan_status gpu_load(grkan_backend_device *device, const grkan_plan_data *plan, const grkan_blob *binary,
                      grkan_backend_program **program);
void gpu_unload(grkan_backend_program *program);
grkan_status gpu_prepare(grkan_backend_program *program, const grkan_plan_data *plan);
grkan_status gpu_forward(grkan_backend_program *program, const grkan_plan_data *plan, const grkan_call *call,
                         void *stream);
grkan_status gpu_backward(grkan_backend_program *program, const grkan_plan_data *plan, const grkan_call *call,
                          void *stream);
grkan_status gpu_list_launches(const grkan_plan_data *plan, grkan_launch_listener listener, void *context);

/* ----------------------------------------------------------------------------------------- done by the vendor */

typedef struct gpu_module gpu_module;
typedef struct gpu_kernel gpu_kernel;

/** What the core offers: host.c has it, the vendor's count sets it. */
extern const grkan_host *gpu_host;

/** Whether a buffer's base is an address, as in the vendor's table. */
extern const int gpu_uses_pointers;

/** Where a base that is no address lies, as the vendor's table has it; of an address, the address. */
grkan_status gpu_locate(void *base, uintptr_t *address);

/** Blocks that one launch may have. */
extern const int64_t gpu_largest_grid;

/** Load a compiled program. */
grkan_status gpu_module_load(grkan_backend_device *device, const grkan_plan_data *plan, const grkan_blob *binary,
                             gpu_module **module);
void gpu_module_unload(gpu_module *module);

/** A kernel of a module. It lives as long as the module, but has a destructor for what a vendor keeps with it.
    @param local_bytes that its launches ask for: 0 where limits have no launch_local_bytes */
grkan_status gpu_kernel_find(gpu_module *module, const char *name, int local_bytes, gpu_kernel **kernel);
void gpu_kernel_release(gpu_kernel *kernel);

/** Have a kernel ready where the caller is now: a launch that is captured into a graph should have nothing to load. */
grkan_status gpu_kernel_prepare(gpu_kernel *kernel);

/** Arguments of a kernel, at most. */
enum { gpu_most_arguments = 10 + 2 * GRKAN_MOST_TABLES };

/** Enqueue a launch on stream, NULL for the device's default. The value of a buffer is where its base is. */
grkan_status gpu_launch(gpu_kernel *kernel, const grkan_kernel_launch *launch, void *stream);

#endif
