/* SPDX-License-Identifier: Apache-2.0 */
/** @file tuning.c @brief Tunings of known devices and of others, and the choice among them by what a thread keeps in registers. */
#include "tuning.h"

#include <string.h>

enum { widest_access = 16 /* bytes */ };

/* ------------------------------------------------------------------------------------------------- known devices */

/** See docs/notebook/nvidia.md. */
static const grkan_tunings nvidia = {
    .source = GRKAN_TUNING_TABLE,
    .note = "NVIDIA's, measured on an H200",
    .of = {[GRKAN_TUNING_FORWARD] = {.block = 384, .occupancy = 1152, .grid_waves = 24, .stages = 1, .step = 8},
           [GRKAN_TUNING_FORWARD_16_BIT] = {.block = 384, .occupancy = 1152, .grid_waves = 6, .stages = 1, .step = 16},
           [GRKAN_TUNING_FORWARD_NORM] = {.block = 96, .occupancy = 1024, .grid_waves = 1, .stages = 1, .step = 16},
           [GRKAN_TUNING_BACKWARD] =
               {.block = 480, .occupancy = 960, .grid_waves = 1, .stages = 1, .step = 4, .least_row_bytes = 1536},
           [GRKAN_TUNING_BACKWARD_16_BIT] = {.block = 384, .occupancy = 384, .grid_waves = 1, .stages = 2, .step = 8},
           [GRKAN_TUNING_BACKWARD_LARGE] = {.block = 384, .occupancy = 768, .grid_waves = 1, .stages = 1, .step = 8},
           [GRKAN_TUNING_BACKWARD_NARROW] = {.block = 384, .occupancy = 512, .grid_waves = 1, .stages = 1, .step = 8},
           [GRKAN_TUNING_BACKWARD_NORM] = {.block = 192, .occupancy = 512, .grid_waves = 1, .stages = 1, .step = 16},
           [GRKAN_TUNING_BACKWARD_BIAS] = {.block = 384, .occupancy = 384, .grid_waves = 1, .stages = 2, .step = 16}}};

/** Its compiler decides on registers. */
static const grkan_tunings amd = {
    .source = GRKAN_TUNING_TABLE,
    .note = "AMD's, by its compiler's code: not measured yet",
    .of = {[GRKAN_TUNING_FORWARD] = {.block = 384, .occupancy = 1536, .grid_waves = 4, .stages = 1, .step = 4},
           [GRKAN_TUNING_FORWARD_16_BIT] = {.block = 384, .occupancy = 1536, .grid_waves = 4, .stages = 1, .step = 8},
           [GRKAN_TUNING_FORWARD_NORM] = {.block = 256, .occupancy = 1024, .grid_waves = 4, .stages = 1, .step = 16},
           [GRKAN_TUNING_BACKWARD] = {.block = 384, .occupancy = 768, .grid_waves = 1, .stages = 1, .step = 4},
           [GRKAN_TUNING_BACKWARD_16_BIT] = {.block = 384, .occupancy = 768, .grid_waves = 1, .stages = 1, .step = 8},
           [GRKAN_TUNING_BACKWARD_LARGE] = {.block = 384, .occupancy = 768, .grid_waves = 1, .stages = 1, .step = 4},
           [GRKAN_TUNING_BACKWARD_NARROW] = {.block = 384, .occupancy = 768, .grid_waves = 1, .stages = 1, .step = 4},
           [GRKAN_TUNING_BACKWARD_NORM] = {.block = 256, .occupancy = 512, .grid_waves = 1, .stages = 1, .step = 8},
           [GRKAN_TUNING_BACKWARD_BIAS] = {.block = 384, .occupancy = 768, .grid_waves = 1, .stages = 1, .step = 8}}};

/** The first row that fits a device counts: one for a device by its name goes in front of its maker's. `grkan bench --tune --json`
    writes what such a row needs. */
static const struct {
    gpu_maker maker;
    const char *name; /* how the device's begins */
    const grkan_tunings *tunings;
} known_devices[] = {{GPU_NVIDIA, "", &nvidia}, {GPU_AMD, "", &amd}};

