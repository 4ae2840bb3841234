/* SPDX-License-Identifier: Apache-2.0 */
/** @file engine.c @brief Launches of a plan: which kernels, with which arguments, in which order. */
#include <stdlib.h>

#include "engine.h"
#include "../kernels/launch.h"

enum { clear_blocks = 64 };

/** The kernels that a program may have. */
typedef enum kernel_id { FORWARD, BACKWARD, REDUCE, CLEAR, MEANS, KERNELS } kernel_id;

static const struct {
    const char *name;
    const char *pass;
} kernels[KERNELS] = {[FORWARD] = {"grkan_forward", "forward"},
                      [BACKWARD] = {"grkan_backward", "backward"},
                      [REDUCE] = {"grkan_reduce", "backward"},
                      [CLEAR] = {"grkan_clear", "backward"},
                      [MEANS] = {"grkan_row_means", "backward"}};

struct grkan_backend_program {
    gpu_module *module;
    gpu_kernel *kernels[KERNELS];   /* NULL: not needed */
    grkan_launch_listener listener; /* hears of launches, which are not made then; else NULL */
    void *context;                  /* the listener's */
};

static int has_mean(const grkan_plan_data *plan)
{
    return plan->operation.prologue == GRKAN_PROLOGUE_LAYER_NORM;
}

static int has_norm(const grkan_plan_data *plan)
{
    return has_mean(plan) || plan->operation.prologue == GRKAN_PROLOGUE_RMS_NORM;
}

/** Whether dx needs means of rows that blocks do not have whole. */
static int has_row_means(const grkan_plan_data *plan)
{
    return has_norm(plan) && plan->backward.columns.tiles > 1 && (plan->options.frozen & GRKAN_FROZEN_X) == 0;
}

static int needs(const grkan_plan_data *plan, kernel_id kernel)
{
    const int is_tree = plan->options.strategy == GRKAN_STRATEGY_TREE;
    if (kernel == MEANS)
        return has_row_means(plan);
    return kernel == REDUCE ? is_tree && !plan->last_block_reduces : kernel == CLEAR ? !is_tree : 1;
}

void gpu_unload(grkan_backend_program *program)
{
    if (program == NULL)
        return;
    for (int i = 0; i < KERNELS; ++i)
        gpu_kernel_release(program->kernels[i]);
    if (program->module != NULL)
        gpu_module_unload(program->module);
    free(program);
}

grkan_status gpu_prepare(grkan_backend_program *program, const grkan_plan_data *plan)
{
    grkan_status status = GRKAN_SUCCESS;
    (void)plan;
    for (int i = 0; status == GRKAN_SUCCESS && i < KERNELS; ++i)
        if (program->kernels[i] != NULL)
            status = gpu_kernel_prepare(program->kernels[i]);
    return status;
}

/** Local memory that launches of a kernel ask for. */
static int launch_bytes(const grkan_plan_data *plan, kernel_id kernel)
{
    return kernel == BACKWARD ? plan->launch_local_bytes : 0;
}

