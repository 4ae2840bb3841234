/* SPDX-License-Identifier: Apache-2.0 */
/** @file fit_points.c @brief Reads a table of points. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "../../core/platform/platform.h"
#include "fit_tool.h"

enum { SHOWN = 60 }; /* characters of a bad line, which may be as long as the file */

/** A number at *text, which moves behind it and behind what separates it from the next. @return 0, or -1 */
static int read_number(char **text, double *value)
{
    char *end;
    *value = strtod(*text, &end);
    if (end == *text || strchr(" \t,", *end) == NULL) /* strchr finds the final 0 too */
        return -1;
    end += strspn(end, " \t");
    end += *end == ',';
    *text = end + strspn(end, " \t");
    return 0;
}

/** @return 1 with a point, 0 for an empty line, -1 for anything else: every byte of a line counts */
static int read_line(char *line, size_t length, double *x, double *y)
{
    length -= length > 0 && line[length - 1] == '\n';
    length -= length > 0 && line[length - 1] == '\r';
    line[length] = '\0';
    if (strlen(line) != length || strchr(line, '\r') != NULL) /* as in UTF-16, or with line ends of another kind */
        return -1;
    char *const comment = strchr(line, '#');
    char *text = line + strspn(line, " \t");
    if (*text == '\0' || text == comment)
        return 0;
    if (comment != NULL)
        *comment = '\0';
    const int is_point = read_number(&text, x) == 0 && read_number(&text, y) == 0 && *text == '\0';
    if (comment != NULL)
        *comment = '#'; /* for the message */
    return is_point ? 1 : -1;
}

/** The beginning of a line, as any terminal shows it. */
static void complain_of_line(const char *who, const char *path, long number, char *line)
{
    const size_t length = strlen(line);
    for (char *at = line; *at != '\0'; at++)
        if (*at != '\t' && ((unsigned char)*at < ' ' || *at == 0x7f))
            *at = '?';
    fprintf(stderr, "%s: --points: %s:%ld: '%.*s%s' is not two numbers, as \"0.5 0.25\"\n", who, path, number, SHOWN,
            line, length > SHOWN ? "..." : "");
}

static void add_point(fit_outcome *outcome, double x, double y)
{
    const size_t count = outcome->points, room = count ? count : 1;
    if ((count & (count - 1)) == 0) { /* full: twice the room */
        outcome->x = tool_resize(outcome->x, 2 * room * sizeof *outcome->x);
        outcome->y = tool_resize(outcome->y, 2 * room * sizeof *outcome->y);
    }
    outcome->x[count] = x;
    outcome->y[count] = y;
    outcome->low = count == 0 || x < outcome->low ? x : outcome->low;
    outcome->high = count == 0 || x > outcome->high ? x : outcome->high;
    outcome->points++;
}

/** Read a line with its end. @return its bytes, or -1: there is none, or the stream failed */
static long next_line(FILE *stream, char **line, size_t *room)
{
    size_t length = 0;
    int byte = 0;
    while (byte != '\n' && (byte = getc(stream)) != EOF) {
        if (length + 2 > *room) {
            *room = *room != 0 ? 2 * *room : 128;
            *line = tool_resize(*line, *room);
        }
        (*line)[length++] = (char)byte;
        (*line)[length] = '\0';
    }
    return length > 0 && !ferror(stream) ? (long)length : -1;
}

static int read_stream(const char *who, const char *path, FILE *stream, fit_outcome *outcome)
{
    char *line = NULL;
    size_t room = 0;
    long length;
    int result = TOOL_GOOD;
    for (long number = 1; result == TOOL_GOOD && (length = next_line(stream, &line, &room)) > 0; number++) {
        double x = 0, y = 0;
        const int found = read_line(line, (size_t)length, &x, &y);
        if (found > 0)
            add_point(outcome, x, y);
        if (found < 0) {
            complain_of_line(who, path, number, line);
            result = TOOL_BAD_USAGE;
        }
    }
    if (result == TOOL_GOOD && !feof(stream)) {
        fprintf(stderr, "%s: --points: cannot read '%s': %s\n", who, path, strerror(errno));
        result = TOOL_BAD_USAGE;
    }
    free(line);
    return result;
}

int fit_read_points(const char *who, const char *path, fit_outcome *outcome)
{
    FILE *stream = grkan_file_open(path, "rb");
    if (stream == NULL) {
        fprintf(stderr, "%s: --points: cannot read '%s': %s\n", who, path, strerror(errno));
        return TOOL_BAD_USAGE;
    }
    int result = read_stream(who, path, stream, outcome);
    (void)fclose(stream);
    if (result == TOOL_GOOD && outcome->points == 0) {
        fprintf(stderr, "%s: --points: there is no point in '%s'\n", who, path);
        result = TOOL_BAD_USAGE;
    }
    return result;
}
