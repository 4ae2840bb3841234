/* SPDX-License-Identifier: Apache-2.0 */
/** @file test_tunings.c @brief Tunings of a device: read, changed, kept, and files that do not serve. The argument is a device. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <dirent.h>
#include <sys/stat.h>
#include <unistd.h>

#include <grkan/tune.h>

static const char *selector;
static char folder[64], file[512];

static int make_folder(void **state)
{
    (void)state;
    (void)snprintf(folder, sizeof folder, "/tmp/grkan-test-tunings-XXXXXX");
    (void)unsetenv("GRKAN_TUNING");
    (void)unsetenv("GRKAN_CACHE");
    return mkdtemp(folder) != NULL ? setenv("GRKAN_CACHE_DIR", folder, 1) : -1;
}

static int remove_folder(void **state)
{
    (void)state;
    (void)chmod(folder, 0700);
    if (file[0] != '\0')
        (void)remove(file);
    file[0] = '\0';
    return rmdir(folder);
}

static grkan_device *open_device(void)
{
    grkan_device *device = NULL;
    if (grkan_device_open(selector, &device) != GRKAN_SUCCESS)
        fail_msg("%s", grkan_last_error());
    return device;
}

/** What a device has that is opened now. */
static grkan_tunings tunings_now(void)
{
    grkan_device *const device = open_device();
    grkan_tunings tunings;
    assert_int_equal(grkan_device_tunings(device, GRKAN_TUNING_CALLER, &tunings), GRKAN_SUCCESS);
    grkan_device_close(device);
    return tunings;
}

/** Keep other tunings than the device has. The file is the only one in the folder. */
static grkan_tunings keep_others(void)
{
    grkan_device *const device = open_device();
    grkan_tunings others;
    assert_int_equal(grkan_device_tunings(device, GRKAN_TUNING_CALLER, &others), GRKAN_SUCCESS);
    for (int kind = 0; kind < GRKAN_TUNING_KINDS; kind++)
        others.of[kind] =
            (grkan_tuning){32 * (kind + 1), 100 * kind, kind + 1, 1 + kind % 4, 1 << kind % 5, 512 * kind};
    assert_int_equal(grkan_device_tune(device, &others), GRKAN_SUCCESS);
    assert_int_equal(grkan_device_keep_tunings(device), GRKAN_SUCCESS);
    grkan_device_close(device);
    DIR *const entries = opendir(folder);
    assert_non_null(entries);
    for (const struct dirent *entry; (entry = readdir(entries)) != NULL;)
        if (entry->d_name[0] != '.')
            (void)snprintf(file, sizeof file, "%s/%s", folder, entry->d_name);
    (void)closedir(entries);
    return others;
}

static void assert_same(const grkan_tunings *one, const grkan_tunings *other)
{
    assert_memory_equal(one->of, other->of, sizeof one->of);
}

static void what_is_kept_is_read_when_the_device_is_opened(void **state)
{
    (void)state;
    const grkan_tunings before = tunings_now(), others = keep_others(), after = tunings_now();
    assert_int_not_equal(before.source, GRKAN_TUNING_FILE);
    assert_int_equal(after.source, GRKAN_TUNING_FILE);
    assert_string_equal(after.note, file);
    assert_same(&after, &others);
    assert_int_equal(setenv("GRKAN_TUNING", "table", 1), 0);
    const grkan_tunings table = tunings_now();
    assert_int_equal(table.source, before.source);
    assert_same(&table, &before);
    assert_int_equal(setenv("GRKAN_TUNING", "default", 1), 0);
    assert_int_equal(tunings_now().source, GRKAN_TUNING_DEFAULT);
    assert_int_equal(unsetenv("GRKAN_TUNING"), 0);
    assert_int_equal(remove(file), 0);
    const grkan_tunings forgotten = tunings_now();
    assert_int_equal(forgotten.source, before.source);
    assert_string_equal(forgotten.note, before.note);
    assert_same(&forgotten, &before);
}

/** A file with one byte changed; of another device or version, which is one that lies under another's name; of nothing. */
static void a_file_that_does_not_serve_is_passed_over(void **state)
{
    (void)state;
    const grkan_tunings before = tunings_now();
    char text[4096];
    (void)keep_others();
    FILE *stream = fopen(file, "rb");
    assert_non_null(stream);
    const size_t bytes = fread(text, 1, sizeof text, stream);
    (void)fclose(stream);
    for (size_t at = 0; at < bytes + 8; at++) {
        char changed[sizeof text];
        memcpy(changed, text, bytes);
        if (at < bytes)
            changed[at] ^= 1;
        stream = fopen(file, "wb");
        assert_non_null(stream);
        (void)fwrite(changed, 1, at < bytes ? bytes : at - bytes, stream); /* or what is left of it */
        (void)fclose(stream);
        const grkan_tunings now = tunings_now();
        if (now.source != before.source || strstr(now.note, "the file is not used: ") == NULL ||
            strstr(now.note, file) == NULL)
            fail_msg("byte %zu of %zu: %s, \"%s\"", at, bytes, grkan_tuning_source_name(now.source), now.note);
        assert_same(&now, &before);
        at += at > 64 && at + 48 < bytes ? 40 : 0; /* the header, then some of the text */
    }
    assert_string_equal(grkan_last_error(), "");
}

static void refuse_to_keep(const grkan_device *device, const char *words)
{
    assert_int_equal(grkan_device_keep_tunings(device), GRKAN_ERROR_UNSUPPORTED);
    if (strstr(grkan_last_error(), words) == NULL)
        fail_msg("\"%s\" does not say \"%s\"", grkan_last_error(), words);
}

