/* SPDX-License-Identifier: Apache-2.0 */
/** @file hip.c @brief What HIP does its own way: the options of its compilers, architectures, and code objects. */
#include <amd_comgr.h>
#include <stdlib.h>

#include "../../core/platform/platform.h"
#include "../gpu/runtime.h"

#define TEXT(word) #word
#define AS_TEXT(macro) TEXT(macro)

const uint64_t vendor_shared_bytes = 64 << 10;

/** HIP's modules come with its runtime. */
grkan_status vendor_start(void)
{
    return GRKAN_SUCCESS;
}

hipError_t vendor_starts_early(int index, int *starts_early)
{
    (void)index;
    *starts_early = 0;
    return hipSuccess;
}

static const char hip_options[] = "-w -O3 -std=c++17 -ffp-contract=off -fno-gpu-flush-denormals-to-zero "
                                  "-fhip-fp32-correctly-rounded-divide-sqrt";

void vendor_identity(char *text, size_t bytes)
{
    int major = 0, minor = 0, runtime = 0;
    hiprtcVersion(&major, &minor);
    (void)hipRuntimeGetVersion(&runtime);
    snprintf(text, bytes, "hiprtc %d.%d, runtime %d (%d) %s", major, minor, runtime, HIP_VERSION, hip_options);
}

/* Of comgr, the compiler behind hipRTC. It is loaded only when asked: it brings an LLVM into the process, which may not
   bear the one of an OpenCL driver beside it. */
/* clang-format off */
#define FOR_EACH_FUNCTION(DO) \
    DO(create_action_info) DO(action_info_set_isa_name) DO(destroy_action_info) DO(create_data) DO(set_data) \
    DO(release_data) DO(get_data_metadata) DO(metadata_lookup) DO(get_metadata_list_size) \
    DO(index_list_metadata) DO(get_metadata_string) DO(destroy_metadata)
/* clang-format on */
#define DECLARE(name) __typeof__(amd_comgr_##name) *name;
typedef struct comgr {
    FOR_EACH_FUNCTION(DECLARE)
} comgr;

typedef amd_comgr_metadata_node_t node;

