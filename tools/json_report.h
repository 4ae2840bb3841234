/* SPDX-License-Identifier: Apache-2.0 */
/** @file json_report.h @brief JSON documents: the head that all have, and a file that appears whole or not at all. */
#ifndef GRKAN_JSON_REPORT_H
#define GRKAN_JSON_REPORT_H

#include <stdio.h>

#include <cjson/cJSON.h>

#include "tools.h"

/** A document with "schema", "grkan", "command", "date" and "machine". Free it with cJSON_Delete. */
cJSON *report_new(const char *schema, int argc, char **argv);

/** Add a measured number, rounded to the six digits that a measurement is worth at most. */
void report_add_measured(cJSON *to, const char *name, double value);

/** A whole number of 64 bits, of which a cJSON number, a double, keeps only 53. */
cJSON *report_count(uint64_t value);
void report_add_count(cJSON *to, const char *name, uint64_t value);

/** An operation without its type, which stands beside it. */
cJSON *report_operation(const grkan_operation *operation);

/**
 * Print a document and a newline. Every number reads back as the same double; NaN and infinities, which JSON does not
 * have, become null. The document's numbers turn into texts, so it is only good for printing then.
 * @return 0, or -1 when it could not be written
 */
int report_print(cJSON *document, FILE *stream);

/** A file under a temporary name until it is complete. "-" is the standard output. */
typedef struct report_file {
    FILE *stream;
    char *path;
    char *temporary;
} report_file;

/** Open it, before a long run, so that a path that cannot be written is known early. @return 0, or -1 with errno set */
int report_file_open(const char *path, report_file *file);

/** Write the document and give the file its name; NULL: leave no file behind. @return 0, or -1 with errno set */
int report_file_close(report_file *file, cJSON *document);

/** The same when the caller has written to the stream; is_good 0: leave no file behind. */
int report_file_finish(report_file *file, int is_good);

/** Say that an option's file cannot be written, and why (errno). @return TOOL_CHECK_FAILED */
int report_complain(const char *who, const char *option, const char *path);

#endif
