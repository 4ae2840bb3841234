/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file cache.c
 * @brief Compiled kernels on disk, in a directory that only its owner can enter. Every failure is soft.
 *
 * The directory is GRKAN_CACHE_DIR, else $XDG_CACHE_HOME/grkan, else $HOME/.cache/grkan; GRKAN_CACHE=off turns the
 * cache off. A file is a header and the program. It is written under another name and renamed, so a reader sees all of
 * it or none; it is not flushed to the disk, because what a crash leaves of it fails the check of its hash.
 */
#define _GNU_SOURCE 1 /* secure_getenv */

#include "internal.h"

#define XXH_INLINE_ALL
#include <xxhash.h>

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* Raise it when the header changes, or what the parts of a key mean. */
#define FORMAT_VERSION 1u
#define LARGEST_PROGRAM ((size_t)256 << 20)

/* Written as it lies in memory: to a machine of the other byte order it is another version. */
typedef struct cache_header {
    char magic[8];
    uint32_t version;
    char key[36]; /* its 32 digits, then zeros */
    uint64_t bytes;
    uint64_t hash; /* XXH3, 64 bits, of the program */
} cache_header;

_Static_assert(sizeof(cache_header) == 64, "the header has no padding");

/* ------------------------------------------------------------------------------------------------------- keys */

grkan_cache_key grkan_cache_key_of(const char *const parts[], size_t count)
{
    XXH3_state_t state;
    const uint32_t version = FORMAT_VERSION;
    (void)XXH3_128bits_reset(&state);
    (void)XXH3_128bits_update(&state, &version, sizeof version);
    for (size_t i = 0; i < count; i++) {
        const char *const part = parts[i] == NULL ? "" : parts[i];
        const uint64_t length = strlen(part);
        (void)XXH3_128bits_update(&state, &length, sizeof length);
        (void)XXH3_128bits_update(&state, part, length);
    }
    const XXH128_hash_t hash = XXH3_128bits_digest(&state);
    grkan_cache_key key;
    (void)snprintf(key.text, sizeof key.text, "%016llx%016llx", (unsigned long long)hash.high64,
                   (unsigned long long)hash.low64);
    return key;
}

static cache_header header_of(const grkan_cache_key *key, const void *program, size_t bytes)
{
    cache_header header = {.magic = "GRKANKC", .version = FORMAT_VERSION, .bytes = bytes};
    memcpy(header.key, key->text, sizeof key->text);
    header.hash = XXH3_64bits(program, bytes);
    return header;
}

/* -------------------------------------------------------------------------------------------------- directory */

/* Where the cache is. A process that runs with more rights than its caller sees no environment, so it has none. */
static bool find_directory(char path[PATH_MAX])
{
    const char *const use = secure_getenv("GRKAN_CACHE");
    const char *const chosen = secure_getenv("GRKAN_CACHE_DIR");
    const char *const caches = secure_getenv("XDG_CACHE_HOME");
    const char *const home = secure_getenv("HOME");
    int length = -1;
    if (use != NULL && strcmp(use, "off") == 0) {
        return false;
    }
    if (chosen != NULL && chosen[0] != '\0') {
        length = snprintf(path, PATH_MAX, "%s", chosen);
    } else if (caches != NULL && caches[0] == '/') {
        length = snprintf(path, PATH_MAX, "%s/grkan", caches);
    } else if (home != NULL && home[0] == '/') {
        length = snprintf(path, PATH_MAX, "%s/.cache/grkan", home);
    }
    return length > 0 && length < PATH_MAX;
}

/* Whether this succeeded shows when the directory is opened. */
static void make_directories(char path[PATH_MAX])
{
    for (char *slash = strchr(path + 1, '/'); slash != NULL; slash = strchr(slash + 1, '/')) {
        *slash = '\0';
        (void)mkdir(path, 0700);
        *slash = '/';
    }
    (void)mkdir(path, 0700);
}

