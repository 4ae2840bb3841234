/* SPDX-License-Identifier: Apache-2.0 */
/** @file test_files.c @brief Files, folders, the cache, libraries and programs under Windows. */
#include <windows.h>

#include <aclapi.h>
#include <errno.h>

#include "child.h"

#include "../../core/internal.h"

static char folder[GRKAN_PATH_BYTES], cache[GRKAN_PATH_BYTES + 32], file[2 * GRKAN_PATH_BYTES];

static int set_up(void **state)
{
    (void)state;
    make_odd_folder(folder, sizeof folder);
    (void)snprintf(cache, sizeof cache, "%s/cache of \xc3\xa4", folder);
    return grkan_set_environment("GRKAN_CACHE_DIR", cache) ? 0 : -1;
}

static int tear_down(void **state)
{
    (void)state;
    remove_odd_folder(folder);
    return 0;
}

static const char *in_folder(const char *name)
{
    (void)snprintf(file, sizeof file, "%s/%s", folder, name);
    return file;
}

static wchar_t *wide(const char *path)
{
    static wchar_t text[GRKAN_PATH_BYTES];
    assert_true(MultiByteToWideChar(CP_UTF8, MB_ERR_INVALID_CHARS, path, -1, text, GRKAN_PATH_BYTES) > 0);
    return text;
}

/* ----------------------------------------------------------------------------------------------------- paths */

static void test_paths(void **state)
{
    (void)state;
    assert_true(grkan_is_absolute("C:/a") && grkan_is_absolute("z:\\") && grkan_is_absolute("\\\\machine\\share"));
    assert_false(grkan_is_absolute("C:a") || grkan_is_absolute("/a") || grkan_is_absolute("a") ||
                 grkan_is_absolute(""));
    assert_string_equal(grkan_path_name("C:\\a/b\\c.dll"), "c.dll");
    assert_string_equal(grkan_path_name("C:c.dll"), "c.dll");
    assert_string_equal(grkan_path_name("c.dll"), "c.dll");
}

static void test_the_environment_is_utf_8(void **state)
{
    (void)state;
    assert_true(grkan_set_environment("GRKAN_TEST_NAME", ODD_NAME));
    assert_string_equal(grkan_environment("GRKAN_TEST_NAME"), ODD_NAME);
    assert_true(grkan_set_environment("GRKAN_TEST_NAME", NULL));
    assert_null(grkan_environment("GRKAN_TEST_NAME"));
    assert_true(grkan_set_environment("GRKAN_TEST_NAME", NULL)); /* again */
}

/* ------------------------------------------------------------------------------------------------- the cache */

static char program[256 << 10] = "a program of some bytes"; /* so many that writing them takes a while */

/** Keep a program under a key, and find it. */
static bool keep(unsigned number)
{
    char text[32];
    (void)snprintf(text, sizeof text, "%u", number);
    const grkan_cache_key key = grkan_cache_key_of((const char *const[]){"test", text}, 2);
    grkan_blob found = {NULL, 0};
    grkan_cache_store(&key, &(grkan_blob){program, sizeof program});
    const bool is_there = grkan_cache_load(&key, &found) && found.bytes == sizeof program &&
                          memcmp(found.data, program, sizeof program) == 0;
    free(found.data);
    return is_there;
}

/** Remove what is in the cache, and the cache. @return how many programs there were; -1: something else, too */
static int empty_cache(void)
{
    WIN32_FIND_DATAW found;
    char pattern[sizeof cache + 2], name[512], path[sizeof cache + sizeof name];
    int programs = 0;
    bool is_clean = true;
    (void)snprintf(pattern, sizeof pattern, "%s/*", cache);
    const HANDLE search = FindFirstFileW(wide(pattern), &found);
    if (search == INVALID_HANDLE_VALUE)
        return 0;
    do {
        assert_true(WideCharToMultiByte(CP_UTF8, 0, found.cFileName, -1, name, sizeof name, NULL, NULL) > 0);
        if (strcmp(name, ".") == 0 || strcmp(name, "..") == 0)
            continue;
        const bool is_program = strlen(name) == 32 && strspn(name, "0123456789abcdef") == 32;
        programs += is_program;
        is_clean = is_clean && is_program;
        (void)snprintf(path, sizeof path, "%s/%s", cache, name);
        grkan_file_remove(path);
    } while (FindNextFileW(search, &found));
    (void)FindClose(search);
    grkan_remove_folder(cache);
    return is_clean ? programs : -1;
}

