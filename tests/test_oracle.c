/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file test_oracle.c
 * @brief The oracle against itself: finite differences, signs, limits, and its bounds.
 */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "cases.h"
#include "judge.h"
#include "oracle.h"
#include "random.h"
#include "storage_types.h"

enum { FORMS = 5 };

static const int degrees[][2] = {{5, 4}, {3, 2}, {7, 6}, {0, 0}, {15, 15}, {0, 4}, {4, 0}};

static oracle_function random_function(check_random *random, grkan_form form, int m, int n)
{
    oracle_function f = {.form = form, .m = m, .n = n, .unit = 0x1p-24L, .tiny = 0x1p-126L};
    for (int i = 0; i <= m; i++)
        f.a[i] = check_random_normal(random);
    for (int j = oracle_first_denominator(form); j <= n; j++)
        f.b[j] = check_random_normal(random);
    return f;
}

/** F by Horner's rule: not the oracle's way. */
static long double plain_value(const oracle_function *f, long double x)
{
    long double p = 0, b = 0;
    const bool terms = f->form == GRKAN_ABS_TERMS;
    for (int i = f->m; i >= 0; i--)
        p = p * x + f->a[i];
    for (int j = f->n; j >= 0; j--)
        b = b * (terms ? fabsl(x) : x) + (terms ? fabsl(f->b[j]) : f->b[j]);
    const long double start = f->form == GRKAN_ABS_SUM_OFFSET ? 0.1L : 1;
    return p / (start + (f->form == GRKAN_PLAIN ? b : f->form == GRKAN_SQUARE ? b * b : fabsl(b)));
}

static void assert_near(long double got, long double want, long double scale)
{
    const long double bound = 1e-7L * (fabsl(want) + scale);
    if (!(fabsl(got - want) <= bound))
        fail_msg("%.18Lg, finite differences give %.18Lg, bound %.3Lg", got, want, bound);
}

/** (F(moved by +h) - F(moved by -h)) / 2h, where what is moved is x or a coefficient of the function. */
static long double slope(oracle_function *f, long double *x, long double *moved)
{
    const long double kept = *moved, h = 1e-7L * (1 + fabsl(kept));
    *moved = kept + h;
    const long double above = plain_value(f, *x), high = *moved;
    *moved = kept - h;
    const long double below = plain_value(f, *x), low = *moved;
    *moved = kept;
    return (above - below) / (high - low);
}

static void check_differences(oracle_function f, long double x, long double dy)
{
    oracle_element e;
    oracle_evaluate(&f, x, dy, &e);
    const long double scale = fabsl(dy) * (1 + fabsl(e.y.value));
    assert_near(e.y.value, plain_value(&f, x), scale * 1e-8L);
    assert_near(e.dx.value, dy * slope(&f, &x, &x), scale);
    for (int i = 0; i <= f.m; i++)
        assert_near(e.da[i].value, dy * slope(&f, &x, &f.a[i]), scale);
    for (int j = oracle_first_denominator(f.form); j <= f.n; j++)
        assert_near(e.db[j].value, dy * slope(&f, &x, &f.b[j]), scale);
}

/** Differences mean nothing where |B| bends or Q nearly vanishes: there the third derivative is too large. */
static bool is_smooth(const oracle_function *f, long double x)
{
    long double b = 0, size = 0, slope = 0;
    for (int j = f->n; j >= 0; j--) {
        slope = slope * fabsl(x) + (long double)j * fabsl(f->b[j]);
        b = b * x + f->b[j];
        size = size * fabsl(x) + fabsl(f->b[j]);
    }
    if (f->form == GRKAN_ABS_TERMS)
        return fabsl(x) > 0.05L;
    if (f->form == GRKAN_PLAIN)
        return fabsl(1 + b) > 0.2L * (1 + size);
    if (f->form == GRKAN_SQUARE)
        return slope < 100;
    return f->n == 0 || fabsl(b) > 0.05L * (1 + size);
}

static void derivatives_match_finite_differences(void **state)
{
    (void)state;
    check_random random = {7};
    int checked[FORMS] = {0};
    for (int form = 0; form < FORMS; form++)
        for (size_t d = 0; d < sizeof degrees / sizeof *degrees; d++)
            for (int k = 0; k < 50; k++) {
                const oracle_function f = random_function(&random, (grkan_form)form, degrees[d][0], degrees[d][1]);
                const long double x = 3 * check_random_uniform(&random) - 1.5, dy = check_random_normal(&random);
                if (!is_smooth(&f, x))
                    continue;
                check_differences(f, x, dy);
                checked[form]++;
            }
    for (int form = 0; form < FORMS; form++)
        assert_true(checked[form] > 100);
}

