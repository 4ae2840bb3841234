/* SPDX-License-Identifier: Apache-2.0 */
/** @file suite.c @brief Whole tables over devices. */
#include "suite.h"

#include <stdio.h>
#include <string.h>

#include "judge.h"

static void count_reason(suite_tally *tally, const char *text)
{
    for (int i = 0; i < SUITE_REASONS; i++) {
        if (tally->reasons[i].count == 0)
            snprintf(tally->reasons[i].text, sizeof tally->reasons[i].text, "%.127s", text);
        if (strncmp(tally->reasons[i].text, text, 127) == 0) {
            tally->reasons[i].count++;
            return;
        }
    }
}

static void count_report(suite_tally *tally, const check_report *report)
{
    switch (report->outcome) {
    case CHECK_PASSED:
        tally->passed++;
        if (report->worst > tally->worst)
            tally->worst = report->worst;
        break;
    case CHECK_FAILED:
        tally->failed++;
        break;
    case CHECK_SKIPPED:
        tally->skipped++;
        count_reason(tally, report->text);
        break;
    }
}

grkan_status suite_open(const char *selector, suite_device *device)
{
    const grkan_status status = grkan_device_open(selector, &device->device);
    return status == GRKAN_SUCCESS ? grkan_device_describe(device->device, &device->properties) : status;
}

void suite_oracle(const suite_device *device, const check_table *table, suite_listener listener, void *context,
                  suite_tally *tally)
{
    for (int i = 0; i < table->count; i++) {
        check_report report;
        check_run(device->device, &table->cases[i], &report);
        count_report(tally, &report);
        listener(context, device->properties.selector, "oracle", &table->cases[i], &report);
    }
}

bool suite_is_cpu(const suite_device *device)
{
    return strcmp(device->properties.backend, "cpu") == 0;
}

static void compare_variants(const suite_device *device, const check_case *one, suite_listener listener, void *context,
                             suite_tally *tally)
{
    for (int k = 0; k < CHECK_CPU_VARIANTS; k++) {
        const check_variant *variant = &check_cpu_variants[k];
        check_report report;
        check_same_bits(device->device, &variant->first, device->device, &variant->second, one, variant->label,
                        &report);
        count_report(tally, &report);
        listener(context, device->properties.selector, variant->label, one, &report);
    }
}

static void compare_devices(const suite_device *devices, int count, const check_case *one, suite_listener listener,
                            void *context, suite_tally *tallies)
{
    check_data reference = {{0}};
    const char *reference_name = NULL;
    for (int d = 0; d < count; d++) {
        const char *name = devices[d].properties.selector;
        char label[96] = "first of the devices";
        check_data results;
        check_report report;
        const bool ran = check_run_results(devices[d].device, one, &results, &report);
        if (ran) {
            tallies[d].digest = judge_digest(one, &results, tallies[d].digest);
            tallies[d].digested++;
        }
        if (ran && reference_name) {
            snprintf(label, sizeof label, "%s, %s", reference_name, name);
            check_compare(one, &reference, &results, label, &report);
        }
        if (ran && !reference_name) {
            reference_name = name;
            reference = results;
        } else {
            count_report(&tallies[d], &report); /* the first is compared with nothing: no pass of its own */
            check_data_free(&results);
        }
        listener(context, name, label, one, &report);
    }
    check_data_free(&reference);
}

static bool has_fixed_bits(const check_case *one)
{
    return one->options.determinism == GRKAN_DEVICE_TO_DEVICE;
}

void suite_bits(const suite_device *devices, int count, const check_table *table, suite_listener listener,
                void *context, suite_tally *tallies)
{
    for (int i = 0; i < table->count; i++) {
        const check_case *one = &table->cases[i];
        if (!has_fixed_bits(one))
            continue;
        for (int d = 0; d < count; d++)
            if (suite_is_cpu(&devices[d]))
                compare_variants(&devices[d], one, listener, context, &tallies[d]);
        compare_devices(devices, count, one, listener, context, tallies);
    }
}

int suite_bits_steps(const suite_device *devices, int count, const check_table *table)
{
    int steps = count, cases = 0;
    for (int d = 0; d < count; d++)
        steps += suite_is_cpu(&devices[d]) ? CHECK_CPU_VARIANTS : 0;
    for (int i = 0; i < table->count; i++)
        cases += has_fixed_bits(&table->cases[i]);
    return steps * cases;
}
