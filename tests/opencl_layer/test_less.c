/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file test_less.c
 * @brief Devices with less than those at hand, and GPUs, for which a processor that answers so stands in: a few calls have
 * the cpu's bits, or where those are not promised what the oracle has.
 *
 * Only here do the GPUs' kernels run on a processor: as one, it has those of lanes.h.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "../call.h"
#include "runner.h"
#include "watched.h"

/** Answers of a device; the list ends with a question 0. */
typedef struct answer {
    cl_device_info what;
    const void *value;
    size_t bytes;
} answer;

static const cl_device_type gpu = CL_DEVICE_TYPE_GPU;
static const cl_device_fp_config estimates = CL_FP_DENORM | CL_FP_INF_NAN | CL_FP_ROUND_TO_NEAREST;
static const cl_device_fp_config no_subnormals = CL_FP_INF_NAN | CL_FP_ROUND_TO_NEAREST;
static const cl_ulong little_memory = 16384;
static const size_t small_groups = 64;
static const cl_uint short_addresses = 32;
static const cl_ulong no_memory = 0;
static const size_t least_groups = 1, few_arguments = 256;
static const size_t short_dimension[] = {64, 512, 512}, shortest_dimension[] = {16, 512, 512};

#define ANSWER(what, value) {what, &(value), sizeof(value)}
#define TEXT(what, text) {what, text, sizeof(text)}

static grkan_device *open_as(const answer *answers)
{
    for (; answers->what != 0; answers++)
        opencl_layer_answer(answers->what, answers->value, answers->bytes);
    return open_device("opencl:0:0");
}

static void close_as(const answer *answers, grkan_device *device)
{
    grkan_device_close(device);
    for (; answers->what != 0; answers++)
        opencl_layer_answer(answers->what, NULL, 0);
}

/* ---------------------------------------------------------------------------------------------------------- cases */

/** Of any size, so that quotients of every kind come up. */
static const check_case limits = {.name = "limits",
                                  .seed = 1,
                                  .operation = {SHAPE(3, 96, 1), GROUPS(96, PER_GROUP, PER_GROUP),
                                                RATIONAL(5, 4, GRKAN_ABS_TERMS), .dtype = GRKAN_F32},
                                  .values = CHECK_LIMITS};
static const check_case f64 = {
    .name = "f64",
    .seed = 2,
    .operation = {SHAPE(40, 64, 1), GROUPS(4, PER_GROUP, PER_GROUP), RATIONAL(3, 2, GRKAN_ABS_SUM), .dtype = GRKAN_F64},
    .values = CHECK_HUGE};
static const check_case bf16 = {.name = "bf16",
                                .seed = 3,
                                .operation = {SHAPE(300, 64, 1), GROUPS(4, PER_GROUP, PER_GROUP),
                                              RATIONAL(3, 2, GRKAN_ABS_SUM), .dtype = GRKAN_BF16}};
static const check_case norm = {
    .name = "norm",
    .seed = 4,
    .operation = {SHAPE(60, 96, 1), GROUPS(8, SHARED, PER_GROUP), RATIONAL(5, 4, GRKAN_ABS_TERMS), .dtype = GRKAN_F32,
                  .prologue = GRKAN_PROLOGUE_LAYER_NORM, .norm = {.epsilon = 1e-5, .has_scale = 1, .has_shift = 1}}};

static void expect_passed(const check_case *one, const check_report *report)
{
    if (report->outcome != CHECK_PASSED)
        fail_msg("%s: %s", one->name, report->text);
}

static void expect_bits_of_cpu(grkan_device *device, const check_case *plain)
{
    check_report report = {0};
    check_case one = *plain;
    grkan_device *const cpu = open_device("cpu");
    one.options.determinism = GRKAN_DEVICE_TO_DEVICE;
    check_same_bits(cpu, NULL, device, NULL, &one, "the cpu and the device", &report);
    grkan_device_close(cpu);
    expect_passed(&one, &report);
}

static void refuse(grkan_device *device, const check_case *one, grkan_determinism determinism, const char *words)
{
    const grkan_options options = {.determinism = determinism};
    grkan_plan *plan = NULL;
    assert_int_equal(grkan_plan_create(device, &one->operation, &options, &plan), GRKAN_ERROR_UNSUPPORTED);
    if (strstr(grkan_last_error(), words) == NULL)
        fail_msg("\"%s\" does not say \"%s\"", grkan_last_error(), words);
}

