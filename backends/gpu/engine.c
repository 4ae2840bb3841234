/* SPDX-License-Identifier: Apache-2.0 */
/** @file engine.c @brief Launches of a plan: which kernels, with which arguments, in which order. */
#include <stdlib.h>

#include "engine.h"
#include "../kernels/launch.h"

enum { clear_blocks = 64 };

struct grkan_backend_program {
    gpu_module *module;
    gpu_kernel *forward;
    gpu_kernel *backward;
    gpu_kernel *combine; /* NULL: not needed */
    gpu_kernel *clear;   /* NULL: not needed */
};

static int needs_combine(const grkan_plan_data *plan)
{
    return plan->options.strategy == GRKAN_STRATEGY_TREE && !gpu_last_block_combines;
}

static int needs_clear(const grkan_plan_data *plan)
{
    return plan->options.strategy != GRKAN_STRATEGY_TREE;
}

void gpu_unload(grkan_backend_program *program)
{
    if (program == NULL)
        return;
    gpu_kernel_release(program->forward);
    gpu_kernel_release(program->backward);
    gpu_kernel_release(program->combine);
    gpu_kernel_release(program->clear);
    if (program->module != NULL)
        gpu_module_unload(program->module);
    free(program);
}

static grkan_status find_kernels(const grkan_plan_data *plan, grkan_backend_program *p)
{
    grkan_status status;
    if ((status = gpu_kernel_find(p->module, "grkan_forward", &p->forward)) != GRKAN_SUCCESS ||
        (status = gpu_kernel_find(p->module, "grkan_backward", &p->backward)) != GRKAN_SUCCESS)
        return status;
    if (needs_combine(plan) && (status = gpu_kernel_find(p->module, "grkan_combine", &p->combine)) != GRKAN_SUCCESS)
        return status;
    if (needs_clear(plan))
        return gpu_kernel_find(p->module, "grkan_clear", &p->clear);
    return GRKAN_SUCCESS;
}

grkan_status gpu_load(grkan_backend_device *device, const grkan_plan_data *plan, const grkan_blob *binary,
                      grkan_backend_program **program)
{
    grkan_backend_program *made = calloc(1, sizeof *made);
    grkan_status status;
    if (made == NULL)
        return gpu_host->set_error(GRKAN_ERROR_OUT_OF_MEMORY, "no memory for a program of backend %s",
                                   grkan_backend_table.name);
    status = gpu_module_load(device, binary, &made->module);
    if (status == GRKAN_SUCCESS)
        status = find_kernels(plan, made);
    if (status != GRKAN_SUCCESS) {
        gpu_unload(made);
        return status;
    }
    *program = made;
    return GRKAN_SUCCESS;
}

/** Whether a tensor is aligned to the chunks that threads load and store at once. */
static int is_aligned(const grkan_plan_data *plan, grkan_buffer tensor)
{
    const size_t chunk = (size_t)plan->backward.vector * grkan_dtype_bytes(plan->operation.dtype);
    const uintptr_t base = grkan_backend_table.uses_pointers ? (uintptr_t)tensor.base : 0;
    return (base + tensor.offset) % chunk == 0;
}

/** What a kernel gets for a buffer: an address where there is one, else the base; the launch has the offset then. */
static void *base_of(grkan_buffer buffer)
{
    return grkan_backend_table.uses_pointers && buffer.base != NULL ? (char *)buffer.base + buffer.offset : buffer.base;
}

static int64_t offset_of(grkan_buffer buffer, size_t element)
{
    return grkan_backend_table.uses_pointers ? 0 : (int64_t)(buffer.offset / element);
}

/** Launch all blocks, in as many grids as it takes. The last argument is the launch. */
static grkan_status launch_all(gpu_kernel *kernel, int block, gpu_argument *arguments, int count, grkan_launch *launch,
                               int64_t blocks, void *stream)
{
    launch->blocks = blocks;
    arguments[count - 1] = (gpu_argument){launch, sizeof *launch};
    for (launch->first_block = 0; launch->first_block < blocks; launch->first_block += gpu_largest_grid) {
        const int64_t left = blocks - launch->first_block;
        const grkan_status status =
            gpu_launch(kernel, left < gpu_largest_grid ? left : gpu_largest_grid, block, arguments, count, stream);
        if (status != GRKAN_SUCCESS)
            return status;
    }
    return GRKAN_SUCCESS;
}

