/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file hiprtc.c
 * @brief hipRTC of the stand-in: a program's text becomes a shared object of the host, by clang.
 *
 * The text is preprocessed first, because a kernel is known by an attribute that a dialect's macros write. Then it is
 * compiled, with a table of its kernels behind it. Of the options, definitions and -ffp-contract mean the same on the
 * host and are passed on; the others are for the compiler of AMD GPUs and are not looked at.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

#include <hip/hiprtc.h>

#include "code.h"
#include "compiler.h"
#include "prelude.h" /* program.h and device.h as text */
#include "standin.h"

enum { most_options = 64 };

static const char magic[8] = "standin";

struct _hiprtcProgram {
    char *source;
    char *log;
    standin_code *code;
};

/* ------------------------------------------------------------------------------------------------- compiling */

/** Hash of all that is part of every program beside its text. */
static uint64_t made_with(void)
{
    static const char *const options[] = {HIP_STANDIN_CLANG, HOST_OPTIONS, NULL};
    uint64_t hash = XXH64(prelude, sizeof prelude - 1, 0);
    for (int i = 0; options[i] != NULL; ++i)
        hash = XXH64(options[i], strlen(options[i]), hash);
    return hash;
}

bool standin_code_is_ours(const standin_code *code)
{
    return memcmp(code->magic, magic, sizeof magic) == 0 && code->made_with == made_with();
}

/** The value of the last option that begins with a prefix, or what stands for it. */
static const char *option_of(int count, const char *const *options, const char *prefix, const char *otherwise)
{
    for (int i = count - 1; i >= 0; --i)
        if (strncmp(options[i], prefix, strlen(prefix)) == 0)
            return options[i] + strlen(prefix);
    return otherwise;
}

/** Threads that the attributes of a kernel allow a block, where they say it. */
static int largest_block(const char *attributes, const char *end)
{
    static const char mark[] = "annotate(\"standin_block\"";
    int least, most = standin_block_limit;
    const char *const at = strstr(attributes, mark);
    if (at != NULL && at < end)
        (void)sscanf(at + sizeof mark - 1, " , %d , %d", &least, &most);
    return most;
}

/** The preprocessed text, and behind it the table of its kernels: "annotate(...) ... void NAME(" each. */
static char *with_table(const char *text)
{
    static const char mark[] = "annotate(\"standin_kernel\")";
    char *whole = NULL;
    size_t bytes = 0;
    unsigned count = 0;
    FILE *const out = open_memstream(&whole, &bytes);
    if (out == NULL)
        return NULL;
    fprintf(out, "%s\nstatic constexpr struct standin_kernel standin_kernels[] = {\n", text);
    for (const char *at = strstr(text, mark); at != NULL; at = strstr(at + 1, mark), ++count) {
        const char *const type = strstr(at, " void");
        const char *const name = type != NULL ? type + 5 + strspn(type + 5, " \t\n") : "";
        const int length = (int)strcspn(name, " \t\n(");
        fprintf(out, "standin_entry<decltype(&%.*s), &%.*s>::described(\"%.*s\", %d),\n", length, name, length, name,
                length, name, largest_block(at, name));
    }
    fprintf(out,
            "{}};\nstruct standin_program standin_program = {{}, __start_standin_shared, __stop_standin_shared, "
            "standin_kernels, %u};\n",
            count);
    if (fclose(out) == 0)
        return whole;
    free(whole);
    return NULL;
}

/** @return the preprocessed text with its kernels' table; NULL: the log says why, or there is no memory */
static char *preprocess(const char *source, int count, const char *const *given, int log)
{
    const char *options[2 * most_options] = {HOST_OPTIONS, "-E", "-P", "-x", "c++", "-"};
    char wave[64], *text = NULL, *whole = NULL;
    size_t bytes = 0;
    int used = 0;
    while (options[used] != NULL)
        ++used;
    snprintf(wave, sizeof wave, "-D__AMDGCN_WAVEFRONT_SIZE=%d", standin_wave_width());
    options[used++] = wave;
    for (int i = 0; i < count; ++i)
        if (strncmp(given[i], "-D", 2) == 0)
            options[used++] = given[i];
    const int input = compiler_file_of(source), output = compiler_file_of("");
    if (input >= 0 && output >= 0 && compiler_run(options, input, output, log))
        text = compiler_contents_of(output, 0, &bytes);
    if (text != NULL)
        whole = with_table(text);
    free(text);
    close(input);
    close(output);
    return whole;
}

/** @return a shared object behind room for the header of a program's code; NULL: the log says why */
static standin_code *compile(const char *text, const char *contraction, int log)
{
    const char *const folder = getenv("TMPDIR");
    char path[4096], contract[64];
    char *code = NULL;
    size_t bytes = 0;
    snprintf(path, sizeof path, "%s/standin-XXXXXX", folder != NULL ? folder : "/tmp");
    snprintf(contract, sizeof contract, "-ffp-contract=%s", contraction);
    const char *const options[] = {HOST_OPTIONS, contract, "-shared", "-x", "c++", "-", "-lm", "-o", path, NULL};
    const int input = compiler_file_of(text), output = mkstemp(path);
    if (input >= 0 && output >= 0 && compiler_run(options, input, log, log)) {
        const int file = open(path, O_RDONLY | O_CLOEXEC); /* the linker made a new one */
        code = compiler_contents_of(file, sizeof(standin_code), &bytes);
        close(file);
    }
    if (code != NULL)
        ((standin_code *)code)->bytes = bytes;
    if (output >= 0)
        unlink(path);
    close(input);
    close(output);
    return (standin_code *)code;
}

