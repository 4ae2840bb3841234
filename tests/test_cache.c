/* SPDX-License-Identifier: Apache-2.0 */
/** @file test_cache.c @brief The cache of compiled kernels: what it keeps, and what it does not trust. */
#define _GNU_SOURCE 1

#include <dirent.h>
#include <fcntl.h>
#include <ftw.h>
#include <limits.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

#include "../core/internal.h"

/* Where these fields of a file begin; they are part of its format. */
enum { VERSION_AT = 8, BYTES_AT = 48, HASH_AT = 56, PROGRAM_AT = 64 };

static char scratch[PATH_MAX];    /* a fresh directory for each test */
static char cache[PATH_MAX + 32]; /* <scratch>/cache, which is GRKAN_CACHE_DIR */
static char kept[2 * PATH_MAX];   /* the file of key */
static grkan_cache_key key;
static char program[] = "a program of some bytes \0 that need not be text";
static const grkan_blob binary = {program, sizeof program};

static int make_scratch(void **state)
{
    (void)state;
    (void)snprintf(scratch, sizeof scratch, "/tmp/grkan-test-cache-XXXXXX");
    if (mkdtemp(scratch) == NULL) {
        return -1;
    }
    (void)snprintf(cache, sizeof cache, "%s/cache", scratch);
    key = grkan_cache_key_of((const char *const[]){"source", "options"}, 2);
    (void)snprintf(kept, sizeof kept, "%s/%s", cache, key.text);
    (void)unsetenv("GRKAN_CACHE");
    (void)unsetenv("XDG_CACHE_HOME");
    return setenv("GRKAN_CACHE_DIR", cache, 1);
}

static int remove_entry(const char *path, const struct stat *found, int kind, struct FTW *where)
{
    (void)found, (void)kind, (void)where;
    return remove(path);
}

/* Remove a directory and what is in it. */
static int remove_directory(const char *path)
{
    return nftw(path, remove_entry, 8, FTW_DEPTH | FTW_PHYS);
}

static int remove_scratch(void **state)
{
    (void)state;
    return remove_directory(scratch);
}

static size_t entries_of(const char *path)
{
    size_t entries = 0;
    DIR *const directory = opendir(path);
    assert_non_null(directory);
    for (const struct dirent *entry = readdir(directory); entry != NULL; entry = readdir(directory)) {
        entries += strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0 ? 1 : 0;
    }
    (void)closedir(directory);
    return entries;
}

static bool is_hit(void)
{
    grkan_blob loaded = {program, 1};
    if (!grkan_cache_load(&key, &loaded)) {
        assert_null(loaded.data);
        assert_int_equal(loaded.bytes, 0);
        return false;
    }
    assert_int_equal(loaded.bytes, binary.bytes);
    assert_memory_equal(loaded.data, binary.data, binary.bytes);
    free(loaded.data);
    return true;
}

/* Tests hit before they miss: then the miss has the cause that the test names, and no other. */
static void store_and_hit(void)
{
    grkan_cache_store(&key, &binary);
    assert_true(is_hit());
}

/* ------------------------------------------------------------------------------------------------------- keys */

#define KEY_OF(...)                                                                                                    \
    grkan_cache_key_of((const char *const[]){__VA_ARGS__},                                                             \
                       sizeof((const char *const[]){__VA_ARGS__}) / sizeof(const char *))

static void test_keys_tell_parts_apart(void **state)
{
    (void)state;
    const grkan_cache_key keys[] = {
        KEY_OF("ab", "c"), KEY_OF("a", "bc"), KEY_OF("abc"),      KEY_OF("abc", ""), KEY_OF("", "abc"),
        KEY_OF("c", "ab"), KEY_OF("ab", "d"), KEY_OF("", "", ""), KEY_OF("", ""),    KEY_OF(""),
    };
    for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++) {
        assert_int_equal(strlen(keys[i].text), 32);
        assert_int_equal(strspn(keys[i].text, "0123456789abcdef"), 32);
        for (size_t j = 0; j < i; j++) {
            assert_string_not_equal(keys[i].text, keys[j].text);
        }
    }
    assert_string_equal(KEY_OF("ab", "c").text, keys[0].text);
    assert_string_equal(KEY_OF("abc", NULL).text, keys[3].text);
}

