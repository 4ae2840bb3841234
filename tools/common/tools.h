/* SPDX-License-Identifier: Apache-2.0 */
/** @file tools.h @brief What the sub-commands of the program grkan share. */
#ifndef GRKAN_TOOLS_H
#define GRKAN_TOOLS_H

#include <stdint.h>

#include <grkan/grkan.h>

/** Exit status of the program. A run that fails for another reason also ends with TOOL_CHECK_FAILED. */
enum { TOOL_GOOD = 0, TOOL_CHECK_FAILED = 1, TOOL_BAD_USAGE = 2, TOOL_NO_DEVICE = 3 };

/* The sub-commands. argv[0] is "grkan bench" and the like, so that messages and usage texts carry it; the arguments
   follow. */
int grkan_tool_devices(int argc, char **argv);
int grkan_tool_check(int argc, char **argv);
int grkan_tool_bench(int argc, char **argv);
int grkan_tool_compile(int argc, char **argv);
int grkan_tool_fit(int argc, char **argv);

/**
 * Print "who: what: text of the last error" to stderr.
 * @return the exit status for a status of the library: 2 for an invalid argument, 3 for no such device, else 1
 */
int tool_complain(const char *who, const char *what, grkan_status status);

/** Say that an option's file cannot be written, and why (errno). @return TOOL_CHECK_FAILED */
int tool_complain_of_file(const char *who, const char *option, const char *path);

/** calloc, realloc and strdup that end the program when the host has no memory left. */
void *tool_allocate(size_t bytes);
void *tool_resize(void *memory, size_t bytes);
char *tool_copy_text(const char *text);

/** Append a text, or NULL, to a list, which free frees. The text stays the caller's. */
void tool_append_text(const char ***list, int *count, const char *text);

/** Write out what the standard output still holds. @return status, or TOOL_CHECK_FAILED instead of TOOL_GOOD */
int tool_flush(int status);

/** Parse a whole number from low to high. @return 0, or -1 when text is something else */
int tool_parse_integer(const char *text, int64_t low, int64_t high, int64_t *value);

#endif
