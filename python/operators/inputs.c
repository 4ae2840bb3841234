/* SPDX-License-Identifier: Apache-2.0 */
/** @file inputs.c @brief PyTorch's tensors as a grkan_operation. */
#include "inputs.h"

#include <stdatomic.h>
#include <string.h>

#include "layout.h"

enum { family_tables = 2, coefficients_dim = 2 };

static atomic_int determinism = GRKAN_RUN_TO_RUN;

void inputs_set_determinism(grkan_determinism level)
{
    atomic_store_explicit(&determinism, (int)level, memory_order_relaxed);
}

bool inputs_is_norm(const inputs *in)
{
    return in->prologue == GRKAN_PROLOGUE_LAYER_NORM || in->prologue == GRKAN_PROLOGUE_RMS_NORM;
}

static int count_tables(const inputs *in)
{
    return in->prologue == GRKAN_PROLOGUE_BIAS ? GRKAN_BIAS + 1 : inputs_is_norm(in) ? GRKAN_SHIFT + 1 : family_tables;
}

static const char *name_of(const inputs *in, int table)
{
    static const char *const names[] = {"numerator", "denominator", "scale", "shift"};
    return table == GRKAN_BIAS && in->prologue == GRKAN_PROLOGUE_BIAS ? "bias" : names[table];
}

/* ----------------------------------------------------------------------------------------------------- checks */

/** PyTorch's number of each grkan_dtype. */
static int32_t number_of(size_t dtype)
{
    const int32_t numbers[] = {[GRKAN_F32] = torch_number.float32,
                               [GRKAN_F16] = torch_number.float16,
                               [GRKAN_BF16] = torch_number.bfloat16,
                               [GRKAN_F64] = torch_number.float64};
    return dtype < sizeof numbers / sizeof numbers[0] ? numbers[dtype] : -1;
}

static bool find_dtype(call *c, const char *name, const tensor *t, grkan_dtype *dtype)
{
    for (size_t i = GRKAN_F32; i <= GRKAN_F64; ++i)
        if (number_of(i) == t->dtype) {
            *dtype = (grkan_dtype)i;
            return true;
        }
    return call_fail(
        c, GRKAN_ERROR_INVALID_ARGUMENT,
        "%s has a dtype (PyTorch's number %d) that no kernel takes; expected float32, float16, bfloat16 or "
        "float64",
        name, (int)t->dtype);
}

static bool lie_together(call *c, const char *name, const tensor *t, const tensor *x)
{
    return t->device_index == x->device_index ||
           call_fail(c, GRKAN_ERROR_INVALID_ARGUMENT, "%s lies on another device than x; expected that of x", name);
}

/** What goes with x: a table, or numbers of its rows. */
static bool check_numbers(call *c, const char *name, const tensor *t, const inputs *in)
{
    if (!lie_together(c, name, t, &in->x))
        return false;
    return t->dtype == in->rows_dtype ||
           call_fail(c, GRKAN_ERROR_INVALID_ARGUMENT, "%s has another dtype than goes with x; expected %s", name,
                     in->rows_dtype == torch_number.float64 ? "float64" : "float32");
}

static bool is_absent(const tensor *t)
{
    return t->dim == 1 && t->sizes[0] == 0;
}

static bool check_table(call *c, const inputs *in, int table, int64_t channels)
{
    const tensor *const t = &in->tables[table];
    const char *const name = name_of(in, table);
    if (!check_numbers(c, name, t, in))
        return false;
    if (table < family_tables)
        return t->dim == coefficients_dim ||
               call_fail(c, GRKAN_ERROR_INVALID_ARGUMENT, "%s has %d dimensions; expected [groups, coefficients]", name,
                         (int)t->dim);
    return (t->dim == 1 && t->sizes[0] == channels) || (inputs_is_norm(in) && is_absent(t)) ||
           call_fail(c, GRKAN_ERROR_INVALID_ARGUMENT, "%s has another shape than [%lld]; expected the channels of x",
                     name, (long long)channels);
}

bool inputs_check_gradient(call *c, const inputs *in, bool is_one_type)
{
    bool is_alike = (!is_one_type || in->dy.dtype == in->x.dtype) && in->dy.dim == in->x.dim;
    for (int64_t i = 0; is_alike && i < in->x.dim; ++i)
        is_alike = in->dy.sizes[i] == in->x.sizes[i];
    return lie_together(c, "dy", &in->dy, &in->x) &&
           (is_alike || call_fail(c, GRKAN_ERROR_INVALID_ARGUMENT, "dy has another shape%s than x; expected %s of x",
                                  is_one_type ? " or dtype" : "", is_one_type ? "both as those" : "that"));
}

bool inputs_check_result(call *c, const inputs *in)
{
    bool is_alike = in->y.dtype == in->y_dtype && in->y.dim == in->x.dim;
    for (int64_t i = 0; is_alike && i < in->x.dim; ++i)
        is_alike = in->y.sizes[i] == in->x.sizes[i] && (in->x.sizes[i] == 1 || in->y.strides[i] == in->x.strides[i]);
    return lie_together(c, "y", &in->y, &in->x) &&
           (is_alike || call_fail(c, GRKAN_ERROR_INVALID_ARGUMENT,
                                  "y has another shape, dtype or strides; expected those of the result"));
}

/** Check a norm's numbers of rows, which a saved-tensor hook has given back. */
static bool check_rows(call *c, const char *name, tensor *rows, const inputs *in)
{
    bool is_alike = rows->dim == in->x.dim - 1;
    for (int64_t i = 0; is_alike && i < rows->dim; ++i)
        is_alike = rows->sizes[i] == in->x.sizes[i];
    return check_numbers(c, name, rows, in) &&
           (is_alike || call_fail(c, GRKAN_ERROR_INVALID_ARGUMENT,
                                  "%s has another shape than the rows of x; expected what forward gave", name)) &&
           layout_make_contiguous(c, rows);
}

