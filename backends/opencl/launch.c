/* SPDX-License-Identifier: Apache-2.0 */
/** @file launch.c @brief OpenCL's programs, kernels and queues as the engine wants them. */
#include <stdio.h>
#include <stdlib.h>

#include "../../core/platform/platform.h"
#include "../gpu/engine.h"
#include "../gpu/tuning.h"
#include "opencl.h"

const int64_t gpu_largest_grid = INT64_C(1) << 21; /* times 512 threads, a global size that fits 32 bits */
const int gpu_uses_pointers = 0;

struct gpu_module {
    grkan_backend_device *device;
    cl_program program;
};

struct gpu_kernel {
    grkan_backend_device *device;
    cl_kernel kernel;
    grkan_lock lock; /* OpenCL keeps arguments in the kernel: set and enqueue are one step */
};

/**
 * What cuda.c asks of the same assembler: the first level, and a block's share of the registers, since OpenCL has no word
 * for how many groups a compute unit shall hold.
 */
static void nvidia_options(const grkan_plan_data *plan, char options[OPENCL_OPTION_BYTES])
{
    enum { most_registers = 255 }; /* of a thread, on every NVIDIA GPU */
    const int block = plan->backward.columns.block, threads = plan->backward_tuning.occupancy;
    const int registers = gpu_nvidia_registers / (threads > block ? threads / block * block : block) / 8 * 8;
    snprintf(options, OPENCL_OPTION_BYTES, "-cl-nv-opt-level=1 -cl-nv-maxrregcount=%d",
             registers < most_registers ? registers : most_registers);
}

grkan_status gpu_module_load(grkan_backend_device *device, const grkan_plan_data *plan, const grkan_blob *binary,
                             gpu_module **module)
{
    char options[OPENCL_OPTION_BYTES];
    gpu_module *made = calloc(1, sizeof *made);
    if (made == NULL)
        return gpu_host->set_error(GRKAN_ERROR_OUT_OF_MEMORY, "no memory for an OpenCL program");
    made->device = device;
    grkan_status status = opencl_create_program(device, binary, &made->program, options);
    if (status != GRKAN_SUCCESS) {
        free(made);
        return status;
    }
    if (device->ptx_architecture > 0)
        nvidia_options(plan, options);
    const cl_int code = opencl.BuildProgram(made->program, 1, &device->id, options, NULL, NULL);
    if (code != CL_SUCCESS) {
        status = opencl_build_failed(device, made->program, code);
        gpu_module_unload(made);
        return status;
    }
    *module = made;
    return GRKAN_SUCCESS;
}

void gpu_module_unload(gpu_module *module)
{
    opencl.ReleaseProgram(module->program);
    free(module);
}

/**
 * Blocks keep to CL_DEVICE_MAX_WORK_GROUP_SIZE (describe.c). CL_KERNEL_WORK_GROUP_SIZE is not asked: NVIDIA's driver answers
 * less than what the kernel requires (KERNEL in dialect.cl) and runs in. A device that refuses a block for another reason
 * says so when the launch is enqueued.
 */
grkan_status gpu_kernel_find(gpu_module *module, const char *name, int local_bytes, gpu_kernel **kernel)
{
    cl_int code;
    (void)local_bytes;
    gpu_kernel *made = calloc(1, sizeof *made);
    if (made == NULL)
        return gpu_host->set_error(GRKAN_ERROR_OUT_OF_MEMORY, "no memory for an OpenCL kernel");
    made->device = module->device;
    made->kernel = opencl.CreateKernel(module->program, name, &code);
    if (code != CL_SUCCESS) {
        free(made);
        return opencl_failed("clCreateKernel", code);
    }
    grkan_lock_init(&made->lock);
    *kernel = made;
    return GRKAN_SUCCESS;
}

/** OpenCL has no word for that. */
grkan_status gpu_kernel_prepare(gpu_kernel *kernel)
{
    (void)kernel;
    return GRKAN_SUCCESS;
}

void gpu_kernel_release(gpu_kernel *kernel)
{
    if (kernel == NULL)
        return;
    opencl.ReleaseKernel(kernel->kernel);
    grkan_lock_destroy(&kernel->lock);
    free(kernel);
}

static grkan_status set_arguments(cl_kernel kernel, const grkan_kernel_launch *launch)
{
    for (int i = 0; i < launch->argument_count; ++i) {
        const grkan_kernel_argument *argument = &launch->arguments[i];
        const int is_buffer = argument->bytes == 0;
        OPENCL_TRY(SetKernelArg, (kernel, (cl_uint)i, is_buffer ? sizeof(cl_mem) : argument->bytes, argument->value));
    }
    return GRKAN_SUCCESS;
}

/** With the block, which a device may refuse. */
static grkan_status launch_failed(const grkan_kernel_launch *launch, cl_int code)
{
    return gpu_host->set_error(GRKAN_ERROR_DEVICE,
                               "clEnqueueNDRangeKernel failed: %s (%d), of %s in blocks of %d threads",
                               opencl_error_name(code), code, launch->kernel, launch->block);
}

grkan_status gpu_launch(gpu_kernel *kernel, const grkan_kernel_launch *launch, void *stream)
{
    grkan_backend_device *device = kernel->device;
    const size_t local = (size_t)launch->block;
    const size_t global = (size_t)launch->blocks * local;
    const cl_command_queue queue = stream != NULL ? (cl_command_queue)stream : device->queue;
    cl_event *const event = queue == device->queue ? opencl_timer_event(device) : NULL;

    grkan_lock_take(&kernel->lock);
    grkan_status status = set_arguments(kernel->kernel, launch);
    if (status == GRKAN_SUCCESS) {
        const cl_int code =
            opencl.EnqueueNDRangeKernel(queue, kernel->kernel, 1, NULL, &global, &local, 0, NULL, event);
        if (code != CL_SUCCESS)
            status = launch_failed(launch, code);
    }
    grkan_lock_release(&kernel->lock);
    return status;
}

grkan_status gpu_locate(void *base, uintptr_t *address)
{
    return opencl_locate(base, address, NULL);
}
