/* SPDX-License-Identifier: Apache-2.0 */
/** @file test_json.c @brief Numbers written by the program's own writer of JSON read back with the same bits. */
#include <float.h>
#include <inttypes.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "../tools/common/json_report.h"

enum { RANDOM = 20000 };

static uint64_t bits_of(double value)
{
    uint64_t bits;
    memcpy(&bits, &value, sizeof bits);
    return bits;
}

static double double_of(uint64_t bits)
{
    double value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

static uint64_t next_random(uint64_t *state)
{
    *state = *state * 6364136223846793005u + 1442695040888963407u;
    return *state ^ *state >> 29;
}

/** The text of a document, which is deleted. Free it. */
static char *print(cJSON *document)
{
    char path[] = "/tmp/grkan-json-XXXXXX";
    struct stat made;
    const int descriptor = mkstemp(path);
    assert_true(descriptor >= 0);
    assert_int_equal(report_write(path, document), 0);
    cJSON_Delete(document);
    assert_int_equal(close(descriptor), 0);
    FILE *stream = fopen(path, "r");
    assert_non_null(stream);
    assert_int_equal(fstat(fileno(stream), &made), 0);
    char *text = calloc(1, (size_t)made.st_size + 1);
    assert_non_null(text);
    assert_int_equal(fread(text, 1, (size_t)made.st_size, stream), made.st_size);
    assert_int_equal(fclose(stream), 0);
    assert_int_equal(unlink(path), 0);
    return text;
}

/** Write an array of the numbers, twice as deep in the document as others, and compare what strtod reads. */
static void check_doubles(const double *values, int count)
{
    cJSON *document = cJSON_CreateObject();
    cJSON *object = cJSON_AddObjectToObject(document, "object");
    cJSON_AddItemToObject(object, "numbers", cJSON_CreateDoubleArray(values, count));
    char *text = print(document), *next = strchr(text, '[') + 1;
    for (int i = 0; i < count; i++) {
        const char *start = next;
        const double value = strtod(start, &next);
        if (bits_of(value) != bits_of(values[i]))
            fail_msg("%a was written as %.*s", values[i], (int)(next - start), start);
        next++; /* the comma */
    }
    assert_int_equal(next[-1], ']');
    free(text);
}

static void test_doubles(void **state)
{
    (void)state;
    static double values[RANDOM];
    uint64_t random = 1;
    const double chosen[] = {0.0,
                             -0.0,
                             0.1,
                             1.0 / 3,
                             0.0008448865884442999,
                             5e-324,
                             -5e-324,
                             DBL_MIN,
                             DBL_MAX,
                             -DBL_MAX,
                             1.0 + DBL_EPSILON,
                             0x1p53 + 2,
                             0x1p63,
                             1e15,
                             1e22 + 1e7,
                             -123456789012.5,
                             1e23,
                             nextafter(1e23, 0)};
    check_doubles(chosen, (int)(sizeof chosen / sizeof *chosen));
    int count = 0;
    while (count < RANDOM) { /* every exponent, subnormals too */
        values[count] = double_of(next_random(&random));
        count += isfinite(values[count]) != 0;
    }
    check_doubles(values, count);
    for (int i = 0; i < RANDOM; i++) /* neighbours of short decimals, which differ in the last digit */
        values[i] = nextafter((double)(next_random(&random) % 100000) / 1e5, i % 2 ? 2.0 : -2.0);
    check_doubles(values, RANDOM);
}

static void test_short_numbers_stay_short(void **state)
{
    (void)state;
    const double values[] = {0, 1, -2.5, 0.1, 100000, 0.00029};
    char *text = print(cJSON_CreateDoubleArray(values, 6));
    assert_string_equal(text, "[0, 1, -2.5, 0.1, 100000, 0.00029]\n");
    free(text);
}

/** A whole number -0 would be 0. */
static void test_negative_zero_has_a_point(void **state)
{
    (void)state;
    const double zero = -0.0;
    char *text = print(cJSON_CreateDoubleArray(&zero, 1));
    assert_string_equal(text, "[-0.0]\n");
    free(text);
}

static void test_no_numbers_are_null(void **state)
{
    (void)state;
    const double values[] = {NAN, INFINITY, -INFINITY};
    char *text = print(cJSON_CreateDoubleArray(values, 3));
    assert_string_equal(text, "[null, null, null]\n");
    free(text);
}

/** File names may hold any bytes. */
static void test_texts_are_utf_8(void **state)
{
    (void)state;
    static const struct {
        const char *text, *expected;
    } cases[] = {{"plain", "plain"},
                 {"\xc3\xa4 \xe4\xb8\xad \xf0\x9f\x98\x80", "\xc3\xa4 \xe4\xb8\xad \xf0\x9f\x98\x80"},
                 {"\xff.json", "?.json"},
                 {"cut \xe4\xb8", "cut ??"},
                 {"\xc0\xaf \xe0\x80\xaf \xf0\x80\x80\xaf", "?? ??? ????"}, /* longer than need be */
                 {"\xed\xa0\x80 \xf4\x90\x80\x80", "??? ????"}};            /* half of a pair; beyond U+10FFFF */
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char expected[64];
        char *text = print(cJSON_CreateString(cases[i].text));
        snprintf(expected, sizeof expected, "\"%s\"\n", cases[i].expected);
        assert_string_equal(text, expected);
        free(text);
    }
}

static void test_counts_have_64_bits(void **state)
{
    (void)state;
    const uint64_t values[] = {0, 1, (UINT64_C(1) << 53) + 1, INT64_MAX, UINT64_MAX};
    for (size_t i = 0; i < sizeof values / sizeof *values; i++) {
        char expected[64];
        cJSON *document = cJSON_CreateObject();
        report_add_count(document, "bytes", values[i]);
        char *text = print(document);
        snprintf(expected, sizeof expected, "{\n\t\"bytes\":\t%" PRIu64 "\n}\n", values[i]);
        assert_string_equal(text, expected);
        free(text);
    }
}

static void test_sizes_of_an_operation(void **state)
{
    (void)state;
    grkan_operation operation = GRKAN_OPERATION_INIT;
    operation.outer = INT64_MAX - 1;
    char *text = print(report_operation(&operation));
    assert_non_null(strstr(text, "9223372036854775806"));
    free(text);
}

/** A measurement keeps six digits, and those are the double that is written. */
static void test_measured(void **state)
{
    (void)state;
    cJSON *document = cJSON_CreateObject();
    report_add_measured(document, "gb_per_s", 2.0 / 3);
    char *text = print(document);
    assert_non_null(strstr(text, ":\t0.666667\n"));
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_doubles),
        cmocka_unit_test(test_short_numbers_stay_short),
        cmocka_unit_test(test_negative_zero_has_a_point),
        cmocka_unit_test(test_no_numbers_are_null),
        cmocka_unit_test(test_texts_are_utf_8),
        cmocka_unit_test(test_counts_have_64_bits),
        cmocka_unit_test(test_sizes_of_an_operation),
        cmocka_unit_test(test_measured),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