/** The scope of a table by its rows. */
static bool find_scope(call *c, const inputs *in, int table, int64_t groups, grkan_scope *scope)
{
    const int64_t rows = in->tables[table].sizes[0];
    *scope = rows == groups ? GRKAN_SCOPE_GROUP : GRKAN_SCOPE_SHARED;
    return rows == groups || rows == 1 ||
           call_fail(c, GRKAN_ERROR_INVALID_ARGUMENT, "%s has %lld rows; expected 1, which all groups share, or %lld",
                     name_of(in, table), (long long)rows, (long long)groups);
}

/* ------------------------------------------------------------------------------------------------------ plans */

/** Find the types, and let x lie as kernels take it. */
static bool prepare_x(call *c, inputs *in, bool is_backward, grkan_operation *o)
{
    grkan_dtype output = GRKAN_F32;
    if (!find_dtype(c, "x", &in->x, &o->dtype) || (is_backward && !find_dtype(c, "dy", &in->dy, &output)))
        return false;
    in->rows_dtype = o->dtype == GRKAN_F64 ? torch_number.float64 : torch_number.float32;
    o->output_dtype = !is_backward         ? in->output
                      : output == o->dtype ? GRKAN_OUTPUT_AS_INPUT
                                           : (grkan_output_dtype)(1 + output);
    in->y_dtype = o->output_dtype == GRKAN_OUTPUT_AS_INPUT ? in->x.dtype : number_of((size_t)o->output_dtype - 1);
    return inputs_is_norm(in) ? layout_make_contiguous(c, &in->x) : layout_make_dense(c, &in->x);
}

/** Where the channels are. A norm's must be the fastest dimension. */
static bool find_channel(call *c, const inputs *in, int64_t *channel)
{
    *channel = in->channel_dim < 0 ? in->channel_dim + in->x.dim : in->channel_dim;
    if (*channel < 0 || *channel >= in->x.dim)
        return call_fail(c, GRKAN_ERROR_INVALID_ARGUMENT,
                         "channel_dim is %lld; expected a dimension of x, which has %lld", (long long)in->channel_dim,
                         (long long)in->x.dim);
    return !inputs_is_norm(in) || *channel == in->x.dim - 1 ||
           call_fail(c, GRKAN_ERROR_INVALID_ARGUMENT,
                     "the channels of x are dimension %lld; expected the last one for a norm", (long long)*channel);
}

/** An operation on a dense x. What else is wrong with it, grkan tells. */
static bool describe(call *c, const inputs *in, int64_t channel, grkan_operation *o)
{
    const tensor *const tables = in->tables;
    grkan_rational *const r = &o->rational;
    layout_of_channels(&in->x, channel, &o->outer, &o->channels, &o->inner);
    o->groups = tables[0].sizes[0] > tables[1].sizes[0] ? tables[0].sizes[0] : tables[1].sizes[0];
    o->family = GRKAN_FAMILY_RATIONAL;
    r->numerator_degree = (int)tables[GRKAN_NUMERATOR].sizes[1] - 1;
    r->form = (grkan_form)in->form;
    r->denominator_degree = (int)tables[GRKAN_DENOMINATOR].sizes[1] - (r->form == GRKAN_ABS_SUM_OFFSET);
    o->prologue = in->prologue;
    if (inputs_is_norm(in)) {
        o->norm.epsilon = in->epsilon;
        o->norm.has_scale = !is_absent(&tables[GRKAN_SCALE]);
        o->norm.has_shift = !is_absent(&tables[GRKAN_SHIFT]);
    }
    return find_scope(c, in, GRKAN_NUMERATOR, o->groups, &r->numerator_scope) &&
           find_scope(c, in, GRKAN_DENOMINATOR, o->groups, &r->denominator_scope);
}

/** As many threads of the cpu as PyTorch takes; 0 if it does not tell. */
static bool find_threads(call *c, int32_t *threads)
{
    uint32_t found = 0;
    const bool is_found = torch.torch_get_num_threads == NULL || TORCH(c, torch_get_num_threads, &found);
    *threads = (int32_t)found;
    return is_found;
}

bool inputs_prepare(call *c, inputs *in, plan *found)
{
    const bool is_backward = in->dy.handle != NULL;
    int64_t channel;
    plan_key key;
    memset(&key, 0, sizeof key);
    key.determinism = (grkan_determinism)atomic_load_explicit(&determinism, memory_order_relaxed);
    key.device_index = c->is_gpu ? in->x.device_index : -1;
    key.writes_y = in->writes_y;
    in->table_count = count_tables(in);
    key.frozen = in->frozen & (GRKAN_FROZEN_X | ((1u << in->table_count) - 1));
    if (!prepare_x(c, in, is_backward, &key.operation) || !find_channel(c, in, &channel))
        return false;
    for (int i = 0; i < in->table_count; ++i)
        if (!check_table(c, in, i, in->x.sizes[channel]) || !layout_make_contiguous(c, &in->tables[i]))
            return false;
    if (is_backward && inputs_is_norm(in) &&
        ((in->prologue == GRKAN_PROLOGUE_LAYER_NORM && !check_rows(c, "mean", &in->mean, in)) ||
         !check_rows(c, "rstd", &in->rstd, in)))
        return false;
    return (c->is_gpu || find_threads(c, &key.threads)) && describe(c, in, channel, &key.operation) &&
           plans_find(c, &key, found);
}
