/* SPDX-License-Identifier: Apache-2.0 */
/** @file study_cases.c @brief What grkan bench --study measures: the questions of FlashKAT's paper, on any device. */
#include "bench.h"

/* The layer that the parts vary: that of KAT-B, 197 tokens of 1024 images on a GPU, of 8 elsewhere. */
enum { CHANNELS = 768, GPU_ROWS = 1024 * 197, OTHER_ROWS = 8 * 197 };

/** What the cases of a part share. */
typedef struct study {
    bench_device *device;
    int cpu_threads;
    int is_gpu;
    const char *part;
} study;

const char *study_part_name(int part)
{
    static const char *const names[STUDY_PARTS] = {"times",   "ladder",      "sizes", "groups",
                                                   "degrees", "determinism", "errors"};
    return part >= 0 && part < STUDY_PARTS ? names[part] : NULL;
}

static grkan_operation layer_of(const study *s, int64_t rows, int64_t channels, grkan_dtype dtype)
{
    grkan_operation operation = GRKAN_OPERATION_INIT;
    operation.outer = rows ? rows : s->is_gpu ? GPU_ROWS : OTHER_ROWS;
    operation.channels = channels;
    operation.dtype = dtype;
    return operation;
}

static void add(const study *s, grkan_operation operation, bench_pass pass, grkan_options options)
{
    options.cpu_threads = s->cpu_threads;
    bench_add_case(s->device, (bench_case){.operation = operation, .options = options, .pass = pass, .part = s->part});
}

static void add_both_passes(const study *s, grkan_operation operation)
{
    for (int pass = BENCH_FORWARD; pass <= BENCH_BACKWARD; pass++)
        add(s, operation, (bench_pass)pass, (grkan_options){.strategy = GRKAN_STRATEGY_TREE});
}

static const grkan_dtype dtypes[] = {GRKAN_F32, GRKAN_BF16};
enum { DTYPES = sizeof dtypes / sizeof *dtypes };

/** The layers of KAT-T, KAT-S and KAT-B, before and after the hidden layer. */
static void list_times(const study *s)
{
    static const int64_t widths[] = {192, 384, 768, 1536, 3072};
    for (int d = 0; d < DTYPES; d++)
        for (size_t i = 0; i < sizeof widths / sizeof *widths; i++)
            add_both_passes(s, layer_of(s, 0, widths[i], dtypes[d]));
}

/** Element by element is hundreds of times slower, so that fewer rows must do where there is no GPU. */
static void list_ladder(const study *s)
{
    static const grkan_strategy ladder[] = {GRKAN_STRATEGY_ELEMENT, GRKAN_STRATEGY_BLOCK, GRKAN_STRATEGY_TREE};
    const int64_t rows = s->is_gpu ? GPU_ROWS : OTHER_ROWS / 8;
    for (int d = 0; d < DTYPES; d++)
        for (size_t i = 0; i < sizeof ladder / sizeof *ladder; i++)
            add(s, layer_of(s, rows, CHANNELS, dtypes[d]), BENCH_BACKWARD,
                (grkan_options){.strategy = ladder[i], .determinism = GRKAN_NONE});
}

/** From about 10^3 elements, by factors of about the square root of 10, as far as memory goes. */
static void list_sizes(const study *s)
{
    static const int64_t rows[] = {1, 4, 13, 41, 130, 412, 1302, 4117, 13021, 41175, 130208, 411754, 1302083};
    const uint64_t most = s->device->properties.memory_bytes / 2 / 3;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const uint64_t bytes = (uint64_t)rows[i] * CHANNELS * sizeof(float);
        if (bytes <= most && (s->is_gpu || rows[i] <= 13021))
            add_both_passes(s, layer_of(s, rows[i], CHANNELS, GRKAN_F32));
    }
}

static void list_groups(const study *s)
{
    for (int64_t groups = 1; groups <= 256; groups *= 2) {
        grkan_operation operation = layer_of(s, 0, CHANNELS, GRKAN_F32);
        operation.groups = groups;
        add_both_passes(s, operation);
    }
}

static void list_degrees(const study *s)
{
    static const int degrees[][2] = {{1, 0}, {3, 2}, {5, 4}, {7, 6}, {10, 9}, {15, 15}};
    for (size_t i = 0; i < sizeof degrees / sizeof *degrees; i++) {
        grkan_operation operation = layer_of(s, 0, CHANNELS, GRKAN_F32);
        operation.rational.numerator_degree = degrees[i][0];
        operation.rational.denominator_degree = degrees[i][1];
        add_both_passes(s, operation);
    }
}

static void list_determinism(const study *s)
{
    static const grkan_determinism levels[] = {GRKAN_NONE, GRKAN_RUN_TO_RUN, GRKAN_DEVICE_TO_DEVICE};
    for (int d = 0; d < DTYPES; d++)
        for (int pass = BENCH_FORWARD; pass <= BENCH_BACKWARD; pass++)
            for (size_t i = 0; i < sizeof levels / sizeof *levels; i++)
                add(s, layer_of(s, 0, CHANNELS, dtypes[d]), (bench_pass)pass,
                    (grkan_options){.determinism = levels[i]});
}

void study_list_cases(const bench_request *request, bench_device *device)
{
    static void (*const lists[STUDY_PARTS])(const study *) = {
        [STUDY_TIMES] = list_times,   [STUDY_LADDER] = list_ladder,   [STUDY_SIZES] = list_sizes,
        [STUDY_GROUPS] = list_groups, [STUDY_DEGREES] = list_degrees, [STUDY_DETERMINISM] = list_determinism};
    for (int part = 0; part < STUDY_PARTS; part++) {
        const study s = {device, request->cpu_threads, device->properties.is_gpu, study_part_name(part)};
        if (lists[part] != NULL && request->parts >> part & 1u)
            lists[part](&s);
    }
}