/** The conventions at zero: sign(0) = sign(-0.0) = +1 of x, of b_j and of B. */
static void sign_of_zero_is_plus(void **state)
{
    (void)state;
    oracle_element e;
    oracle_function f = {.form = GRKAN_ABS_TERMS, .m = 0, .n = 1, .a = {2}, .b = {0, -3}, .unit = 0x1p-24L};
    for (int k = 0; k < 2; k++) {
        oracle_evaluate(&f, k ? -0.0L : 0.0L, 1, &e);
        assert_true(e.dx.value == -6); /* -F Q'(0) = -2 * 3 */
    }
    f.b[1] = -0.0L;
    oracle_evaluate(&f, -5, 1, &e);
    assert_true(e.db[1].value == -10); /* -F |x| */
    f.form = GRKAN_ABS_SUM;
    f.b[1] = -3;
    oracle_evaluate(&f, 0, 1, &e);
    assert_true(e.dx.value == 6 && e.db[1].value == 0); /* -F b_1: the sign of B(0) = 0 is + */
    assert_true(e.dx.error < 1e-4L);                    /* and that is exact, not open */
    f.b[1] = 0;
    oracle_evaluate(&f, -5, 1, &e);
    assert_true(e.db[1].value == 10); /* -F x */
    f = (oracle_function){.form = GRKAN_ABS_SUM_OFFSET, .m = 0, .n = 0, .a = {2}, .b = {-0.0L}, .unit = 0x1p-24L};
    oracle_evaluate(&f, 1, 1, &e);
    assert_near(e.y.value, 20, 0);
    assert_near(e.db[0].value, -200, 0); /* -w F = -(1 / 0.1) (2 / 0.1) */
}

static void infinity_gives_the_limit(void **state)
{
    (void)state;
    oracle_element e;
    oracle_function f = {.form = GRKAN_ABS_TERMS, .m = 2, .n = 2, .a = {1, 2, 3}, .b = {0, 1, -2}, .unit = 0x1p-24L};
    oracle_evaluate(&f, -INFINITY, 1, &e);
    assert_near(e.y.value, 1.5L, 0);
    assert_true(e.dx.value == 0 && e.da[1].value == 0);
    assert_near(e.da[2].value, 0.5L, 0);
    assert_near(e.db[2].value, 0.75L, 0); /* -w F sign(b_2) x^2 */
    f.b[2] = 0;                           /* the degree that counts is 1 now: F -> 3 |x| */
    oracle_evaluate(&f, -INFINITY, 1, &e);
    assert_true(e.y.value == INFINITY && e.da[2].value == INFINITY && e.db[2].value == -INFINITY);
    assert_near(e.dx.value, -3, 0);
    f.a[2] = f.b[1] = 0; /* F = 1 + 2 x */
    oracle_evaluate(&f, -INFINITY, -1, &e);
    assert_true(e.y.value == -INFINITY && e.dx.value == -2 && e.da[0].value == -1);
}

static void nan_gives_nan(void **state)
{
    (void)state;
    oracle_element e;
    oracle_function f = {.form = GRKAN_ABS_SUM, .m = 1, .n = 1, .a = {1, 1}, .b = {0, 1}, .unit = 0x1p-24L};
    oracle_evaluate(&f, NAN, 1, &e);
    assert_true(isnan(e.y.value) && isnan(e.dx.value) && isnan(e.da[0].value) && isnan(e.db[1].value));
    oracle_evaluate(&f, 1, NAN, &e);
    assert_true(e.y.value == 1 && isnan(e.dx.value) && isnan(e.da[0].value) && isnan(e.db[1].value));
    oracle_evaluate(&f, 1, INFINITY, &e);
    assert_true(e.y.value == 1 && isinf(e.dx.value) && isinf(e.dx.error));
}