static void test_a_cache_with_an_odd_name(void **state)
{
    (void)state;
    assert_true(keep(0));
    assert_true(keep(0)); /* in its own place */
    assert_true(grkan_is_private_folder(cache));
    assert_int_equal(empty_cache(), 1);
}

/** A file in the cache, last written so many seconds ago. */
static void leave(const char *name, uint64_t seconds)
{
    char path[sizeof cache + 32];
    FILETIME time;
    (void)snprintf(path, sizeof path, "%s/%s", cache, name);
    write_text(path, "a part of a program");
    GetSystemTimeAsFileTime(&time);
    const uint64_t then = ((uint64_t)time.dwHighDateTime << 32 | time.dwLowDateTime) - seconds * 10000000u;
    const HANDLE left = CreateFileW(wide(path), GENERIC_WRITE, 0, NULL, OPEN_EXISTING, 0, NULL);
    assert_true(left != INVALID_HANDLE_VALUE);
    time = (FILETIME){.dwHighDateTime = (DWORD)(then >> 32), .dwLowDateTime = (DWORD)then};
    assert_true(SetFileTime(left, NULL, NULL, &time));
    (void)CloseHandle(left);
}

static bool is_in_cache(const char *name)
{
    char path[sizeof cache + 32];
    (void)snprintf(path, sizeof path, "%s/%s", cache, name);
    return grkan_is_file(path);
}

/** What a process that was ended left goes with the next program that is kept; what another writes now stays. */
static void test_left_over_files_are_removed_when_they_are_old(void **state)
{
    (void)state;
    assert_true(keep(0));
    leave(".grkan-1-1.tmp", 7200);
    leave(".grkan-1-2.tmp", 60);
    leave("grkan-1-1.tmp", 7200);
    assert_true(keep(1));
    assert_false(is_in_cache(".grkan-1-1.tmp"));
    assert_true(is_in_cache(".grkan-1-2.tmp") && is_in_cache("grkan-1-1.tmp"));
    assert_int_equal(empty_cache(), -1);
}

static void test_the_users_folder(void **state)
{
    (void)state;
    const char *const before = grkan_environment("LOCALAPPDATA");
    char found[GRKAN_PATH_BYTES], expected[GRKAN_PATH_BYTES + 16];
    assert_true(grkan_set_environment("GRKAN_CACHE_DIR", NULL) && grkan_set_environment("LOCALAPPDATA", folder));
    assert_true(grkan_caches_folder(found, sizeof found));
    assert_string_equal(found, folder);
    (void)snprintf(expected, sizeof expected, "%s/grkan", folder);
    (void)snprintf(cache, sizeof cache, "%s", expected);
    assert_true(keep(1));
    assert_true(grkan_is_private_folder(expected));
    assert_int_equal(empty_cache(), 1);
    assert_true(grkan_set_environment("LOCALAPPDATA", "relative"));
    assert_false(grkan_caches_folder(found, sizeof found));
    assert_true(grkan_set_environment("LOCALAPPDATA", before));
    assert_int_equal(set_up(state), 0);
}

/** Give everybody a right to the cache. */
static void open_to_everybody(void)
{
    EXPLICIT_ACCESSW access = {.grfAccessPermissions = GENERIC_ALL,
                               .grfAccessMode = GRANT_ACCESS,
                               .grfInheritance = SUB_CONTAINERS_AND_OBJECTS_INHERIT,
                               .Trustee = {.TrusteeForm = TRUSTEE_IS_SID, .TrusteeType = TRUSTEE_IS_WELL_KNOWN_GROUP}};
    BYTE everybody[SECURITY_MAX_SID_SIZE];
    DWORD size = sizeof everybody;
    PACL list = NULL;
    assert_true(CreateWellKnownSid(WinWorldSid, NULL, everybody, &size));
    access.Trustee.ptstrName = (LPWSTR)everybody;
    assert_int_equal(SetEntriesInAclW(1, &access, NULL, &list), ERROR_SUCCESS);
    assert_int_equal(
        SetNamedSecurityInfoW(wide(cache), SE_FILE_OBJECT, DACL_SECURITY_INFORMATION, NULL, NULL, list, NULL),
        ERROR_SUCCESS);
    (void)LocalFree(list);
}

static void test_a_shared_cache_is_not_used(void **state)
{
    (void)state;
    assert_true(keep(2));
    open_to_everybody();
    assert_false(grkan_is_private_folder(cache));
    assert_false(keep(2));
    assert_int_equal(empty_cache(), 1);
}

