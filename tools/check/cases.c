/* SPDX-License-Identifier: Apache-2.0 */
/** @file cases.c @brief How the table of checks against the oracle is made; the table of bits is in bits.c. */
#include "cases.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "operations.h"
#include "pairs.h"
#include "table.h"

/** The factors of a case. The first three are taken in full, the others in pairs; up to INNER they decide the kernels. */
enum {
    FORM,
    DEGREES,
    DTYPE,
    CHANNELS,
    INNER,
    OUTER,
    NUMERATOR,
    DENOMINATOR,
    STRATEGY,
    PLACEMENT,
    ACCUMULATION,
    OFFSET,
    VALUES,
    COEFFICIENTS,
    THREADS,
    SIMD,
    FACTORS
};

static const int degrees[][2] = {{5, 4}, {3, 2}, {7, 6}, {0, 0}, {15, 15}};
static const int channels_and_groups[][2] = {{1, 1},  {3, 1},   {3, 3},     {13, 5},  {24, 8},
                                             {24, 1}, {255, 8}, {255, 255}, {768, 8}, {768, 1}};
static const int outers[] = {1, 2, 7, 64};
static const int inners[] = {1, 5, 49, 8};
static const int offsets[] = {0, 1, 3};
static const int threads[] = {0, 1, 3};
#define OPTIONS(strategy_, promise) {.strategy = GRKAN_STRATEGY_##strategy_, .determinism = GRKAN_##promise}
static const grkan_options strategies[] = {OPTIONS(AUTO, RUN_TO_RUN), OPTIONS(TREE, DEVICE_TO_DEVICE),
                                           OPTIONS(TREE, NONE),       OPTIONS(AUTO, DEVICE_TO_DEVICE),
                                           OPTIONS(TREE, RUN_TO_RUN), OPTIONS(BLOCK, NONE),
                                           OPTIONS(ELEMENT, NONE)};

#define ATOMIC 5 /* the first of the strategies with atomics */

#define LENGTH(array) ((int)(sizeof(array) / sizeof(array)[0]))

static const int level_counts[FACTORS] = {
    [FORM] = 4,
    [DEGREES] = LENGTH(degrees),
    [DTYPE] = 4,
    [CHANNELS] = LENGTH(channels_and_groups),
    [OUTER] = LENGTH(outers),
    [INNER] = LENGTH(inners),
    [NUMERATOR] = 2,
    [DENOMINATOR] = 2,
    [STRATEGY] = LENGTH(strategies),
    [PLACEMENT] = 3,
    [ACCUMULATION] = 2,
    [OFFSET] = LENGTH(offsets),
    [VALUES] = 3,
    [COEFFICIENTS] = 3,
    [THREADS] = LENGTH(threads),
    [SIMD] = 2,
};

static bool small(const int *row)
{
    return outers[row[OUTER]] * channels_and_groups[row[CHANNELS]][0] * inners[row[INNER]] <= 50000;
}

static bool tiny(const int *row)
{
    return outers[row[OUTER]] * channels_and_groups[row[CHANNELS]][0] * inners[row[INNER]] <= 1000;
}

static check_case case_of(const int *row, uint64_t seed)
{
    const int groups = channels_and_groups[row[CHANNELS]][1];
    check_case one = {
        .seed = seed,
        .operation =
            {
                .outer = outers[row[OUTER]],
                .channels = channels_and_groups[row[CHANNELS]][0],
                .inner = inners[row[INNER]],
                .groups = groups,
                .dtype = (grkan_dtype)row[DTYPE],
                .rational = {.numerator_degree = degrees[row[DEGREES]][0],
                             .denominator_degree = degrees[row[DEGREES]][1],
                             .form = (grkan_form)row[FORM],
                             .numerator_scope = row[NUMERATOR] ? GRKAN_SCOPE_GROUP : GRKAN_SCOPE_SHARED,
                             .denominator_scope = row[DENOMINATOR] ? GRKAN_SCOPE_SHARED : GRKAN_SCOPE_GROUP},
            },
        .options = strategies[row[STRATEGY]],
        .placement = (check_placement)row[PLACEMENT],
        .accumulation = (grkan_accumulation)row[ACCUMULATION],
        .offset = offsets[row[OFFSET]],
        .values = (check_values)row[VALUES],
        .coefficients = (check_coefficients)row[COEFFICIENTS],
    };
    one.options.cpu_threads = threads[row[THREADS]];
    one.options.cpu_simd = (grkan_cpu_simd)row[SIMD];
    return one;
}

static void free_row(int *row)
{
    for (int i = 0; i < PAIRS_FACTORS; i++)
        row[i] = -1;
}

static void add_row(table_builder *builder, pairs *seen, check_random *random, int *row, bool (*legal)(const int *row))
{
    if (pairs_next(seen, random, row, legal))
        table_add(builder, case_of(row, check_random_bits(random)));
}

