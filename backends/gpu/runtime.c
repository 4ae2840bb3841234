/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file runtime.c
 * @brief Devices, modules, launches, memory and events of CUDA and HIP, whose runtimes differ in names only.
 *
 * Compiled once for each with the names.h of that vendor's folder. Works on the primary context, so that a program's
 * own pointers and streams are used as they are; the caller's current device is always put back.
 */
#include <stdlib.h>
#include <string.h>

#include "runtime.h"
#include "gpu_dialect.h"

const grkan_host *gpu_host;
const int gpu_last_block_combines = 1;
const int64_t gpu_largest_grid = LARGEST_GRID;

static int device_total;
static char identity[128];

/** Threads of a block: more would leave too few registers to each. */
enum { most_block = 512 };

struct gpu_module {
    int index;
    gpu_native_module native;
};

struct gpu_kernel {
    int index;
    gpu_native_kernel native;
};

/** A call of the runtime's name, without its arguments and without the macro around it. */
grkan_status runtime_failed(const char *call, rt(Error_t) code)
{
    const int is_macro = strncmp(call, "rt(", 3) == 0;
    const char *name = is_macro ? call + 3 : call;
    const grkan_status status = code == rt(ErrorMemoryAllocation) ? GRKAN_ERROR_OUT_OF_MEMORY : GRKAN_ERROR_DEVICE;
    (void)rt(GetLastError)(); /* or the caller's next check would see it */
    return gpu_host->set_error(status, "%s%.*s failed: %s (%d)", is_macro ? rt_string("") : "",
                               (int)strcspn(name, "()"), name, rt(GetErrorString)(code), (int)code);
}

/**
 * Make a device current. A thread that has never set a device has no context yet, which the calls that load and launch
 * need, though the runtime calls device 0 its current one.
 * @param before out: what to put back, -1 for nothing
 */
static rt(Error_t) enter(int index, int *before)
{
    static _Thread_local int has_context = -1; /* the last device that was set here */
    int current = 0;
    *before = -1;
    rt(Error_t) code = rt(GetDevice)(&current);
    if (code == rt(Success) && (current != index || has_context != index)) {
        code = rt(SetDevice)(index);
        has_context = index;
        if (code == rt(Success) && current != index)
            *before = current;
    }
    return code;
}

static void leave(int before)
{
    if (before >= 0)
        (void)rt(SetDevice)(before);
}

/* ------------------------------------------------------------------------------------------------- devices */

static grkan_status count_devices(const grkan_host *host, int *count)
{
    gpu_host = host;
    vendor_identity(identity, sizeof identity);
    const rt(Error_t) code = rt(GetDeviceCount)(&device_total);
    if (code != rt(Success) || device_total == 0) {
        device_total = 0;
        (void)rt(GetLastError)();
        return host->set_error(GRKAN_ERROR_NO_DEVICE, "no device: %sGetDeviceCount says %s (%d)", rt_string(""),
                               rt(GetErrorString)(code), (int)code);
    }
    *count = device_total;
    return vendor_start();
}

static void close_device(grkan_backend_device *device)
{
    if (device->start != NULL)
        (void)rt(EventDestroy)(device->start);
    if (device->stop != NULL)
        (void)rt(EventDestroy)(device->stop);
    free(device);
}

static grkan_status open_device(int index, grkan_backend_device **device)
{
    int before;
    grkan_backend_device *made = calloc(1, sizeof *made);
    if (made == NULL)
        return gpu_host->set_error(GRKAN_ERROR_OUT_OF_MEMORY, "no memory for a %s device", BACKEND_NAME);
    made->index = index;
    rt(Error_t) code = enter(index, &before);
    if (code == rt(Success))
        code = rt(EventCreate)(&made->start);
    if (code == rt(Success))
        code = rt(EventCreate)(&made->stop);
    leave(before);
    if (code != rt(Success)) {
        close_device(made);
        return runtime_failed("rt(EventCreate)", code);
    }
    *device = made;
    return GRKAN_SUCCESS;
}

static grkan_device_limits limits_of(int compute_units, int max_block, uint64_t shared_bytes)
{
    return (grkan_device_limits){.compute_units = compute_units,
                                 .forward = {forward_tuning[0], forward_tuning[1]},
                                 .backward = {backward_tuning[0], backward_tuning[1]},
                                 .least_elements = 32,
                                 .max_block = max_block < most_block ? max_block : most_block,
                                 .preferred_block = 384,
                                 .max_vector_bytes = 16,
                                 .local_bytes = shared_bytes};
}

