/* SPDX-License-Identifier: Apache-2.0 */
/** @file rtc.c @brief The compiler of a running program: NVRTC and hipRTC, which differ in names only. */
#include <stdlib.h>
#include <string.h>

#include "runtime.h"

static grkan_status rtc_failed(const char *call, rtc(Result) code)
{
    return gpu_host->set_error(GRKAN_ERROR_COMPILE, "%s%s failed: %s", rtc_string(""), call, rtc(GetErrorString)(code));
}

static char *read_log(rtc(Program) program)
{
    size_t bytes = 0;
    char *log = NULL;
    if (rtc(GetProgramLogSize)(program, &bytes) == rtc_success && bytes > 0)
        log = calloc(1, bytes + 1);
    if (log != NULL)
        rtc(GetProgramLog)(program, log);
    return log;
}

static grkan_status compile_failed(rtc(Program) program, rtc(Result) code)
{
    char *log = read_log(program);
    const grkan_status status =
        gpu_host->set_error(GRKAN_ERROR_COMPILE, "%s failed: %s\n%s", rtc_string("CompileProgram"),
                            rtc(GetErrorString)(code), log != NULL ? log : "");
    free(log);
    return status;
}

static grkan_status read_code(rtc(Program) program, grkan_blob *binary)
{
    size_t bytes = 0;
    rtc(Result) code = rtc_get_code_size(program, &bytes);
    if (code != rtc_success)
        return rtc_failed(rtc_code "Size", code);
    char *data = malloc(bytes > 0 ? bytes : 1);
    if (data == NULL)
        return gpu_host->set_error(GRKAN_ERROR_OUT_OF_MEMORY, "no memory for a program of %zu bytes", bytes);
    code = rtc_get_code(program, data);
    if (code != rtc_success) {
        free(data);
        return rtc_failed(rtc_code, code);
    }
    *binary = (grkan_blob){data, bytes};
    return GRKAN_SUCCESS;
}

int rtc_split_options(char *text, const char **options, int most)
{
    char *rest = NULL;
    int count = 0;
    for (char *word = strtok_r(text, " ", &rest); word != NULL && count < most; word = strtok_r(NULL, " ", &rest))
        options[count++] = word;
    return count;
}

grkan_status rtc_compile(const grkan_backend_device *device, const char *source, const grkan_compile_request *request,
                         grkan_blob *binary, grkan_compiler_report *report)
{
    enum { most_options = 48 };
    const char *options[most_options];
    char text[1024];
    rtc(Program) program;
    const grkan_status known = vendor_options(device, request, report != NULL, text, sizeof text);
    if (known != GRKAN_SUCCESS)
        return known;
    const int count = rtc_split_options(text, options, most_options);
    rtc(Result) code = rtc(CreateProgram)(&program, source, "grkan", 0, NULL, NULL);
    if (code != rtc_success)
        return rtc_failed("CreateProgram", code);
    code = rtc(CompileProgram)(program, count, options);
    const grkan_status status = code == rtc_success ? read_code(program, binary) : compile_failed(program, code);
    if (status == GRKAN_SUCCESS && report != NULL) {
        char *log = read_log(program), none[] = "";
        vendor_report(log != NULL ? log : none, binary, report);
        free(log);
    }
    rtc(DestroyProgram)(&program);
    return status;
}
