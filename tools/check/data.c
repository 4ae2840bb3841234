/* SPDX-License-Identifier: Apache-2.0 */
/** @file data.c @brief Inputs of a case from its seed. */
#include "data.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "at_limits.h"
#include "random.h"
#include "storage_types.h"

/** Tables of the family come first. */
enum { FAMILY_TABLES = GRKAN_DENOMINATOR + 1 };

grkan_table check_table_of(const grkan_operation *o, int k)
{
    grkan_table tables[GRKAN_MOST_TABLES];
    int count = 0;
    (void)grkan_operation_tables(o, tables, &count);
    return k < count ? tables[k] : (grkan_table){.name = "", .gradient = ""};
}

int64_t check_row_start(const grkan_table *table, int64_t group)
{
    return table->scope == GRKAN_SCOPE_SHARED ? 0 : group * table->width;
}

/** The table that a tensor is, or is the gradient of; -1: neither. */
static int table_of(check_tensor tensor)
{
    if (tensor >= CHECK_TABLE && tensor < CHECK_TABLE + GRKAN_MOST_TABLES)
        return (int)tensor - CHECK_TABLE;
    return tensor >= CHECK_GRADIENT ? (int)tensor - CHECK_GRADIENT : -1;
}

bool check_has_tensor(const check_case *one, check_tensor tensor)
{
    const grkan_operation *const o = &one->operation;
    const int table = table_of(tensor);
    if (table >= 0)
        return check_table_of(o, table).rows > 0 &&
               (tensor < CHECK_GRADIENT || (one->options.frozen >> table & 1) == 0);
    switch (tensor) {
    case CHECK_MEAN:
        return o->prologue == GRKAN_PROLOGUE_LAYER_NORM;
    case CHECK_RSTD:
        return o->prologue == GRKAN_PROLOGUE_LAYER_NORM || o->prologue == GRKAN_PROLOGUE_RMS_NORM;
    case CHECK_DX:
        return (one->options.frozen & GRKAN_FROZEN_X) == 0;
    case CHECK_Y_AGAIN:
        return one->options.writes_y != 0;
    default:
        return true;
    }
}

const char *check_tensor_name(const grkan_operation *o, check_tensor tensor)
{
    static const char *const names[] = {
        [CHECK_X] = "x",
        [CHECK_DY] = "dy",
        [CHECK_Y] = "y",
        [CHECK_MEAN] = "mean",
        [CHECK_RSTD] = "rstd",
        [CHECK_DX] = "dx",
        [CHECK_Y_AGAIN] = "backward's y",
    };
    if (table_of(tensor) < 0)
        return names[tensor];
    const grkan_table table = check_table_of(o, table_of(tensor));
    return tensor < CHECK_GRADIENT ? table.name : table.gradient;
}

int64_t check_tensor_count(const check_case *one, check_tensor tensor)
{
    const grkan_operation *o = &one->operation;
    if (!check_has_tensor(one, tensor))
        return 0;
    if (tensor == CHECK_MEAN || tensor == CHECK_RSTD)
        return o->outer;
    if (table_of(tensor) < 0)
        return o->outer * o->channels * o->inner;
    const grkan_table table = check_table_of(o, table_of(tensor));
    return table.rows * table.width;
}

grkan_dtype check_tensor_dtype(const check_case *one, check_tensor tensor)
{
    if (table_of(tensor) >= 0 || tensor == CHECK_MEAN || tensor == CHECK_RSTD)
        return storage_of_coefficients(one->operation.dtype);
    return tensor == CHECK_X || tensor == CHECK_DX ? one->operation.dtype
                                                   : grkan_operation_output_dtype(&one->operation);
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
    for (int k = 0; k < FAMILY_TABLES; k++) {
        const grkan_table table = check_table_of(o, k);
        const int first = k == GRKAN_NUMERATOR ? 0 : oracle_first_denominator(o->rational.form);
        void *const values = data->tensor[CHECK_TABLE + k];
        for (int64_t row = 0; row < table.rows; row++) {
            fill_group(one, random, values, row * table.width, first, first + table.width - 1,
                       k == GRKAN_DENOMINATOR && o->rational.form == GRKAN_PLAIN ? 0.3 : 0.8);
            if (k == GRKAN_NUMERATOR && one->coefficients == CHECK_IDENTITY && table.width > 1)
                storage_store(dtype, values, row * table.width + 1, 1);
        }
    }
}

/** Biases and shifts move elements by about the size of an activation's features; scales are about 1. */
static void fill_prologue(const check_case *one, check_random *random, check_data *data)
{
    const grkan_operation *const o = &one->operation;
    for (int k = FAMILY_TABLES; k < GRKAN_MOST_TABLES; k++) {
        const grkan_table table = check_table_of(o, k);
        const bool is_scale = o->prologue != GRKAN_PROLOGUE_BIAS && k == GRKAN_SCALE;
        for (int64_t i = 0; i < table.rows * table.width; i++) {
            const double normal = check_random_normal(random);
            storage_store(storage_of_coefficients(o->dtype), data->tensor[CHECK_TABLE + k], i,
                          is_scale ? 1 + normal / 4 : normal / 2);
        }
    }
}

static void fill_limits(const check_case *one, check_random *random, check_data *data)
{
    const grkan_operation *o = &one->operation;
    const grkan_dtype dtype = storage_of_coefficients(o->dtype);
    const int counts[FAMILY_TABLES] = {check_table_of(o, 0).width, check_table_of(o, 1).width};
    double values[2 * ORACLE_COEFFICIENTS];
    for (int64_t g = 0; g < o->groups; g++) {
        const double *value = values;
        limits_coefficients(one, random, limits_extreme_of(one, g), values, counts[0] + counts[1]);
        for (int k = 0; k < FAMILY_TABLES; k++)
            for (int i = 0; i < counts[k]; i++)
                storage_store(dtype, data->tensor[CHECK_TABLE + k], g * counts[k] + i, *value++);
    }
}

