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
#include "interface.h"

const grkan_host *gpu_host;
const int64_t gpu_largest_grid = LARGEST_GRID;
const int gpu_uses_pointers = 1;

static int device_total;
static char identity[256];

/** Threads of a block: more would leave too few registers to each. */
enum { most_block = 512 };

struct gpu_module {
    const grkan_backend_device *device; /* closed after all that was loaded on it is unloaded */
    gpu_native_module native;
};

struct gpu_kernel {
    const grkan_backend_device *device;
    gpu_native_kernel native;
};

/** For calls that take back what was made: nobody can do anything about their errors, and nobody shall see them. */
static void forget(rt(Error_t) code)
{
    if (code != rt(Success))
        (void)rt(GetLastError)();
}

/* -------------------------------------------------------------------------------------------------- visits */

/** Calls while a device is current, up to the first that fails. */
typedef struct visit {
    int before;       /* the caller's device, to put back; -1 for nothing */
    const char *call; /* the last one */
    rt(Error_t) code; /* its code */
} visit;

/** A step of a visit, with its name; not made when one before it failed. */
#define STEP(v, name, expression)                                                                                      \
    do {                                                                                                               \
        if ((v)->code == rt(Success)) {                                                                                \
            (v)->call = (name);                                                                                        \
            (v)->code = (expression);                                                                                  \
        }                                                                                                              \
    } while (0)

/** A step that is a call of the runtime: CALL(&v, Free, (base)). */
#define CALL(v, name, arguments) STEP(v, rt_string(#name), rt(name) arguments)

/**
 * Begin a visit. A thread that has never set a device has no context yet, which the calls that load and launch need,
 * though the runtime calls device 0 its current one.
 */
static visit enter(int index)
{
    static _Thread_local int has_context = -1; /* the last device that was set here */
    visit v = {-1, "", rt(Success)};
    int current = 0;
    CALL(&v, GetDevice, (&current));
    if (v.code == rt(Success) && (current != index || has_context != index)) {
        CALL(&v, SetDevice, (index));
        if (v.code == rt(Success)) {
            has_context = index;
            v.before = current != index ? current : -1;
        }
    }
    return v;
}

/** End a visit. @return its status; an error names the call that failed */
static grkan_status leave(visit *v)
{
    const rt(Error_t) code = v->before >= 0 ? rt(SetDevice)(v->before) : rt(Success);
    if (v->code == rt(Success) && code != rt(Success)) {
        v->call = rt_string("SetDevice");
        v->code = code;
    }
    if (v->code == rt(Success))
        return GRKAN_SUCCESS;
    (void)rt(GetLastError)(); /* or the caller's next check would see it */
    return gpu_host->set_error(v->code == rt(ErrorMemoryAllocation) ? GRKAN_ERROR_OUT_OF_MEMORY : GRKAN_ERROR_DEVICE,
                               "%s failed: %s (%d)", v->call, rt(GetErrorString)(v->code), (int)v->code);
}

/* ------------------------------------------------------------------------------------------------- devices */

static grkan_status count_devices(const grkan_host *host, int *count)
{
    gpu_host = host;
    vendor_identity(identity, sizeof identity);
    (void)rt(GetLastError)(); /* versions that could not be had are no error of the caller's */
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
        forget(rt(EventDestroy)(device->start));
    if (device->stop != NULL)
        forget(rt(EventDestroy)(device->stop));
    free(device);
}

static grkan_status open_device(int index, grkan_backend_device **device)
{
    grkan_backend_device *made = calloc(1, sizeof *made);
    if (made == NULL)
        return gpu_host->set_error(GRKAN_ERROR_OUT_OF_MEMORY, "no memory for a %s device", BACKEND_NAME);
    made->index = index;
    visit v = enter(index);
    STEP(&v, rt_string("DeviceGetAttribute"), vendor_starts_early(index, &made->starts_early));
    CALL(&v, EventCreate, (&made->start));
    CALL(&v, EventCreate, (&made->stop));
    const grkan_status status = leave(&v);
    if (status != GRKAN_SUCCESS) {
        close_device(made);
        return status;
    }
    *device = made;
    return GRKAN_SUCCESS;
}

