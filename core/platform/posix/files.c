/* SPDX-License-Identifier: Apache-2.0 */
/** @file files.c @brief Files and folders of POSIX systems. */
#include "posix.h"

#include <dirent.h>
#include <errno.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

bool grkan_is_separator(char character)
{
    return character == '/';
}

bool grkan_is_absolute(const char *path)
{
    return path[0] == '/';
}

const char *grkan_path_name(const char *path)
{
    const char *const slash = strrchr(path, '/');
    return slash == NULL ? path : slash + 1;
}

bool grkan_is_file(const char *path)
{
    return access(path, F_OK) == 0;
}

FILE *grkan_file_open(const char *path, const char *mode)
{
    return fopen(path, mode);
}

void grkan_file_remove(const char *path)
{
    (void)unlink(path);
}

bool grkan_make_folder(const char *path, bool is_private)
{
    return mkdir(path, is_private ? 0700 : 0777) == 0 || errno == EEXIST;
}

bool grkan_caches_folder(char *path, size_t bytes)
{
    const char *const caches = grkan_trusted_environment("XDG_CACHE_HOME");
    const char *const home = grkan_trusted_environment("HOME");
    int length = -1;
    if (caches != NULL && grkan_is_absolute(caches))
        length = snprintf(path, bytes, "%s", caches);
    else if (home != NULL && grkan_is_absolute(home))
        length = snprintf(path, bytes, "%s/.cache", home);
    return length > 0 && (size_t)length < bytes;
}

/* ---------------------------------------------------------------------------------------------------- new files */

bool posix_write_all(int descriptor, const void *from, size_t bytes)
{
    const char *next = from;
    while (bytes > 0) {
        const ssize_t put = write(descriptor, next, bytes);
        if (put < 0 && errno != EINTR)
            return false;
        next += put > 0 ? put : 0;
        bytes -= put > 0 ? (size_t)put : 0;
    }
    return true;
}

/** Names are tried in turn: a process that was killed, or one on another machine, may have left the first ones. */
bool posix_new_file_open(posix_new_file *file, int folder, const char *place, mode_t mode)
{
    enum { most_attempts = 100 };
    static atomic_uint created;
    const char *const slash = strrchr(place, '/');
    const int parent = slash == NULL ? 0 : (int)(slash + 1 - place);
    file->folder = folder;
    file->descriptor = -1;
    errno = EEXIST;
    for (int i = 0; i < most_attempts && file->descriptor < 0 && errno == EEXIST; i++) {
        const int length = snprintf(file->name, sizeof file->name, "%.*s.grkan-%ld-%u.tmp", parent, place,
                                    (long)getpid(), atomic_fetch_add(&created, 1u));
        if (length < 0 || (size_t)length >= sizeof file->name)
            errno = ENAMETOOLONG;
        else
            file->descriptor = openat(folder, file->name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, mode);
    }
    return file->descriptor >= 0;
}

bool posix_new_file_close(posix_new_file *file, const char *place)
{
    /* close tells of a full disk on some file systems. */
    const bool is_closed = close(file->descriptor) == 0;
    const bool is_in_place = is_closed && place != NULL && renameat(file->folder, file->name, file->folder, place) == 0;
    const int reason = errno;
    if (!is_in_place)
        (void)unlinkat(file->folder, file->name, 0);
    errno = reason;
    return is_closed && (is_in_place || place == NULL);
}

/* ---------------------------------------------------------------------------------------------- private folders */

/** @return a descriptor, or -1. Files are opened relative to it: the folder that was checked is the one used. */
static int open_private(const char *path)
{
    struct stat found;
    const int folder = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (folder >= 0 &&
        (fstat(folder, &found) != 0 || found.st_uid != geteuid() || (found.st_mode & (S_IRWXG | S_IRWXO)) != 0)) {
        (void)close(folder);
        return -1;
    }
    return folder;
}

bool grkan_is_private_folder(const char *path)
{
    const int folder = open_private(path);
    if (folder >= 0)
        (void)close(folder);
    return folder >= 0;
}

static bool read_all(int file, void *to, size_t bytes)
{
    char *next = to;
    while (bytes > 0) {
        const ssize_t got = read(file, next, bytes);
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            return false;
        next += got;
        bytes -= (size_t)got;
    }
    return true;
}

/** Read an open file, trusting nothing in it. */
static void *read_file(int file, size_t most, size_t *bytes)
{
    struct stat found;
    if (fstat(file, &found) != 0 || !S_ISREG(found.st_mode) || found.st_uid != geteuid() || found.st_size <= 0 ||
        (uint64_t)found.st_size > most)
        return NULL;
    *bytes = (size_t)found.st_size;
    void *const content = malloc(*bytes);
    if (content != NULL && read_all(file, content, *bytes))
        return content;
    free(content);
    return NULL;
}

void *grkan_private_read(const char *path, const char *name, size_t most, size_t *bytes)
{
    const int folder = open_private(path);
    if (folder < 0)
        return NULL;
    /* Nonblocking, so that a pipe of that name does not hold us up before it is seen to be no regular file. */
    const int file = openat(folder, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    void *const content = file >= 0 ? read_file(file, most, bytes) : NULL;
    if (file >= 0)
        (void)close(file);
    (void)close(folder);
    return content;
}

static bool is_new_files_name(const char *name)
{
    static const char begin[] = ".grkan-", end[] = ".tmp";
    const size_t length = strlen(name);
    return length > sizeof begin - 1 + sizeof end - 1 && strncmp(name, begin, sizeof begin - 1) == 0 &&
           strcmp(name + length - (sizeof end - 1), end) == 0;
}

/** Of processes that were killed before their new file had its place. */
static void remove_abandoned(int folder)
{
    const int own = openat(folder, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *const all = own >= 0 ? fdopendir(own) : NULL;
    const time_t now = time(NULL);
    if (all == NULL && own >= 0)
        (void)close(own);
    for (const struct dirent *one; all != NULL && (one = readdir(all)) != NULL;) {
        struct stat found;
        if (is_new_files_name(one->d_name) && fstatat(folder, one->d_name, &found, AT_SYMLINK_NOFOLLOW) == 0 &&
            S_ISREG(found.st_mode) && now - found.st_mtime > GRKAN_ABANDONED_SECONDS)
            (void)unlinkat(folder, one->d_name, 0);
    }
    if (all != NULL)
        (void)closedir(all);
}

bool grkan_private_write(const char *path, const char *name, const void *data, size_t bytes)
{
    posix_new_file file;
    const int folder = open_private(path);
    bool is_written = folder >= 0 && posix_new_file_open(&file, folder, name, 0600);
    if (is_written) {
        is_written = posix_write_all(file.descriptor, data, bytes);
        is_written = posix_new_file_close(&file, is_written ? name : NULL) && is_written;
    }
    if (folder >= 0) {
        remove_abandoned(folder);
        (void)close(folder);
    }
    return is_written;
}
