/* SPDX-License-Identifier: Apache-2.0 */
/** @file cost.c @brief What a plan costs: bytes, arithmetic, atomics and launches, and the time that follows. */
#include <stdlib.h>
#include <string.h>

#include "internal.h"

enum { forward = 0, backward = 1 };

int grkan_element_flops(const grkan_operation *operation, int pass)
{
    const int m = operation->numerator_degree;
    const int n = operation->denominator_degree;
    const int values = 2 * m + 2 * n + 2; /* Horner for P and Q, reciprocal, product */
    const int slopes = 2 * (m > 0 ? m - 1 : 0) + 2 * (n > 0 ? n - 1 : 0);
    const int powers = (m > n ? m : n) > 0 ? (m > n ? m : n) - 1 : 0;
    const int sums = 2 * (m + 1 + grkan_denominator_coefficients(operation));
    return pass == forward ? values : values + slopes + powers + sums + 5; /* w, u, dx */
}

static uint64_t coefficients_of(const grkan_plan_data *data)
{
    return (uint64_t)(data->operation.numerator_degree + 1 + data->denominator_coefficients);
}

static uint64_t necessary_bytes(const grkan_plan_data *data, int pass)
{
    const grkan_operation *o = &data->operation;
    return (pass == forward ? 2u : 3u) * (uint64_t)grkan_operation_elements(o) * grkan_dtype_bytes(o->dtype);
}

static uint64_t atomics_of(const grkan_plan_data *data, int pass)
{
    const grkan_tiling *t = &data->backward;
    if (pass == backward && data->options.strategy == GRKAN_STRATEGY_ELEMENT)
        return (uint64_t)grkan_operation_elements(&data->operation) * coefficients_of(data);
    if (pass == backward && data->options.strategy == GRKAN_STRATEGY_BLOCK)
        return (uint64_t)(t->stripes * t->spans * t->span_groups) * coefficients_of(data);
    return 0;
}

static int64_t blocks_of(const grkan_plan_data *data, int pass)
{
    const grkan_tiling *t = pass == forward ? &data->forward : &data->backward;
    return t->stripes * t->spans;
}

grkan_status grkan_plan_describe(const grkan_plan *plan, grkan_plan_description *description)
{
    if (plan == NULL)
        return grkan_fail(GRKAN_ERROR_INVALID_ARGUMENT, "plan is NULL; expected a plan");
    if (description == NULL)
        return grkan_fail(GRKAN_ERROR_INVALID_ARGUMENT, "description is NULL; expected where to put it");
    const grkan_plan_data *data = &plan->data;
    const uint64_t flops = (uint64_t)grkan_operation_elements(&data->operation) * (uint64_t)data->repeats;
    *description =
        (grkan_plan_description){.strategy = data->options.strategy,
                                 .determinism = data->options.determinism,
                                 .vector = data->backward.vector,
                                 .block = data->backward.block,
                                 .blocks = blocks_of(data, backward),
                                 .is_compiled = plan->is_compiled,
                                 .forward_bytes = necessary_bytes(data, forward),
                                 .backward_bytes = necessary_bytes(data, backward),
                                 .forward_flops = flops * (uint64_t)grkan_element_flops(&data->operation, forward),
                                 .backward_flops = flops * (uint64_t)grkan_element_flops(&data->operation, backward),
                                 .backward_atomics = atomics_of(data, backward)};
    return GRKAN_SUCCESS;
}

/* ------------------------------------------------------------------------------------------------ prediction */

/** Launches of forward and of backward. */
static void count_launch(void *context, const grkan_kernel_launch *launch)
{
    int32_t *const launches = context;
    ++launches[strcmp(launch->pass, "forward") == 0 ? forward : backward];
}

static double smaller(double a, double b)
{
    return a < b ? a : b;
}

/**
 * Seconds of an element. The standard layer's were measured; from there, each flop more or less takes its time, but no
 * pass is faster than memory: a copy's pace, or the standard layer's where that is faster than a copy.
 */