static const grkan_tunings *find_known(const gpu_told *told)
{
    for (size_t i = 0; i < sizeof known_devices / sizeof known_devices[0]; ++i)
        if (known_devices[i].maker == told->maker &&
            strncmp(told->name, known_devices[i].name, strlen(known_devices[i].name)) == 0)
            return known_devices[i].tunings;
    return NULL;
}

/* ------------------------------------------------------------------------------------------------- other devices */

/**
 * What is likely to suit: blocks that every device runs, of some waves; a vector of 16 bytes a step, so that few registers are
 * taken. A unit that says how many threads it holds is given as many as leave each the registers that passes take on
 * known devices; one that does not gets some blocks, and sees to them itself.
 */
static void set_defaults(const gpu_told *told, grkan_tuning *of)
{
    enum {
        common_block = 256,
        processor_block = 384,
        common_threads = 2048, /* of the makers' units */
        some_blocks = 4,
        more_blocks = 24,
        vector_32 = 4,
        vector_16 = 8
    };
    const int32_t all = told->unit_threads == 0 && told->maker != 0 ? common_threads : told->unit_threads,
                  least = told->wave > common_block ? told->wave : common_block;
    const int32_t block = told->is_processor ? processor_block
                          : told->wave > 0   ? least / told->wave * told->wave
                                             : least;
    const grkan_tuning forward = {.block = block,
                                  .occupancy = all / 4 * 3,
                                  .grid_waves = all > 0 ? some_blocks : more_blocks,
                                  .stages = 1,
                                  .step = vector_32};
    const grkan_tuning backward = {.block = block,
                                   .occupancy = all / 8 * 3,
                                   .grid_waves = all > 0 ? 1 : some_blocks,
                                   .stages = 1,
                                   .step = vector_32};
    for (int kind = 0; kind < GRKAN_TUNING_KINDS; ++kind)
        of[kind] = kind < GRKAN_TUNING_BACKWARD ? forward : backward;
    of[GRKAN_TUNING_FORWARD_16_BIT].step = vector_16;
    of[GRKAN_TUNING_BACKWARD_16_BIT].step = of[GRKAN_TUNING_BACKWARD_BIAS].step = vector_16;
    of[GRKAN_TUNING_FORWARD_NORM].occupancy = all / 2;
    of[GRKAN_TUNING_BACKWARD_NORM].occupancy = all / 4;
    of[GRKAN_TUNING_FORWARD_NORM].step = of[GRKAN_TUNING_BACKWARD_NORM].step = vector_16;
}

/* --------------------------------------------------------------------------------------------------- the choice */

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

static int has_registers(const grkan_device_limits *limits, const grkan_tuning *tuning, int registers)
{
    return limits->registers == 0 || tuning->occupancy <= threads_with(limits->registers, registers);
}

