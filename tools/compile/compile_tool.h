/* SPDX-License-Identifier: Apache-2.0 */
/** @file compile_tool.h @brief What the parts of grkan compile share: the request, the programs, the report, the files. */
#ifndef GRKAN_COMPILE_TOOL_H
#define GRKAN_COMPILE_TOOL_H

#include <stdbool.h>

#include <grkan/compile.h>

#include "common/json_report.h"
#include "common/operation_options.h"

/** What the command line asks for. */
typedef struct compile_request {
    const char *backend;
    const char **architectures; /**< at least one */
    int architecture_count;
    const char *compiler; /**< a program; NULL: the vendor's own compiler */
    operation_request what;
    const char *json;  /**< NULL: no JSON; "-": the standard output */
    const char *keep;  /**< directory of the programs and their launches; NULL: none */
    const char *cache; /**< directory of a cache to fill; NULL: the environment's */
    int fails_on_spill;
} compile_request;

/** The kernels of one operation for one architecture. */
typedef struct compile_program {
    const char *backend;
    const char *architecture;
    grkan_operation operation;
    grkan_options options;
    grkan_compilation compilation;
} compile_program;

/* compile_options.c */

/** Fill the request from the command line; a bad usage ends the program. Free request->architectures. */
void compile_parse(int argc, char **argv, compile_request *request);

/* compile_report.c */

/** Print the table: a row for each kernel. */
void compile_print_table(const compile_program *programs, int count, FILE *stream);

/** A program as the schemas grkan-compile/1 and grkan-program/1 have it. */
void compile_add_program(cJSON *to, const compile_program *program);

/* compile_keep.c */

/** Make a directory where there is none, and see that files can be made in it. @return 0, or -1 with errno set */
int compile_check_directory(const char *directory, bool is_private);

/** Write the binary, and a JSON document beside it that says how to launch its kernels. @return 0, or -1 after errno
    and *path (free it) are set to what went wrong and where */
int compile_keep(const compile_program *program, const char *directory, int argc, char **argv, char **path);

#endif
