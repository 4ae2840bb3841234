/* SPDX-License-Identifier: Apache-2.0 */
/** @file test_cost.c @brief What plans say that they cost, and predictions from given ceilings. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <grkan/predict.h>

#include "on_cpu.h"

enum { ROWS = 1000, CHANNELS = 96, ELEMENTS = ROWS * CHANNELS };

static grkan_operation layer_of(int64_t rows, int numerator_degree, int denominator_degree)
{
    grkan_operation operation = GRKAN_OPERATION_INIT;
    operation.outer = rows;
    operation.channels = CHANNELS;
    operation.rational.numerator_degree = numerator_degree;
    operation.rational.denominator_degree = denominator_degree;
    return operation;
}

/* A device whose memory moves 1 byte a nanosecond. */
static const grkan_ceilings plain = {.byte = 1e-9,
                                     .forward = {.launch = 1e-3, .block = 1e-6, .element = 10e-9, .flop = 1e-9},
                                     .backward = {.launch = 2e-3, .block = 3e-6, .element = 20e-9, .flop = 1e-9}};

static void assert_close(double got, double want)
{
    if (!(fabs(got - want) <= 1e-12 * fabs(want)))
        fail_msg("%.17g is not near %.17g", got, want);
}

static grkan_plan *make_plan(grkan_operation operation, grkan_strategy strategy)
{
    const grkan_options options = {.strategy = strategy, .determinism = GRKAN_NONE};
    grkan_plan *plan = NULL;
    assert_int_equal(grkan_plan_create(cpu, &operation, &options, &plan), GRKAN_SUCCESS);
    return plan;
}

static grkan_plan_description describe(grkan_operation operation, grkan_strategy strategy)
{
    grkan_plan_description description;
    grkan_plan *plan = make_plan(operation, strategy);
    assert_int_equal(grkan_plan_describe(plan, &description), GRKAN_SUCCESS);
    grkan_plan_destroy(plan);
    return description;
}

static grkan_prediction predict(grkan_operation operation, grkan_strategy strategy)
{
    grkan_prediction prediction;
    grkan_plan *plan = make_plan(operation, strategy);
    assert_int_equal(grkan_plan_predict(plan, &plain, &prediction), GRKAN_SUCCESS);
    grkan_plan_destroy(plan);
    return prediction;
}

static void test_plans_say_what_they_cost(void **state)
{
    (void)state;
    const grkan_plan_description tree = describe(layer_of(ROWS, 5, 4), GRKAN_STRATEGY_AUTO);
    assert_int_equal(tree.strategy, GRKAN_STRATEGY_TREE);
    assert_int_equal(tree.forward.bytes, 2u * ELEMENTS * sizeof(float));
    assert_int_equal(tree.backward.bytes, 3u * ELEMENTS * sizeof(float));
    grkan_operation narrow = layer_of(ROWS, 5, 4);
    narrow.output_dtype = GRKAN_OUTPUT_BF16;
    const grkan_plan_description of_narrow = describe(narrow, GRKAN_STRATEGY_AUTO);
    assert_int_equal(of_narrow.forward.bytes, ELEMENTS * (4u + 2u));
    assert_int_equal(of_narrow.backward.bytes, ELEMENTS * (2u * 4u + 2u));
    assert_int_equal(tree.forward.flops, ELEMENTS * (2u * 5 + 2u * 4 + 2)); /* two polynomials, reciprocal, product */
    assert_true(tree.backward.flops > 2 * tree.forward.flops);
    assert_int_equal(tree.forward.launches, 1);
    assert_int_equal(tree.backward.launches, 1);
    assert_int_equal(tree.backward.atomics, 0);
    assert_int_equal(describe(layer_of(ROWS, 5, 4), GRKAN_STRATEGY_ELEMENT).backward.atomics, 10u * ELEMENTS);
    const uint64_t block = describe(layer_of(ROWS, 5, 4), GRKAN_STRATEGY_BLOCK).backward.atomics;
    assert_true(block > 0 && block < ELEMENTS);
}

static grkan_plan_description describe_with(grkan_prologue prologue, uint32_t frozen, int writes_y)
{
    const grkan_options options = {.frozen = frozen, .writes_y = writes_y};
    grkan_operation operation = layer_of(ROWS, 5, 4);
    grkan_plan_description description;
    grkan_plan *plan = NULL;
    operation.prologue = prologue;
    operation.output_dtype = GRKAN_OUTPUT_BF16;
    assert_int_equal(grkan_plan_create(cpu, &operation, &options, &plan), GRKAN_SUCCESS);
    assert_int_equal(grkan_plan_describe(plan, &description), GRKAN_SUCCESS);
    grkan_plan_destroy(plan);
    return description;
}

