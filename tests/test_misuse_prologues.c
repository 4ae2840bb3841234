/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file test_misuse_prologues.c
 * @brief What plans and calls refuse of prologues, of gradients that are frozen and of y again; and what they must not look at.
 */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "arena.h"
#include "misuse.h"
#include "present.h"

enum {
    rows = 256,
    channels = 32,
    tensor_bytes = rows * channels * 4,
    channel_bytes = channels * 4,
    row_bytes = rows * 4,
    last = 4 /* bytes of the last element */
};

static const grkan_operation norm = {
    SHAPE(rows, channels, 1), GROUPS(8, SHARED, PER_GROUP),          RATIONAL(5, 4, GRKAN_ABS_TERMS),
    .dtype = GRKAN_F32,       .prologue = GRKAN_PROLOGUE_LAYER_NORM, .norm = {1e-5, 1, 1},
};

static grkan_operation with(grkan_prologue prologue)
{
    grkan_operation operation = norm;
    operation.prologue = prologue;
    return operation;
}

static present_devices devices;
static arena arenas[2];
static int arena_count;

/* ---------------------------------------------------------------------------------------------------------- plans */

static void expect_no_plan(const grkan_operation *operation, const grkan_options *options, grkan_status status,
                           const char *text)
{
    for (int t = 0; t < arena_count; t++) {
        int anything = 0;
        grkan_plan *plan = (grkan_plan *)&anything;
        EXPECT(grkan_plan_create(arenas[t].device, operation, options, &plan), status, text);
        assert_null(plan);
    }
}

/** What the operation itself cannot be is refused by all that take one. */
static void expect_no_operation(const grkan_operation *operation, const char *text)
{
    grkan_table tables[GRKAN_MOST_TABLES];
    int count = 5;
    expect_no_plan(operation, NULL, GRKAN_ERROR_INVALID_ARGUMENT, text);
    EXPECT_INVALID(grkan_operation_tables(operation, tables, &count), text);
    assert_int_equal(count, 0);
}

static void test_prologues_that_are_refused(void **state)
{
    (void)state;
    grkan_operation operation = with((grkan_prologue)4);
    expect_no_operation(&operation, "operation.prologue is 4; expected a grkan_prologue");
    operation = with((grkan_prologue)-1);
    expect_no_operation(&operation, "operation.prologue is -1; expected a grkan_prologue");
    operation = norm;
    operation.inner = 2;
    expect_no_operation(
        &operation, "operation.inner is 2; expected 1 with operation.prologue layer_norm, which is over the channels");
    operation = with(GRKAN_PROLOGUE_RMS_NORM);
    operation.inner = 0;
    expect_no_operation(
        &operation, "operation.inner is 0; expected 1 with operation.prologue rms_norm, which is over the channels");
}

static void test_norms_that_are_refused(void **state)
{
    (void)state;
    const struct {
        grkan_norm norm;
        const char *text;
    } cases[] = {
        {{-1e-5, 1, 1}, "operation.norm.epsilon is -1e-05; expected a finite number, 0 or more"},
        {{NAN, 1, 1}, "operation.norm.epsilon is ..."},
        {{INFINITY, 1, 1}, "operation.norm.epsilon is inf; expected a finite number, 0 or more"},
        {{1e-5, 2, 1}, "operation.norm.has_scale is 2; expected 0 to 1"},
        {{1e-5, 1, -1}, "operation.norm.has_shift is -1; expected 0 to 1"},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        grkan_operation operation = norm;
        int count = 0;
        operation.norm = cases[i].norm;
        expect_no_operation(&operation, cases[i].text);
        operation.prologue = GRKAN_PROLOGUE_RMS_NORM;
        expect_no_operation(&operation, cases[i].text);
        operation.prologue = GRKAN_PROLOGUE_BIAS; /* these have no norm */
        expect_success(grkan_operation_tables(&operation, NULL, &count));
        assert_int_equal(count, 3);
        operation.prologue = GRKAN_PROLOGUE_NONE;
        expect_success(grkan_operation_tables(&operation, NULL, &count));
        assert_int_equal(count, 2);
    }
}

