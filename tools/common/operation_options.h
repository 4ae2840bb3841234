/* SPDX-License-Identifier: Apache-2.0 */
/** @file operation_options.h @brief The options that describe operations, for every sub-command that has them. */
#ifndef GRKAN_OPERATION_OPTIONS_H
#define GRKAN_OPERATION_OPTIONS_H

#include <grkan/grkan.h>

#include "options.h"

/** What a command line asks for. Masks have bit (1 << value) for each value that was named; 0: the default. */
typedef struct operation_request {
    const char *preset; /**< NULL: outer, channels and inner give the shape */
    int64_t batch;      /**< 0: the default for the device */
    int64_t outer;      /**< 0 in any of these four: the default */
    int64_t channels;
    int64_t inner;
    int64_t groups;
    unsigned dtypes;
    grkan_output_dtype output_dtype; /**< of all of them */
    unsigned strategies;
    unsigned determinisms;
    int numerator_degree;
    int denominator_degree;
    grkan_form form;
    grkan_prologue prologue;
    grkan_norm norm;
    int has_norm_options;     /**< 1: one of those that only norms have was named */
    const char *frozen_names; /**< with commas between them; NULL: none */
    uint32_t frozen;          /**< as options.frozen has it, after the last option */
    int writes_y;
} operation_request;

/** Degrees and form of KAT, norms with scale and shift, all else the default. */
#define OPERATION_REQUEST_INIT                                                                                         \
    {.numerator_degree = 5, .denominator_degree = 4, .form = GRKAN_ABS_TERMS, .norm = {1e-5, 1, 1}}

/** The options, which are group 2 of the help. They fill an operation_request. */
extern const option_set operation_options;

/** "m,n", the value of --degrees; otherwise a bad usage. */
void option_parse_degrees(const char *who, const char *text, int *numerator, int *denominator);

/* operation_request.c */

/** @return 0 when there is a preset of this name, with the channels of its two activations; else -1 */
int preset_channels(const char *name, int64_t channels[2]);

enum { REQUEST_OPERATIONS = 2 * 4, REQUEST_OPTIONS = 4 * 3 };

/** The operations of a request: every shape with every type. is_gpu decides the default batch. @return how many */
int request_operations(const operation_request *request, int is_gpu, grkan_operation operations[REQUEST_OPERATIONS]);

/** The strategies of a request, each with every determinism level or the best that it can promise. @return how many */
int request_options(const operation_request *request, grkan_options options[REQUEST_OPTIONS]);

#endif
