/* SPDX-License-Identifier: Apache-2.0 */
/** @file json_report.h @brief JSON documents: the head that all have, and their numbers. */
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

/** An operation without its type, which stands beside it; "prologue" where it has one. */
cJSON *report_operation(const grkan_operation *operation);

/**
 * Write a document and a newline, as grkan_output_write does. Every number reads back as the same double; NaN and
 * infinities, which JSON does not have, become null; bytes that are not UTF-8 become question marks. The document's
 * numbers turn into texts, so it is only good for writing then.
 * @return 0, or -1 with errno set
 */
int report_write(const char *path, cJSON *document);

/* The option --json FILE. Those that return a status have said what is wrong, in the name of `who`. */

/** Whether FILE can be written, to know before the work; NULL: there is none. @return an exit status */
int report_check(const char *who, const char *file);

/** Where tables go: the standard output, unless that is where the document goes. */
FILE *report_table_stream(const char *file);

/** Write a document to FILE, and free it. @return an exit status */
int report_finish(const char *who, const char *file, cJSON *document);

#endif
