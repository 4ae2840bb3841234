/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file layout.c
 * @brief Layouts as PyTorch has them: a stride counts elements, and means nothing where a size is 1. A copy gets the strides
 * that torch.empty_like gives, which is what PyTorch expects of results, too.
 */
#include "layout.h"

static bool is_contiguous(const tensor *t)
{
    int64_t expected = 1;
    for (int64_t i = t->dim - 1; i >= 0; --i) {
        if (t->sizes[i] != 1 && t->strides[i] != expected)
            return false;
        expected *= t->sizes[i];
    }
    return true;
}

static bool is_empty(const tensor *t)
{
    for (int64_t i = 0; i < t->dim; ++i)
        if (t->sizes[i] == 0)
            return true;
    return false;
}

/** Whether the elements lie one after the other, in whatever order of dimensions. */
static bool is_dense(const tensor *t)
{
    int64_t order[most_dimensions], count = 0, expected = 1; /* dimensions from the fastest on */
    if (is_contiguous(t) || is_empty(t))
        return true;
    for (int64_t i = 0; i < t->dim; ++i) {
        int64_t place = count;
        if (t->sizes[i] == 1)
            continue;
        for (; place > 0 && t->strides[order[place - 1]] > t->strides[i]; --place)
            order[place] = order[place - 1];
        order[place] = i;
        count += 1;
    }
    for (int64_t k = 0; k < count; ++k) {
        if (t->strides[order[k]] != expected)
            return false;
        expected *= t->sizes[order[k]];
    }
    return true;
}

static bool lie_alike(const tensor *a, const tensor *b)
{
    for (int64_t i = 0; i < a->dim; ++i)
        if (a->sizes[i] != 1 && a->strides[i] != b->strides[i])
            return false;
    return true;
}

bool layout_make_dense(call *c, tensor *t)
{
    return is_dense(t) || call_clone(c, t);
}

bool layout_make_like(call *c, const tensor *x, tensor *t)
{
    tensor made;
    return lie_alike(x, t) || is_empty(t) || (call_make_like(c, x, t->dtype, &made) && call_copy(c, &made, t));
}

/** Make a tensor of some sizes, the last dimension the fastest. */
static bool make_contiguous(call *c, int64_t dim, const int64_t *sizes, int32_t dtype, const tensor *on, tensor *made)
{
    int64_t strides[most_dimensions], step = 1;
    for (int64_t i = dim - 1; i >= 0; --i) {
        strides[i] = step;
        step *= sizes[i];
    }
    return call_make(c, dim, sizes, strides, dtype, on, made);
}

bool layout_make_contiguous(call *c, tensor *t)
{
    tensor made;
    return is_contiguous(t) || is_empty(t) ||
           (make_contiguous(c, t->dim, t->sizes, t->dtype, t, &made) && call_copy(c, &made, t));
}

bool layout_make_rows(call *c, const tensor *x, int32_t dtype, tensor *made)
{
    return make_contiguous(c, x->dim - 1, x->sizes, dtype, x, made);
}

void layout_of_channels(const tensor *t, int64_t channel, int64_t *outer, int64_t *channels, int64_t *inner)
{
    *outer = *inner = 1;
    *channels = t->sizes[channel];
    for (int64_t i = 0; i < t->dim; ++i)
        if (i != channel)
            *(t->strides[i] < t->strides[channel] ? inner : outer) *= t->sizes[i];
}
