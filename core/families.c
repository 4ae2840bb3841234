/* SPDX-License-Identifier: Apache-2.0 */
/** @file families.c @brief The table of families, and what core knows of the functions of each. */
#include "families.h"

#include "kernel_source.h"
#include "lane_source.h"

/* -------------------------------------------------------------------------------------------------- rational */

static grkan_status rational_check(const grkan_operation *operation)
{
    const grkan_rational *const r = &operation->rational;
    grkan_status status;
    if (grkan_form_name(r->form) == NULL)
        return grkan_fail(GRKAN_ERROR_INVALID_ARGUMENT, "operation.rational.form is %d; expected a grkan_form",
                          (int)r->form);
    if ((status = grkan_check_range("rational.numerator_degree", r->numerator_degree, 0, GRKAN_MAX_DEGREE)) !=
            GRKAN_SUCCESS ||
        (status = grkan_check_range("rational.denominator_degree", r->denominator_degree, 0, GRKAN_MAX_DEGREE)) !=
            GRKAN_SUCCESS ||
        (status = grkan_check_scope("rational.numerator_scope", r->numerator_scope)) != GRKAN_SUCCESS)
        return status;
    return grkan_check_scope("rational.denominator_scope", r->denominator_scope);
}

/** Numbers of a row of the denominator: b1..bn, or b0..bn. */
static int32_t denominator_width(const grkan_rational *r)
{
    return r->denominator_degree + (r->form == GRKAN_ABS_SUM_OFFSET ? 1 : 0);
}

static void rational_table(const grkan_operation *operation, int32_t index, grkan_table *table)
{
    const grkan_rational *const r = &operation->rational;
    *table = index == GRKAN_NUMERATOR ? (grkan_table){.name = "numerator",
                                                      .gradient = "dnumerator",
                                                      .scope = r->numerator_scope,
                                                      .width = r->numerator_degree + 1}
                                      : (grkan_table){.name = "denominator",
                                                      .gradient = "ddenominator",
                                                      .scope = r->denominator_scope,
                                                      .width = denominator_width(r)};
}

static int32_t larger_degree(const grkan_operation *operation)
{
    const grkan_rational *const r = &operation->rational;
    return r->numerator_degree > r->denominator_degree ? r->numerator_degree : r->denominator_degree;
}

/** |x| up to 2^this is evaluated in x, unless a coefficient is large: powers stay below 2^60 (f32) or 2^480 (f64), far from
    overflow. Below 63. */
static int32_t near_exponent(const grkan_operation *operation)
{
    const grkan_rational *const r = &operation->rational;
    const int32_t of_q = r->denominator_degree * (r->form == GRKAN_SQUARE ? 2 : 1);
    const int32_t degree = r->numerator_degree > of_q ? r->numerator_degree : of_q;
    const int32_t budget = operation->dtype == GRKAN_F64 ? 480 : 60;
    const int32_t exponent = budget / (degree > 0 ? degree : 1);
    return exponent < 62 ? exponent : 62;
}

static void rational_parameters(const grkan_operation *operation, int32_t *parameters)
{
    parameters[0] = operation->rational.numerator_degree;
    parameters[1] = operation->rational.denominator_degree;
    parameters[2] = (int32_t)operation->rational.form;
    parameters[3] = near_exponent(operation);
}

static bool rational_may_have_poles(const grkan_operation *operation)
{
    return operation->rational.form == GRKAN_PLAIN;
}

static grkan_flops rational_flops(const grkan_operation *operation)
{
    const grkan_rational *const r = &operation->rational;
    const int m = r->numerator_degree, n = r->denominator_degree;
    const int squaring = r->form == GRKAN_SQUARE ? 2 : 0;
    const int values = 2 * m + 2 * n + squaring + 2; /* Horner for P and B, 1 + B^2; reciprocal, product */
    const int slopes = 2 * (m > 0 ? m - 1 : 0) + 2 * (n > 0 ? n - 1 : 0) + squaring;
    const int powers = larger_degree(operation) > 0 ? larger_degree(operation) - 1 : 0;
    const int sums = 2 * (m + 1 + denominator_width(r));
    return (grkan_flops){.forward = values, .backward = values + slopes + powers + sums + 5}; /* w, u, dx */
}

/* ------------------------------------------------------------------------------------------------- the table */

static const grkan_family_row families[] = {
    [GRKAN_FAMILY_RATIONAL] = {.name = "rational",
                               .source = grkan_kernel_source,
                               .source_hash = grkan_kernel_source_hash,
                               .lane_source = grkan_lane_source,
                               .lane_source_hash = grkan_lane_source_hash,
                               .table_count = 2,
                               .parameter_count = 4,
                               .check = rational_check,
                               .table = rational_table,
                               .parameters = rational_parameters,
                               .may_have_poles = rational_may_have_poles,
                               .flops = rational_flops},
};

static const grkan_family_row *row_of(grkan_family family)
{
    return (unsigned)family < sizeof families / sizeof *families ? &families[family] : NULL;
}

const grkan_family_row *grkan_family_of(const grkan_operation *operation)
{
    return row_of(operation->family);
}

const char *grkan_family_name(grkan_family family)
{
    const grkan_family_row *const row = row_of(family);
    return row != NULL ? row->name : NULL;
}
