/* SPDX-License-Identifier: Apache-2.0 */
/** @file wrong_version.c @brief A module for a later version of the backend interface. */
#define FAKE_NAME "hip"
#define FAKE_API_VERSION 999u
#include "fake.h"

const grkan_backend grkan_backend_table = {FAKE_TABLE};
