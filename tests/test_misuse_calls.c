/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file test_misuse_calls.c
 * @brief What forward and backward refuse, each with its text and with nothing written; and what they must not refuse.
 *
 * Every case runs on the cpu and, where it is present, on OpenCL, where a buffer's base is no address. All tensors lie
 * in one allocation of the device, far from each other.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "arena.h"
#include "misuse.h"
#include "present.h"

/** Slots by the names that refusals have. */
enum {
    slot_x = CHECK_X,
    slot_dy = CHECK_DY,
    slot_numerator = CHECK_NUMERATOR,
    slot_denominator = CHECK_DENOMINATOR,
    slot_y = CHECK_Y,
    slot_dx = CHECK_DX,
    slot_dnumerator = CHECK_DNUMERATOR,
    slot_ddenominator = CHECK_DDENOMINATOR
};

/* More groups than a block has threads, so that the shared numerator needs a workspace on every device. */
enum { groups = 1024, tensor_bytes = 2 * groups * 4, numerator_bytes = 6 * 4, denominator_bytes = groups * 4 * 4 };

static const grkan_operation operation = {
    SHAPE(2, groups, 1),
    GROUPS(groups, SHARED, PER_GROUP),
    RATIONAL(5, 4, GRKAN_ABS_TERMS),
    .dtype = GRKAN_F32,
};

/** The geometry that is the same everywhere, so that every device needs a workspace. */
static const grkan_options on_every_device = {.determinism = GRKAN_DEVICE_TO_DEVICE};

static present_devices devices;
static arena arenas[2];
static int arena_count;

/* ------------------------------------------------------------------------------------------------- one buffer wrong */

/** Where a tensor lies in the arguments, by its name. */
enum {
    forward_x = offsetof(grkan_forward_arguments, x),
    forward_numerator = offsetof(grkan_forward_arguments, tables[GRKAN_NUMERATOR]),
    forward_denominator = offsetof(grkan_forward_arguments, tables[GRKAN_DENOMINATOR]),
    forward_y = offsetof(grkan_forward_arguments, y),
    backward_x = offsetof(grkan_backward_arguments, x),
    backward_dy = offsetof(grkan_backward_arguments, dy),
    backward_numerator = offsetof(grkan_backward_arguments, tables[GRKAN_NUMERATOR]),
    backward_denominator = offsetof(grkan_backward_arguments, tables[GRKAN_DENOMINATOR]),
    backward_dx = offsetof(grkan_backward_arguments, dx),
    backward_dnumerator = offsetof(grkan_backward_arguments, gradients[GRKAN_NUMERATOR]),
    backward_ddenominator = offsetof(grkan_backward_arguments, gradients[GRKAN_DENOMINATOR]),
    backward_workspace = offsetof(grkan_backward_arguments, workspace)
};

/** The last bytes of a tensor, and its first from before it. */
enum { last_x = tensor_bytes - 4, last_numerator = numerator_bytes - 4, last_denominator = denominator_bytes - 4 };

