/* SPDX-License-Identifier: Apache-2.0 */
/** @file families.c @brief The table of families, and what core knows of the functions of each. */
#include "families.h"

#include "kernel_source.h"

/* -------------------------------------------------------------------------------------------------- rational */

enum { numerator = 0, denominator = 1 };

static grkan_status rational_check(const grkan_operation *operation)
{
    grkan_status status;
    if (grkan_denominator_name(operation->denominator) == NULL)
        return grkan_fail(GRKAN_ERROR_INVALID_ARGUMENT, "operation.denominator is %d; expected a grkan_denominator",
                          (int)operation->denominator);
    if ((status = grkan_check_range("numerator_degree", operation->numerator_degree, 0, GRKAN_MAX_DEGREE)) !=
            GRKAN_SUCCESS ||
        (status = grkan_check_range("denominator_degree", operation->denominator_degree, 0, GRKAN_MAX_DEGREE)) !=
            GRKAN_SUCCESS ||
        (status = grkan_check_rows("numerator_groups", operation->numerator_groups, operation->groups)) !=
            GRKAN_SUCCESS)
        return status;
    return grkan_check_rows("denominator_groups", operation->denominator_groups, operation->groups);
}

static void rational_table(const grkan_operation *operation, int32_t index, grkan_table *table)
{
    const bool is_shared = index == numerator ? operation->numerator_groups == 1 : operation->denominator_groups == 1;
    *table =
        index == numerator
            ? (grkan_table){.name = "numerator", .gradient = "dnumerator", .width = operation->numerator_degree + 1}
            : (grkan_table){.name = "denominator",
                            .gradient = "ddenominator",
                            .width = grkan_denominator_coefficients(operation)};
    table->scope = is_shared ? GRKAN_SHARED : GRKAN_PER_GROUP;
}

static int32_t larger_degree(const grkan_operation *operation)
{
    return operation->numerator_degree > operation->denominator_degree ? operation->numerator_degree
                                                                       : operation->denominator_degree;
}

/** |x| up to 2^this is evaluated in x, unless a coefficient is large: powers stay below 2^60 (f32) or 2^480 (f64), far from
    overflow. Below 63. */
static int32_t near_exponent(const grkan_operation *operation)
{
    const int32_t of_q = operation->denominator_degree * (operation->denominator == GRKAN_SQUARE ? 2 : 1);
    const int32_t degree = operation->numerator_degree > of_q ? operation->numerator_degree : of_q;
    const int32_t budget = operation->dtype == GRKAN_F64 ? 480 : 60;
    const int32_t exponent = budget / (degree > 0 ? degree : 1);
    return exponent < 62 ? exponent : 62;
}

static void rational_parameters(const grkan_operation *operation, int32_t *parameters)
{
    parameters[0] = operation->numerator_degree;
    parameters[1] = operation->denominator_degree;
    parameters[2] = (int32_t)operation->denominator;
    parameters[3] = near_exponent(operation);
}

static bool rational_may_have_poles(const grkan_operation *operation)
{
    return operation->denominator == GRKAN_PLAIN;
}

static grkan_flops rational_flops(const grkan_operation *operation)
{
    const int m = operation->numerator_degree, n = operation->denominator_degree;
    const int squaring = operation->denominator == GRKAN_SQUARE ? 2 : 0;
    const int values = 2 * m + 2 * n + squaring + 2; /* Horner for P and B, 1 + B^2; reciprocal, product */
    const int slopes = 2 * (m > 0 ? m - 1 : 0) + 2 * (n > 0 ? n - 1 : 0) + squaring;
    const int powers = larger_degree(operation) > 0 ? larger_degree(operation) - 1 : 0;
    const int sums = 2 * (m + 1 + grkan_denominator_coefficients(operation));
    return (grkan_flops){.forward = values, .backward = values + slopes + powers + sums + 5}; /* w, u, dx */
}

/* ------------------------------------------------------------------------------------------------- the table */

static const grkan_family families[] = {
    {.name = "rational",
     .source = grkan_kernel_source,
     .source_hash = grkan_kernel_source_hash,
     .table_count = 2,
     .parameter_count = 4,
     .check = rational_check,
     .table = rational_table,
     .parameters = rational_parameters,
     .may_have_poles = rational_may_have_poles,
     .flops = rational_flops},
};

const grkan_family *grkan_family_of(const grkan_operation *operation)
{
    (void)operation; /* says nothing of a family yet: there is one */
    return &families[0];
}

int grkan_tables_width(const grkan_table *tables, int32_t count)
{
    int width = 0;
    for (int32_t k = 0; k < count; ++k)
        width += tables[k].width;
    return width;
}
