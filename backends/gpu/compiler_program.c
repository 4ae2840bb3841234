/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file compiler_program.c
 * @brief A compiler that is a program of its own, for architectures that the vendor's library does not know.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "../../core/platform/platform.h"
#include "runtime.h"

/** A folder of ours alone, and the files in it. */
typedef struct workplace {
    char directory[GRKAN_PATH_BYTES / 2];
    char source[GRKAN_PATH_BYTES];
    char binary[GRKAN_PATH_BYTES];
    char log[GRKAN_PATH_BYTES];
} workplace;

static int make_workplace(workplace *w)
{
    if (!grkan_temporary_folder(w->directory, sizeof w->directory))
        return 0;
    snprintf(w->source, sizeof w->source, "%s/source", w->directory);
    snprintf(w->binary, sizeof w->binary, "%s/binary", w->directory);
    snprintf(w->log, sizeof w->log, "%s/log", w->directory);
    return 1;
}

static void remove_workplace(const workplace *w)
{
    grkan_file_remove(w->source);
    grkan_file_remove(w->binary);
    grkan_file_remove(w->log);
    grkan_remove_folder(w->directory);
}

static int write_file(const char *path, const char *text)
{
    FILE *const file = grkan_file_open(path, "w");
    if (file == NULL)
        return 0;
    const int is_written = fputs(text, file) >= 0;
    return fclose(file) == 0 && is_written;
}

/** Read a file, with a zero behind it. @return data is NULL if that fails */
static grkan_blob read_file(const char *path)
{
    grkan_blob content = {NULL, 0};
    FILE *const file = grkan_file_open(path, "rb");
    if (file == NULL)
        return content;
    if (fseek(file, 0, SEEK_END) == 0) {
        const long bytes = ftell(file);
        rewind(file);
        if (bytes >= 0 && (content.data = calloc(1, (size_t)bytes + 1)) != NULL)
            content.bytes = fread(content.data, 1, (size_t)bytes, file);
    }
    fclose(file);
    return content;
}

static grkan_status compile_in(const workplace *w, char *options, const grkan_compile_request *request,
                               grkan_blob *binary, grkan_compiler_report *report)
{
    enum { most_arguments = 64 };
    const char *arguments[most_arguments] = {request->compiler};
    int exit_status = -1, count = 1 + rtc_split_options(options, arguments + 1, most_arguments - 5);
    arguments[count++] = "-o";
    arguments[count++] = w->binary;
    arguments[count++] = w->source;
    arguments[count] = NULL;
    const int error = grkan_run_program(arguments, w->log, &exit_status) ? 0 : errno;
    const grkan_blob log = read_file(w->log);
    char none[] = "";
    char *const words = log.data != NULL ? log.data : none;
    grkan_status status = GRKAN_SUCCESS;
    if (error != 0)
        status = gpu_host->set_error(GRKAN_ERROR_COMPILE, "compiler \"%s\" does not run: %s", request->compiler,
                                     strerror(error));
    else if (exit_status != 0)
        status = gpu_host->set_error(GRKAN_ERROR_COMPILE, "compiler \"%s\" failed (%d):\n%s", request->compiler,
                                     exit_status, words);
    if (status == GRKAN_SUCCESS) {
        *binary = read_file(w->binary);
        if (binary->data == NULL)
            status = gpu_host->set_error(GRKAN_ERROR_COMPILE, "compiler \"%s\" left nothing to read: %s",
                                         request->compiler, strerror(errno));
        else if (report != NULL)
            vendor_report(words, binary, report);
    }
    free(log.data);
    return status;
}

grkan_status compiler_program_compile(const char *source, const grkan_compile_request *request, grkan_blob *binary,
                                      grkan_compiler_report *report)
{
    workplace w;
    char options[1024];
    grkan_status status = vendor_options(NULL, request, report != NULL, options, sizeof options);
    if (status != GRKAN_SUCCESS)
        return status;
    if (!make_workplace(&w))
        return gpu_host->set_error(GRKAN_ERROR_COMPILE, "no directory %s for compiler \"%s\": %s", w.directory,
                                   request->compiler, strerror(errno));
    if (write_file(w.source, source))
        status = compile_in(&w, options, request, binary, report);
    else
        status = gpu_host->set_error(GRKAN_ERROR_COMPILE, "cannot write %s: %s", w.source, strerror(errno));
    remove_workplace(&w);
    return status;
}
