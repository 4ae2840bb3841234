/* SPDX-License-Identifier: Apache-2.0 */
/** @file engine.c @brief Launches of a plan: which kernels, with which arguments, in which order. */
#include <stdlib.h>

#include "engine.h"
#include "../kernels/launch.h"

enum { clear_blocks = 64 };

/** The kernels that a program may have. */
typedef enum kernel_kind { FORWARD, BACKWARD, COMBINE, CLEAR, KERNEL_KINDS } kernel_kind;

static const struct {
    const char *name;
    const char *pass;
} kinds[KERNEL_KINDS] = {[FORWARD] = {"grkan_forward", "forward"},
                         [BACKWARD] = {"grkan_backward", "backward"},
                         [COMBINE] = {"grkan_combine", "backward"},
                         [CLEAR] = {"grkan_clear", "backward"}};

struct grkan_backend_program {
    gpu_module *module;
    gpu_kernel *kernels[KERNEL_KINDS]; /* NULL: not needed */
    grkan_launch_listener listener;    /* hears of launches, which are not made then; else NULL */
    void *context;                     /* the listener's */
};

static int needs(const grkan_plan_data *plan, kernel_kind kind)
{
    const int is_tree = plan->options.strategy == GRKAN_STRATEGY_TREE;
    return kind == COMBINE ? is_tree && !plan->last_block_combines : kind == CLEAR ? !is_tree : 1;
}

void gpu_unload(grkan_backend_program *program)
{
    if (program == NULL)
        return;
    for (int kind = 0; kind < KERNEL_KINDS; ++kind)
        gpu_kernel_release(program->kernels[kind]);
    if (program->module != NULL)
        gpu_module_unload(program->module);
    free(program);
}

static grkan_status find_kernels(const grkan_plan_data *plan, grkan_backend_program *p)
{
    grkan_status status = GRKAN_SUCCESS;
    for (int kind = 0; status == GRKAN_SUCCESS && kind < KERNEL_KINDS; ++kind)
        if (needs(plan, (kernel_kind)kind))
            status = gpu_kernel_find(p->module, kinds[kind].name, &p->kernels[kind]);
    return status;
}

grkan_status gpu_load(grkan_backend_device *device, const grkan_plan_data *plan, const grkan_blob *binary,
                      grkan_backend_program **program)
{
    grkan_backend_program *made = calloc(1, sizeof *made);
    grkan_status status;
    if (made == NULL)
        return gpu_host->set_error(GRKAN_ERROR_OUT_OF_MEMORY, "no memory for a program");
    status = gpu_module_load(device, plan, binary, &made->module);
    if (status == GRKAN_SUCCESS)
        status = find_kernels(plan, made);
    if (status != GRKAN_SUCCESS) {
        gpu_unload(made);
        return status;
    }
    *program = made;
    return GRKAN_SUCCESS;
}

/** Whether tensors are aligned to the chunks that threads load and store at once. */
static grkan_status find_alignment(const grkan_plan_data *plan, const grkan_buffer *tensors, int count, int *aligned)
{
    const size_t chunk = (size_t)plan->backward.vector * grkan_dtype_bytes(plan->operation.dtype);
    *aligned = 1;
    for (int i = 0; i < count; ++i) {
        uintptr_t address = 0;
        const grkan_status status = tensors[i].base != NULL ? gpu_locate(tensors[i].base, &address) : GRKAN_SUCCESS;
        if (status != GRKAN_SUCCESS)
            return status;
        *aligned &= (address + tensors[i].offset) % chunk == 0;
    }
    return GRKAN_SUCCESS;
}

/** What a kernel gets for a buffer: an address where there is one, else the base; the launch has the offset then. */
static void *base_of(grkan_buffer buffer)
{
    return gpu_uses_pointers && buffer.base != NULL ? (char *)buffer.base + buffer.offset : buffer.base;
}

static int64_t offset_of(grkan_buffer buffer, size_t element)
{
    return gpu_uses_pointers ? 0 : (int64_t)(buffer.offset / element);
}