static const arena_call refused[] = {
    IS_NULL(IN_FORWARD, x, "8192 bytes"),
    IS_NULL(IN_FORWARD, numerator, "24 bytes"),
    IS_NULL(IN_FORWARD, denominator, "16384 bytes"),
    IS_NULL(IN_FORWARD, y, "8192 bytes"),
    IS_NULL(IN_BACKWARD, x, "8192 bytes"),
    IS_NULL(IN_BACKWARD, dy, "8192 bytes"),
    IS_NULL(IN_BACKWARD, numerator, "24 bytes"),
    IS_NULL(IN_BACKWARD, denominator, "16384 bytes"),
    IS_NULL(IN_BACKWARD, dx, "8192 bytes"),
    IS_NULL(IN_BACKWARD, dnumerator, "24 bytes"),
    IS_NULL(IN_BACKWARD, ddenominator, "16384 bytes"),
    IS_NULL(IN_BACKWARD, workspace, "..."),

    IS_ODD(IN_FORWARD, x, 2, "4"),
    IS_ODD(IN_FORWARD, numerator, 1, "4"),
    IS_ODD(IN_FORWARD, denominator, 3, "4"),
    IS_ODD(IN_FORWARD, y, -1, "4"),
    IS_ODD(IN_BACKWARD, x, 2, "4"),
    IS_ODD(IN_BACKWARD, dy, 2, "4"),
    IS_ODD(IN_BACKWARD, numerator, 2, "4"),
    IS_ODD(IN_BACKWARD, denominator, 2, "4"),
    IS_ODD(IN_BACKWARD, dx, 1, "4"),
    IS_ODD(IN_BACKWARD, dnumerator, 2, "4"),
    IS_ODD(IN_BACKWARD, ddenominator, 2, "4"),
    IS_ODD(IN_BACKWARD, workspace, 8, "16"),

    IS_BEYOND(IN_FORWARD, x, "8192 bytes overflow an address"),
    IS_BEYOND(IN_FORWARD, numerator, "24 bytes overflow an address"),
    IS_BEYOND(IN_FORWARD, denominator, "16384 bytes overflow an address"),
    IS_BEYOND(IN_FORWARD, y, "8192 bytes overflow an address"),
    IS_BEYOND(IN_BACKWARD, dy, "8192 bytes overflow an address"),
    IS_BEYOND(IN_BACKWARD, dx, "8192 bytes overflow an address"),
    IS_BEYOND(IN_BACKWARD, dnumerator, "24 bytes overflow an address"),
    IS_BEYOND(IN_BACKWARD, ddenominator, "16384 bytes overflow an address"),
    IS_BEYOND(IN_BACKWARD, workspace, "..."),

    IN_PART(IN_FORWARD, y, x, 4),
    IN_PART(IN_FORWARD, y, x, -4),
    IN_PART(IN_FORWARD, y, x, last_x),
    OVERLAP(IN_FORWARD, y, numerator, last_numerator),
    OVERLAP(IN_FORWARD, y, denominator, -last_x),

    IN_PART(IN_BACKWARD, dx, x, last_x),
    IN_PART(IN_BACKWARD, dx, x, -last_x),
    IN_PART(IN_BACKWARD, dx, dy, 4),
    IN_PART(IN_BACKWARD, dx, dy, -4),
    OVERLAP(IN_BACKWARD, dx, numerator, -last_x),
    OVERLAP(IN_BACKWARD, dx, denominator, 0),
    OVERLAP(IN_BACKWARD, dnumerator, x, 0),
    OVERLAP(IN_BACKWARD, dnumerator, dy, last_x),
    OVERLAP(IN_BACKWARD, dnumerator, numerator, 0),
    OVERLAP(IN_BACKWARD, dnumerator, denominator, last_denominator),
    OVERLAP(IN_BACKWARD, dnumerator, dx, -last_numerator),
    OVERLAP(IN_BACKWARD, ddenominator, x, 8),
    OVERLAP(IN_BACKWARD, ddenominator, dy, -last_denominator),
    OVERLAP(IN_BACKWARD, ddenominator, numerator, 4),
    OVERLAP(IN_BACKWARD, ddenominator, denominator, 0),
    OVERLAP(IN_BACKWARD, ddenominator, dx, 0),
    OVERLAP(IN_BACKWARD, ddenominator, dnumerator, last_numerator),
    OVERLAP(IN_BACKWARD, workspace, x, tensor_bytes - 16),
    OVERLAP(IN_BACKWARD, workspace, dy, 0),
    OVERLAP(IN_BACKWARD, workspace, numerator, 16),
    OVERLAP(IN_BACKWARD, workspace, denominator, denominator_bytes - 16),
    OVERLAP(IN_BACKWARD, workspace, dx, -64),
    OVERLAP(IN_BACKWARD, workspace, dnumerator, 0),
    OVERLAP(IN_BACKWARD, workspace, ddenominator, -16),
};

static const arena_call accepted[] = {
    ACCEPTED(IN_FORWARD, y, x, 0),
    ACCEPTED(IN_FORWARD, y, x, tensor_bytes),
    ACCEPTED(IN_FORWARD, y, x, -tensor_bytes),
    ACCEPTED(IN_FORWARD, y, numerator, numerator_bytes),
    ACCEPTED(IN_BACKWARD, dx, x, 0),
    ACCEPTED(IN_BACKWARD, dx, dy, 0),
    ACCEPTED(IN_BACKWARD, dx, dy, tensor_bytes),
    ACCEPTED(IN_BACKWARD, dy, x, 0), /* inputs may be the same */
    ACCEPTED(IN_BACKWARD, dy, x, 4),
    ACCEPTED(IN_BACKWARD, dnumerator, numerator, numerator_bytes),
    ACCEPTED(IN_BACKWARD, dnumerator, numerator, -numerator_bytes),
    ACCEPTED(IN_BACKWARD, ddenominator, dx, tensor_bytes),
    ACCEPTED(IN_BACKWARD, workspace, dx, tensor_bytes),
};

