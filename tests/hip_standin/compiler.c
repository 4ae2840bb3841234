/* SPDX-License-Identifier: Apache-2.0 */
/** @file compiler.c @brief Running the host's compiler, from file to file. */
#include <fcntl.h>
#include <spawn.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "compiler.h"

extern char **environ;

int compiler_file_of(const char *text)
{
    const size_t bytes = strlen(text);
    const int file = memfd_create("standin", MFD_CLOEXEC);
    if (file >= 0 && write(file, text, bytes) == (ssize_t)bytes && lseek(file, 0, SEEK_SET) == 0)
        return file;
    if (file >= 0)
        close(file);
    return -1;
}

char *compiler_contents_of(int file, size_t room, size_t *bytes)
{
    struct stat status;
    if (fstat(file, &status) != 0)
        return NULL;
    *bytes = (size_t)status.st_size;
    char *const contents = calloc(room + *bytes + 1, 1);
    if (contents == NULL || pread(file, contents + room, *bytes, 0) != (ssize_t)*bytes) {
        free(contents);
        return NULL;
    }
    return contents;
}

bool compiler_run(const char *const *options, int input, int output, int errors)
{
    enum { most_options = 127 };
    const char *command[most_options + 1] = {HIP_STANDIN_CLANG};
    posix_spawn_file_actions_t actions;
    pid_t child = 0;
    int status = -1;
    for (int i = 0; i + 2 < most_options && options[i] != NULL; ++i)
        command[i + 1] = options[i];
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, input, STDIN_FILENO);
    posix_spawn_file_actions_adddup2(&actions, output, STDOUT_FILENO);
    posix_spawn_file_actions_adddup2(&actions, errors, STDERR_FILENO);
    const int code = posix_spawn(&child, command[0], &actions, NULL, (char *const *)(uintptr_t)command, environ);
    posix_spawn_file_actions_destroy(&actions);
    return code == 0 && waitpid(child, &status, 0) == child && WIFEXITED(status) && WEXITSTATUS(status) == 0;
}
