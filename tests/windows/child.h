/* SPDX-License-Identifier: Apache-2.0 */
/** @file child.h @brief This program again, asked for one thing, and folders with the names that people give. */
#ifndef CHILD_H
#define CHILD_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "../../core/platform/platform.h"

#define COUNT_OF(array) (sizeof(array) / sizeof((array)[0]))

/** A space, an umlaut, and a character that takes two of UTF-16. */
#define ODD_NAME "f\xc3\xbcr uns \xf0\x9f\x98\x80"

/** Make a fresh folder whose name is odd. */
static inline void make_odd_folder(char *folder, size_t bytes)
{
    char above[GRKAN_PATH_BYTES];
    assert_true(grkan_temporary_folder(above, sizeof above));
    assert_true((size_t)snprintf(folder, bytes, "%s/%s", above, ODD_NAME) < bytes);
    assert_true(grkan_make_folder(folder, true));
}

/** Remove it; what is in it has gone. */
static inline void remove_odd_folder(char *folder)
{
    assert_true(grkan_is_file(folder));
    grkan_remove_folder(folder);
    assert_false(grkan_is_file(folder)); /* something was left in it */
    *strrchr(folder, '/') = '\0';
    grkan_remove_folder(folder);
}

/** Read a text file of less than `bytes`. */
static inline void read_text(const char *path, char *text, size_t bytes)
{
    FILE *const file = grkan_file_open(path, "rb");
    assert_non_null(file);
    text[fread(text, 1, bytes - 1, file)] = '\0';
    assert_int_equal(fclose(file), 0);
}

static inline void write_text(const char *path, const char *text)
{
    FILE *const file = grkan_file_open(path, "wb");
    assert_non_null(file);
    assert_int_equal(fputs(text, file), 0);
    assert_int_equal(fclose(file), 0);
}

static inline void copy_file(const char *from, const char *to)
{
    static char bytes[1 << 16];
    FILE *const source = grkan_file_open(from, "rb"), *const target = grkan_file_open(to, "wb");
    assert_non_null(source);
    assert_non_null(target);
    for (size_t got; (got = fread(bytes, 1, sizeof bytes, source)) > 0;)
        assert_int_equal(fwrite(bytes, 1, got, target), got);
    assert_int_equal(fclose(source), 0);
    assert_int_equal(fclose(target), 0);
}

/** Run this program with some arguments, NULL behind them. @return its exit status; what it said is in `said` */
static inline int run_again(const char *const arguments[], const char *log, char *said, size_t bytes)
{
    char self[GRKAN_PATH_BYTES];
    const char *all[16] = {self};
    int exit_status = -1;
    assert_true(grkan_library_file((const void *)(uintptr_t)run_again, self, sizeof self));
    for (size_t i = 0; arguments[i] != NULL; i++)
        all[i + 1] = arguments[i];
    if (!grkan_run_program(all, log, &exit_status))
        return -1;
    read_text(log, said, bytes);
    grkan_file_remove(log);
    return exit_status;
}

#endif
