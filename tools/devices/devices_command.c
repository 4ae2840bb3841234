/* SPDX-License-Identifier: Apache-2.0 */
/** @file devices_command.c @brief grkan devices: every backend with its devices, or why it has none. */
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/operation_report.h"
#include "common/options.h"
#include "common/tools.h"

/** What a backend answered: devices, or the reason why there are none. */
typedef struct listed_device {
    grkan_device_properties properties;
    grkan_tunings tunings;
    char *error; /**< why this device cannot be described; NULL when properties are good */
} listed_device;

typedef struct listed_backend {
    const char *name;
    char *error;          /**< why it has no device; NULL when it has some */
    char libraries[4096]; /**< of the vendor, that serve it, a line for each */
    listed_device *devices;
    int count;
} listed_backend;

enum { KEY_JSON = 'j' };

static const command_option options[] = {{"json", KEY_JSON, NULL, "Write JSON instead of the table", 0}, {0}};

static void take(void *to, const char *who, int key, const char *text)
{
    bool *as_json = to;
    (void)who;
    (void)text;
    *as_json = key == KEY_JSON;
}

static const option_set own = {options, take, NULL};

static const command_line command = {
    .summary = "List every backend: its devices with what they can do, or why it has none.",
    .notes =
        {
            "The column `device' is what --device and GRKAN_DEVICE take. `atomics' tells whether the strategies "
            "element and block run for f32, f16 and bf16; `ieee' whether the device can promise device_to_device; "
            "`tuning' where it comes from how passes run best there: a file that `grkan bench --tune' left, the "
            "table that comes with grkan, or what the device tells (default); GRKAN_TUNING=table and "
            "GRKAN_TUNING=default go without the ones before, and a file is forgotten by removing it. Below "
            "the table stand where it is, and the vendors' libraries that serve a backend, or why there is none.",
        },
    .own = &own,
};

/** Ask one device what it is. */
static listed_device list_device(const char *backend, int index)
{
    listed_device listed = {.error = NULL};
    grkan_device *device = NULL;
    grkan_status status = grkan_device_open_index(backend, index, &device);
    if (status == GRKAN_SUCCESS)
        status = grkan_device_describe(device, &listed.properties);
    if (status == GRKAN_SUCCESS)
        status = grkan_device_tunings(device, GRKAN_TUNING_CALLER, &listed.tunings);
    if (status != GRKAN_SUCCESS)
        listed.error = tool_copy_text(grkan_last_error());
    grkan_device_close(device);
    return listed;
}

static listed_backend list_backend(const char *name)
{
    listed_backend listed = {.name = name};
    (void)grkan_backend_libraries(name, listed.libraries, sizeof listed.libraries);
    if (grkan_device_count(name, &listed.count) != GRKAN_SUCCESS) {
        listed.count = 0;
        listed.error = tool_copy_text(grkan_last_error());
        return listed;
    }
    listed.devices = tool_allocate((size_t)listed.count * sizeof *listed.devices);
    for (int i = 0; i < listed.count; i++)
        listed.devices[i] = list_device(name, i);
    return listed;
}

static void free_backend(listed_backend *listed)
{
    for (int i = 0; i < listed->count; i++)
        free(listed->devices[i].error);
    free(listed->devices);
    free(listed->error);
}

/* ---------------------------------------------------------------------------------------------------------- JSON */

static void add_dtypes(cJSON *to, uint32_t dtypes)
{
    cJSON *names = cJSON_AddArrayToObject(to, "dtypes");
    for (int i = 0; grkan_dtype_name((grkan_dtype)i) != NULL; i++)
        if (dtypes & 1u << i)
            cJSON_AddItemToArray(names, cJSON_CreateString(grkan_dtype_name((grkan_dtype)i)));
}

static cJSON *json_of_device(const listed_device *device)
{
    cJSON *object = cJSON_CreateObject();
    if (device->error != NULL) {
        cJSON_AddStringToObject(object, "error", device->error);
        return object;
    }
    const grkan_device_properties *properties = &device->properties;
    report_add_device(object, properties);
    cJSON_AddNumberToObject(object, "compute_units", properties->compute_units);
    cJSON_AddNumberToObject(object, "wave_width", properties->wave_width);
    cJSON_AddBoolToObject(object, "is_gpu", properties->is_gpu);
    add_dtypes(object, properties->dtypes);
    cJSON_AddBoolToObject(object, "has_atomics", properties->has_atomics);
    cJSON_AddBoolToObject(object, "is_ieee", properties->is_ieee);
    report_add_count(object, "memory_bytes", properties->memory_bytes);
    report_add_count(object, "cache_bytes", properties->cache_bytes);
    cJSON_AddStringToObject(object, "tuning", grkan_tuning_source_name(device->tunings.source));
    cJSON_AddStringToObject(object, "tuning_note", device->tunings.note);
    if (device->tunings.source != GRKAN_TUNING_NONE)
        report_add_tunings(object, &device->tunings);
    return object;
}

