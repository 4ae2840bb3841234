/* SPDX-License-Identifier: Apache-2.0 */
/** @file output.c @brief Finds what a path names, and writes to it or puts a complete file in its place. */
#define _POSIX_C_SOURCE 200809L
#include "output.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tools.h"

/** What a path names. */
typedef struct place {
    enum { REPLACED, WRITTEN_TO, DESCRIPTOR } kind;
    int descriptor; /**< DESCRIPTOR */
    char *path;     /**< REPLACED: the file's name behind all links; free it */
    int is_there;   /**< REPLACED: there is a file already, and found describes it */
    struct stat found;
} place;

enum { MOST_LINKS = 40, MOST_NAMES = 100 };

/* --------------------------------------------------------------------------------------------------------- places */

/** The length of a path's folder with the slash behind it; 0: the current folder. */
static size_t folder_length(const char *path)
{
    const char *const slash = strrchr(path, '/');
    return slash == NULL ? 0 : (size_t)(slash + 1 - path);
}

/** The name in the folder of path. Free it. */
static char *beside(const char *path, const char *name)
{
    const size_t folder = folder_length(path), bytes = strlen(name) + 1;
    char *const joined = tool_allocate(folder + bytes);
    memcpy(joined, path, folder);
    memcpy(joined + folder, name, bytes);
    return joined;
}

/** Whether a name stands for something that is open, as those in /proc/self/fd do, or is the kernel's. */
static int is_open_already(const char *path, place *to)
{
    const char *const name = path + folder_length(path);
    char *const folder = beside(path, "."), *end = NULL;
    char *const real = realpath(folder, NULL), *const own = realpath("/dev/fd", NULL);
    const int is_own = real != NULL && own != NULL && strcmp(real, own) == 0;
    const int is_kernels = real != NULL && (strcmp(real, "/proc") == 0 || strncmp(real, "/proc/", 6) == 0);
    const long number = strtol(name, &end, 10);
    free(folder);
    free(real);
    free(own);
    to->kind = WRITTEN_TO;
    if (is_own && *name >= '0' && *name <= '9' && *end == '\0' && number <= INT_MAX) {
        to->kind = DESCRIPTOR;
        to->descriptor = (int)number;
    }
    return is_own || is_kernels;
}

/** Follow links by hand: the last one may lead to a name that is not there yet. @return 0, or -1 with errno set */
static int follow(const char *path, place *to)
{
    char target[PATH_MAX];
    char *at = tool_copy_text(path);
    for (int links = 0; links < MOST_LINKS; links++) {
        if (is_open_already(at, to)) {
            free(at);
            return 0;
        }
        const ssize_t length = readlink(at, target, sizeof target - 1);
        if (length < 0) { /* not a link, or not there: what else is wrong shows when a file is made beside it */
            to->kind = REPLACED;
            to->path = at;
            return 0;
        }
        target[length] = '\0';
        char *const next = target[0] == '/' ? tool_copy_text(target) : beside(at, target);
        free(at);
        at = next;
    }
    free(at);
    errno = ELOOP;
    return -1;
}

static int find_place(const char *path, place *to)
{
    *to = (place){.kind = DESCRIPTOR, .descriptor = STDOUT_FILENO};
    if (strcmp(path, "-") == 0)
        return 0;
    to->is_there = stat(path, &to->found) == 0;
    if (!to->is_there && (errno != ENOENT || *path == '\0'))
        return -1;
    if (to->is_there && (S_ISDIR(to->found.st_mode) || S_ISSOCK(to->found.st_mode))) {
        errno = S_ISDIR(to->found.st_mode) ? EISDIR : ENXIO;
        return -1;
    }
    if (follow(path, to) != 0)
        return -1;
    if (to->kind == REPLACED && to->is_there && !S_ISREG(to->found.st_mode)) {
        to->kind = WRITTEN_TO;
        free(to->path);
        to->path = NULL;
    }
    return 0;
}

static int may_write(const char *path)
{
    return faccessat(AT_FDCWD, path, W_OK, AT_EACCESS);
}

/* ------------------------------------------------------------------------------------------------- temporary files */

static const int fatal_signals[] = {SIGHUP, SIGINT, SIGQUIT, SIGPIPE, SIGTERM, SIGXCPU, SIGXFSZ};

enum { FATAL_SIGNALS = sizeof fatal_signals / sizeof *fatal_signals };

/** A file under a temporary name, which a signal that ends the program takes along. There is one at a time. */
typedef struct temporary_file {
    int descriptor;
    char *name;
    struct sigaction before[FATAL_SIGNALS];
} temporary_file;

static const char *volatile name_to_remove;

static void remove_and_end(int signal_number)
{
    if (name_to_remove != NULL)
        (void)unlink(name_to_remove);
    (void)raise(signal_number); /* which SA_RESETHAND has made the end of the program */
}

/** Signals that are ignored stay so. */
static void watch_signals(temporary_file *file)
{
    struct sigaction action = {.sa_handler = remove_and_end, .sa_flags = (int)SA_RESETHAND};
    (void)sigfillset(&action.sa_mask);
    name_to_remove = file->name;
    for (int i = 0; i < FATAL_SIGNALS; i++) {
        (void)sigaction(fatal_signals[i], NULL, &file->before[i]);
        if (file->before[i].sa_handler != SIG_IGN)
            (void)sigaction(fatal_signals[i], &action, NULL);
    }
}

