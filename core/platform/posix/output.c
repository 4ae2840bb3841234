/* SPDX-License-Identifier: Apache-2.0 */
/** @file output.c @brief Finds what a path names, and writes to it or puts a complete file in its place. */
#include "posix.h"

#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/** What a path names. */
typedef struct place {
    enum { REPLACED, WRITTEN_TO, DESCRIPTOR } kind;
    int descriptor;              /**< DESCRIPTOR */
    char path[GRKAN_PATH_BYTES]; /**< REPLACED: the file's name behind all links */
    bool is_there;               /**< there is a file already, and found describes it */
    struct stat found;
} place;

/* --------------------------------------------------------------------------------------------------------- places */

/** The length of a path's folder with the slash behind it; 0: the current folder. */
static int folder_length(const char *path)
{
    const char *const slash = strrchr(path, '/');
    return slash == NULL ? 0 : (int)(slash + 1 - path);
}

/** The name in the folder of another path; alone if it begins at the root. @return false with errno set */
static bool join(char joined[GRKAN_PATH_BYTES], const char *beside, const char *name)
{
    const int folder = grkan_is_absolute(name) ? 0 : folder_length(beside);
    if (snprintf(joined, GRKAN_PATH_BYTES, "%.*s%s", folder, beside, name) < GRKAN_PATH_BYTES)
        return true;
    errno = ENAMETOOLONG;
    return false;
}

/** Whether a name stands for something that is open, as those in /proc/self/fd do, or is the kernel's. */
static bool is_open_already(place *to)
{
    const char *const name = to->path + folder_length(to->path);
    char folder[GRKAN_PATH_BYTES], *end = NULL;
    char *const real = join(folder, to->path, ".") ? realpath(folder, NULL) : NULL;
    char *const own = realpath("/dev/fd", NULL);
    const bool is_own = real != NULL && own != NULL && strcmp(real, own) == 0;
    const bool is_kernels = real != NULL && (strcmp(real, "/proc") == 0 || strncmp(real, "/proc/", 6) == 0);
    const long number = strtol(name, &end, 10);
    free(real);
    free(own);
    to->kind = WRITTEN_TO;
    if (is_own && *name >= '0' && *name <= '9' && *end == '\0' && number <= INT_MAX) {
        to->kind = DESCRIPTOR;
        to->descriptor = (int)number;
    }
    return is_own || is_kernels;
}

/** Follow links by hand: the last one may lead to a name that is not there yet. @return false with errno set */
static bool follow(const char *path, place *to)
{
    enum { most_links = 40 };
    char target[GRKAN_PATH_BYTES], next[GRKAN_PATH_BYTES];
    if (!join(to->path, "", path))
        return false;
    for (int links = 0; links < most_links; links++) {
        if (is_open_already(to))
            return true;
        const ssize_t length = readlink(to->path, target, sizeof target - 1);
        if (length < 0) { /* not a link, or not there: what else is wrong shows when a file is made beside it */
            to->kind = REPLACED;
            return true;
        }
        target[length] = '\0';
        if (!join(next, to->path, target))
            return false;
        strcpy(to->path, next);
    }
    errno = ELOOP;
    return false;
}

static bool find_place(const char *path, place *to)
{
    *to = (place){.kind = DESCRIPTOR, .descriptor = STDOUT_FILENO};
    if (strcmp(path, "-") == 0)
        return true;
    to->is_there = stat(path, &to->found) == 0;
    if (!to->is_there && (errno != ENOENT || *path == '\0'))
        return false;
    if (to->is_there && (S_ISDIR(to->found.st_mode) || S_ISSOCK(to->found.st_mode))) {
        errno = S_ISDIR(to->found.st_mode) ? EISDIR : ENXIO;
        return false;
    }
    if (!follow(path, to))
        return false;
    if (to->kind == REPLACED && to->is_there && !S_ISREG(to->found.st_mode))
        to->kind = WRITTEN_TO;
    return true;
}

/* ---------------------------------------------------------------------------------- a file that signals take along */

static const int fatal_signals[] = {SIGHUP, SIGINT, SIGQUIT, SIGPIPE, SIGTERM, SIGXCPU, SIGXFSZ};

enum { fatal_signal_count = sizeof fatal_signals / sizeof *fatal_signals };

/** A new file, which a signal that ends the program removes. There is one at a time. */
typedef struct guarded_file {
    posix_new_file file;
    struct sigaction before[fatal_signal_count];
} guarded_file;

static const char *volatile name_to_remove;

static void remove_and_end(int signal_number)
{
    if (name_to_remove != NULL)
        (void)unlink(name_to_remove);
    (void)raise(signal_number); /* which SA_RESETHAND has made the end of the program */
}

