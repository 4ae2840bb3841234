/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file fuzz_cache.c
 * @brief Fuzzes the reader of the kernels' cache: a file is the header of its key and a program of the length and hash
 * that the header says, or it is not read.
 */
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

#include "internal.h"

#include "fuzz.h"

/* Where the header's fields lie: magic, version, key, bytes, hash. */
enum { VERSION = 8, KEY = 12, BYTES = 48, HASH = 56, HEADER = 64 };

static char folder[32] = "/dev/shm/grkan-fuzz-XXXXXX"; /* in memory, where there is such a place */
static grkan_cache_key key;
static int file = -1;

static void remove_folder(void)
{
    char path[sizeof folder + sizeof key.text + 1];
    snprintf(path, sizeof path, "%s/%s", folder, key.text);
    (void)unlink(path);
    (void)rmdir(folder);
}

static void start(void)
{
    static const char *const parts[] = {"fuzz"};
    char path[sizeof folder + sizeof key.text + 1];
    if (mkdtemp(folder) == NULL)
        fuzz_require(mkdtemp(strcpy(folder, "/tmp/grkan-fuzz-XXXXXX")) != NULL);
    fuzz_require(setenv("GRKAN_CACHE_DIR", folder, 1) == 0 && unsetenv("GRKAN_CACHE") == 0);
    key = grkan_cache_key_of(parts, 1);
    snprintf(path, sizeof path, "%s/%s", folder, key.text);
    file = open(path, O_RDWR | O_CREAT, 0600);
    fuzz_require(file >= 0 && atexit(remove_folder) == 0);
}

static uint64_t read_u64(const uint8_t *at)
{
    uint64_t value;
    memcpy(&value, at, sizeof value);
    return value;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    grkan_blob blob;
    if (file < 0)
        start();
    fuzz_require(ftruncate(file, 0) == 0 && pwrite(file, data, size, 0) == (ssize_t)size);
    const bool is_loaded = grkan_cache_load(&key, &blob);
    /* What may be read, said anew. */
    const bool is_whole = size > HEADER && memcmp(data, "GRKANKC", 8) == 0 && memcmp(data + KEY, key.text, 32) == 0 &&
                          memcmp(data + KEY + 32, "\0\0\0\0", 4) == 0 && read_u64(data + BYTES) == size - HEADER &&
                          read_u64(data + HASH) == XXH3_64bits(data + HEADER, size - HEADER);
    fuzz_require(!is_loaded || is_whole);
    fuzz_require(is_loaded == (blob.data != NULL));
    if (is_loaded)
        fuzz_require(blob.bytes == size - HEADER && memcmp(blob.data, data + HEADER, blob.bytes) == 0);
    free(blob.data);
    return 0;
}

size_t LLVMFuzzerMutate(uint8_t *data, size_t size, size_t most);
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t most, unsigned seed);

#ifdef FUZZ_WITH_LIBFUZZER
/** Half of the inputs get the key, and a quarter the length and the hash too, which nobody meets by chance. */
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t most, unsigned seed)
{
    size = LLVMFuzzerMutate(data, size, most);
    if (file < 0)
        start();
    if (seed % 2 == 0 && size > HEADER) {
        memcpy(data, "GRKANKC", 8);
        memset(data + KEY, 0, BYTES - KEY);
        memcpy(data + KEY, key.text, 32);
    }
    if (seed % 4 == 0 && size > HEADER) {
        const uint64_t bytes = size - HEADER, hash = XXH3_64bits(data + HEADER, size - HEADER);
        memcpy(data + HASH, &hash, sizeof hash);
        if (seed % 8 == 0)
            memcpy(data + BYTES, &bytes, sizeof bytes);
    }
    return size;
}
#endif
