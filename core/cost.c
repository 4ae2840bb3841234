/* SPDX-License-Identifier: Apache-2.0 */
/** @file cost.c @brief What a plan costs: bytes, arithmetic, atomics and launches, and the time that follows. */
#include <math.h>
#include <string.h>

#include <grkan/predict.h>

#include "plan/plan.h"
#include "prologues.h"

enum { forward = 0, backward = 1 };

/** Arithmetic of one element, an fma counted as two. */
static int element_flops(const grkan_operation *operation, int pass)
{
    const grkan_flops family = grkan_family_of(operation)->flops(operation);
    const grkan_flops prologue = grkan_prologue_of(operation)->flops;
    return pass == forward ? family.forward + prologue.forward : family.backward + prologue.backward;
}

/** Numbers of tables that an element reads, and adds to. */
static uint64_t numbers_of(const grkan_plan_data *data)
{
    return (uint64_t)grkan_tables_width(data->tables, data->table_count);
}

static const grkan_geometry *geometry_of(const grkan_plan_data *data, int pass)
{
    return pass == forward ? &data->forward : &data->backward;
}

static int64_t blocks_of(const grkan_plan_data *data, int pass)
{
    const grkan_geometry *g = geometry_of(data, pass);
    return (int64_t)g->rows.splits * g->columns.tiles;
}

/** Of an element of each tensor: x and y, or x, dy, dx if that is wanted, and y if it is written again. */
static uint64_t element_bytes(const grkan_plan_data *data, int pass)
{
    const uint64_t x = grkan_dtype_bytes(data->operation.dtype);
    const uint64_t y = grkan_dtype_bytes(grkan_operation_output_dtype(&data->operation));
    if (pass == forward)
        return x + y;
    return x + y + ((data->options.frozen & GRKAN_FROZEN_X) != 0 ? 0 : x) + (data->options.writes_y ? y : 0);
}

/** Those of elements, and of the statistics of rows. Tables are small beside them. */
static uint64_t necessary_bytes(const grkan_plan_data *data, int pass)
{
    const grkan_operation *const o = &data->operation;
    const uint64_t statistics = (uint64_t)grkan_row_statistics(o) * grkan_coefficient_bytes(o->dtype);
    return (uint64_t)grkan_operation_elements(o) * element_bytes(data, pass) + (uint64_t)o->outer * statistics;
}

static uint64_t atomics_of(const grkan_plan_data *data, int pass)
{
    if (pass == backward && data->options.strategy == GRKAN_STRATEGY_ELEMENT)
        return (uint64_t)grkan_operation_elements(&data->operation) * numbers_of(data);
    if (pass == backward && data->options.strategy == GRKAN_STRATEGY_BLOCK)
        return (uint64_t)(blocks_of(data, pass) * data->backward.columns.tile_groups) * numbers_of(data);
    return 0;
}

/** Launches of forward and of backward. */
static void count_launch(void *context, const grkan_kernel_launch *launch)
{
    int32_t *const launches = context;
    ++launches[strcmp(launch->pass, "forward") == 0 ? forward : backward];
}

static grkan_pass_description describe_pass(const grkan_plan_data *data, int pass, int32_t launches)
{
    const grkan_columns *c = &geometry_of(data, pass)->columns;
    const uint64_t elements = (uint64_t)grkan_operation_elements(&data->operation);
    return (grkan_pass_description){.vector = c->vector,
                                    .block = c->block,
                                    .blocks = blocks_of(data, pass),
                                    .launches = launches,
                                    .bytes = necessary_bytes(data, pass),
                                    .flops = elements * (uint64_t)element_flops(&data->operation, pass),
                                    .atomics = atomics_of(data, pass)};
}

grkan_status grkan_plan_describe(const grkan_plan *plan, grkan_plan_description *description)
{
    if (plan == NULL)
        return grkan_fail(GRKAN_ERROR_INVALID_ARGUMENT, "plan is NULL; expected a plan");
    if (description == NULL)
        return grkan_fail(GRKAN_ERROR_INVALID_ARGUMENT, "description is NULL; expected where to put it");
    const grkan_plan_data *data = &plan->data;
    const grkan_backend *backend = plan->device->backend;
    int32_t launches[2] = {1, 1};
    if (backend->list_launches != NULL) {
        launches[forward] = launches[backward] = 0;
        const grkan_status status = backend->list_launches(data, count_launch, launches);
        if (status != GRKAN_SUCCESS)
            return status;
    }
    *description = (grkan_plan_description){.strategy = data->options.strategy,
                                            .determinism = data->options.determinism,
                                            .is_compiled = plan->is_compiled,
                                            .longest_chain = grkan_plan_longest_chain(data),
                                            .forward = describe_pass(data, forward, launches[forward]),
                                            .backward = describe_pass(data, backward, launches[backward])};
    return GRKAN_SUCCESS;
}