/** Launch all blocks, in as many grids as it takes. The last argument is the launch. */
static grkan_status launch_all(const grkan_backend_program *program, kernel_kind kind, const grkan_tiling *t,
                               const grkan_kernel_argument *arguments, int count, grkan_launch *launch, int64_t blocks,
                               void *stream)
{
    grkan_kernel_launch one = {.pass = kinds[kind].pass,
                               .kernel = kinds[kind].name,
                               .block = t->block,
                               .arguments = arguments,
                               .argument_count = count};
    grkan_status status = GRKAN_SUCCESS;
    launch->blocks = (int)blocks;
    for (int64_t first = 0; status == GRKAN_SUCCESS && first < blocks; first += gpu_largest_grid) {
        const int64_t left = blocks - first;
        launch->first_block = (int)first;
        one.blocks = left < gpu_largest_grid ? left : gpu_largest_grid;
        if (program->listener != NULL)
            program->listener(program->context, &one);
        else
            status = gpu_launch(program->kernels[kind], &one, stream);
    }
    return status;
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
                           .denominator = offset_of(a->denominator, coefficient)};
    const grkan_buffer tensors[] = {a->x, a->y};
    const grkan_kernel_argument arguments[] = {
        {"x", &x, 0}, {"numerator", &numerator, 0}, {"denominator", &denominator, 0},
        {"y", &y, 0}, {"tiling", t, sizeof *t},     {"launch", &launch, sizeof launch}};
    const grkan_status status = find_alignment(plan, tensors, 2, &launch.aligned);
    return status == GRKAN_SUCCESS
               ? launch_all(program, FORWARD, t, arguments, 6, &launch, t->stripes * t->spans, stream)
               : status;
}

/** A launch of grkan_clear: arguments 5, 6 and 8 of backward. */
static grkan_status clear_gradients(const grkan_backend_program *program, const grkan_plan_data *plan,
                                    const grkan_kernel_argument *backward, grkan_launch launch, void *stream)
{
    const grkan_kernel_argument arguments[] = {
        backward[5], backward[6], backward[8], {"launch", &launch, sizeof launch}};
    return launch_all(program, CLEAR, &plan->backward, arguments, 4, &launch, clear_blocks, stream);
}

/** A launch of grkan_combine: arguments 3, 5, 6, 7 and 8 of backward. */
static grkan_status combine_parts(const grkan_backend_program *program, const grkan_plan_data *plan,
                                  const grkan_kernel_argument *backward, grkan_launch launch, void *stream)
{
    const grkan_tiling *t = &plan->backward;
    const int64_t threads =
        (int64_t)t->numerator_width * t->numerator_lanes + (int64_t)t->denominator_width * t->denominator_lanes;
    const grkan_kernel_argument arguments[] = {backward[3], backward[5], backward[6],
                                               backward[7], backward[8], {"launch", &launch, sizeof launch}};
    return launch_all(program, COMBINE, t, arguments, 6, &launch, (threads + t->block - 1) / t->block, stream);
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
                           .add = a->accumulation == GRKAN_ADD};
    const grkan_buffer tensors[] = {a->x, a->dy, a->dx};
    const grkan_kernel_argument arguments[] = {{"x", &x, 0},
                                               {"dy", &dy, 0},
                                               {"numerator", &numerator, 0},
                                               {"denominator", &denominator, 0},
                                               {"dx", &dx, 0},
                                               {"dnumerator", &dnumerator, 0},
                                               {"ddenominator", &ddenominator, 0},
                                               {"workspace", &workspace, 0},
                                               {"tiling", t, sizeof *t},
                                               {"launch", &launch, sizeof launch}};
    grkan_status status = find_alignment(plan, tensors, 3, &launch.aligned);
    if (status == GRKAN_SUCCESS && needs(plan, CLEAR) && !launch.add)
        status = clear_gradients(program, plan, arguments, launch, stream);
    if (status == GRKAN_SUCCESS)
        status = launch_all(program, BACKWARD, t, arguments, 10, &launch, t->stripes * t->spans, stream);
    if (status == GRKAN_SUCCESS && needs(plan, COMBINE) && plan->workspace_bytes > 0)
        status = combine_parts(program, plan, arguments, launch, stream);
    return status;
}

grkan_status gpu_list_launches(const grkan_plan_data *plan, grkan_launch_listener listener, void *context)
{
    const grkan_forward_arguments forward = {.x = {NULL, 0}};
    const grkan_backward_arguments backward = {.accumulation = GRKAN_OVERWRITE};
    grkan_backend_program recorder = {.listener = listener, .context = context};
    const grkan_operation *o = &plan->operation;
    if (o->outer > 0 && o->inner > 0)
        (void)gpu_forward(&recorder, plan, &forward, NULL);
    return gpu_backward(&recorder, plan, &backward, NULL);
}