static void test_options_that_are_refused(void **state)
{
    (void)state;
    static const struct {
        grkan_prologue prologue;
        grkan_options options;
        grkan_status status;
        const char *text;
    } cases[] = {
        {GRKAN_PROLOGUE_NONE,
         {.frozen = 0x4},
         GRKAN_ERROR_INVALID_ARGUMENT,
         "options.frozen is 0x4; expected bits of the operation's 2 tables and GRKAN_FROZEN_X alone"},
        {GRKAN_PROLOGUE_BIAS,
         {.frozen = GRKAN_FROZEN_X | 0x9},
         GRKAN_ERROR_INVALID_ARGUMENT,
         "options.frozen is 0x80000009; expected bits of the operation's 3 tables and GRKAN_FROZEN_X alone"},
        {GRKAN_PROLOGUE_LAYER_NORM,
         {.frozen = 0x40000000},
         GRKAN_ERROR_INVALID_ARGUMENT,
         "options.frozen is 0x40000000; expected bits of the operation's 4 tables and GRKAN_FROZEN_X alone"},
        {GRKAN_PROLOGUE_NONE, {.writes_y = 2}, GRKAN_ERROR_INVALID_ARGUMENT, "options.writes_y is 2; expected 0 or 1"},
        {GRKAN_PROLOGUE_BIAS,
         {.writes_y = -1},
         GRKAN_ERROR_INVALID_ARGUMENT,
         "options.writes_y is -1; expected 0 or 1"},
        {GRKAN_PROLOGUE_BIAS,
         {.determinism = GRKAN_NONE, .strategy = GRKAN_STRATEGY_BLOCK},
         GRKAN_ERROR_UNSUPPORTED,
         "options.strategy is block; expected tree with a prologue, frozen gradients or y again"},
        {GRKAN_PROLOGUE_NONE,
         {.determinism = GRKAN_NONE, .strategy = GRKAN_STRATEGY_ELEMENT, .frozen = 1},
         GRKAN_ERROR_UNSUPPORTED,
         "options.strategy is element; expected tree with a prologue, frozen gradients or y again"},
        {GRKAN_PROLOGUE_NONE,
         {.determinism = GRKAN_NONE, .strategy = GRKAN_STRATEGY_BLOCK, .writes_y = 1},
         GRKAN_ERROR_UNSUPPORTED,
         "options.strategy is block; expected tree with a prologue, frozen gradients or y again"},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        const grkan_operation operation = with(cases[i].prologue);
        expect_no_plan(&operation, &cases[i].options, cases[i].status, cases[i].text);
    }
}

/* ---------------------------------------------------------------------------------------------------------- calls */

/** Slots and arguments by the names that refusals have. */
enum {
    slot_x = CHECK_X,
    slot_dy = CHECK_DY,
    slot_scale = CHECK_TABLE + GRKAN_SCALE,
    slot_shift = CHECK_TABLE + GRKAN_SHIFT,
    slot_mean = CHECK_MEAN,
    slot_rstd = CHECK_RSTD,
    slot_dx = CHECK_DX,
    slot_y = CHECK_Y_AGAIN,
    slot_dnumerator = CHECK_DNUMERATOR,
    slot_dscale = CHECK_GRADIENT + GRKAN_SCALE,
    forward_scale = offsetof(grkan_forward_arguments, tables[GRKAN_SCALE]),
    forward_shift = offsetof(grkan_forward_arguments, tables[GRKAN_SHIFT]),
    forward_y = offsetof(grkan_forward_arguments, y),
    forward_mean = offsetof(grkan_forward_arguments, mean),
    forward_rstd = offsetof(grkan_forward_arguments, rstd),
    backward_scale = offsetof(grkan_backward_arguments, tables[GRKAN_SCALE]),
    backward_shift = offsetof(grkan_backward_arguments, tables[GRKAN_SHIFT]),
    backward_mean = offsetof(grkan_backward_arguments, mean),
    backward_rstd = offsetof(grkan_backward_arguments, rstd),
    backward_dx = offsetof(grkan_backward_arguments, dx),
    backward_y = offsetof(grkan_backward_arguments, y),
    backward_dscale = offsetof(grkan_backward_arguments, gradients[GRKAN_SCALE]),
    backward_dshift = offsetof(grkan_backward_arguments, gradients[GRKAN_SHIFT]),
    backward_workspace = offsetof(grkan_backward_arguments, workspace)
};