static void test_a_cache_where_nothing_can_be_written(void **state)
{
    (void)state;
    assert_true(grkan_set_environment("GRKAN_CACHE_DIR", "Z:/proc/grkan")); /* Wine shows all of Linux there */
    assert_false(keep(3));
    assert_true(grkan_set_environment("GRKAN_CACHE_DIR", cache));
    write_text(cache, "no folder");
    assert_false(keep(3));
    grkan_file_remove(cache);
}

enum { fillers = 3, programs_of_each = 40 };

/** In a process of its own: what is there once is there, whoever writes it again. @return exit status */
static int fill(void)
{
    for (unsigned round = 0; round < 3; round++)
        for (unsigned i = 0; i < programs_of_each; i++)
            if (!keep(i))
                return 1;
    return 0;
}

typedef struct filler {
    grkan_thread thread;
    char log[GRKAN_PATH_BYTES + 32];
    int exit_status;
} filler;

static void *run_filler(void *argument)
{
    filler *const f = argument;
    char self[GRKAN_PATH_BYTES];
    f->exit_status = -1;
    if (grkan_library_file((const void *)(uintptr_t)run_filler, self, sizeof self))
        (void)grkan_run_program((const char *const[]){self, "--fill", NULL}, f->log, &f->exit_status);
    return NULL;
}

static void test_processes_fill_one_cache(void **state)
{
    static filler all[fillers];
    (void)state;
    for (int i = 0; i < fillers; i++) {
        (void)snprintf(all[i].log, sizeof all[i].log, "%s/log %d", folder, i);
        assert_true(grkan_thread_start(&all[i].thread, run_filler, &all[i], 256 << 10));
    }
    for (int i = 0; i < fillers; i++) {
        grkan_thread_join(all[i].thread);
        grkan_file_remove(all[i].log);
        assert_int_equal(all[i].exit_status, 0);
    }
    assert_int_equal(empty_cache(), programs_of_each);
}

/* -------------------------------------------------------------------------------------------------- output */

static void test_output(void **state)
{
    char text[64];
    (void)state;
    const char *const path = in_folder("r\xc3\xa9sultat \xf0\x9f\x98\x80.json");
    assert_true(grkan_output_check(path));
    assert_false(grkan_is_file(path));
    assert_true(grkan_output_write(path, "old", 3));
    assert_true(grkan_output_check(path));
    read_text(path, text, sizeof text);
    assert_string_equal(text, "old");
    assert_true(grkan_output_write(path, "newer", 5));
    read_text(path, text, sizeof text);
    assert_string_equal(text, "newer");
    assert_true(SetFileAttributesW(wide(path), FILE_ATTRIBUTE_READONLY));
    assert_false(grkan_output_check(path));
    assert_int_equal(errno, EACCES);
    assert_false(grkan_output_write(path, "no", 2));
    read_text(path, text, sizeof text);
    assert_string_equal(text, "newer");
    assert_true(SetFileAttributesW(wide(path), FILE_ATTRIBUTE_NORMAL));
    grkan_file_remove(path);
    assert_true(grkan_output_write("NUL", "any", 3));
}

static void test_output_that_cannot_be(void **state)
{
    (void)state;
    assert_false(grkan_output_check(folder));
    assert_int_equal(errno, EISDIR);
    assert_false(grkan_output_check(in_folder("nowhere/file")));
    assert_int_equal(errno, ENOENT);
    assert_false(grkan_output_check(""));
    assert_false(grkan_output_check("\xff.json")); /* no UTF-8 */
    assert_int_equal(errno, EILSEQ);
    assert_false(grkan_output_check("Z:/proc/file"));
}

static void test_paths_beyond_260_characters(void **state)
{
    char path[2 * GRKAN_PATH_BYTES], text[16];
    size_t made = 0, length[8];
    (void)state;
    (void)snprintf(path, sizeof path, "%s", folder);
    for (; made < COUNT_OF(length); made++) {
        length[made] = strlen(path);
        (void)snprintf(path + length[made], sizeof path - length[made], "/%060d", (int)made);
        assert_true(grkan_make_folder(path, false));
    }
    assert_true(strlen(path) > 2 * MAX_PATH - 60);
    strcat(path, "/file");
    assert_true(grkan_output_write(path, "far", 3));
    read_text(path, text, sizeof text);
    assert_string_equal(text, "far");
    grkan_file_remove(path);
    *strrchr(path, '/') = '\0';
    while (made-- > 0) {
        grkan_remove_folder(path);
        assert_false(grkan_is_file(path));
        path[length[made]] = '\0';
    }
}

/* ---------------------------------------------------------------------------------------------- libraries */