/* --------------------------------------------------------------------------------------------------- good use */

static void test_what_was_stored_is_loaded(void **state)
{
    (void)state;
    struct stat found;
    assert_false(is_hit());
    assert_int_equal(entries_of(scratch), 0); /* looking makes nothing */
    store_and_hit();
    assert_int_equal(entries_of(cache), 1);
    assert_int_equal(stat(cache, &found), 0);
    assert_int_equal(found.st_mode & 07777, 0700);
    assert_int_equal(stat(kept, &found), 0);
    assert_int_equal(found.st_mode & 07777, 0600);
    assert_int_equal(found.st_size, PROGRAM_AT + (off_t)binary.bytes);
}

static void test_a_later_program_replaces_an_earlier(void **state)
{
    (void)state;
    char other[] = "another, of another length";
    grkan_cache_store(&key, &(grkan_blob){other, 0}); /* nothing is not worth a file */
    assert_int_equal(entries_of(scratch), 0);
    grkan_cache_store(&key, &(grkan_blob){other, sizeof other});
    store_and_hit();
    assert_int_equal(entries_of(cache), 1);
}

static void test_off_means_off(void **state)
{
    (void)state;
    store_and_hit();
    assert_int_equal(setenv("GRKAN_CACHE", "off", 1), 0);
    assert_false(is_hit());
    assert_int_equal(remove_directory(cache), 0);
    grkan_cache_store(&key, &binary);
    assert_int_equal(entries_of(scratch), 0);
}

/* The directory that is used: by what variables, and with what parents made on the way. */
static void test_directories_follow_the_environment(void **state)
{
    (void)state;
    char path[PATH_MAX + 64];
    struct stat found;
    (void)snprintf(path, sizeof path, "%s/home", scratch);
    assert_int_equal(setenv("HOME", path, 1), 0);
    assert_int_equal(setenv("GRKAN_CACHE_DIR", "", 1), 0);
    assert_int_equal(setenv("XDG_CACHE_HOME", "caches", 1), 0); /* not absolute: to be ignored */
    store_and_hit();
    (void)snprintf(path, sizeof path, "%s/home/.cache/grkan/%s", scratch, key.text);
    assert_int_equal(access(path, F_OK), 0);
    (void)snprintf(path, sizeof path, "%s/home/.cache", scratch);
    assert_int_equal(stat(path, &found), 0);
    assert_int_equal(found.st_mode & 07777, 0700);

    (void)snprintf(path, sizeof path, "%s/caches", scratch);
    assert_int_equal(setenv("XDG_CACHE_HOME", path, 1), 0);
    assert_false(is_hit());
    store_and_hit();
    (void)snprintf(path, sizeof path, "%s/caches/grkan/%s", scratch, key.text);
    assert_int_equal(access(path, F_OK), 0);

    assert_int_equal(unsetenv("XDG_CACHE_HOME"), 0);
    assert_int_equal(unsetenv("HOME"), 0);
    grkan_cache_store(&key, &binary);
    assert_false(is_hit());
}

/* -------------------------------------------------------------------------------------------------- bad files */

static void write_at(off_t offset, const void *from, size_t bytes)
{
    const int file = open(kept, O_WRONLY | O_CLOEXEC);
    assert_true(file >= 0);
    assert_int_equal(pwrite(file, from, bytes, offset), (ssize_t)bytes);
    assert_int_equal(close(file), 0);
}

/* Flip one bit at an offset of the file that is kept. */
static void flip(off_t offset)
{
    char byte = 0;
    const int file = open(kept, O_RDONLY | O_CLOEXEC);
    assert_int_equal(pread(file, &byte, 1, offset), 1);
    assert_int_equal(close(file), 0);
    byte = (char)(byte ^ 1);
    write_at(offset, &byte, 1);
}