/** @return 0 if it is not there: see grkan_library_error */
static int load_comgr(comgr *c)
{
    int is_whole = 1;
    grkan_library *const library = grkan_library_open("libamd_comgr.so." AS_TEXT(AMD_COMGR_INTERFACE_VERSION_MAJOR));
    if (library == NULL)
        return 0;
#define FIND(name)                                                                                                     \
    is_whole = is_whole && (c->name = (__typeof__(c->name))grkan_library_symbol(library, "amd_comgr_" #name)) != NULL;
    FOR_EACH_FUNCTION(FIND)
    return is_whole;
}

/** hipRTC ends the process for an architecture that its compiler does not know; comgr just says so. */
static grkan_status check_architecture(const char *architecture)
{
    comgr c;
    char isa[128];
    amd_comgr_action_info_t action;
    if (!load_comgr(&c))
        return gpu_host->set_error(GRKAN_ERROR_COMPILE, "no compiler for architecture \"%s\": %s", architecture,
                                   grkan_library_error());
    if (c.create_action_info(&action) != AMD_COMGR_STATUS_SUCCESS)
        return gpu_host->set_error(GRKAN_ERROR_COMPILE, "amd_comgr_create_action_info failed");
    snprintf(isa, sizeof isa, "amdgcn-amd-amdhsa--%s", architecture);
    const amd_comgr_status_t code = c.action_info_set_isa_name(action, isa);
    (void)c.destroy_action_info(action);
    if (code == AMD_COMGR_STATUS_SUCCESS)
        return GRKAN_SUCCESS;
    return gpu_host->set_error(GRKAN_ERROR_UNSUPPORTED,
                               "the installed ROCm does not compile for architecture \"%s\"; expected one that it "
                               "knows, as \"gfx90a\" or \"gfx90a:sramecc+:xnack-\"",
                               architecture);
}

grkan_status vendor_options(const grkan_backend_device *device, const grkan_compile_request *request, int with_report,
                            char *text, size_t bytes)
{
    (void)with_report;
    /* A clang needs none of ROCm: no headers, no libraries, no bundle around the code object. */
    snprintf(text, bytes, "%s--offload-arch=%s %s %s",
             request->compiler != NULL ? "-x hip --cuda-device-only -nogpuinc -nogpulib --no-gpu-bundle-output " : "",
             request->architecture, hip_options, request->definitions);
    /* The name of a device that is there is known. */
    return device != NULL || request->compiler != NULL ? GRKAN_SUCCESS : check_architecture(request->architecture);
}

/** The text of an entry; "" if there is none. */
static void read_text(const comgr *c, node map, const char *key, char *text, size_t bytes)
{
    node value;
    text[0] = '\0';
    if (c->metadata_lookup(map, key, &value) != AMD_COMGR_STATUS_SUCCESS)
        return;
    if (c->get_metadata_string(value, &bytes, text) != AMD_COMGR_STATUS_SUCCESS)
        text[0] = '\0';
    (void)c->destroy_metadata(value);
}

/** The number of an entry; -1 if there is none. */
static int32_t read_number(const comgr *c, node map, const char *key)
{
    char text[32];
    read_text(c, map, key, text, sizeof text);
    return text[0] != '\0' ? (int32_t)strtol(text, NULL, 10) : -1;
}

static void read_kernel(const comgr *c, node map, grkan_kernel_resources *kernel)
{
    const int32_t spilled = read_number(c, map, ".vgpr_spill_count"); /* scalars go to lanes of vector registers */
    *kernel = (grkan_kernel_resources){.vector_registers = read_number(c, map, ".vgpr_count"),
                                       .scalar_registers = read_number(c, map, ".sgpr_count"),
                                       .spill_bytes = spilled > 0 ? 4 * spilled : spilled,
                                       .stack_bytes = read_number(c, map, ".private_segment_fixed_size"),
                                       .shared_bytes = read_number(c, map, ".group_segment_fixed_size"),
                                       .wave_width = read_number(c, map, ".wavefront_size")};
    read_text(c, map, ".name", kernel->name, sizeof kernel->name);
}

static void read_kernels(const comgr *c, node kernels, grkan_compiler_report *report)
{
    node kernel;
    size_t count = 0;
    (void)c->get_metadata_list_size(kernels, &count);
    for (size_t i = 0; i < count && report->kernel_count < GRKAN_MOST_KERNELS; ++i) {
        if (c->index_list_metadata(kernels, i, &kernel) != AMD_COMGR_STATUS_SUCCESS)
            continue;
        read_kernel(c, kernel, &report->kernels[report->kernel_count++]);
        (void)c->destroy_metadata(kernel);
    }
}

/** From the code object's metadata; nothing if comgr does not load. */
void vendor_report(char *log, const grkan_blob *binary, grkan_compiler_report *report)
{
    comgr c;
    amd_comgr_data_t data;
    node metadata, kernels;
    (void)log;
    if (!load_comgr(&c) || c.create_data(AMD_COMGR_DATA_KIND_EXECUTABLE, &data) != AMD_COMGR_STATUS_SUCCESS)
        return;
    if (c.set_data(data, binary->bytes, binary->data) == AMD_COMGR_STATUS_SUCCESS &&
        c.get_data_metadata(data, &metadata) == AMD_COMGR_STATUS_SUCCESS) {
        if (c.metadata_lookup(metadata, "amdhsa.kernels", &kernels) == AMD_COMGR_STATUS_SUCCESS) {
            read_kernels(&c, kernels, report);
            (void)c.destroy_metadata(kernels);
        }
        (void)c.destroy_metadata(metadata);
    }
    (void)c.release_data(data);
}
