/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file options.h
 * @brief The command line of a sub-command: a table of options, its help and its messages.
 *
 * getopt_long finds the options, so that long ones may be cut short, and others may follow an operand. Help, usage and
 * messages are written here: they are the same with every C library. Each sub-command has --help (-?), --usage and
 * --version (-V) without asking for them.
 */
#ifndef GRKAN_OPTIONS_H
#define GRKAN_OPTIONS_H

#include <stdint.h>

#include "../../core/platform/platform.h"

/** Rows of a command's tables together, at most. */
enum { OPTIONS_MOST = 64 };

/** An option, another name of one, or a heading of the help. */
typedef struct command_option {
    const char *name;     /**< without "--"; NULL: help is the heading of the group */
    int key;              /**< what `take` is told: the option's letter if it has one, else a number above 255 */
    const char *argument; /**< the help's word for its argument, "[N]" if it may be left out; NULL: it takes none */
    const char *help; /**< one line of any length; "": the help leaves it out; NULL: another name of the row before */
    int group;        /**< the help lists groups in this order, and each by name */
} command_option;

/** Options that belong together, and who hears of them. */
typedef struct option_set {
    const command_option *options; /**< the last is {0} */

    /** Hears of each option as it comes. text: its argument, which outlives the command; NULL without one */
    void (*take)(void *to, const char *who, int key, const char *text);

    /** Hears that no more come, and looks for what does not go together. NULL: all goes together */
    void (*check)(void *to, const char *who);
} option_set;

/** What a sub-command's command line can be. */
typedef struct command_line {
    const char *summary;  /**< one line of any length, which begins the help */
    const char *operands; /**< what the usage shows behind the options; NULL: nothing */
    const char *notes[4]; /**< paragraphs that end the help, of any length; then NULL */
    const option_set *own;
    const option_set *shared; /**< with other sub-commands; NULL: none */

    /** Hears of what is no option. NULL: that is a bad usage */
    void (*operand)(void *to, const char *who, const char *text);
} command_line;

/**
 * Parse a command line. A bad usage ends the program with TOOL_BAD_USAGE; --help and the like with TOOL_GOOD, or with
 * TOOL_CHECK_FAILED where the standard output cannot be written.
 * @param argv   argv[0] begins every message
 * @param own    what command->own and operand are told of
 * @param shared what command->shared is told of
 */
void options_parse(const command_line *command, int argc, char **argv, void *own, void *shared);

/** Print what --version shows. */
void options_print_version(void);

/** Say what is wrong (printf style) and where help is, and end the program with TOOL_BAD_USAGE. */
_Noreturn void options_complain(const char *who, const char *format, ...) __attribute__((format(GRKAN_FORMAT, 2, 3)));

/** The value whose name is text; otherwise a bad usage that lists the names. name_of gives NULL after the last. */
int option_parse_name(const char *who, const char *option, const char *text, const char *(*name_of)(int));

/** A whole number from 1 to high; otherwise a bad usage. */
int64_t option_parse_number(const char *who, const char *option, const char *text, int64_t high);

/** A number from 0 to the largest that a double holds; otherwise a bad usage. */
double option_parse_not_negative(const char *who, const char *option, const char *text);

/** The library's names by number, for option_parse_name. */
const char *option_form_name(int value);
const char *option_dtype_name(int value);
const char *option_prologue_name(int value);
const char *option_strategy_name(int value);
const char *option_determinism_name(int value);

/* options_help.c */

/** The options that every sub-command has: --help, --usage and --version. The last is {0}. */
extern const command_option standard_options[];

/** Keys of the standard options; --version has its letter. */
enum { OPTION_HELP = 1, OPTION_USAGE, OPTION_VERSION = 'V' };

/** The letter of an option; 0: it has none. */
int option_letter(const command_option *option);

/** Print to the standard output what --help and --usage show. */
void options_print_help(const command_line *command, const char *who);
void options_print_usage(const command_line *command, const char *who);

#endif
