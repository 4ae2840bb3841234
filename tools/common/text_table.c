/* SPDX-License-Identifier: Apache-2.0 */
/** @file text_table.c @brief A text table whose columns are as wide as their widest cell. */
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "text_table.h"
#include "tools.h"

typedef struct row {
    struct row *next;
    char **cells;
    int filled;
    char *note;
} row;

struct text_table {
    const text_table_column *columns;
    int count;
    row *first;
    row *last;
};

text_table *text_table_new(const text_table_column *columns, int count)
{
    text_table *made = tool_allocate(sizeof *made);
    made->columns = columns;
    made->count = count;
    return made;
}

void text_table_row(text_table *to)
{
    row *made = tool_allocate(sizeof *made);
    made->cells = tool_allocate((size_t)to->count * sizeof *made->cells);
    if (to->last != NULL)
        to->last->next = made;
    else
        to->first = made;
    to->last = made;
}

void text_table_cell(text_table *to, const char *format, ...)
{
    char text[256];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    if (to->last->filled < to->count)
        to->last->cells[to->last->filled++] = tool_copy_text(text);
}

void text_table_note(text_table *to, const char *text)
{
    free(to->last->note);
    to->last->note = tool_copy_text(text);
}

/** 0: it is left out. */
static int column_width(const text_table *of, int column)
{
    const text_table_column *const c = &of->columns[column];
    size_t width = 0;
    for (const row *r = of->first; r != NULL; r = r->next)
        if (column < r->filled && strlen(r->cells[column]) > width)
            width = strlen(r->cells[column]);
    if (c->side == 'L' && width == 0)
        return 0;
    return (int)(width > strlen(c->heading) ? width : strlen(c->heading));
}

static void print_cell(const text_table *of, int column, int width, const char *text, FILE *stream)
{
    int is_last = column + 1 == of->count;
    if (width == 0)
        return;
    if (of->columns[column].side == 'r')
        fprintf(stream, "%*s", width, text);
    else if (is_last)
        fputs(text, stream);
    else
        fprintf(stream, "%-*s", width, text);
    if (!is_last)
        fputs("  ", stream);
}

static void print(const text_table *from, FILE *stream)
{
    int *widths = tool_allocate((size_t)from->count * sizeof *widths);
    for (int i = 0; i < from->count; i++) {
        widths[i] = column_width(from, i);
        print_cell(from, i, widths[i], from->columns[i].heading, stream);
    }
    fputc('\n', stream);
    for (const row *r = from->first; r != NULL; r = r->next) {
        for (int i = 0; i < r->filled; i++)
            print_cell(from, i, widths[i], r->cells[i], stream);
        fprintf(stream, "%s\n", r->note ? r->note : "");
    }
    free(widths);
}

static void free_row(row *what)
{
    for (int i = 0; i < what->filled; i++)
        free(what->cells[i]);
    free(what->cells);
    free(what->note);
    free(what);
}

void text_table_finish(text_table *what, FILE *stream)
{
    print(what, stream);
    while (what->first != NULL) {
        row *const next = what->first->next;
        free_row(what->first);
        what->first = next;
    }
    free(what);
}