static void fill_published(const check_case *one, check_data *data)
{
    const grkan_dtype dtype = storage_of_coefficients(one->operation.dtype);
    const double *const values[FAMILY_TABLES] = {one->preset->numerator, one->preset->denominator};
    for (int k = 0; k < FAMILY_TABLES; k++) {
        const grkan_table table = check_table_of(&one->operation, k);
        for (int64_t i = 0; i < table.rows * table.width; i++)
            storage_store(dtype, data->tensor[CHECK_TABLE + k], i, values[k][i % table.width]);
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

/** Rows of a norm: every third holds one number, every third has a mean hundreds of times its spread. */
static long double element_of_rows(const check_case *one, int64_t row, long double normal)
{
    check_random random = check_random_stream(one->seed, (uint64_t)row);
    const double centre = check_random_normal(&random);
    switch (((uint64_t)row + one->seed) % 3) {
    case 0:
        return normal;
    case 1:
        return 100 * centre;
    default:
        return normal + (centre < 0 ? -500 : 500) * (1 + fabs(centre));
    }
}

/** One element in 16 is special; which way depends on the row. A NaN is one of them or the first of its row. */
static void special_of_rows(const check_case *one, check_random *random, int64_t row, bool is_first, long double *x,
                            long double *dy)
{
    const grkan_dtype dtype = one->operation.dtype;
    const long double subnormal = storage_min_normal(dtype) / 16 + 3 * storage_ulp(dtype, 0);
    const int choice = check_random_below(random, 16);
    const long double sign = check_random_below(random, 2) ? -1 : 1;
    switch (((uint64_t)row + one->seed) % 4) {
    case 0:
        *x = choice < 2 ? sign * subnormal * choice : *x;
        break;
    case 1:
        *x = is_first || choice == 0 ? NAN : *x;
        break;
    case 2:
        *dy = choice == 0 ? (row % 2 ? NAN : sign * INFINITY) : *dy;
        break;
    default:
        break;
    }
}

static void fill_element(const check_case *one, check_random *random, int64_t index, int64_t group, check_data *data)
{
    const int64_t count = check_tensor_count(one, CHECK_X);
    const int64_t row_elements = one->operation.channels * one->operation.inner;
    const double normal_dy = check_random_normal(random);
    long double x = check_random_normal(random);
    long double dy = fabs(normal_dy) < 1e-3 ? 1e-3 : normal_dy;
    if (one->values == CHECK_HUGE)
        x = huge_value(one->operation.dtype, random);
    else if (one->values == CHECK_LIMITS)
        limits_element(one, random, limits_extreme_of(one, group), &x, &dy);
    else if (one->values == CHECK_SPECIAL)
        special_element(one, random, group, &x, &dy);
    else if (one->values == CHECK_ROWS)
        x = element_of_rows(one, index / row_elements, x);
    else if (one->values == CHECK_SPECIAL_ROWS)
        special_of_rows(one, random, index / row_elements, index % row_elements == 0, &x, &dy);
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

bool check_data_create(const check_case *wanted, check_data *data)
{
    check_case whole = *wanted;
    const check_case *const one = &whole;
    whole.options.frozen = 0; /* data do not depend on it */
    *data = (check_data){{0}};
    for (int t = 0; t < CHECK_TENSORS; t++) {
        if (t >= CHECK_FIRST_OUTPUT && t < CHECK_GRADIENT)
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
    fill_prologue(one, &random, data);
    for (int t = CHECK_GRADIENT; t < CHECK_TENSORS; t++)
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

/** Only device_to_device promises to keep subnormals. A few underflows in one element. */
static long double tiny_of(const check_case *one)
{
    const grkan_dtype dtype = storage_of_coefficients(one->operation.dtype);
    const bool keeps = one->options.determinism == GRKAN_DEVICE_TO_DEVICE;
    return 256 * (keeps ? storage_ulp(dtype, 0) : storage_min_normal(dtype));
}

oracle_norm check_norm(const check_case *one)
{
    const grkan_operation *const o = &one->operation;
    return (oracle_norm){.kind = o->prologue,
                         .epsilon = o->norm.epsilon,
                         .channels = o->channels,
                         .unit = storage_ulp(storage_of_coefficients(o->dtype), 1) / 2,
                         .tiny = tiny_of(one)};
}

oracle_function check_function(const check_case *one, const check_data *data, int64_t group)
{
    const grkan_operation *o = &one->operation;
    const grkan_dtype dtype = storage_of_coefficients(o->dtype);
    oracle_function f = {
        .form = o->rational.form, .m = o->rational.numerator_degree, .n = o->rational.denominator_degree};
    for (int k = 0; k < FAMILY_TABLES; k++) {
        const grkan_table table = check_table_of(o, k);
        const int64_t start = check_row_start(&table, group);
        long double *const coefficients = k == GRKAN_NUMERATOR ? f.a : f.b + oracle_first_denominator(f.form);
        for (int i = 0; i < table.width; i++)
            coefficients[i] = storage_load(dtype, data->tensor[CHECK_TABLE + k], start + i);
    }
    f.unit = storage_ulp(dtype, 1) / 2;
    f.tiny = tiny_of(one); /* scaled by its coefficients */
    if (one->values == CHECK_LIMITS)
        f.tiny *= limits_underflow(one, limits_extreme_of(one, group));
    return f;
}