/** As the oracle has it. */
static void expect_right(grkan_device *device, const check_case *one)
{
    check_report report = {0};
    check_run(device, one, &report);
    expect_passed(one, &report);
}

/* ---------------------------------------------------------------------------------------------------------- tests */

static void a_gpu(void **state)
{
    (void)state;
    static const answer answers[] = {ANSWER(CL_DEVICE_TYPE, gpu), {0}};
    grkan_device *const device = open_as(answers);
    expect_bits_of_cpu(device, &limits);
    expect_right(device, &bf16);
    close_as(answers, device);
}

/** See kernels/rounded.h. */
static void quotients_that_are_not_rounded_correctly(void **state)
{
    (void)state;
    static const answer processor[] = {ANSWER(CL_DEVICE_SINGLE_FP_CONFIG, estimates), {0}};
    static const answer answers[] = {ANSWER(CL_DEVICE_SINGLE_FP_CONFIG, estimates), ANSWER(CL_DEVICE_TYPE, gpu), {0}};
    grkan_device *device = open_as(processor);
    expect_bits_of_cpu(device, &limits);
    expect_bits_of_cpu(device, &f64);
    close_as(processor, device);
    device = open_as(answers);
    expect_bits_of_cpu(device, &limits);
    expect_bits_of_cpu(device, &norm);
    close_as(answers, device);
}

/** The bits of everybody need blocks whose size is not the device's to choose. */
static void little_local_memory_and_short_addresses(void **state)
{
    (void)state;
    static const answer answers[] = {ANSWER(CL_DEVICE_LOCAL_MEM_SIZE, little_memory),
                                     ANSWER(CL_DEVICE_ADDRESS_BITS, short_addresses),
                                     ANSWER(CL_DEVICE_TYPE, gpu),
                                     {0}};
    grkan_device *const device = open_as(answers);
    expect_right(device, &norm);
    refuse(device, &limits, GRKAN_DEVICE_TO_DEVICE, "with 16384 bytes of local memory");
    expect_bits_of_cpu(device, &bf16);
    close_as(answers, device);
}

/** An embedded device has fewer extensions: here no cl_khr_icd, no numbers of 16 or 64 bits, no atomics of those. */
static void small_groups_of_an_embedded_device(void **state)
{
    (void)state;
    static const answer answers[] = {ANSWER(CL_DEVICE_MAX_WORK_GROUP_SIZE, small_groups),
                                     ANSWER(CL_DEVICE_LOCAL_MEM_SIZE, little_memory),
                                     ANSWER(CL_DEVICE_SINGLE_FP_CONFIG, no_subnormals),
                                     TEXT(CL_DEVICE_PROFILE, "EMBEDDED_PROFILE"),
                                     TEXT(CL_DEVICE_EXTENSIONS, "cles_khr_int64"),
                                     ANSWER(CL_DEVICE_TYPE, gpu),
                                     {0}};
    grkan_device *const device = open_as(answers);
    expect_right(device, &bf16);
    refuse(device, &f64, GRKAN_RUN_TO_RUN, "operation.dtype is f64; opencl:0:0");
    refuse(device, &bf16, GRKAN_DEVICE_TO_DEVICE, "options.determinism is device_to_device; opencl:0:0");
    close_as(answers, device);
}

/** Of a group's dimensions blocks have the first. */
static void a_first_dimension_that_is_shorter_than_groups(void **state)
{
    (void)state;
    static const answer answers[] = {
        ANSWER(CL_DEVICE_MAX_WORK_ITEM_SIZES, short_dimension), ANSWER(CL_DEVICE_TYPE, gpu), {0}};
    grkan_device *const device = open_as(answers);
    expect_right(device, &bf16);
    expect_right(device, &norm);
    refuse(device, &limits, GRKAN_DEVICE_TO_DEVICE, "the device runs at most 64");
    close_as(answers, device);
}

/** Of everybody's bits no property says which of them a device with small blocks has. */
static void a_check_of_bits_that_need_larger_blocks_is_skipped(void **state)
{
    (void)state;
    static const answer answers[] = {
        ANSWER(CL_DEVICE_MAX_WORK_GROUP_SIZE, small_groups), ANSWER(CL_DEVICE_TYPE, gpu), {0}};
    grkan_device *const device = open_as(answers);
    check_report report = {0};
    check_case one = limits;
    one.options.determinism = GRKAN_DEVICE_TO_DEVICE;
    check_run(device, &one, &report);
    assert_int_equal(report.outcome, CHECK_SKIPPED);
    assert_string_equal(report.text, "the device's blocks are too small for device_to_device");
    close_as(answers, device);
}

