/* SPDX-License-Identifier: Apache-2.0 */
/** @file study_errors.c @brief How far the gradients of the coefficients are from exact sums. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "bench.h"
#include "check/device_layer.h"
#include "check/judge.h"
#include "check/storage_types.h"
#include "common/progress.h"
#include "study_exact.h"

enum { SEEDS = 10, CHANNELS = 768, PLANS = 4, GPU_ROWS = 128 * 197, LARGE_ROWS = 1024 * 197, OTHER_ROWS = 2 * 197 };

/** A layer on the device, and the coefficients' gradients once more on the host. */
typedef struct study_memory {
    grkan_device *device;
    const study_layer *host;
    device_layer layer;
    void *downloaded[STUDY_TABLES];
} study_memory;

static size_t bytes_of(const study_memory *m, check_tensor tensor)
{
    return check_tensor_bytes(&m->host->one, tensor);
}

static grkan_status study_memory_create(grkan_device *device, const study_layer *host, study_memory *m)
{
    static const check_tensor tensors[] = {CHECK_X, CHECK_DY, CHECK_DX};
    grkan_buffer *const tensor = m->layer.tensor;
    grkan_status status = GRKAN_SUCCESS;
    *m = (study_memory){.device = device, .host = host};
    for (int i = 0; i < 3 && status == GRKAN_SUCCESS; i++)
        status = grkan_memory_allocate(device, bytes_of(m, tensors[i]), &tensor[tensors[i]].base);
    for (int k = 0; k < STUDY_TABLES && status == GRKAN_SUCCESS; k++) {
        const size_t bytes = bytes_of(m, (check_tensor)(CHECK_TABLE + k));
        m->downloaded[k] = tool_allocate(bytes);
        status = device_repeat(device, bytes, host->data.tensor[CHECK_TABLE + k], bytes, &tensor[CHECK_TABLE + k]);
        if (status == GRKAN_SUCCESS)
            status = device_zeros(device, bytes, &tensor[CHECK_GRADIENT + k]);
    }
    return status;
}

static void study_memory_free(study_memory *m)
{
    device_layer_free(m->device, &m->layer);
    for (int k = 0; k < STUDY_TABLES; k++)
        free(m->downloaded[k]);
}

static grkan_status upload_tensors(study_memory *m)
{
    grkan_status status = GRKAN_SUCCESS;
    for (check_tensor t = CHECK_X; t <= CHECK_DY && status == GRKAN_SUCCESS; t++)
        status = grkan_memory_upload(m->device, m->layer.tensor[t], m->host->data.tensor[t], bytes_of(m, t));
    return status;
}

static grkan_status run_backward(study_memory *m, const grkan_plan *plan)
{
    grkan_status status = device_layer_backward(plan, &m->layer);
    for (int k = 0; k < STUDY_TABLES && status == GRKAN_SUCCESS; k++)
        status = grkan_memory_download(m->device, m->downloaded[k], m->layer.tensor[CHECK_GRADIENT + k],
                                       bytes_of(m, (check_tensor)(CHECK_GRADIENT + k)));
    return status;
}

/** Add what one seed shows of one gradient. */
static void add_seed(const study_gradient *exact, grkan_dtype dtype, const void *got, long double chain,
                     study_error *error)
{
    const long double unit = storage_ulp(dtype, 1) / 2;
    long double absolute = 0, difference = 0, norm = 0;
    for (int64_t i = 0; i < exact->count; i++) {
        const long double off = storage_load(dtype, got, i) - exact->value[i];
        const double of_bound = (double)(fabsl(off) / (chain * unit * exact->size[i]));
        absolute += fabsl(off);
        difference += off * off;
        norm += exact->value[i] * exact->value[i];
        if (of_bound > error->of_bound)
            error->of_bound = of_bound;
    }
    const double relative = (double)sqrtl(difference / norm);
    error->mean_absolute += (double)(absolute / (long double)exact->count) / SEEDS;
    error->relative += relative / SEEDS;
    if (relative > error->largest_relative)
        error->largest_relative = relative;
}

/** One strategy on the tensors at hand. */
static grkan_status try_plan(study_memory *m, const grkan_plan *plan, const study_gradient exact[STUDY_TABLES],
                             study_error_case *one)
{
    const grkan_operation *o = &one->operation;
    const int64_t elements = check_tensor_count(&m->host->one, CHECK_X);
    const int64_t summed[STUDY_TABLES] = {elements, elements / o->groups};
    grkan_plan_description description;
    grkan_status status = grkan_plan_describe(plan, &description);
    if (status == GRKAN_SUCCESS)
        status = run_backward(m, plan);
    for (int k = 0; k < STUDY_TABLES && status == GRKAN_SUCCESS; k++)
        add_seed(&exact[k], storage_of_coefficients(o->dtype), m->downloaded[k], judge_chain(&description, summed[k]),
                 &one->error[k]);
    one->seeds++;
    return status;
}

