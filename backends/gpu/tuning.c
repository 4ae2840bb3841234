/* SPDX-License-Identifier: Apache-2.0 */
/** @file tuning.c @brief Tunings of families of GPUs, and the choice among them by what a thread keeps in registers. */
#include "tuning.h"

enum { widest_access = 16 /* bytes */ };

/** Measured on an H200, see docs/notebook/nvidia.md. */
static const gpu_tunings nvidia = {
    .registers = gpu_nvidia_registers,
    .forward = {.block = 384, .occupancy = 1152, .grid_waves = 24, .stages = 1, .step = 8},
    .forward_16_bit = {.block = 384, .occupancy = 1152, .grid_waves = 6, .stages = 1, .step = 16},
    .forward_norm = {.block = 96, .occupancy = 1024, .grid_waves = 1, .stages = 1, .step = 16},
    .backward = {.block = 480, .occupancy = 960, .grid_waves = 1, .stages = 1, .step = 4, .least_row_bytes = 1536},
    .backward_16_bit = {.block = 384, .occupancy = 384, .grid_waves = 1, .stages = 2, .step = 8},
    .backward_large = {.block = 384, .occupancy = 768, .grid_waves = 1, .stages = 1, .step = 8},
    .backward_narrow = {.block = 384, .occupancy = 512, .grid_waves = 1, .stages = 1, .step = 8},
    .backward_norm = {.block = 192, .occupancy = 512, .grid_waves = 1, .stages = 1, .step = 16},
    .backward_bias = {.block = 384, .occupancy = 384, .grid_waves = 1, .stages = 2, .step = 16}};

/** AMD's, by HIP: its compiler decides on registers. Not measured on its hardware yet. */
static const gpu_tunings amd = {
    .forward = {.block = 384, .occupancy = 1536, .grid_waves = 4, .stages = 1, .step = 4},
    .forward_16_bit = {.block = 384, .occupancy = 1536, .grid_waves = 4, .stages = 1, .step = 8},
    .forward_norm = {.block = 256, .occupancy = 1024, .grid_waves = 4, .stages = 1, .step = 16},
    .backward = {.block = 384, .occupancy = 768, .grid_waves = 1, .stages = 1, .step = 4},
    .backward_16_bit = {.block = 384, .occupancy = 768, .grid_waves = 1, .stages = 1, .step = 8},
    .backward_large = {.block = 384, .occupancy = 768, .grid_waves = 1, .stages = 1, .step = 4},
    .backward_narrow = {.block = 384, .occupancy = 768, .grid_waves = 1, .stages = 1, .step = 4},
    .backward_norm = {.block = 256, .occupancy = 512, .grid_waves = 1, .stages = 1, .step = 8},
    .backward_bias = {.block = 384, .occupancy = 768, .grid_waves = 1, .stages = 1, .step = 8}};

/** All others, by OpenCL. Not measured on any yet. */
static const gpu_tunings other = {
    .forward = {.block = 384, .occupancy = 1152, .grid_waves = 24, .stages = 1, .step = 8},
    .forward_16_bit = {.block = 384, .occupancy = 1536, .grid_waves = 6, .stages = 1, .step = 8},
    .forward_norm = {.block = 256, .occupancy = 1024, .grid_waves = 4, .stages = 1, .step = 16},
    .backward = {.block = 384, .occupancy = 768, .grid_waves = 1, .stages = 1, .step = 4},
    .backward_16_bit = {.block = 384, .occupancy = 768, .grid_waves = 1, .stages = 1, .step = 8},
    .backward_large = {.block = 384, .occupancy = 768, .grid_waves = 1, .stages = 1, .step = 4},
    .backward_narrow = {.block = 384, .occupancy = 768, .grid_waves = 1, .stages = 1, .step = 4},
    .backward_norm = {.block = 256, .occupancy = 512, .grid_waves = 1, .stages = 1, .step = 1},
    .backward_bias = {.block = 384, .occupancy = 768, .grid_waves = 1, .stages = 1, .step = 8}};

/** A thread's registers, of 32 bits: for `kept` numbers all along, and `beside` others. */
static int registers_of(const grkan_pass_shape *shape, int kept, int beside)
{
    return kept * (int)grkan_coefficient_bytes(shape->dtype) / 4 + beside;
}

/**
 * Threads that have so many registers each. The assembler allots those in eights, and a compute unit's four parts have a
 * quarter of all registers each, so that the waves of 32 threads of one part decide.
 */
static int32_t threads_with(int all_registers, int registers)
{
    enum { register_step = 8, thread_step = 4 * 32 };
    const int allotted = (registers + register_step - 1) / register_step * register_step;
    return all_registers / allotted / thread_step * thread_step;
}

static int has_registers(const gpu_tunings *all, const grkan_tuning *tuning, int registers)
{
    return all->registers == 0 || tuning->occupancy <= threads_with(all->registers, registers);
}

/** No more threads than have so many registers. */
static grkan_tuning within_registers(const gpu_tunings *all, grkan_tuning tuning, int registers)
{
    if (!has_registers(all, &tuning, registers))
        tuning.occupancy = threads_with(all->registers, registers);
    return tuning;
}

