/* SPDX-License-Identifier: Apache-2.0 */
/** @file hip.c @brief What HIP does its own way: the architectures that hipRTC's compiler knows, and its options. */
#include <amd_comgr.h>
#include <dlfcn.h>

#include "../gpu/runtime.h"

#define TEXT(word) #word
#define AS_TEXT(macro) TEXT(macro)

const uint64_t vendor_shared_bytes = 64 << 10;

/** Declare and find a function of comgr, NULL if it is not there. */
#define COMGR(library, name)                                                                                           \
    __typeof__(amd_comgr_##name) *const name = (__typeof__(name))dlsym(library, "amd_comgr_" #name)

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

/** hipRTC ends the process when its compiler, comgr, does not know an architecture; comgr itself just says so. */
static grkan_status check_architecture(const char *architecture)
{
    char isa[128];
    amd_comgr_action_info_t action;
    void *const comgr = dlopen("libamd_comgr.so." AS_TEXT(AMD_COMGR_INTERFACE_VERSION_MAJOR), RTLD_NOW | RTLD_NODELETE);
    if (comgr == NULL)
        return gpu_host->set_error(GRKAN_ERROR_COMPILE, "no compiler for architecture \"%s\": %s", architecture,
                                   dlerror());
    COMGR(comgr, create_action_info);
    COMGR(comgr, action_info_set_isa_name);
    COMGR(comgr, destroy_action_info);
    dlclose(comgr);
    snprintf(isa, sizeof isa, "amdgcn-amd-amdhsa--%s", architecture);
    amd_comgr_status_t code = create_action_info == NULL ? AMD_COMGR_STATUS_ERROR : create_action_info(&action);
    if (code == AMD_COMGR_STATUS_SUCCESS) {
        code = action_info_set_isa_name(action, isa);
        (void)destroy_action_info(action);
    }
    return code == AMD_COMGR_STATUS_SUCCESS
               ? GRKAN_SUCCESS
               : gpu_host->set_error(
                     GRKAN_ERROR_UNSUPPORTED,
                     "the installed ROCm does not compile for architecture \"%s\"; expected one that it "
                     "knows, as \"gfx90a\" or \"gfx90a:sramecc+:xnack-\"",
                     architecture);
}

grkan_status vendor_options(const grkan_backend_device *device, const grkan_compile_request *request, int with_report,
                            char *text, size_t bytes)
{
    (void)with_report;
    snprintf(text, bytes,
             "--offload-arch=%s -w -O3 -std=c++17 -ffp-contract=off -fno-gpu-flush-denormals-to-zero "
             "-fhip-fp32-correctly-rounded-divide-sqrt %s",
             request->architecture, request->definitions);
    /* What a device of this ROCm calls itself is known; so comgr, and the LLVM in it, need not be loaded here. */
    return device != NULL ? GRKAN_SUCCESS : check_architecture(request->architecture);
}

void vendor_report(char *log, const grkan_blob *binary, grkan_compiler_report *report)
{
    (void)log;
    (void)binary;
    (void)report;
}