/** Make all plans and a workspace for the largest. A refused plan stays NULL. */
static grkan_status make_plans(study_memory *m, study_error_case *cases, grkan_plan **plans)
{
    for (int i = 0; i < PLANS; i++) {
        grkan_status status = grkan_plan_create(m->device, &cases[i].operation, &cases[i].options, &plans[i]);
        size_t bytes = grkan_plan_workspace_bytes(plans[i]);
        if (status == GRKAN_ERROR_UNSUPPORTED)
            cases[i].refusal = tool_copy_text(grkan_last_error());
        else if (status != GRKAN_SUCCESS)
            return status;
        if (bytes > m->layer.workspace_bytes)
            m->layer.workspace_bytes = bytes;
    }
    return device_zeros(m->device, m->layer.workspace_bytes, &m->layer.workspace);
}

/** All plans of one shape and type: they see the same tensors. */
static grkan_status try_plans(grkan_device *device, study_error_case cases[PLANS])
{
    const grkan_operation *operation = &cases[0].operation;
    grkan_plan *plans[PLANS] = {NULL};
    study_layer layer;
    study_memory m;
    study_layer_create(operation, &layer);
    study_gradient exact[STUDY_TABLES] = {study_gradient_create(&layer, CHECK_DNUMERATOR),
                                          study_gradient_create(&layer, CHECK_DDENOMINATOR)};
    grkan_status status = study_memory_create(device, &layer, &m);
    if (status == GRKAN_SUCCESS)
        status = make_plans(&m, cases, plans);
    for (uint64_t seed = 1; seed <= SEEDS && status == GRKAN_SUCCESS; seed++) {
        study_layer_fill(&layer, seed);
        study_exact(&layer, exact);
        status = upload_tensors(&m);
        for (int i = 0; i < PLANS && status == GRKAN_SUCCESS; i++)
            if (plans[i] != NULL)
                status = try_plan(&m, plans[i], exact, &cases[i]);
    }
    for (int i = 0; i < PLANS; i++)
        grkan_plan_destroy(plans[i]);
    study_memory_free(&m);
    study_layer_free(&layer);
    for (int k = 0; k < STUDY_TABLES; k++) {
        free(exact[k].value);
        free(exact[k].size);
    }
    return status;
}

/** Append the cases of one shape and type. @return the first of them */
static study_error_case *add_plans(bench_device *device, int64_t rows, grkan_dtype dtype, int cpu_threads)
{
    static const grkan_options plans[PLANS] = {
        {.strategy = GRKAN_STRATEGY_ELEMENT, .determinism = GRKAN_NONE},
        {.strategy = GRKAN_STRATEGY_BLOCK, .determinism = GRKAN_NONE},
        {.strategy = GRKAN_STRATEGY_TREE, .determinism = GRKAN_RUN_TO_RUN},
        {.strategy = GRKAN_STRATEGY_TREE, .determinism = GRKAN_DEVICE_TO_DEVICE},
    };
    size_t count = (size_t)device->error_count + PLANS;
    device->errors = tool_resize(device->errors, count * sizeof *device->errors);
    study_error_case *first = &device->errors[device->error_count];
    for (int i = 0; i < PLANS; i++) {
        first[i] = (study_error_case){.operation = GRKAN_OPERATION_INIT};
        first[i].operation.outer = rows;
        first[i].operation.channels = CHANNELS;
        first[i].operation.dtype = dtype;
        first[i].options = plans[i];
        first[i].options.cpu_threads = cpu_threads;
    }
    device->error_count = (int)count;
    return first;
}

grkan_status study_measure_errors(const bench_request *request, bench_device *device)
{
    const grkan_dtype dtypes[] = {GRKAN_F32, GRKAN_F16, GRKAN_BF16, GRKAN_F64};
    const int is_gpu = device->properties.is_gpu;
    const int64_t rows = is_gpu ? GPU_ROWS : OTHER_ROWS;
    grkan_status status = GRKAN_SUCCESS;
    for (size_t i = 0; i < sizeof dtypes / sizeof *dtypes && status == GRKAN_SUCCESS; i++) {
        char label[64];
        snprintf(label, sizeof label, "%s errors, %s", device->properties.selector, grkan_dtype_name(dtypes[i]));
        progress_show(i, sizeof dtypes / sizeof *dtypes, label);
        status = try_plans(device->device, add_plans(device, rows, dtypes[i], request->cpu_threads));
    }
    if (is_gpu && status == GRKAN_SUCCESS)
        status = try_plans(device->device, add_plans(device, LARGE_ROWS, GRKAN_F32, request->cpu_threads));
    return status;
}
