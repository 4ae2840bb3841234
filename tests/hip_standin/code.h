/* SPDX-License-Identifier: Apache-2.0 */
/** @file code.h @brief A program's code: this header, then a shared object of the host. */
#ifndef HIP_STANDIN_CODE_H
#define HIP_STANDIN_CODE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct standin_code {
    char magic[8];
    uint64_t made_with; /* hash of all that is part of every program: code of an older stand-in must not run */
    uint64_t bytes;     /* of the shared object */
    char architecture[64];
} standin_code;

bool standin_code_is_ours(const standin_code *code);

#endif
