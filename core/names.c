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
