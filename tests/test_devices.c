/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file test_devices.c
 * @brief Every case of the shared table on every device of every backend that is there.
 *
 * GRKAN_TEST_DEVICES="cpu opencl" names devices that must be there. GRKAN_TEST_SEED=N makes another table.
 */
#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "suite.h"

/** What the tests share. */
static struct {
    suite_device devices[SUITE_DEVICES];
    suite_tally tallies[SUITE_DEVICES];
    int count;
    uint64_t seed;
} all;

static void open_backend(const char *backend)
{
    int count = 0;
    if (grkan_device_count(backend, &count) != GRKAN_SUCCESS) {
        printf("absent: %s: %s\n", backend, grkan_last_error());
        return;
    }
    for (int i = 0; i < count && all.count < SUITE_DEVICES; i++) {
        suite_device *device = &all.devices[all.count];
        if (grkan_device_open_index(backend, i, &device->device) != GRKAN_SUCCESS) {
            printf("absent: %s, device %d: %s\n", backend, i, grkan_last_error());
            continue;
        }
        all.count++;
        assert_int_equal(grkan_device_describe(device->device, &device->properties), GRKAN_SUCCESS);
        printf("present: %s (%s; %s)\n", device->properties.selector, device->properties.name,
               device->properties.driver);
    }
}

static int open_all(void **state)
{
    (void)state;
    const char *seed = getenv("GRKAN_TEST_SEED");
    all.seed = seed ? strtoull(seed, NULL, 0) : 1;
    printf("seed %" PRIu64 "\n", all.seed);
    for (int i = 0; i < grkan_backend_count(); i++)
        open_backend(grkan_backend_name(i));
    return 0;
}

static int close_all(void **state)
{
    (void)state;
    for (int d = 0; d < all.count; d++)
        grkan_device_close(all.devices[d].device);
    return 0;
}

static void heard(void *context, const char *device, const char *label, const check_case *one,
                  const check_report *report)
{
    static const char *const outcomes[] = {"ok  ", "FAIL", "skip"};
    (void)context;
    printf("%s %s %s seed 0x%016" PRIx64 " (%s)", outcomes[report->outcome], device, one->name, one->seed, label);
    if (report->outcome == CHECK_PASSED)
        printf(report->worst > 0 ? " %.2f\n" : "\n", report->worst);
    else
        printf(": %s\n", report->text);
    fflush(stdout);
}

static void print_tally(int d)
{
    printf("%s: %d passed, %d failed, %d skipped, worst error %.2f of its bound\n", all.devices[d].properties.selector,
           all.tallies[d].passed, all.tallies[d].failed, all.tallies[d].skipped, all.tallies[d].worst);
}

/** The devices that the environment asks for are there; the cpu always is. */
static void devices_are_there(void **state)
{
    (void)state;
    const char *wanted = getenv("GRKAN_TEST_DEVICES");
    char names[256];
    snprintf(names, sizeof names, "cpu %s", wanted ? wanted : "");
    for (char *rest, *name = strtok_r(names, " ", &rest); name; name = strtok_r(NULL, " ", &rest)) {
        grkan_device *device = NULL;
        if (grkan_device_open(name, &device) != GRKAN_SUCCESS)
            fail_msg("%s must be there: %s", name, grkan_last_error());
        grkan_device_close(device);
    }
}

/** Every case on every device against the oracle. */
static void check_oracle(check_table table)
{
    int failed = 0;
    assert_true(table.count > 0);
    for (int d = 0; d < all.count; d++) {
        all.tallies[d] = (suite_tally){0};
        suite_oracle(&all.devices[d], &table, heard, NULL, &all.tallies[d]);
        failed += all.tallies[d].failed;
    }
    for (int d = 0; d < all.count; d++) {
        print_tally(d);
        assert_true(all.tallies[d].passed > 0);
    }
    check_table_free(&table);
    assert_int_equal(failed, 0);
}

/**
 * Every case's bits on every device against those on the others. @param elsewhere digest of the cases of seed 1 on
 * processors with AVX2 and AArch64; new cases, formulas or cuts of a tensor change it
 */
static void check_bits(check_table table, uint64_t elsewhere)
{
    int failed = 0, fixed = 0;
    for (int i = 0; i < table.count; i++)
        fixed += table.cases[i].options.determinism == GRKAN_DEVICE_TO_DEVICE;
    memset(all.tallies, 0, sizeof all.tallies);
    suite_bits(all.devices, all.count, &table, heard, NULL, all.tallies);
    for (int d = 0; d < all.count; d++) {
        print_tally(d);
        failed += all.tallies[d].failed;
        if (all.seed == 1 && all.tallies[d].digested == fixed && all.tallies[d].digest != elsewhere) {
            printf("%s: the digest is %016" PRIx64 "; on other machines %016" PRIx64 "\n",
                   all.devices[d].properties.selector, all.tallies[d].digest, elsewhere);
            failed++;
        }
    }
    check_table_free(&table);
    assert_int_equal(failed, 0);
}

static void cases_match_the_oracle(void **state)
{
    (void)state;
    check_oracle(check_table_oracle(all.seed, false));
}

static void limits_match_the_oracle(void **state)
{
    (void)state;
    check_oracle(check_table_limits(all.seed, false));
}

static void square_matches_the_oracle(void **state)
{
    (void)state;
    check_oracle(check_table_square(all.seed, false));
}

static void two_types_match_the_oracle(void **state)
{
    (void)state;
    check_oracle(check_table_two_types(all.seed, false));
}

static void prologues_match_the_oracle(void **state)
{
    (void)state;
    check_oracle(check_table_prologues(all.seed, false));
}

static void bits_are_the_same_everywhere(void **state)
{
    (void)state;
    check_table table = check_table_bits(all.seed, false);
    assert_true(table.count >= 200);
    check_bits(table, UINT64_C(0xd6e6e8fb72d95ad0));
}

static void bits_at_the_limits_are_the_same(void **state)
{
    (void)state;
    check_bits(check_table_limits(all.seed, false), UINT64_C(0xb19d20e9a7d183f1));
}

static void bits_of_square_are_the_same(void **state)
{
    (void)state;
    check_bits(check_table_square(all.seed, false), UINT64_C(0x7172db073586e6db));
}

static void bits_of_two_types_are_the_same(void **state)
{
    (void)state;
    check_bits(check_table_two_types(all.seed, false), UINT64_C(0xc5deeb1e19156333));
}

static void bits_of_prologues_are_the_same(void **state)
{
    (void)state;
    check_bits(check_table_prologues(all.seed, false), UINT64_C(0x07451083d8cf5ca6));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(devices_are_there),
        cmocka_unit_test(cases_match_the_oracle),
        cmocka_unit_test(limits_match_the_oracle),
        cmocka_unit_test(square_matches_the_oracle),
        cmocka_unit_test(two_types_match_the_oracle),
        cmocka_unit_test(prologues_match_the_oracle),
        cmocka_unit_test(bits_are_the_same_everywhere),
        cmocka_unit_test(bits_at_the_limits_are_the_same),
        cmocka_unit_test(bits_of_square_are_the_same),
        cmocka_unit_test(bits_of_two_types_are_the_same),
        cmocka_unit_test(bits_of_prologues_are_the_same),
    };
    return cmocka_run_group_tests_name("devices", tests, open_all, close_all);
}