#define MISSING(place, name) {place(name), AT_NULL, 0, arena_slots, NULL}
#define ODD(place, name) {place(name), MOVED, 1, arena_slots, NULL}

/** Run calls under a plan on every device that supports it. */
static void run_calls(const grkan_operation *operation, const grkan_options *options,
                      void (*expectation)(const arena *, const arena_call *, size_t), const arena_call *calls,
                      size_t count)
{
    for (int t = 0; t < arena_count; t++) {
        arena on;
        if (!arena_with(&arenas[t], operation, options, &on)) {
            printf("not run: %s\n", grkan_last_error());
            continue;
        }
        expectation(&on, calls, count);
        grkan_plan_destroy(on.plan);
    }
}

/** Of a norm with scale and shift, whose backward writes y: the workspace is needed on every device. */
static const grkan_options whole = {.determinism = GRKAN_DEVICE_TO_DEVICE, .writes_y = 1};

static void test_wrong_buffers_of_norms_are_refused(void **state)
{
    (void)state;
    static const arena_call refused[] = {
        IS_NULL(IN_FORWARD, scale, "128 bytes"),
        IS_NULL(IN_FORWARD, shift, "128 bytes"),
        IS_NULL(IN_BACKWARD, scale, "128 bytes"),
        IS_NULL(IN_BACKWARD, shift, "128 bytes"),
        IS_NULL(IN_BACKWARD, mean, "1024 bytes"),
        IS_NULL(IN_BACKWARD, rstd, "1024 bytes"),
        IS_NULL(IN_BACKWARD, y, "32768 bytes"),
        IS_NULL(IN_BACKWARD, dscale, "128 bytes"),
        IS_NULL(IN_BACKWARD, dshift, "128 bytes"),
        IS_NULL(IN_BACKWARD, workspace, "..."),
        IS_ODD(IN_FORWARD, scale, 2, "4"),
        IS_ODD(IN_FORWARD, mean, 2, "4"),
        IS_ODD(IN_FORWARD, rstd, 1, "4"),
        IS_ODD(IN_BACKWARD, shift, 3, "4"),
        IS_ODD(IN_BACKWARD, mean, 1, "4"),
        IS_ODD(IN_BACKWARD, rstd, 2, "4"),
        IS_ODD(IN_BACKWARD, y, 2, "4"),
        IS_ODD(IN_BACKWARD, dscale, 1, "4"),
        IS_BEYOND(IN_FORWARD, mean, "1024 bytes overflow an address"),
        IS_BEYOND(IN_BACKWARD, rstd, "1024 bytes overflow an address"),
        IS_BEYOND(IN_BACKWARD, y, "32768 bytes overflow an address"),

        OVERLAP(IN_FORWARD, mean, x, tensor_bytes - last),
        OVERLAP(IN_FORWARD, mean, scale, 0),
        {IN_FORWARD(mean), ONTO, 0, CHECK_Y, "mean overlaps y; expected memory of its own"},
        OVERLAP(IN_FORWARD, rstd, shift, channel_bytes - last),
        OVERLAP(IN_FORWARD, rstd, mean, last),
        OVERLAP(IN_FORWARD, y, shift, 0),

        OVERLAP(IN_BACKWARD, dx, mean, 0),
        OVERLAP(IN_BACKWARD, dx, rstd, 0),
        OVERLAP(IN_BACKWARD, dx, scale, 0),
        OVERLAP(IN_BACKWARD, y, x, 0),
        IN_PART(IN_BACKWARD, y, dy, last),
        OVERLAP(IN_BACKWARD, y, dx, 0),
        OVERLAP(IN_BACKWARD, y, shift, 0),
        OVERLAP(IN_BACKWARD, y, rstd, last - tensor_bytes),
        OVERLAP(IN_BACKWARD, dscale, scale, 0),
        OVERLAP(IN_BACKWARD, dscale, mean, 0),
        OVERLAP(IN_BACKWARD, dscale, dx, 0),
        OVERLAP(IN_BACKWARD, dscale, y, tensor_bytes - last),
        OVERLAP(IN_BACKWARD, dscale, dnumerator, 0),
        OVERLAP(IN_BACKWARD, dshift, dy, 0),
        OVERLAP(IN_BACKWARD, dshift, dscale, channel_bytes - last),
        OVERLAP(IN_BACKWARD, workspace, rstd, 0),
        OVERLAP(IN_BACKWARD, workspace, y, 0),
        OVERLAP(IN_BACKWARD, workspace, dscale, 0),
    };
    run_calls(&norm, &whole, arena_expect_refusals, refused, COUNT_OF(refused));
}