/** Whatever the architecture: the vendor's compiler is the one to know its names. */
static grkan_status assume_device(const char *architecture, grkan_device_limits *limits)
{
    (void)architecture;
    *limits = limits_of(1, most_block, vendor_shared_bytes);
    return GRKAN_SUCCESS;
}

static grkan_status describe_device(const grkan_backend_device *device, grkan_device_properties *properties,
                                    grkan_device_limits *limits)
{
    gpu_device_properties p;
    int driver = 0, runtime = 0;
    RUNTIME_TRY(rt(GetDeviceProperties)(&p, device->index));
    RUNTIME_TRY(rt(DriverGetVersion)(&driver));
    RUNTIME_TRY(rt(RuntimeGetVersion)(&runtime));
    *properties =
        (grkan_device_properties){.backend = BACKEND_NAME,
                                  .compute_units = p.multiProcessorCount,
                                  .wave_width = p.warpSize,
                                  .is_gpu = 1,
                                  .dtypes = 1u << GRKAN_F32 | 1u << GRKAN_F16 | 1u << GRKAN_BF16 | 1u << GRKAN_F64,
                                  .has_atomics = 1,
                                  .is_ieee = 1,
                                  .memory_bytes = p.totalGlobalMem,
                                  .cache_bytes = (uint64_t)p.l2CacheSize};
    snprintf(properties->selector, sizeof properties->selector, "%s:%d", BACKEND_NAME, device->index);
    snprintf(properties->name, sizeof properties->name, "%.*s", (int)sizeof properties->name - 1, p.name);
    snprintf(properties->driver, sizeof properties->driver, "driver %d, runtime %d", driver, runtime);
    architecture_of(&p, properties->architecture, sizeof properties->architecture);
    *limits = limits_of(p.multiProcessorCount, p.maxThreadsPerBlock, p.sharedMemPerBlock);
    return GRKAN_SUCCESS;
}

static const char *identity_of(const grkan_backend_device *device)
{
    (void)device;
    return identity;
}

/* ------------------------------------------------------------------------------------------------ programs */

static grkan_status compile(grkan_backend_device *device, const grkan_compile_request *request, grkan_blob *binary,
                            grkan_compiler_report *report)
{
    const size_t dialect = sizeof gpu_dialect - 1;
    char *source = malloc(dialect + strlen(request->source) + 1);
    if (source == NULL)
        return gpu_host->set_error(GRKAN_ERROR_OUT_OF_MEMORY, "no memory for the kernels' source");
    memcpy(source, gpu_dialect, dialect);
    strcpy(source + dialect, request->source);
    const grkan_status status = request->compiler != NULL ? outside_compile(source, request, binary, report)
                                                          : rtc_compile(device, source, request, binary, report);
    free(source);
    return status;
}

grkan_status gpu_module_load(grkan_backend_device *device, const grkan_blob *binary, gpu_module **module)
{
    int before;
    gpu_module *made = calloc(1, sizeof *made);
    if (made == NULL)
        return gpu_host->set_error(GRKAN_ERROR_OUT_OF_MEMORY, "no memory for a %s program", BACKEND_NAME);
    made->index = device->index;
    rt(Error_t) code = enter(device->index, &before);
    if (code == rt(Success))
        code = module_load(&made->native, binary->data);
    leave(before);
    if (code != rt(Success)) {
        free(made);
        return runtime_failed("ModuleLoadData", code);
    }
    *module = made;
    return GRKAN_SUCCESS;
}

void gpu_module_unload(gpu_module *module)
{
    int before;
    if (enter(module->index, &before) == rt(Success))
        (void)module_unload(module->native);
    leave(before);
    free(module);
}