/** Bytes that a thread loads of a row at once. */
static int vector_bytes(const grkan_pass_shape *shape)
{
    return shape->vector * (int)grkan_dtype_bytes(shape->dtype);
}

/** Threads that a compute unit holds at once in blocks of whole rows. */
static int held_threads(const grkan_tuning *tuning, int row_threads)
{
    return row_threads > 0 ? tuning->occupancy / row_threads * row_threads : tuning->occupancy;
}

/**
 * Backward with a norm. At most four rows of a step are summed at once, however narrow vectors are. Half of the elements leave
 * registers for more threads: where rows are so long that many more are held then (1024 channels at f32: 512 threads instead
 * of 256).
 */
static grkan_tuning tune_backward_norm(const gpu_tunings *all, const grkan_pass_shape *shape, int registers)
{
    enum { rows = 4, of_element = 4 }; /* x, dy, z and dz, as rows are computed before any of it is stored */
    const int words = (int)grkan_coefficient_bytes(shape->dtype) / 4;
    grkan_tuning tuning = all->backward_norm, halved;
    if (rows * shape->vector * words < tuning.step)
        tuning.step = rows * shape->vector * words;
    halved = tuning;
    halved.step /= 2;
    tuning = within_registers(all, tuning, registers + of_element * tuning.step);
    if (halved.step < shape->vector * words)
        return tuning;
    halved = within_registers(all, halved, registers + of_element * halved.step);
    const int held = held_threads(&tuning, shape->row_threads);
    return held_threads(&halved, shape->row_threads) * 3 > held * 4 || held == 0 ? halved : tuning;
}

/** Backward keeps the numbers of tables and their sums in registers. */
static grkan_tuning tune_backward(const gpu_tunings *all, const grkan_pass_shape *shape)
{
    /* With less beside, loops spill; where a thread keeps many numbers, that costs less than fewer threads do
       (docs/notebook/nvidia.md). */
    enum { beside = 42, least_beside = 34 };
    const int kept = 2 * shape->numbers + 3 * shape->channel_numbers;
    const int is_16_bit = grkan_dtype_bytes(shape->dtype) == 2;
    const grkan_tuning *tuning = is_16_bit ? &all->backward_16_bit : &all->backward;
    if (shape->prologue > GRKAN_PROLOGUE_BIAS)
        return tune_backward_norm(all, shape, registers_of(shape, kept, least_beside));
    if (shape->prologue == GRKAN_PROLOGUE_BIAS && is_16_bit && vector_bytes(shape) == widest_access)
        tuning = &all->backward_bias;
    else if (is_16_bit ? shape->vector_groups > 1 : vector_bytes(shape) < widest_access)
        tuning = &all->backward_narrow;
    else if (!is_16_bit && !has_registers(all, tuning, registers_of(shape, kept, beside)))
        tuning = &all->backward_large;
    return within_registers(all, *tuning, registers_of(shape, kept, least_beside));
}

/** Rows that are summed: four of them in a step, however narrow vectors are, or two of wide ones. */
static grkan_tuning tune_forward_norm(const gpu_tunings *all, const grkan_pass_shape *shape)
{
    enum { beside = 46, rows = 4 };
    const int words = (int)grkan_coefficient_bytes(shape->dtype) / 4;
    grkan_tuning tuning = all->forward_norm;
    if (rows * shape->vector * words < tuning.step)
        tuning.step = rows * shape->vector * words;
    const int step_bytes = tuning.step / words * (int)grkan_dtype_bytes(shape->dtype);
    return within_registers(all, tuning,
                            registers_of(shape, shape->numbers + shape->channel_numbers, beside + step_bytes / 4));
}

/** Forward keeps the numbers of tables, and the vectors of a step, of which there are many where they are narrow. */
static grkan_tuning tune_forward(const gpu_tunings *all, const grkan_pass_shape *shape)
{
    enum { beside = 46, vectors_among_them = 8 };
    if (shape->prologue == GRKAN_PROLOGUE_LAYER_NORM || shape->prologue == GRKAN_PROLOGUE_RMS_NORM)
        return tune_forward_norm(all, shape);
    const int is_wide = vector_bytes(shape) * 2 >= widest_access;
    const grkan_tuning *const tuning =
        grkan_dtype_bytes(shape->dtype) == 2 && is_wide ? &all->forward_16_bit : &all->forward;
    const int vectors = tuning->step / shape->vector;
    const int more_vectors = vectors > vectors_among_them ? vectors - vectors_among_them : 0;
    return within_registers(all, *tuning,
                            registers_of(shape, shape->numbers + shape->channel_numbers, beside + more_vectors));
}

/** The one of a family's tunings that suits a shape, with no more occupancy than registers allow. */
static grkan_tuning tuning_of(const gpu_tunings *all, const grkan_pass_shape *shape)
{
    return shape->is_backward ? tune_backward(all, shape) : tune_forward(all, shape);
}

grkan_tuning gpu_tune_nvidia(const grkan_pass_shape *shape)
{
    return tuning_of(&nvidia, shape);
}

grkan_tuning gpu_tune_amd(const grkan_pass_shape *shape)
{
    return tuning_of(&amd, shape);
}

grkan_tuning gpu_tune_other(const grkan_pass_shape *shape)
{
    return tuning_of(&other, shape);
}
