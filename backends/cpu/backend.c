/* SPDX-License-Identifier: Apache-2.0 */
/** @file backend.c @brief The cpu backend: blocks of a plan shared among OpenMP threads. */
#include <omp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "cpu.h"
#include "interface.h"
#ifdef CPU_HAS_X86
#include <cpuid.h>
#endif

/** A set of instructions, from the plain reference to the widest. */
typedef struct cpu_simd {
    const char *name;
    int lanes; /* of f32 */
    const cpu_kernels *kernels[4];
} cpu_simd;

#define KERNELS_OF(simd)                                                                                               \
    {                                                                                                                  \
        &grkan_cpu_##simd##_0, &grkan_cpu_##simd##_1, &grkan_cpu_##simd##_2, &grkan_cpu_##simd##_3                     \
    }

static const cpu_simd scalar = {"scalar", 1, KERNELS_OF(scalar)};
#ifdef CPU_HAS_X86
static const cpu_simd avx2 = {"avx2", 8, KERNELS_OF(avx2)};
static const cpu_simd avx512 = {"avx512", 16, KERNELS_OF(avx512)};
#else
static const cpu_simd vector = {"vector", 4, KERNELS_OF(vector)};
#endif

#ifdef CPU_HAS_X86
/** Conversions of halves, which not every compiler's __builtin_cpu_supports knows. */
static int has_f16c(void)
{
    unsigned int a, b, c, d;
    return __get_cpuid(1, &a, &b, &c, &d) && (c & bit_F16C) != 0;
}
#endif

static const cpu_simd *find_widest(void)
{
#ifdef CPU_HAS_X86
    if (!has_f16c() || !__builtin_cpu_supports("avx2") || !__builtin_cpu_supports("fma"))
        return &scalar;
    if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512dq") &&
        __builtin_cpu_supports("avx512bw"))
        return &avx512;
    return &avx2;
#else
    return &vector;
#endif
}

struct grkan_backend_device {
    struct timespec timer_start;
};

/** All kernels are part of the library: a plan chooses among them when it runs. */
struct grkan_backend_program {
    char nothing;
};

static const grkan_host *host;
static const cpu_simd *widest; /* that this processor has */

static grkan_status cpu_count(const grkan_host *the_host, int *count)
{
    host = the_host;
    widest = find_widest();
    *count = 1;
    return GRKAN_SUCCESS;
}

static grkan_status cpu_open(int index, grkan_backend_device **device)
{
    (void)index;
    *device = calloc(1, sizeof **device);
    return *device ? GRKAN_SUCCESS : host->set_error(GRKAN_ERROR_OUT_OF_MEMORY, "no memory for the cpu device");
}

static void cpu_close(grkan_backend_device *device)
{
    free(device);
}

/** The processor's name as Linux gives it; "cpu" elsewhere. */
static void read_name(char *name, size_t bytes)
{
    FILE *info = fopen("/proc/cpuinfo", "re");
    char line[256];
    snprintf(name, bytes, "cpu");
    while (info != NULL && fgets(line, sizeof line, info) != NULL) {
        const char *colon = strchr(line, ':');
        if (strncmp(line, "model name", 10) == 0 && colon != NULL) {
            snprintf(name, bytes, "%.*s", (int)strcspn(colon + 2, "\n"), colon + 2);
            break;
        }
    }
    if (info != NULL)
        fclose(info);
}

static uint64_t known_size(long value)
{
    return value > 0 ? (uint64_t)value : 0;
}