grkan_status gpu_kernel_find(gpu_module *module, const char *name, gpu_kernel **kernel)
{
    int before;
    gpu_kernel *made = calloc(1, sizeof *made);
    if (made == NULL)
        return gpu_host->set_error(GRKAN_ERROR_OUT_OF_MEMORY, "no memory for a %s kernel", BACKEND_NAME);
    made->index = module->index;
    rt(Error_t) code = enter(module->index, &before);
    if (code == rt(Success))
        code = module_kernel(&made->native, module->native, name);
    leave(before);
    if (code != rt(Success)) {
        free(made);
        return runtime_failed("ModuleGetFunction", code);
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
    int before;
    for (int i = 0; i < launch->argument_count; ++i)
        pointers[i] = (void *)(uintptr_t)launch->arguments[i].value; /* the runtimes' signatures are not const */
    rt(Error_t) code = enter(kernel->index, &before);
    if (code == rt(Success))
        code = module_launch(kernel->native, (unsigned int)launch->blocks, (unsigned int)launch->block,
                             (rt(Stream_t))stream, pointers);
    leave(before);
    return code == rt(Success) ? GRKAN_SUCCESS : runtime_failed("LaunchKernel", code);
}

/* -------------------------------------------------------------------------------------------------- memory */

static void *address(grkan_buffer buffer)
{
    return (char *)buffer.base + buffer.offset;
}

static grkan_status allocate(grkan_backend_device *device, size_t bytes, void **base)
{
    int before;
    rt(Error_t) code = enter(device->index, &before);
    if (code == rt(Success))
        code = rt(Malloc)(base, bytes);
    leave(before);
    return code == rt(Success) ? GRKAN_SUCCESS : runtime_failed("rt(Malloc)", code);
}

static void release(grkan_backend_device *device, void *base)
{
    (void)device;
    (void)rt(Free)(base);
}

static grkan_status upload(grkan_backend_device *device, grkan_buffer to, const void *from, size_t bytes)
{
    (void)device;
    RUNTIME_TRY(rt(Memcpy)(address(to), from, bytes, rt(MemcpyHostToDevice)));
    return GRKAN_SUCCESS;
}

static grkan_status download(grkan_backend_device *device, void *to, grkan_buffer from, size_t bytes)
{
    (void)device;
    RUNTIME_TRY(rt(Memcpy)(to, address(from), bytes, rt(MemcpyDeviceToHost)));
    return GRKAN_SUCCESS;
}

/** A call on the default stream of a device. */
#define ON_DEVICE(device, call)                                                                                        \
    do {                                                                                                               \
        int before;                                                                                                    \
        rt(Error_t) code = enter((device)->index, &before);                                                            \
        if (code == rt(Success))                                                                                       \
            code = (call);                                                                                             \
        leave(before);                                                                                                 \
        if (code != rt(Success))                                                                                       \
            return runtime_failed(#call, code);                                                                        \
    } while (0)

static grkan_status copy(grkan_backend_device *device, grkan_buffer to, grkan_buffer from, size_t bytes)
{
    ON_DEVICE(device, rt(MemcpyAsync)(address(to), address(from), bytes, rt(MemcpyDeviceToDevice), NULL));
    return GRKAN_SUCCESS;
}

static grkan_status synchronize(grkan_backend_device *device)
{
    ON_DEVICE(device, rt(StreamSynchronize)(NULL));
    return GRKAN_SUCCESS;
}

static grkan_status timer_start(grkan_backend_device *device)
{
    ON_DEVICE(device, rt(EventRecord)(device->start, NULL));
    return GRKAN_SUCCESS;
}

static grkan_status timer_stop(grkan_backend_device *device, double *milliseconds)
{
    float elapsed = 0;
    ON_DEVICE(device, rt(EventRecord)(device->stop, NULL));
    RUNTIME_TRY(rt(EventSynchronize)(device->stop));
    RUNTIME_TRY(rt(EventElapsedTime)(&elapsed, device->start, device->stop));
    *milliseconds = (double)elapsed;
    return GRKAN_SUCCESS;
}

GRKAN_API const grkan_backend grkan_backend_table = {
    .struct_size = sizeof(grkan_backend),
    .api_version = GRKAN_BACKEND_API_VERSION,
    .name = BACKEND_NAME,
    .dialect = gpu_dialect,
    .uses_pointers = 1,
    .count = count_devices,
    .open = open_device,
    .close = close_device,
    .describe = describe_device,
    .identity = identity_of,
    .assume = assume_device,
    .compile = compile,
    .load = gpu_load,
    .unload = gpu_unload,
    .forward = gpu_forward,
    .backward = gpu_backward,
    .list_launches = gpu_list_launches,
    .allocate = allocate,
    .free = release,
    .upload = upload,
    .download = download,
    .copy = copy,
    .synchronize = synchronize,
    .timer_start = timer_start,
    .timer_stop = timer_stop,
};
