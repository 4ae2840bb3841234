/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file suite.h
 * @brief Whole tables over devices, as `grkan check` and the test suite run them. Prints nothing: a listener hears it.
 */
#ifndef GRKAN_CHECK_SUITE_H
#define GRKAN_CHECK_SUITE_H

#include "runner.h"

#define SUITE_REASONS 8
#define SUITE_DEVICES 16

/** A device that is being checked. */
typedef struct suite_device {
    grkan_device *device;
    grkan_device_properties properties;
} suite_device;

/** What came out for one device. */
typedef struct suite_tally {
    int passed, failed, skipped;
    double worst;    /**< the largest error of a case that passed, as a fraction of its bound */
    int digested;    /**< cases whose bits are in the digest */
    uint64_t digest; /**< of the bits that must be the same everywhere: devices compare by it that never meet */
    struct {
        char text[128];
        int count;
    } reasons[SUITE_REASONS]; /**< of skips */
} suite_tally;

/**
 * Hears of every check when it is done.
 * @param device selector
 * @param label  what was checked: "oracle", or which two runs were compared
 */
typedef void (*suite_listener)(void *context, const char *device, const char *label, const check_case *one,
                               const check_report *report);

/** Open a device by its selector (NULL: the default one) and read its properties. */
grkan_status suite_open(const char *selector, suite_device *device);

/** Whether it is the cpu backend's, which has no kernels to compile. */
bool suite_is_cpu(const suite_device *device);

/** Every case of a table against the oracle. */
void suite_oracle(const suite_device *device, const check_table *table, suite_listener listener, void *context,
                  suite_tally *tally);

/**
 * The bits of every GRKAN_DEVICE_TO_DEVICE case on every device against those of the first that runs it, and into the device's digest; for each
 * cpu among them, all its variants against each other.
 * @param tallies one for each device
 */
void suite_bits(const suite_device *devices, int count, const check_table *table, suite_listener listener,
                void *context, suite_tally *tallies);

/** How many times suite_bits will call its listener. */
int suite_bits_steps(const suite_device *devices, int count, const check_table *table);

#endif
