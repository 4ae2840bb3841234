/* SPDX-License-Identifier: Apache-2.0 */
/** @file test_plan_tunings.c @brief What tunings do to plans, and what they leave alone. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "../backends/gpu/tuning.h"
#include "../core/plan/plan.h"

#define COUNT_OF(array) (sizeof(array) / sizeof((array)[0]))

/** A GPU of NVIDIA's, and one that nobody knows. */
static grkan_device_limits nvidia = {.compute_units = 132,
                                     .least_elements = 32,
                                     .max_block = 512,
                                     .max_row_block = 1024,
                                     .max_vector_bytes = 16,
                                     .has_async_copies = 1,
                                     .exchanges_registers = 1,
                                     .local_bytes = 49152};
static grkan_device_limits unknown = {.compute_units = 12,
                                      .least_elements = 32,
                                      .max_block = 256,
                                      .max_row_block = 256,
                                      .max_vector_bytes = 16,
                                      .block_step = 64,
                                      .local_bytes = 32768};

static int set_tunings(void **state)
{
    const gpu_told told = {.maker = GPU_NVIDIA, .name = "NVIDIA H200"}, little = {.name = "a GPU", .wave = 64};
    (void)state;
    gpu_set_tunings(&told, &nvidia);
    memcpy(nvidia.tunings, nvidia.known->of, sizeof nvidia.tunings);
    gpu_set_tunings(&little, &unknown);
    return unknown.known == NULL ? 0 : -1;
}

/** A device has registers for what the threads that it shall hold at once keep. */
static void test_tunings_leave_registers_for_what_threads_keep(void **state)
{
    (void)state;
    for (int i = 0; i < 2 * 4 * 33 * 5 * 2; i++) {
        const grkan_pass_shape shape = {.is_backward = i % 2,
                                        .dtype = (grkan_dtype)(i / 2 % 4),
                                        .numbers = i / 8 % 33,
                                        .vector = 1 << i / 8 / 33 % 4,
                                        .vector_groups = 1};
        const grkan_tuning t = nvidia.tune(&nvidia, &shape);
        const int kept = shape.numbers * (shape.is_backward ? 2 : 1) * (int)grkan_coefficient_bytes(shape.dtype) / 4;
        assert_true(t.occupancy > 0 && t.occupancy * (kept + 32) <= gpu_nvidia_registers);
        assert_true(t.block > 0 && t.block <= 512 && t.grid_waves > 0 && t.stages > 0 && t.step > 0);
    }
}

/** A device that is not known gets blocks of whole waves, as it likes them, of a size that it runs. */
static void test_blocks_of_other_devices_are_whole_waves(void **state)
{
    const grkan_device_limits *const d = &unknown;
    (void)state;
    for (int64_t count = 8; count <= 4096; count += 8) {
        for (int dtype = GRKAN_F32; dtype <= GRKAN_F64; dtype++) {
            grkan_operation o = GRKAN_OPERATION_INIT;
            grkan_plan_data data = {0};
            o.outer = 1000;
            o.channels = count;
            o.dtype = (grkan_dtype)dtype;
            assert_int_equal(grkan_plan_decide(&o, NULL, &data), GRKAN_SUCCESS);
            assert_int_equal(grkan_plan_shape(d, &data), GRKAN_SUCCESS);
            assert_true(data.forward.columns.block % d->block_step == 0 && data.forward.columns.block <= d->max_block);
            assert_true(data.backward.columns.block % d->block_step == 0 &&
                        data.backward.columns.block <= d->max_block);
        }
    }
}

/** Whatever is preferred, device_to_device has one geometry; run_to_run follows. */
static void test_tunings_do_not_change_what_is_fixed(void **state)
{
    static const int32_t blocks[] = {96, 256, 512};
    grkan_geometry backward[2][COUNT_OF(blocks)];
    (void)state;
    for (size_t i = 0; i < COUNT_OF(blocks); i++) {
        grkan_device_limits limits = nvidia;
        for (int kind = 0; kind < GRKAN_TUNING_KINDS; kind++)
            limits.tunings[kind] = (grkan_tuning){blocks[i], 3 * blocks[i], (int32_t)i + 1, 1 + (int32_t)i % 2, 8, 0};
        for (int fixed = 0; fixed < 2; fixed++) {
            grkan_operation o = GRKAN_OPERATION_INIT;
            const grkan_options options = {.determinism = fixed ? GRKAN_DEVICE_TO_DEVICE : GRKAN_RUN_TO_RUN};
            grkan_plan_data data = {0};
            o.outer = 1000;
            o.channels = 768;
            assert_int_equal(grkan_plan_decide(&o, &options, &data), GRKAN_SUCCESS);
            assert_int_equal(grkan_plan_shape(&limits, &data), GRKAN_SUCCESS);
            backward[fixed][i] = data.backward;
        }
    }
    for (size_t i = 1; i < COUNT_OF(blocks); i++) {
        assert_memory_equal(&backward[1][i], &backward[1][0], sizeof backward[1][0]);
        assert_true(backward[0][i].columns.block != backward[0][0].columns.block);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_tunings_leave_registers_for_what_threads_keep),
        cmocka_unit_test(test_blocks_of_other_devices_are_whole_waves),
        cmocka_unit_test(test_tunings_do_not_change_what_is_fixed),
    };
    return cmocka_run_group_tests_name("plan_tunings", tests, set_tunings, NULL);
}