/** No more threads than have so many registers. */
static grkan_tuning within_registers(const grkan_device_limits *limits, grkan_tuning tuning, int registers)
{
    if (!has_registers(limits, &tuning, registers))
        tuning.occupancy = threads_with(limits->registers, registers);
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
static grkan_tuning tune_backward_norm(const grkan_device_limits *limits, const grkan_pass_shape *shape, int registers)
{
    enum { rows = 4, of_element = 4 }; /* x, dy, z and dz, as rows are computed before any of it is stored */
    const int words = (int)grkan_coefficient_bytes(shape->dtype) / 4;
    grkan_tuning tuning = limits->tunings[GRKAN_TUNING_BACKWARD_NORM], halved;
    if (rows * shape->vector * words < tuning.step)
        tuning.step = rows * shape->vector * words;
    halved = tuning;
    halved.step /= 2;
    tuning = within_registers(limits, tuning, registers + of_element * tuning.step);
    if (tuning.occupancy == 0 || halved.step < shape->vector * words)
        return tuning;
    halved = within_registers(limits, halved, registers + of_element * halved.step);
    const int held = held_threads(&tuning, shape->row_threads);
    return held_threads(&halved, shape->row_threads) * 3 > held * 4 || held == 0 ? halved : tuning;
}

/** Backward keeps the numbers of tables and their sums in registers. */
static grkan_tuning tune_backward(const grkan_device_limits *limits, const grkan_pass_shape *shape)
{
    /* With less beside, loops spill; where a thread keeps many numbers, that costs less than fewer threads do
       (docs/notebook/nvidia.md). */
    enum { beside = 42, least_beside = 34 };
    const int kept = 2 * shape->numbers + 3 * shape->channel_numbers;
    const int is_16_bit = grkan_dtype_bytes(shape->dtype) == 2;
    const grkan_tuning *tuning =
        is_16_bit ? &limits->tunings[GRKAN_TUNING_BACKWARD_16_BIT] : &limits->tunings[GRKAN_TUNING_BACKWARD];
    if (shape->prologue > GRKAN_PROLOGUE_BIAS)
        return tune_backward_norm(limits, shape, registers_of(shape, kept, least_beside));
    if (shape->prologue == GRKAN_PROLOGUE_BIAS && is_16_bit && vector_bytes(shape) == widest_access)
        tuning = &limits->tunings[GRKAN_TUNING_BACKWARD_BIAS];
    else if (is_16_bit ? shape->vector_groups > 1 : vector_bytes(shape) < widest_access)
        tuning = &limits->tunings[GRKAN_TUNING_BACKWARD_NARROW];
    else if (!is_16_bit && !has_registers(limits, tuning, registers_of(shape, kept, beside)))
        tuning = &limits->tunings[GRKAN_TUNING_BACKWARD_LARGE];
    return within_registers(limits, *tuning, registers_of(shape, kept, least_beside));
}

/** Rows that are summed: four of them in a step, however narrow vectors are, or two of wide ones. */
static grkan_tuning tune_forward_norm(const grkan_device_limits *limits, const grkan_pass_shape *shape)
{
    enum { beside = 46, rows = 4 };
    const int words = (int)grkan_coefficient_bytes(shape->dtype) / 4;
    grkan_tuning tuning = limits->tunings[GRKAN_TUNING_FORWARD_NORM];
    if (rows * shape->vector * words < tuning.step)
        tuning.step = rows * shape->vector * words;
    const int step_bytes = tuning.step / words * (int)grkan_dtype_bytes(shape->dtype);
    return within_registers(limits, tuning,
                            registers_of(shape, shape->numbers + shape->channel_numbers, beside + step_bytes / 4));
}

/** Forward keeps the numbers of tables, and the vectors of a step, of which there are many where they are narrow. */
static grkan_tuning tune_forward(const grkan_device_limits *limits, const grkan_pass_shape *shape)
{
    enum { beside = 46, vectors_among_them = 8 };
    if (shape->prologue == GRKAN_PROLOGUE_LAYER_NORM || shape->prologue == GRKAN_PROLOGUE_RMS_NORM)
        return tune_forward_norm(limits, shape);
    const int is_wide = vector_bytes(shape) * 2 >= widest_access;
    const grkan_tuning *const tuning = grkan_dtype_bytes(shape->dtype) == 2 && is_wide
                                           ? &limits->tunings[GRKAN_TUNING_FORWARD_16_BIT]
                                           : &limits->tunings[GRKAN_TUNING_FORWARD];
    const int vectors = tuning->step / shape->vector;
    const int more_vectors = vectors > vectors_among_them ? vectors - vectors_among_them : 0;
    return within_registers(limits, *tuning,
                            registers_of(shape, shape->numbers + shape->channel_numbers, beside + more_vectors));
}

/** For grkan_device_limits.tune. */
static grkan_tuning tuning_of(const grkan_device_limits *limits, const grkan_pass_shape *shape)
{
    return shape->is_backward ? tune_backward(limits, shape) : tune_forward(limits, shape);
}

void gpu_set_tunings(const gpu_told *told, grkan_device_limits *limits)
{
    limits->tune = tuning_of;
    limits->known = find_known(told);
    limits->registers = told->maker == GPU_NVIDIA ? gpu_nvidia_registers : 0;
    set_defaults(told, limits->tunings);
}
