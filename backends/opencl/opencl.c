/* SPDX-License-Identifier: Apache-2.0 */
/** @file opencl.c @brief OpenCL as the engine wants it: contexts, queues, programs, launches, events. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../../core/platform/platform.h"
#include "../gpu/engine.h"
#include "../gpu/nvidia.h"
#include "interface.h"
#include "opencl.h"
#include "opencl_dialect.h"

const grkan_host *gpu_host;
const int64_t gpu_largest_grid = INT64_C(1) << 21; /* times 512 threads, a global size that fits 32 bits */

struct gpu_module {
    grkan_backend_device *device;
    cl_program program;
};

struct gpu_kernel {
    grkan_backend_device *device;
    cl_kernel kernel;
    grkan_lock lock; /* OpenCL keeps arguments in the kernel: set and enqueue are one step */
};

/* ------------------------------------------------------------------------------------------------ programs */

static const char *cl_identity(const grkan_backend_device *device)
{
    return device->identity;
}

/** The compiler's log as the error's text. */
static grkan_status compile_error(grkan_backend_device *device, cl_program program, cl_int code)
{
    size_t bytes = 0;
    clGetProgramBuildInfo(program, device->id, CL_PROGRAM_BUILD_LOG, 0, NULL, &bytes);
    char *log = calloc(1, bytes + 1);
    if (log != NULL && bytes > 0)
        clGetProgramBuildInfo(program, device->id, CL_PROGRAM_BUILD_LOG, bytes, log, NULL);
    const grkan_status status = gpu_host->set_error(GRKAN_ERROR_COMPILE, "clBuildProgram failed: %s (%d)\n%s",
                                                    opencl_error_name(code), code, log != NULL ? log : "");
    free(log);
    return status;
}

/** The place of a device among `count` of a program: all of its context's, built for or not. */
static grkan_status find_place(cl_program program, cl_device_id id, size_t count, size_t *place)
{
    cl_device_id *const ids = calloc(count, sizeof *ids);
    if (ids == NULL)
        return gpu_host->set_error(GRKAN_ERROR_OUT_OF_MEMORY, "no memory for %zu devices", count);
    const cl_int code = clGetProgramInfo(program, CL_PROGRAM_DEVICES, count * sizeof *ids, ids, NULL);
    for (*place = 0; *place < count && ids[*place] != id;)
        ++*place;
    free(ids);
    if (code != CL_SUCCESS)
        return opencl_failed("clGetProgramInfo", code);
    if (*place == count)
        return gpu_host->set_error(GRKAN_ERROR_DEVICE, "the device is none of the %zu of its program", count);
    return GRKAN_SUCCESS;
}

/** The binaries of all devices of a program, one behind the other, of which one is wanted: some runtimes write to NULL. */
static grkan_status read_binary_at(cl_program program, size_t count, size_t place, size_t *sizes,
                                   unsigned char **binaries, grkan_blob *binary)
{
    size_t all = 0, before = 0;
    OPENCL_TRY(clGetProgramInfo(program, CL_PROGRAM_BINARY_SIZES, count * sizeof *sizes, sizes, NULL));
    for (size_t i = 0; i < count; all += sizes[i++])
        if (i == place)
            before = all;
    unsigned char *const data = malloc(all > 0 ? all : 1);
    if (data == NULL)
        return gpu_host->set_error(GRKAN_ERROR_OUT_OF_MEMORY, "no memory for programs of %zu bytes", all);
    binaries[0] = data;
    for (size_t i = 1; i < count; ++i)
        binaries[i] = binaries[i - 1] + sizes[i - 1];
    const cl_int code = clGetProgramInfo(program, CL_PROGRAM_BINARIES, count * sizeof *binaries, binaries, NULL);
    if (code != CL_SUCCESS) {
        free(data);
        return opencl_failed("clGetProgramInfo", code);
    }
    memmove(data, data + before, sizes[place]);
    *binary = (grkan_blob){data, sizes[place]};
    return GRKAN_SUCCESS;
}