static void test_no_byte_may_differ(void **state)
{
    (void)state;
    store_and_hit();
    for (off_t offset = 0; offset < PROGRAM_AT + (off_t)binary.bytes; offset++) {
        flip(offset);
        if (is_hit()) {
            fail_msg("byte %lld differs and the file was taken", (long long)offset);
        }
        flip(offset);
    }
    assert_true(is_hit());
}

static void test_no_byte_may_lack(void **state)
{
    (void)state;
    for (off_t bytes = 0; bytes < PROGRAM_AT + (off_t)binary.bytes; bytes++) {
        store_and_hit();
        assert_int_equal(truncate(kept, bytes), 0);
        if (is_hit()) {
            fail_msg("only %lld bytes are there and the file was taken", (long long)bytes);
        }
    }
    store_and_hit();
    assert_int_equal(truncate(kept, PROGRAM_AT + (off_t)binary.bytes + 1), 0);
    assert_false(is_hit());
}

static void test_another_version_is_a_miss(void **state)
{
    (void)state;
    store_and_hit();
    const uint32_t version = 999;
    write_at(VERSION_AT, &version, sizeof version);
    assert_false(is_hit());
    store_and_hit(); /* and it is replaced */
}

/* A length must not be believed before it is compared with the file's. */
static void test_absurd_lengths_are_misses(void **state)
{
    (void)state;
    static const uint64_t lengths[] = {0, UINT64_MAX, UINT64_MAX - 63, (uint64_t)1 << 40};
    for (size_t i = 0; i < sizeof lengths / sizeof lengths[0]; i++) {
        store_and_hit();
        write_at(BYTES_AT, &lengths[i], sizeof lengths[i]);
        assert_false(is_hit());
    }
}

/* All is right with the file but its length. It is sparse, and takes no room. */
static void test_programs_of_more_than_256_mib_are_misses(void **state)
{
    (void)state;
    const uint64_t bytes = ((uint64_t)256 << 20) + 1;
    void *const zeros = calloc(1, (size_t)bytes);
    assert_non_null(zeros);
    const uint64_t hash = XXH3_64bits(zeros, (size_t)bytes);
    store_and_hit();
    assert_int_equal(truncate(kept, PROGRAM_AT), 0);
    assert_int_equal(truncate(kept, PROGRAM_AT + (off_t)bytes), 0);
    write_at(BYTES_AT, &bytes, sizeof bytes);
    write_at(HASH_AT, &hash, sizeof hash);
    grkan_blob loaded;
    assert_false(grkan_cache_load(&key, &loaded));
    assert_int_equal(unlink(kept), 0);
    grkan_cache_store(&key, &(grkan_blob){zeros, (size_t)bytes});
    assert_int_equal(entries_of(cache), 0);
    free(zeros);
}

static void test_the_file_of_another_key_is_a_miss(void **state)
{
    (void)state;
    const grkan_cache_key other = KEY_OF("another", "key");
    char path[2 * PATH_MAX];
    grkan_cache_store(&other, &binary);
    (void)snprintf(path, sizeof path, "%s/%s", cache, other.text);
    assert_int_equal(rename(path, kept), 0);
    assert_false(is_hit());
}

static void test_only_regular_files_are_read(void **state)
{
    (void)state;
    char path[2 * PATH_MAX];
    store_and_hit();
    (void)snprintf(path, sizeof path, "%s/elsewhere", cache);
    assert_int_equal(rename(kept, path), 0);
    assert_int_equal(symlink(path, kept), 0);
    assert_false(is_hit());
    assert_int_equal(unlink(kept), 0);
    assert_int_equal(mkfifo(kept, 0600), 0);
    assert_false(is_hit());
    store_and_hit(); /* takes the pipe's place */
    assert_int_equal(unlink(kept), 0);
    assert_int_equal(mkdir(kept, 0700), 0);
    assert_false(is_hit());
    grkan_cache_store(&key, &binary); /* cannot take the directory's place, and leaves nothing behind */
    assert_false(is_hit());
    assert_int_equal(entries_of(cache), 2);
}

/* -------------------------------------------------------------------------------------------- bad directories */

