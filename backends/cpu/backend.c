/* SPDX-License-Identifier: Apache-2.0 */
/** @file backend.c @brief The cpu backend: blocks of a plan shared among threads. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cpu.h"
#include "interface.h"
#include "share.h"
#include "../../core/platform/platform.h"
#ifdef CPU_HAS_X86
#include <cpuid.h>
#endif

/** A set of instructions, from the plain reference to the widest. */
typedef struct cpu_simd {
    const char *name;
    int lanes;                     /* of f32 */
    const cpu_kernels *with_float; /* whose arithmetic is f32: of all storage types but f64 */
    const cpu_kernels *with_double;
} cpu_simd;

#define KERNELS_OF(simd) &grkan_cpu_##simd##_float, &grkan_cpu_##simd##_double

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

/** All kernels are part of the library: a plan chooses among them when it runs. */
struct grkan_backend_program {
    int threads; /* of plans that say nothing else */
    const cpu_simd *simd;
    cpu_scratches *scratches;
};

struct grkan_backend_device {
    double timer_start; /* milliseconds */
    grkan_backend_program all;
};

static const grkan_host *host;
static const cpu_simd *widest; /* that this processor has */

#define SIMD_VARIABLE "GRKAN_CPU_SIMD"

/** What the environment may name, and the names. */
#ifdef CPU_HAS_X86
static const cpu_simd *const known_simds[] = {&scalar, &avx2, &avx512};
#define SIMD_NAMES "scalar, avx2 or avx512"
#else
static const cpu_simd *const known_simds[] = {&scalar, &vector};
#define SIMD_NAMES "scalar or vector"
#endif

/** The widest instructions of this processor, or narrower ones, if the environment asks for those. */
static grkan_status find_simd(const cpu_simd **simd)
{
    const char *const text = grkan_environment(SIMD_VARIABLE);
    *simd = widest;
    if (text == NULL || text[0] == '\0')
        return GRKAN_SUCCESS;
    for (size_t i = 0; i < sizeof known_simds / sizeof known_simds[0]; ++i) {
        if (strcmp(text, known_simds[i]->name) != 0)
            continue;
        if (known_simds[i]->lanes < widest->lanes)
            *simd = known_simds[i];
        return GRKAN_SUCCESS;
    }
    return host->set_error(GRKAN_ERROR_INVALID_ARGUMENT, "the environment's %s is \"%s\"; expected %s", SIMD_VARIABLE,
                           text, SIMD_NAMES);
}

static grkan_status cpu_count(const grkan_host *the_host, int *count)
{
    host = the_host;
    widest = find_widest();
    *count = 1;
    return GRKAN_SUCCESS;
}

#define THREADS_VARIABLE "GRKAN_CPU_THREADS"
enum { most_threads = 1024 };

/** Threads of plans that say nothing: the environment's, else one for each processor that this process may use. */
static grkan_status find_threads(int *threads)
{
    const char *const text = grkan_environment(THREADS_VARIABLE);
    if (text == NULL || text[0] == '\0') {
        const int processors = grkan_processors();
        *threads = processors < most_threads ? processors : most_threads;
        return GRKAN_SUCCESS;
    }
    const size_t digits = strspn(text, "0123456789");
    errno = 0;
    const long value = strtol(text, NULL, 10);
    if (digits == 0 || text[digits] != '\0' || errno != 0 || value < 1 || value > most_threads)
        return host->set_error(GRKAN_ERROR_INVALID_ARGUMENT, "the environment's %s is \"%s\"; expected 1 to %d",
                               THREADS_VARIABLE, text, (int)most_threads);
    *threads = (int)value;
    return GRKAN_SUCCESS;
}

static grkan_status cpu_open(int index, grkan_backend_device **device)
{
    const int processors = grkan_processors();
    int threads = 1;
    const cpu_simd *simd = NULL;
    grkan_status status;
    (void)index;
    if ((status = find_threads(&threads)) != GRKAN_SUCCESS || (status = find_simd(&simd)) != GRKAN_SUCCESS)
        return status;
    grkan_backend_device *const made = calloc(1, sizeof *made);
    if (made == NULL)
        return host->set_error(GRKAN_ERROR_OUT_OF_MEMORY, "no memory for the cpu device");
    made->all.threads = threads;
    made->all.simd = simd;
    made->all.scratches = cpu_scratches_create(threads < processors ? threads : processors);
    grkan_pool_hold();
    *device = made;
    return GRKAN_SUCCESS;
}