static double element_seconds(const grkan_plan_data *data, const grkan_ceilings *c, int pass)
{
    const grkan_operation *o = &data->operation;
    const grkan_operation standard = GRKAN_OPERATION_INIT;
    const double measured = c->element_seconds[pass];
    const int more = grkan_element_flops(o, pass) * data->repeats - grkan_element_flops(&standard, pass);
    const double bytes = (pass == forward ? 2.0 : 3.0) * (double)grkan_dtype_bytes(o->dtype);
    const double floor = smaller(measured, bytes * c->byte_seconds);
    const double seconds = measured + more * c->flop_seconds[pass];
    if (pass == backward && data->options.strategy == GRKAN_STRATEGY_ELEMENT) /* atomics take all the time */
        return measured * (double)coefficients_of(data) /
               (double)(standard.numerator_degree + 1 + standard.denominator_degree);
    return seconds > floor ? seconds : floor;
}

static grkan_pass_prediction predict_pass(const grkan_plan_data *data, const grkan_ceilings *c, int pass)
{
    const double elements = (double)grkan_operation_elements(&data->operation);
    return (grkan_pass_prediction){.launch = c->launch_seconds[pass] +
                                             (double)(blocks_of(data, pass) - 1) * c->block_seconds[pass],
                                   .elements = elements * element_seconds(data, c, pass),
                                   .memory = (double)necessary_bytes(data, pass) * c->byte_seconds,
                                   .launches = 1,
                                   .atomics = atomics_of(data, pass)};
}

static grkan_status predict(grkan_device *device, const grkan_plan_data *data, grkan_prediction *prediction)
{
    grkan_ceilings ceilings;
    int32_t launches[2] = {0, 0};
    grkan_status status = grkan_ceilings_find(device, data, &ceilings);
    if (status != GRKAN_SUCCESS)
        return status;
    prediction->forward = predict_pass(data, &ceilings, forward);
    prediction->backward = predict_pass(data, &ceilings, backward);
    if (device->backend->list_launches == NULL)
        return GRKAN_SUCCESS;
    status = device->backend->list_launches(data, count_launch, launches);
    prediction->forward.launches = launches[forward];
    prediction->backward.launches = launches[backward];
    return status;
}

grkan_status grkan_plan_predict(const grkan_plan *plan, grkan_prediction *prediction)
{
    if (plan == NULL)
        return grkan_fail(GRKAN_ERROR_INVALID_ARGUMENT, "plan is NULL; expected a plan");
    if (prediction == NULL)
        return grkan_fail(GRKAN_ERROR_INVALID_ARGUMENT, "prediction is NULL; expected where to put it");
    *prediction = (grkan_prediction){0};
    return predict(plan->device, &plan->data, prediction);
}

grkan_strategy grkan_pick_strategy(grkan_device *device, const grkan_operation *operation, const grkan_options *options)
{
    static const grkan_strategy candidates[] = {GRKAN_STRATEGY_TREE, GRKAN_STRATEGY_BLOCK, GRKAN_STRATEGY_ELEMENT};
    char *const earlier = strdup(grkan_last_error());
    grkan_strategy best = GRKAN_STRATEGY_TREE;
    double least = 0.0;
    for (size_t i = 0; i < sizeof candidates / sizeof *candidates; ++i) {
        grkan_options own = *options;
        grkan_plan_data data = {0};
        grkan_prediction prediction;
        own.strategy = candidates[i];
        if (grkan_plan_outline(device, operation, &own, &data) != GRKAN_SUCCESS ||
            predict(device, &data, &prediction) != GRKAN_SUCCESS)
            continue;
        const double seconds = prediction.backward.launch + prediction.backward.elements;
        if (least == 0.0 || seconds < least) {
            least = seconds;
            best = candidates[i];
        }
    }
    if (earlier != NULL)
        (void)grkan_fail(GRKAN_SUCCESS, "%s", earlier); /* what could not be predicted is no error of the caller's */
    free(earlier);
    return best;
}
