/* SPDX-License-Identifier: Apache-2.0 */
/** @file data.c @brief Inputs of a case from its seed. */
#include "data.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "at_limits.h"
#include "operations.h"
#include "random.h"
#include "storage_types.h"

const char *check_tensor_name(check_tensor tensor)
{
    static const char *const names[] = {"x", "dy", "numerator", "denominator", "y", "dx", "dnumerator", "ddenominator"};
    return names[tensor];
}

check_shape check_table_shape(const grkan_operation *o, int table)
{
    const grkan_rational *const r = &o->rational;
    const int first = oracle_first_denominator(r->form);
    return table == GRKAN_NUMERATOR
               ? (check_shape){rows_of_scope(o, r->numerator_scope), r->numerator_degree + 1, 0}
               : (check_shape){rows_of_scope(o, r->denominator_scope), r->denominator_degree + 1 - first, first};
}

int64_t check_row_start(check_shape shape, int64_t group)
{
    return shape.rows == 1 ? 0 : group * shape.width;
}

/** The table that a tensor is, or is the gradient of; -1: neither. */
static int table_of(check_tensor tensor)
{
    if (tensor >= CHECK_NUMERATOR && tensor < CHECK_NUMERATOR + CHECK_TABLES)
        return (int)tensor - CHECK_NUMERATOR;
    return tensor >= CHECK_DNUMERATOR ? (int)tensor - CHECK_DNUMERATOR : -1;
}

int64_t check_tensor_count(const check_case *one, check_tensor tensor)
{
    const grkan_operation *o = &one->operation;
    if (table_of(tensor) < 0)
        return o->outer * o->channels * o->inner;
    const check_shape shape = check_table_shape(o, table_of(tensor));
    return shape.rows * shape.width;
}

grkan_dtype check_tensor_dtype(const check_case *one, check_tensor tensor)
{
    if (table_of(tensor) >= 0)
        return storage_of_coefficients(one->operation.dtype);
    return tensor == CHECK_Y || tensor == CHECK_DY ? grkan_operation_output_dtype(&one->operation)
                                                   : one->operation.dtype;
}

size_t check_tensor_bytes(const check_case *one, check_tensor tensor)
{
    return (size_t)check_tensor_count(one, tensor) * grkan_dtype_bytes(check_tensor_dtype(one, tensor));
}

int64_t check_group_start(const grkan_operation *o, int64_t group)
{
    const int64_t each = o->channels / o->groups, longer = o->channels % o->groups;
    return group * each + (group < longer ? group : longer);
}

/** How many of the highest coefficients of a set are zero. */
static int zeros_on_top(const check_case *one, check_random *random, int degree)
{
    switch (one->coefficients) {
    case CHECK_TOP_ZERO:
        return 1 + check_random_below(random, degree + 1);
    case CHECK_IDENTITY:
        return degree + 1;
    default:
        return 0;
    }
}

/** The coefficients of one group, of degrees first..last. spread damps the higher ones. */
static void fill_group(const check_case *one, check_random *random, void *array, int64_t at, int first, int last,
                       double spread)
{
    const grkan_dtype dtype = storage_of_coefficients(one->operation.dtype);
    const int top = last - zeros_on_top(one, random, last);
    double scale = 1;
    for (int i = 0; i <= last; i++, scale *= spread) {
        const double value = i <= top ? scale * check_random_normal(random) : i % 2 ? -0.0 : 0.0;
        if (i >= first)
            storage_store(dtype, array, at++, value);
    }
}

/** Poles are allowed under `plain` but teach little: its coefficients shrink, so that most elements are far from one. */
static void fill_coefficients(const check_case *one, check_random *random, check_data *data)
{
    const grkan_operation *o = &one->operation;
    const grkan_dtype dtype = storage_of_coefficients(o->dtype);
    for (int k = 0; k < CHECK_TABLES; k++) {
        const check_shape shape = check_table_shape(o, k);
        void *const table = data->tensor[CHECK_NUMERATOR + k];
        for (int64_t row = 0; row < shape.rows; row++) {
            fill_group(one, random, table, row * shape.width, shape.first, shape.first + shape.width - 1,
                       k == 1 && o->rational.form == GRKAN_PLAIN ? 0.3 : 0.8);
            if (k == 0 && one->coefficients == CHECK_IDENTITY && shape.width > 1)
                storage_store(dtype, table, row * shape.width + 1, 1);
        }
    }
}

static void fill_limits(const check_case *one, check_random *random, check_data *data)
{
    const grkan_operation *o = &one->operation;
    const grkan_dtype dtype = storage_of_coefficients(o->dtype);
    const int counts[CHECK_TABLES] = {check_table_shape(o, 0).width, check_table_shape(o, 1).width};
    double values[2 * ORACLE_COEFFICIENTS];
    for (int64_t g = 0; g < o->groups; g++) {
        const double *value = values;
        limits_coefficients(one, random, limits_extreme_of(one, g), values, counts[0] + counts[1]);
        for (int k = 0; k < CHECK_TABLES; k++)
            for (int i = 0; i < counts[k]; i++)
                storage_store(dtype, data->tensor[CHECK_NUMERATOR + k], g * counts[k] + i, *value++);
    }
}

static void fill_published(const check_case *one, check_data *data)
{
    const grkan_dtype dtype = storage_of_coefficients(one->operation.dtype);
    const double *const values[CHECK_TABLES] = {one->preset->numerator, one->preset->denominator};
    for (int k = 0; k < CHECK_TABLES; k++) {
        const check_shape shape = check_table_shape(&one->operation, k);
        for (int64_t i = 0; i < shape.rows * shape.width; i++)
            storage_store(dtype, data->tensor[CHECK_NUMERATOR + k], i, values[k][i % shape.width]);
    }
}

