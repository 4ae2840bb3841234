/* SPDX-License-Identifier: Apache-2.0 */
/** @file output.h @brief Files that the program leaves: whole or not at all, see platform.h. */
#ifndef GRKAN_OUTPUT_H
#define GRKAN_OUTPUT_H

#include "../../core/platform/platform.h"

/** Say that an option's file cannot be written, and why (errno). @return TOOL_CHECK_FAILED */
int output_complain(const char *who, const char *option, const char *path);

#endif
