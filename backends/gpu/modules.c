/* SPDX-License-Identifier: Apache-2.0 */
/** @file modules.c @brief Modules, their kernels, and launches of those. */
#include <stdlib.h>

#include "calls.h"

const int64_t gpu_largest_grid = LARGEST_GRID;
const int gpu_uses_pointers = 1;

struct gpu_module {
    const grkan_backend_device *device; /* closed after all that was loaded on it is unloaded */
    CUlibrary native;
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
    gpu_calls c = calls_begin(device);
    vendor_load_code(&c, binary->data, &made->native);
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
        gpu_calls c = calls_begin(module->device);
        LAST_CALL(&c, cuLibraryUnload, (module->native)); /* wherever we are */
        calls_end_silently(&c);
    }
    free(module);
}

grkan_status gpu_kernel_find(gpu_module *module, const char *name, int local_bytes, gpu_kernel **kernel)
{
    gpu_kernel *made = calloc(1, sizeof *made);
    if (made == NULL)
        return gpu_host->set_error(GRKAN_ERROR_OUT_OF_MEMORY, "no memory for a %s kernel", BACKEND_NAME);
    made->device = module->device;
    gpu_calls c = calls_begin(module->device);
    CALL(&c, cuLibraryGetKernel, (&made->native.kernel, module->native, name));
    if (local_bytes > 0)
        vendor_allow(&c, module->device, &made->native, local_bytes);
    const grkan_status status = calls_end(&c);
    if (status != GRKAN_SUCCESS) {
        free(made);
        return status;
    }
    *kernel = made;
    return GRKAN_SUCCESS;
}

grkan_status gpu_kernel_prepare(gpu_kernel *kernel)
{
    if (!LOADS_LATE)
        return GRKAN_SUCCESS;
    gpu_calls c = calls_begin(kernel->device);
    vendor_prepare_kernel(&c, &kernel->native);
    return calls_end(&c);
}

void gpu_kernel_release(gpu_kernel *kernel)
{
    free(kernel);
}

grkan_status gpu_launch(gpu_kernel *kernel, const grkan_kernel_launch *launch, void *stream)
{
    void *pointers[gpu_most_arguments];
    for (int i = 0; i < launch->argument_count; ++i)
        pointers[i] = (void *)(uintptr_t)launch->arguments[i].value; /* the drivers' signatures are not const */
    gpu_calls c = calls_begin(kernel->device);
    vendor_launch(&c, kernel->device, &kernel->native, launch, (CUstream)stream, pointers);
    return calls_end(&c);
}

grkan_status gpu_locate(void *base, uintptr_t *address)
{
    *address = (uintptr_t)base;
    return GRKAN_SUCCESS;
}