/** Half of the values ordinary, half of any size that the type has room for. */
static double huge_value(grkan_dtype dtype, check_random *random)
{
    const int exponents = dtype == GRKAN_F16 ? 16 : dtype == GRKAN_F64 ? 332 : 100;
    if (check_random_below(random, 2))
        return check_random_normal(random);
    const double sign = check_random_below(random, 2) ? -1 : 1;
    const double fraction = 1 + check_random_uniform(random);
    return sign *
           ldexp(fraction, check_random_below(random, exponents)); /* without libm's rounding: the same anywhere */
}

/** One element in 8 is special; which way depends on the group, so that some groups stay finite. */
static void special_element(const check_case *one, check_random *random, int64_t group, long double *x, long double *dy)
{
    if (check_random_below(random, 8))
        return;
    const long double sign = check_random_below(random, 2) ? -1 : 1;
    const grkan_dtype dtype = one->operation.dtype;
    const long double subnormal = storage_min_normal(dtype) / 16 + 3 * storage_ulp(dtype, 0);
    const int choice = check_random_below(random, 2);
    switch (((uint64_t)group + one->seed) % 4) {
    case 0: /* finite */
        *x = sign * (choice ? subnormal : 0);
        break;
    case 1:
        *x = NAN;
        break;
    case 2:
        *x = sign * INFINITY;
        break;
    default:
        *dy = choice ? NAN : sign * INFINITY;
        break;
    }
}

static void fill_element(const check_case *one, check_random *random, int64_t index, int64_t group, check_data *data)
{
    const int64_t count = check_tensor_count(one, CHECK_X);
    const double normal_dy = check_random_normal(random);
    long double x = check_random_normal(random);
    long double dy = fabs(normal_dy) < 1e-3 ? 1e-3 : normal_dy;
    if (one->values == CHECK_HUGE)
        x = huge_value(one->operation.dtype, random);
    else if (one->values == CHECK_LIMITS)
        limits_element(one, random, limits_extreme_of(one, group), &x, &dy);
    else if (one->values == CHECK_SPECIAL)
        special_element(one, random, group, &x, &dy);
    else if (one->values == CHECK_GRID)
        x = -3 + 6 * (long double)index / (long double)(count > 1 ? count - 1 : 1);
    storage_store(one->operation.dtype, data->tensor[CHECK_X], index, x);
    storage_store(check_tensor_dtype(one, CHECK_DY), data->tensor[CHECK_DY], index, dy);
}

static void fill_elements(const check_case *one, check_random *random, check_data *data)
{
    const grkan_operation *o = &one->operation;
    int64_t index = 0;
    for (int64_t outer = 0; outer < o->outer; outer++)
        for (int64_t group = 0; group < o->groups; group++) {
            const int64_t channels = check_group_start(o, group + 1) - check_group_start(o, group);
            for (int64_t k = 0; k < channels * o->inner; k++)
                fill_element(one, random, index++, group, data);
        }
}

bool check_data_create(const check_case *one, check_data *data)
{
    *data = (check_data){{0}};
    for (int t = 0; t < CHECK_TENSORS; t++) {
        if (t == CHECK_Y || t == CHECK_DX)
            continue;
        data->tensor[t] = calloc(check_tensor_bytes(one, (check_tensor)t) + 1, 1);
        if (!data->tensor[t]) {
            check_data_free(data);
            return false;
        }
    }
    check_random random = {one->seed};
    if (one->coefficients == CHECK_PUBLISHED)
        fill_published(one, data);
    else if (one->values == CHECK_LIMITS)
        fill_limits(one, &random, data);
    else
        fill_coefficients(one, &random, data);
    for (int t = CHECK_DNUMERATOR; t <= CHECK_DDENOMINATOR; t++)
        for (int64_t i = 0; i < check_tensor_count(one, (check_tensor)t); i++)
            storage_store(check_tensor_dtype(one, (check_tensor)t), data->tensor[t], i, check_random_normal(&random));
    fill_elements(one, &random, data);
    return true;
}

void check_data_free(check_data *data)
{
    for (int t = 0; t < CHECK_TENSORS; t++)
        free(data->tensor[t]);
    *data = (check_data){{0}};
}

oracle_function check_function(const check_case *one, const check_data *data, int64_t group)
{
    const grkan_operation *o = &one->operation;
    const grkan_dtype dtype = storage_of_coefficients(o->dtype);
    oracle_function f = {
        .form = o->rational.form, .m = o->rational.numerator_degree, .n = o->rational.denominator_degree};
    for (int k = 0; k < CHECK_TABLES; k++) {
        const check_shape shape = check_table_shape(o, k);
        const int64_t start = check_row_start(shape, group);
        for (int i = 0; i < shape.width; i++)
            (k == 0 ? f.a : f.b)[shape.first + i] = storage_load(dtype, data->tensor[CHECK_NUMERATOR + k], start + i);
    }
    f.unit = storage_ulp(dtype, 1) / 2;
    /* Only device_to_device promises to keep subnormals. A few underflows in one element, scaled by its coefficients. */
    f.tiny =
        256 * (one->options.determinism == GRKAN_DEVICE_TO_DEVICE ? storage_ulp(dtype, 0) : storage_min_normal(dtype));
    if (one->values == CHECK_LIMITS)
        f.tiny *= limits_underflow(one, limits_extreme_of(one, group));
    return f;
}
