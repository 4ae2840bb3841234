/* SPDX-License-Identifier: Apache-2.0 */
/** @file at_limits.c @brief Numbers at the ends of their types' range, and the table of the cases that have them. */
#include "at_limits.h"

#include <math.h>

#include "operations.h"
#include "storage_types.h"
#include "table.h"

/** Exponents of two, both included. */
typedef struct range {
    int first, last;
} range;

limits_extreme limits_extreme_of(const check_case *one, int64_t group)
{
    return (limits_extreme)(((uint64_t)group + one->seed) % LIMITS_EXTREMES);
}

/** Of all numbers of a type that are not zero, subnormal ones too. */
static range all_of(grkan_dtype dtype)
{
    return (range){ilogbl(storage_ulp(dtype, 0)), ilogbl(storage_max(dtype))};
}

/** A number of any size in a range; one in eight is a power of two. */
static double any_in(range exponents, check_random *random)
{
    const double sign = check_random_below(random, 2) ? -1 : 1;
    const double fraction = check_random_below(random, 8) ? 1 + check_random_uniform(random) : 1;
    const int exponent = exponents.first + check_random_below(random, exponents.last - exponents.first + 1);
    return sign * ldexp(fraction, exponent);
}

/** The same, but one in twelve is 0. */
static double any_or_zero(range exponents, check_random *random)
{
    return check_random_below(random, 12) ? any_in(exponents, random) : 0;
}

void limits_coefficients(const check_case *one, check_random *random, limits_extreme extreme, double *values, int count)
{
    const bool is_double = one->operation.dtype == GRKAN_F64;
    const range all = all_of(storage_of_coefficients(one->operation.dtype));
    const range ordinary = is_double ? (range){-160, 254} : (range){-20, 31};
    const range large = {is_double ? 256 : 32, all.last};
    for (int i = 0; i < count; i++)
        values[i] = any_or_zero(extreme == LIMITS_NEITHER ? ordinary : all, random);
    if (extreme == LIMITS_COEFFICIENTS && count > 0) {
        const int place = check_random_below(random, count); /* first: in one expression, each compiler has its order */
        values[place] = any_in(large, random);
    }
}

/** x beyond which any device needs more than plain arithmetic, up to where the oracle's own has room. */
static range large_x(const check_case *one)
{
    const grkan_operation *o = &one->operation;
    const int degree = o->rational.numerator_degree > o->rational.denominator_degree ? o->rational.numerator_degree
                                                                                     : o->rational.denominator_degree;
    const int last = all_of(o->dtype).last;
    return (range){last > 62 ? 62 : 13, o->dtype == GRKAN_F64 && degree > 7 ? 400 : last};
}

void limits_element(const check_case *one, check_random *random, limits_extreme extreme, long double *x,
                    long double *dy)
{
    const grkan_dtype of_dy = grkan_operation_output_dtype(&one->operation);
    const range all_x = all_of(one->operation.dtype), all_dy = all_of(of_dy), large = large_x(one);
    const range ordinary = of_dy == GRKAN_F64 ? (range){-80, 320} : (range){-10, all_dy.last < 40 ? all_dy.last : 40};
    *x = extreme == LIMITS_X ? any_in(large, random) : any_or_zero((range){all_x.first, large.last}, random);
    *dy = any_or_zero(extreme == LIMITS_NEITHER ? ordinary : all_dy, random);
}

long double limits_underflow(const check_case *one, limits_extreme extreme)
{
    if (extreme != LIMITS_NEITHER && one->operation.dtype != GRKAN_F16)
        return 1;
    return one->operation.dtype == GRKAN_F64 ? 0x1p480L : 0x1p60L;
}

check_table check_table_limits(uint64_t seed, bool quick)
{
    static const int degrees[][2] = {{5, 4}, {3, 2}, {15, 15}, {7, 6}, {2, 9}};
    enum { FORMS = 4, DTYPES = 4, COLUMNS = 96, DEGREES = sizeof degrees / sizeof degrees[0] };
    table_builder builder = {0};
    check_random random = {seed ^ UINT64_C(0x6c696d697473)};
    for (int k = 0; k < (quick ? 1 : FORMS * DTYPES); k++)
        for (int repeat = 0; repeat < 3; repeat++) {
            const int *const degree = degrees[(k + k / DTYPES) % DEGREES];
            check_case one = {
                .seed = check_random_bits(&random),
                .operation = {SHAPE(1 + repeat, COLUMNS, 1), GROUPS(COLUMNS, PER_GROUP, PER_GROUP),
                              RATIONAL(degree[0], degree[1], (grkan_form)(k % FORMS)),
                              .dtype = (grkan_dtype)(k / FORMS)},
                .options = {.strategy = GRKAN_STRATEGY_TREE, .determinism = GRKAN_DEVICE_TO_DEVICE},
                .placement = (check_placement)repeat,
                .values = CHECK_LIMITS,
            };
            table_add(&builder, one);
        }
    return table_finish(&builder);
}