/** F in f32, as a device might compute it: near zero in x, far from it in 1 / x. */
static float single_value(const oracle_function *f, float x)
{
    const bool terms = f->form == GRKAN_ABS_TERMS, far = fabsf(x) > 1;
    const float r = far ? 1 / x : x;
    float p = 0, b = 0, scale = 1;
    for (int i = 0; i <= f->m; i++)
        p = fmaf(p, r, (float)f->a[far ? i : f->m - i]);
    for (int j = 0; j <= f->n; j++) {
        const float c = (float)f->b[far ? j : f->n - j];
        b = fmaf(b, terms ? fabsf(r) : r, terms ? fabsf(c) : c);
    }
    float start = f->form == GRKAN_ABS_SUM_OFFSET ? 0.1f : 1;
    for (int k = 0; far && k < f->n; k++)
        start *= fabsf(r);
    for (int k = f->n; far && k < f->m; k++)
        scale *= x;
    for (int k = f->m; far && k < f->n; k++)
        scale *= r;
    const bool turns = far && x < 0 && f->n % 2 == 1; /* x^n is negative */
    if (f->form == GRKAN_SQUARE) {
        float power = 1;
        for (int k = 0; far && k < f->n; k++)
            power *= r;
        return p / fmaf(b, b, start * start) * (scale * power);
    }
    if (f->form == GRKAN_PLAIN)
        return p / ((turns ? -start : start) + b) * scale;
    return p / (start + fabsf(b)) * (turns ? -scale : scale);
}

/** Two sound ways to compute F in f32 keep the bound, and it is not so wide that a real fault would pass. */
static void bounds_are_kept_and_narrow(void **state)
{
    (void)state;
    check_random random = {11};
    long double worst = 0, widest = 0;
    for (int k = 0; k < 50000; k++) {
        const int d = k / FORMS % 7;
        oracle_function f = random_function(&random, (grkan_form)(k % FORMS), degrees[d][0], degrees[d][1]);
        for (int i = 0; i <= GRKAN_MAX_DEGREE; i++) {
            f.a[i] = (float)f.a[i];
            f.b[i] = (float)f.b[i];
        }
        const float x = (float)(2 * check_random_normal(&random));
        oracle_element e;
        long double bound;
        oracle_evaluate(&f, (long double)x, 1, &e);
        const long double fraction = judge_number(GRKAN_F32, e.y, (long double)single_value(&f, x), &bound);
        if (fraction > 1)
            fail_msg("f32 misses the bound %.3Lg at x = %.9g, form %d, degrees %d, %d", bound, (double)x, f.form, f.m,
                     f.n);
        worst = fraction > worst ? fraction : worst;
        if (f.form == GRKAN_ABS_TERMS && f.m == 5) { /* P cancels where it has a zero, so measure against its terms */
            long double size = 0, power = 1;
            for (int i = 0; i <= f.m; i++, power *= fabsl((long double)x))
                size += fabsl(f.a[i]) * power * fabsl(e.da[0].value);
            widest = bound / size > widest ? bound / size : widest;
        }
    }
    printf("worst error %.3Lf of its bound; widest bound of KAT's degrees %.2Lg\n", worst, widest);
    assert_true(worst > 0.02L);
    assert_true(widest > 0 && widest < 5e-6L);
}

static void judge_tells_right_from_wrong(void **state)
{
    (void)state;
    long double bound;
    const oracle_number one = {1, 0}, large = {65519.9L, 0}, larger = {65520, 0}, nan = {NAN, 0};
    const oracle_number infinite = {-INFINITY, 0}, any = {INFINITY, INFINITY}, open = {1, INFINITY};
    assert_true(judge_number(GRKAN_F16, one, 1, &bound) == 0);
    assert_true(judge_number(GRKAN_F16, one, 1 + 0x1p-11L, &bound) <= 1);
    assert_true(judge_number(GRKAN_F16, one, 1 + 0x1p-10L, &bound) > 1);
    assert_true(judge_number(GRKAN_F16, one, NAN, &bound) > 1);
    assert_true(judge_number(GRKAN_F16, large, 65504, &bound) <= 1);
    assert_true(judge_number(GRKAN_F16, large, INFINITY, &bound) > 1);
    assert_true(judge_number(GRKAN_F16, larger, INFINITY, &bound) <= 1);
    assert_true(judge_number(GRKAN_F16, larger, -INFINITY, &bound) > 1);
    assert_true(judge_number(GRKAN_F16, (oracle_number){1e9L, 1}, 65504, &bound) > 1);
    assert_true(judge_number(GRKAN_F32, nan, NAN, &bound) == 0);
    assert_true(judge_number(GRKAN_F32, nan, 1, &bound) > 1);
    assert_true(judge_number(GRKAN_F32, infinite, -INFINITY, &bound) == 0);
    assert_true(judge_number(GRKAN_F32, infinite, INFINITY, &bound) > 1);
    assert_true(judge_number(GRKAN_F32, infinite, -1e38L, &bound) > 1);
    assert_true(judge_number(GRKAN_F32, any, NAN, &bound) == 0);
    assert_true(judge_number(GRKAN_F32, any, 1, &bound) > 1);
    assert_true(judge_number(GRKAN_F32, open, 5, &bound) < 0);
}

