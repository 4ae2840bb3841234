/* SPDX-License-Identifier: Apache-2.0 */
/** @file wrong_size.c @brief A module whose table has another size. */
#define FAKE_NAME "hip"
#define FAKE_STRUCT_SIZE 16u
#include "fake.h"

const grkan_backend grkan_backend_table = {FAKE_TABLE};