static grkan_status cpu_describe(const grkan_backend_device *device, grkan_device_properties *properties,
                                 grkan_device_limits *limits)
{
    (void)device;
    const grkan_tuning whole_rows = {.block = CPU_MOST_THREADS};
    *properties = (grkan_device_properties){
        .selector = "cpu",
        .backend = "cpu",
        .compute_units = omp_get_max_threads(),
        .wave_width = widest->lanes,
        .dtypes = 1u << GRKAN_F32 | 1u << GRKAN_F16 | 1u << GRKAN_BF16 | 1u << GRKAN_F64,
        .has_atomics = 1,
        .is_ieee = 1,
        .memory_bytes = known_size(sysconf(_SC_PHYS_PAGES)) * known_size(sysconf(_SC_PAGESIZE))};
#ifdef _SC_LEVEL3_CACHE_SIZE
    properties->cache_bytes = known_size(sysconf(_SC_LEVEL3_CACHE_SIZE));
#endif
    read_name(properties->name, sizeof properties->name);
    snprintf(properties->driver, sizeof properties->driver, "OpenMP %d, %d threads", _OPENMP, omp_get_max_threads());
    snprintf(properties->architecture, sizeof properties->architecture, "%s", widest->name);
    *limits = (grkan_device_limits){.compute_units = omp_get_max_threads(),
                                    .is_fixed = 1,
                                    .least_elements = 160,
                                    .max_block = CPU_MOST_THREADS,
                                    .tunings = {whole_rows, whole_rows, whole_rows, whole_rows, whole_rows, whole_rows},
                                    .local_bytes = CPU_LOCAL_BYTES};
    return GRKAN_SUCCESS;
}

static grkan_status cpu_load(grkan_backend_device *device, const grkan_plan_data *plan, const grkan_blob *binary,
                             grkan_backend_program **program)
{
    static grkan_backend_program all;
    (void)device;
    (void)plan;
    (void)binary;
    *program = &all;
    return GRKAN_SUCCESS;
}

static void cpu_unload(grkan_backend_program *program)
{
    (void)program;
}

static const cpu_kernels *kernels_of(const grkan_plan_data *plan)
{
    const int plain = plan->options.cpu_simd == GRKAN_CPU_SIMD_OFF || plan->options.strategy == GRKAN_STRATEGY_ELEMENT;
    return (plain ? &scalar : widest)->kernels[plan->operation.dtype];
}

static void *address(grkan_buffer buffer)
{
    return buffer.base == NULL ? NULL : (char *)buffer.base + buffer.offset;
}

static int threads_of(const grkan_plan_data *plan)
{
    return plan->options.cpu_threads > 0 ? plan->options.cpu_threads : omp_get_max_threads();
}

static grkan_status check_stream(const void *stream)
{
    if (stream != NULL)
        return host->set_error(GRKAN_ERROR_INVALID_ARGUMENT, "stream is %p; expected NULL, the cpu has no streams",
                               stream);
    return GRKAN_SUCCESS;
}

/** Run one function for every index, shared among at most `threads`. */
static void run_blocks(int threads, void (*run)(const cpu_job *, int64_t), const cpu_job *job, int64_t count)
{
#pragma omp parallel for schedule(static) num_threads(threads) if (threads > 1 && count > 1)
    for (int64_t i = 0; i < count; ++i)
        run(job, i);
}

/** Threads that are worth waking to combine parts. Other work may have them, and then waking takes a time slice. */
static int combine_threads(const grkan_plan_data *plan)
{
    const size_t worth = (size_t)1 << 18;
    return plan->workspace_bytes < worth ? 1 : threads_of(plan);
}

static grkan_status cpu_forward(grkan_backend_program *program, const grkan_plan_data *plan,
                                const grkan_forward_arguments *arguments, void *stream)
{
    const cpu_job job = {.plan = plan,
                         .x = address(arguments->x),
                         .result = address(arguments->y),
                         .numerator = address(arguments->numerator),
                         .denominator = address(arguments->denominator)};
    (void)program;
    if (check_stream(stream) != GRKAN_SUCCESS)
        return GRKAN_ERROR_INVALID_ARGUMENT;
    run_blocks(threads_of(plan), kernels_of(plan)->forward_block, &job, plan->forward.stripes * plan->forward.spans);
    return GRKAN_SUCCESS;
}

/** Strategies that add atomically start from zero when they overwrite. */
static void clear_gradients(const cpu_job *job)
{
    const grkan_operation *o = &job->plan->operation;
    const size_t bytes = grkan_coefficient_bytes(o->dtype);
    memset(job->dnumerator, 0, (size_t)o->numerator_groups * (size_t)(o->numerator_degree + 1) * bytes);
    if (job->plan->denominator_coefficients > 0)
        memset(job->ddenominator, 0,
               (size_t)o->denominator_groups * (size_t)job->plan->denominator_coefficients * bytes);
}

