/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file tunings.c
 * @brief Where the tunings of a device come from: a file beside the compiled kernels, the table of known devices, what it tells.
 *
 * The file is a text, a line for each kind: its name, and the members of grkan_tuning in their order. The cache's header
 * stands in front of it and tells whether it is whole, and whether it is of this device.
 */
#include "internal.h"

#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <grkan/tune.h>

/** The members of grkan_tuning, and what they may be: from low to high, a multiple of step; 0: a power of two. */
static const struct {
    const char *name;
    size_t offset;
    int32_t low, high, step;
} members[] = {{"block", offsetof(grkan_tuning, block), 32, 1024, 32},
               {"occupancy", offsetof(grkan_tuning, occupancy), 0, 4096, 1},
               {"grid_waves", offsetof(grkan_tuning, grid_waves), 1, 1024, 1},
               {"stages", offsetof(grkan_tuning, stages), 1, 4, 1},
               {"step", offsetof(grkan_tuning, step), 1, 16, 0},
               {"least_row_bytes", offsetof(grkan_tuning, least_row_bytes), 0, 65536, 1}};

enum { member_count = sizeof members / sizeof members[0], text_bytes = GRKAN_TUNING_KINDS * (24 + member_count * 12) };

static int32_t *member_of(grkan_tuning *tuning, int member)
{
    return (int32_t *)(void *)((char *)tuning + members[member].offset);
}

static bool is_allowed(int32_t value, int member)
{
    return value >= members[member].low && value <= members[member].high &&
           (members[member].step == 0 ? (value & (value - 1)) == 0 : value % members[member].step == 0);
}

static bool has_tunings(const grkan_device *device)
{
    return device->told[0].block > 0;
}

/* ------------------------------------------------------------------------------------------------------ the file */

/** Tunings were measured with the kernels of a version. */
static grkan_cache_key key_of(const grkan_device *device)
{
    const grkan_device_properties *const p = &device->properties;
    const char *const parts[] = {"tunings", grkan_version(), p->backend, p->name, p->architecture, p->driver};
    return grkan_cache_key_of(parts, sizeof parts / sizeof parts[0]);
}

static void write_text(grkan_tuning of[GRKAN_TUNING_KINDS], char text[text_bytes])
{
    size_t used = 0;
    for (int kind = 0; kind < GRKAN_TUNING_KINDS; ++kind) {
        used += (size_t)snprintf(text + used, text_bytes - used, "%s", grkan_tuning_name((grkan_tuning_kind)kind));
        for (int i = 0; i < member_count; ++i)
            used += (size_t)snprintf(text + used, text_bytes - used, " %d%s", (int)*member_of(&of[kind], i),
                                     i == member_count - 1 ? "\n" : "");
    }
}

/** @return whether a text is what write_text makes of tunings that may be */
static bool read_text(const char *text, grkan_tuning of[GRKAN_TUNING_KINDS])
{
    char again[text_bytes];
    const char *rest = text;
    for (int kind = 0; kind < GRKAN_TUNING_KINDS; ++kind) {
        rest += strcspn(rest, " ");
        for (int i = 0; i < member_count; ++i) {
            char *end;
            const long value = strtol(rest, &end, 10);
            *member_of(&of[kind], i) = (int32_t)value;
            if (end == rest || !is_allowed((int32_t)value, i))
                return false;
            rest = end;
        }
    }
    write_text(of, again);
    return strcmp(text, again) == 0;
}

/** @return NULL, with tunings, or because there is no file; else why it is not used */
static const char *read_file(const grkan_device *device, grkan_tuning of[GRKAN_TUNING_KINDS], bool *is_read)
{
    const grkan_cache_key key = key_of(device);
    grkan_blob blob;
    char text[text_bytes + 1] = "";
    *is_read = false;
    if (!grkan_cache_load(&key, &blob))
        return grkan_cache_complaint(&key);
    if (blob.bytes <= text_bytes)
        memcpy(text, blob.data, blob.bytes);
    free(blob.data);
    *is_read = read_text(text, of);
    return *is_read ? NULL : "it holds no tunings that may be";
}

/* ------------------------------------------------------------------------------------------------------- sources */

static void use(grkan_device *device, const grkan_tuning of[GRKAN_TUNING_KINDS], grkan_tuning_source source)
{
    memcpy(device->limits.tunings, of, sizeof device->limits.tunings);
    device->tuning_source = source;
}

void grkan_tunings_open(grkan_device *device)
{
    const char *const most = grkan_environment("GRKAN_TUNING");
    const bool has_table = most == NULL || strcmp(most, "default") != 0;
    const bool has_file = has_table && (most == NULL || strcmp(most, "table") != 0);
    grkan_tuning of_file[GRKAN_TUNING_KINDS];
    bool is_read = false;
    memcpy(device->told, device->limits.tunings, sizeof device->told);
    if (!has_tunings(device))
        return;
    device->tuning_source = GRKAN_TUNING_DEFAULT;
    if (has_table && device->limits.known != NULL)
        use(device, device->limits.known->of, GRKAN_TUNING_TABLE);
    if (has_file)
        device->tuning_complaint = read_file(device, of_file, &is_read);
    if (is_read)
        use(device, of_file, GRKAN_TUNING_FILE);
}

