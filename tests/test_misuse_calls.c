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

#include "call.h"
#include "misuse.h"
#include "present.h"

/** Tensors in the allocation, in its order. */
typedef enum slot {
    slot_x = CHECK_X,
    slot_dy = CHECK_DY,
    slot_numerator = CHECK_NUMERATOR,
    slot_denominator = CHECK_DENOMINATOR,
    slot_y = CHECK_Y,
    slot_dx = CHECK_DX,
    slot_dnumerator = CHECK_DNUMERATOR,
    slot_ddenominator = CHECK_DDENOMINATOR,
    slot_workspace = CHECK_TENSORS,
    slots
} slot;

/* More groups than a block has threads, so that the shared numerator needs a workspace on every device. */
enum {
    groups = 1024,
    tensor_bytes = 2 * groups * 4,
    numerator_bytes = 6 * 4,
    denominator_bytes = groups * 4 * 4,
    spacing = 1 << 16,
    arena_bytes = (slots + 1) * spacing
};

static const grkan_operation operation = {
    SHAPE(2, groups, 1),
    GROUPS(groups, SHARED, PER_GROUP),
    RATIONAL(5, 4, GRKAN_ABS_TERMS),
    .dtype = GRKAN_F32,
};

/** The geometry that is the same everywhere, so that every device needs a workspace. */
static const grkan_options on_every_device = {.determinism = GRKAN_DEVICE_TO_DEVICE};

/** A device, its plan, and the allocation. */
typedef struct target {
    grkan_device *device;
    grkan_plan *plan;
    void *base;
    size_t workspace_bytes;
} target;

static present_devices devices;
static target targets[2];
static int target_count;
static char pristine[arena_bytes], found[arena_bytes];

static size_t place_of(slot of)
{
    return ((size_t)of + 1) * spacing;
}

static grkan_buffer buffer_of(const target *on, slot of)
{
    return (grkan_buffer){on->base, place_of(of)};
}

static void fill_arena(const target *on)
{
    expect_success(grkan_memory_upload(on->device, (grkan_buffer){on->base, 0}, pristine, arena_bytes));
}

static void read_arena(const target *on)
{
    expect_success(grkan_memory_download(on->device, found, (grkan_buffer){on->base, 0}, arena_bytes));
}

static device_layer all_buffers(const target *on)
{
    device_layer at = {.workspace = buffer_of(on, slot_workspace), .workspace_bytes = on->workspace_bytes};
    for (int t = 0; t < CHECK_TENSORS; t++)
        at.tensor[t] = buffer_of(on, (slot)t);
    return at;
}

/* ------------------------------------------------------------------------------------------------- one buffer wrong */

/** A call with one of its buffers set to something else. */
typedef struct call_case {
    enum { FORWARD, BACKWARD } pass;
    size_t buffer; /* where it is in the arguments */
    enum { AT_NULL, MOVED, AT_OFFSET, ONTO } how;
    int64_t bytes; /* moved by; the offset; after the start of: */
    slot onto;
    const char *text; /* NULL: it is to be accepted */
} call_case;

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

#define IN_FORWARD(name) FORWARD, forward_##name
#define IN_BACKWARD(name) BACKWARD, backward_##name
#define ON(other) slot_##other

