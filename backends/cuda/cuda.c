/* SPDX-License-Identifier: Apache-2.0 */
/** @file cuda.c @brief What CUDA does its own way: the driver's functions, and the options of NVRTC. */
#include <string.h>

#include "../gpu/runtime.h"

struct cuda_driver cuda_driver;

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
                  {"cuLaunchKernel", &cuda_driver.LaunchKernel}};
    grkan_status status = GRKAN_SUCCESS;
    for (size_t i = 0; status == GRKAN_SUCCESS && i < sizeof wanted / sizeof wanted[0]; ++i)
        status = find_driver_function(wanted[i].name, wanted[i].function);
    return status;
}

/** NVRTC makes machine code, so the driver's version does not matter. */
void vendor_identity(char *text, size_t bytes)
{
    int major = 0, minor = 0;
    nvrtcVersion(&major, &minor);
    snprintf(text, bytes, "nvrtc %d.%d (%d)", major, minor, CUDART_VERSION);
}

grkan_status vendor_options(const grkan_compile_request *request, int with_report, char *text, size_t bytes)
{
    snprintf(text, bytes, "--gpu-architecture=%s --fmad=false --std=c++14 --disable-warnings %s%s",
             request->architecture, request->definitions, with_report ? " --ptxas-options=-v" : "");
    return GRKAN_SUCCESS;
}