/** A norm's two numbers a row are written forward and read backward; what is frozen is not moved, and y again is. */
static void test_bytes_are_those_that_are_wanted(void **state)
{
    (void)state;
    const uint64_t forward = ELEMENTS * (4u + 2u), backward = ELEMENTS * (2u * 4u + 2u);
    const grkan_plan_description bias = describe_with(GRKAN_PROLOGUE_BIAS, 0, 0);
    assert_int_equal(bias.forward.bytes, forward);
    assert_int_equal(bias.backward.bytes, backward);
    const grkan_plan_description norm = describe_with(GRKAN_PROLOGUE_LAYER_NORM, 0, 0);
    assert_int_equal(norm.forward.bytes, forward + 2u * ROWS * sizeof(float));
    assert_int_equal(norm.backward.bytes, backward + 2u * ROWS * sizeof(float));
    assert_true(norm.forward.flops > bias.forward.flops && norm.backward.flops > bias.backward.flops);
    const grkan_plan_description rms = describe_with(GRKAN_PROLOGUE_RMS_NORM, GRKAN_FROZEN_X, 1);
    assert_int_equal(rms.forward.bytes, forward + ROWS * sizeof(float));
    assert_int_equal(rms.backward.bytes, ELEMENTS * (4u + 2u + 2u) + ROWS * sizeof(float));
    assert_int_equal(describe_with(GRKAN_PROLOGUE_NONE, 1u << GRKAN_NUMERATOR, 1).backward.bytes,
                     backward + 2u * ELEMENTS);
}

static void test_predictions_follow_the_model(void **state)
{
    (void)state;
    const grkan_plan_description description = describe(layer_of(ROWS, 5, 4), GRKAN_STRATEGY_TREE);
    const grkan_prediction found = predict(layer_of(ROWS, 5, 4), GRKAN_STRATEGY_TREE);
    assert_close(found.forward.launch, 1e-3 + 1e-6 * (double)(description.forward.blocks - 1));
    assert_close(found.backward.launch, 2e-3 + 3e-6 * (double)(description.backward.blocks - 1));
    assert_close(found.forward.elements, 10e-9 * ELEMENTS);
    assert_close(found.backward.elements, 20e-9 * ELEMENTS);
    assert_close(found.forward.memory, 8e-9 * ELEMENTS);
    assert_close(found.backward.memory, 12e-9 * ELEMENTS);
}

/** More arithmetic takes its time; less saves it, but no pass is faster than memory. */
static void test_arithmetic_counts_down_to_the_pace_of_memory(void **state)
{
    (void)state;
    const grkan_prediction steep = predict(layer_of(ROWS, 7, 6), GRKAN_STRATEGY_TREE);
    assert_close(steep.forward.elements, (10e-9 + 8e-9) * ELEMENTS);
    const grkan_prediction flat = predict(layer_of(ROWS, 0, 0), GRKAN_STRATEGY_TREE);
    assert_close(flat.forward.elements, flat.forward.memory);
    assert_close(flat.backward.elements, flat.backward.memory);
}

/** Element by element, the additions to memory take all the time. */
static void test_atomics_count_alone(void **state)
{
    (void)state;
    const grkan_prediction steep = predict(layer_of(ROWS, 9, 10), GRKAN_STRATEGY_ELEMENT);
    assert_close(steep.backward.elements, 2 * 20e-9 * ELEMENTS);
}

static void test_misuse(void **state)
{
    (void)state;
    grkan_plan *plan = make_plan(layer_of(ROWS, 5, 4), GRKAN_STRATEGY_TREE);
    grkan_prediction prediction = {.forward = {.launch = 7}};
    grkan_ceilings bad = plain;
    assert_int_equal(grkan_plan_predict(NULL, &plain, &prediction), GRKAN_ERROR_INVALID_ARGUMENT);
    assert_string_equal(grkan_last_error(), "plan is NULL; expected a plan");
    assert_int_equal(grkan_plan_predict(plan, NULL, &prediction), GRKAN_ERROR_INVALID_ARGUMENT);
    assert_string_equal(grkan_last_error(), "ceilings is NULL; expected what the device reaches");
    assert_int_equal(grkan_plan_predict(plan, &plain, NULL), GRKAN_ERROR_INVALID_ARGUMENT);
    assert_string_equal(grkan_last_error(), "prediction is NULL; expected where to put it");
    bad.byte = NAN;
    assert_int_equal(grkan_plan_predict(plan, &bad, &prediction), GRKAN_ERROR_INVALID_ARGUMENT);
    assert_string_equal(grkan_last_error(), "ceilings.byte is nan; expected finite seconds, 0 or more");
    bad = plain;
    bad.backward.element = -1;
    assert_int_equal(grkan_plan_predict(plan, &bad, &prediction), GRKAN_ERROR_INVALID_ARGUMENT);
    assert_string_equal(grkan_last_error(), "ceilings.backward.element is -1; expected finite seconds, 0 or more");
    assert_true(prediction.forward.launch == 7);
    grkan_plan_destroy(plan);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_plans_say_what_they_cost),
                                       cmocka_unit_test(test_bytes_are_those_that_are_wanted),
                                       cmocka_unit_test(test_predictions_follow_the_model),
                                       cmocka_unit_test(test_arithmetic_counts_down_to_the_pace_of_memory),
                                       cmocka_unit_test(test_atomics_count_alone),
                                       cmocka_unit_test(test_misuse)};
    return cmocka_run_group_tests_name("cost", tests, open_cpu, close_cpu);
}
