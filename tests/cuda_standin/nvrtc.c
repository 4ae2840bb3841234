/* SPDX-License-Identifier: Apache-2.0 */
/** @file nvrtc.c @brief The stand-in's NVRTC: code that says what it was compiled for, and nothing else. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "standin.h"

enum { out_of_memory = 1, invalid_program = 4, invalid_option = 5, compilation_failed = 6 };

struct _nvrtcProgram {
    char machine_code[64], ptx[64], log[128];
    int is_compiled;
};

#define FUNCTION(result, name, arguments) STANDIN_API result name arguments;
#include "../../backends/cuda/nvrtc_functions.h"

#define ENTRY_POINT_RTC(name)                                                                                          \
    do {                                                                                                               \
        const int entry_code = standin_enter(name);                                                                    \
        if (entry_code != 0)                                                                                           \
            return (nvrtcResult)entry_code;                                                                            \
    } while (0)

static const int architectures[] = {75, 80, 90};

enum { architecture_count = sizeof architectures / sizeof architectures[0] };

STANDIN_API nvrtcResult nvrtcVersion(int *major, int *minor)
{
    ENTRY_POINT_RTC("nvrtcVersion");
    const char *const text = getenv("NVRTC_STANDIN_VERSION");
    const int version = text != NULL ? atoi(text) : 124;
    *major = version / 10;
    *minor = version % 10;
    return NVRTC_SUCCESS;
}

STANDIN_API const char *nvrtcGetErrorString(nvrtcResult code)
{
    switch ((int)code) {
    case NVRTC_SUCCESS:
        return "NVRTC_SUCCESS";
    case out_of_memory:
        return "NVRTC_ERROR_OUT_OF_MEMORY";
    case invalid_program:
        return "NVRTC_ERROR_INVALID_PROGRAM";
    case invalid_option:
        return "NVRTC_ERROR_INVALID_OPTION";
    case compilation_failed:
        return "NVRTC_ERROR_COMPILATION";
    default:
        return "NVRTC_ERROR_INTERNAL_ERROR";
    }
}

STANDIN_API nvrtcResult nvrtcGetNumSupportedArchs(int *count)
{
    ENTRY_POINT_RTC("nvrtcGetNumSupportedArchs");
    *count = architecture_count;
    return NVRTC_SUCCESS;
}

STANDIN_API nvrtcResult nvrtcGetSupportedArchs(int *all)
{
    ENTRY_POINT_RTC("nvrtcGetSupportedArchs");
    memcpy(all, architectures, sizeof architectures);
    return NVRTC_SUCCESS;
}

STANDIN_API nvrtcResult nvrtcCreateProgram(nvrtcProgram *program, const char *source, const char *name,
                                           int header_count, const char *const *headers,
                                           const char *const *header_names)
{
    ENTRY_POINT_RTC("nvrtcCreateProgram");
    (void)name, (void)headers, (void)header_names;
    nvrtcProgram made = header_count == 0 && source[0] != '\0' ? calloc(1, sizeof *made) : NULL;
    if (made == NULL)
        return (nvrtcResult)out_of_memory;
    standin_add(PROGRAM, made, sizeof *made, 0);
    *program = made;
    return NVRTC_SUCCESS;
}

STANDIN_API nvrtcResult nvrtcDestroyProgram(nvrtcProgram *program)
{
    ENTRY_POINT_RTC("nvrtcDestroyProgram");
    if (!standin_remove(PROGRAM, *program))
        return (nvrtcResult)invalid_program;
    free(*program);
    *program = NULL;
    return NVRTC_SUCCESS;
}

static int is_known(int architecture)
{
    for (int i = 0; i < architecture_count; ++i)
        if (architectures[i] == architecture)
            return 1;
    return 0;
}

STANDIN_API nvrtcResult nvrtcCompileProgram(nvrtcProgram program, int count, const char *const *options)
{
    static const char option[] = "--gpu-architecture=";
    const char *wanted = "";
    int number = 0;
    ENTRY_POINT_RTC("nvrtcCompileProgram");
    if (standin_device_of(PROGRAM, program, 0) < 0)
        return (nvrtcResult)invalid_program;
    for (int i = 0; i < count; ++i)
        if (strncmp(options[i], option, sizeof option - 1) == 0)
            wanted = options[i] + sizeof option - 1;
    const int is_real = sscanf(wanted, "sm_%d", &number) == 1;
    if ((!is_real && sscanf(wanted, "compute_%d", &number) != 1) || !is_known(number)) {
        snprintf(program->log, sizeof program->log, "invalid value for --gpu-architecture: %s", wanted);
        return (nvrtcResult)invalid_option;
    }
    if (is_real)
        snprintf(program->machine_code, sizeof program->machine_code, "\177ELF sm_%d", number);
    snprintf(program->ptx, sizeof program->ptx, "// of the stand-in\n.target sm_%d\n", number);
    program->is_compiled = 1;
    return NVRTC_SUCCESS;
}

/** What a program has of something that is a text: its bytes, or a copy. */
static nvrtcResult tell(nvrtcProgram program, const char *text, size_t *bytes, char *copy)
{
    if (standin_device_of(PROGRAM, program, 0) < 0)
        return (nvrtcResult)invalid_program;
    if (bytes != NULL)
        *bytes = text[0] != '\0' ? strlen(text) + 1 : 0;
    if (copy != NULL && text[0] != '\0')
        memcpy(copy, text, strlen(text) + 1);
    return NVRTC_SUCCESS;
}

STANDIN_API nvrtcResult nvrtcGetProgramLogSize(nvrtcProgram program, size_t *bytes)
{
    ENTRY_POINT_RTC("nvrtcGetProgramLogSize");
    return tell(program, program->log, bytes, NULL);
}

STANDIN_API nvrtcResult nvrtcGetProgramLog(nvrtcProgram program, char *log)
{
    ENTRY_POINT_RTC("nvrtcGetProgramLog");
    return tell(program, program->log, NULL, log);
}

STANDIN_API nvrtcResult nvrtcGetCUBINSize(nvrtcProgram program, size_t *bytes)
{
    ENTRY_POINT_RTC("nvrtcGetCUBINSize");
    return tell(program, program->machine_code, bytes, NULL);
}

STANDIN_API nvrtcResult nvrtcGetCUBIN(nvrtcProgram program, char *code)
{
    ENTRY_POINT_RTC("nvrtcGetCUBIN");
    return tell(program, program->machine_code, NULL, code);
}

STANDIN_API nvrtcResult nvrtcGetPTXSize(nvrtcProgram program, size_t *bytes)
{
    ENTRY_POINT_RTC("nvrtcGetPTXSize");
    return tell(program, program->ptx, bytes, NULL);
}

STANDIN_API nvrtcResult nvrtcGetPTX(nvrtcProgram program, char *code)
{
    ENTRY_POINT_RTC("nvrtcGetPTX");
    return tell(program, program->ptx, NULL, code);
}