#define IS_NULL(place, name, size) {place(name), AT_NULL, 0, slots, #name ".base is NULL; expected memory of " size}
#define IS_ODD(place, name, by, multiple)                                                                              \
    {place(name), MOVED, by, slots, #name " is not aligned: base + offset must be a multiple of " multiple}
#define IS_BEYOND(place, name, text)                                                                                   \
    {place(name), AT_OFFSET, -16, slots, #name ".offset is 18446744073709551600; it and " text}
#define IN_PART(place, name, other, by)                                                                                \
    {place(name), ONTO, by, ON(other),                                                                                 \
     #name " overlaps " #other "; expected the same memory exactly (in place), or none of it"}
#define OVERLAP(place, name, other, by)                                                                                \
    {place(name), ONTO, by, ON(other), #name " overlaps " #other "; expected memory of its own"}
#define ACCEPTED(place, name, other, by) {place(name), ONTO, by, ON(other), NULL}

/** The last bytes of a tensor, and its first from before it. */
enum { last_x = tensor_bytes - 4, last_numerator = numerator_bytes - 4, last_denominator = denominator_bytes - 4 };

static const call_case refused[] = {
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

static const call_case accepted[] = {
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

static void change_buffer(const call_case *one, void *arguments)
{
    grkan_buffer *const buffer = (grkan_buffer *)((char *)arguments + one->buffer);
    switch (one->how) {
    case AT_NULL:
        buffer->base = NULL;
        break;
    case MOVED:
        buffer->offset += (size_t)one->bytes;
        break;
    case AT_OFFSET:
        buffer->offset = (size_t)one->bytes;
        break;
    case ONTO:
        buffer->offset = place_of(one->onto) + (size_t)one->bytes;
        break;
    }
}

static grkan_status run_case(const target *on, const call_case *one)
{
    const device_layer at = all_buffers(on);
    grkan_forward_arguments forward = device_layer_forward_arguments(&at);
    grkan_backward_arguments backward = device_layer_backward_arguments(&at);
    change_buffer(one, one->pass == FORWARD ? (void *)&forward : (void *)&backward);
    return one->pass == FORWARD ? grkan_forward(on->plan, &forward, NULL) : grkan_backward(on->plan, &backward, NULL);
}

static void expect_untouched(const target *on, const char *text)
{
    read_arena(on);
    for (size_t i = 0; i < arena_bytes; i++)
        if (found[i] != pristine[i])
            fail_msg("byte %zu of slot %zu was written, for \"%s\"", i % spacing, i / spacing - 1, text);
}

static void test_wrong_buffers_are_refused(void **state)
{
    (void)state;
    for (int t = 0; t < target_count; t++) {
        fill_arena(&targets[t]);
        for (size_t i = 0; i < COUNT_OF(refused); i++) {
            const grkan_status status = run_case(&targets[t], &refused[i]);
            EXPECT_INVALID(status, refused[i].text);
            expect_untouched(&targets[t], refused[i].text);
        }
    }
}

static void test_neighbours_and_inputs_alike_are_accepted(void **state)
{
    (void)state;
    for (int t = 0; t < target_count; t++) {
        for (size_t i = 0; i < COUNT_OF(accepted); i++) {
            fill_arena(&targets[t]);
            const grkan_status status = run_case(&targets[t], &accepted[i]);
            if (status != GRKAN_SUCCESS)
                fail_msg("accepted[%zu] was refused: %s", i, grkan_last_error());
            expect_success(grkan_device_synchronize(targets[t].device));
        }
    }
}

/* ----------------------------------------------------------------------------------------------- everything else */

static void test_missing_plans_and_arguments_are_refused(void **state)
{
    (void)state;
    for (int t = 0; t < target_count; t++) {
        const device_layer at = all_buffers(&targets[t]);
        fill_arena(&targets[t]);
        EXPECT_INVALID(call_forward(NULL, &at, NULL), "plan is NULL; expected a plan");
        EXPECT_INVALID(call_backward(NULL, &at, NULL), "plan is NULL; expected a plan");
        EXPECT_INVALID(grkan_forward(targets[t].plan, NULL, NULL),
                       "arguments is NULL; expected the tensors of forward");
        EXPECT_INVALID(grkan_backward(targets[t].plan, NULL, NULL),
                       "arguments is NULL; expected the tensors of backward");
        expect_untouched(&targets[t], "missing plans and arguments");
    }
}

static void test_wrong_numbers_of_backward_are_refused(void **state)
{
    (void)state;
    char text[128];
    for (int t = 0; t < target_count; t++) {
        const target *const on = &targets[t];
        device_layer at = all_buffers(on);
        fill_arena(on);
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
        expect_untouched(on, text);
    }
}

static void test_the_cpu_refuses_streams(void **state)
{
    (void)state;
    int anything = 0;
    char text[128];
    const device_layer at = all_buffers(&targets[0]);
    (void)snprintf(text, sizeof text, "stream is %p; expected NULL, the cpu has no streams", (void *)&anything);
    fill_arena(&targets[0]);
    EXPECT_INVALID(call_forward(targets[0].plan, &at, &anything), text);
    EXPECT_INVALID(call_backward(targets[0].plan, &at, &anything), text);
    expect_untouched(&targets[0], text);
}

/** Both passes with their outputs apart, or over the inputs. @param results y, dx, dnumerator, ddenominator */
static void run_both(const target *on, slot y, slot dx, char *results)
{
    const struct {
        slot from;
        size_t bytes;
    } outputs[] = {{y, tensor_bytes},
                   {dx, tensor_bytes},
                   {slot_dnumerator, numerator_bytes},
                   {slot_ddenominator, denominator_bytes}};
    device_layer at = all_buffers(on);
    at.tensor[CHECK_Y] = buffer_of(on, y);
    at.tensor[CHECK_DX] = buffer_of(on, dx);
    for (size_t i = 0; i < COUNT_OF(outputs); results += outputs[i++].bytes) {
        if (i <= 1)
            fill_arena(on);
        if (i == 0)
            expect_success(call_forward(on->plan, &at, NULL));
        if (i == 1)
            expect_success(call_backward(on->plan, &at, NULL));
        expect_success(grkan_memory_download(on->device, results, buffer_of(on, outputs[i].from), outputs[i].bytes));
    }
}

static void test_in_place_gives_the_same_bits(void **state)
{
    (void)state;
    enum { all_bytes = 2 * tensor_bytes + numerator_bytes + denominator_bytes };
    static char apart[all_bytes], in_place[all_bytes];
    for (int t = 0; t < target_count; t++) {
        run_both(&targets[t], slot_y, slot_dx, apart);
        assert_memory_not_equal(apart, pristine + place_of(slot_y), tensor_bytes);
        run_both(&targets[t], slot_x, slot_x, in_place);
        assert_memory_equal(apart, in_place, all_bytes);
        run_both(&targets[t], slot_x, slot_dy, in_place);
        assert_memory_equal(apart, in_place, all_bytes);
    }
}

/** Where y and dy have another type, only dx goes in place, to x. */
static void test_two_types_overlap_less(void **state)
{
    (void)state;
    static const call_case unlike[] = {
        {IN_FORWARD(y), ONTO, 0, ON(x), "y overlaps x; expected memory of its own, as their types differ"},
        {IN_BACKWARD(dx), ONTO, 0, ON(dy), "dx overlaps dy; expected memory of its own, as their types differ"},
        IS_NULL(IN_FORWARD, y, "4096 bytes"),
        IS_ODD(IN_BACKWARD, dy, 1, "2"),
    };
    static const call_case alike[] = {ACCEPTED(IN_BACKWARD, dx, x, 0),
                                      ACCEPTED(IN_BACKWARD, dx, dy, tensor_bytes / 2), /* right behind it */
                                      {IN_FORWARD(y), MOVED, 2, slots, NULL}};
    grkan_operation narrow = operation;
    narrow.output_dtype = GRKAN_OUTPUT_BF16;
    for (int t = 0; t < target_count; t++) {
        target on = targets[t];
        expect_success(grkan_plan_create(on.device, &narrow, &on_every_device, &on.plan));
        on.workspace_bytes = grkan_plan_workspace_bytes(on.plan);
        fill_arena(&on);
        for (size_t i = 0; i < COUNT_OF(unlike); i++) {
            EXPECT_INVALID(run_case(&on, &unlike[i]), unlike[i].text);
            expect_untouched(&on, unlike[i].text);
        }
        for (size_t i = 0; i < COUNT_OF(alike); i++) {
            expect_success(run_case(&on, &alike[i]));
            expect_success(grkan_device_synchronize(on.device));
        }
        grkan_plan_destroy(on.plan);
    }
}

/** What holds nothing may be NULL: the tensors, the denominator, the workspace. */
static void test_what_is_empty_may_be_null(void **state)
{
    (void)state;
    for (int t = 0; t < target_count; t++) {
        const target *const on = &targets[t];
        const grkan_operation empty = {SHAPE(0, groups, 1), GROUPS(1, SHARED, SHARED), RATIONAL(5, 0, GRKAN_ABS_TERMS)};
        grkan_plan *plan = NULL;
        expect_success(grkan_plan_create(on->device, &empty, NULL, &plan));
        assert_int_equal(grkan_plan_workspace_bytes(plan), 0);
        const device_layer at = {.tensor = {[CHECK_NUMERATOR] = buffer_of(on, slot_numerator),
                                            [CHECK_DNUMERATOR] = buffer_of(on, slot_dnumerator)}};
        fill_arena(on);
        expect_success(call_forward(plan, &at, NULL));
        expect_untouched(on, "forward of nothing");
        expect_success(call_backward(plan, &at, NULL));
        read_arena(on);
        for (size_t i = 0; i < numerator_bytes; i++)
            assert_int_equal(found[place_of(slot_dnumerator) + i], 0);
        grkan_plan_destroy(plan);
    }
}

/* --------------------------------------------------------------------------------------------------------------- */

static void make_pristine(void)
{
    for (size_t i = 0; i < arena_bytes / sizeof(float); i++) {
        const float value = (float)((i * 2654435761u) % 1000u) / 400.0f - 1.25f;
        memcpy(pristine + i * sizeof value, &value, sizeof value);
    }
    /* Counters of a workspace are zero; the neighbour tests put one behind dx. */
    memset(pristine + place_of(slot_workspace), 0, spacing);
    memset(pristine + place_of(slot_dx) + tensor_bytes, 0, spacing - tensor_bytes);
}

static void add_target(grkan_device *device)
{
    target *const on = &targets[target_count++];
    on->device = device;
    expect_success(grkan_plan_create(device, &operation, &on_every_device, &on->plan));
    expect_success(grkan_memory_allocate(device, arena_bytes, &on->base));
    on->workspace_bytes = grkan_plan_workspace_bytes(on->plan);
    assert_true(on->workspace_bytes > 64 && on->workspace_bytes < spacing - denominator_bytes);
}

static int set_up(void **state)
{
    static const char *const backends[] = {"cpu", "opencl"};
    (void)state;
    make_pristine();
    if (open_present(backends, 2, &devices) != 0)
        return -1;
    for (int d = 0; d < devices.count; d++)
        add_target(devices.device[d]);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    for (int t = 0; t < target_count; t++) {
        grkan_memory_free(targets[t].device, targets[t].base);
        grkan_plan_destroy(targets[t].plan);
    }
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
