/* SPDX-License-Identifier: Apache-2.0 */
/** @file prologues.c @brief The table of prologues. */
#include "prologues.h"

#include <math.h>

static void bias_table(const grkan_operation *operation, int32_t index, grkan_table *table)
{
    (void)operation;
    (void)index;
    *table = (grkan_table){.name = "bias", .gradient = "dbias", .scope = GRKAN_SCOPE_CHANNEL, .width = 1};
}

static grkan_status norm_check(const grkan_operation *operation)
{
    const grkan_norm *const norm = &operation->norm;
    if (operation->inner != 1)
        return grkan_fail(GRKAN_ERROR_INVALID_ARGUMENT,
                          "operation.inner is %lld; expected 1 with operation.prologue %s, which is over the channels",
                          (long long)operation->inner, grkan_prologue_name(operation->prologue));
    if (!isfinite(norm->epsilon) || norm->epsilon < 0.0)
        return grkan_fail(GRKAN_ERROR_INVALID_ARGUMENT,
                          "operation.norm.epsilon is %g; expected a finite number, 0 or more", norm->epsilon);
    const grkan_status status = grkan_check_range("norm.has_scale", norm->has_scale, 0, 1);
    return status == GRKAN_SUCCESS ? grkan_check_range("norm.has_shift", norm->has_shift, 0, 1) : status;
}

static void norm_table(const grkan_operation *operation, int32_t index, grkan_table *table)
{
    const bool is_scale = index == 0;
    *table = (grkan_table){.name = is_scale ? "scale" : "shift",
                           .gradient = is_scale ? "dscale" : "dshift",
                           .scope = GRKAN_SCOPE_CHANNEL,
                           .width = is_scale ? operation->norm.has_scale : operation->norm.has_shift};
}

static const grkan_prologue_row prologues[] = {
    [GRKAN_PROLOGUE_NONE] = {.name = "none"},
    [GRKAN_PROLOGUE_BIAS] = {.name = "bias", .table_count = 1, .table = bias_table, .flops = {1, 2}},
    [GRKAN_PROLOGUE_LAYER_NORM] = {.name = "layer_norm",
                                   .table_count = 2,
                                   .is_norm = true,
                                   .check = norm_check,
                                   .table = norm_table,
                                   .flops = {7, 16}},
    [GRKAN_PROLOGUE_RMS_NORM] = {.name = "rms_norm",
                                 .table_count = 2,
                                 .is_norm = true,
                                 .check = norm_check,
                                 .table = norm_table,
                                 .flops = {5, 13}},
};

static const grkan_prologue_row *row_of(grkan_prologue prologue)
{
    return (unsigned)prologue < sizeof prologues / sizeof *prologues ? &prologues[prologue] : NULL;
}

const grkan_prologue_row *grkan_prologue_of(const grkan_operation *operation)
{
    return row_of(operation->prologue);
}

const char *grkan_prologue_name(grkan_prologue prologue)
{
    const grkan_prologue_row *const row = row_of(prologue);
    return row != NULL ? row->name : NULL;
}

int grkan_row_statistics(const grkan_operation *operation)
{
    if (!grkan_prologue_of(operation)->is_norm)
        return 0;
    return operation->prologue == GRKAN_PROLOGUE_LAYER_NORM ? 2 : 1;
}
