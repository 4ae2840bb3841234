/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file square.c
 * @brief The cases of GRKAN_SQUARE: ordinary ones, and with numbers at the ends of their types' range.
 *
 * A list of their own, since the digests of the others are compared with those of earlier versions.
 */
#include "random.h"
#include "table.h"

#define LENGTH(array) ((int)(sizeof(array) / sizeof(array)[0]))

/** Ordinary values and coefficients first, then what is not. */
static void add_ordinary(table_builder *builder, check_random *random, const grkan_operation *operation, bool quick)
{
    static const struct {
        int outer;
        check_values values;
        check_coefficients coefficients;
        grkan_options options;
    } cases[] = {
        {1000, CHECK_ORDINARY, CHECK_RANDOM, {.determinism = GRKAN_DEVICE_TO_DEVICE}},
        {60, CHECK_SPECIAL, CHECK_RANDOM, {.determinism = GRKAN_DEVICE_TO_DEVICE}},
        {60, CHECK_HUGE, CHECK_TOP_ZERO, {.determinism = GRKAN_DEVICE_TO_DEVICE}},
        {7, CHECK_ORDINARY, CHECK_IDENTITY, {.determinism = GRKAN_DEVICE_TO_DEVICE}},
        {60, CHECK_ORDINARY, CHECK_RANDOM, {.determinism = GRKAN_RUN_TO_RUN}},
        {60, CHECK_HUGE, CHECK_RANDOM, {.determinism = GRKAN_RUN_TO_RUN}},
        {20, CHECK_ORDINARY, CHECK_RANDOM, {.determinism = GRKAN_NONE, .strategy = GRKAN_STRATEGY_BLOCK}},
        {20, CHECK_SPECIAL, CHECK_RANDOM, {.determinism = GRKAN_NONE, .strategy = GRKAN_STRATEGY_ELEMENT}},
    };
    for (int k = 0; k < LENGTH(cases); k++) {
        check_case one = {.seed = check_random_bits(random),
                          .operation = *operation,
                          .options = cases[k].options,
                          .placement = (check_placement)(k % 3),
                          .accumulation = k % 2 ? GRKAN_ADD : GRKAN_OVERWRITE,
                          .values = cases[k].values,
                          .coefficients = cases[k].coefficients};
        one.operation.outer = quick ? 7 : cases[k].outer;
        table_add(builder, one);
    }
}

/** A group for each channel. */
static void add_limits(table_builder *builder, check_random *random, const grkan_operation *operation)
{
    for (int k = 0; k < 3; k++) {
        check_case one = {.seed = check_random_bits(random),
                          .operation = *operation,
                          .options = {.determinism = GRKAN_DEVICE_TO_DEVICE},
                          .placement = (check_placement)k,
                          .values = CHECK_LIMITS};
        grkan_operation *const o = &one.operation;
        o->outer = 1 + k;
        o->channels = o->groups = o->numerator_groups = o->denominator_groups = 96;
        table_add(builder, one);
    }
}

check_table check_table_square(uint64_t seed, bool quick)
{
    static const int degrees[][2] = {{5, 4}, {3, 2}, {15, 15}, {7, 6}, {2, 9}, {0, 0}, {4, 0}, {0, 4}};
    table_builder builder = {0};
    check_random random = {seed ^ UINT64_C(0x737175617265)};
    for (int k = 0; k < (quick ? 1 : LENGTH(degrees)); k++) {
        const grkan_operation operation = {.channels = 24,
                                           .inner = k % 3 == 2 ? 5 : 1,
                                           .groups = 8,
                                           .numerator_groups = k % 2 ? 8 : 1,
                                           .denominator_groups = k % 4 == 3 ? 1 : 8,
                                           .numerator_degree = degrees[k][0],
                                           .denominator_degree = degrees[k][1],
                                           .denominator = GRKAN_SQUARE,
                                           .dtype = (grkan_dtype)((k + k / 4) % 4)};
        add_ordinary(&builder, &random, &operation, quick);
        add_limits(&builder, &random, &operation);
    }
    return table_finish(&builder);
}
