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
        o->channels = o->groups = 96;
        o->rational.numerator_scope = o->rational.denominator_scope = GRKAN_SCOPE_GROUP;
        table_add(builder, one);
    }
}

check_table check_table_square(uint64_t seed, bool quick)
{
    static const int degrees[][2] = {{5, 4}, {3, 2}, {15, 15}, {7, 6}, {2, 9}, {0, 0}, {4, 0}, {0, 4}};
    table_builder builder = {0};
    check_random random = {seed ^ UINT64_C(0x737175617265)};
    for (int k = 0; k < (quick ? 1 : LENGTH(degrees)); k++) {
        const grkan_operation operation = {
            .channels = 24,
            .inner = k % 3 == 2 ? 5 : 1,
            .groups = 8,
            .rational = {.numerator_degree = degrees[k][0],
                         .denominator_degree = degrees[k][1],
                         .form = GRKAN_SQUARE,
                         .numerator_scope = k % 2 ? GRKAN_SCOPE_GROUP : GRKAN_SCOPE_SHARED,
                         .denominator_scope = k % 4 == 3 ? GRKAN_SCOPE_SHARED : GRKAN_SCOPE_GROUP},
            .dtype = (grkan_dtype)((k + k / 4) % 4)};
        add_ordinary(&builder, &random, &operation, quick);
        add_limits(&builder, &random, &operation);
    }
    return table_finish(&builder);
}