static void test_buffers_of_norms_that_are_accepted(void **state)
{
    (void)state;
    static const arena_call accepted[] = {
        MISSING(IN_FORWARD, mean), /* inference */
        MISSING(IN_FORWARD, rstd),
        ACCEPTED(IN_FORWARD, y, x, 0),
        ACCEPTED(IN_FORWARD, rstd, mean, row_bytes), /* right behind it */
        ACCEPTED(IN_BACKWARD, dx, x, 0),
        ACCEPTED(IN_BACKWARD, dx, dy, 0),
        ACCEPTED(IN_BACKWARD, y, dy, 0),
        ACCEPTED(IN_BACKWARD, y, dx, tensor_bytes),
        ACCEPTED(IN_BACKWARD, dshift, dscale, channel_bytes),
    };
    run_calls(&norm, &whole, arena_expect_success, accepted, COUNT_OF(accepted));
}

static void test_a_small_workspace_is_refused(void **state)
{
    (void)state;
    for (int t = 0; t < arena_count; t++) {
        arena on;
        char text[128];
        if (!arena_with(&arenas[t], &norm, &whole, &on))
            continue;
        assert_true(on.workspace_bytes > 0);
        device_layer at = arena_layer(&on);
        at.workspace_bytes = on.workspace_bytes - 1;
        (void)snprintf(text, sizeof text,
                       "arguments.workspace_bytes is %zu; expected at least %zu (grkan_plan_workspace_bytes)",
                       at.workspace_bytes, on.workspace_bytes);
        arena_fill(&on);
        EXPECT_INVALID(call_backward(on.plan, &at, NULL), text);
        arena_expect_untouched(&on, text);
        grkan_plan_destroy(on.plan);
    }
}