/** Signals that are ignored stay so. */
static void watch_signals(guarded_file *guarded)
{
    struct sigaction action = {.sa_handler = remove_and_end, .sa_flags = (int)SA_RESETHAND};
    (void)sigfillset(&action.sa_mask);
    name_to_remove = guarded->file.name;
    for (int i = 0; i < fatal_signal_count; i++) {
        (void)sigaction(fatal_signals[i], NULL, &guarded->before[i]);
        if (guarded->before[i].sa_handler != SIG_IGN)
            (void)sigaction(fatal_signals[i], &action, NULL);
    }
}

static void forget_signals(const guarded_file *guarded)
{
    for (int i = 0; i < fatal_signal_count; i++)
        (void)sigaction(fatal_signals[i], &guarded->before[i], NULL);
    name_to_remove = NULL;
}

/** Open a new file for a place, with the mode that the umask allows. Signals wait until it is watched. */
static bool open_guarded(guarded_file *guarded, const char *path)
{
    sigset_t fatal, earlier;
    (void)sigemptyset(&fatal);
    for (int i = 0; i < fatal_signal_count; i++)
        (void)sigaddset(&fatal, fatal_signals[i]);
    (void)sigprocmask(SIG_BLOCK, &fatal, &earlier);
    const bool is_open = posix_new_file_open(&guarded->file, AT_FDCWD, path, 0666);
    const int reason = errno;
    if (is_open)
        watch_signals(guarded);
    (void)sigprocmask(SIG_SETMASK, &earlier, NULL);
    errno = reason;
    return is_open;
}

static bool close_guarded(guarded_file *guarded, const char *path)
{
    const bool is_closed = posix_new_file_close(&guarded->file, path);
    const int reason = errno;
    forget_signals(guarded);
    errno = reason;
    return is_closed;
}

/* -------------------------------------------------------------------------------------------------------- writing */

/** Before anything is in the file, which not everybody may read. The owner stays where we may give files away. */
static bool keep_mode(int descriptor, const struct stat *found)
{
    struct stat made;
    if (fstat(descriptor, &made) != 0)
        return false;
    if (made.st_uid != found->st_uid || made.st_gid != found->st_gid)
        (void)!fchown(descriptor, found->st_uid, found->st_gid);
    return fchmod(descriptor, found->st_mode & 0777) == 0;
}

static bool replace(const place *to, const void *bytes, size_t count)
{
    guarded_file guarded;
    if (!open_guarded(&guarded, to->path))
        return false;
    const int file = guarded.file.descriptor;
    const bool is_written = (!to->is_there || keep_mode(file, &to->found)) && posix_write_all(file, bytes, count);
    const int reason = errno;
    if (!close_guarded(&guarded, is_written ? to->path : NULL))
        return false;
    errno = reason;
    return is_written;
}

static bool write_to(const char *path, const void *bytes, size_t count)
{
    const int descriptor = open(path, O_WRONLY | O_TRUNC | O_NOCTTY | O_CLOEXEC);
    if (descriptor < 0)
        return false;
    const bool is_written = posix_write_all(descriptor, bytes, count);
    const int reason = errno;
    const bool is_closed = close(descriptor) == 0;
    if (!is_written)
        errno = reason;
    return is_written && is_closed;
}

/** Behind what the program has printed. */
static bool write_to_descriptor(int descriptor, const void *bytes, size_t count)
{
    if (descriptor == STDOUT_FILENO && fflush(stdout) != 0)
        return false;
    return posix_write_all(descriptor, bytes, count);
}

static bool is_open_for_writing(int descriptor)
{
    const int flags = fcntl(descriptor, F_GETFL);
    if (flags >= 0 && (flags & O_ACCMODE) != O_RDONLY)
        return true;
    errno = EBADF;
    return false;
}

bool grkan_output_check(const char *path)
{
    place to;
    guarded_file guarded;
    if (!find_place(path, &to))
        return false;
    if (to.kind == DESCRIPTOR)
        return is_open_for_writing(to.descriptor);
    if (to.is_there && faccessat(AT_FDCWD, path, W_OK, AT_EACCESS) != 0)
        return false;
    return to.kind == WRITTEN_TO || (open_guarded(&guarded, to.path) && close_guarded(&guarded, NULL));
}

bool grkan_output_write(const char *path, const void *bytes, size_t count)
{
    place to;
    if (!find_place(path, &to))
        return false;
    switch (to.kind) {
    case DESCRIPTOR:
        return write_to_descriptor(to.descriptor, bytes, count);
    case WRITTEN_TO:
        return write_to(path, bytes, count);
    default:
        return replace(&to, bytes, count);
    }
}