/** Another strategy for which the same kernels serve. */
static int strategy_like(int strategy, check_random *random)
{
    static const int plain[] = {0, 2, 4}, fixed[] = {1, 3};
    const bool is_fixed = strategies[strategy].determinism == GRKAN_DEVICE_TO_DEVICE;
    return is_fixed ? fixed[check_random_below(random, 2)] : plain[check_random_below(random, 3)];
}

/**
 * Two cases of every form, degree and type. The first has ordinary values and no atomics. The second is an atomic
 * strategy, or runs the first one's kernels on other data: a device that compiles them takes seconds for each program,
 * which follows from form, degrees, type, strategy and what a row of the tensor looks like.
 */
static void add_product(table_builder *builder, pairs *seen, check_random *random)
{
    enum { COMBINATIONS = 4 * LENGTH(degrees) * 4 };
    int first[COMBINATIONS][PAIRS_FACTORS], row[PAIRS_FACTORS];
    for (int k = 0; k < COMBINATIONS; k++) {
        free_row(first[k]);
        first[k][FORM] = k % 4;
        first[k][DTYPE] = k / 4 % 4;
        first[k][DEGREES] = k / 16;
        first[k][VALUES] = CHECK_ORDINARY;
        first[k][STRATEGY] = check_random_below(random, ATOMIC);
        add_row(builder, seen, random, first[k], small);
    }
    for (int k = 0; k < COMBINATIONS; k++) {
        const bool atomic = (first[k][FORM] + first[k][DTYPE]) % 4 == 3;
        free_row(row);
        for (int i = FORM; i <= (atomic ? DTYPE : INNER); i++)
            row[i] = first[k][i];
        row[STRATEGY] = atomic ? ATOMIC + check_random_below(random, LENGTH(strategies) - ATOMIC)
                               : strategy_like(first[k][STRATEGY], random);
        add_row(builder, seen, random, row, small);
    }
    for (int k = 0; k < COMBINATIONS && pairs_missing(seen) > 0; k++) {
        free_row(row);
        add_row(builder, seen, random, row, small);
    }
}

/** The layer of KAT on few channels, from which the cases below differ in one respect. */
static check_case base_case(check_random *random)
{
    return (check_case){.seed = check_random_bits(random), .operation = layer_of(7, 24)};
}

/** Tensors without elements: sums are zero, or stay as they are. */
static void add_empty(table_builder *builder, check_random *random)
{
    static const int used[] = {0, 3, 5, 6};
    for (int k = 0; k < 2 * LENGTH(used); k++) {
        check_case one = base_case(random);
        one.operation.outer = k % 2 ? 0 : 3;
        one.operation.inner = k % 2 ? 1 : 0;
        one.options = strategies[used[k / 2]];
        one.accumulation = k % 2 == (k / 2) % 2 ? GRKAN_ADD : GRKAN_OVERWRITE;
        table_add(builder, one);
    }
}

/** About a million elements: many stripes, long sums, folded groups. */
static void add_large(table_builder *builder, check_random *random)
{
    static const grkan_operation large[] = {
        {SHAPE(1333, 768, 1), GROUPS(8, SHARED, PER_GROUP), RATIONAL(5, 4, GRKAN_ABS_TERMS), .dtype = GRKAN_F32},
        {SHAPE(1333, 768, 1), GROUPS(8, SHARED, PER_GROUP), RATIONAL(5, 4, GRKAN_ABS_TERMS), .dtype = GRKAN_BF16},
        {SHAPE(5, 24, 7001), GROUPS(8, SHARED, PER_GROUP), RATIONAL(5, 4, GRKAN_ABS_TERMS), .dtype = GRKAN_F32},
        {SHAPE(20011, 13, 4), GROUPS(5, PER_GROUP, SHARED), RATIONAL(5, 4, GRKAN_ABS_TERMS), .dtype = GRKAN_F32},
        {SHAPE(1, 1, 1000003), GROUPS(1, SHARED, SHARED), RATIONAL(3, 2, GRKAN_ABS_SUM), .dtype = GRKAN_F16},
        {SHAPE(24, 42, 1009), GROUPS(6, SHARED, PER_GROUP), RATIONAL(5, 4, GRKAN_ABS_TERMS), .dtype = GRKAN_BF16},
        {SHAPE(1009, 1000, 1), GROUPS(8, SHARED, PER_GROUP), RATIONAL(5, 4, GRKAN_ABS_TERMS), .dtype = GRKAN_BF16},
    };
    for (int k = 0; k < LENGTH(large); k++) {
        check_case one = base_case(random);
        one.operation = large[k];
        one.options.determinism = k == 1 || k == 3 ? GRKAN_DEVICE_TO_DEVICE : GRKAN_RUN_TO_RUN;
        table_add(builder, one);
    }
}

