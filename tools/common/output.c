/* SPDX-License-Identifier: Apache-2.0 */
/** @file output.c @brief What is said of a file that cannot be written. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "output.h"
#include "tools.h"

int output_complain(const char *who, const char *option, const char *path)
{
    fprintf(stderr, "%s: --%s: cannot write '%s': %s\n", who, option, path, strerror(errno));
    return TOOL_CHECK_FAILED;
}