static void cpu_close(grkan_backend_device *device)
{
    grkan_pool_release();
    cpu_scratches_destroy(device->all.scratches);
    free(device);
}

/** Blocks of whole rows, whatever the shape. */
static grkan_tuning whole_rows(const grkan_device_limits *limits, const grkan_pass_shape *shape)
{
    (void)limits, (void)shape;
    return (grkan_tuning){.block = CPU_MOST_THREADS};
}

static grkan_status cpu_describe(const grkan_backend_device *device, grkan_device_properties *properties,
                                 grkan_device_limits *limits)
{
    const int threads = device->all.threads;
    *properties =
        (grkan_device_properties){.selector = "cpu",
                                  .backend = "cpu",
                                  .compute_units = threads,
                                  .wave_width = device->all.simd->lanes,
                                  .dtypes = 1u << GRKAN_F32 | 1u << GRKAN_F16 | 1u << GRKAN_BF16 | 1u << GRKAN_F64,
                                  .has_atomics = 1,
                                  .is_ieee = 1,
                                  .memory_bytes = grkan_memory_bytes(),
                                  .cache_bytes = grkan_cache_bytes()};
    if (!grkan_processor_name(properties->name, sizeof properties->name))
        snprintf(properties->name, sizeof properties->name, "cpu");
    snprintf(properties->driver, sizeof properties->driver, "%d thread%s", threads, threads == 1 ? "" : "s");
    snprintf(properties->architecture, sizeof properties->architecture, "%s", device->all.simd->name);
    *limits = (grkan_device_limits){.compute_units = threads,
                                    .is_fixed = 1,
                                    .least_elements = 160,
                                    .max_block = CPU_MOST_THREADS,
                                    .max_row_block = CPU_MOST_THREADS,
                                    .tune = whole_rows,
                                    .local_bytes = CPU_LOCAL_BYTES};
    return GRKAN_SUCCESS;
}

static int threads_of(const grkan_backend_program *program, const grkan_plan_data *plan)
{
    return plan->options.cpu_threads > 0 ? plan->options.cpu_threads : program->threads;
}

static grkan_status cpu_load(grkan_backend_device *device, const grkan_plan_data *plan, const grkan_blob *binary,
                             grkan_backend_program **program)
{
    (void)plan;
    (void)binary;
    *program = &device->all;
    return GRKAN_SUCCESS;
}

static void cpu_unload(grkan_backend_program *program)
{
    (void)program;
}

static int64_t blocks_of(const grkan_geometry *g)
{
    return (int64_t)g->rows.splits * g->columns.tiles;
}

/**
 * Rows of a turn of what takes rows as wholes: enough that finding the coefficients of their columns counts little, but some
 * turns for each thread.
 */
static int turn_rows(const grkan_operation *o, int threads)
{
    enum { turns_of_thread = 4, least_rows = 4 };
    const int64_t most = o->channels <= 1024 ? CPU_MOST_TURN_ROWS : 8;
    const int64_t wanted = o->outer / ((int64_t)threads * turns_of_thread);
    return (int)(wanted > most ? most : wanted < least_rows ? least_rows : wanted);
}

static int64_t row_turns(const grkan_operation *o, int threads)
{
    const int rows = turn_rows(o, threads);
    return (o->outer + rows - 1) / rows;
}

static int64_t most_turns(const grkan_plan_data *plan, int threads)
{
    const grkan_operation *const o = &plan->operation;
    const int64_t forward = cpu_has_norm(o) ? row_turns(o, threads) : blocks_of(&plan->forward);
    const int64_t backward = blocks_of(&plan->backward);
    return forward > backward ? forward : backward;
}

/** Forward and backward start no thread, so those that they share their blocks with are started here. */
static grkan_status cpu_prepare(grkan_backend_program *program, const grkan_plan_data *plan)
{
    const int threads = threads_of(program, plan);
    const int64_t turns = most_turns(plan, threads);
    if (plan->options.cpu_parallel_for == NULL)
        grkan_pool_grow((turns < threads ? (int)turns : threads) - 1);
    return GRKAN_SUCCESS; /* with fewer threads, too */
}

