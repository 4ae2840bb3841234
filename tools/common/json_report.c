/* SPDX-License-Identifier: Apache-2.0 */
/** @file json_report.c @brief JSON documents: the head that all have, and their numbers. */
#define _POSIX_C_SOURCE 200809L
#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "json_report.h"

#include "../../core/platform/platform.h"

/** An argument without the folders of the file that it names: where a report was written is nobody's business. */
static void append_argument(char *command, const char *argument)
{
    const char *const equals = strchr(argument, '=');
    const char *const name = grkan_path_name(argument);
    if (name != argument && equals != NULL)
        (void)strncat(command, argument, (size_t)(equals + 1 - argument));
    (void)strcat(command, name);
}

/** argv joined by spaces; argv[0] is a bare name already. */
static void add_command(cJSON *to, int argc, char **argv)
{
    size_t bytes = 1;
    for (int i = 0; i < argc; i++)
        bytes += strlen(argv[i]) + 1;
    char *command = tool_allocate(bytes);
    for (int i = 0; i < argc; i++) {
        strcat(command, i ? " " : "");
        append_argument(command, argv[i]);
    }
    cJSON_AddStringToObject(to, "command", command);
    free(command);
}

static void add_date(cJSON *to)
{
    time_t now = time(NULL);
    struct tm utc;
    char text[32] = "unknown";
    if (gmtime_r(&now, &utc) != NULL)
        strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", &utc);
    cJSON_AddStringToObject(to, "date", text);
}

static void add_machine(cJSON *to)
{
    grkan_machine machine;
    grkan_machine_describe(&machine);
    cJSON *object = cJSON_AddObjectToObject(to, "machine");
    cJSON_AddStringToObject(object, "cpu", machine.processor);
    cJSON_AddNumberToObject(object, "cores", machine.processors);
    report_add_count(object, "memory_bytes", machine.memory_bytes);
    cJSON_AddStringToObject(object, "os", machine.system);
    cJSON_AddStringToObject(object, "kernel", machine.kernel);
}

cJSON *report_new(const char *schema, int argc, char **argv)
{
    cJSON *document = cJSON_CreateObject();
    cJSON_AddStringToObject(document, "schema", schema);
    cJSON *program = cJSON_AddObjectToObject(document, "grkan");
    cJSON_AddStringToObject(program, "version", grkan_version());
    cJSON_AddStringToObject(program, "commit", grkan_commit());
    add_command(document, argc, argv);
    add_date(document);
    add_machine(document);
    return document;
}

void report_add_measured(cJSON *to, const char *name, double value)
{
    char text[32];
    snprintf(text, sizeof text, "%.6g", value);
    cJSON_AddNumberToObject(to, name, strtod(text, NULL));
}

cJSON *report_count(uint64_t value)
{
    char text[24];
    snprintf(text, sizeof text, "%" PRIu64, value);
    return cJSON_CreateRaw(text);
}

void report_add_count(cJSON *to, const char *name, uint64_t value)
{
    cJSON_AddItemToObject(to, name, report_count(value));
}

/** Of a table; the operation may be one that was refused. */
static uint64_t rows_of(const grkan_operation *operation, grkan_scope scope)
{
    return scope == GRKAN_SCOPE_SHARED ? 1 : (uint64_t)operation->groups;
}

static void add_prologue(cJSON *to, const grkan_operation *operation)
{
    cJSON_AddStringToObject(to, "prologue", grkan_prologue_name(operation->prologue));
    if (operation->prologue == GRKAN_PROLOGUE_BIAS)
        return;
    cJSON_AddNumberToObject(to, "epsilon", operation->norm.epsilon);
    cJSON_AddBoolToObject(to, "has_scale", operation->norm.has_scale);
    cJSON_AddBoolToObject(to, "has_shift", operation->norm.has_shift);
}

