/* SPDX-License-Identifier: Apache-2.0 */
/** @file rational.c @brief The operators' kernels: PyTorch's tensors as the arguments of grkan_forward and grkan_backward. */
#include "rational.h"

#include <string.h>

#include "inputs.h"
#include "layout.h"
#include "workspaces.h"

enum { family_tables = 2 };

/* ----------------------------------------------------------------------------------------------------- both passes */

/** The stream that is current on the device of a tensor. */
static bool find_stream(call *c, const tensor *t, void **stream)
{
    *stream = NULL;
    if (!c->is_gpu)
        return true;
    if (torch.aoti_torch_get_current_cuda_stream == NULL)
        return call_fail(c, GRKAN_ERROR_UNSUPPORTED, "x lies on a GPU, but this PyTorch tells no stream of one");
    return TORCH(c, aoti_torch_get_current_cuda_stream, t->device_index, stream);
}

static bool did(call *c, grkan_status status)
{
    return status == GRKAN_SUCCESS || call_fail_as_grkan(c, status);
}

static grkan_buffer buffer(const tensor *t)
{
    return (grkan_buffer){t->data, 0};
}

static void set_tables(const inputs *in, grkan_buffer *tables)
{
    for (int i = 0; i < in->table_count; ++i)
        tables[i] = buffer(&in->tables[i]);
}

/** What stands for a tensor that there is not. */
static bool make_empty(call *c, const inputs *in, tensor *made)
{
    static const int64_t size = 0, stride = 1;
    return call_make(c, 1, &size, &stride, in->rows_dtype, &in->x, made);
}

/** Take dy if there is one, x, tables, and mean and rstd if there are these. */
static bool take(call *c, const uint64_t *values, bool has_dy, int tables, bool has_statistics, inputs *in)
{
    tensor taken[4 + GRKAN_MOST_TABLES];
    const tensor *const x = &taken[has_dy];
    if (!call_take(c, values, has_dy + 1 + tables + 2 * has_statistics, taken))
        return false;
    if (has_dy)
        in->dy = taken[0];
    in->x = x[0];
    memcpy(in->tables, x + 1, (size_t)tables * sizeof *x);
    if (has_statistics) {
        in->mean = x[1 + tables];
        in->rstd = x[2 + tables];
    }
    return true;
}

/** Read the numbers from `form` to `epsilon`. */
static void read_prologue(const uint64_t *values, inputs *in)
{
    in->form = (int64_t)values[0];
    in->channel_dim = (int64_t)values[1];
    in->prologue = (grkan_prologue)values[2];
    memcpy(&in->epsilon, &values[3], sizeof in->epsilon);
}

/* --------------------------------------------------------------------------------------------------------- forward */

/** Make mean, which is empty where the norm has none, and rstd. */
static bool make_statistics(call *c, const inputs *in, tensor *mean, tensor *rstd)
{
    return (in->prologue == GRKAN_PROLOGUE_LAYER_NORM ? layout_make_rows(c, &in->x, in->rows_dtype, mean)
                                                      : make_empty(c, in, mean)) &&
           layout_make_rows(c, &in->x, in->rows_dtype, rstd);
}

/** Find or make the tensor that takes the result. */
static bool make_result(call *c, const inputs *in, tensor *y)
{
    *y = in->y;
    return in->y.handle != NULL ? inputs_check_result(c, in) : call_make_like(c, &in->x, in->y_dtype, y);
}

/** @param made out, y; with_statistics, also mean and rstd */
static bool forward(call *c, const inputs *in, const plan *p, bool with_statistics, tensor *made)
{
    grkan_forward_arguments a = {.x = buffer(&in->x)};
    void *stream;
    if (!make_result(c, in, &made[0]) || (with_statistics && !make_statistics(c, in, &made[1], &made[2])) ||
        !find_stream(c, &in->x, &stream))
        return false;
    set_tables(in, a.tables);
    a.y = buffer(&made[0]);
    if (with_statistics) {
        a.mean = buffer(&made[1]);
        a.rstd = buffer(&made[2]);
    }
    return did(c, grkan_forward(p->handle, &a, stream));
}

static bool plan_forward(call *c, inputs *in, bool with_statistics, tensor *made)
{
    plan p;
    if (!inputs_prepare(c, in, &p))
        return false;
    const bool is_done = forward(c, in, &p, with_statistics, made);
    plans_release(&p);
    return is_done;
}

void rational_forward(call *c, uint64_t *values)
{
    inputs in = {.form = (int64_t)values[3], .channel_dim = (int64_t)values[4]};
    tensor y;
    (void)(take(c, values, false, family_tables, false, &in) && plan_forward(c, &in, false, &y));
    call_end(c, "grkan::rational", &y, 1, values);
}

void rational_forward_into(call *c, uint64_t *values)
{
    inputs in = {.form = (int64_t)values[4], .channel_dim = (int64_t)values[5]};
    tensor y;
    (void)(call_take(c, values, 1, &in.y) && take(c, &values[1], false, family_tables, false, &in) &&
           plan_forward(c, &in, false, &y));
    call_end(c, "grkan::rational_forward_into", NULL, 0, values);
}

static void run_prologue_forward(call *c, bool with_statistics, uint64_t *values)
{
    inputs in = {.output = (grkan_output_dtype)values[9]};
    tensor made[3];
    read_prologue(&values[5], &in);
    if (take(c, values, false, GRKAN_MOST_TABLES, false, &in) &&
        (!with_statistics || inputs_is_norm(&in) ||
         call_fail(c, GRKAN_ERROR_INVALID_ARGUMENT, "prologue is %d; expected that of a norm", (int)in.prologue)))
        (void)plan_forward(c, &in, with_statistics, made);
    call_end(c, with_statistics ? "grkan::norm_rational_forward" : "grkan::prologue_rational", made,
             with_statistics ? 3 : 1, values);
}