static const cpu_kernels *kernels_of(const grkan_backend_program *program, const grkan_plan_data *plan)
{
    const int plain = plan->options.cpu_simd == GRKAN_CPU_SIMD_OFF || plan->options.strategy == GRKAN_STRATEGY_ELEMENT;
    const cpu_simd *const simd = plain ? &scalar : program->simd;
    return plan->operation.dtype == GRKAN_F64 ? simd->with_double : simd->with_float;
}

static void *address(grkan_buffer buffer)
{
    return buffer.base == NULL ? NULL : (char *)buffer.base + buffer.offset;
}

static grkan_status check_stream(const void *stream)
{
    if (stream != NULL)
        return host->set_error(GRKAN_ERROR_INVALID_ARGUMENT, "stream is %p; expected NULL, the cpu has no streams",
                               stream);
    return GRKAN_SUCCESS;
}

/** What the turns of a pass do. */
typedef struct kernel_call {
    void (*run)(const cpu_job *job, int64_t index);
    const cpu_job *job;
} kernel_call;

static void run_kernel(const void *context, int64_t index)
{
    const kernel_call *const call = context;
    call->run(call->job, index);
}

/** Run one function for every index, shared among at most `threads`. */
static void run_blocks(int threads, void (*run)(const cpu_job *, int64_t), const cpu_job *job, int64_t count)
{
    const kernel_call call = {run, job};
    const cpu_loop loop = {run_kernel, &call, count};
    cpu_share(&loop, threads, &job->plan->options);
}

/** Threads that are worth waking to add up partials. Other work may have them, and then waking takes a time slice. */
static int reduction_threads(const grkan_backend_program *program, const grkan_plan_data *plan)
{
    const size_t worth = (size_t)1 << 18;
    return plan->workspace_bytes < worth ? 1 : threads_of(program, plan);
}

static cpu_tensor tensor_of(grkan_buffer buffer, grkan_dtype dtype)
{
    return (cpu_tensor){address(buffer), dtype, (int)grkan_dtype_bytes(dtype)};
}

static size_t numbers_of(const grkan_table *table)
{
    return (size_t)table->rows * (size_t)table->width;
}

/** @param result the type of y, or dx */
static cpu_job job_of(const grkan_backend_program *program, const grkan_plan_data *plan, const grkan_call *call,
                      grkan_dtype result)
{
    static _Atomic uint64_t calls;
    cpu_job job = {.plan = plan,
                   .call = atomic_fetch_add_explicit(&calls, 1, memory_order_relaxed) + 1,
                   .scratches = program->scratches,
                   .x = tensor_of(call->x, plan->operation.dtype),
                   .dy = tensor_of(call->dy, grkan_operation_output_dtype(&plan->operation)),
                   .result = tensor_of(call->result, result),
                   .y = tensor_of(call->y, grkan_operation_output_dtype(&plan->operation)),
                   .workspace = address(call->workspace),
                   .add = call->add,
                   .mean = address(call->mean),
                   .rstd = address(call->rstd),
                   .turn_rows =
                       cpu_has_norm(&plan->operation) ? turn_rows(&plan->operation, threads_of(program, plan)) : 0};
    for (int table = 0; table < plan->table_count; ++table) {
        job.tables[table] = address(call->tables[table]);
        if ((plan->options.frozen >> table & 1) == 0 && numbers_of(&plan->tables[table]) > 0)
            job.gradients[table] = address(call->gradients[table]);
    }
    if (!plan->options.writes_y)
        job.y.first = NULL;
    return job;
}

static grkan_status cpu_forward(grkan_backend_program *program, const grkan_plan_data *plan, const grkan_call *call,
                                void *stream)
{
    const cpu_job job = job_of(program, plan, call, grkan_operation_output_dtype(&plan->operation));
    if (check_stream(stream) != GRKAN_SUCCESS)
        return GRKAN_ERROR_INVALID_ARGUMENT;
    if (cpu_has_norm(&plan->operation))
        run_blocks(threads_of(program, plan), kernels_of(program, plan)->forward_rows, &job,
                   row_turns(&plan->operation, threads_of(program, plan)));
    else
        run_blocks(threads_of(program, plan), kernels_of(program, plan)->forward_block, &job,
                   blocks_of(&plan->forward));
    return GRKAN_SUCCESS;
}

