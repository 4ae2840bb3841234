/* SPDX-License-Identifier: Apache-2.0 */
/** @file test_fma.c @brief The fma of windows/fma.c in integers, against the one of the processor. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

double grkan_fma_in_integers(double x, double y, double z);
float grkan_fmaf_in_integers(float x, float y, float z);

enum { rounds = 2000000 };

static uint64_t state_of_draw = 0x9e3779b97f4a7c15;

static uint64_t draw(void)
{
    state_of_draw ^= state_of_draw << 13;
    state_of_draw ^= state_of_draw >> 7;
    state_of_draw ^= state_of_draw << 17;
    return state_of_draw;
}

static double as_double(uint64_t bits)
{
    double value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

static float as_float(uint32_t bits)
{
    float value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

static uint64_t bits_of(double value)
{
    uint64_t bits;
    memcpy(&bits, &value, sizeof bits);
    return isnan(value) ? UINT64_MAX : bits;
}

/** Few bits set, so that ties and cancellation come up, or any. */
static uint64_t draw_fraction(int bits)
{
    const uint64_t all = ((uint64_t)1 << bits) - 1, any = draw() & all;
    switch (draw() % 4) {
    case 0:
        return any & draw() & draw() & draw();
    case 1:
        return all & ~(any & draw() & draw());
    case 2:
        return any << (draw() % 40) & all;
    default:
        return any;
    }
}

__attribute__((target("fma"))) static double of_processor(double x, double y, double z)
{
    return __builtin_fma(x, y, z);
}

__attribute__((target("fma"))) static float of_processor_f(float x, float y, float z)
{
    return __builtin_fmaf(x, y, z);
}

static double draw_double(uint64_t exponent)
{
    return as_double((draw() & 1) << 63 | (exponent & 0x7ff) << 52 | draw_fraction(52));
}

static float draw_float(uint64_t exponent)
{
    return as_float((uint32_t)((draw() & 1) << 31 | (exponent & 0xff) << 23 | draw_fraction(23)));
}

static void test_doubles(void **state)
{
    (void)state;
    if (!__builtin_cpu_supports("fma"))
        skip();
    for (int i = 0; i < rounds; i++) {
        const uint64_t kind = draw() % 4, ex = kind == 0 ? draw() : 1023 + draw() % 8,
                       ey = kind == 1 ? draw() : 1020 + draw() % 8;
        /* z about as large as the product, near the limits, or anything. */
        const double x = draw_double(kind == 3 ? draw() % 600 : ex), y = draw_double(kind == 3 ? draw() % 600 : ey);
        const uint64_t ez = draw() % 4 == 0 ? draw() : (ex & 0x7ff) + (ey & 0x7ff) - 1023 + draw() % 240 - 120;
        const double z = draw() % 8 == 0 ? -(x * y) : draw_double(kind == 3 ? draw() % 60 : ez);
        const double expected = of_processor(x, y, z), got = grkan_fma_in_integers(x, y, z);
        if (bits_of(expected) != bits_of(got))
            fail_msg("fma(%a, %a, %a) is %a; expected %a", x, y, z, got, expected);
    }
}

static void test_floats(void **state)
{
    (void)state;
    if (!__builtin_cpu_supports("fma"))
        skip();
    for (int i = 0; i < rounds; i++) {
        const uint64_t ex = draw() % 2 ? draw() : 120 + draw() % 16, ey = draw() % 2 ? draw() : 120 + draw() % 16;
        const float x = draw_float(ex), y = draw_float(ey);
        const uint64_t ez = draw() % 4 == 0 ? draw() : (ex & 0xff) + (ey & 0xff) - 127 + draw() % 100 - 50;
        const float z = draw() % 8 == 0 ? -(x * y) : draw_float(ez);
        const float expected = of_processor_f(x, y, z), got = grkan_fmaf_in_integers(x, y, z);
        if (bits_of((double)expected) != bits_of((double)got))
            fail_msg("fmaf(%a, %a, %a) is %a; expected %a", (double)x, (double)y, (double)z, (double)got,
                     (double)expected);
    }
}

static void test_limits(void **state)
{
    static const double values[] = {0,
                                    -0.0,
                                    1,
                                    -1,
                                    INFINITY,
                                    -INFINITY,
                                    NAN,
                                    0x1p-1074,
                                    -0x1p-1074,
                                    0x1p-1022,
                                    0x1.fffffffffffffp1023,
                                    -0x1.fffffffffffffp1023,
                                    0x1p-537,
                                    0x1.8p-538,
                                    0x1p512,
                                    3};
    enum { count = sizeof values / sizeof values[0] };
    (void)state;
    if (!__builtin_cpu_supports("fma"))
        skip();
    for (int i = 0; i < count * count * count; i++) {
        const double x = values[i % count], y = values[i / count % count], z = values[i / count / count];
        const double expected = of_processor(x, y, z), got = grkan_fma_in_integers(x, y, z);
        if (bits_of(expected) != bits_of(got))
            fail_msg("fma(%a, %a, %a) is %a; expected %a", x, y, z, got, expected);
        const float of_floats = of_processor_f((float)x, (float)y, (float)z);
        assert_true(bits_of((double)of_floats) ==
                    bits_of((double)grkan_fmaf_in_integers((float)x, (float)y, (float)z)));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_doubles),
        cmocka_unit_test(test_floats),
        cmocka_unit_test(test_limits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
