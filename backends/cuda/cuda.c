/* SPDX-License-Identifier: Apache-2.0 */
/** @file cuda.c @brief What CUDA does its own way: the driver's functions, and the options of NVRTC. */
#include <stdlib.h>
#include <string.h>

#include "../gpu/runtime.h"

struct cuda_driver cuda_driver;
const uint64_t vendor_shared_bytes = 48 << 10;

/** A function of the driver by name, as it was in CUDA 12.0. */
static grkan_status find_driver_function(const char *name, void *function)
{
    enum cudaDriverEntryPointQueryResult found = cudaDriverEntryPointSymbolNotFound;
    void *address = NULL;
#if CUDART_VERSION >= 12050
    const cudaError_t code = cudaGetDriverEntryPointByVersion(name, &address, 12000, cudaEnableDefault, &found);
#else
    const cudaError_t code = cudaGetDriverEntryPoint(name, &address, cudaEnableDefault, &found);
#endif
    if (code != cudaSuccess || found != cudaDriverEntryPointSuccess || address == NULL)
        return gpu_host->set_error(GRKAN_ERROR_DEVICE, "the CUDA driver has no %s; expected CUDA 12.0 or later", name);
    memcpy(function, &address, sizeof address);
    return GRKAN_SUCCESS;
}

grkan_status vendor_start(void)
{
    const struct {
        const char *name;
        void *function;
    } wanted[] = {{"cuModuleLoadData", &cuda_driver.ModuleLoadData},
                  {"cuModuleUnload", &cuda_driver.ModuleUnload},
                  {"cuModuleGetFunction", &cuda_driver.ModuleGetFunction},
                  {"cuLaunchKernelEx", &cuda_driver.LaunchKernelEx}};
    grkan_status status = GRKAN_SUCCESS;
    for (size_t i = 0; status == GRKAN_SUCCESS && i < sizeof wanted / sizeof wanted[0]; ++i)
        status = find_driver_function(wanted[i].name, wanted[i].function);
    return status;
}

/** Since sm_90; graphs know of it since CUDA 12.3. */
cudaError_t vendor_starts_early(int index, int *starts_early)
{
    int major = 0, driver = 0;
    cudaError_t code = cudaDeviceGetAttribute(&major, cudaDevAttrComputeCapabilityMajor, index);
    if (code == cudaSuccess)
        code = cudaDriverGetVersion(&driver);
    *starts_early = code == cudaSuccess && major >= 9 && driver >= 12030;
    return code;
}

/** The assembler's first level leaves the elements of a step one after another, which suits the two banks of registers. */
static const char cuda_options[] = "--fmad=false --std=c++14 --disable-warnings --ptxas-options=-O1";

/** NVRTC makes machine code, so the driver's version does not matter. */
void vendor_identity(char *text, size_t bytes)
{
    int major = 0, minor = 0;
    nvrtcVersion(&major, &minor);
    snprintf(text, bytes, "nvrtc %d.%d (%d) %s", major, minor, CUDART_VERSION, cuda_options);
}

/** What makes the assembler say what it made. NVRTC 13 keeps what it compiled, and says nothing the second time. */
static const char *report_options(int is_nvrtc)
{
    int major = 0, minor = 0;
    nvrtcVersion(&major, &minor);
    return is_nvrtc && major >= 13 ? " --ptxas-options=-v --no-cache" : " --ptxas-options=-v";
}

grkan_status vendor_options(const grkan_backend_device *device, const grkan_compile_request *request, int with_report,
                            char *text, size_t bytes)
{
    (void)device;
    const int is_nvrtc = request->compiler == NULL;
    snprintf(text, bytes, "%s--gpu-architecture=%s %s %s%s", is_nvrtc ? "" : "-x cu -cubin ", request->architecture,
             cuda_options, request->definitions, with_report ? report_options(is_nvrtc) : "");
    return GRKAN_SUCCESS;
}

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