/** Whether blocks have something to do: of norms, they do the sums of tables alone. */
static int has_block_work(const cpu_job *job)
{
    for (int table = 0; table < GRKAN_MOST_TABLES; ++table)
        if (job->gradients[table] != NULL)
            return 1;
    return !cpu_has_norm(&job->plan->operation) && (job->result.first != NULL || job->y.first != NULL);
}

/** Strategies that add atomically start from zero when they overwrite. */
static void clear_gradients(const cpu_job *job)
{
    const size_t bytes = grkan_coefficient_bytes(job->plan->operation.dtype);
    for (int table = 0; table < job->plan->table_count; ++table)
        if (job->gradients[table] != NULL)
            memset(job->gradients[table], 0, numbers_of(&job->plan->tables[table]) * bytes);
}

static grkan_status cpu_backward(grkan_backend_program *program, const grkan_plan_data *plan, const grkan_call *call,
                                 void *stream)
{
    cpu_job job = job_of(program, plan, call, plan->operation.dtype);
    const cpu_kernels *const kernels = kernels_of(program, plan);
    int64_t numbers = 0;
    if (check_stream(stream) != GRKAN_SUCCESS)
        return GRKAN_ERROR_INVALID_ARGUMENT;
    if ((plan->options.frozen & GRKAN_FROZEN_X) != 0)
        job.result.first = NULL;
    if (plan->options.strategy != GRKAN_STRATEGY_TREE && !job.add)
        clear_gradients(&job);
    if (has_block_work(&job))
        run_blocks(threads_of(program, plan), kernels->backward_block, &job, blocks_of(&plan->backward));
    for (int table = 0; table < plan->table_count; ++table)
        numbers += plan->backward.tables[table].numbers;
    if (plan->options.strategy == GRKAN_STRATEGY_TREE && plan->workspace_bytes > 0)
        run_blocks(reduction_threads(program, plan), kernels->reduce_number, &job, numbers);
    if (cpu_has_norm(&plan->operation) && (job.result.first != NULL || job.y.first != NULL)) /* which may be x or dy */
        run_blocks(threads_of(program, plan), kernels->backward_rows, &job,
                   row_turns(&plan->operation, threads_of(program, plan)));
    return GRKAN_SUCCESS;
}

static grkan_status cpu_allocate(grkan_backend_device *device, size_t bytes, void **base)
{
    (void)device;
    *base = bytes != 0 ? grkan_allocate_aligned(bytes) : NULL;
    return *base ? GRKAN_SUCCESS : host->set_error(GRKAN_ERROR_OUT_OF_MEMORY, "no host memory for %zu bytes", bytes);
}

static void cpu_free(grkan_backend_device *device, void *base)
{
    (void)device;
    grkan_free_aligned(base);
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

enum { copy_piece = 1 << 18 }; /* bytes */

typedef struct copy {
    char *to;
    const char *from;
    size_t bytes;
} copy;

static void copy_one_piece(const void *context, int64_t index)
{
    const copy *const c = context;
    const size_t start = (size_t)index * copy_piece;
    memcpy(c->to + start, c->from + start, c->bytes - start < copy_piece ? c->bytes - start : copy_piece);
}

/** With all threads, since it is what a bandwidth is measured with. */
static grkan_status cpu_copy(grkan_backend_device *device, grkan_buffer to, grkan_buffer from, size_t bytes)
{
    const copy c = {address(to), address(from), bytes};
    const cpu_loop loop = {copy_one_piece, &c, (int64_t)((bytes - 1) / copy_piece + 1)};
    grkan_pool_grow(device->all.threads - 1);
    cpu_share(&loop, device->all.threads, NULL);
    return GRKAN_SUCCESS;
}

static grkan_status cpu_synchronize(grkan_backend_device *device)
{
    (void)device;
    return GRKAN_SUCCESS;
}

static grkan_status cpu_timer_start(grkan_backend_device *device)
{
    device->timer_start = grkan_milliseconds();
    return GRKAN_SUCCESS;
}

static grkan_status cpu_timer_stop(grkan_backend_device *device, double *milliseconds)
{
    *milliseconds = grkan_milliseconds() - device->timer_start;
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
    .prepare = cpu_prepare,
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
