/* SPDX-License-Identifier: Apache-2.0 */
/** @file ptxas_report.c @brief What NVIDIA's assembler says of the kernels that it made. */
#include <stdlib.h>
#include <string.h>

#include "../gpu/runtime.h"

/** The number in front of words, as in "4 bytes spill stores"; 0 if they are not in the line. */
static int32_t number_before(const char *line, const char *words)
{
    const char *at = strstr(line, words);
    while (at != NULL && at > line && at[-1] >= '0' && at[-1] <= '9')
        --at;
    return at != NULL ? (int32_t)strtol(at, NULL, 10) : 0;
}

/** A line of what the assembler says. Functions that a kernel calls are reported after it, and added to it. */
static void read_report_line(const char *line, grkan_compiler_report *report)
{
    static const char entry[] = "Compiling entry function '";
    const char *const start = strstr(line, entry);
    if (start != NULL && report->kernel_count < GRKAN_MOST_KERNELS) {
        const char *const name = start + sizeof entry - 1;
        grkan_kernel_resources *const next = &report->kernels[report->kernel_count++];
        *next = (grkan_kernel_resources){.scalar_registers = -1, .wave_width = 32};
        snprintf(next->name, sizeof next->name, "%.*s", (int)strcspn(name, "'"), name);
    }
    if (report->kernel_count == 0)
        return;
    grkan_kernel_resources *const kernel = &report->kernels[report->kernel_count - 1];
    const int32_t stores = number_before(line, " bytes spill stores");
    const int32_t loads = number_before(line, " bytes spill loads");
    kernel->spill_bytes += stores > loads ? stores : loads;
    kernel->stack_bytes += number_before(line, " bytes stack frame");
    kernel->vector_registers += number_before(line, " registers");
    kernel->shared_bytes += number_before(line, " bytes smem");
}

void vendor_report(char *log, const grkan_blob *binary, grkan_compiler_report *report)
{
    (void)binary;
    char *rest = NULL;
    for (char *line = strtok_r(log, "\n", &rest); line != NULL; line = strtok_r(NULL, "\n", &rest))
        read_report_line(line, report);
}