void prologue_forward(call *c, uint64_t *values)
{
    run_prologue_forward(c, false, values);
}

void prologue_forward_into(call *c, uint64_t *values)
{
    inputs in = {.output = (grkan_output_dtype)values[10]};
    tensor y;
    read_prologue(&values[6], &in);
    (void)(call_take(c, values, 1, &in.y) && take(c, &values[1], false, GRKAN_MOST_TABLES, false, &in) &&
           plan_forward(c, &in, false, &y));
    call_end(c, "grkan::prologue_rational_forward_into", NULL, 0, values);
}

void norm_forward(call *c, uint64_t *values)
{
    run_prologue_forward(c, true, values);
}

/* -------------------------------------------------------------------------------------------------------- backward */

/** Make the gradient of an input. Of one that nobody wants, operators give an empty tensor, functions of Python's none. */
static bool make_gradient(call *c, const inputs *in, const tensor *input, bool is_wanted, tensor *made)
{
    *made = (tensor){.handle = NULL};
    return is_wanted ? call_make_like(c, input, input->dtype, made) : c->read != NULL || make_empty(c, in, made);
}

static bool is_wanted(const inputs *in, int table)
{
    return table < in->table_count && (in->frozen >> table & 1) == 0;
}

/** Make the gradients of x and of so many tables. */
static bool make_gradients(call *c, const inputs *in, int tables, tensor *gradients)
{
    bool is_made = make_gradient(c, in, &in->x, (in->frozen & GRKAN_FROZEN_X) == 0, &gradients[0]);
    for (int i = 0; is_made && i < tables; ++i)
        is_made = make_gradient(c, in, &in->tables[i], is_wanted(in, i), &gradients[1 + i]);
    return is_made;
}

/** @param y out, again; NULL: an operator without it */
static bool backward(call *c, inputs *in, const plan *p, int tables, tensor *gradients, tensor *y)
{
    grkan_backward_arguments a = {.x = buffer(&in->x), .workspace_bytes = p->workspace_bytes};
    workspace scratch;
    void *stream;
    if (!layout_make_like(c, &in->x, &in->dy) || !make_gradients(c, in, tables, gradients) ||
        (y != NULL && !make_gradient(c, in, &in->dy, in->writes_y, y)) || !find_stream(c, &in->x, &stream) ||
        !workspaces_take(c, p, &in->x, stream, &scratch))
        return false;
    a.dy = buffer(&in->dy);
    set_tables(in, a.tables);
    a.dx = buffer(&gradients[0]);
    for (int i = 0; i < tables; ++i)
        a.gradients[i] = buffer(&gradients[1 + i]);
    a.workspace.base = scratch.base;
    if (inputs_is_norm(in)) {
        a.mean = buffer(&in->mean);
        a.rstd = buffer(&in->rstd);
    }
    if (in->writes_y)
        a.y = buffer(y);
    if (!did(c, grkan_backward(p->handle, &a, stream)))
        return false;
    workspaces_give(&scratch);
    return true;
}

static bool plan_backward(call *c, inputs *in, int tables, tensor *gradients, tensor *y)
{
    plan p;
    if (!inputs_prepare(c, in, &p))
        return false;
    const bool is_done = backward(c, in, &p, tables, gradients, y);
    plans_release(&p);
    return is_done;
}

void rational_backward(call *c, uint64_t *values)
{
    inputs in = {.form = (int64_t)values[4], .channel_dim = (int64_t)values[5]};
    tensor gradients[1 + family_tables];
    (void)(take(c, values, true, family_tables, false, &in) && inputs_check_gradient(c, &in, true) &&
           plan_backward(c, &in, family_tables, gradients, NULL));
    call_end(c, "grkan::rational_backward", gradients, 1 + family_tables, values);
}

void prologue_backward(call *c, uint64_t *values)
{
    enum { statistics_at = 2 + GRKAN_MOST_TABLES, most_results = 2 + GRKAN_MOST_TABLES };
    const uint64_t wanted = values[statistics_at + 6];
    inputs in = {.frozen = (uint32_t)(~wanted >> 1 & ((1u << GRKAN_MOST_TABLES) - 1)) |
                           ((wanted & 1) != 0 ? 0 : GRKAN_FROZEN_X),
                 .writes_y = (wanted >> (1 + GRKAN_MOST_TABLES) & 1) != 0};
    tensor results[most_results];
    read_prologue(&values[statistics_at + 2], &in);
    (void)(take(c, values, true, GRKAN_MOST_TABLES, true, &in) && inputs_check_gradient(c, &in, false) &&
           plan_backward(c, &in, GRKAN_MOST_TABLES, results, &results[1 + GRKAN_MOST_TABLES]));
    call_end(c, "grkan::prologue_rational_backward", results, most_results, values);
}

/* ------------------------------------------------------------------------------------------- as PyTorch calls them */

#define KERNELS(name)                                                                                                  \
    void name##_on_cpu(uint64_t *values, uint64_t arguments, uint64_t results)                                         \
    {                                                                                                                  \
        call c = {.is_gpu = false};                                                                                    \
        (void)arguments, (void)results;                                                                                \
        name(&c, values);                                                                                              \
    }                                                                                                                  \
    void name##_on_gpu(uint64_t *values, uint64_t arguments, uint64_t results)                                         \
    {                                                                                                                  \
        call c = {.is_gpu = true};                                                                                     \
        (void)arguments, (void)results;                                                                                \
        name(&c, values);                                                                                              \
    }
KERNELS(rational_forward)
KERNELS(rational_backward)
KERNELS(prologue_forward)
KERNELS(norm_forward)
KERNELS(prologue_backward)
