/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file test_storage.c
 * @brief Every value of the 16-bit storage types, read and written by every device: y = a1 x, and dx = a1 dy.
 */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "call.h"
#include "present.h"
#include "storage_types.h"

enum { patterns = 65536, most_elements = 70000 };

static present_devices devices;

/** Rows of whole vectors, and rows with a rest. */
static const struct {
    int64_t outer, channels;
} shapes[] = {{64, 1024}, {65, 1021}};

/** As they are; halves of odd values, which are ties where they are subnormal; inexact; overflow; underflow. */
static const float factors[] = {1, 0.5f, 1.0009766f, -3.1415927f, 70000, 3e-5f};

/** NaNs by their bits, as factors. Rounded like numbers they would be zeros: a carry comes out on the left. */
static const uint32_t nans[] = {0x7fffffffu, 0xffffffffu};

/** The bits that a device has for y and for dx, one behind the other. */
static void compute(grkan_device *device, const check_case *one, float factor, uint16_t *results)
{
    static uint16_t input[most_elements];
    const float numerator[2] = {0, factor};
    const int64_t elements = check_tensor_count(one, CHECK_X);
    call c = call_prepare(device, one, NULL, 0);
    for (int64_t i = 0; i < elements; ++i)
        input[i] = (uint16_t)(i % patterns);
    call_write(&c, CHECK_X, input);
    call_write(&c, CHECK_DY, input);
    call_write(&c, CHECK_NUMERATOR, numerator);
    call_run(&c, NULL);
    call_read(&c, CHECK_Y, results);
    call_read(&c, CHECK_DX, results + elements);
    call_end(&c);
}

/** What the bits of the products have to be; -1 for any NaN. */
static void expect_products(grkan_dtype dtype, float factor, int *expected)
{
    for (int i = 0; i < patterns; ++i) {
        const uint16_t input = (uint16_t)i;
        const float product = factor * (float)storage_load(dtype, &input, 0);
        uint16_t bits;
        storage_store(dtype, &bits, 0, (long double)product);
        expected[i] = isnan(product) ? -1 : bits;
    }
}

static int is_zero(int bits)
{
    return (bits & 0x7fff) == 0;
}

static void check_results(const grkan_operation *o, const int *expected, const uint16_t *results, const char *name)
{
    const int64_t elements = o->outer * o->channels;
    for (int64_t i = 0; i < 2 * elements; ++i) {
        const int in = (int)(i % elements % patterns), want = expected[in], got = results[i];
        /* y of -0 is a0 - 0, so +0. */
        if (want < 0 ? !isnan(storage_load(o->dtype, results, i)) : got != want && !(is_zero(in) && is_zero(got)))
            fail_msg("%s, %s: %s of 0x%04x is 0x%04x; expected 0x%04x", name, grkan_dtype_name(o->dtype),
                     i < elements ? "y" : "dx", (unsigned)in, (unsigned)got, (unsigned)want);
    }
}

/** All options on one device. */
static void check_device(grkan_device *device, const char *name, const grkan_operation *o, float factor,
                         const int *expected)
{
    static uint16_t results[2 * most_elements];
    const int is_cpu = strcmp(name, "cpu") == 0;
    for (int any = 0; any <= is_cpu; ++any) { /* elsewhere, only one level promises exact results */
        check_case one = {.operation = *o, .options.determinism = any ? GRKAN_RUN_TO_RUN : GRKAN_DEVICE_TO_DEVICE};
        compute(device, &one, factor, results);
        check_results(o, expected, results, name);
        one.options.cpu_simd = GRKAN_CPU_SIMD_OFF;
        compute(device, &one, factor, results);
        check_results(o, expected, results, name);
    }
}

static void check_products(grkan_dtype dtype, float factor)
{
    static int expected[patterns];
    expect_products(dtype, factor, expected);
    for (size_t s = 0; s < sizeof shapes / sizeof shapes[0]; ++s) {
        const grkan_operation o = {SHAPE(shapes[s].outer, shapes[s].channels, 1), GROUPS(8, SHARED, SHARED),
                                   RATIONAL(1, 0, GRKAN_ABS_TERMS), .dtype = dtype};
        for (int d = 0; d < devices.count; ++d)
            check_device(devices.device[d], devices.backend[d], &o, factor, expected);
    }
}

static void test_every_value_is_read_and_written(void **state)
{
    (void)state;
    for (size_t f = 0; f < sizeof factors / sizeof factors[0]; ++f) {
        check_products(GRKAN_F16, factors[f]);
        check_products(GRKAN_BF16, factors[f]);
    }
    for (size_t n = 0; n < sizeof nans / sizeof nans[0]; ++n) {
        float factor;
        memcpy(&factor, &nans[n], sizeof factor);
        check_products(GRKAN_F16, factor);
        check_products(GRKAN_BF16, factor);
    }
}

static int open_devices(void **state)
{
    static const char *const backends[] = {"cpu", "opencl", "cuda", "hip"};
    (void)state;
    return open_present(backends, 4, &devices);
}

static int close_devices(void **state)
{
    (void)state;
    close_present(&devices);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_every_value_is_read_and_written)};
    return cmocka_run_group_tests_name("storage", tests, open_devices, close_devices);
}