static void storage_rounds_to_nearest_even(void **state)
{
    (void)state;
    assert_true(storage_round(GRKAN_F16, 65519) == 65504);
    assert_true(storage_round(GRKAN_F16, 65520) == INFINITY);
    assert_true(storage_round(GRKAN_F16, 1 + 0x1p-11L) == 1);
    assert_true(storage_round(GRKAN_F16, 1 + 0x3p-11L) == 1 + 0x1p-9L);
    assert_true(storage_round(GRKAN_F16, 0x1p-25L) == 0);
    assert_true(storage_round(GRKAN_F16, 0x3p-26L) == 0x1p-24L);
    assert_true(storage_round(GRKAN_BF16, 1 + 0x1p-8L) == 1);
    assert_true(storage_round(GRKAN_BF16, -(1 + 0x3p-8L)) == -(1 + 0x1p-6L));
    assert_true(storage_round(GRKAN_BF16, 3.4e38L) == INFINITY);
    assert_true(storage_max(GRKAN_F64) == 0x1.fffffffffffffp1023L);
    check_random random = {3};
    for (int k = 0; k < 10000; k++) {
        const double value = ldexp(check_random_normal(&random), check_random_below(&random, 320) - 170);
        assert_true(storage_round(GRKAN_F32, (long double)value) == (long double)(float)value);
        assert_true(storage_round(GRKAN_F64, (long double)value) == (long double)value);
    }
}

static void storage_keeps_all_16_bit_patterns(void **state)
{
    (void)state;
    for (int k = 0; k < 2; k++)
        for (uint32_t bits = 0; bits < 0x10000; bits++) {
            const grkan_dtype dtype = k ? GRKAN_BF16 : GRKAN_F16;
            const uint16_t from = (uint16_t)bits;
            uint16_t to;
            const long double value = storage_load(dtype, &from, 0);
            storage_store(dtype, &to, 0, value);
            if (isnan(value))
                assert_true(isnan(storage_load(dtype, &to, 0)));
            else
                assert_int_equal(from, to);
        }
}

static bool has_plain_case(const check_table *table, int form, const int *degree, int dtype)
{
    for (int i = 0; i < table->count; i++) {
        const check_case *one = &table->cases[i];
        const grkan_operation *o = &one->operation;
        if ((int)o->rational.form == form && o->rational.numerator_degree == degree[0] &&
            o->rational.denominator_degree == degree[1] && (int)o->dtype == dtype && one->values == CHECK_ORDINARY &&
            one->options.strategy != GRKAN_STRATEGY_ELEMENT)
            return true;
    }
    return false;
}

static void table_is_complete(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 20; seed++) {
        check_table table = check_table_oracle(seed, false);
        assert_true(table.count > 160);
        for (int form = 0; form < 4; form++)
            for (int d = 0; d < 5; d++)
                for (int dtype = 0; dtype < 4; dtype++)
                    assert_true(has_plain_case(&table, form, degrees[d], dtype));
        assert_ptr_equal(check_table_find(&table, "5"), &table.cases[5]);
        assert_null(check_table_find(&table, "100000"));
        assert_null(check_table_find(&table, "no such case"));
        for (int i = 0; seed == 1 && i < table.count; i++)
            assert_ptr_equal(check_table_find(&table, table.cases[i].name), &table.cases[i]);
        check_table_free(&table);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(storage_rounds_to_nearest_even),
        cmocka_unit_test(storage_keeps_all_16_bit_patterns),
        cmocka_unit_test(derivatives_match_finite_differences),
        cmocka_unit_test(sign_of_zero_is_plus),
        cmocka_unit_test(infinity_gives_the_limit),
        cmocka_unit_test(nan_gives_nan),
        cmocka_unit_test(bounds_are_kept_and_narrow),
        cmocka_unit_test(judge_tells_right_from_wrong),
        cmocka_unit_test(table_is_complete),
    };
    return cmocka_run_group_tests_name("oracle", tests, NULL, NULL);
}
