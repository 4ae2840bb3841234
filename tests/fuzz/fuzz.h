/* SPDX-License-Identifier: Apache-2.0 */
/** @file fuzz.h @brief What fuzzers share. Each has LLVMFuzzerTestOneInput, for libFuzzer or for replay.c. */
#ifndef GRKAN_FUZZ_H
#define GRKAN_FUZZ_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/** End the process where a fuzzer's contract is broken, as libFuzzer expects it. */
#define fuzz_require(condition)                                                                                        \
    ((condition) ? (void)0 : (fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #condition), abort()))

#endif
