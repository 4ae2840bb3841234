/* SPDX-License-Identifier: Apache-2.0 */
/** @file modules.c @brief Modules, their kernels, and launches of those. */
#include <stdlib.h>

#include "calls.h"

const int64_t gpu_largest_grid = LARGEST_GRID;
const int gpu_uses_pointers = 1;

struct gpu_module {
    const grkan_backend_device *device; /* closed after all that was loaded on it is unloaded */
    gpu_native_module native;
};

struct gpu_kernel {
    const grkan_backend_device *device;
    gpu_native_kernel native;
};

grkan_status gpu_module_load(grkan_backend_device *device, const grkan_plan_data *plan, const grkan_blob *binary,
                             gpu_module **module)
{
    (void)plan;
    gpu_module *made = calloc(1, sizeof *made);
    if (made == NULL)
        return gpu_host->set_error(GRKAN_ERROR_OUT_OF_MEMORY, "no memory for a %s program", BACKEND_NAME);
    made->device = device;
    gpu_calls c = calls_begin(device->index);
    NAMED_CALL(&c, module_string("ModuleLoadData"), module_load(&made->native, binary->data));
    const grkan_status status = calls_end(&c);
    if (status != GRKAN_SUCCESS) {
        gpu_module_unload(made);
        return status;
    }
    *module = made;
    return GRKAN_SUCCESS;
}

void gpu_module_unload(gpu_module *module)
{
    if (module->native != NULL) {
        const gpu_calls c = calls_begin(module->device->index);
        calls_forget(c.code);
        calls_forget(module_unload(module->native)); /* wherever we are */
        if (c.before >= 0)
            calls_forget(rt(SetDevice)(c.before));
    }
    free(module);
}

grkan_status gpu_kernel_find(gpu_module *module, const char *name, gpu_kernel **kernel)
{
    gpu_kernel *made = calloc(1, sizeof *made);
    if (made == NULL)
        return gpu_host->set_error(GRKAN_ERROR_OUT_OF_MEMORY, "no memory for a %s kernel", BACKEND_NAME);
    made->device = module->device;
    gpu_calls c = calls_begin(module->device->index);
    NAMED_CALL(&c, module_string("ModuleGetFunction"), module_kernel(&made->native, module->native, name));
    const grkan_status status = calls_end(&c);
    if (status != GRKAN_SUCCESS) {
        free(made);
        return status;
    }
    *kernel = made;
    return GRKAN_SUCCESS;
}

void gpu_kernel_release(gpu_kernel *kernel)
{
    free(kernel);
}

grkan_status gpu_launch(gpu_kernel *kernel, const grkan_kernel_launch *launch, void *stream)
{
    void *pointers[gpu_most_arguments];
    for (int i = 0; i < launch->argument_count; ++i)
        pointers[i] = (void *)(uintptr_t)launch->arguments[i].value; /* the runtimes' signatures are not const */
    gpu_calls c = calls_begin(kernel->device->index);
    NAMED_CALL(&c, module_launch_string,
               module_launch(kernel->native, (unsigned int)launch->blocks, (unsigned int)launch->block,
                             (rt(Stream_t))stream, kernel->device->starts_early, pointers));
    return calls_end(&c);
}

grkan_status gpu_locate(void *base, uintptr_t *address)
{
    *address = (uintptr_t)base;
    return GRKAN_SUCCESS;
}