static void test_libraries(void **state)
{
    static const char mine;
    char path[GRKAN_PATH_BYTES], beside[GRKAN_PATH_BYTES + 32];
    (void)state;
    assert_null(grkan_library_open("grkan_no_such.dll"));
    assert_int_equal(strncmp(grkan_library_error(), "grkan_no_such.dll: ", 19), 0);
    assert_string_equal(grkan_library_error(), "no reason given"); /* a second time */
    write_text(in_folder("text.dll"), "this is no library");
    assert_null(grkan_library_open(file));
    assert_non_null(strstr(grkan_library_error(), "text.dll"));
    grkan_file_remove(file);
    assert_true(grkan_library_folder(&mine, path, sizeof path));
    (void)snprintf(beside, sizeof beside, "%s/test_files.exe", path);
    assert_true(grkan_is_file(beside));
    assert_true(grkan_library_loaded("kernel", 0, path, sizeof path)); /* kernel32.dll: numbers may follow */
    assert_false(grkan_library_loaded("kern", 0, path, sizeof path));
    assert_false(grkan_library_loaded("kernel", 1, path, sizeof path));
}

/** Who owns the current folder, or one of PATH's, shall not be able to put a library there. */
static void test_libraries_of_the_current_folder(void **state)
{
    char module[GRKAN_PATH_BYTES];
    wchar_t before[GRKAN_PATH_BYTES];
    (void)state;
    (void)snprintf(module, sizeof module, "%s/devices.dll", grkan_environment("GRKAN_FAKE_BACKENDS"));
    copy_file(module, in_folder("grkan_test_copy.dll"));
    assert_true(GetCurrentDirectoryW(GRKAN_PATH_BYTES, before) > 0);
    assert_true(SetCurrentDirectoryW(wide(folder)));
    grkan_library *const by_name = grkan_library_open("grkan_test_copy.dll");
    assert_true(SetCurrentDirectoryW(before));
    assert_null(by_name);
    grkan_library *const by_path = grkan_library_open(file);
    assert_non_null(by_path);
    assert_non_null(grkan_library_symbol(by_path, "grkan_backend_table"));
    assert_null(grkan_library_symbol(by_path, "no_such_symbol"));
    assert_non_null(strstr(grkan_library_error(), "no_such_symbol"));
    grkan_library_close(by_path);
    grkan_file_remove(file);
}

/* ----------------------------------------------------------------------------------------------- programs */

static const char *const odd_arguments[] = {"--show", "",        " ",      "a b", "\"", "a\\",
                                            "\\\"",   "a b\\\\", ODD_NAME, "*",   NULL};

static void test_programs_get_their_arguments(void **state)
{
    char said[512], log[GRKAN_PATH_BYTES + 16], expected[512] = "";
    int exit_status = 0;
    (void)state;
    (void)snprintf(log, sizeof log, "%s/log", folder);
    for (size_t i = 1; odd_arguments[i] != NULL; i++) {
        strcat(expected, odd_arguments[i]);
        strcat(expected, "\n");
    }
    assert_int_equal(run_again(odd_arguments, log, said, sizeof said), 3);
    assert_string_equal(said, expected);
    assert_false(grkan_run_program((const char *const[]){"grkan_no_such_program", NULL}, log, &exit_status));
    assert_int_equal(errno, ENOENT);
    grkan_file_remove(log);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_paths),
        cmocka_unit_test(test_the_environment_is_utf_8),
        cmocka_unit_test(test_a_cache_with_an_odd_name),
        cmocka_unit_test(test_left_over_files_are_removed_when_they_are_old),
        cmocka_unit_test(test_the_users_folder),
        cmocka_unit_test(test_a_shared_cache_is_not_used),
        cmocka_unit_test(test_a_cache_where_nothing_can_be_written),
        cmocka_unit_test(test_processes_fill_one_cache),
        cmocka_unit_test(test_output),
        cmocka_unit_test(test_output_that_cannot_be),
        cmocka_unit_test(test_paths_beyond_260_characters),
        cmocka_unit_test(test_libraries),
        cmocka_unit_test(test_libraries_of_the_current_folder),
        cmocka_unit_test(test_programs_get_their_arguments),
    };
    grkan_program_begin(&argc, &argv);
    if (argc == 2 && strcmp(argv[1], "--fill") == 0)
        return fill();
    for (int i = 2; argc > 2 && i < argc; i++)
        (void)printf("%s\n", argv[i]);
    return argc > 2 ? 3 : cmocka_run_group_tests_name("files", tests, set_up, tear_down);
}