static grkan_status find_kernels(const grkan_plan_data *plan, grkan_backend_program *p)
{
    grkan_status status = GRKAN_SUCCESS;
    for (int i = 0; status == GRKAN_SUCCESS && i < KERNELS; ++i)
        if (needs(plan, (kernel_id)i))
            status = gpu_kernel_find(p->module, kernels[i].name, launch_bytes(plan, (kernel_id)i), &p->kernels[i]);
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

/* ------------------------------------------------------------------------------------------------ arguments */

/** The buffers of a call, each under the name that listeners hear. */
typedef enum buffer_id {
    X,
    DY,
    RESULT,
    WORKSPACE,
    MEAN,
    RSTD,
    Y_AGAIN,
    TABLE,
    GRADIENT = TABLE + GRKAN_MOST_TABLES,
    BUFFERS = GRADIENT + GRKAN_MOST_TABLES
} buffer_id;

/** A call as kernels get it. */
typedef struct prepared_call {
    const grkan_plan_data *plan;
    const grkan_geometry *geometry;
    void *bases[BUFFERS]; /* an address where there is one, else the base; the launch has the offset then */
    grkan_launch launch;
    grkan_more_offsets more;
} prepared_call;

/** The arguments of a kernel, in their order. Begins empty: most of the list is never touched. */
typedef struct argument_list {
    int count;
    grkan_kernel_argument arguments[gpu_most_arguments];
} argument_list;

static void *base_of(grkan_buffer buffer)
{
    return gpu_uses_pointers && buffer.base != NULL ? (char *)buffer.base + buffer.offset : buffer.base;
}

/** 0 where there is no buffer, so that kernels see no address then. */
static int64_t numbers_before(grkan_buffer table, size_t number)
{
    return table.base != NULL ? (int64_t)(table.offset / number) : 0;
}

/** Where a tensor lies. @param place or'ed with its address, so that its low bits are 0 where those of all tensors of its type
    are */
static grkan_status find_place(grkan_buffer tensor, uintptr_t *place)
{
    uintptr_t address = 0;
    const grkan_status status = tensor.base != NULL ? gpu_locate(tensor.base, &address) : GRKAN_SUCCESS;
    *place |= address + tensor.offset;
    return status;
}

/** Offsets, where a tensor is no address: 0 before. */
static void set_offsets(const grkan_plan_data *plan, const grkan_call *call, grkan_launch *launch)
{
    const size_t number = grkan_coefficient_bytes(plan->operation.dtype);
    launch->x = (int64_t)call->x.offset;
    launch->dy = (int64_t)call->dy.offset;
    launch->result = (int64_t)call->result.offset;
    launch->workspace = (int64_t)call->workspace.offset;
    for (int i = 0; i < plan->table_count; ++i) {
        launch->tables[i] = numbers_before(call->tables[i], number);
        launch->gradients[i] = numbers_before(call->gradients[i], number);
    }
}

/** Whether kernels may have arguments that not every plan's have. */
static int has_more(const grkan_plan_data *plan)
{
    return has_norm(plan) || plan->options.writes_y;
}

static void set_more(const grkan_plan_data *plan, const grkan_call *call, prepared_call *p)
{
    const size_t number = grkan_coefficient_bytes(plan->operation.dtype);
    p->bases[MEAN] = base_of(call->mean);
    p->bases[RSTD] = base_of(call->rstd);
    p->bases[Y_AGAIN] = base_of(call->y);
    if (!gpu_uses_pointers)
        p->more = (grkan_more_offsets){.mean = numbers_before(call->mean, number),
                                       .rstd = numbers_before(call->rstd, number),
                                       .y = (int64_t)call->y.offset};
}

/** What a vector has to be aligned to: some take two accesses. */
static size_t access_bytes(size_t vector_bytes)
{
    enum { widest = 16 };
    return vector_bytes < widest ? vector_bytes : widest;
}

/** Member by member: most of a call's room for tables is never touched, and a call should cost the host little. */
static grkan_status prepare_call(const grkan_plan_data *plan, const grkan_geometry *geometry, const grkan_call *call,
                                 prepared_call *p)
{
    const grkan_operation *const o = &plan->operation;
    const size_t vector = (size_t)plan->backward.columns.vector;
    const size_t x_vector = access_bytes(vector * grkan_dtype_bytes(o->dtype));
    const size_t y_vector = access_bytes(vector * grkan_dtype_bytes(grkan_operation_output_dtype(o)));
    uintptr_t x_place = 0, y_place = 0; /* of x and dx, and of y and dy */
    grkan_status status;
    p->plan = plan;
    p->geometry = geometry;
    p->bases[X] = base_of(call->x);
    p->bases[DY] = base_of(call->dy);
    p->bases[RESULT] = base_of(call->result);
    p->bases[WORKSPACE] = base_of(call->workspace);
    for (int i = 0; i < plan->table_count; ++i) {
        p->bases[TABLE + i] = base_of(call->tables[i]);
        p->bases[GRADIENT + i] = base_of(call->gradients[i]);
    }
    p->launch = (grkan_launch){.add = call->add};
    if (!gpu_uses_pointers)
        set_offsets(plan, call, &p->launch);
    if (has_more(plan)) {
        set_more(plan, call, p);
        if ((status = find_place(call->y, &y_place)) != GRKAN_SUCCESS)
            return status;
    }
    if ((status = find_place(call->x, &x_place)) == GRKAN_SUCCESS &&
        (status = find_place(call->dy, &y_place)) == GRKAN_SUCCESS)
        status = find_place(call->result, geometry == &plan->forward ? &y_place : &x_place);
    /* Threads load and store a vector at once. */
    p->launch.aligned = ((x_place & (x_vector - 1)) | (y_place & (y_vector - 1))) == 0;
    return status;
}

static void add_buffer(const prepared_call *p, const char *name, int buffer, argument_list *list)
{
    list->arguments[list->count++] = (grkan_kernel_argument){name, &p->bases[buffer], 0};
}

static void add_tables(const prepared_call *p, argument_list *list)
{
    for (int i = 0; i < p->plan->table_count; ++i)
        add_buffer(p, p->plan->tables[i].name, TABLE + i, list);
}

static void add_gradients(const prepared_call *p, argument_list *list)
{
    for (int i = 0; i < p->plan->table_count; ++i)
        add_buffer(p, p->plan->tables[i].gradient, GRADIENT + i, list);
}

/** The statistics of rows: written by forward, read by backward. */
static void add_statistics(const prepared_call *p, argument_list *list)
{
    if (has_mean(p->plan))
        add_buffer(p, "mean", MEAN, list);
    if (has_norm(p->plan))
        add_buffer(p, "rstd", RSTD, list);
}

/* ------------------------------------------------------------------------------------------------- launches */

/** Threads of a block of the kernel of means: as many as are a power of two, see backward_long.h. */
static int means_block(int block)
{
    int power = 32;
    while (power * 2 <= block && power < 512)
        power *= 2;
    return power;
}

/** Launch all blocks, in as many grids as it takes. The launch and the geometry follow the other arguments, then where a pass has
    more of them their offsets. Kernels that get pointers have no offsets, in the launch or behind it. */
static grkan_status launch_all(const grkan_backend_program *program, kernel_id kernel, prepared_call *p,
                               argument_list *list, int has_more_offsets, int64_t blocks, void *stream)
{
    grkan_status status = GRKAN_SUCCESS;
    const size_t argument_bytes = gpu_uses_pointers ? offsetof(grkan_launch, x) : sizeof p->launch;
    list->arguments[list->count++] = (grkan_kernel_argument){"launch", &p->launch, argument_bytes};
    list->arguments[list->count++] = (grkan_kernel_argument){"geometry", p->geometry, sizeof *p->geometry};
    if (has_more_offsets && !gpu_uses_pointers)
        list->arguments[list->count++] = (grkan_kernel_argument){"more", &p->more, sizeof p->more};
    grkan_kernel_launch one = {.pass = kernels[kernel].pass,
                               .kernel = kernels[kernel].name,
                               .block = p->plan->lanes > 0 ? 1
                                        : kernel == MEANS  ? means_block(p->geometry->columns.block)
                                                           : p->geometry->columns.block,
                               .local_bytes = launch_bytes(p->plan, kernel),
                               .arguments = list->arguments,
                               .argument_count = list->count};
    p->launch.blocks = (int)blocks;
    for (int64_t first = 0; status == GRKAN_SUCCESS && first < blocks; first += gpu_largest_grid) {
        const int64_t left = blocks - first;
        p->launch.first_block = (int)first;
        one.blocks = left < gpu_largest_grid ? left : gpu_largest_grid;
        if (program->listener != NULL)
            program->listener(program->context, &one);
        else
            status = gpu_launch(program->kernels[kernel], &one, stream);
    }
    return status;
}

static int64_t blocks_of(const grkan_geometry *g)
{
    return (int64_t)g->rows.splits * g->columns.tiles;
}

grkan_status gpu_forward(grkan_backend_program *program, const grkan_plan_data *plan, const grkan_call *call,
                         void *stream)
{
    prepared_call p;
    argument_list list;
    const grkan_status status = prepare_call(plan, &plan->forward, call, &p);
    if (status != GRKAN_SUCCESS)
        return status;
    list.count = 0;
    add_buffer(&p, "x", X, &list);
    add_tables(&p, &list);
    add_buffer(&p, "y", RESULT, &list);
    add_statistics(&p, &list);
    return launch_all(program, FORWARD, &p, &list, has_norm(plan), blocks_of(&plan->forward), stream);
}

static grkan_status clear_gradients(const grkan_backend_program *program, prepared_call *p, void *stream)
{
    argument_list list;
    list.count = 0;
    add_gradients(p, &list);
    return launch_all(program, CLEAR, p, &list, 0, clear_blocks, stream);
}

static grkan_status reduce_blocks(const grkan_backend_program *program, prepared_call *p, void *stream)
{
    argument_list list;
    list.count = 0;
    add_buffer(p, "x", X, &list);
    add_buffer(p, "dy", DY, &list);
    add_tables(p, &list);
    add_buffer(p, "dx", RESULT, &list);
    add_gradients(p, &list);
    add_buffer(p, "workspace", WORKSPACE, &list);
    add_statistics(p, &list);
    if (p->plan->options.writes_y)
        add_buffer(p, "y", Y_AGAIN, &list);
    return launch_all(program, BACKWARD, p, &list, has_more(p->plan), blocks_of(p->geometry), stream);
}

static grkan_status find_row_means(const grkan_backend_program *program, prepared_call *p, void *stream)
{
    enum { most_blocks = 4096 };
    const int64_t rows = p->plan->operation.outer;
    argument_list list;
    list.count = 0;
    add_buffer(p, "x", X, &list);
    add_buffer(p, "dy", DY, &list);
    add_tables(p, &list);
    add_buffer(p, "workspace", WORKSPACE, &list);
    add_statistics(p, &list);
    return launch_all(program, MEANS, p, &list, 1, rows < most_blocks ? rows : most_blocks, stream);
}

static grkan_status reduce_grid(const grkan_backend_program *program, prepared_call *p, void *stream)
{
    const int block = p->geometry->columns.block;
    argument_list list;
    int64_t blocks = 0;
    list.count = 0;
    for (int i = 0; i < p->plan->table_count; ++i) {
        const grkan_table_reduction *const table = &p->geometry->tables[i];
        const int width = table->grid_threads > 0 ? block / table->grid_threads : 1; /* numbers of a block */
        blocks += table->grid_threads > 0 ? (table->numbers + width - 1) / width : 0;
    }
    add_tables(p, &list);
    add_gradients(p, &list);
    add_buffer(p, "workspace", WORKSPACE, &list);
    return launch_all(program, REDUCE, p, &list, 0, blocks, stream);
}

grkan_status gpu_backward(grkan_backend_program *program, const grkan_plan_data *plan, const grkan_call *call,
                          void *stream)
{
    prepared_call p;
    grkan_status status = prepare_call(plan, &plan->backward, call, &p);
    if (status == GRKAN_SUCCESS && needs(plan, CLEAR) && !call->add)
        status = clear_gradients(program, &p, stream);
    if (status == GRKAN_SUCCESS && needs(plan, MEANS) && plan->operation.outer > 0)
        status = find_row_means(program, &p, stream);
    if (status == GRKAN_SUCCESS)
        status = reduce_blocks(program, &p, stream);
    if (status == GRKAN_SUCCESS && needs(plan, REDUCE) && plan->workspace_bytes > 0)
        status = reduce_grid(program, &p, stream);
    return status;
}

grkan_status gpu_list_launches(const grkan_plan_data *plan, grkan_launch_listener listener, void *context)
{
    static const grkan_buffer none[GRKAN_MOST_TABLES];
    const grkan_call call = {.tables = none, .gradients = none};
    grkan_backend_program recorder = {.listener = listener, .context = context};
    const grkan_operation *o = &plan->operation;
    if (o->outer > 0 && o->inner > 0)
        (void)gpu_forward(&recorder, plan, &call, NULL);
    return gpu_backward(&recorder, plan, &call, NULL);
}
