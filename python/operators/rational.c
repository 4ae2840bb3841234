/* SPDX-License-Identifier: Apache-2.0 */
/** @file rational.c @brief The operators' kernels: PyTorch's tensors as the arguments of grkan_forward and grkan_backward. */
#include "rational.h"

#include <stdatomic.h>
#include <string.h>

#include "layout.h"
#include "plans.h"
#include "workspaces.h"

enum { table_count = 2, coefficients_dim = 2 };

static const char *const table_names[table_count] = {"numerator", "denominator"};

static atomic_int determinism = GRKAN_RUN_TO_RUN;

void rational_set_determinism(grkan_determinism level)
{
    atomic_store_explicit(&determinism, (int)level, memory_order_relaxed);
}

/** An operator's tensors, and the numbers behind them. */
typedef struct inputs {
    tensor dy; /* of backward */
    tensor x;
    tensor tables[table_count];
    int64_t form;
    int64_t channel_dim;
} inputs;

/* ----------------------------------------------------------------------------------------------------- checks */

static bool find_dtype(call *c, const tensor *x, grkan_dtype *dtype)
{
    const int32_t known[] = {[GRKAN_F32] = torch_number.float32,
                             [GRKAN_F16] = torch_number.float16,
                             [GRKAN_BF16] = torch_number.bfloat16,
                             [GRKAN_F64] = torch_number.float64};
    for (size_t i = 0; i < sizeof known / sizeof known[0]; ++i)
        if (known[i] == x->dtype) {
            *dtype = (grkan_dtype)i;
            return true;
        }
    return call_fail(c, GRKAN_ERROR_INVALID_ARGUMENT,
                     "x has a dtype (PyTorch's number %d) that no kernel takes; expected float32, float16, bfloat16 or "
                     "float64",
                     (int)x->dtype);
}

static bool lie_together(call *c, const char *name, const tensor *t, const tensor *x)
{
    return t->device_index == x->device_index ||
           call_fail(c, GRKAN_ERROR_INVALID_ARGUMENT, "%s lies on another device than x; expected that of x", name);
}

static bool check_table(call *c, const char *name, const tensor *table, const tensor *x, grkan_dtype dtype)
{
    const bool is_double = dtype == GRKAN_F64;
    if (!lie_together(c, name, table, x))
        return false;
    if (table->dtype != (is_double ? torch_number.float64 : torch_number.float32))
        return call_fail(c, GRKAN_ERROR_INVALID_ARGUMENT, "%s has another dtype than goes with x; expected %s", name,
                         is_double ? "float64" : "float32");
    return table->dim == coefficients_dim ||
           call_fail(c, GRKAN_ERROR_INVALID_ARGUMENT, "%s has %d dimensions; expected [groups, coefficients]", name,
                     (int)table->dim);
}

static bool check_gradient(call *c, const inputs *in)
{
    bool is_alike = in->dy.dtype == in->x.dtype && in->dy.dim == in->x.dim;
    for (int64_t i = 0; is_alike && i < in->x.dim; ++i)
        is_alike = in->dy.sizes[i] == in->x.sizes[i];
    return lie_together(c, "dy", &in->dy, &in->x) &&
           (is_alike || call_fail(c, GRKAN_ERROR_INVALID_ARGUMENT,
                                  "dy has another shape or dtype than x; expected both as "
                                  "those of x"));
}

/** The scope of a table by its rows. */
static bool find_scope(call *c, int table, int64_t rows, int64_t groups, grkan_scope *scope)
{
    *scope = rows == groups ? GRKAN_SCOPE_GROUP : GRKAN_SCOPE_SHARED;
    return rows == groups || rows == 1 ||
           call_fail(c, GRKAN_ERROR_INVALID_ARGUMENT, "%s has %lld rows; expected 1, which all groups share, or %lld",
                     table_names[table], (long long)rows, (long long)groups);
}

/* ------------------------------------------------------------------------------------------------------ plans */

/** An operation on a dense x. What else is wrong with it, grkan tells. */
static bool describe(call *c, const inputs *in, grkan_dtype dtype, grkan_operation *o)
{
    const int64_t channel = in->channel_dim < 0 ? in->channel_dim + in->x.dim : in->channel_dim;
    const int64_t rows[table_count] = {in->tables[0].sizes[0], in->tables[1].sizes[0]};
    grkan_rational *const r = &o->rational;
    if (channel < 0 || channel >= in->x.dim)
        return call_fail(c, GRKAN_ERROR_INVALID_ARGUMENT,
                         "channel_dim is %lld; expected a dimension of x, which has %lld", (long long)in->channel_dim,
                         (long long)in->x.dim);
    layout_of_channels(&in->x, channel, &o->outer, &o->channels, &o->inner);
    o->groups = rows[0] > rows[1] ? rows[0] : rows[1];
    o->dtype = dtype;
    o->family = GRKAN_FAMILY_RATIONAL;
    r->numerator_degree = (int)in->tables[0].sizes[1] - 1;
    r->form = (grkan_form)in->form;
    r->denominator_degree = (int)in->tables[1].sizes[1] - (r->form == GRKAN_ABS_SUM_OFFSET);
    return find_scope(c, GRKAN_NUMERATOR, rows[0], o->groups, &r->numerator_scope) &&
           find_scope(c, GRKAN_DENOMINATOR, rows[1], o->groups, &r->denominator_scope);
}

