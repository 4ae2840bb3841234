/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file bits.c
 * @brief The cases whose bits must be the same on every device.
 *
 * They use the programs of the other table, so that nothing new is compiled: form, degrees, type and the columns of a
 * case there, everything else at random.
 */
#include "random.h"
#include "table.h"

#define PROGRAMS 24
#define CASES 9 /* of each program */
#define LARGEST 30000
#define LARGEST_OF_SIXTH 1500000 /* of one case of every sixth program: blocks leave tens of parts to combine */
#define LARGEST_QUICK 1000

static bool is_fixed_tree(const check_case *one)
{
    return one->options.determinism == GRKAN_DEVICE_TO_DEVICE && one->coefficients != CHECK_PUBLISHED &&
           one->operation.inner > 0;
}

/** Bring the cases that promise the same bits to the front. @return how many there are */
static int select_fixed(check_table *table)
{
    int count = 0;
    for (int i = 0; i < table->count; i++)
        if (is_fixed_tree(&table->cases[i]))
            table->cases[count++] = table->cases[i];
    return count;
}

static int64_t largest_of(bool quick, int program, int index)
{
    if (quick)
        return LARGEST_QUICK;
    return program % 6 == 0 && index == CASES - 1 ? LARGEST_OF_SIXTH : LARGEST;
}

static check_case vary(const check_case *like, int64_t largest, int index, check_random *random)
{
    check_case one = *like;
    grkan_operation *o = &one.operation;
    const int64_t rows = largest / (o->channels * o->inner);
    one.seed = check_random_bits(random);
    one.options = (grkan_options){.strategy = GRKAN_STRATEGY_TREE, .determinism = GRKAN_DEVICE_TO_DEVICE};
    o->outer = 1 + check_random_below(random, rows > 1 ? (int)rows : 1);
    o->rational.numerator_scope = check_random_below(random, 2) ? GRKAN_SCOPE_SHARED : GRKAN_SCOPE_GROUP;
    o->rational.denominator_scope = check_random_below(random, 3) ? GRKAN_SCOPE_GROUP : GRKAN_SCOPE_SHARED;
    one.accumulation = (grkan_accumulation)check_random_below(random, 2);
    one.placement = (check_placement)check_random_below(random, 3);
    one.offset = index % 4 == 3 ? 1 : 0;
    one.values = index % 3 == 2 ? (check_values)(1 + check_random_below(random, 2)) : CHECK_ORDINARY;
    one.coefficients = index % 5 == 4 ? (check_coefficients)(1 + check_random_below(random, 2)) : CHECK_RANDOM;
    return one;
}

check_table check_table_bits(uint64_t seed, bool quick)
{
    table_builder builder = {0};
    check_random random = {seed ^ UINT64_C(0x62697473)};
    check_table other = check_table_oracle(seed, quick);
    const int available = select_fixed(&other);
    for (int k = 0; k < PROGRAMS && available > 0; k++) {
        const check_case *like = &other.cases[k * available / PROGRAMS];
        for (int i = 0; i < (quick ? 1 : CASES); i++)
            table_add(&builder, vary(like, largest_of(quick, k, i), i + k, &random));
    }
    check_table_free(&other);
    return table_finish(&builder);
}
