/* SPDX-License-Identifier: Apache-2.0 */
/** @file cuda.c @brief What CUDA does its own way: NVRTC, and the driver's functions. */
#include <nvrtc.h>
#include <stdlib.h>
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

static grkan_status nvrtc_failed(const char *call, nvrtcResult code)
{
    return gpu_host->set_error(GRKAN_ERROR_COMPILE, "%s failed: %s", call, nvrtcGetErrorString(code));
}

static char *read_log(nvrtcProgram program)
{
    size_t bytes = 0;
    char *log = NULL;
    if (nvrtcGetProgramLogSize(program, &bytes) == NVRTC_SUCCESS && bytes > 0)
        log = calloc(1, bytes + 1);
    if (log != NULL)
        nvrtcGetProgramLog(program, log);
    return log;
}

static grkan_status compile_failed(nvrtcProgram program, nvrtcResult code)
{
    char *log = read_log(program);
    const grkan_status status = gpu_host->set_error(GRKAN_ERROR_COMPILE, "nvrtcCompileProgram failed: %s\n%s",
                                                    nvrtcGetErrorString(code), log != NULL ? log : "");
    free(log);
    return status;
}

static grkan_status read_cubin(nvrtcProgram program, grkan_blob *binary)
{
    size_t bytes = 0;
    nvrtcResult code = nvrtcGetCUBINSize(program, &bytes);
    if (code != NVRTC_SUCCESS)
        return nvrtc_failed("nvrtcGetCUBINSize", code);
    char *data = malloc(bytes > 0 ? bytes : 1);
    if (data == NULL)
        return gpu_host->set_error(GRKAN_ERROR_OUT_OF_MEMORY, "no memory for a program of %zu bytes", bytes);
    code = nvrtcGetCUBIN(program, data);
    if (code != NVRTC_SUCCESS) {
        free(data);
        return nvrtc_failed("nvrtcGetCUBIN", code);
    }
    *binary = (grkan_blob){data, bytes};
    return GRKAN_SUCCESS;
}

/** Split "-DA=1 -DB=2" at its spaces. @return how many */
static int split_options(char *text, const char **options, int most)
{
    char *rest = NULL;
    int count = 0;
    for (char *word = strtok_r(text, " ", &rest); word != NULL && count < most; word = strtok_r(NULL, " ", &rest))
        options[count++] = word;
    return count;
}

grkan_status vendor_compile(const char *source, const grkan_compile_request *request, grkan_blob *binary,
                            grkan_blob *report)
{
    enum { most_options = 48 };
    const char *options[most_options];
    char text[1024];
    nvrtcProgram program;
    snprintf(text, sizeof text, "--gpu-architecture=%s --fmad=false --std=c++14 --disable-warnings %s%s",
             request->architecture, request->definitions, report != NULL ? " --ptxas-options=-v" : "");
    const int count = split_options(text, options, most_options);
    nvrtcResult code = nvrtcCreateProgram(&program, source, "grkan.cu", 0, NULL, NULL);
    if (code != NVRTC_SUCCESS)
        return nvrtc_failed("nvrtcCreateProgram", code);
    code = nvrtcCompileProgram(program, count, options);
    const grkan_status status = code == NVRTC_SUCCESS ? read_cubin(program, binary) : compile_failed(program, code);
    if (status == GRKAN_SUCCESS && report != NULL) {
        char *log = read_log(program);
        *report = (grkan_blob){log, log != NULL ? strlen(log) : 0};
    }
    nvrtcDestroyProgram(&program);
    return status;
}