/* A descriptor of the directory, or -1. Files are opened relative to it: the directory checked is the one used. */
static int open_directory(bool is_to_be_made)
{
    char path[PATH_MAX];
    if (!find_directory(path)) {
        return -1;
    }
    if (is_to_be_made) {
        make_directories(path);
    }
    const int directory = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    struct stat found;
    if (directory >= 0 &&
        (fstat(directory, &found) != 0 || found.st_uid != geteuid() || (found.st_mode & (S_IRWXG | S_IRWXO)) != 0)) {
        (void)close(directory);
        return -1;
    }
    return directory;
}

/* ------------------------------------------------------------------------------------------------------ files */

static bool read_all(int file, void *to, size_t bytes)
{
    char *next = to;
    while (bytes > 0) {
        const ssize_t got = read(file, next, bytes);
        if (got < 0 && errno == EINTR) {
            continue;
        }
        if (got <= 0) {
            return false;
        }
        next += got;
        bytes -= (size_t)got;
    }
    return true;
}

static bool write_all(int file, const void *from, size_t bytes)
{
    const char *next = from;
    while (bytes > 0) {
        const ssize_t put = write(file, next, bytes);
        if (put < 0 && errno == EINTR) {
            continue;
        }
        if (put <= 0) {
            return false;
        }
        next += put;
        bytes -= (size_t)put;
    }
    return true;
}

/* Read an open file, trusting nothing in it. */
static bool load_file(int file, const grkan_cache_key *key, grkan_blob *binary)
{
    struct stat found;
    cache_header header;
    if (fstat(file, &found) != 0 || !S_ISREG(found.st_mode) || found.st_uid != geteuid() ||
        !read_all(file, &header, sizeof header)) {
        return false;
    }
    if (header.bytes == 0 || header.bytes > LARGEST_PROGRAM ||
        (uint64_t)found.st_size != sizeof header + header.bytes) {
        return false;
    }
    const size_t bytes = (size_t)header.bytes;
    void *const program = malloc(bytes);
    if (program == NULL) {
        return false;
    }
    if (read_all(file, program, bytes)) {
        const cache_header expected = header_of(key, program, bytes);
        if (memcmp(&header, &expected, sizeof header) == 0) {
            *binary = (grkan_blob){.data = program, .bytes = bytes};
            return true;
        }
    }
    free(program);
    return false;
}

bool grkan_cache_load(const grkan_cache_key *key, grkan_blob *binary)
{
    *binary = (grkan_blob){0};
    const int directory = open_directory(false);
    if (directory < 0) {
        return false;
    }
    /* Nonblocking, so that a pipe of that name does not hold us up before it is seen to be no regular file. */
    const int file = openat(directory, key->text, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    const bool is_loaded = file >= 0 && load_file(file, key, binary);
    if (file >= 0) {
        (void)close(file);
    }
    (void)close(directory);
    return is_loaded;
}

/* Create a file that nobody else has. A process that was killed, or one on another machine, may have left its name. */
static int create_unique(int directory, const grkan_cache_key *key, char name[NAME_MAX])
{
    static atomic_uint created;
    for (int attempt = 0; attempt < 100; attempt++) {
        (void)snprintf(name, NAME_MAX, "%s.%ld.%u.new", key->text, (long)getpid(), atomic_fetch_add(&created, 1u));
        const int file = openat(directory, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
        if (file >= 0 || errno != EEXIST) {
            return file;
        }
    }
    return -1;
}

static void store_file(int directory, const grkan_cache_key *key, const grkan_blob *binary)
{
    char name[NAME_MAX];
    const int file = create_unique(directory, key, name);
    if (file < 0) {
        return;
    }
    const cache_header header = header_of(key, binary->data, binary->bytes);
    const bool is_written = write_all(file, &header, sizeof header) && write_all(file, binary->data, binary->bytes);
    /* close tells of a full disk on some file systems. */
    const bool is_closed = close(file) == 0;
    if (!is_written || !is_closed || renameat(directory, name, directory, key->text) != 0) {
        (void)unlinkat(directory, name, 0);
    }
}

void grkan_cache_store(const grkan_cache_key *key, const grkan_blob *binary)
{
    if (binary->bytes == 0 || binary->bytes > LARGEST_PROGRAM) {
        return;
    }
    const int directory = open_directory(true);
    if (directory >= 0) {
        store_file(directory, key, binary);
        (void)close(directory);
    }
}
