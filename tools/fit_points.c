/* SPDX-License-Identifier: Apache-2.0 */
/** @file fit_points.c @brief Reads a table of points. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "fit.h"

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

/** @return 1 with a point, 0 for an empty line, -1 for anything else */
static int read_line(char *line, double *x, double *y)
{
    line[strcspn(line, "#\r\n")] = '\0';
    line += strspn(line, " \t");
    if (*line == '\0')
        return 0;
    return read_number(&line, x) == 0 && read_number(&line, y) == 0 && *line == '\0' ? 1 : -1;
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

static int read_stream(const char *who, const char *path, FILE *stream, fit_outcome *outcome)
{
    char *line = NULL;
    size_t room = 0;
    int result = TOOL_GOOD;
    for (int number = 1; result == TOOL_GOOD && getline(&line, &room, stream) >= 0; number++) {
        double x = 0, y = 0;
        const int kind = read_line(line, &x, &y);
        if (kind > 0)
            add_point(outcome, x, y);
        if (kind < 0) {
            fprintf(stderr, "%s: --points: %s:%d: '%s' is not two numbers, as \"0.5 0.25\"\n", who, path, number, line);
            result = TOOL_BAD_USAGE;
        }
    }
    free(line);
    return result;
}

int fit_read_points(const char *who, const char *path, fit_outcome *outcome)
{
    FILE *stream = fopen(path, "r");
    int result = stream ? read_stream(who, path, stream, outcome) : TOOL_GOOD;
    if (stream == NULL || ferror(stream)) {
        fprintf(stderr, "%s: --points: cannot read '%s': %s\n", who, path, strerror(errno));
        result = TOOL_BAD_USAGE;
    }
    if (stream != NULL)
        (void)fclose(stream);
    if (result == TOOL_GOOD && outcome->points == 0) {
        fprintf(stderr, "%s: --points: there is no point in '%s'\n", who, path);
        result = TOOL_BAD_USAGE;
    }
    return result;
}
