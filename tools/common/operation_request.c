/* SPDX-License-Identifier: Apache-2.0 */
/** @file operation_request.c @brief The layers of the published models, and the operations that a request means. */
#include <string.h>

#include "operation_options.h"

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

static unsigned mask_or(unsigned mask, unsigned fallback)
{
    return mask ? mask : fallback;
}

static grkan_operation operation_of(const operation_request *request, int is_gpu, int64_t channels)
{
    int64_t batch = request->batch ? request->batch : is_gpu ? GPU_BATCH : OTHER_BATCH;
    grkan_operation operation = GRKAN_OPERATION_INIT;
    operation.outer = request->outer ? request->outer : batch * TOKENS;
    operation.channels = channels;
    operation.inner = request->inner ? request->inner : 1;
    operation.groups = request->groups ? request->groups : DEFAULT_GROUPS;
    operation.output_dtype = request->output_dtype;
    operation.rational.numerator_degree = request->numerator_degree;
    operation.rational.denominator_degree = request->denominator_degree;
    operation.rational.form = request->form;
    operation.prologue = request->prologue;
    operation.norm = request->norm;
    return operation;
}

int request_operations(const operation_request *request, int is_gpu, grkan_operation operations[REQUEST_OPERATIONS])
{
    int64_t channels[2] = {request->channels ? request->channels : DEFAULT_CHANNELS, 0};
    unsigned dtypes = mask_or(request->dtypes, 1u << GRKAN_F32);
    int shapes = request->preset != NULL && preset_channels(request->preset, channels) == 0 ? 2 : 1;
    int count = 0;
    for (int i = 0; i < shapes; i++) {
        for (int dtype = 0; dtypes >> dtype; dtype++) {
            if (!(dtypes >> dtype & 1u))
                continue;
            operations[count] = operation_of(request, is_gpu, channels[i]);
            operations[count++].dtype = (grkan_dtype)dtype;
        }
    }
    return count;
}

/** The determinism levels of a strategy: what was named, else the best that the strategy can promise. */
static unsigned determinisms_of(const operation_request *request, grkan_strategy strategy)
{
    int has_atomics = strategy == GRKAN_STRATEGY_ELEMENT || strategy == GRKAN_STRATEGY_BLOCK;
    return mask_or(request->determinisms, has_atomics ? 1u << GRKAN_NONE : 1u << GRKAN_RUN_TO_RUN);
}

int request_options(const operation_request *request, grkan_options options[REQUEST_OPTIONS])
{
    unsigned strategies = mask_or(request->strategies, 1u << GRKAN_STRATEGY_AUTO);
    int count = 0;
    for (int strategy = 0; strategies >> strategy; strategy++) {
        if (!(strategies >> strategy & 1u))
            continue;
        unsigned determinisms = determinisms_of(request, (grkan_strategy)strategy);
        for (int level = 0; determinisms >> level; level++)
            if (determinisms >> level & 1u)
                options[count++] = (grkan_options){.strategy = (grkan_strategy)strategy,
                                                   .determinism = (grkan_determinism)level,
                                                   .frozen = request->frozen,
                                                   .writes_y = request->writes_y};
    }
    return count;
}
