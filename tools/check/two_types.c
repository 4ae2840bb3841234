/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file two_types.c
 * @brief The cases where y and dy have another storage type than x and dx: every pair of them, over strategies, promises,
 * layouts and values.
 *
 * A list of their own, since the digests of the others are compared with those of earlier versions.
 */
#include "operations.h"
#include "random.h"
#include "table.h"

#define LENGTH(array) ((int)(sizeof(array) / sizeof(array)[0]))

#define FIXED {.determinism = GRKAN_DEVICE_TO_DEVICE}
#define ATOMIC(strategy_) {.determinism = GRKAN_NONE, .strategy = GRKAN_STRATEGY_##strategy_}

/** Groups are wider than vectors, narrower, and wider than a block; tensors are aligned to vectors, and not. */
static const struct two_types_case {
    grkan_operation like;
    grkan_options options;
    check_values values;
    int offset;
} cases[] = {
    {{SHAPE(7, 24, 1), GROUPS(8, SHARED, PER_GROUP)}, FIXED, CHECK_ORDINARY, 0},
    {{SHAPE(3, 96, 1), GROUPS(96, PER_GROUP, PER_GROUP)}, FIXED, CHECK_LIMITS, 0},
    {{SHAPE(7, 24, 1), GROUPS(8, SHARED, PER_GROUP)}, ATOMIC(ELEMENT), CHECK_ORDINARY, 1},
    {{SHAPE(64, 768, 1), GROUPS(8, SHARED, PER_GROUP)}, FIXED, CHECK_ORDINARY, 0},
    {{SHAPE(20, 768, 1), GROUPS(8, PER_GROUP, SHARED)}, FIXED, CHECK_SPECIAL, 1},
    {{SHAPE(3, 42, 49), GROUPS(6, SHARED, PER_GROUP)}, FIXED, CHECK_HUGE, 0},
    {{SHAPE(64, 768, 1), GROUPS(8, SHARED, PER_GROUP)}, {.cpu_threads = 2}, CHECK_ORDINARY, 1},
    {{SHAPE(20, 768, 1), GROUPS(8, SHARED, PER_GROUP)}, {.cpu_simd = GRKAN_CPU_SIMD_OFF}, CHECK_HUGE, 0},
    {{SHAPE(3, 2, 7001), GROUPS(2, SHARED, PER_GROUP)}, {.cpu_threads = 1}, CHECK_ORDINARY, 0},
    {{SHAPE(64, 100, 1), GROUPS(8, SHARED, PER_GROUP)}, {.cpu_threads = 3}, CHECK_SPECIAL, 0},
    {{SHAPE(20, 768, 1), GROUPS(8, SHARED, PER_GROUP)}, ATOMIC(BLOCK), CHECK_SPECIAL, 0},
    {{SHAPE(20, 42, 49), GROUPS(6, SHARED, PER_GROUP)}, ATOMIC(ELEMENT), CHECK_ORDINARY, 0},
};

enum { QUICK_CASES = 3 }; /* the first ones */

check_table check_table_two_types(uint64_t seed, bool quick)
{
    static const struct {
        grkan_dtype dtype;
        grkan_output_dtype output_dtype;
        int numerator_degree, denominator_degree;
        grkan_form form;
    } pairs[] = {
        {GRKAN_F32, GRKAN_OUTPUT_BF16, 5, 4, GRKAN_ABS_TERMS},
        {GRKAN_BF16, GRKAN_OUTPUT_F32, 3, 2, GRKAN_ABS_SUM},
        {GRKAN_F32, GRKAN_OUTPUT_F16, 7, 6, GRKAN_SQUARE},
        {GRKAN_F16, GRKAN_OUTPUT_F32, 5, 4, GRKAN_PLAIN},
        {GRKAN_F16, GRKAN_OUTPUT_BF16, 2, 9, GRKAN_ABS_SUM_OFFSET},
        {GRKAN_BF16, GRKAN_OUTPUT_F16, 5, 4, GRKAN_ABS_TERMS},
    };
    table_builder builder = {0};
    check_random random = {seed ^ UINT64_C(0x7479706573)};
    for (int p = 0; p < (quick ? 2 : LENGTH(pairs)); p++)
        for (int k = 0; k < (quick ? QUICK_CASES : LENGTH(cases)); k++) {
            check_case one = {.seed = check_random_bits(&random),
                              .operation = cases[k].like,
                              .options = cases[k].options,
                              .placement = k % 2 ? CHECK_DX_IS_X : CHECK_APART,
                              .accumulation = k % 3 == 2 ? GRKAN_ADD : GRKAN_OVERWRITE,
                              .values = cases[k].values,
                              .offset = cases[k].offset};
            one.operation.dtype = pairs[p].dtype;
            one.operation.output_dtype = pairs[p].output_dtype;
            one.operation.rational.numerator_degree = pairs[p].numerator_degree;
            one.operation.rational.denominator_degree = pairs[p].denominator_degree;
            one.operation.rational.form = pairs[p].form;
            table_add(&builder, one);
        }
    return table_finish(&builder);
}
