/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file test_rounded.c
 * @brief The quotients and square roots of kernels/rounded.h, compiled for the host, against the host's own.
 *
 * Built for each type (GRKAN_DTYPE), with QUOTIENT_ESTIMATE and without. The estimates are as far off as the header allows.
 */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#if GRKAN_DTYPE == 3
typedef double scalar;
typedef uint64_t scalar_bits;
#define SCALAR(c) c
#define FMA(a, b, c) fma(a, b, c)
#define ABS(x) fabs(x)
#define ROOT_OF(v) sqrt(v)
enum { fraction = 52, exponents = 2047, right = 35 };
#else
typedef float scalar;
typedef uint32_t scalar_bits;
#define SCALAR(c) c##f
#define FMA(a, b, c) fmaf(a, b, c)
#define ABS(x) fabsf(x)
#define ROOT_OF(v) sqrtf(v)
enum { fraction = 23, exponents = 255, right = 16 };
#endif
typedef scalar real;

static scalar_bits bits_of(scalar value)
{
    scalar_bits bits;
    memcpy(&bits, &value, sizeof bits);
    return bits;
}

static scalar scalar_of(scalar_bits bits)
{
    scalar value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

/** How far the next estimates are off, in units of what they may be: -1, 0 or 1. */
static int off;

static scalar root_estimate(scalar v)
{
    return scalar_of(bits_of(ROOT_OF(v)) + (scalar_bits)off);
}

#ifdef WITH_QUOTIENT
/** What leaves a remainder that is exact is one too small at times, as a compiler's own may be. */
static scalar quotient_estimate(scalar a, scalar b)
{
    const scalar q = a / b;
    const scalar least = scalar_of((scalar_bits)(2 * fraction + 2) << fraction);
    return off != 0 && isnormal(q / 2) && ABS(a) > least ? scalar_of(bits_of(q) - 1) : q;
}
#else
static scalar inverse_estimate(scalar b)
{
    return SCALAR(1.0) / b * (SCALAR(1.0) + (scalar)off / (scalar)((scalar_bits)1 << right));
}
#endif

#define DEVICE static inline
#define REAL(c) SCALAR(c)
#define ROOT_ESTIMATE(v) root_estimate(v)
#ifdef WITH_QUOTIENT
#define QUOTIENT_ESTIMATE(a, b) quotient_estimate(a, b)
#else
#define INVERSE_ESTIMATE(b) inverse_estimate(b)
#endif
#define SCALAR_BITS(value) bits_of(value)
#define SCALAR_OF(bits) scalar_of(bits)
#include "../backends/kernels/rounded.h"

/* --------------------------------------------------------------------------------------------------------- numbers */

static uint64_t state_of_draw = 0x9e3779b97f4a7c15;

static uint64_t draw(void)
{
    state_of_draw ^= state_of_draw << 13;
    state_of_draw ^= state_of_draw >> 7;
    state_of_draw ^= state_of_draw << 17;
    return state_of_draw;
}

/** Of significands that are hard: few bits, nearly all, those at the ends; or any. */
static scalar_bits draw_fraction(void)
{
    const scalar_bits all = ((scalar_bits)1 << fraction) - 1, any = (scalar_bits)draw() & all;
    switch (draw() % 6) {
    case 0:
        return any & (scalar_bits)(draw() & draw() & draw());
    case 1:
        return all & ~(any & (scalar_bits)(draw() & draw() & draw()));
    case 2:
        return (scalar_bits)(draw() % 3);
    case 3:
        return all - (scalar_bits)(draw() % 3);
    default:
        return any;
    }
}

/** Any finite number; every fourth is next to zero, the smallest normal number, 1, or the largest. */
static scalar draw_number(void)
{
    static const int ends[] = {0, 1, 2, exponents / 2, exponents / 2 + 1, exponents - 1};
    const int exponent = draw() % 4 == 0 ? ends[draw() % 6] : (int)(draw() % exponents);
    const scalar_bits sign = (scalar_bits)(draw() & 1) << (8 * sizeof(scalar) - 1);
    return scalar_of(sign | (scalar_bits)exponent << fraction | draw_fraction());
}

/** NaNs are all alike. */
static void expect(scalar got, scalar expected, scalar a, scalar b)
{
    if (bits_of(got) != bits_of(expected) && !(isnan(got) && isnan(expected)))
        fail_msg("%a and %a give %a; expected %a", (double)a, (double)b, (double)got, (double)expected);
}

static void divide(scalar a, scalar b)
{
    for (off = -1; off <= 1; off++)
        expect(rounded_quotient(a, b), a / b, a, b);
}

/* ----------------------------------------------------------------------------------------------------------- tests */

enum { rounds = 400000 };

static void quotients_are_the_hosts(void **state)
{
    (void)state;
    for (int i = 0; i < rounds; i++)
        divide(draw_number(), draw_number());
}

static void quotients_without_rounding_are_the_hosts(void **state)
{
    (void)state;
    static const scalar numbers[] = {0, SCALAR(1.0), (scalar)INFINITY, (scalar)NAN, SCALAR(0x1p-140), SCALAR(0x1p120)};
    enum { count = sizeof numbers / sizeof numbers[0] };
    for (int i = 0; i < 4 * count * count; i++) {
        const scalar a = numbers[i / 4 % count], b = numbers[i / 4 / count];
        divide(i & 1 ? -a : a, i & 2 ? -b : b);
    }
}

/** Products of short significands halve a subnormal unit exactly: the even neighbour is right. */
static void subnormal_quotients_between_two_are_even(void **state)
{
    (void)state;
    const scalar least = scalar_of(1);
    for (int i = 0; i < rounds; i++) {
        const int low = (int)(draw() % (unsigned)(fraction - 1)) + 1;
        const scalar odd = (scalar)((draw() % ((scalar_bits)1 << (draw() % (unsigned)fraction))) * 2 + 1);
        const scalar b = (scalar)ldexp(1.0 + (double)(draw() % 8) / 8, low);
        divide(odd * least * b / 2, b);
    }
}

static void roots_are_the_hosts(void **state)
{
    (void)state;
    for (int i = 0; i < rounds; i++) {
        const scalar any = ABS(draw_number());
        const scalar root = scalar_of(bits_of(SCALAR(1.0)) + draw_fraction());
        const scalar square = scalar_of(bits_of(root * root) + (scalar_bits)(draw() % 3) - 1);
        for (off = -1; off <= 1; off++) {
            expect(rounded_root(any), ROOT_OF(any), any, any);
            expect(rounded_root(square), ROOT_OF(square), square, square);
        }
    }
    for (off = -1; off <= 1; off++) {
        expect(rounded_root(0), 0, 0, 0);
        expect(rounded_root((scalar)INFINITY), (scalar)INFINITY, 0, 0);
        expect(rounded_root((scalar)NAN), (scalar)NAN, 0, 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(quotients_are_the_hosts),
        cmocka_unit_test(quotients_without_rounding_are_the_hosts),
        cmocka_unit_test(subnormal_quotients_between_two_are_even),
        cmocka_unit_test(roots_are_the_hosts),
    };
    return cmocka_run_group_tests_name("rounded", tests, NULL, NULL);
}
