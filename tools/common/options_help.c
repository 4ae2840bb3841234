/* SPDX-License-Identifier: Apache-2.0 */
/** @file options_help.c @brief What --help and --usage show, as GNU's programs lay it out. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "options.h"

/* Columns, counted from 0. */
enum { LETTER_COLUMN = 2, NAME_COLUMN = 6, HELP_COLUMN = 29, USAGE_COLUMN = 12, WIDTH = 79 };

enum { LAST_GROUP = 1 << 16 };

const command_option standard_options[] = {
    {"help", OPTION_HELP, NULL, "Give this help list", LAST_GROUP},
    {"usage", OPTION_USAGE, NULL, "Give a short usage message", LAST_GROUP},
    {"version", OPTION_VERSION, NULL, "Print program version", LAST_GROUP},
    {0},
};

/** An option with its other names: consecutive rows. */
typedef struct entry {
    const command_option *rows;
    int count;
} entry;

/** What a help shows, in its order. */
typedef struct entries {
    entry of[OPTIONS_MOST];
    int count;
} entries;

/** A heading before the options of its group, and these by name. */
static int compare_entries(const void *left, const void *right)
{
    const command_option *const a = ((const entry *)left)->rows, *const b = ((const entry *)right)->rows;
    if (a->group != b->group)
        return a->group < b->group ? -1 : 1;
    if (a->name == NULL || b->name == NULL)
        return (a->name != NULL) - (b->name != NULL);
    return strcmp(a->name, b->name);
}

static int is_other_name(const command_option *row)
{
    return row->name != NULL && row->help == NULL;
}

static entries list_entries(const command_line *command)
{
    const command_option *const sets[] = {command->own->options, command->shared ? command->shared->options : NULL,
                                          standard_options};
    entries made = {.count = 0};
    for (size_t i = 0; i < sizeof sets / sizeof *sets; i++)
        for (const command_option *row = sets[i]; row && (row->name || row->help);) {
            entry *const next = &made.of[made.count];
            *next = (entry){row++, 1};
            for (; is_other_name(row); row++)
                next->count++;
            made.count += *next->rows->help != '\0';
        }
    qsort(made.of, (size_t)made.count, sizeof *made.of, compare_entries);
    return made;
}

int option_letter(const command_option *option)
{
    if (option->key == OPTION_HELP)
        return '?';
    return option->name != NULL && option->key > ' ' && option->key < 0x7f ? option->key : 0;
}

/**
 * Print an option's argument: "=N" behind a name, " N" behind a letter, in brackets if it may be left out.
 * @return columns
 */
static int print_argument(const command_option *row, char separator)
{
    const char *const word = row->argument;
    if (word == NULL)
        return 0;
    return *word == '[' ? printf("[%c%s", separator, word + 1) : printf("%c%s", separator, word);
}

/** Print words, as many on a line as it takes, from a column on; further lines begin at `indent`. */
static void print_words(const char *text, int column, int indent)
{
    for (int is_first = 1; *text != '\0'; is_first = 0) {
        const int length = (int)strcspn(text, " ");
        const int width = text[length] == '\0' ? WIDTH - 1 : WIDTH; /* as argp had it */
        if (!is_first && column + 1 + length > width)
            column = printf("\n%*s", indent, "") - 1;
        else if (!is_first)
            column += printf(" ");
        column += printf("%.*s", length, text);
        text += length + (text[length] == ' ');
    }
    putchar('\n');
}

static void print_entry(const entry *e)
{
    const command_option *const row = e->rows;
    if (row->name == NULL) {
        printf(" %s\n", row->help);
        return;
    }
    int column = printf("%*s", LETTER_COLUMN, "");
    if (option_letter(row) != 0)
        column += printf("-%c, ", option_letter(row));
    column += printf("%*s", NAME_COLUMN - column, "");
    for (int i = 0; i < e->count; i++) {
        column += printf("%s--%s", i ? ", " : "", row[i].name);
        column += print_argument(&row[i], '=');
    }
    column += printf("%*s", column < HELP_COLUMN ? HELP_COLUMN - column : 3, "");
    print_words(row->help, column, HELP_COLUMN);
}

void options_print_help(const command_line *command, const char *who)
{
    const entries all = list_entries(command);
    int has_headings = 0, has_arguments = 0;
    printf("Usage: %s [OPTION...]%s%s\n", who, command->operands ? " " : "",
           command->operands ? command->operands : "");
    print_words(command->summary, 0, 0);
    for (int i = 0; i < all.count; i++) {
        const command_option *const row = all.of[i].rows;
        has_headings |= row->name == NULL;
        has_arguments |= option_letter(row) != 0 && row->argument != NULL;
        if (i == 0 || (has_headings && row->group != all.of[i - 1].rows->group))
            putchar('\n');
        print_entry(&all.of[i]);
    }
    if (has_arguments)
        fputs("\nMandatory or optional arguments to long options are also mandatory or optional\n"
              "for any corresponding short options.\n",
              stdout);
    for (int i = 0; command->notes[i] != NULL; i++) {
        putchar('\n');
        print_words(command->notes[i], 0, 0);
    }
}

/* --------------------------------------------------------------------------------------------------------- usage */

/** Leave a space, or begin a line where this one has no room for so many columns more. */
static void make_room(int length, int *column)
{
    if (*column + 1 + length > WIDTH)
        *column = printf("\n%*s", USAGE_COLUMN, "") - 1;
    else
        *column += printf(" ");
}

/** Print "[-xyz]", "[-x N]" or "[--name=N]". */
static void print_part(const char *dashes, const char *name, const command_option *row, char separator, int *column)
{
    const size_t argument = row != NULL && row->argument != NULL ? 1 + strlen(row->argument) : 0;
    make_room((int)(strlen("[]") + strlen(dashes) + strlen(name) + argument), column);
    *column += printf("[%s%s", dashes, name);
    if (argument > 0)
        *column += print_argument(row, separator);
    *column += printf("]");
}

void options_print_usage(const command_line *command, const char *who)
{
    const entries all = list_entries(command);
    char letters[OPTIONS_MOST + 1] = "";
    int column = printf("Usage: %s", who), count = 0;
    for (int i = 0; i < all.count; i++)
        if (option_letter(all.of[i].rows) != 0 && all.of[i].rows->argument == NULL)
            letters[count++] = (char)option_letter(all.of[i].rows);
    print_part("-", letters, NULL, ' ', &column);
    for (int i = 0; i < all.count; i++) {
        const char letter[2] = {(char)option_letter(all.of[i].rows), '\0'};
        if (*letter != '\0' && all.of[i].rows->argument != NULL)
            print_part("-", letter, all.of[i].rows, ' ', &column);
    }
    for (int i = 0; i < all.count; i++)
        for (int k = 0; k < all.of[i].count; k++)
            if (all.of[i].rows[k].name != NULL)
                print_part("--", all.of[i].rows[k].name, &all.of[i].rows[k], '=', &column);
    if (command->operands != NULL) {
        make_room((int)strlen(command->operands), &column);
        printf("%s", command->operands);
    }
    putchar('\n');
}
