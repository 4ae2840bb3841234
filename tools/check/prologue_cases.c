/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file prologue_cases.c
 * @brief The cases of prologues, and of backward that gives less than all gradients, or y again.
 *
 * Norms, and the bias and no prologue, in pairs of all other factors, each by itself, since norms have rows of channels alone. A list of its own,
 * since the digests of the others are compared with those of earlier versions.
 */
#include <stdlib.h>
#include <string.h>

#include "operations.h"
#include "pairs.h"
#include "table.h"

enum {
    SHAPE_OF,
    PROLOGUE,
    FUNCTION,
    TYPES,
    PROMISE,
    FROZEN,
    WRITES_Y,
    VALUES,
    SCOPES,
    PLACEMENT,
    ACCUMULATION,
    OFFSET,
    THREADS,
    SIMD,
    FACTORS
};

#define LENGTH(array) ((int)(sizeof(array) / sizeof(array)[0]))

/** Rows that share a block, that fill one, and that no block holds; groups of equal and of unequal sizes, and wider than a block. */
static const struct shape {
    int64_t outer, channels, inner, groups;
} shapes[] = {
    {7, 24, 1, 8},
    {33, 768, 1, 8},
    {5, 1000, 1, 8},
    {2, 9000, 1, 1},
    {3, 4096, 1, 8},
    {2, 9000, 1, 8},
    {0, 24, 1, 8},
    {61, 42, 1, 5},
    {16, 96, 1, 96},
    {9, 1, 1, 1},
    /* from here on not of norms */ {3, 6, 2001, 3},
    {5, 13, 256, 5},
};
enum { NORM_SHAPES = 10 };

static const struct prologue {
    grkan_prologue prologue;
    grkan_norm norm;
} others[] = {{GRKAN_PROLOGUE_BIAS, {0, 0, 0}}, {GRKAN_PROLOGUE_NONE, {0, 0, 0}}},
  norms[] = {
      {GRKAN_PROLOGUE_LAYER_NORM, {1e-5, 1, 1}}, {GRKAN_PROLOGUE_LAYER_NORM, {1e-5, 0, 0}},
      {GRKAN_PROLOGUE_LAYER_NORM, {1e-3, 1, 0}}, {GRKAN_PROLOGUE_LAYER_NORM, {1e-5, 0, 1}},
      {GRKAN_PROLOGUE_RMS_NORM, {1e-5, 1, 0}},   {GRKAN_PROLOGUE_RMS_NORM, {1e-5, 0, 0}},
      {GRKAN_PROLOGUE_RMS_NORM, {1e-3, 1, 1}},
};

static const struct function {
    int numerator_degree, denominator_degree;
    grkan_form form;
} functions[] = {{5, 4, GRKAN_ABS_TERMS}, {3, 2, GRKAN_SQUARE}, {7, 6, GRKAN_ABS_SUM}};

static const struct types {
    grkan_dtype dtype;
    grkan_output_dtype output_dtype;
} types[] = {{GRKAN_F32, 0},
             {GRKAN_F32, GRKAN_OUTPUT_BF16},
             {GRKAN_BF16, 0},
             {GRKAN_F16, 0},
             {GRKAN_F64, 0},
             {GRKAN_BF16, GRKAN_OUTPUT_F32},
             {GRKAN_F32, GRKAN_OUTPUT_F16}};

static const grkan_determinism promises[] = {GRKAN_DEVICE_TO_DEVICE, GRKAN_RUN_TO_RUN, GRKAN_DEVICE_TO_DEVICE,
                                             GRKAN_NONE};

/** Bits beyond the tables are dropped. */
static const uint32_t frozen[] = {0,
                                  GRKAN_FROZEN_X,
                                  0,
                                  0xf /* all tables */,
                                  0xc /* the prologue's */,
                                  0x3 /* the family's */,
                                  GRKAN_FROZEN_X | 0xf,
                                  GRKAN_FROZEN_X | 1u << GRKAN_DENOMINATOR};

static const int offsets[] = {0, 1, 3}, threads[] = {0, 1, 3};

static const int level_counts[FACTORS] = {
    [SHAPE_OF] = LENGTH(shapes),
    [PROLOGUE] = LENGTH(others),
    [FUNCTION] = LENGTH(functions),
    [TYPES] = LENGTH(types),
    [PROMISE] = LENGTH(promises),
    [FROZEN] = LENGTH(frozen),
    [WRITES_Y] = 2,
    [VALUES] = 3,
    [SCOPES] = 2,
    [PLACEMENT] = 3,
    [ACCUMULATION] = 2,
    [OFFSET] = LENGTH(offsets),
    [THREADS] = LENGTH(threads),
    [SIMD] = 2,
};

static uint32_t tables_of(const grkan_operation *o)
{
    int count = 0;
    (void)grkan_operation_tables(o, NULL, &count);
    return (1u << count) - 1;
}

