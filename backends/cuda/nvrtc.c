/* SPDX-License-Identifier: Apache-2.0 */
/** @file nvrtc.c @brief NVRTC: where it is found, its options, and code for GPUs that are newer than it. */
#include <stdlib.h>
#include <string.h>

#include "../gpu/runtime.h"
#include "cuda.h"

gpu_rtc rtc;

#define FUNCTION(result, name, arguments) {#name, offsetof(gpu_rtc, name), 0},
static const gpu_function functions[] = {
#include "nvrtc_functions.h"
};

/* ----------------------------------------------------------------------------------------------------- finding it */

static const char cuda_options[] = "--fmad=false --std=c++14 --disable-warnings";

/** The assembler's first level leaves the elements of a step one after another: it suits the two banks of registers. Where
    threads wait for each other, the second gains 2 to 6 % by mixing them (H200). */
static const char *const levels[] = {"--ptxas-options=-O1", "--ptxas-options=-O2"};

static int nvrtc_major;
static int oldest, newest; /* architectures that it makes machine code for: 90 is sm_90; 0: not told */
static char identity[128];

/** The library that NVRTC itself opens by name, from beside it: nobody else may know that folder. */
static void open_builtins(grkan_library *handle, int major, int minor)
{
    char folder[GRKAN_PATH_BYTES], path[GRKAN_PATH_BYTES];
    if (!grkan_library_folder(grkan_library_symbol(handle, "nvrtcVersion"), folder, sizeof folder))
        return;
    const int written =
        snprintf(path, sizeof path, "%s/" GRKAN_OF_SYSTEM("libnvrtc-builtins.so.%d.%d", "nvrtc-builtins64_%d%d.dll"),
                 folder, major, minor);
    if (written > 0 && (size_t)written < sizeof path && grkan_is_file(path))
        (void)grkan_library_open(path);
}

static void find_architectures(void)
{
    int count = 0;
    oldest = newest = 0;
    if (rtc.nvrtcGetNumSupportedArchs(&count) != NVRTC_SUCCESS || count <= 0)
        return;
    int *const all = calloc((size_t)count, sizeof *all);
    if (all != NULL && rtc.nvrtcGetSupportedArchs(all) == NVRTC_SUCCESS) {
        oldest = newest = all[0];
        for (int i = 1; i < count; ++i) {
            oldest = all[i] < oldest ? all[i] : oldest;
            newest = all[i] > newest ? all[i] : newest;
        }
    }
    free(all);
}

static int take_nvrtc(grkan_library *handle, char *version, size_t bytes, gpu_refusal *refusal)
{
    int major = 0, minor = 0;
    if (!gpu_functions_find(gpu_library_symbol, handle, functions, sizeof functions / sizeof functions[0], &rtc,
                            refusal))
        return 0;
    const nvrtcResult code = rtc.nvrtcVersion(&major, &minor);
    if (code != NVRTC_SUCCESS || major < 12) {
        snprintf(refusal->words, sizeof refusal->words, "nvrtcVersion gives %d.%d (%d)", major, minor, (int)code);
        return 0;
    }
    const int driver_major = cuda_driver_version() / 1000;
    if (driver_major > 0 && major > driver_major) {
        snprintf(refusal->words, sizeof refusal->words, "NVRTC %d.%d makes code that a driver of CUDA %d does not take",
                 major, minor, driver_major);
        return 0;
    }
    open_builtins(handle, major, minor);
    nvrtc_major = major;
    find_architectures();
    snprintf(version, bytes, "%d.%d", major, minor);
    snprintf(identity, sizeof identity, "nvrtc %s %s %s %s", version, cuda_options, levels[0], levels[1]);
    return 1;
}

static const gpu_library_search search_nvrtc = {
    .label = "NVRTC",
    .stem = GRKAN_OF_SYSTEM("libnvrtc", "nvrtc64"),
    .files = (const char *const[]){GRKAN_OF_SYSTEM("libnvrtc.so.13", "nvrtc64_130_0.dll"),
                                   GRKAN_OF_SYSTEM("libnvrtc.so.12", "nvrtc64_120_0.dll"), NULL},
    .symbol = "nvrtcVersion",
    .variable = "GRKAN_NVRTC",
    .homes = (const char *const[]){"CUDA_PATH", "CUDA_HOME", NULL},
    .home_folders = (const char *const[]){GRKAN_OF_SYSTEM("/lib64", "/bin/x64"), GRKAN_OF_SYSTEM("/lib", "/bin"), NULL},
    .folders = (const char *const[]){"/usr/local/cuda/lib64", "/opt/cuda/lib64", NULL},
    .status = GRKAN_ERROR_COMPILE,
    .advice =
        "expected NVRTC of CUDA 12 or 13, no newer than the driver: with Python, install nvidia-cuda-nvrtc (13) or "
        "nvidia-cuda-nvrtc-cu12; or name the file in GRKAN_NVRTC",
    .take = take_nvrtc,
};

gpu_library vendor_rtc = {.search = &search_nvrtc, .lock = GRKAN_LOCK_INIT};

const char *vendor_identity(void)
{
    return identity;
}

/* --------------------------------------------------------------------------------------------------- compiling */

/** What makes the assembler say what it made. NVRTC 13 keeps what it compiled, and says nothing the second time. */
static const char *report_options(int is_nvrtc)
{
    return is_nvrtc && nvrtc_major >= 13 ? " --ptxas-options=-v --no-cache" : " --ptxas-options=-v";
}

/** The number of an architecture; 0 if it has another kind of name. */
static int number_of(const char *architecture)
{
    return strncmp(architecture, "sm_", 3) == 0 ? (int)strtol(architecture + 3, NULL, 10) : 0;
}

grkan_status vendor_options(const grkan_backend_device *device, const grkan_compile_request *request, int with_report,
                            char *text, size_t bytes)
{
    const int is_nvrtc = request->compiler == NULL;
    const int number = is_nvrtc && device != NULL && newest > 0 ? number_of(request->architecture) : 0;
    char virtual_newest[32] = "";
    if (number > newest)
        snprintf(virtual_newest, sizeof virtual_newest, "compute_%d", newest);
    if (number > 0 && number < oldest)
        return gpu_host->set_error(
            GRKAN_ERROR_COMPILE,
            "%s makes no code for %s: NVRTC %s begins with sm_%d; name an older one in GRKAN_NVRTC, "
            "as of the package nvidia-cuda-nvrtc-cu12",
            vendor_rtc.path, request->architecture, vendor_rtc.version, oldest);
    snprintf(text, bytes, "%s--gpu-architecture=%s %s %s %s%s", is_nvrtc ? "" : "-x cu -cubin ",
             virtual_newest[0] != '\0' ? virtual_newest : request->architecture, cuda_options,
             levels[request->has_norm], request->definitions, with_report ? report_options(is_nvrtc) : "");
    return GRKAN_SUCCESS;
}