/* ------------------------------------------------------------------------------------------------ prediction */

static double smaller(double a, double b)
{
    return a < b ? a : b;
}

/** As numbers_of, of KAT's function. */
static int kat_numbers(void)
{
    const grkan_operation kat = GRKAN_OPERATION_INIT;
    grkan_plan_data data = {0};
    (void)grkan_plan_decide(&kat, NULL, &data);
    return grkan_tables_width(data.tables, data.table_count);
}

/**
 * Seconds of an element. KAT's function was measured; from there, each flop more or less takes its time, but no pass is
 * faster than memory: a copy's pace, or that of KAT's function where that is faster than a copy.
 */
static double element_seconds(const grkan_plan_data *data, double byte, const grkan_pass_ceilings *c, int pass)
{
    const grkan_operation *o = &data->operation;
    const grkan_operation kat = GRKAN_OPERATION_INIT;
    const int more = element_flops(o, pass) - element_flops(&kat, pass);
    const double floor = smaller(c->element, (double)element_bytes(data, pass) * byte);
    const double seconds = c->element + more * c->flop;
    if (pass == backward && data->options.strategy == GRKAN_STRATEGY_ELEMENT) /* atomics take all the time */
        return c->element * (double)numbers_of(data) / (double)kat_numbers();
    return seconds > floor ? seconds : floor;
}

static grkan_pass_prediction predict_pass(const grkan_plan_data *data, double byte, const grkan_pass_ceilings *c,
                                          int pass)
{
    const double elements = (double)grkan_operation_elements(&data->operation);
    return (grkan_pass_prediction){.launch = c->launch + (double)(blocks_of(data, pass) - 1) * c->block,
                                   .elements = elements * element_seconds(data, byte, c, pass),
                                   .memory = (double)necessary_bytes(data, pass) * byte};
}

static grkan_status check_ceilings(const grkan_ceilings *c)
{
    const struct {
        const char *name;
        double seconds;
    } all[] = {{"byte", c->byte},
               {"forward.launch", c->forward.launch},
               {"forward.block", c->forward.block},
               {"forward.element", c->forward.element},
               {"forward.flop", c->forward.flop},
               {"backward.launch", c->backward.launch},
               {"backward.block", c->backward.block},
               {"backward.element", c->backward.element},
               {"backward.flop", c->backward.flop}};
    for (size_t i = 0; i < sizeof all / sizeof *all; ++i)
        if (!isfinite(all[i].seconds) || all[i].seconds < 0.0)
            return grkan_fail(GRKAN_ERROR_INVALID_ARGUMENT, "ceilings.%s is %g; expected finite seconds, 0 or more",
                              all[i].name, all[i].seconds);
    return GRKAN_SUCCESS;
}

grkan_status grkan_plan_predict(const grkan_plan *plan, const grkan_ceilings *ceilings, grkan_prediction *prediction)
{
    if (plan == NULL)
        return grkan_fail(GRKAN_ERROR_INVALID_ARGUMENT, "plan is NULL; expected a plan");
    if (ceilings == NULL)
        return grkan_fail(GRKAN_ERROR_INVALID_ARGUMENT, "ceilings is NULL; expected what the device reaches");
    if (prediction == NULL)
        return grkan_fail(GRKAN_ERROR_INVALID_ARGUMENT, "prediction is NULL; expected where to put it");
    const grkan_status status = check_ceilings(ceilings);
    if (status != GRKAN_SUCCESS)
        return status;
    *prediction =
        (grkan_prediction){.forward = predict_pass(&plan->data, ceilings->byte, &ceilings->forward, forward),
                           .backward = predict_pass(&plan->data, ceilings->byte, &ceilings->backward, backward)};
    return GRKAN_SUCCESS;
}