static check_case case_of(const int *row, bool is_norm, uint64_t seed)
{
    static const check_values of_norms[] = {CHECK_ORDINARY, CHECK_ROWS, CHECK_SPECIAL_ROWS};
    const struct prologue *const prologue = is_norm ? &norms[row[PROLOGUE]] : &others[row[PROLOGUE]];
    const struct shape *const shape = &shapes[row[SHAPE_OF]];
    const struct function *const function = &functions[row[FUNCTION]];
    const struct types *const type = &types[row[TYPES]];
    check_case one = {
        .seed = seed,
        .operation =
            {
                SHAPE(shape->outer, shape->channels, shape->inner),
                GROUPS(shape->groups, row[SCOPES] ? PER_GROUP : SHARED, row[SCOPES] ? SHARED : PER_GROUP),
                RATIONAL(function->numerator_degree, function->denominator_degree, function->form),
                .dtype = type->dtype,
                .output_dtype = type->output_dtype,
                .prologue = prologue->prologue,
                .norm = prologue->norm,
            },
        .options = {.determinism = promises[row[PROMISE]],
                    .cpu_threads = threads[row[THREADS]],
                    .cpu_simd = (grkan_cpu_simd)row[SIMD],
                    .writes_y = row[WRITES_Y]},
        .placement = (check_placement)row[PLACEMENT],
        .accumulation = (grkan_accumulation)row[ACCUMULATION],
        .offset = offsets[row[OFFSET]],
        .values = is_norm ? of_norms[row[VALUES]] : (check_values)row[VALUES],
    };
    one.options.frozen = frozen[row[FROZEN]] & (GRKAN_FROZEN_X | tables_of(&one.operation));
    if (type->output_dtype && one.placement == CHECK_DX_IS_DY)
        one.placement = CHECK_DX_IS_X;
    return one;
}

static bool all(const int *row)
{
    (void)row;
    return true;
}

/** As many cases as cover all pairs of factors. */
static void add_pairs(table_builder *builder, check_random *random, bool is_norm)
{
    enum { MOST = 1000 };
    pairs *const seen = calloc(1, sizeof *seen);
    int row[PAIRS_FACTORS];
    builder->failed = builder->failed || !seen;
    if (!seen)
        return;
    seen->factors = FACTORS;
    memcpy(seen->levels, level_counts, sizeof level_counts);
    if (is_norm) {
        seen->levels[SHAPE_OF] = NORM_SHAPES;
        seen->levels[PROLOGUE] = LENGTH(norms);
    }
    for (int k = 0; k == 0 || (k < MOST && pairs_missing(seen) > 0); k++) {
        for (int i = 0; i < PAIRS_FACTORS; i++)
            row[i] = -1;
        if (pairs_next(seen, random, row, all))
            table_add(builder, case_of(row, is_norm, check_random_bits(random)));
    }
    builder->failed = builder->failed || pairs_missing(seen) > 0;
    free(seen);
}

/** Each gradient frozen alone, and each wanted alone. */
static void add_each_frozen(table_builder *builder, check_random *random)
{
    enum { OTHERS = 2 };
    static const int levels[] = {0, 1, 0, 6};     /* the bias, none; layer_norm and rms_norm with scale and shift */
    static const int inputs[] = {0, 1, 2, 3, 31}; /* bits: tables, x */
    for (int kind = 0; kind < LENGTH(levels); kind++) {
        const int row[PAIRS_FACTORS] = {[SHAPE_OF] = 7, [PROLOGUE] = levels[kind], [PLACEMENT] = kind % 3};
        check_case one = case_of(row, kind >= OTHERS, 0);
        const uint32_t whole = GRKAN_FROZEN_X | tables_of(&one.operation);
        for (int k = 0; k < 2 * LENGTH(inputs); k++) {
            const uint32_t bit = 1u << inputs[k / 2];
            one.options.frozen = k % 2 ? whole & ~bit : bit;
            one.seed = check_random_bits(random);
            if ((bit & whole) != 0)
                table_add(builder, one);
        }
    }
}

/** The longest rows that a block of NVIDIA's GPUs has whole, and several of them for each block. */
static void add_long_rows(table_builder *builder, check_random *random)
{
    static const struct {
        int64_t channels;
        grkan_dtype dtype;
    } rows[] = {{4096, GRKAN_F32}, {1536, GRKAN_F64}};
    for (int k = 0; k < LENGTH(rows); k++) {
        const check_case one = {.seed = check_random_bits(random),
                                .operation = {SHAPE(150, rows[k].channels, 1), GROUPS(8, SHARED, PER_GROUP),
                                              RATIONAL(5, 4, GRKAN_ABS_TERMS), .dtype = rows[k].dtype,
                                              .prologue = norms[0].prologue, .norm = norms[0].norm},
                                .options = {.determinism = GRKAN_RUN_TO_RUN},
                                .values = CHECK_ROWS};
        table_add(builder, one);
    }
}

/** Few programs: levels of the factors up to VALUES, in their order. The first are not of norms. */
static void add_quick(table_builder *builder, check_random *random)
{
    static const int rows[][VALUES + 1] = {
        {0, 0, 0, 0, 0, 0, 0, 0}, {11, 0, 1, 2, 0, 0, 1, 0}, {0, 1, 0, 0, 0, 7, 1, 0}, {0, 0, 0, 1, 0, 0, 0, 1},
        {0, 0, 0, 1, 0, 0, 0, 2}, {0, 0, 0, 1, 0, 4, 1, 0},  {7, 4, 1, 2, 0, 0, 0, 1}, {5, 1, 0, 0, 0, 0, 0, 0},
        {6, 0, 0, 1, 0, 0, 0, 0}, {2, 3, 0, 0, 1, 0, 0, 0},
    };
    enum { OTHERS = 3 };
    for (int k = 0; k < LENGTH(rows); k++) {
        int row[PAIRS_FACTORS] = {0};
        memcpy(row, rows[k], sizeof rows[k]);
        row[PLACEMENT] = k % 3;
        row[ACCUMULATION] = k % 2;
        row[OFFSET] = k % 4 == 3;
        table_add(builder, case_of(row, k >= OTHERS, check_random_bits(random)));
    }
}

check_table check_table_prologues(uint64_t seed, bool quick)
{
    table_builder builder = {0};
    check_random random = {seed ^ UINT64_C(0x70726f6c6f677565)};
    if (quick) {
        add_quick(&builder, &random);
    } else {
        add_pairs(&builder, &random, false);
        add_pairs(&builder, &random, true);
        add_each_frozen(&builder, &random);
        add_long_rows(&builder, &random);
    }
    return table_finish(&builder);
}
