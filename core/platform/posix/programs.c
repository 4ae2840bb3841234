/* SPDX-License-Identifier: Apache-2.0 */
/** @file programs.c @brief Programs that are run, and folders for their files, on POSIX systems. */
#include "../platform.h"

#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

void grkan_program_begin(int *argc, char ***argv)
{
    (void)argc;
    (void)argv;
    /* A standard stream that was closed, so that no file which is opened gets its number. To use it fails as before. */
    for (int number = STDIN_FILENO; number <= STDERR_FILENO; number++)
        if (fcntl(number, F_GETFD) < 0)
            (void)open("/dev/null", number == STDIN_FILENO ? O_WRONLY : O_RDONLY);
}

bool grkan_is_terminal(FILE *stream)
{
    return isatty(fileno(stream)) != 0;
}

bool grkan_temporary_folder(char *path, size_t bytes)
{
    const char *const parent = getenv("TMPDIR");
    (void)snprintf(path, bytes, "%s/grkan-XXXXXX", parent != NULL && *parent != '\0' ? parent : "/tmp");
    return mkdtemp(path) != NULL;
}

void grkan_remove_folder(const char *path)
{
    (void)rmdir(path);
}

/** @return 0, or the reason */
static int start(const char *const arguments[], const char *log, pid_t *child)
{
    posix_spawn_file_actions_t actions;
    int error = posix_spawn_file_actions_init(&actions);
    if (error != 0)
        return error;
    error = posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
    if (error == 0)
        error = posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, log, O_WRONLY | O_CREAT, 0600);
    if (error == 0)
        error = posix_spawn_file_actions_adddup2(&actions, STDOUT_FILENO, STDERR_FILENO);
    if (error == 0)
        error = posix_spawnp(child, arguments[0], &actions, NULL, (char *const *)arguments, environ);
    (void)posix_spawn_file_actions_destroy(&actions);
    return error;
}

bool grkan_run_program(const char *const arguments[], const char *log, int *exit_status)
{
    pid_t child;
    int status = 0;
    *exit_status = -1;
    errno = start(arguments, log, &child);
    if (errno != 0)
        return false;
    while (waitpid(child, &status, 0) < 0)
        if (errno != EINTR)
            return true;
    if (WIFEXITED(status))
        *exit_status = WEXITSTATUS(status);
    return true;
}
