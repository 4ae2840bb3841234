/* SPDX-License-Identifier: Apache-2.0 */
/** @file other_build.c @brief A module that was built from other headers: nothing else in its table can be read. */
#define FAKE_NAME "hip"
#define FAKE_INTERFACE (GRKAN_INTERFACE ^ 1)
#include "fake.h"

const grkan_backend grkan_backend_table = {.interface_hash = FAKE_INTERFACE, .name = (const char *)1};
