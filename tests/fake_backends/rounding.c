/* SPDX-License-Identifier: Apache-2.0 */
/** @file rounding.c @brief A module that changes how the thread that loads it rounds, as drivers do that flush subnormals. */
#include <fenv.h>

#define FAKE_NAME "hip"
#include "fake.h"

__attribute__((constructor)) static void change_rounding(void)
{
    (void)fesetround(FE_UPWARD);
}

const grkan_backend grkan_backend_table = {FAKE_TABLE};
