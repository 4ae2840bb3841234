/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file compiler_program.c
 * @brief How a compiler that is a program runs: in a folder of ours, which is gone afterwards.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "../../core/platform/platform.h"
#include "compiler_program.h"

const char compiler_source[] = "SOURCE", compiler_binary[] = "BINARY";

/** A folder of ours alone, and the files in it. */
typedef struct workplace {
    char directory[GRKAN_PATH_BYTES / 2];
    char source[GRKAN_PATH_BYTES];
    char binary[GRKAN_PATH_BYTES];
    char spirv[GRKAN_PATH_BYTES]; /* ocloc leaves it beside the binary */
    char log[GRKAN_PATH_BYTES];
} workplace;

static int make_workplace(workplace *w)
{
    if (!grkan_temporary_folder(w->directory, sizeof w->directory))
        return 0;
    snprintf(w->source, sizeof w->source, "%s/source", w->directory);
    snprintf(w->binary, sizeof w->binary, "%s/binary", w->directory);
    snprintf(w->spirv, sizeof w->spirv, "%s/binary.spv", w->directory);
    snprintf(w->log, sizeof w->log, "%s/log", w->directory);
    return 1;
}

static void remove_workplace(const workplace *w)
{
    grkan_file_remove(w->source);
    grkan_file_remove(w->binary);
    grkan_file_remove(w->spirv);
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

int compiler_split_options(char *text, const char **options, int most)
{
    char *rest = NULL;
    int count = 0;
    for (char *word = strtok_r(text, " ", &rest); word != NULL && count < most; word = strtok_r(NULL, " ", &rest))
        options[count++] = word;
    return count;
}

static grkan_status run_in(const workplace *w, const char *const *command, grkan_blob *binary, char **log)
{
    const char *arguments[COMPILER_ARGUMENTS + 1] = {NULL};
    int exit_status = -1;
    for (int i = 0; i < COMPILER_ARGUMENTS && command[i] != NULL; ++i)
        arguments[i] = command[i] == compiler_source   ? w->source
                       : command[i] == compiler_binary ? w->binary
                                                       : command[i];
    const int error = grkan_run_program(arguments, w->log, &exit_status) ? 0 : errno;
    *log = read_file(w->log).data;
    if (error != 0)
        return gpu_host->set_error(GRKAN_ERROR_COMPILE, "compiler \"%s\" does not run: %s", command[0],
                                   strerror(error));
    if (exit_status != 0)
        return gpu_host->set_error(GRKAN_ERROR_COMPILE, "compiler \"%s\" failed (%d):\n%s", command[0], exit_status,
                                   *log != NULL ? *log : "");
    *binary = read_file(w->binary);
    if (binary->data == NULL)
        return gpu_host->set_error(GRKAN_ERROR_COMPILE, "compiler \"%s\" left nothing to read: %s", command[0],
                                   strerror(errno));
    return GRKAN_SUCCESS;
}

grkan_status compiler_program_run(const char *source, const char *const *command, grkan_blob *binary, char **log)
{
    workplace w;
    grkan_status status;
    *log = NULL;
    if (!make_workplace(&w))
        return gpu_host->set_error(GRKAN_ERROR_COMPILE, "no directory %s for compiler \"%s\": %s", w.directory,
                                   command[0], strerror(errno));
    if (write_file(w.source, source))
        status = run_in(&w, command, binary, log);
    else
        status = gpu_host->set_error(GRKAN_ERROR_COMPILE, "cannot write %s: %s", w.source, strerror(errno));
    remove_workplace(&w);
    return status;
}
