/* SPDX-License-Identifier: Apache-2.0 */
/** @file options.c @brief Parsing a command line by getopt_long, with messages of its own. */
#include "options.h"

#include <assert.h>
#include <getopt.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tools.h"

enum { FIRST_LONG = 256 };

/** A command line in getopt_long's terms: it knows long options by FIRST_LONG + index, short ones by their letters. */
typedef struct getopt_tables {
    const command_option *rows[OPTIONS_MOST];
    const option_set *sets[OPTIONS_MOST];  /* that they are of; NULL: standard_options */
    struct option longs[OPTIONS_MOST + 1]; /* the last is {0} */
    char letters[2 * OPTIONS_MOST + 2];
    int count;
} getopt_tables;

void options_complain(const char *who, const char *format, ...)
{
    va_list arguments;
    (void)fflush(stdout);
    fprintf(stderr, "%s: ", who);
    va_start(arguments, format);
    vfprintf(stderr, format, arguments);
    va_end(arguments);
    fprintf(stderr, "\nTry `%s --help' or `%s --usage' for more information.\n", who, who);
    exit(TOOL_BAD_USAGE);
}

static void add_rows(getopt_tables *to, const command_option *row, const option_set *set)
{
    for (; row->name != NULL || row->help != NULL; row++) {
        const int has_argument = row->argument == NULL   ? no_argument
                                 : *row->argument == '[' ? optional_argument
                                                         : required_argument;
        char *const end = to->letters + strlen(to->letters);
        if (row->name == NULL)
            continue;
        assert(to->count < OPTIONS_MOST);
        to->rows[to->count] = row;
        to->sets[to->count] = set;
        to->longs[to->count] =
            (struct option){.name = row->name, .has_arg = has_argument, .val = FIRST_LONG + to->count};
        to->count++;
        if (option_letter(row) != 0 && option_letter(row) != '?')
            snprintf(end, 3, has_argument == required_argument ? "%c:" : "%c", option_letter(row));
    }
}

/** The colon: getopt_long tells a missing argument from an option that is not there, and prints nothing. */
static void make_tables(const command_line *command, getopt_tables *made)
{
    *made = (getopt_tables){.letters = ":"};
    add_rows(made, command->own->options, command->own);
    if (command->shared != NULL)
        add_rows(made, command->shared->options, command->shared);
    add_rows(made, standard_options, NULL);
}

/** The index of an option that getopt_long has found. */
static int find_option(const getopt_tables *tables, int key)
{
    int index = key - FIRST_LONG;
    if (key < FIRST_LONG)
        for (index = 0; option_letter(tables->rows[index]) != key; index++)
            ;
    return index;
}

/** Say that a long option, "--na" or "--na=text" of the command line, is none, or that it may be several. */
static _Noreturn void complain_of_name(const getopt_tables *tables, const char *who, const char *argument)
{
    const size_t length = strcspn(argument, "=");
    char names[1024] = "";
    int found = 0;
    for (int i = 0; i < tables->count; i++)
        if (strncmp(argument + 2, tables->rows[i]->name, length - 2) == 0) {
            const size_t used = strlen(names);
            snprintf(names + used, sizeof names - used, " '--%s'", tables->rows[i]->name);
            found++;
        }
    if (found > 1)
        options_complain(who, "option '%s' is ambiguous; possibilities:%s", argument, names);
    options_complain(who, "unrecognized option '%s'", argument);
}

/**
 * Say what getopt_long did not like, which it tells in optopt: 0 is a long option that is none, or several. Of long
 * ones some C libraries answer ':' too when an argument is too much.
 */
static _Noreturn void complain_of_option(const getopt_tables *tables, const char *who, int answer, const char *passed)
{
    if (optopt == 0)
        complain_of_name(tables, who, passed);
    if (optopt < FIRST_LONG)
        options_complain(who, answer == ':' ? "option requires an argument -- '%c'" : "invalid option -- '%c'", optopt);
    const command_option *const row = tables->rows[optopt - FIRST_LONG];
    options_complain(who,
                     row->argument ? "option '--%s' requires an argument" : "option '--%s' doesn't allow an argument",
                     row->name);
}

void options_print_version(void)
{
    printf("grkan %s (%s)\n", grkan_version(), grkan_commit());
}

static _Noreturn void answer(const command_line *command, const char *who, int key)
{
    if (key == OPTION_HELP)
        options_print_help(command, who);
    else if (key == OPTION_USAGE)
        options_print_usage(command, who);
    else
        options_print_version();
    exit(tool_flush(TOOL_GOOD));
}

static void take_operand(const command_line *command, const char *who, const char *text, void *own)
{
    const char *const space = strrchr(who, ' ');
    if (command->operand != NULL)
        command->operand(own, who, text);
    else
        options_complain(who, "'%s' is not an option; %s takes options only", text, space ? space + 1 : who);
}

void options_parse(const command_line *command, int argc, char **argv, void *own, void *shared)
{
    const char *const who = argv[0];
    getopt_tables tables;
    int key;
    make_tables(command, &tables);
    opterr = 0;
    /* -? is getopt_long's answer to what it does not know, so that it cannot be told of it. */
    while ((key = getopt_long(argc, argv, tables.letters, tables.longs, NULL)) != -1) {
        const int is_help = key == '?' && optopt == '?';
        if ((key == '?' && !is_help) || key == ':')
            complain_of_option(&tables, who, key, argv[optind - 1]);
        const int index = find_option(&tables, key);
        if (tables.sets[index] == NULL)
            answer(command, who, tables.rows[index]->key);
        tables.sets[index]->take(tables.sets[index] == command->own ? own : shared, who, tables.rows[index]->key,
                                 optarg);
    }
    for (int i = optind; i < argc; i++)
        take_operand(command, who, argv[i], own);
    if (command->shared != NULL && command->shared->check != NULL)
        command->shared->check(shared, who);
    if (command->own->check != NULL)
        command->own->check(own, who);
}

/* -------------------------------------------------------------------------------------------------------- values */

int option_parse_name(const char *who, const char *option, const char *text, const char *(*name_of)(int))
{
    char names[128] = "";
    for (int value = 0; name_of(value) != NULL; value++) {
        if (strcmp(text, name_of(value)) == 0)
            return value;
        strncat(names, value ? ", " : "", sizeof names - strlen(names) - 1);
        strncat(names, name_of(value), sizeof names - strlen(names) - 1);
    }
    options_complain(who, "--%s: '%s' is none of %s", option, text, names);
}

int64_t option_parse_number(const char *who, const char *option, const char *text, int64_t high)
{
    int64_t value = 1;
    if (tool_parse_integer(text, 1, high, &value) != 0)
        options_complain(who, "--%s: '%s' is not a whole number from 1 to %lld", option, text, (long long)high);
    return value;
}

double option_parse_not_negative(const char *who, const char *option, const char *text)
{
    char *end;
    const double value = strtod(text, &end);
    if (end == text || *end != '\0' || !isfinite(value) || value < 0.0)
        options_complain(who, "--%s: '%s' is not a finite number, 0 or more", option, text);
    return value;
}

const char *option_dtype_name(int value)
{
    return grkan_dtype_name((grkan_dtype)value);
}

const char *option_form_name(int value)
{
    return grkan_form_name((grkan_form)value);
}

const char *option_prologue_name(int value)
{
    return grkan_prologue_name((grkan_prologue)value);
}

const char *option_strategy_name(int value)
{
    return grkan_strategy_name((grkan_strategy)value);
}

const char *option_determinism_name(int value)
{
    return grkan_determinism_name((grkan_determinism)value);
}
