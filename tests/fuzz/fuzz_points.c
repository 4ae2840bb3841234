/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file fuzz_points.c
 * @brief Fuzzes the reader of `grkan fit --points`: every line is a point, or there is one sentence about the first that
 * is none.
 */
#include <errno.h>
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "fuzz.h"

/* The reader itself, and what it says in memory. */
static FILE *said;
#undef stderr
#define stderr said
#include "../../tools/fit/fit_points.c"
#undef stderr

const char *grkan_last_error(void)
{
    return ""; /* for tool_complain, which is not called here */
}

/** Points of a good file: lines that are neither empty nor comments. */
static size_t count_lines(const uint8_t *data, size_t size)
{
    size_t count = 0;
    for (size_t at = 0; at < size;) {
        const uint8_t *const newline = memchr(data + at, '\n', size - at);
        size_t end = newline != NULL ? (size_t)(newline - data) : size;
        const size_t next = end + 1;
        while (at < end && (data[at] == ' ' || data[at] == '\t'))
            at++;
        end -= end > at && data[end - 1] == '\r';
        fuzz_require(memchr(data + at, '\r', end - at) == NULL && memchr(data + at, '\0', end - at) == NULL);
        count += at < end && data[at] != '#';
        at = next;
    }
    return count;
}

/** The points' range, where comparing means something. */
static void check_range(const fit_outcome *outcome)
{
    for (size_t i = 0; i < outcome->points; i++)
        if (isnan(outcome->x[i]))
            return;
    for (size_t i = 0; i < outcome->points; i++)
        fuzz_require(outcome->low <= outcome->x[i] && outcome->x[i] <= outcome->high);
}

static void check_sentence(const char *text, size_t length)
{
    fuzz_require(length > 0 && length < 300 && strlen(text) == length && strchr(text, '\n') == text + length - 1);
    for (size_t i = 0; i + 1 < length; i++)
        fuzz_require((unsigned char)text[i] >= ' ' || text[i] == '\t');
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static int file = -1;
    char path[64], *text = NULL;
    size_t length = 0;
    fit_outcome outcome = {0};
    if (file < 0)
        file = memfd_create("points", 0);
    fuzz_require(ftruncate(file, 0) == 0 && pwrite(file, data, size, 0) == (ssize_t)size);
    snprintf(path, sizeof path, "/proc/self/fd/%d", file);
    said = open_memstream(&text, &length);
    fuzz_require(said != NULL);
    const int result = fit_read_points("fuzz", path, &outcome);
    fuzz_require(fclose(said) == 0);
    if (result == TOOL_GOOD) {
        fuzz_require(length == 0 && outcome.points > 0 && outcome.points == count_lines(data, size));
        check_range(&outcome);
    } else {
        check_sentence(text, length);
    }
    free(text);
    free(outcome.x);
    free(outcome.y);
    return 0;
}