void grkan_tunings_assume(grkan_device_limits *limits)
{
    if (limits->known != NULL)
        memcpy(limits->tunings, limits->known->of, sizeof limits->tunings);
}

/* ----------------------------------------------------------------------------------------------------- for users */

static grkan_status check_device(const grkan_device *device, bool needs_tunings)
{
    if (device == NULL)
        return grkan_fail(GRKAN_ERROR_INVALID_ARGUMENT,
                          "device is NULL; expected a device that grkan_device_open gave");
    if (needs_tunings && !has_tunings(device))
        return grkan_fail(GRKAN_ERROR_UNSUPPORTED, "%s (%s) has no tunings: it runs no blocks",
                          device->properties.selector, device->properties.name);
    return GRKAN_SUCCESS;
}

/** Where the file is, so that it can be removed, and why it is not used. The path is cut where there is no room. */
static void add_file(const grkan_device *device, grkan_tunings *made)
{
    const grkan_cache_key key = key_of(device);
    const char *const complaint = device->tuning_complaint;
    const size_t used = strlen(made->note);
    char path[GRKAN_PATH_BYTES];
    if ((made->source != GRKAN_TUNING_FILE && complaint == NULL) || !grkan_cache_path(&key, path))
        return;
    (void)snprintf(made->note + used, sizeof made->note - used, "%s%s%s%s%s", used > 0 ? "; " : "",
                   complaint != NULL ? "the file is not used: " : "", complaint != NULL ? complaint : "",
                   complaint != NULL ? ": " : "", path);
}

grkan_status grkan_device_tunings(const grkan_device *device, grkan_tuning_source most, grkan_tunings *tunings)
{
    const grkan_status status = check_device(device, false);
    if (status != GRKAN_SUCCESS)
        return status;
    if (tunings == NULL)
        return grkan_fail(GRKAN_ERROR_INVALID_ARGUMENT, "tunings is NULL; expected where to put them");
    if (grkan_tuning_source_name(most) == NULL)
        return grkan_fail(GRKAN_ERROR_INVALID_ARGUMENT, "most is %d; expected a grkan_tuning_source", (int)most);
    const grkan_tunings *const known = device->limits.known;
    const bool is_older = has_tunings(device) && (most == GRKAN_TUNING_DEFAULT || most == GRKAN_TUNING_TABLE);
    grkan_tunings made = {.source = device->tuning_source};
    memcpy(made.of, device->limits.tunings, sizeof made.of);
    if (is_older) {
        made.source = most == GRKAN_TUNING_TABLE && known != NULL ? GRKAN_TUNING_TABLE : GRKAN_TUNING_DEFAULT;
        memcpy(made.of, made.source == GRKAN_TUNING_TABLE ? known->of : device->told, sizeof made.of);
    }
    const char *const note = made.source == GRKAN_TUNING_TABLE ? known->note : "";
    memcpy(made.note, note, strlen(note) + 1);
    if (!is_older)
        add_file(device, &made);
    *tunings = made;
    return GRKAN_SUCCESS;
}

grkan_status grkan_device_tune(grkan_device *device, const grkan_tunings *tunings)
{
    const grkan_status status = check_device(device, true);
    if (status != GRKAN_SUCCESS)
        return status;
    if (tunings == NULL)
        return grkan_fail(GRKAN_ERROR_INVALID_ARGUMENT, "tunings is NULL; expected tunings");
    for (int kind = 0; kind < GRKAN_TUNING_KINDS; ++kind) {
        grkan_tuning one = tunings->of[kind];
        for (int i = 0; i < member_count; ++i)
            if (!is_allowed(*member_of(&one, i), i))
                return grkan_fail(GRKAN_ERROR_INVALID_ARGUMENT, "tunings->of[%s].%s is %d; expected %s of %d in %d..%d",
                                  grkan_tuning_name((grkan_tuning_kind)kind), members[i].name, (int)*member_of(&one, i),
                                  members[i].step == 0 ? "a power" : "a multiple",
                                  members[i].step == 0 ? 2 : (int)members[i].step, (int)members[i].low,
                                  (int)members[i].high);
    }
    use(device, tunings->of, GRKAN_TUNING_CALLER);
    return GRKAN_SUCCESS;
}

grkan_status grkan_device_keep_tunings(const grkan_device *device)
{
    const grkan_status status = check_device(device, true);
    if (status != GRKAN_SUCCESS)
        return status;
    grkan_tuning of[GRKAN_TUNING_KINDS];
    char text[text_bytes];
    memcpy(of, device->limits.tunings, sizeof of);
    write_text(of, text);
    const grkan_cache_key key = key_of(device);
    const grkan_blob blob = {text, strlen(text)};
    if (grkan_cache_store(&key, &blob))
        return GRKAN_SUCCESS;
    char why[GRKAN_PATH_BYTES + 64];
    grkan_cache_obstacle(why, sizeof why);
    return grkan_fail(GRKAN_ERROR_UNSUPPORTED, "the tunings of %s cannot be kept: %s", device->properties.selector,
                      why);
}
