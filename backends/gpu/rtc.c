/* SPDX-License-Identifier: Apache-2.0 */
/** @file rtc.c @brief The compiler of a running program: NVRTC and hipRTC, which differ in names only. */
#include <stdlib.h>
#include <string.h>

#include "compiler_program.h"
#include "calls.h"

static grkan_status rtc_failed(const char *call, nvrtcResult code)
{
    return gpu_host->set_error(GRKAN_ERROR_COMPILE, "%s failed: %s", call, rtc.nvrtcGetErrorString(code));
}

static char *read_log(nvrtcProgram program)
{
    size_t bytes = 0;
    char *log = NULL;
    if (rtc.nvrtcGetProgramLogSize(program, &bytes) == NVRTC_SUCCESS && bytes > 0)
        log = calloc(1, bytes + 1);
    if (log != NULL)
        (void)rtc.nvrtcGetProgramLog(program, log);
    return log;
}

static grkan_status compile_failed(nvrtcProgram program, nvrtcResult code)
{
    char *log = read_log(program);
    const grkan_status status =
        gpu_host->set_error(GRKAN_ERROR_COMPILE, "%s failed: %s\n%s", NAME_OF(nvrtcCompileProgram),
                            rtc.nvrtcGetErrorString(code), log != NULL ? log : "");
    free(log);
    return status;
}

/** Machine code; where none was made, PTX, which the driver assembles. */
static grkan_status read_code(nvrtcProgram program, grkan_blob *binary)
{
    size_t bytes = 0;
    nvrtcResult code = rtc.nvrtcGetCUBINSize(program, &bytes);
    if (code != NVRTC_SUCCESS)
        return rtc_failed(NAME_OF(nvrtcGetCUBINSize), code);
    const int is_ptx = bytes == 0;
    if (is_ptx && (code = rtc.nvrtcGetPTXSize(program, &bytes)) != NVRTC_SUCCESS)
        return rtc_failed(NAME_OF(nvrtcGetPTXSize), code);
    char *data = malloc(bytes > 0 ? bytes : 1);
    if (data == NULL)
        return gpu_host->set_error(GRKAN_ERROR_OUT_OF_MEMORY, "no memory for a program of %zu bytes", bytes);
    code = is_ptx ? rtc.nvrtcGetPTX(program, data) : rtc.nvrtcGetCUBIN(program, data);
    if (code != NVRTC_SUCCESS) {
        free(data);
        return rtc_failed(is_ptx ? NAME_OF(nvrtcGetPTX) : NAME_OF(nvrtcGetCUBIN), code);
    }
    *binary = (grkan_blob){data, bytes};
    return GRKAN_SUCCESS;
}

grkan_status rtc_compile(const grkan_backend_device *device, const char *source, const grkan_compile_request *request,
                         grkan_blob *binary, grkan_compiler_report *report)
{
    enum { most_options = 48 };
    const char *options[most_options];
    char text[1024];
    nvrtcProgram program;
    grkan_status status = gpu_library_find(&vendor_rtc);
    if (status == GRKAN_SUCCESS)
        status = vendor_options(device, request, report != NULL, text, sizeof text);
    if (status != GRKAN_SUCCESS)
        return status;
    const int count = compiler_split_options(text, options, most_options);
    nvrtcResult code = rtc.nvrtcCreateProgram(&program, source, "grkan", 0, NULL, NULL);
    if (code != NVRTC_SUCCESS)
        return rtc_failed(NAME_OF(nvrtcCreateProgram), code);
    code = rtc.nvrtcCompileProgram(program, count, options);
    status = code == NVRTC_SUCCESS ? read_code(program, binary) : compile_failed(program, code);
    if (status == GRKAN_SUCCESS && report != NULL) {
        char *log = read_log(program), none[] = "";
        vendor_report(log != NULL ? log : none, binary, report);
        free(log);
    }
    (void)rtc.nvrtcDestroyProgram(&program);
    return status;
}