/** Buffers that no plan of these has to do with: missing, or where no number can be. */
static void test_what_is_not_there_is_not_looked_at(void **state)
{
    (void)state;
    static const arena_call of_none[] = {
        MISSING(IN_FORWARD, scale), ODD(IN_FORWARD, mean),
        ODD(IN_FORWARD, rstd),      MISSING(IN_BACKWARD, scale),
        ODD(IN_BACKWARD, mean),     MISSING(IN_BACKWARD, rstd),
        MISSING(IN_BACKWARD, y),    ODD(IN_BACKWARD, y),
        ODD(IN_BACKWARD, dscale),   ACCEPTED(IN_BACKWARD, dshift, x, 4),
    };
    static const arena_call of_bias[] = {
        MISSING(IN_FORWARD, shift),
        ODD(IN_FORWARD, mean),
        MISSING(IN_BACKWARD, rstd),
        ODD(IN_BACKWARD, dshift),
    };
    static const arena_call of_rms_norm[] = {
        ODD(IN_FORWARD, mean),
        ACCEPTED(IN_FORWARD, mean, x, 4),
        MISSING(IN_BACKWARD, mean),
        ODD(IN_BACKWARD, mean),
    };
    static const arena_call without_scale[] = {
        MISSING(IN_FORWARD, scale),
        ODD(IN_BACKWARD, scale),
        MISSING(IN_BACKWARD, dscale),
        ACCEPTED(IN_BACKWARD, dscale, x, 4),
    };
    const grkan_operation none = with(GRKAN_PROLOGUE_NONE), bias = with(GRKAN_PROLOGUE_BIAS);
    const grkan_operation rms_norm = with(GRKAN_PROLOGUE_RMS_NORM);
    grkan_operation scaleless = norm;
    scaleless.norm.has_scale = 0;
    run_calls(&none, NULL, arena_expect_success, of_none, COUNT_OF(of_none));
    run_calls(&bias, NULL, arena_expect_success, of_bias, COUNT_OF(of_bias));
    run_calls(&rms_norm, NULL, arena_expect_success, of_rms_norm, COUNT_OF(of_rms_norm));
    run_calls(&scaleless, NULL, arena_expect_success, without_scale, COUNT_OF(without_scale));
}

/** What is frozen needs no memory, and what is wanted does. */
static void test_frozen_gradients_are_not_looked_at(void **state)
{
    (void)state;
    static const grkan_options frozen = {.frozen = GRKAN_FROZEN_X | 1u << GRKAN_SCALE};
    static const arena_call accepted[] = {
        MISSING(IN_BACKWARD, dx),     ODD(IN_BACKWARD, dx),     ACCEPTED(IN_BACKWARD, dx, x, 4),
        MISSING(IN_BACKWARD, dscale), ODD(IN_BACKWARD, dscale), ACCEPTED(IN_BACKWARD, dscale, dy, 4),
    };
    static const arena_call refused[] = {
        IS_NULL(IN_BACKWARD, dshift, "128 bytes"),
        IS_NULL(IN_BACKWARD, scale, "128 bytes"),
        OVERLAP(IN_BACKWARD, dshift, scale, 0),
    };
    run_calls(&norm, &frozen, arena_expect_success, accepted, COUNT_OF(accepted));
    run_calls(&norm, &frozen, arena_expect_refusals, refused, COUNT_OF(refused));
}

/* --------------------------------------------------------------------------------------------------------------- */

static int set_up(void **state)
{
    static const char *const backends[] = {"cpu", "opencl"};
    const grkan_operation plain = with(GRKAN_PROLOGUE_NONE);
    (void)state;
    arena_make_pristine();
    if (open_present(backends, 2, &devices) != 0)
        return -1;
    for (; arena_count < devices.count; arena_count++)
        arenas[arena_count] = arena_create(devices.device[arena_count], &plain, NULL);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    for (int t = 0; t < arena_count; t++)
        arena_destroy(&arenas[t]);
    close_present(&devices);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_prologues_that_are_refused),
        cmocka_unit_test(test_norms_that_are_refused),
        cmocka_unit_test(test_options_that_are_refused),
        cmocka_unit_test(test_wrong_buffers_of_norms_are_refused),
        cmocka_unit_test(test_buffers_of_norms_that_are_accepted),
        cmocka_unit_test(test_a_small_workspace_is_refused),
        cmocka_unit_test(test_what_is_not_there_is_not_looked_at),
        cmocka_unit_test(test_frozen_gradients_are_not_looked_at),
    };
    return cmocka_run_group_tests_name("misuse of prologues", tests, set_up, tear_down);
}