static void test_shared_directories_are_not_used(void **state)
{
    (void)state;
    static const mode_t modes[] = {0710, 0740, 0720, 0701, 0704, 0702, 0755, 01777};
    store_and_hit();
    for (size_t i = 0; i < sizeof modes / sizeof modes[0]; i++) {
        assert_int_equal(chmod(cache, modes[i]), 0);
        assert_false(is_hit());
    }
    assert_int_equal(unlink(kept), 0);
    grkan_cache_store(&key, &binary);
    assert_int_equal(entries_of(cache), 0);
    assert_int_equal(chmod(cache, 0700), 0);
    store_and_hit();
}

static void test_foreign_owners_are_not_trusted(void **state)
{
    (void)state;
    if (geteuid() != 0) {
        print_message("only root can give files away\n");
        skip();
    }
    store_and_hit();
    assert_int_equal(chown(kept, 12345, (gid_t)-1), 0);
    assert_false(is_hit());
    assert_int_equal(chown(kept, 0, (gid_t)-1), 0);
    assert_true(is_hit());
    assert_int_equal(chown(cache, 12345, (gid_t)-1), 0);
    assert_false(is_hit());
    assert_int_equal(unlink(kept), 0);
    grkan_cache_store(&key, &binary);
    assert_int_equal(entries_of(cache), 0);
}

/* Places where even root can make no file: below a file, and where the kernel keeps its own. */
static void test_directories_that_cannot_be(void **state)
{
    (void)state;
    char path[PATH_MAX + 64];
    const int file = open(cache, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    assert_true(file >= 0);
    assert_int_equal(close(file), 0);
    grkan_cache_store(&key, &binary);
    assert_false(is_hit());

    static char endless[2 * PATH_MAX];
    memset(endless, '/', sizeof endless - 1);
    (void)snprintf(path, sizeof path, "%s/below", cache);
    /* The third is a private directory of ours that takes no files. */
    const char *const hopeless[] = {path, "/proc/grkan", "/proc/self/fd", endless};
    for (size_t i = 0; i < sizeof hopeless / sizeof hopeless[0]; i++) {
        assert_int_equal(setenv("GRKAN_CACHE_DIR", hopeless[i], 1), 0);
        grkan_cache_store(&key, &binary);
        assert_false(is_hit());
    }
    assert_int_equal(entries_of(scratch), 1);
}

/* A disk that fills up on the way: at the header, then at the program. */
static void test_what_does_not_fit_leaves_nothing(void **state)
{
    (void)state;
    struct rlimit usual;
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &usual), 0);
    void (*const handler)(int) = signal(SIGXFSZ, SIG_IGN);
    for (rlim_t room = PROGRAM_AT - 1; room <= PROGRAM_AT + 1; room += 2) {
        const struct rlimit small = {.rlim_cur = room, .rlim_max = usual.rlim_max};
        assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
        grkan_cache_store(&key, &binary);
        assert_int_equal(setrlimit(RLIMIT_FSIZE, &usual), 0);
        assert_int_equal(entries_of(cache), 0);
    }
    assert_true(signal(SIGXFSZ, handler) != SIG_ERR);
    store_and_hit();
}

/* ------------------------------------------------------------------------------------------- at the same time */

/* Store and load for a while. Whoever loads must get all of one of the two programs. */
static void store_and_load(char letter)
{
    enum { BYTES = 100000, ROUNDS = 200 };
    char *const mine = malloc(BYTES);
    if (mine == NULL) {
        _exit(2);
    }
    memset(mine, letter, BYTES);
    for (int round = 0; round < ROUNDS; round++) {
        grkan_blob loaded;
        grkan_cache_store(&key, &(grkan_blob){mine, BYTES});
        if (!grkan_cache_load(&key, &loaded)) {
            _exit(3);
        }
        const char *const got = loaded.data;
        const bool is_whole =
            loaded.bytes == BYTES && (got[0] == 'a' || got[0] == 'b') && memcmp(got, got + 1, BYTES - 1) == 0;
        free(loaded.data);
        if (!is_whole) {
            _exit(4);
        }
    }
    free(mine);
    _exit(0);
}