/** A block is one work-item there, with its memory for itself; but for the kernels of prologues. */
static void a_processor_with_groups_of_one(void **state)
{
    (void)state;
    static const answer answers[] = {
        ANSWER(CL_DEVICE_MAX_WORK_GROUP_SIZE, least_groups), ANSWER(CL_DEVICE_LOCAL_MEM_SIZE, no_memory), {0}};
    grkan_device *const device = open_as(answers);
    expect_bits_of_cpu(device, &limits);
    expect_bits_of_cpu(device, &f64);
    expect_right(device, &bf16);
    refuse(device, &norm, GRKAN_RUN_TO_RUN, "a block of the device has 0 bytes of local memory");
    close_as(answers, device);
}

static void refuse_device(const answer *answers, const char *words)
{
    grkan_device *device = NULL;
    for (const answer *a = answers; a->what != 0; a++)
        opencl_layer_answer(a->what, a->value, a->bytes);
    assert_int_equal(grkan_device_open("opencl:0:0", &device), GRKAN_ERROR_UNSUPPORTED);
    if (strstr(grkan_last_error(), words) == NULL)
        fail_msg("\"%s\" does not say \"%s\"", grkan_last_error(), words);
    close_as(answers, device);
}

/** What no plan would run on is no device, and is not the first that works. */
static void devices_that_run_no_block_are_refused(void **state)
{
    (void)state;
    static const answer groups[] = {
        ANSWER(CL_DEVICE_MAX_WORK_GROUP_SIZE, least_groups), ANSWER(CL_DEVICE_TYPE, gpu), {0}};
    static const answer dimensions[] = {
        ANSWER(CL_DEVICE_MAX_WORK_ITEM_SIZES, shortest_dimension), ANSWER(CL_DEVICE_TYPE, gpu), {0}};
    static const answer memory[] = {ANSWER(CL_DEVICE_LOCAL_MEM_SIZE, no_memory), ANSWER(CL_DEVICE_TYPE, gpu), {0}};
    static const answer arguments[] = {ANSWER(CL_DEVICE_MAX_PARAMETER_SIZE, few_arguments), {0}};
    refuse_device(groups, "the OpenCL device runs no groups of 32 work-items");
    refuse_device(dimensions, "the OpenCL device runs no groups of 32 work-items");
    refuse_device(memory, "the OpenCL device has no local memory");
    refuse_device(arguments, "the OpenCL device hands too few bytes of arguments to a kernel");
}

static void memory_that_is_not_had_at_once_is_named(void **state)
{
    (void)state;
    static const answer answers[] = {ANSWER(CL_DEVICE_MAX_MEM_ALLOC_SIZE, little_memory), {0}};
    grkan_device *const device = open_as(answers);
    void *base = NULL;
    opencl_layer_fail("clCreateBuffer", 1, CL_INVALID_BUFFER_SIZE);
    assert_int_equal(grkan_memory_allocate(device, 20000, &base), GRKAN_ERROR_OUT_OF_MEMORY);
    if (strstr(grkan_last_error(), "bytes is 20000; expected at most 16384, what the device allocates at once") == NULL)
        fail_msg("%s", grkan_last_error());
    close_as(answers, device);
}

/* --------------------------------------------------------------------------------------------------------------- */

static int tear_down(void **state)
{
    (void)state;
    return watched_end();
}

#define WATCHED(test) cmocka_unit_test_teardown(test, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WATCHED(a_gpu),
        WATCHED(quotients_that_are_not_rounded_correctly),
        WATCHED(little_local_memory_and_short_addresses),
        WATCHED(small_groups_of_an_embedded_device),
        WATCHED(a_first_dimension_that_is_shorter_than_groups),
        WATCHED(a_check_of_bits_that_need_larger_blocks_is_skipped),
        WATCHED(a_processor_with_groups_of_one),
        WATCHED(devices_that_run_no_block_are_refused),
        WATCHED(memory_that_is_not_had_at_once_is_named),
    };
    cl_device_id id = NULL;
    cl_uint count = 0;
    const int absent = watched_begin(&id, 1, &count);
    return absent != 0 ? absent : cmocka_run_group_tests_name("opencl_less", tests, NULL, NULL);
}
