/* SPDX-License-Identifier: Apache-2.0 */
/** @file operation.c @brief What an operation may be, whatever its family. */
#include <inttypes.h>

#include "internal.h"

/** Groups times the numbers of a group's rows stay below this, so that kernels can count them in an int. */
#define MOST_NUMBERS INT32_MAX

grkan_status grkan_check_range(const char *name, int64_t value, int64_t low, int64_t high)
{
    if (value < low || value > high)
        return grkan_fail(GRKAN_ERROR_INVALID_ARGUMENT, "operation.%s is %" PRId64 "; expected %" PRId64 " to %" PRId64,
                          name, value, low, high);
    return GRKAN_SUCCESS;
}

static grkan_status check_groups(const grkan_operation *operation)
{
    if (operation->groups < 1 || operation->groups > operation->channels)
        return grkan_fail(GRKAN_ERROR_INVALID_ARGUMENT,
                          "operation.groups is %" PRId64 "; expected 1 to %" PRId64 ", the channels", operation->groups,
                          operation->channels);
    return GRKAN_SUCCESS;
}

grkan_status grkan_check_scope(const char *name, grkan_scope scope)
{
    if (scope != GRKAN_SCOPE_SHARED && scope != GRKAN_SCOPE_GROUP)
        return grkan_fail(GRKAN_ERROR_INVALID_ARGUMENT,
                          "operation.%s is %d; expected GRKAN_SCOPE_SHARED or GRKAN_SCOPE_GROUP", name, (int)scope);
    return GRKAN_SUCCESS;
}

static grkan_status check_dtypes(const grkan_operation *operation)
{
    const grkan_dtype output = grkan_operation_output_dtype(operation);
    if (grkan_dtype_name(operation->dtype) == NULL)
        return grkan_fail(GRKAN_ERROR_INVALID_ARGUMENT, "operation.dtype is %d; expected a grkan_dtype",
                          (int)operation->dtype);
    if (grkan_dtype_name(output) == NULL)
        return grkan_fail(GRKAN_ERROR_INVALID_ARGUMENT, "operation.output_dtype is %d; expected a grkan_output_dtype",
                          (int)operation->output_dtype);
    if ((operation->dtype == GRKAN_F64) != (output == GRKAN_F64))
        return grkan_fail(GRKAN_ERROR_INVALID_ARGUMENT,
                          "operation.output_dtype is %s and operation.dtype %s; expected f64 for both or for neither",
                          grkan_dtype_name(output), grkan_dtype_name(operation->dtype));
    return GRKAN_SUCCESS;
}

grkan_status grkan_check_layout(const grkan_operation *operation)
{
    grkan_status status;
    if ((status = check_dtypes(operation)) != GRKAN_SUCCESS ||
        (status = grkan_check_range("outer", operation->outer, 0, INT64_MAX)) != GRKAN_SUCCESS ||
        (status = grkan_check_range("channels", operation->channels, 1, INT64_MAX)) != GRKAN_SUCCESS ||
        (status = grkan_check_range("inner", operation->inner, 0, INT64_MAX)) != GRKAN_SUCCESS)
        return status;
    return check_groups(operation);
}

grkan_status grkan_check_size(const grkan_operation *operation)
{
    int64_t row, elements, bytes, numbers;
    const int64_t element = (int64_t)grkan_dtype_bytes(grkan_wider_dtype(operation));
    if (__builtin_mul_overflow(operation->channels, operation->inner, &row) ||
        __builtin_mul_overflow(row, operation->outer, &elements) || __builtin_mul_overflow(elements, element, &bytes) ||
        (uint64_t)bytes > SIZE_MAX)
        return grkan_fail(GRKAN_ERROR_INVALID_ARGUMENT,
                          "operation.outer x channels x inner overflows: %" PRId64 " x %" PRId64 " x %" PRId64
                          " elements of %" PRId64 " bytes; expected at most %" PRId64 " bytes",
                          operation->outer, operation->channels, operation->inner, element, INT64_MAX);
    if (operation->prologue != GRKAN_PROLOGUE_NONE && operation->channels > MOST_NUMBERS)
        return grkan_fail(GRKAN_ERROR_INVALID_ARGUMENT,
                          "operation.channels is %" PRId64 "; expected at most %d with an operation.prologue",
                          operation->channels, MOST_NUMBERS);
    if (__builtin_mul_overflow(operation->groups, 2 * (GRKAN_MAX_DEGREE + 1), &numbers) || numbers > MOST_NUMBERS)
        return grkan_fail(GRKAN_ERROR_INVALID_ARGUMENT, "operation.groups is %" PRId64 "; expected at most %d",
                          operation->groups, MOST_NUMBERS / (2 * (GRKAN_MAX_DEGREE + 1)));
    return GRKAN_SUCCESS;
}

grkan_dtype grkan_wider_dtype(const grkan_operation *operation)
{
    const grkan_dtype output = grkan_operation_output_dtype(operation);
    return grkan_dtype_bytes(output) > grkan_dtype_bytes(operation->dtype) ? output : operation->dtype;
}

int64_t grkan_operation_elements(const grkan_operation *operation)
{
    return operation->outer * operation->channels * operation->inner;
}

int64_t grkan_operation_group_start(const grkan_operation *operation, int64_t group)
{
    const int64_t size = operation->channels / operation->groups;
    const int64_t larger = operation->channels % operation->groups;
    return group * size + (group < larger ? group : larger);
}
