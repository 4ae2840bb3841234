/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file compiler_program.h
 * @brief Compilers that are programs of their own, for architectures that the vendor's library does not know, or where that
 * compiles for devices only that are there.
 */
#ifndef GRKAN_COMPILER_PROGRAM_H
#define GRKAN_COMPILER_PROGRAM_H

#include "engine.h"

/** Arguments that stand for the paths of the source and of what the compiler shall leave. */
extern const char compiler_source[], compiler_binary[];

/** Arguments of a compiler, at most. */
enum { COMPILER_ARGUMENTS = 64 };

/** Split "-DA=1 -DB=2" at its spaces. @return how many */
int compiler_split_options(char *text, const char **options, int most);

/**
 * Run a compiler in a folder of ours.
 * @param command the program, by its path or as PATH has it, and its arguments; ends with NULL
 * @param binary  out: free it
 * @param log     out: what the compiler says, with a zero behind it. Free it, of a failure too; NULL without memory
 */
grkan_status compiler_program_run(const char *source, const char *const *command, grkan_blob *binary, char **log);

#endif