cJSON *report_operation(const grkan_operation *operation)
{
    cJSON *object = cJSON_CreateObject();
    report_add_count(object, "outer", (uint64_t)operation->outer);
    report_add_count(object, "channels", (uint64_t)operation->channels);
    report_add_count(object, "inner", (uint64_t)operation->inner);
    report_add_count(object, "groups", (uint64_t)operation->groups);
    report_add_count(object, "numerator_groups", rows_of(operation, operation->rational.numerator_scope));
    report_add_count(object, "denominator_groups", rows_of(operation, operation->rational.denominator_scope));
    cJSON_AddNumberToObject(object, "numerator_degree", operation->rational.numerator_degree);
    cJSON_AddNumberToObject(object, "denominator_degree", operation->rational.denominator_degree);
    cJSON_AddStringToObject(object, "denominator", grkan_form_name(operation->rational.form));
    if (operation->prologue != GRKAN_PROLOGUE_NONE)
        add_prologue(object, operation);
    return object;
}

/** The shortest decimal text of 15 to 17 digits that reads back as the same double; no number of JSON: null. */
static void write_number(char *text, size_t bytes, double value)
{
    if (!isfinite(value)) {
        snprintf(text, bytes, "null");
        return;
    }
    if (value == 0) { /* "-0" would read back as the integer 0 */
        snprintf(text, bytes, signbit(value) ? "-0.0" : "0");
        return;
    }
    int digits = 15;
    do
        snprintf(text, bytes, "%.*g", digits, value);
    while (strtod(text, NULL) != value && ++digits <= 17);
}

/** Bytes of the UTF-8 character at text; 0: there is none. */
static size_t character_bytes(const unsigned char *text)
{
    const size_t bytes = *text < 0x80 ? 1 : *text >= 0xc2 && *text < 0xe0 ? 2 : *text >= 0xe0 && *text < 0xf0 ? 3 : 4;
    if (bytes == 4 && (*text < 0xf0 || *text > 0xf4))
        return 0;
    for (size_t i = 1; i < bytes; i++)
        if ((text[i] & 0xc0) != 0x80) /* also the final 0 */
            return 0;
    const int is_too_long = (*text == 0xe0 && text[1] < 0xa0) || (*text == 0xf0 && text[1] < 0x90);
    const int is_no_character = (*text == 0xed && text[1] >= 0xa0) || (*text == 0xf4 && text[1] >= 0x90);
    return is_too_long || is_no_character ? 0 : bytes;
}

/** JSON is UTF-8; names of files and of devices may be any bytes. */
static void fix_text(char *text)
{
    for (size_t bytes; *text != '\0'; text += bytes) {
        bytes = character_bytes((const unsigned char *)text);
        if (bytes == 0) {
            *text = '?';
            bytes = 1;
        }
    }
}

/** Make texts UTF-8; and replace cJSON's numbers, of 15 digits where those agree nearly, by texts of our own. */
static void fix(cJSON *item)
{
    char text[32];
    for (; item != NULL; item = item->next) {
        fix(item->child);
        if (cJSON_IsString(item))
            fix_text(item->valuestring);
        if (!cJSON_IsNumber(item))
            continue;
        write_number(text, sizeof text, item->valuedouble);
        item->valuestring = tool_copy_text(text);
        item->type = (item->type & ~0xff) | cJSON_Raw;
    }
}

int report_write(const char *path, cJSON *document)
{
    fix(document);
    char *text = cJSON_Print(document);
    if (text == NULL) {
        errno = ENOMEM;
        return -1;
    }
    const size_t length = strlen(text);
    text[length] = '\n'; /* instead of the final 0 */
    const int failed = grkan_output_write(path, text, length + 1) ? 0 : -1;
    const int reason = errno;
    cJSON_free(text);
    errno = reason;
    return failed;
}

/* --------------------------------------------------------------------------------------------------- --json FILE */

int report_check(const char *who, const char *file)
{
    return file == NULL || grkan_output_check(file) ? TOOL_GOOD : tool_complain_of_file(who, "json", file);
}

FILE *report_table_stream(const char *file)
{
    return file != NULL && strcmp(file, "-") == 0 ? stderr : stdout;
}

int report_finish(const char *who, const char *file, cJSON *document)
{
    const int result = report_write(file, document) == 0 ? TOOL_GOOD : tool_complain_of_file(who, "json", file);
    cJSON_Delete(document);
    return result;
}