/** Some runtimes (PoCL) have only the devices that were built for among the binaries: one, then. */
static grkan_status read_binary(const grkan_backend_device *device, cl_program program, grkan_blob *binary)
{
    size_t bytes = 0, place = 0;
    OPENCL_TRY(clGetProgramInfo(program, CL_PROGRAM_BINARY_SIZES, 0, NULL, &bytes));
    const size_t count = bytes / sizeof(size_t);
    grkan_status status = count == 1 ? GRKAN_SUCCESS : find_place(program, device->id, count, &place);
    if (status != GRKAN_SUCCESS)
        return status;
    size_t *const sizes = calloc(count, sizeof *sizes);
    unsigned char **const binaries = calloc(count, sizeof *binaries);
    status = sizes == NULL || binaries == NULL
                 ? gpu_host->set_error(GRKAN_ERROR_OUT_OF_MEMORY, "no memory for %zu devices", count)
                 : read_binary_at(program, count, place, sizes, binaries, binary);
    free(sizes);
    free(binaries);
    return status;
}

static grkan_status cl_compile(grkan_backend_device *device, const grkan_compile_request *request, grkan_blob *binary,
                               grkan_compiler_report *report)
{
    (void)report; /* OpenCL has no words for it */
    char options[1024], ptx[64] = "";
    const char *sources[] = {opencl_dialect, request->source};
    cl_int code;
    const cl_program program = clCreateProgramWithSource(device->context, 2, sources, NULL, &code);
    if (code != CL_SUCCESS)
        return opencl_failed("clCreateProgramWithSource", code);
    if (device->ptx_architecture > 0)
        snprintf(ptx, sizeof ptx, " -DPTX_ARCHITECTURE=%d", device->ptx_architecture);
    snprintf(options, sizeof options, OPENCL_OPTIONS " %s%s%s", request->definitions,
             request->is_ieee ? " -cl-fp32-correctly-rounded-divide-sqrt" : "", ptx);
    code = clBuildProgram(program, 1, &device->id, options, NULL, NULL);
    const grkan_status status =
        code == CL_SUCCESS ? read_binary(device, program, binary) : compile_error(device, program, code);
    clReleaseProgram(program);
    return status;
}

/**
 * What cuda.c asks of the same assembler: the first level, and a block's share of the registers, since OpenCL has no word
 * for how many groups a compute unit shall hold.
 */
static void load_options(const grkan_backend_device *device, const grkan_plan_data *plan, char *options, size_t bytes)
{
    enum { most_registers = 255 }; /* of a thread, on every NVIDIA GPU */
    const int block = plan->backward.block, threads = plan->backward_tuning.threads;
    const int registers = nvidia_registers / (threads > block ? threads / block * block : block) / 8 * 8;
    options[0] = '\0';
    if (device->ptx_architecture > 0)
        snprintf(options, bytes, "-cl-nv-opt-level=1 -cl-nv-maxrregcount=%d",
                 registers < most_registers ? registers : most_registers);
}

grkan_status gpu_module_load(grkan_backend_device *device, const grkan_plan_data *plan, const grkan_blob *binary,
                             gpu_module **module)
{
    char options[64];
    const unsigned char *data = binary->data;
    cl_int code, of_device;
    gpu_module *made = calloc(1, sizeof *made);
    if (made == NULL)
        return gpu_host->set_error(GRKAN_ERROR_OUT_OF_MEMORY, "no memory for an OpenCL program");
    made->device = device;
    made->program =
        clCreateProgramWithBinary(device->context, 1, &device->id, &binary->bytes, &data, &of_device, &code);
    if (code != CL_SUCCESS) {
        free(made);
        return opencl_failed("clCreateProgramWithBinary", code);
    }
    load_options(device, plan, options, sizeof options);
    code = clBuildProgram(made->program, 1, &device->id, options, NULL, NULL);
    if (code != CL_SUCCESS) {
        const grkan_status status = compile_error(device, made->program, code);
        gpu_module_unload(made);
        return status;
    }
    *module = made;
    return GRKAN_SUCCESS;
}

void gpu_module_unload(gpu_module *module)
{
    clReleaseProgram(module->program);
    free(module);
}

/**
 * CL_KERNEL_WORK_GROUP_SIZE is not asked: NVIDIA's driver answers less than what the kernel requires (KERNEL in dialect.cl)
 * and runs in. Blocks keep to CL_DEVICE_MAX_WORK_GROUP_SIZE, and what a device refuses yet, it refuses when it is enqueued.
 */
