/* SPDX-License-Identifier: Apache-2.0 */
/** @file hip.c @brief What HIP does its own way: the options of its compilers, and where reports come from. */
#include "comgr.h"

const uint64_t vendor_shared_bytes = 64 << 10;

/** HIP's modules come with its runtime. */
grkan_status vendor_start(void)
{
    return GRKAN_SUCCESS;
}

void vendor_identity(char *text, size_t bytes)
{
    int major = 0, minor = 0, runtime = 0;
    hiprtcVersion(&major, &minor);
    (void)hipRuntimeGetVersion(&runtime);
    snprintf(text, bytes, "hiprtc %d.%d, runtime %d (%d)", major, minor, runtime, HIP_VERSION);
}

grkan_status vendor_options(const grkan_backend_device *device, const grkan_compile_request *request, int with_report,
                            char *text, size_t bytes)
{
    (void)with_report;
    /* A clang needs none of ROCm: no headers, no libraries, no bundle around the code object. */
    snprintf(text, bytes,
             "%s--offload-arch=%s -w -O3 -std=c++17 -ffp-contract=off -fno-gpu-flush-denormals-to-zero "
             "-fhip-fp32-correctly-rounded-divide-sqrt %s",
             request->compiler != NULL ? "-x hip --cuda-device-only -nogpuinc -nogpulib --no-gpu-bundle-output " : "",
             request->architecture, request->definitions);
    /* hipRTC ends the process for an architecture that its compiler does not know. A device's own it does know. */
    return device != NULL || request->compiler != NULL ? GRKAN_SUCCESS
                                                       : comgr_check_architecture(request->architecture);
}

void vendor_report(char *log, const grkan_blob *binary, grkan_compiler_report *report)
{
    (void)log;
    comgr_report(binary, report);
}