static void test_wrong_buffers_are_refused(void **state)
{
    (void)state;
    for (int t = 0; t < arena_count; t++)
        arena_expect_refusals(&arenas[t], refused, COUNT_OF(refused));
}

static void test_neighbours_and_inputs_alike_are_accepted(void **state)
{
    (void)state;
    for (int t = 0; t < arena_count; t++)
        arena_expect_success(&arenas[t], accepted, COUNT_OF(accepted));
}

/* ----------------------------------------------------------------------------------------------- everything else */

static void test_missing_plans_and_arguments_are_refused(void **state)
{
    (void)state;
    for (int t = 0; t < arena_count; t++) {
        const device_layer at = arena_layer(&arenas[t]);
        arena_fill(&arenas[t]);
        EXPECT_INVALID(call_forward(NULL, &at, NULL), "plan is NULL; expected a plan");
        EXPECT_INVALID(call_backward(NULL, &at, NULL), "plan is NULL; expected a plan");
        EXPECT_INVALID(grkan_forward(arenas[t].plan, NULL, NULL), "arguments is NULL; expected the tensors of forward");
        EXPECT_INVALID(grkan_backward(arenas[t].plan, NULL, NULL),
                       "arguments is NULL; expected the tensors of backward");
        arena_expect_untouched(&arenas[t], "missing plans and arguments");
    }
}

static void test_wrong_numbers_of_backward_are_refused(void **state)
{
    (void)state;
    char text[128];
    for (int t = 0; t < arena_count; t++) {
        const arena *const on = &arenas[t];
        device_layer at = arena_layer(on);
        arena_fill(on);
        for (size_t bytes = 0; bytes < on->workspace_bytes; bytes += on->workspace_bytes - 1) {
            at.workspace_bytes = bytes;
            (void)snprintf(text, sizeof text,
                           "arguments.workspace_bytes is %zu; expected at least %zu (grkan_plan_workspace_bytes)",
                           bytes, on->workspace_bytes);
            EXPECT_INVALID(call_backward(on->plan, &at, NULL), text);
        }
        at.workspace_bytes = on->workspace_bytes;
        for (int accumulation = -1; accumulation <= 2; accumulation += 3) {
            at.accumulation = (grkan_accumulation)accumulation;
            (void)snprintf(text, sizeof text, "arguments.accumulation is %d; expected GRKAN_OVERWRITE or GRKAN_ADD",
                           accumulation);
            EXPECT_INVALID(call_backward(on->plan, &at, NULL), text);
        }
        arena_expect_untouched(on, text);
    }
}

static void test_the_cpu_refuses_streams(void **state)
{
    (void)state;
    int anything = 0;
    char text[128];
    const device_layer at = arena_layer(&arenas[0]);
    (void)snprintf(text, sizeof text, "stream is %p; expected NULL, the cpu has no streams", (void *)&anything);
    arena_fill(&arenas[0]);
    EXPECT_INVALID(call_forward(arenas[0].plan, &at, &anything), text);
    EXPECT_INVALID(call_backward(arenas[0].plan, &at, &anything), text);
    arena_expect_untouched(&arenas[0], text);
}

/** Both passes with their outputs apart, or over the inputs. @param results y, dx, dnumerator, ddenominator */
static void run_both(const arena *on, int y, int dx, char *results)
{
    const struct {
        int from;
        size_t bytes;
    } outputs[] = {{y, tensor_bytes},
                   {dx, tensor_bytes},
                   {slot_dnumerator, numerator_bytes},
                   {slot_ddenominator, denominator_bytes}};
    device_layer at = arena_layer(on);
    at.tensor[CHECK_Y] = arena_buffer(on, y);
    at.tensor[CHECK_DX] = arena_buffer(on, dx);
    for (size_t i = 0; i < COUNT_OF(outputs); results += outputs[i++].bytes) {
        if (i <= 1)
            arena_fill(on);
        if (i == 0)
            expect_success(call_forward(on->plan, &at, NULL));
        if (i == 1)
            expect_success(call_backward(on->plan, &at, NULL));
        expect_success(grkan_memory_download(on->device, results, arena_buffer(on, outputs[i].from), outputs[i].bytes));
    }
}

