/* SPDX-License-Identifier: Apache-2.0 */
/** @file module.c @brief Programs loaded from their code, and launches of their kernels. */
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "code.h"
#include "control.h"
#include "standin.h"

/** One copy: the file, which keeps its number for as long as the loader knows it by that, and the loader's handle. */
typedef struct copy {
    int file;
    void *handle;
} copy;

typedef struct ihipModuleSymbol_t {
    struct ihipModule_t *module;
    int index;
} kernel;

struct ihipModule_t {
    int device;
    copy copies[standin_most_copies];
    struct standin_program *programs[standin_most_copies];
    kernel *kernels;
};

int standin_copies(void)
{
    const long cores = sysconf(_SC_NPROCESSORS_ONLN);
    return cores < 2 ? 2 : cores > standin_most_copies ? standin_most_copies : (int)cores;
}

/* ------------------------------------------------------------------------------------------------- modules */

static struct standin_program *load_copy(const standin_code *code, copy *made)
{
    char path[32];
    made->file = memfd_create("standin_program", MFD_CLOEXEC);
    if (made->file < 0 || write(made->file, code + 1, code->bytes) != (ssize_t)code->bytes)
        return NULL;
    snprintf(path, sizeof path, "/proc/self/fd/%d", made->file);
    made->handle = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    if (made->handle == NULL) {
        fprintf(stderr, "HIP stand-in: a program does not load: %s\n", dlerror());
        return NULL;
    }
    return dlsym(made->handle, "standin_program");
}

static void unload(hipModule_t module)
{
    for (int i = 0; i < standin_copies(); ++i) {
        if (module->copies[i].handle != NULL)
            dlclose(module->copies[i].handle);
        if (module->copies[i].file >= 0)
            close(module->copies[i].file);
    }
    free(module->kernels);
    free(module);
}

static bool load(const standin_code *code, hipModule_t module)
{
    for (int i = 0; i < standin_copies(); ++i)
        if ((module->programs[i] = load_copy(code, &module->copies[i])) == NULL)
            return false;
    const unsigned count = module->programs[0]->kernel_count;
    module->kernels = calloc(count > 0 ? count : 1, sizeof *module->kernels);
    for (unsigned i = 0; module->kernels != NULL && i < count; ++i)
        module->kernels[i] = (kernel){module, (int)i};
    return module->kernels != NULL;
}

STANDIN_API hipError_t hipModuleLoadData(hipModule_t *module, const void *image)
{
    ENTRY_POINT("hipModuleLoadData");
    const standin_code *const code = image;
    if (!standin_code_is_ours(code))
        return standin_error(hipErrorInvalidImage);
    if (strcmp(code->architecture, standin_architecture()) != 0)
        return standin_error(hipErrorNoBinaryForGpu);
    hipModule_t made = calloc(1, sizeof *made);
    if (made == NULL)
        return standin_error(hipErrorOutOfMemory);
    made->device = hip_standin_device();
    for (int i = 0; i < standin_most_copies; ++i)
        made->copies[i].file = -1;
    if (!load(code, made)) {
        unload(made);
        return standin_error(hipErrorInvalidImage);
    }
    standin_add(MODULE, made, sizeof *made, made->device);
    *module = made;
    return hipSuccess;
}

STANDIN_API hipError_t hipModuleUnload(hipModule_t module)
{
    ENTRY_POINT("hipModuleUnload");
    const hipError_t code = standin_finish();
    if (!standin_remove(MODULE, module))
        return standin_error(hipErrorInvalidHandle);
    unload(module);
    return standin_error(code);
}

STANDIN_API hipError_t hipModuleGetFunction(hipFunction_t *function, hipModule_t module, const char *name)
{
    ENTRY_POINT("hipModuleGetFunction");
    if (standin_device_of(MODULE, module, 0) < 0)
        return standin_error(hipErrorInvalidHandle);
    const struct standin_program *const program = module->programs[0];
    for (unsigned i = 0; i < program->kernel_count; ++i) {
        if (strcmp(program->kernels[i].name, name) == 0) {
            *function = &module->kernels[i];
            return hipSuccess;
        }
    }
    return standin_error(hipErrorNotFound);
}

/* ------------------------------------------------------------------------------------------------ launches */

typedef struct launch {
    kernel *function;
    unsigned blocks, block;
    max_align_t arguments[]; /* one behind the other, each aligned */
} launch;

static const struct standin_kernel *described_of(const kernel *function)
{
    return &function->module->programs[0]->kernels[function->index];
}

static size_t room_of(size_t bytes)
{
    return (bytes + sizeof(max_align_t) - 1) / sizeof(max_align_t) * sizeof(max_align_t);
}

static hipError_t run_launch(void *payload)
{
    enum { most_arguments = 64 };
    launch *const l = payload;
    const struct standin_kernel *const described = described_of(l->function);
    void *arguments[most_arguments];
    char *at = (char *)l->arguments;
    for (unsigned i = 0; i < described->count && i < most_arguments; ++i) {
        arguments[i] = at;
        at += room_of(described->bytes[i]);
    }
    const standin_grid grid = {l->function->module->programs, l->function->index, l->blocks, l->block, arguments};
    return standin_run_grid(&grid);
}

/** Copy the arguments, as a launch does before it returns, and enqueue. */
static hipError_t enqueue(kernel *function, unsigned blocks, unsigned block, void **arguments)
{
    const struct standin_kernel *const described = described_of(function);
    size_t bytes = sizeof(launch);
    for (unsigned i = 0; i < described->count; ++i)
        bytes += room_of(described->bytes[i]);
    launch *const made = malloc(bytes);
    if (made == NULL)
        return hipErrorOutOfMemory;
    made->function = function;
    made->blocks = blocks;
    made->block = block;
    char *at = (char *)made->arguments;
    for (unsigned i = 0; i < described->count; ++i) {
        memcpy(at, arguments[i], described->bytes[i]);
        at += room_of(described->bytes[i]);
    }
    const hipError_t code = standin_enqueue(run_launch, made, bytes);
    free(made);
    return code;
}

STANDIN_API hipError_t hipModuleLaunchKernel(hipFunction_t function, unsigned grid_x, unsigned grid_y, unsigned grid_z,
                                             unsigned block_x, unsigned block_y, unsigned block_z, unsigned shared,
                                             hipStream_t stream, void **arguments, void **extra)
{
    ENTRY_POINT("hipModuleLaunchKernel");
    if (standin_device_of(MODULE, function->module, 0) != standin_stream_device(stream))
        return standin_error(hipErrorInvalidHandle);
    /* Threads of a launch are counted in 32 bits, as HIP does. */
    if (grid_x == 0 || block_x == 0 || block_x > described_of(function)->largest_block ||
        (uint64_t)grid_x * block_x > UINT32_MAX)
        return standin_error(hipErrorInvalidConfiguration);
    if (grid_y != 1 || grid_z != 1 || block_y != 1 || block_z != 1 || shared != 0 || arguments == NULL || extra != NULL)
        return standin_error(hipErrorInvalidValue); /* HIP has them; nobody here needs them */
    return standin_error(enqueue(function, grid_x, block_x, arguments));
}
