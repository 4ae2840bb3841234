/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file helpers.c
 * @brief Processes beside a program's own, on POSIX systems.
 *
 * Numbers go through a pipe, from which whoever is free reads the next one. It ends when its only writer does, in whichever way.
 */
#include "../platform.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

struct grkan_helpers {
    int ends[2]; /* of the pipe: both, so that a number for nobody is no signal that ends this process */
    int count;
    pid_t processes[];
};

/** What is printed there from now on goes nowhere. */
static bool silence(void)
{
    const int nowhere = open("/dev/null", O_RDWR);
    return nowhere >= 0 && dup2(nowhere, STDIN_FILENO) >= 0 && dup2(nowhere, STDOUT_FILENO) >= 0 &&
           dup2(nowhere, STDERR_FILENO) >= 0;
}

/** A helper's life. Nothing of the program's that waits to be written is written here, nor what it does at its end done. */
static _Noreturn void serve(const int ends[2], pid_t parent, bool (*work)(void *context, int number), void *context)
{
    int number;
    (void)close(ends[1]);
    if (silence())
        while (read(ends[0], &number, sizeof number) == (ssize_t)sizeof number && getppid() == parent &&
               work(context, number)) {
        }
    _exit(0);
}

/** A pipe that programs which are run do not have, and that is no place to wait in. */
static bool open_pipe(int ends[2])
{
    if (pipe(ends) != 0)
        return false;
    if (fcntl(ends[0], F_SETFD, FD_CLOEXEC) == 0 && fcntl(ends[1], F_SETFD, FD_CLOEXEC) == 0 &&
        fcntl(ends[1], F_SETFL, O_NONBLOCK) == 0)
        return true;
    (void)close(ends[0]);
    (void)close(ends[1]);
    return false;
}

grkan_helpers *grkan_helpers_start(int count, bool (*work)(void *context, int number), void *context)
{
    const pid_t parent = getpid();
    grkan_helpers *const made = count > 0 ? calloc(1, sizeof *made + (size_t)count * sizeof(pid_t)) : NULL;
    if (made == NULL || !open_pipe(made->ends)) {
        free(made);
        return NULL;
    }
    while (made->count < count) {
        const pid_t child = fork();
        if (child == 0)
            serve(made->ends, parent, work, context);
        if (child < 0)
            break;
        made->processes[made->count++] = child;
    }
    if (made->count > 0)
        return made;
    grkan_helpers_end(made);
    return NULL;
}

bool grkan_helpers_give(grkan_helpers *helpers, int number)
{
    return write(helpers->ends[1], &number, sizeof number) == (ssize_t)sizeof number;
}

void grkan_helpers_end(grkan_helpers *helpers)
{
    if (helpers == NULL)
        return;
    (void)close(helpers->ends[0]);
    (void)close(helpers->ends[1]);
    for (int i = 0; i < helpers->count; i++) {
        (void)kill(helpers->processes[i], SIGKILL);
        while (waitpid(helpers->processes[i], NULL, 0) < 0 && errno == EINTR) {
        }
    }
    free(helpers);
}