static void add_libraries(cJSON *to, const listed_backend *listed)
{
    cJSON *lines = cJSON_AddArrayToObject(to, "libraries");
    char text[sizeof listed->libraries], *rest = NULL;
    snprintf(text, sizeof text, "%s", listed->libraries);
    for (const char *line = strtok_r(text, "\n", &rest); line != NULL; line = strtok_r(NULL, "\n", &rest))
        cJSON_AddItemToArray(lines, cJSON_CreateString(line));
}

static int print_json(const listed_backend *backends, int count, int argc, char **argv)
{
    cJSON *document = report_new("grkan-devices/1", argc, argv);
    cJSON *array = cJSON_AddArrayToObject(document, "backends");
    for (int i = 0; i < count; i++) {
        cJSON *object = cJSON_CreateObject();
        cJSON_AddStringToObject(object, "backend", backends[i].name);
        cJSON *devices = cJSON_AddArrayToObject(object, "devices");
        for (int k = 0; k < backends[i].count; k++)
            cJSON_AddItemToArray(devices, json_of_device(&backends[i].devices[k]));
        if (backends[i].error != NULL)
            cJSON_AddStringToObject(object, "error", backends[i].error);
        add_libraries(object, &backends[i]);
        cJSON_AddItemToArray(array, object);
    }
    return report_finish(argv[0], "-", document);
}

/* --------------------------------------------------------------------------------------------------------- table */

static const text_table_column columns[] = {
    {"device", 'l'},    {"name", 'l'},  {"architecture", 'l'}, {"units", 'r'}, {"wave", 'r'},   {"memory MiB", 'r'},
    {"cache KiB", 'r'}, {"types", 'l'}, {"atomics", 'l'},      {"ieee", 'l'},  {"tuning", 'l'}, {"driver", 'l'},
};

static void join_dtypes(char *text, size_t size, uint32_t dtypes)
{
    size_t used = 0;
    text[0] = '\0';
    for (int i = 0; grkan_dtype_name((grkan_dtype)i) != NULL && used < size; i++)
        if (dtypes & 1u << i)
            used +=
                (size_t)snprintf(text + used, size - used, "%s%s", used ? "," : "", grkan_dtype_name((grkan_dtype)i));
}

static void add_device_row(text_table *to, const listed_device *device)
{
    const grkan_device_properties *properties = &device->properties;
    char dtypes[64];
    join_dtypes(dtypes, sizeof dtypes, properties->dtypes);
    text_table_cell(to, "%s", properties->selector);
    text_table_cell(to, "%s", properties->name);
    text_table_cell(to, "%s", properties->architecture);
    text_table_cell(to, "%d", properties->compute_units);
    text_table_cell(to, "%d", properties->wave_width);
    text_table_cell(to, "%llu", (unsigned long long)(properties->memory_bytes >> 20));
    text_table_cell(to, "%llu", (unsigned long long)(properties->cache_bytes >> 10));
    text_table_cell(to, "%s", dtypes);
    text_table_cell(to, "%s", properties->has_atomics ? "yes" : "no");
    text_table_cell(to, "%s", properties->is_ieee ? "yes" : "no");
    text_table_cell(to, "%s", grkan_tuning_source_name(device->tunings.source));
    text_table_cell(to, "%s", properties->driver);
}

/** Of tunings: whose the table's are, and why a file is not used. */
static void print_notes(const listed_backend *backends, int count)
{
    for (int i = 0; i < count; i++)
        for (int k = 0; k < backends[i].count; k++)
            if (backends[i].devices[k].error == NULL && backends[i].devices[k].tunings.note[0] != '\0')
                printf("\ntuning of %s: %s\n", backends[i].devices[k].properties.selector,
                       backends[i].devices[k].tunings.note);
}

static void print_table(const listed_backend *backends, int count)
{
    text_table *listing = TEXT_TABLE_OF(columns);
    for (int i = 0; i < count; i++) {
        if (backends[i].error != NULL) {
            text_table_row(listing);
            text_table_cell(listing, "%s", backends[i].name);
            text_table_note(listing, backends[i].error);
        }
        for (int k = 0; k < backends[i].count; k++) {
            text_table_row(listing);
            if (backends[i].devices[k].error == NULL) {
                add_device_row(listing, &backends[i].devices[k]);
                continue;
            }
            text_table_cell(listing, "%s:%d", backends[i].name, k);
            text_table_note(listing, backends[i].devices[k].error);
        }
    }
    text_table_finish(listing, stdout);
    print_notes(backends, count);
    for (int i = 0; i < count; i++)
        if (backends[i].libraries[0] != '\0')
            printf("\nlibraries of %s\n%s", backends[i].name, backends[i].libraries);
}

int grkan_tool_devices(int argc, char **argv)
{
    bool as_json = false;
    options_parse(&command, argc, argv, &as_json, NULL);
    int count = grkan_backend_count();
    listed_backend *backends = tool_allocate((size_t)count * sizeof *backends);
    for (int i = 0; i < count; i++)
        backends[i] = list_backend(grkan_backend_name(i));
    int status = TOOL_GOOD;
    if (as_json)
        status = print_json(backends, count, argc, argv);
    else
        print_table(backends, count);
    for (int i = 0; i < count; i++)
        free_backend(&backends[i]);
    free(backends);
    return status;
}