static void test_in_place_gives_the_same_bits(void **state)
{
    (void)state;
    enum { all_bytes = 2 * tensor_bytes + numerator_bytes + denominator_bytes };
    static char apart[all_bytes], in_place[all_bytes];
    for (int t = 0; t < arena_count; t++) {
        run_both(&arenas[t], slot_y, slot_dx, apart);
        assert_memory_not_equal(apart, arena_pristine + arena_place(slot_y), tensor_bytes);
        run_both(&arenas[t], slot_x, slot_x, in_place);
        assert_memory_equal(apart, in_place, all_bytes);
        run_both(&arenas[t], slot_x, slot_dy, in_place);
        assert_memory_equal(apart, in_place, all_bytes);
    }
}

/** Where y and dy have another type, only dx goes in place, to x. */
static void test_two_types_overlap_less(void **state)
{
    (void)state;
    static const arena_call unlike[] = {
        {IN_FORWARD(y), ONTO, 0, ON(x), "y overlaps x; expected memory of its own, as their types differ"},
        {IN_BACKWARD(dx), ONTO, 0, ON(dy), "dx overlaps dy; expected memory of its own, as their types differ"},
        IS_NULL(IN_FORWARD, y, "4096 bytes"),
        IS_ODD(IN_BACKWARD, dy, 1, "2"),
    };
    static const arena_call alike[] = {ACCEPTED(IN_BACKWARD, dx, x, 0),
                                       ACCEPTED(IN_BACKWARD, dx, dy, tensor_bytes / 2), /* right behind it */
                                       {IN_FORWARD(y), MOVED, 2, arena_slots, NULL}};
    grkan_operation narrow = operation;
    narrow.output_dtype = GRKAN_OUTPUT_BF16;
    for (int t = 0; t < arena_count; t++) {
        arena on;
        assert_true(arena_with(&arenas[t], &narrow, &on_every_device, &on));
        arena_expect_refusals(&on, unlike, COUNT_OF(unlike));
        arena_expect_success(&on, alike, COUNT_OF(alike));
        grkan_plan_destroy(on.plan);
    }
}

/** What holds nothing may be NULL: the tensors, the denominator, the workspace. */
static void test_what_is_empty_may_be_null(void **state)
{
    (void)state;
    for (int t = 0; t < arena_count; t++) {
        const arena *const on = &arenas[t];
        const grkan_operation empty = {SHAPE(0, groups, 1), GROUPS(1, SHARED, SHARED), RATIONAL(5, 0, GRKAN_ABS_TERMS)};
        grkan_plan *plan = NULL;
        expect_success(grkan_plan_create(on->device, &empty, NULL, &plan));
        assert_int_equal(grkan_plan_workspace_bytes(plan), 0);
        const device_layer at = {.tensor = {[CHECK_NUMERATOR] = arena_buffer(on, slot_numerator),
                                            [CHECK_DNUMERATOR] = arena_buffer(on, slot_dnumerator)}};
        arena_fill(on);
        expect_success(call_forward(plan, &at, NULL));
        arena_expect_untouched(on, "forward of nothing");
        expect_success(call_backward(plan, &at, NULL));
        arena_read(on);
        for (size_t i = 0; i < numerator_bytes; i++)
            assert_int_equal(arena_found[arena_place(slot_dnumerator) + i], 0);
        grkan_plan_destroy(plan);
    }
}

/* --------------------------------------------------------------------------------------------------------------- */

static void add_arena(grkan_device *device)
{
    arena *const on = &arenas[arena_count++];
    *on = arena_create(device, &operation, &on_every_device);
    assert_true(on->workspace_bytes > 64 && on->workspace_bytes < arena_spacing - denominator_bytes);
}

static int set_up(void **state)
{
    static const char *const backends[] = {"cpu", "opencl"};
    (void)state;
    arena_make_pristine();
    memset(arena_pristine + arena_place(slot_dx) + tensor_bytes, 0,
           arena_spacing - tensor_bytes); /* a workspace lies there */
    if (open_present(backends, 2, &devices) != 0)
        return -1;
    for (int d = 0; d < devices.count; d++)
        add_arena(devices.device[d]);
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
        cmocka_unit_test(test_missing_plans_and_arguments_are_refused),
        cmocka_unit_test(test_wrong_buffers_are_refused),
        cmocka_unit_test(test_wrong_numbers_of_backward_are_refused),
        cmocka_unit_test(test_the_cpu_refuses_streams),
        cmocka_unit_test(test_neighbours_and_inputs_alike_are_accepted),
        cmocka_unit_test(test_in_place_gives_the_same_bits),
        cmocka_unit_test(test_two_types_overlap_less),
        cmocka_unit_test(test_what_is_empty_may_be_null),
    };
    return cmocka_run_group_tests_name("misuse of calls", tests, set_up, tear_down);
}