static void a_folder_that_others_can_enter_has_none(void **state)
{
    (void)state;
    (void)keep_others();
    assert_int_equal(chmod(folder, 0755), 0);
    const grkan_tunings now = tunings_now();
    assert_int_not_equal(now.source, GRKAN_TUNING_FILE);
    assert_non_null(strstr(now.note, "others can enter its folder"));
    grkan_device *const device = open_device();
    refuse_to_keep(device, " is no folder that is the user's alone (mode 0700)");
    assert_non_null(strstr(grkan_last_error(), folder));
    assert_int_equal(setenv("GRKAN_CACHE", "off", 1), 0);
    refuse_to_keep(device, "cannot be kept: GRKAN_CACHE is off");
    assert_int_equal(unsetenv("GRKAN_CACHE"), 0);
    assert_int_equal(unsetenv("GRKAN_CACHE_DIR"), 0);
    assert_int_equal(unsetenv("XDG_CACHE_HOME"), 0);
    assert_int_equal(unsetenv("HOME"), 0);
    refuse_to_keep(device, "the environment names no folder");
    grkan_device_close(device);
}

/** Where a file cannot take the place of what has its name, as on a disk that is full. */
static void a_folder_that_cannot_be_written_is_named(void **state)
{
    (void)state;
    (void)keep_others();
    assert_int_equal(remove(file), 0);
    assert_int_equal(mkdir(file, 0700), 0);
    grkan_device *const device = open_device();
    refuse_to_keep(device, "nothing can be written to /tmp/grkan-test-tunings-");
    grkan_device_close(device);
}

static void what_may_not_be_is_refused_by_name(void **state)
{
    static const struct {
        grkan_tuning tuning;
        const char *words;
    } wrong[] = {{{33, 0, 1, 1, 4, 0}, "tunings->of[backward].block is 33; expected a multiple of 32 in 32..1024"},
                 {{2048, 0, 1, 1, 4, 0}, "of[backward].block is 2048"},
                 {{256, -1, 1, 1, 4, 0}, "of[backward].occupancy is -1"},
                 {{256, 0, 0, 1, 4, 0}, "of[backward].grid_waves is 0"},
                 {{256, 0, 1, 5, 4, 0}, "of[backward].stages is 5"},
                 {{256, 0, 1, 1, 12, 0}, "of[backward].step is 12; expected a power of 2 in 1..16"},
                 {{256, 0, 1, 1, 4, -4}, "of[backward].least_row_bytes is -4"}};
    (void)state;
    grkan_device *const device = open_device();
    grkan_tunings own, now;
    assert_int_equal(grkan_device_tunings(device, GRKAN_TUNING_CALLER, &own), GRKAN_SUCCESS);
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        grkan_tunings tunings = own;
        tunings.of[GRKAN_TUNING_BACKWARD] = wrong[i].tuning;
        assert_int_equal(grkan_device_tune(device, &tunings), GRKAN_ERROR_INVALID_ARGUMENT);
        if (strstr(grkan_last_error(), wrong[i].words) == NULL)
            fail_msg("\"%s\" lacks \"%s\"", grkan_last_error(), wrong[i].words);
    }
    assert_int_equal(grkan_device_tune(NULL, &own), GRKAN_ERROR_INVALID_ARGUMENT);
    assert_int_equal(grkan_device_tune(device, NULL), GRKAN_ERROR_INVALID_ARGUMENT);
    assert_int_equal(grkan_device_tunings(device, GRKAN_TUNING_CALLER, NULL), GRKAN_ERROR_INVALID_ARGUMENT);
    assert_int_equal(grkan_device_tunings(device, (grkan_tuning_source)9, &now), GRKAN_ERROR_INVALID_ARGUMENT);
    assert_int_equal(grkan_device_tunings(device, GRKAN_TUNING_CALLER, &now), GRKAN_SUCCESS);
    assert_int_equal(now.source, own.source);
    assert_same(&now, &own);
    grkan_device_close(device);
}

static void the_cpu_has_none(void **state)
{
    (void)state;
    grkan_device *device = NULL;
    grkan_tunings tunings;
    assert_int_equal(grkan_device_open("cpu", &device), GRKAN_SUCCESS);
    assert_int_equal(grkan_device_tunings(device, GRKAN_TUNING_DEFAULT, &tunings), GRKAN_SUCCESS);
    assert_int_equal(tunings.source, GRKAN_TUNING_NONE);
    assert_int_equal(grkan_device_tune(device, &tunings), GRKAN_ERROR_UNSUPPORTED);
    assert_int_equal(grkan_device_keep_tunings(device), GRKAN_ERROR_UNSUPPORTED);
    grkan_device_close(device);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(what_is_kept_is_read_when_the_device_is_opened, make_folder, remove_folder),
        cmocka_unit_test_setup_teardown(a_file_that_does_not_serve_is_passed_over, make_folder, remove_folder),
        cmocka_unit_test_setup_teardown(a_folder_that_others_can_enter_has_none, make_folder, remove_folder),
        cmocka_unit_test_setup_teardown(a_folder_that_cannot_be_written_is_named, make_folder, remove_folder),
        cmocka_unit_test_setup_teardown(what_may_not_be_is_refused_by_name, make_folder, remove_folder),
        cmocka_unit_test_setup_teardown(the_cpu_has_none, make_folder, remove_folder),
    };
    grkan_device *device = NULL;
    selector = argc > 1 ? argv[1] : "";
    if (grkan_device_open(selector, &device) != GRKAN_SUCCESS) {
        (void)printf("SKIP: %s\n", grkan_last_error());
        return 77;
    }
    grkan_device_close(device);
    return cmocka_run_group_tests_name("tunings", tests, NULL, NULL);
}