static grkan_device_limits limits_of(int compute_units, int max_block, uint64_t shared_bytes)
{
    return (grkan_device_limits){.compute_units = compute_units,
                                 .tune = device_tune,
                                 .least_elements = 32,
                                 .max_block = max_block < most_block ? max_block : most_block,
                                 .max_vector_bytes = 16,
                                 .last_block_reduces = 1,
                                 .has_async_copies = HAS_ASYNC_COPIES,
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
    visit v = enter(device->index);
    CALL(&v, GetDeviceProperties, (&p, device->index));
    CALL(&v, DriverGetVersion, (&driver));
    CALL(&v, RuntimeGetVersion, (&runtime));
    const grkan_status status = leave(&v);
    if (status != GRKAN_SUCCESS)
        return status;
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

grkan_status gpu_module_load(grkan_backend_device *device, const grkan_plan_data *plan, const grkan_blob *binary,
                             gpu_module **module)
{
    (void)plan;
    gpu_module *made = calloc(1, sizeof *made);
    if (made == NULL)
        return gpu_host->set_error(GRKAN_ERROR_OUT_OF_MEMORY, "no memory for a %s program", BACKEND_NAME);
    made->device = device;
    visit v = enter(device->index);
    STEP(&v, module_string("ModuleLoadData"), module_load(&made->native, binary->data));
    const grkan_status status = leave(&v);
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
        const visit v = enter(module->device->index);
        forget(v.code);
        forget(module_unload(module->native)); /* wherever we are */
        if (v.before >= 0)
            forget(rt(SetDevice)(v.before));
    }
    free(module);
}

grkan_status gpu_kernel_find(gpu_module *module, const char *name, gpu_kernel **kernel)
{
    gpu_kernel *made = calloc(1, sizeof *made);
    if (made == NULL)
        return gpu_host->set_error(GRKAN_ERROR_OUT_OF_MEMORY, "no memory for a %s kernel", BACKEND_NAME);
    made->device = module->device;
    visit v = enter(module->device->index);
    STEP(&v, module_string("ModuleGetFunction"), module_kernel(&made->native, module->native, name));
    const grkan_status status = leave(&v);
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
    visit v = enter(kernel->device->index);
    STEP(&v, module_launch_string,
         module_launch(kernel->native, (unsigned int)launch->blocks, (unsigned int)launch->block, (rt(Stream_t))stream,
                       kernel->device->starts_early, pointers));
    return leave(&v);
}

/* -------------------------------------------------------------------------------------------------- memory */

static void *address(grkan_buffer buffer)
{
    return (char *)buffer.base + buffer.offset;
}

static void release(grkan_backend_device *device, void *base)
{
    (void)device;
    forget(rt(Free)(base));
}

static grkan_status allocate(grkan_backend_device *device, size_t bytes, void **base)
{
    void *made = NULL;
    visit v = enter(device->index);
    CALL(&v, Malloc, (&made, bytes));
    const grkan_status status = leave(&v);
    if (status == GRKAN_SUCCESS)
        *base = made;
    else if (made != NULL)
        release(device, made);
    return status;
}

static grkan_status upload(grkan_backend_device *device, grkan_buffer to, const void *from, size_t bytes)
{
    visit v = enter(device->index);
    CALL(&v, Memcpy, (address(to), from, bytes, rt(MemcpyHostToDevice)));
    return leave(&v);
}

static grkan_status download(grkan_backend_device *device, void *to, grkan_buffer from, size_t bytes)
{
    visit v = enter(device->index);
    CALL(&v, Memcpy, (to, address(from), bytes, rt(MemcpyDeviceToHost)));
    return leave(&v);
}

static grkan_status copy(grkan_backend_device *device, grkan_buffer to, grkan_buffer from, size_t bytes)
{
    visit v = enter(device->index);
    CALL(&v, MemcpyAsync, (address(to), address(from), bytes, rt(MemcpyDeviceToDevice), NULL));
    return leave(&v);
}

static grkan_status synchronize(grkan_backend_device *device)
{
    visit v = enter(device->index);
    CALL(&v, StreamSynchronize, (NULL));
    return leave(&v);
}

static grkan_status timer_start(grkan_backend_device *device)
{
    visit v = enter(device->index);
    CALL(&v, EventRecord, (device->start, NULL));
    return leave(&v);
}

static grkan_status timer_stop(grkan_backend_device *device, double *milliseconds)
{
    float elapsed = 0;
    visit v = enter(device->index);
    CALL(&v, EventRecord, (device->stop, NULL));
    CALL(&v, EventSynchronize, (device->stop));
    CALL(&v, EventElapsedTime, (&elapsed, device->start, device->stop));
    const grkan_status status = leave(&v);
    if (status == GRKAN_SUCCESS)
        *milliseconds = (double)elapsed;
    return status;
}

grkan_status gpu_locate(void *base, uintptr_t *address)
{
    *address = (uintptr_t)base;
    return GRKAN_SUCCESS;
}

GRKAN_API const grkan_backend grkan_backend_table = {
    .interface_hash = GRKAN_INTERFACE,
    .name = BACKEND_NAME,
    .dialect_hash = gpu_dialect_hash,
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
