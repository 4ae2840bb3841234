/* SPDX-License-Identifier: Apache-2.0 */
/** @file names.c @brief The names of types, forms, strategies and determinism levels, and the sizes that follow. */
#include "internal.h"

const char *grkan_dtype_name(grkan_dtype dtype)
{
    switch (dtype) {
    case GRKAN_F32:
        return "f32";
    case GRKAN_F16:
        return "f16";
    case GRKAN_BF16:
        return "bf16";
    case GRKAN_F64:
        return "f64";
    }
    return NULL;
}

const char *grkan_form_name(grkan_form form)
{
    switch (form) {
    case GRKAN_ABS_TERMS:
        return "abs_terms";
    case GRKAN_ABS_SUM:
        return "abs_sum";
    case GRKAN_ABS_SUM_OFFSET:
        return "abs_sum_offset";
    case GRKAN_PLAIN:
        return "plain";
    case GRKAN_SQUARE:
        return "square";
    }
    return NULL;
}

const char *grkan_strategy_name(grkan_strategy strategy)
{
    switch (strategy) {
    case GRKAN_STRATEGY_AUTO:
        return "auto";
    case GRKAN_STRATEGY_ELEMENT:
        return "element";
    case GRKAN_STRATEGY_BLOCK:
        return "block";
    case GRKAN_STRATEGY_TREE:
        return "tree";
    }
    return NULL;
}

const char *grkan_determinism_name(grkan_determinism determinism)
{
    switch (determinism) {
    case GRKAN_RUN_TO_RUN:
        return "run_to_run";
    case GRKAN_NONE:
        return "none";
    case GRKAN_DEVICE_TO_DEVICE:
        return "device_to_device";
    }
    return NULL;
}

const char *grkan_tuning_name(grkan_tuning_kind kind)
{
    switch (kind) {
    case GRKAN_TUNING_FORWARD:
        return "forward";
    case GRKAN_TUNING_FORWARD_16_BIT:
        return "forward_16_bit";
    case GRKAN_TUNING_FORWARD_NORM:
        return "forward_norm";
    case GRKAN_TUNING_BACKWARD:
        return "backward";
    case GRKAN_TUNING_BACKWARD_16_BIT:
        return "backward_16_bit";
    case GRKAN_TUNING_BACKWARD_LARGE:
        return "backward_large";
    case GRKAN_TUNING_BACKWARD_NARROW:
        return "backward_narrow";
    case GRKAN_TUNING_BACKWARD_NORM:
        return "backward_norm";
    case GRKAN_TUNING_BACKWARD_BIAS:
        return "backward_bias";
    }
    return NULL;
}

const char *grkan_tuning_source_name(grkan_tuning_source source)
{
    switch (source) {
    case GRKAN_TUNING_NONE:
        return "none";
    case GRKAN_TUNING_DEFAULT:
        return "default";
    case GRKAN_TUNING_TABLE:
        return "table";
    case GRKAN_TUNING_FILE:
        return "file";
    case GRKAN_TUNING_CALLER:
        return "caller";
    }
    return NULL;
}