/** As many threads of the cpu as PyTorch takes; 0 if it does not tell. */
static bool find_threads(call *c, int32_t *threads)
{
    uint32_t found = 0;
    const bool is_found = torch.torch_get_num_threads == NULL || TORCH(c, torch_get_num_threads, &found);
    *threads = (int32_t)found;
    return is_found;
}

/** Check the inputs, let x and the tables lie as kernels take them, and find the plan. */
static bool prepare(call *c, inputs *in, plan *found)
{
    plan_key key;
    grkan_dtype dtype = GRKAN_F32;
    memset(&key, 0, sizeof key);
    key.determinism = (grkan_determinism)atomic_load_explicit(&determinism, memory_order_relaxed);
    key.device_index = c->is_gpu ? in->x.device_index : -1;
    if (!find_dtype(c, &in->x, &dtype) || !layout_make_dense(c, &in->x))
        return false;
    for (int i = 0; i < table_count; ++i)
        if (!check_table(c, table_names[i], &in->tables[i], &in->x, dtype) ||
            !layout_make_contiguous(c, &in->tables[i]))
            return false;
    return (c->is_gpu || find_threads(c, &key.threads)) && describe(c, in, dtype, &key.operation) &&
           plans_find(c, &key, found);
}

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

/* ----------------------------------------------------------------------------------------------- the operators */

static bool forward(call *c, inputs *in, const plan *p, tensor *y)
{
    void *stream;
    if (!call_make_like(c, &in->x, y) || !find_stream(c, y, &stream))
        return false;
    const grkan_forward_arguments a = {
        .x = buffer(&in->x), .tables = {buffer(&in->tables[0]), buffer(&in->tables[1])}, .y = buffer(y)};
    return did(c, grkan_forward(p->handle, &a, stream));
}

static void call_forward(bool is_gpu, uint64_t *values)
{
    call c = {.is_gpu = is_gpu};
    tensor taken[1 + table_count], y;
    plan p;
    if (call_take(&c, values, 1 + table_count, taken)) {
        inputs in = {.x = taken[0],
                     .tables = {taken[1], taken[2]},
                     .form = (int64_t)values[3],
                     .channel_dim = (int64_t)values[4]};
        if (prepare(&c, &in, &p)) {
            (void)forward(&c, &in, &p, &y);
            plans_release(&p);
        }
    }
    call_end(&c, "grkan::rational", &y, 1, values);
}

void rational_forward_on_cpu(uint64_t *values, uint64_t arguments, uint64_t results)
{
    (void)arguments, (void)results;
    call_forward(false, values);
}

void rational_forward_on_gpu(uint64_t *values, uint64_t arguments, uint64_t results)
{
    (void)arguments, (void)results;
    call_forward(true, values);
}

/** @param gradients out, of x and the tables */
static bool backward(call *c, inputs *in, const plan *p, tensor *gradients)
{
    workspace scratch;
    void *stream;
    bool is_made = layout_make_like(c, &in->x, &in->dy) && call_make_like(c, &in->x, &gradients[0]);
    for (int i = 0; is_made && i < table_count; ++i)
        is_made = call_make_like(c, &in->tables[i], &gradients[1 + i]);
    if (!is_made || !find_stream(c, &in->x, &stream) || !workspaces_take(c, p, &in->x, stream, &scratch))
        return false;
    const grkan_backward_arguments a = {.x = buffer(&in->x),
                                        .dy = buffer(&in->dy),
                                        .tables = {buffer(&in->tables[0]), buffer(&in->tables[1])},
                                        .dx = buffer(&gradients[0]),
                                        .gradients = {buffer(&gradients[1]), buffer(&gradients[2])},
                                        .workspace = {scratch.base, 0},
                                        .workspace_bytes = p->workspace_bytes};
    if (!did(c, grkan_backward(p->handle, &a, stream)))
        return false;
    workspaces_give(&scratch);
    return true;
}

static void call_backward(bool is_gpu, uint64_t *values)
{
    call c = {.is_gpu = is_gpu};
    tensor taken[2 + table_count], gradients[1 + table_count];
    plan p;
    if (call_take(&c, values, 2 + table_count, taken)) {
        inputs in = {.dy = taken[0],
                     .x = taken[1],
                     .tables = {taken[2], taken[3]},
                     .form = (int64_t)values[4],
                     .channel_dim = (int64_t)values[5]};
        if (check_gradient(&c, &in) && prepare(&c, &in, &p)) {
            (void)backward(&c, &in, &p, gradients);
            plans_release(&p);
        }
    }
    call_end(&c, "grkan::rational_backward", gradients, 1 + table_count, values);
}

void rational_backward_on_cpu(uint64_t *values, uint64_t arguments, uint64_t results)
{
    (void)arguments, (void)results;
    call_backward(false, values);
}

void rational_backward_on_gpu(uint64_t *values, uint64_t arguments, uint64_t results)
{
    (void)arguments, (void)results;
    call_backward(true, values);
}