grkan_status gpu_forward(grkan_backend_program *program, const grkan_plan_data *plan, const grkan_forward_arguments *a,
                         void *stream)
{
    const grkan_tiling *t = &plan->forward;
    const size_t element = grkan_dtype_bytes(plan->operation.dtype);
    const size_t coefficient = grkan_coefficient_bytes(plan->operation.dtype);
    void *const x = base_of(a->x), *const y = base_of(a->y);
    void *const numerator = base_of(a->numerator), *const denominator = base_of(a->denominator);
    grkan_launch launch = {.x = offset_of(a->x, element),
                           .result = offset_of(a->y, element),
                           .numerator = offset_of(a->numerator, coefficient),
                           .denominator = offset_of(a->denominator, coefficient),
                           .aligned = is_aligned(plan, a->x) && is_aligned(plan, a->y)};
    gpu_argument arguments[] = {{&x, 0}, {&numerator, 0}, {&denominator, 0}, {&y, 0}, {t, sizeof *t}, {NULL, 0}};
    return launch_all(program->forward, t->block, arguments, 6, &launch, t->stripes * t->spans, stream);
}

static grkan_status clear_gradients(const grkan_backend_program *program, const grkan_plan_data *plan,
                                    void *const *dnumerator, void *const *ddenominator, grkan_launch launch,
                                    void *stream)
{
    const grkan_tiling *t = &plan->backward;
    gpu_argument arguments[] = {{dnumerator, 0}, {ddenominator, 0}, {t, sizeof *t}, {NULL, 0}};
    return launch_all(program->clear, t->block, arguments, 4, &launch, clear_blocks, stream);
}

/** A launch of grkan_combine: arguments 3, 5, 6 and 7 of backward. */
static grkan_status combine_parts(const grkan_backend_program *program, const grkan_plan_data *plan,
                                  const gpu_argument *backward, grkan_launch launch, void *stream)
{
    const grkan_operation *o = &plan->operation;
    const grkan_tiling *t = &plan->backward;
    const int64_t outputs =
        o->numerator_groups * (o->numerator_degree + 1) + o->denominator_groups * plan->denominator_coefficients;
    const int64_t of_block = t->block / COMBINE_LANES;
    gpu_argument arguments[] = {backward[3], backward[5], backward[6], backward[7], {t, sizeof *t}, {NULL, 0}};
    return launch_all(program->combine, t->block, arguments, 6, &launch, (outputs + of_block - 1) / of_block, stream);
}

grkan_status gpu_backward(grkan_backend_program *program, const grkan_plan_data *plan,
                          const grkan_backward_arguments *a, void *stream)
{
    const grkan_tiling *t = &plan->backward;
    const size_t element = grkan_dtype_bytes(plan->operation.dtype);
    const size_t coefficient = grkan_coefficient_bytes(plan->operation.dtype);
    void *const x = base_of(a->x), *const dy = base_of(a->dy), *const dx = base_of(a->dx);
    void *const numerator = base_of(a->numerator), *const denominator = base_of(a->denominator);
    void *const dnumerator = base_of(a->dnumerator), *const ddenominator = base_of(a->ddenominator);
    void *const workspace = base_of(a->workspace);
    grkan_launch launch = {.x = offset_of(a->x, element),
                           .dy = offset_of(a->dy, element),
                           .result = offset_of(a->dx, element),
                           .numerator = offset_of(a->numerator, coefficient),
                           .denominator = offset_of(a->denominator, coefficient),
                           .dnumerator = offset_of(a->dnumerator, coefficient),
                           .ddenominator = offset_of(a->ddenominator, coefficient),
                           .workspace = offset_of(a->workspace, 1),
                           .numerator_parts = plan->numerator_parts,
                           .denominator_parts = plan->denominator_parts,
                           .aligned = is_aligned(plan, a->x) && is_aligned(plan, a->dy) && is_aligned(plan, a->dx),
                           .add = a->accumulation == GRKAN_ADD};
    gpu_argument arguments[] = {{&x, 0},          {&dy, 0},           {&numerator, 0}, {&denominator, 0}, {&dx, 0},
                                {&dnumerator, 0}, {&ddenominator, 0}, {&workspace, 0}, {t, sizeof *t},    {NULL, 0}};
    grkan_status status = GRKAN_SUCCESS;
    if (needs_clear(plan) && !launch.add)
        status = clear_gradients(program, plan, &dnumerator, &ddenominator, launch, stream);
    if (status == GRKAN_SUCCESS)
        status = launch_all(program->backward, t->block, arguments, 10, &launch, t->stripes * t->spans, stream);
    if (status == GRKAN_SUCCESS && needs_combine(plan) && plan->workspace_bytes > 0)
        status = combine_parts(program, plan, arguments, launch, stream);
    return status;
}
