/* SPDX-License-Identifier: Apache-2.0 */
/** @file outside.c @brief A compiler that is a program of its own, for architectures that the runtime's does not know. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "runtime.h"

extern char **environ;

/** A directory of ours alone, and the files in it. */
typedef struct workplace {
    char directory[PATH_MAX / 2];
    char source[PATH_MAX];
    char binary[PATH_MAX];
    char log[PATH_MAX];
} workplace;

static int make_workplace(workplace *w)
{
    const char *const parent = getenv("TMPDIR");
    snprintf(w->directory, sizeof w->directory, "%s/grkan-XXXXXX", parent != NULL && *parent != '\0' ? parent : "/tmp");
    if (mkdtemp(w->directory) == NULL)
        return 0;
    snprintf(w->source, sizeof w->source, "%s/source", w->directory);
    snprintf(w->binary, sizeof w->binary, "%s/binary", w->directory);
    snprintf(w->log, sizeof w->log, "%s/log", w->directory);
    return 1;
}

static void remove_workplace(const workplace *w)
{
    (void)unlink(w->source);
    (void)unlink(w->binary);
    (void)unlink(w->log);
    (void)rmdir(w->directory);
}

static int write_file(const char *path, const char *text)
{
    FILE *const file = fopen(path, "w");
    if (file == NULL)
        return 0;
    const int is_written = fputs(text, file) >= 0;
    return fclose(file) == 0 && is_written;
}

/** Read a file, with a zero behind it. @return data is NULL if that fails */
static grkan_blob read_file(const char *path)
{
    grkan_blob content = {NULL, 0};
    FILE *const file = fopen(path, "rb");
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

/** Run a program whose words go to the log. @return its exit status, -1 if it did not run or end by itself */
static int run(const char **arguments, const char *log, int *error)
{
    posix_spawn_file_actions_t actions;
    pid_t child;
    int status = 0;
    *error = posix_spawn_file_actions_init(&actions);
    if (*error != 0)
        return -1;
    *error = posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
    if (*error == 0)
        *error = posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, log, O_WRONLY | O_CREAT, 0600);
    if (*error == 0)
        *error = posix_spawn_file_actions_adddup2(&actions, STDOUT_FILENO, STDERR_FILENO);
    if (*error == 0)
        *error = posix_spawnp(&child, arguments[0], &actions, NULL, (char *const *)arguments, environ);
    (void)posix_spawn_file_actions_destroy(&actions);
    if (*error != 0)
        return -1;
    while (waitpid(child, &status, 0) < 0)
        if (errno != EINTR)
            return -1;
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static grkan_status compile_in(const workplace *w, char *options, const grkan_compile_request *request,
                               grkan_blob *binary, grkan_compiler_report *report)
{
    enum { most_arguments = 64 };
    const char *arguments[most_arguments] = {request->compiler};
    int error = 0, count = 1 + rtc_split_options(options, arguments + 1, most_arguments - 5);
    arguments[count++] = "-o";
    arguments[count++] = w->binary;
    arguments[count++] = w->source;
    const int exit_status = run(arguments, w->log, &error);
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

grkan_status outside_compile(const char *source, const grkan_compile_request *request, grkan_blob *binary,
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
