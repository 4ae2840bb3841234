/* SPDX-License-Identifier: Apache-2.0 */
/** @file presets.c @brief What bench measures: the layers of the published models, and the list of cases. */
#include <stdlib.h>
#include <string.h>

#include "bench.h"

/* Kolmogorov-Arnold Transformer (Yang and Wang, 2024): a block has two activations, after a layer of the model's width
   and after the hidden layer of four times that; an image of 224 x 224 is 197 tokens. */
enum { TOKENS = 197, GPU_BATCH = 1024, OTHER_BATCH = 8, DEFAULT_CHANNELS = 768, DEFAULT_GROUPS = 8 };

static const struct preset {
    const char *name;
    int64_t width;
} presets[] = {{"kat-t", 192}, {"kat-s", 384}, {"kat-b", 768}};

int preset_channels(const char *name, int64_t channels[2])
{
    for (size_t i = 0; i < sizeof presets / sizeof *presets; i++) {
        if (strcmp(presets[i].name, name) == 0) {
            channels[0] = presets[i].width;
            channels[1] = 4 * presets[i].width;
            return 0;
        }
    }
    return -1;
}

/** The operations without their types. @return how many */
static int list_operations(const bench_request *request, int is_gpu, grkan_operation operations[2])
{
    int64_t batch = request->batch ? request->batch : is_gpu ? GPU_BATCH : OTHER_BATCH;
    int64_t channels[2] = {request->channels ? request->channels : DEFAULT_CHANNELS, 0};
    int count = 1;
    if (request->preset != NULL && preset_channels(request->preset, channels) == 0)
        count = 2;
    for (int i = 0; i < count; i++) {
        grkan_operation *operation = &operations[i];
        *operation = (grkan_operation)GRKAN_OPERATION_INIT;
        operation->outer = request->outer ? request->outer : batch * TOKENS;
        operation->channels = channels[i];
        operation->inner = request->inner ? request->inner : 1;
        operation->groups = request->groups ? request->groups : DEFAULT_GROUPS;
        operation->denominator_groups = operation->groups;
        operation->numerator_degree = request->numerator_degree;
        operation->denominator_degree = request->denominator_degree;
        operation->denominator = request->denominator;
    }
    return count;
}

static unsigned mask_or(unsigned mask, unsigned fallback)
{
    return mask ? mask : fallback;
}

static void add_case(bench_device *device, const grkan_operation *operation, bench_pass pass, grkan_options options)
{
    size_t count = (size_t)device->case_count + 1;
    device->cases = tool_resize(device->cases, count * sizeof *device->cases);
    device->cases[count - 1] = (bench_case){.operation = *operation, .options = options, .pass = pass};
    device->case_count = (int)count;
}

/** The determinism levels to measure a strategy at: what was named, else the best that the strategy can promise. */
static unsigned determinisms_of(const bench_request *request, grkan_strategy strategy)
{
    int has_atomics = strategy == GRKAN_STRATEGY_ELEMENT || strategy == GRKAN_STRATEGY_BLOCK;
    return mask_or(request->determinisms, has_atomics ? 1u << GRKAN_NONE : 1u << GRKAN_RUN_TO_RUN);
}

/** Cases of one pass. Strategies are about gradients, so forward has only one. */
static void add_pass(const bench_request *request, bench_device *device, const grkan_operation *operation,
                     bench_pass pass)
{
    unsigned automatic = 1u << GRKAN_STRATEGY_AUTO;
    unsigned strategies = pass == BENCH_FORWARD ? automatic : mask_or(request->strategies, automatic);
    for (int strategy = 0; strategies >> strategy; strategy++) {
        if (!(strategies >> strategy & 1u))
            continue;
        unsigned determinisms = determinisms_of(request, (grkan_strategy)strategy);
        for (int level = 0; determinisms >> level; level++)
            if (determinisms >> level & 1u)
                add_case(device, operation, pass,
                         (grkan_options){.strategy = (grkan_strategy)strategy,
                                         .determinism = (grkan_determinism)level,
                                         .cpu_threads = request->cpu_threads});
    }
}

void bench_list_cases(const bench_request *request, bench_device *device)
{
    grkan_operation operations[2];
    int count = list_operations(request, device->properties.is_gpu, operations);
    unsigned dtypes = mask_or(request->dtypes, 1u << GRKAN_F32);
    unsigned passes = mask_or(request->passes, 1u << BENCH_FORWARD | 1u << BENCH_BACKWARD);
    for (int i = 0; i < count; i++) {
        for (int dtype = 0; dtypes >> dtype; dtype++) {
            if (!(dtypes >> dtype & 1u))
                continue;
            operations[i].dtype = (grkan_dtype)dtype;
            for (int pass = BENCH_FORWARD; pass <= BENCH_BACKWARD; pass++)
                if (passes >> pass & 1u)
                    add_pass(request, device, &operations[i], (bench_pass)pass);
        }
    }
}

void bench_free_cases(bench_device *device)
{
    for (int i = 0; i < device->case_count; i++)
        free(device->cases[i].refusal);
    free(device->cases);
    device->cases = NULL;
    device->case_count = 0;
}
