/* SPDX-License-Identifier: Apache-2.0 */
/** @file engine.c @brief Launches of a plan: which kernels, with which arguments, in which order. */
#include <stdlib.h>

#include "engine.h"
#include "../kernels/launch.h"

enum { combine_lanes = 32 /* COMBINE_LANES of tile.h */, clear_blocks = 64 };

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
    const int block = plan->backward.block;
    grkan_status status;
    if ((status = gpu_kernel_find(p->module, "grkan_forward", block, &p->forward)) != GRKAN_SUCCESS ||
        (status = gpu_kernel_find(p->module, "grkan_backward", block, &p->backward)) != GRKAN_SUCCESS)
        return status;
    if (needs_combine(plan) &&
        (status = gpu_kernel_find(p->module, "grkan_combine", block, &p->combine)) != GRKAN_SUCCESS)
        return status;
    if (needs_clear(plan))
        return gpu_kernel_find(p->module, "grkan_clear", block, &p->clear);
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

static int64_t in_elements(const grkan_plan_data *plan, grkan_buffer tensor)
{
    return (int64_t)(tensor.offset / grkan_dtype_bytes(plan->operation.dtype));
}

static int64_t in_coefficients(const grkan_plan_data *plan, grkan_buffer tensor)
{
    return (int64_t)(tensor.offset / grkan_coefficient_bytes(plan->operation.dtype));
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
    grkan_launch launch = {.x = in_elements(plan, a->x),
                           .result = in_elements(plan, a->y),
                           .numerator = in_coefficients(plan, a->numerator),
                           .denominator = in_coefficients(plan, a->denominator),
                           .aligned = is_aligned(plan, a->x) && is_aligned(plan, a->y)};
    gpu_argument arguments[] = {{&a->x.base, 0}, {&a->numerator.base, 0}, {&a->denominator.base, 0},
                                {&a->y.base, 0}, {t, sizeof *t},          {NULL, 0}};
    return launch_all(program->forward, t->block, arguments, 6, &launch, t->stripes * t->spans, stream);
}

static grkan_status clear_gradients(const grkan_backend_program *program, const grkan_plan_data *plan,
                                    const grkan_backward_arguments *a, grkan_launch launch, void *stream)
{
    const grkan_tiling *t = &plan->backward;
    gpu_argument arguments[] = {{&a->dnumerator.base, 0}, {&a->ddenominator.base, 0}, {t, sizeof *t}, {NULL, 0}};
    return launch_all(program->clear, t->block, arguments, 4, &launch, clear_blocks, stream);
}

static grkan_status combine_parts(const grkan_backend_program *program, const grkan_plan_data *plan,
                                  const grkan_backward_arguments *a, grkan_launch launch, void *stream)
{
    const grkan_operation *o = &plan->operation;
    const grkan_tiling *t = &plan->backward;
    const int64_t outputs =
        o->numerator_groups * (o->numerator_degree + 1) + o->denominator_groups * plan->denominator_coefficients;
    const int64_t of_block = t->block / combine_lanes;
    gpu_argument arguments[] = {{&a->denominator.base, 0}, {&a->dnumerator.base, 0}, {&a->ddenominator.base, 0},
                                {&a->workspace.base, 0},   {t, sizeof *t},           {NULL, 0}};
    return launch_all(program->combine, t->block, arguments, 6, &launch, (outputs + of_block - 1) / of_block, stream);
}

grkan_status gpu_backward(grkan_backend_program *program, const grkan_plan_data *plan,
                          const grkan_backward_arguments *a, void *stream)
{
    const grkan_tiling *t = &plan->backward;
    grkan_launch launch = {.x = in_elements(plan, a->x),
                           .dy = in_elements(plan, a->dy),
                           .result = in_elements(plan, a->dx),
                           .numerator = in_coefficients(plan, a->numerator),
                           .denominator = in_coefficients(plan, a->denominator),
                           .dnumerator = in_coefficients(plan, a->dnumerator),
                           .ddenominator = in_coefficients(plan, a->ddenominator),
                           .workspace = (int64_t)a->workspace.offset,
                           .numerator_parts = plan->numerator_parts,
                           .denominator_parts = plan->denominator_parts,
                           .aligned = is_aligned(plan, a->x) && is_aligned(plan, a->dy) && is_aligned(plan, a->dx),
                           .add = a->accumulation == GRKAN_ADD};
    gpu_argument arguments[] = {{&a->x.base, 0},
                                {&a->dy.base, 0},
                                {&a->numerator.base, 0},
                                {&a->denominator.base, 0},
                                {&a->dx.base, 0},
                                {&a->dnumerator.base, 0},
                                {&a->ddenominator.base, 0},
                                {&a->workspace.base, 0},
                                {t, sizeof *t},
                                {NULL, 0}};
    grkan_status status = GRKAN_SUCCESS;
    if (needs_clear(plan) && !launch.add)
        status = clear_gradients(program, plan, a, launch, stream);
    if (status == GRKAN_SUCCESS)
        status = launch_all(program->backward, t->block, arguments, 10, &launch, t->stripes * t->spans, stream);
    if (status == GRKAN_SUCCESS && needs_combine(plan) && plan->workspace_bytes > 0)
        status = combine_parts(program, plan, a, launch, stream);
    return status;
}