static void test_two_processes_do_not_disturb_each_other(void **state)
{
    (void)state;
    pid_t children[2];
    for (int i = 0; i < 2; i++) {
        children[i] = fork();
        assert_true(children[i] >= 0);
        if (children[i] == 0) {
            store_and_load((char)('a' + i));
        }
    }
    for (int i = 0; i < 2; i++) {
        int exited = 0;
        assert_int_equal(waitpid(children[i], &exited, 0), children[i]);
        assert_true(WIFEXITED(exited));
        assert_int_equal(WEXITSTATUS(exited), 0);
    }
    assert_int_equal(entries_of(cache), 1);
}

/* A process that was killed leaves a file of the name that the next of its number would use. */
static void test_left_over_files_are_in_nobodys_way(void **state)
{
    (void)state;
    char path[2 * PATH_MAX];
    assert_int_equal(mkdir(cache, 0700), 0);
    for (unsigned i = 0; i < 2000; i++) {
        (void)snprintf(path, sizeof path, "%s/.grkan-%ld-%u.tmp", cache, (long)getpid(), i);
        const int file = i % 50 == 0 ? -1 : open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
        assert_true(i % 50 == 0 || file >= 0);
        if (file >= 0) {
            assert_int_equal(close(file), 0);
        }
    }
    store_and_hit();
}

/** A file in the cache, last written so many seconds ago. */
static void leave(const char *name, time_t age)
{
    char path[2 * PATH_MAX];
    const struct timespec then = {.tv_sec = time(NULL) - age}, times[2] = {then, then};
    (void)snprintf(path, sizeof path, "%s/%s", cache, name);
    const int file = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    assert_true(file >= 0);
    assert_int_equal(futimens(file, times), 0);
    assert_int_equal(close(file), 0);
}

/** What a killed process left goes with the next program that is stored; what another writes now stays, and what is not ours. */
static void test_left_over_files_are_removed_when_they_are_old(void **state)
{
    (void)state;
    static const char *const staying[] = {".grkan-1-2.tmp", ".grkan-.tmpx", "grkan-1-1.tmp", ".grkan.tmp"};
    char path[2 * PATH_MAX];
    assert_int_equal(mkdir(cache, 0700), 0);
    leave(".grkan-1-1.tmp", 7200);
    leave(".grkan-99999-1.tmp", 1 << 30);
    leave(staying[0], 60);
    for (size_t i = 1; i < sizeof staying / sizeof staying[0]; i++) {
        leave(staying[i], 7200);
    }
    (void)snprintf(path, sizeof path, "%s/.grkan-1-3.tmp", cache);
    assert_int_equal(mkdir(path, 0700), 0);
    store_and_hit();
    assert_int_equal(entries_of(cache), 1 + sizeof staying / sizeof staying[0] + 1);
    for (size_t i = 0; i < sizeof staying / sizeof staying[0]; i++) {
        (void)snprintf(path, sizeof path, "%s/%s", cache, staying[i]);
        assert_int_equal(access(path, F_OK), 0);
    }
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, make_scratch, remove_scratch)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_keys_tell_parts_apart),
        TEST(test_what_was_stored_is_loaded),
        TEST(test_a_later_program_replaces_an_earlier),
        TEST(test_off_means_off),
        TEST(test_directories_follow_the_environment),
        TEST(test_no_byte_may_differ),
        TEST(test_no_byte_may_lack),
        TEST(test_another_version_is_a_miss),
        TEST(test_absurd_lengths_are_misses),
        TEST(test_programs_of_more_than_256_mib_are_misses),
        TEST(test_the_file_of_another_key_is_a_miss),
        TEST(test_only_regular_files_are_read),
        TEST(test_shared_directories_are_not_used),
        TEST(test_foreign_owners_are_not_trusted),
        TEST(test_directories_that_cannot_be),
        TEST(test_what_does_not_fit_leaves_nothing),
        TEST(test_two_processes_do_not_disturb_each_other),
        TEST(test_left_over_files_are_in_nobodys_way),
        TEST(test_left_over_files_are_removed_when_they_are_old),
    };
    return cmocka_run_group_tests_name("cache", tests, NULL, NULL);
}
