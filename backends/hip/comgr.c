/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file comgr.c
 * @brief comgr, the compiler behind hipRTC: which architectures there are, and what is in a code object.
 *
 * It is loaded only when asked: it brings an LLVM into the process, which may not bear the one of an OpenCL driver beside
 * it.
 */
#include "hip.h"

#include <stdlib.h>

typedef struct comgr_functions {
#define FUNCTION(result, name, arguments) result(*name) arguments;
#include "comgr_functions.h"
} comgr_functions;

static comgr_functions comgr;

#define FUNCTION(result, name, arguments) {#name, offsetof(comgr_functions, name), 0},
static const gpu_function functions[] = {
#include "comgr_functions.h"
};

typedef amd_comgr_metadata_node_t node;

static int take_comgr(grkan_library *handle, char *version, size_t bytes, gpu_refusal *refusal)
{
    (void)version, (void)bytes; /* nothing depends on it */
    return gpu_functions_find(gpu_library_symbol, handle, functions, sizeof functions / sizeof functions[0], &comgr,
                              refusal);
}

static const gpu_library_search search_comgr = {
    .label = "comgr",
    .stem = GRKAN_OF_SYSTEM("libamd_comgr", "amd_comgr"),
    .files = (const char *const[]){GRKAN_OF_SYSTEM("libamd_comgr.so.3", "amd_comgr_3.dll"),
                                   GRKAN_OF_SYSTEM("libamd_comgr.so.2", "amd_comgr_2.dll"),
                                   GRKAN_OF_SYSTEM("libamd_comgr.so", "amd_comgr.dll"), NULL},
    .symbol = "amd_comgr_get_data_metadata",
    .homes = hip_homes,
    .home_folders = hip_home_folders,
    .folders = hip_folders,
    .companion = &vendor_driver,
    .is_single = 1,
    .status = GRKAN_ERROR_COMPILE,
    .advice = "expected ROCm's, 5 or later",
    .take = take_comgr,
};

static gpu_library library = {.search = &search_comgr, .lock = GRKAN_LOCK_INIT};

/** hipRTC ends the process for an architecture that its compiler does not know; comgr just says so. */
grkan_status hip_check_architecture(const char *architecture)
{
    char isa[128];
    amd_comgr_action_info_t action;
    const grkan_status status = gpu_library_find(&library);
    if (status != GRKAN_SUCCESS)
        return status;
    if (comgr.amd_comgr_create_action_info(&action) != AMD_COMGR_STATUS_SUCCESS)
        return gpu_host->set_error(GRKAN_ERROR_COMPILE, "amd_comgr_create_action_info failed");
    snprintf(isa, sizeof isa, "amdgcn-amd-amdhsa--%s", architecture);
    const amd_comgr_status_t code = comgr.amd_comgr_action_info_set_isa_name(action, isa);
    (void)comgr.amd_comgr_destroy_action_info(action);
    if (code == AMD_COMGR_STATUS_SUCCESS)
        return GRKAN_SUCCESS;
    return gpu_host->set_error(GRKAN_ERROR_UNSUPPORTED,
                               "the installed ROCm does not compile for architecture \"%s\"; expected one that it "
                               "knows, as \"gfx90a\" or \"gfx90a:sramecc+:xnack-\"",
                               architecture);
}

/** The text of an entry; "" if there is none. */
static void read_text(node map, const char *key, char *text, size_t bytes)
{
    node value;
    text[0] = '\0';
    if (comgr.amd_comgr_metadata_lookup(map, key, &value) != AMD_COMGR_STATUS_SUCCESS)
        return;
    if (comgr.amd_comgr_get_metadata_string(value, &bytes, text) != AMD_COMGR_STATUS_SUCCESS)
        text[0] = '\0';
    (void)comgr.amd_comgr_destroy_metadata(value);
}

/** The number of an entry; -1 if there is none. */
static int32_t read_number(node map, const char *key)
{
    char text[32];
    read_text(map, key, text, sizeof text);
    return text[0] != '\0' ? (int32_t)strtol(text, NULL, 10) : -1;
}

static void read_kernel(node map, grkan_kernel_resources *kernel)
{
    const int32_t spilled = read_number(map, ".vgpr_spill_count"); /* scalars go to lanes of vector registers */
    *kernel = (grkan_kernel_resources){.vector_registers = read_number(map, ".vgpr_count"),
                                       .scalar_registers = read_number(map, ".sgpr_count"),
                                       .spill_bytes = spilled > 0 ? 4 * spilled : spilled,
                                       .stack_bytes = read_number(map, ".private_segment_fixed_size"),
                                       .shared_bytes = read_number(map, ".group_segment_fixed_size"),
                                       .wave_width = read_number(map, ".wavefront_size")};
    read_text(map, ".name", kernel->name, sizeof kernel->name);
}

static void read_kernels(node kernels, grkan_compiler_report *report)
{
    node kernel;
    size_t count = 0;
    (void)comgr.amd_comgr_get_metadata_list_size(kernels, &count);
    for (size_t i = 0; i < count && report->kernel_count < GRKAN_MOST_KERNELS; ++i) {
        if (comgr.amd_comgr_index_list_metadata(kernels, i, &kernel) != AMD_COMGR_STATUS_SUCCESS)
            continue;
        read_kernel(kernel, &report->kernels[report->kernel_count++]);
        (void)comgr.amd_comgr_destroy_metadata(kernel);
    }
}

/** From the code object's metadata; nothing if comgr does not load. */
void vendor_report(char *log, const grkan_blob *binary, grkan_compiler_report *report)
{
    amd_comgr_data_t data;
    node metadata, kernels;
    (void)log;
    if (gpu_library_find(&library) != GRKAN_SUCCESS ||
        comgr.amd_comgr_create_data(AMD_COMGR_DATA_KIND_EXECUTABLE, &data) != AMD_COMGR_STATUS_SUCCESS)
        return;
    if (comgr.amd_comgr_set_data(data, binary->bytes, binary->data) == AMD_COMGR_STATUS_SUCCESS &&
        comgr.amd_comgr_get_data_metadata(data, &metadata) == AMD_COMGR_STATUS_SUCCESS) {
        if (comgr.amd_comgr_metadata_lookup(metadata, "amdhsa.kernels", &kernels) == AMD_COMGR_STATUS_SUCCESS) {
            read_kernels(kernels, report);
            (void)comgr.amd_comgr_destroy_metadata(kernels);
        }
        (void)comgr.amd_comgr_destroy_metadata(metadata);
    }
    (void)comgr.amd_comgr_release_data(data);
}