/** 16-bit elements in groups of odd sizes but even rows, whose vectors may have elements of two groups. */
static void add_straddling(table_builder *builder, check_random *random, int count)
{
    static const int shapes[][3] = {/* channels, groups, inner */ {100, 8, 1}, {42, 6, 1}, {24, 24, 3}, {14, 2, 5}};
    static const int used[] = {0, 5, 6};
    for (int k = 0; k < count; k++) {
        check_case one = base_case(random);
        grkan_operation *const o = &one.operation;
        o->outer = 64;
        o->channels = shapes[k % LENGTH(shapes)][0];
        o->groups = shapes[k % LENGTH(shapes)][1];
        o->rational.numerator_scope = k % 3 ? GRKAN_SCOPE_SHARED : GRKAN_SCOPE_GROUP;
        o->inner = shapes[k % LENGTH(shapes)][2];
        o->dtype = k % 2 ? GRKAN_F16 : GRKAN_BF16;
        one.options = strategies[used[k % LENGTH(used)]];
        one.values = k % 5 == 4 ? CHECK_SPECIAL : CHECK_ORDINARY;
        one.accumulation = k % 4 == 1 ? GRKAN_ADD : GRKAN_OVERWRITE;
        one.offset = k % 6 == 5;
        table_add(builder, one);
    }
}

/** Degrees far apart. */
static void add_lopsided(table_builder *builder, check_random *random)
{
    static const int far[][2] = {{0, 4}, {4, 0}, {2, 9}, {15, 1}};
    for (int k = 0; k < 2 * LENGTH(far); k++) {
        check_case one = base_case(random);
        one.operation.rational.numerator_degree = far[k / 2][0];
        one.operation.rational.denominator_degree = far[k / 2][1];
        one.operation.rational.form = (grkan_form)(k / 2);
        one.values = k % 2 ? CHECK_SPECIAL : CHECK_HUGE;
        table_add(builder, one);
    }
}

/** KAT's published tables over [-3, 3], each under its own form. */
static void add_published(table_builder *builder, check_random *random)
{
    const grkan_preset *preset;
    for (int k = 0; (preset = grkan_preset_at(k)) != NULL; k++) {
        if (strncmp(preset->name, "kat_", 4) != 0)
            continue;
        check_case one = base_case(random);
        one.operation.outer = 601;
        one.operation.channels = one.operation.groups = 1;
        one.operation.rational.form = preset->form;
        one.values = CHECK_GRID;
        one.coefficients = CHECK_PUBLISHED;
        one.preset = preset;
        table_add(builder, one);
    }
}

/** Few programs, each with several cases. */
static void add_quick(table_builder *builder, pairs *seen, check_random *random)
{
    static const int programs[][4] = {/* form, degrees, dtype, strategy */
                                      {0, 0, 0, 0},
                                      {0, 0, 2, 1},
                                      {1, 1, 0, 5},
                                      {2, 1, 1, 3},
                                      {3, 0, 0, 6}};
    for (int k = 0; k < LENGTH(programs); k++) {
        int row[PAIRS_FACTORS], columns[2] = {-1, -1};
        for (int repeat = 0; repeat < 4; repeat++) {
            free_row(row);
            row[FORM] = programs[k][0];
            row[DEGREES] = programs[k][1];
            row[DTYPE] = programs[k][2];
            row[STRATEGY] = programs[k][3];
            row[CHANNELS] = columns[0];
            row[INNER] = columns[1];
            row[VALUES] = repeat == 0 ? CHECK_ORDINARY : -1;
            add_row(builder, seen, random, row, tiny);
            columns[0] = row[CHANNELS];
            columns[1] = row[INNER];
        }
    }
    /* Enough rows for a thread that blocks leave parts to combine. */
    check_case several = base_case(random);
    several.operation.outer = 1;
    several.operation.inner = 256;
    table_add(builder, several);
    add_straddling(builder, random, 1);
}

check_table check_table_oracle(uint64_t seed, bool quick)
{
    table_builder builder = {0};
    check_random random = {seed};
    pairs *seen = calloc(1, sizeof *seen);
    if (!seen)
        return builder.table;
    seen->factors = FACTORS;
    memcpy(seen->levels, level_counts, sizeof level_counts);
    if (quick) {
        add_quick(&builder, seen, &random);
    } else {
        add_product(&builder, seen, &random);
        add_empty(&builder, &random);
        add_large(&builder, &random);
        add_straddling(&builder, &random, 12);
        add_lopsided(&builder, &random);
        add_published(&builder, &random);
        if (pairs_missing(seen) > 0) /* a table with holes is no table: the tests of the table would not see it */
            builder.failed = true;
    }
    free(seen);
    return table_finish(&builder);
}
