/* SPDX-License-Identifier: Apache-2.0 */
/** @file missing_function.c @brief A module that lacks a function which is not optional. */
#define FAKE_NAME "hip"
#define FAKE_SYNCHRONIZE NULL
#include "fake.h"

const grkan_backend grkan_backend_table = {FAKE_TABLE};