grkan_status gpu_kernel_find(gpu_module *module, const char *name, gpu_kernel **kernel)
{
    cl_int code;
    gpu_kernel *made = calloc(1, sizeof *made);
    if (made == NULL)
        return gpu_host->set_error(GRKAN_ERROR_OUT_OF_MEMORY, "no memory for an OpenCL kernel");
    made->device = module->device;
    made->kernel = clCreateKernel(module->program, name, &code);
    if (code != CL_SUCCESS) {
        free(made);
        return opencl_failed("clCreateKernel", code);
    }
    grkan_lock_init(&made->lock);
    *kernel = made;
    return GRKAN_SUCCESS;
}

void gpu_kernel_release(gpu_kernel *kernel)
{
    if (kernel == NULL)
        return;
    clReleaseKernel(kernel->kernel);
    grkan_lock_destroy(&kernel->lock);
    free(kernel);
}

static grkan_status set_arguments(cl_kernel kernel, const grkan_kernel_launch *launch)
{
    for (int i = 0; i < launch->argument_count; ++i) {
        const grkan_kernel_argument *argument = &launch->arguments[i];
        const int is_buffer = argument->bytes == 0;
        OPENCL_TRY(clSetKernelArg(kernel, (cl_uint)i, is_buffer ? sizeof(cl_mem) : argument->bytes, argument->value));
    }
    return GRKAN_SUCCESS;
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
        const cl_int code = clEnqueueNDRangeKernel(queue, kernel->kernel, 1, NULL, &global, &local, 0, NULL, event);
        if (code != CL_SUCCESS)
            status = opencl_failed("clEnqueueNDRangeKernel", code);
    }
    grkan_lock_release(&kernel->lock);
    return status;
}

/* -------------------------------------------------------------------------------------------------- memory */

static cl_mem memory_of(grkan_buffer buffer)
{
    return (cl_mem)buffer.base;
}

static grkan_status cl_allocate(grkan_backend_device *device, size_t bytes, void **base)
{
    cl_int code;
    *base = clCreateBuffer(device->context, CL_MEM_READ_WRITE, bytes, NULL, &code);
    return code == CL_SUCCESS ? GRKAN_SUCCESS : opencl_failed("clCreateBuffer", code);
}

static void cl_free(grkan_backend_device *device, void *base)
{
    (void)device;
    clReleaseMemObject((cl_mem)base);
}

static grkan_status cl_upload(grkan_backend_device *device, grkan_buffer to, const void *from, size_t bytes)
{
    OPENCL_TRY(clEnqueueWriteBuffer(device->queue, memory_of(to), CL_TRUE, to.offset, bytes, from, 0, NULL, NULL));
    return GRKAN_SUCCESS;
}

static grkan_status cl_download(grkan_backend_device *device, void *to, grkan_buffer from, size_t bytes)
{
    OPENCL_TRY(clEnqueueReadBuffer(device->queue, memory_of(from), CL_TRUE, from.offset, bytes, to, 0, NULL, NULL));
    return GRKAN_SUCCESS;
}

static grkan_status cl_copy(grkan_backend_device *device, grkan_buffer to, grkan_buffer from, size_t bytes)
{
    OPENCL_TRY(clEnqueueCopyBuffer(device->queue, memory_of(from), memory_of(to), from.offset, to.offset, bytes, 0,
                                   NULL, opencl_timer_event(device)));
    return GRKAN_SUCCESS;
}

static grkan_status cl_synchronize(grkan_backend_device *device)
{
    OPENCL_TRY(clFinish(device->queue));
    return GRKAN_SUCCESS;
}

GRKAN_API const grkan_backend grkan_backend_table = {
    .interface_hash = GRKAN_INTERFACE,
    .name = "opencl",
    .dialect_hash = opencl_dialect_hash,
    .count = opencl_count,
    .resolve = opencl_resolve,
    .open = opencl_open,
    .open_native = opencl_open_native,
    .close = opencl_close,
    .describe = opencl_describe,
    .locate = opencl_locate,
    .check_stream = opencl_check_stream,
    .identity = cl_identity,
    .compile = cl_compile,
    .load = gpu_load,
    .unload = gpu_unload,
    .forward = gpu_forward,
    .backward = gpu_backward,
    .allocate = cl_allocate,
    .free = cl_free,
    .upload = cl_upload,
    .download = cl_download,
    .copy = cl_copy,
    .synchronize = cl_synchronize,
    .timer_start = opencl_timer_start,
    .timer_stop = opencl_timer_stop,
};