static void forget_signals(const temporary_file *file)
{
    for (int i = 0; i < FATAL_SIGNALS; i++)
        (void)sigaction(fatal_signals[i], &file->before[i], NULL);
    name_to_remove = NULL;
}

/** A file of the same folder, with the mode that a new one gets. @return 0, or -1 with errno set and nothing left */
static int open_temporary(const char *beside_path, temporary_file *file)
{
    char name[64];
    file->descriptor = -1;
    for (int i = 0; i < MOST_NAMES && file->descriptor < 0; i++) {
        snprintf(name, sizeof name, ".grkan-%ld-%d.tmp", (long)getpid(), i);
        file->name = beside(beside_path, name);
        watch_signals(file);
        file->descriptor = open(file->name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
        if (file->descriptor < 0) {
            const int reason = errno;
            forget_signals(file);
            free(file->name);
            errno = reason;
            if (reason != EEXIST)
                return -1;
        }
    }
    return file->descriptor < 0 ? -1 : 0;
}

/** Close it, and give it its place's name; NULL: remove it. @return 0, or -1 with errno set and nothing left */
static int close_temporary(temporary_file *file, const char *path)
{
    int failed = close(file->descriptor) != 0;
    if (path != NULL && !failed)
        failed = rename(file->name, path) != 0;
    const int reason = errno;
    if (path == NULL || failed)
        (void)unlink(file->name);
    forget_signals(file);
    free(file->name);
    errno = reason;
    return failed ? -1 : 0;
}

/* -------------------------------------------------------------------------------------------------------- writing */

static int write_all(int descriptor, const char *next, size_t count)
{
    while (count > 0) {
        const ssize_t put = write(descriptor, next, count);
        if (put < 0 && errno != EINTR)
            return -1;
        next += put > 0 ? put : 0;
        count -= put > 0 ? (size_t)put : 0;
    }
    return 0;
}

/** Before anything is in the file, which not everybody may read. The owner stays where we may give files away. */
static int keep_mode(int descriptor, const struct stat *found)
{
    struct stat made;
    if (fstat(descriptor, &made) != 0)
        return -1;
    if (made.st_uid != found->st_uid || made.st_gid != found->st_gid)
        (void)!fchown(descriptor, found->st_uid, found->st_gid);
    return fchmod(descriptor, found->st_mode & 0777);
}

static int replace(const place *to, const void *bytes, size_t count)
{
    temporary_file file;
    if (open_temporary(to->path, &file) != 0)
        return -1;
    const int failed =
        (to->is_there && keep_mode(file.descriptor, &to->found) != 0) || write_all(file.descriptor, bytes, count) != 0;
    const int reason = errno;
    if (close_temporary(&file, failed ? NULL : to->path) != 0)
        return -1;
    errno = reason;
    return failed ? -1 : 0;
}

static int write_to(const char *path, const void *bytes, size_t count)
{
    const int descriptor = open(path, O_WRONLY | O_TRUNC | O_NOCTTY | O_CLOEXEC);
    if (descriptor < 0)
        return -1;
    const int failed = write_all(descriptor, bytes, count) != 0;
    const int reason = errno;
    const int is_closed = close(descriptor) == 0;
    if (failed)
        errno = reason;
    return failed || !is_closed ? -1 : 0;
}

/** Behind what the program has printed. */
static int write_to_descriptor(int descriptor, const void *bytes, size_t count)
{
    if (descriptor == STDOUT_FILENO && fflush(stdout) != 0)
        return -1;
    return write_all(descriptor, bytes, count);
}

int output_check(const char *path)
{
    place to;
    temporary_file file;
    if (find_place(path, &to) != 0)
        return -1;
    if (to.kind == DESCRIPTOR) {
        const int flags = fcntl(to.descriptor, F_GETFL);
        if (flags >= 0 && (flags & O_ACCMODE) != O_RDONLY)
            return 0;
        errno = EBADF;
        return -1;
    }
    if (to.is_there && may_write(path) != 0) {
        free(to.path);
        return -1;
    }
    if (to.kind == WRITTEN_TO)
        return 0;
    const int failed = open_temporary(to.path, &file) != 0 || close_temporary(&file, NULL) != 0;
    free(to.path);
    return failed ? -1 : 0;
}

int output_write(const char *path, const void *bytes, size_t count)
{
    place to;
    if (find_place(path, &to) != 0)
        return -1;
    if (to.kind == DESCRIPTOR)
        return write_to_descriptor(to.descriptor, bytes, count);
    const int failed = to.kind == WRITTEN_TO ? write_to(path, bytes, count) != 0 : replace(&to, bytes, count) != 0;
    const int reason = errno;
    free(to.path);
    errno = reason;
    return failed ? -1 : 0;
}

int output_complain(const char *who, const char *option, const char *path)
{
    fprintf(stderr, "%s: --%s: cannot write '%s': %s\n", who, option, path, strerror(errno));
    return TOOL_CHECK_FAILED;
}