static grkan_status cpu_backward(grkan_backend_program *program, const grkan_plan_data *plan,
                                 const grkan_backward_arguments *arguments, void *stream)
{
    const cpu_job job = {.plan = plan,
                         .x = address(arguments->x),
                         .dy = address(arguments->dy),
                         .result = address(arguments->dx),
                         .numerator = address(arguments->numerator),
                         .denominator = address(arguments->denominator),
                         .dnumerator = address(arguments->dnumerator),
                         .ddenominator = address(arguments->ddenominator),
                         .workspace = address(arguments->workspace),
                         .add = arguments->accumulation == GRKAN_ADD};
    const cpu_kernels *const kernels = kernels_of(plan);
    (void)program;
    if (check_stream(stream) != GRKAN_SUCCESS)
        return GRKAN_ERROR_INVALID_ARGUMENT;
    if (plan->options.strategy != GRKAN_STRATEGY_TREE && !job.add)
        clear_gradients(&job);
    run_blocks(threads_of(plan), kernels->backward_block, &job, plan->backward.stripes * plan->backward.spans);
    if (plan->options.strategy == GRKAN_STRATEGY_TREE && plan->workspace_bytes > 0)
        run_blocks(combine_threads(plan), kernels->combine_output, &job,
                   (int64_t)plan->backward.numerator_width + plan->backward.denominator_width);
    return GRKAN_SUCCESS;
}

static grkan_status cpu_allocate(grkan_backend_device *device, size_t bytes, void **base)
{
    (void)device;
    const size_t rounded = bytes > SIZE_MAX - 63 ? 0 : (bytes + 63) / 64 * 64;
    *base = rounded ? aligned_alloc(64, rounded) : NULL;
    return *base ? GRKAN_SUCCESS : host->set_error(GRKAN_ERROR_OUT_OF_MEMORY, "no host memory for %zu bytes", bytes);
}

static void cpu_free(grkan_backend_device *device, void *base)
{
    (void)device;
    free(base);
}

static grkan_status cpu_upload(grkan_backend_device *device, grkan_buffer to, const void *from, size_t bytes)
{
    (void)device;
    memcpy(address(to), from, bytes);
    return GRKAN_SUCCESS;
}

static grkan_status cpu_download(grkan_backend_device *device, void *to, grkan_buffer from, size_t bytes)
{
    (void)device;
    memcpy(to, address(from), bytes);
    return GRKAN_SUCCESS;
}

/** With all threads, since it is what a bandwidth is measured with. */
static grkan_status cpu_copy(grkan_backend_device *device, grkan_buffer to, grkan_buffer from, size_t bytes)
{
    (void)device;
    const int64_t piece = 1 << 18;
    const int64_t pieces = ((int64_t)bytes + piece - 1) / piece;
#pragma omp parallel for schedule(static)
    for (int64_t i = 0; i < pieces; ++i) {
        const size_t start = (size_t)(i * piece);
        memcpy((char *)address(to) + start, (const char *)address(from) + start,
               bytes - start < (size_t)piece ? bytes - start : (size_t)piece);
    }
    return GRKAN_SUCCESS;
}

static grkan_status cpu_synchronize(grkan_backend_device *device)
{
    (void)device;
    return GRKAN_SUCCESS;
}

static grkan_status cpu_timer_start(grkan_backend_device *device)
{
    clock_gettime(CLOCK_MONOTONIC, &device->timer_start);
    return GRKAN_SUCCESS;
}

static grkan_status cpu_timer_stop(grkan_backend_device *device, double *milliseconds)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    *milliseconds = (double)(now.tv_sec - device->timer_start.tv_sec) * 1e3 +
                    (double)(now.tv_nsec - device->timer_start.tv_nsec) * 1e-6;
    return GRKAN_SUCCESS;
}

const grkan_backend grkan_cpu_backend = {
    .interface_hash = GRKAN_INTERFACE,
    .name = "cpu",
    .uses_pointers = 1,
    .count = cpu_count,
    .open = cpu_open,
    .close = cpu_close,
    .describe = cpu_describe,
    .load = cpu_load,
    .unload = cpu_unload,
    .forward = cpu_forward,
    .backward = cpu_backward,
    .allocate = cpu_allocate,
    .free = cpu_free,
    .upload = cpu_upload,
    .download = cpu_download,
    .copy = cpu_copy,
    .synchronize = cpu_synchronize,
    .timer_start = cpu_timer_start,
    .timer_stop = cpu_timer_stop,
};
