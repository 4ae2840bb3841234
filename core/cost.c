/* SPDX-License-Identifier: Apache-2.0 */
/** @file cost.c @brief What a plan costs: bytes, arithmetic and atomics, by the IO model. */
#include "internal.h"

/** Arithmetic of one element, an fma counted as two. */
static uint64_t forward_element_flops(const grkan_plan_data *data)
{
    const int m = data->operation.numerator_degree;
    const int n = data->operation.denominator_degree;
    return (uint64_t)(2 * m + 2 * n + 2); /* Horner for P and Q, reciprocal, product */
}

static uint64_t backward_element_flops(const grkan_plan_data *data)
{
    const int m = data->operation.numerator_degree;
    const int n = data->operation.denominator_degree;
    const int slopes = 2 * (m > 0 ? m - 1 : 0) + 2 * (n > 0 ? n - 1 : 0);
    const int powers = (m > n ? m : n) > 0 ? (m > n ? m : n) - 1 : 0;
    const int sums = 2 * (m + 1 + data->denominator_coefficients);
    return forward_element_flops(data) + (uint64_t)(slopes + powers + sums + 5); /* w, u, dx */
}

grkan_status grkan_plan_describe(const grkan_plan *plan, grkan_plan_description *description)
{
    if (plan == NULL)
        return grkan_fail(GRKAN_ERROR_INVALID_ARGUMENT, "plan is NULL; expected a plan");
    if (description == NULL)
        return grkan_fail(GRKAN_ERROR_INVALID_ARGUMENT, "description is NULL; expected where to put it");
    const grkan_plan_data *data = &plan->data;
    const grkan_tiling *t = &data->backward;
    const uint64_t elements = (uint64_t)grkan_operation_elements(&data->operation);
    const uint64_t tensor = elements * grkan_dtype_bytes(data->operation.dtype);
    const uint64_t coefficients = (uint64_t)(data->operation.numerator_degree + 1 + data->denominator_coefficients);
    *description = (grkan_plan_description){.strategy = data->options.strategy,
                                            .determinism = data->options.determinism,
                                            .vector = t->vector,
                                            .block = t->block,
                                            .blocks = t->stripes * t->spans,
                                            .is_compiled = plan->is_compiled,
                                            .forward_bytes = 2 * tensor,
                                            .backward_bytes = 3 * tensor,
                                            .forward_flops = elements * forward_element_flops(data),
                                            .backward_flops = elements * backward_element_flops(data)};
    if (data->options.strategy == GRKAN_STRATEGY_ELEMENT)
        description->backward_atomics = elements * coefficients;
    if (data->options.strategy == GRKAN_STRATEGY_BLOCK)
        description->backward_atomics = (uint64_t)(t->stripes * t->spans * t->span_groups) * coefficients;
    return GRKAN_SUCCESS;
}
