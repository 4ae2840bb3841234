/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file ocloc.c
 * @brief Kernels for Intel's GPUs, of which none need be there, by Intel's offline compiler ocloc.
 *
 * It leaves an ELF file whose section .ze_info says in YAML what each kernel takes of the device.
 */
#include <stdlib.h>
#include <string.h>

#include "../gpu/compiler_program.h"
#include "../gpu/tuning.h"
#include "opencl.h"

/** What Intel's GPUs from the ninth generation on have, but for blocks of 512: those had 256 before the twelfth. */
grkan_status opencl_assume(const char *architecture, grkan_device_limits *limits)
{
    enum { local_bytes = 65536, most_threads = 512, vector_bytes = 16, least_elements = 32 };
    const gpu_told told = {.name = architecture, .wave = opencl_offline_wave(architecture)};
    *limits = (grkan_device_limits){.compute_units = 1,
                                    .least_elements = least_elements,
                                    .max_block = most_threads,
                                    .max_row_block = most_threads,
                                    .max_vector_bytes = vector_bytes,
                                    .local_bytes = local_bytes};
    gpu_set_tunings(&told, limits);
    return GRKAN_SUCCESS;
}

int opencl_offline_wave(const char *architecture)
{
    static const char *const wide[] = {"pvc", "xe-hpc", "bmg", "lnl", "ptl", "xe2", "xe3"}; /* as their names begin */
    for (size_t i = 0; i < sizeof wide / sizeof wide[0]; ++i)
        if (strncmp(architecture, wide[i], strlen(wide[i])) == 0)
            return 16;
    return 8;
}

/** The value behind "key:", if that is what a line begins with. */
static const char *value_of(const char *line, const char *key)
{
    const size_t length = strlen(key);
    line += strspn(line, " -");
    if (strncmp(line, key, length) != 0 || line[length] != ':')
        return NULL;
    return line + length + 1 + strspn(line + length + 1, " ");
}

/** Sizes stand behind what they are of. `usage` is kept from line to line. */
static void read_line(const char *line, const char **usage, grkan_compiler_report *report)
{
    const char *value = NULL;
    if (strncmp(line, "  - name:", 9) == 0 && report->kernel_count < GRKAN_MOST_KERNELS) {
        grkan_kernel_resources *const next = &report->kernels[report->kernel_count++];
        *next = (grkan_kernel_resources){.scalar_registers = -1, .wave_width = 1};
        snprintf(next->name, sizeof next->name, "%s", value_of(line, "name"));
        *usage = NULL;
        return;
    }
    if (report->kernel_count == 0)
        return;
    grkan_kernel_resources *const kernel = &report->kernels[report->kernel_count - 1];
    if ((value = value_of(line, "grf_count")) != NULL)
        kernel->vector_registers = atoi(value);
    else if ((value = value_of(line, "simd_size")) != NULL)
        kernel->wave_width = atoi(value) > 0 ? atoi(value) : 1;
    else if ((value = value_of(line, "slm_size")) != NULL)
        kernel->shared_bytes = atoi(value);
    else if ((value = value_of(line, "usage")) != NULL)
        *usage = value;
    else if ((value = value_of(line, "size")) != NULL && *usage != NULL) {
        const int of_thread = strcmp(*usage, "private_space") == 0; /* else of a wave */
        kernel->stack_bytes += atoi(value) / (of_thread ? 1 : kernel->wave_width);
        *usage = NULL;
    }
}

/**
 * What the log says of a kernel: "kernel K  compiled SIMD16 allocated 128 regs and spilled around 8". Its unit is said nowhere;
 * taken as registers of a wave.
 */
static void read_spills(const char *log, grkan_compiler_report *report)
{
    enum { register_bytes = 32 };
    static const char words[] = "spilled around ";
    for (int i = 0; i < report->kernel_count; ++i) {
        grkan_kernel_resources *const kernel = &report->kernels[i];
        char start[64];
        snprintf(start, sizeof start, "kernel %s ", kernel->name);
        const char *const line = strstr(log, start);
        const char *const at = line != NULL ? strstr(line, words) : NULL;
        if (at != NULL && at < line + strcspn(line, "\n"))
            kernel->spill_bytes =
                (atoi(at + sizeof words - 1) * register_bytes + kernel->wave_width - 1) / kernel->wave_width;
    }
}

static void read_report(const grkan_blob *binary, grkan_compiler_report *report)
{
    static const char start[] = "\nkernels:";
    const char *const data = binary->data, *const end = data + binary->bytes, *at = data;
    const char *usage = NULL;
    while (at + sizeof start < end && memcmp(at, start, sizeof start - 1) != 0)
        ++at;
    if (at + sizeof start >= end)
        return;
    char *const text = calloc(1, (size_t)(end - at) + 1), *rest = NULL;
    if (text == NULL)
        return;
    memcpy(text, at, (size_t)(end - at)); /* the section ends with a zero or the file, or names of functions follow */
    for (char *line = strtok_r(text, "\n", &rest); line != NULL; line = strtok_r(NULL, "\n", &rest)) {
        if (*line != ' ' && strcmp(line, "kernels:") != 0)
            break;
        read_line(line, &usage, report);
    }
    free(text);
}

grkan_status opencl_compile_offline(const char *source, const char *options, const grkan_compile_request *request,
                                    grkan_blob *binary, grkan_compiler_report *report)
{
    const char *const command[] = {request->compiler,
                                   "compile",
                                   "-file",
                                   compiler_source,
                                   "-device",
                                   request->architecture,
                                   "-output",
                                   compiler_binary,
                                   "-output_no_suffix",
                                   "-options",
                                   options,
                                   "-internal_options",
                                   "-ze-allow-zebin", /* the report; later releases leave that form in any case */
                                   NULL};
    char *log = NULL;
    const grkan_status status = compiler_program_run(source, command, binary, &log);
    if (status == GRKAN_SUCCESS && report != NULL) {
        read_report(binary, report);
        read_spills(log != NULL ? log : "", report);
    }
    free(log);
    return status;
}
