/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file output.h
 * @brief Files that the program leaves: whole or not at all.
 *
 * A regular file, or a name that is not there yet, is written under another name in the same folder, which then becomes
 * the file's: who reads it sees the old content or the new, and an error or an interrupt leaves the old. Links are
 * followed and stay. An existing file keeps its mode, and its owner where that is possible; its other hard links keep
 * the old content. A new file has the mode that the umask allows. Whatever else a path names is written to: a device, a
 * pipe, a descriptor (/dev/stdout, /dev/fd/N). "-" is the standard output.
 */
#ifndef GRKAN_OUTPUT_H
#define GRKAN_OUTPUT_H

#include <stddef.h>

/** Whether a path can be written, to know before a long run. It is left as it is. @return 0, or -1 with errno set */
int output_check(const char *path);

/** Write bytes to a path. @return 0, or -1 with errno set */
int output_write(const char *path, const void *bytes, size_t count);

/** Say that an option's file cannot be written, and why (errno). @return TOOL_CHECK_FAILED */
int output_complain(const char *who, const char *option, const char *path);

#endif
