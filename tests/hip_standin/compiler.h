/* SPDX-License-Identifier: Apache-2.0 */
/** @file compiler.h @brief Running the host's compiler. */
#ifndef HIP_STANDIN_COMPILER_H
#define HIP_STANDIN_COMPILER_H

#include <stdbool.h>
#include <stddef.h>

/* Where the stand-in is checked, kernels are too; for the compiler alone, since the process has the checks' library. */
#ifdef __SANITIZE_ADDRESS__
#define CHECK_OPTIONS "-Xclang", "-fsanitize=address", "-Xclang", "-fsanitize-address-use-after-return=never"
#else
#define CHECK_OPTIONS "-fno-sanitize=all"
#endif

/** On every line that compiles. A list of strings. */
#define HOST_OPTIONS                                                                                                   \
    "-O0", "-std=c++17", "-fPIC", "-fvisibility=hidden", "-march=native", "-fno-math-errno", "-w", CHECK_OPTIONS

/** A file without a name that holds a text; -1 if there cannot be one. */
int compiler_file_of(const char *text);

/** All of a file behind `room` bytes, with a zero at the end; the caller frees it. NULL if it cannot be read. */
char *compiler_contents_of(int file, size_t room, size_t *bytes);

/** Run the compiler. @param options ends with NULL @return whether it was successful */
bool compiler_run(const char *const *options, int input, int output, int errors);

#endif
