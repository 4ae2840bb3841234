/* SPDX-License-Identifier: Apache-2.0 */
/** @file hiprtc.c @brief hipRTC: where it is found, and its options. */
#include "hip.h"

gpu_rtc rtc;

#define FUNCTION(result, name, arguments) {#name, offsetof(gpu_rtc, name), 0},
static const gpu_function functions[] = {
#include "hiprtc_functions.h"
};

static const char hip_options[] = "-w -O3 -std=c++17 -ffp-contract=off -fno-gpu-flush-denormals-to-zero "
                                  "-fhip-fp32-correctly-rounded-divide-sqrt";

static char identity[256];

/** The version of the runtime stands beside its own, since both bring a compiler. */
static int take_hiprtc(grkan_library *handle, char *version, size_t bytes, gpu_refusal *refusal)
{
    int major = 0, minor = 0;
    if (!gpu_functions_find(gpu_library_symbol, handle, functions, sizeof functions / sizeof functions[0], &rtc,
                            refusal))
        return 0;
    const hiprtcResult code = rtc.hiprtcVersion(&major, &minor);
    if (code != HIPRTC_SUCCESS) {
        snprintf(refusal->words, sizeof refusal->words, "hiprtcVersion failed (%d)", (int)code);
        return 0;
    }
    snprintf(version, bytes, "%d.%d", major, minor);
    snprintf(identity, sizeof identity, "hiprtc %s, runtime %s %s", version, vendor_driver.version, hip_options);
    return 1;
}

/** A part of the runtime before ROCm 7, a library beside it since ROCm 6. */
static const gpu_library_search search_hiprtc = {
    .label = "hipRTC",
    .stem = GRKAN_OF_SYSTEM("libhiprtc", "hiprtc"),
    .files = (const char *const[]){GRKAN_OF_SYSTEM("libhiprtc.so.7", "hiprtc0700.dll"),
                                   GRKAN_OF_SYSTEM("libhiprtc.so.6", "hiprtc0604.dll"),
                                   GRKAN_OF_SYSTEM("libhiprtc.so", "hiprtc.dll"), NULL},
    .symbol = "hiprtcVersion",
    .variable = "GRKAN_HIPRTC",
    .homes = hip_homes,
    .home_folders = hip_home_folders,
    .folders = hip_folders,
    .companion = &vendor_driver,
    .status = GRKAN_ERROR_COMPILE,
    .advice = "install ROCm 5 or later, or PyTorch for ROCm; or name the file in GRKAN_HIPRTC",
    .take = take_hiprtc,
};

gpu_library vendor_rtc = {.search = &search_hiprtc, .lock = GRKAN_LOCK_INIT};

const char *vendor_identity(void)
{
    return identity;
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
    return device != NULL || request->compiler != NULL ? GRKAN_SUCCESS : hip_check_architecture(request->architecture);
}
