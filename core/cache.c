/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file cache.c
 * @brief Compiled kernels and tunings on disk, in a directory that only its owner can enter. Every failure is soft.
 *
 * The directory is GRKAN_CACHE_DIR, else $XDG_CACHE_HOME/grkan, else $HOME/.cache/grkan; GRKAN_CACHE=off turns the
 * cache off. A file is a header and the program; what a crash leaves of it fails the check of its hash.
 */
#include "internal.h"

#define XXH_INLINE_ALL
#include <xxhash.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

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

/* ------------------------------------------------------------------------------------------------------ files */

/* Where the cache is. A process that runs with more rights than its caller sees no environment, so it has none. */
static bool find_directory(char path[GRKAN_PATH_BYTES])
{
    const char *const use = grkan_trusted_environment("GRKAN_CACHE");
    const char *const chosen = grkan_trusted_environment("GRKAN_CACHE_DIR");
    if (use != NULL && strcmp(use, "off") == 0) {
        return false;
    }
    if (chosen != NULL && chosen[0] != '\0') {
        return snprintf(path, GRKAN_PATH_BYTES, "%s", chosen) < GRKAN_PATH_BYTES;
    }
    char caches[GRKAN_PATH_BYTES];
    return grkan_caches_folder(caches, sizeof caches) &&
           snprintf(path, GRKAN_PATH_BYTES, "%s/grkan", caches) < GRKAN_PATH_BYTES;
}

/* Whether a file is the program of a key, trusting nothing in it. */
static bool is_good(const grkan_cache_key *key, const char *file, size_t bytes)
{
    if (bytes <= sizeof(cache_header)) {
        return false;
    }
    const cache_header expected = header_of(key, file + sizeof expected, bytes - sizeof expected);
    return memcmp(file, &expected, sizeof expected) == 0;
}

bool grkan_cache_load(const grkan_cache_key *key, grkan_blob *binary)
{
    char directory[GRKAN_PATH_BYTES];
    size_t bytes = 0;
    *binary = (grkan_blob){0};
    char *const file = find_directory(directory)
                           ? grkan_private_read(directory, key->text, LARGEST_PROGRAM + sizeof(cache_header), &bytes)
                           : NULL;
    if (file == NULL || !is_good(key, file, bytes)) {
        free(file);
        return false;
    }
    bytes -= sizeof(cache_header);
    memmove(file, file + sizeof(cache_header), bytes);
    *binary = (grkan_blob){.data = file, .bytes = bytes};
    return true;
}

/* Make a folder and those that it lies in. Whether this succeeded shows when a file is written there. */
static void make_folders(char *path)
{
    for (char *at = path + 1; *at != '\0'; at++) {
        const char separator = *at;
        if (!grkan_is_separator(separator)) {
            continue;
        }
        *at = '\0';
        (void)grkan_make_folder(path, true);
        *at = separator;
    }
    (void)grkan_make_folder(path, true);
}

bool grkan_cache_path(const grkan_cache_key *key, char path[GRKAN_PATH_BYTES])
{
    char directory[GRKAN_PATH_BYTES];
    return find_directory(directory) &&
           snprintf(path, GRKAN_PATH_BYTES, "%s/%s", directory, key->text) < GRKAN_PATH_BYTES && grkan_is_file(path);
}

const char *grkan_cache_complaint(const grkan_cache_key *key)
{
    char directory[GRKAN_PATH_BYTES], path[GRKAN_PATH_BYTES];
    if (!grkan_cache_path(key, path) || !find_directory(directory))
        return NULL;
    return grkan_is_private_folder(directory) ? "it is damaged, or another's" : "others can enter its folder";
}

void grkan_cache_obstacle(char *text, size_t bytes)
{
    char directory[GRKAN_PATH_BYTES];
    const char *const use = grkan_trusted_environment("GRKAN_CACHE");
    if (use != NULL && strcmp(use, "off") == 0)
        (void)snprintf(text, bytes, "GRKAN_CACHE is off");
    else if (!find_directory(directory))
        (void)snprintf(text, bytes, "the environment names no folder for it (GRKAN_CACHE_DIR)");
    else if (!grkan_is_private_folder(directory))
        (void)snprintf(text, bytes, "%s is no folder that is the user's alone (mode 0700)", directory);
    else
        (void)snprintf(text, bytes, "nothing can be written to %s", directory);
}

bool grkan_cache_store(const grkan_cache_key *key, const grkan_blob *binary)
{
    bool is_kept = false;
    char directory[GRKAN_PATH_BYTES];
    const size_t bytes = sizeof(cache_header) + binary->bytes;
    if (binary->bytes == 0 || binary->bytes > LARGEST_PROGRAM || !find_directory(directory)) {
        return false;
    }
    char *const file = malloc(bytes);
    if (file != NULL) {
        const cache_header header = header_of(key, binary->data, binary->bytes);
        memcpy(file, &header, sizeof header);
        memcpy(file + sizeof header, binary->data, binary->bytes);
        make_folders(directory);
        is_kept = grkan_private_write(directory, key->text, file, bytes);
    }
    free(file);
    return is_kept;
}