static bool compile_program(hiprtcProgram program, int count, const char *const *options, int log)
{
    char *const text = preprocess(program->source, count, options, log);
    if (text != NULL)
        program->code = compile(text, option_of(count, options, "-ffp-contract=", "fast"), log);
    free(text);
    if (program->code == NULL)
        return false;
    memcpy(program->code->magic, magic, sizeof magic);
    program->code->made_with = made_with();
    snprintf(program->code->architecture, sizeof program->code->architecture, "%s",
             option_of(count, options, "--offload-arch=", standin_architecture()));
    return true;
}

/* ---------------------------------------------------------------------------------------------- entry points */

#define ENTRY_POINT_RTC(name)                                                                                          \
    do {                                                                                                               \
        const int entry_code = standin_enter(name);                                                                    \
        if (entry_code != 0)                                                                                           \
            return (hiprtcResult)entry_code;                                                                           \
    } while (0)

STANDIN_API const char *hiprtcGetErrorString(hiprtcResult result)
{
    switch (result) {
    case HIPRTC_SUCCESS:
        return "HIPRTC_SUCCESS";
    case HIPRTC_ERROR_OUT_OF_MEMORY:
        return "HIPRTC_ERROR_OUT_OF_MEMORY";
    case HIPRTC_ERROR_INVALID_PROGRAM:
        return "HIPRTC_ERROR_INVALID_PROGRAM";
    case HIPRTC_ERROR_INVALID_OPTION:
        return "HIPRTC_ERROR_INVALID_OPTION";
    case HIPRTC_ERROR_COMPILATION:
        return "HIPRTC_ERROR_COMPILATION";
    default:
        return "HIPRTC_ERROR_INTERNAL_ERROR";
    }
}

STANDIN_API hiprtcResult hiprtcVersion(int *major, int *minor)
{
    ENTRY_POINT_RTC("hiprtcVersion");
    *major = HIP_VERSION_MAJOR;
    *minor = HIP_VERSION_MINOR;
    return HIPRTC_SUCCESS;
}

STANDIN_API hiprtcResult hiprtcCreateProgram(hiprtcProgram *program, const char *source, const char *name, int headers,
                                             const char **texts, const char **names)
{
    ENTRY_POINT_RTC("hiprtcCreateProgram");
    (void)name, (void)texts, (void)names;
    hiprtcProgram made = headers == 0 ? calloc(1, sizeof *made) : NULL;
    if (made == NULL || asprintf(&made->source, "%s%s", prelude, source) < 0) {
        free(made);
        return HIPRTC_ERROR_OUT_OF_MEMORY;
    }
    standin_add(PROGRAM, made, sizeof *made, 0);
    *program = made;
    return HIPRTC_SUCCESS;
}

STANDIN_API hiprtcResult hiprtcDestroyProgram(hiprtcProgram *program)
{
    ENTRY_POINT_RTC("hiprtcDestroyProgram");
    if (!standin_remove(PROGRAM, *program))
        return HIPRTC_ERROR_INVALID_PROGRAM;
    free((*program)->source);
    free((*program)->log);
    free((*program)->code);
    free(*program);
    *program = NULL;
    return HIPRTC_SUCCESS;
}

STANDIN_API hiprtcResult hiprtcCompileProgram(hiprtcProgram program, int count, const char **options)
{
    size_t bytes = 0;
    ENTRY_POINT_RTC("hiprtcCompileProgram");
    if (standin_device_of(PROGRAM, program, 0) < 0 || program->log != NULL)
        return HIPRTC_ERROR_INVALID_PROGRAM;
    if (count > most_options)
        return HIPRTC_ERROR_INVALID_OPTION;
    const int log = compiler_file_of("");
    const bool good = log >= 0 && compile_program(program, count, options, log);
    program->log = compiler_contents_of(log, 0, &bytes);
    close(log);
    return good ? HIPRTC_SUCCESS : HIPRTC_ERROR_COMPILATION;
}

STANDIN_API hiprtcResult hiprtcGetProgramLogSize(hiprtcProgram program, size_t *bytes)
{
    ENTRY_POINT_RTC("hiprtcGetProgramLogSize");
    if (standin_device_of(PROGRAM, program, 0) < 0 || program->log == NULL)
        return HIPRTC_ERROR_INVALID_PROGRAM;
    *bytes = strlen(program->log) + 1;
    return HIPRTC_SUCCESS;
}

STANDIN_API hiprtcResult hiprtcGetProgramLog(hiprtcProgram program, char *log)
{
    ENTRY_POINT_RTC("hiprtcGetProgramLog");
    if (standin_device_of(PROGRAM, program, 0) < 0 || program->log == NULL)
        return HIPRTC_ERROR_INVALID_PROGRAM;
    strcpy(log, program->log);
    return HIPRTC_SUCCESS;
}

STANDIN_API hiprtcResult hiprtcGetCodeSize(hiprtcProgram program, size_t *bytes)
{
    ENTRY_POINT_RTC("hiprtcGetCodeSize");
    if (standin_device_of(PROGRAM, program, 0) < 0 || program->code == NULL)
        return HIPRTC_ERROR_INVALID_PROGRAM;
    *bytes = sizeof *program->code + program->code->bytes;
    return HIPRTC_SUCCESS;
}

STANDIN_API hiprtcResult hiprtcGetCode(hiprtcProgram program, char *code)
{
    ENTRY_POINT_RTC("hiprtcGetCode");
    if (standin_device_of(PROGRAM, program, 0) < 0 || program->code == NULL)
        return HIPRTC_ERROR_INVALID_PROGRAM;
    memcpy(code, program->code, sizeof *program->code + program->code->bytes);
    return HIPRTC_SUCCESS;
}
