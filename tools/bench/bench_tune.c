/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file bench_tune.c
 * @brief How passes run best on a device: tried member by member, from what the device tells of itself.
 *
 * Each member of a tuning takes all its values in turn, and keeps the best before the next member is tried. What that finds
 * then stands against what grkan's table has for the device. A tuning gives way only to one that is 2 % faster twice, so that
 * noise changes nothing; and what is left when the time is over stays as it is.
 */
#include <stdlib.h>
#include <string.h>

#include <grkan/tune.h>

#include "bench.h"
#include "../../core/platform/platform.h"
#include "common/operation_report.h"
#include "common/progress.h"

enum { PASSES = 2, MOST_VALUES = 6 };
static const double margin = 0.98;
static const double most_milliseconds = 60000.0;
static const bench_effort effort = {.repeats = 0, .milliseconds = 15.0};

/** The layers that are measured, by what their passes' tunings are of. */
static const struct {
    grkan_dtype dtype;
    grkan_output_dtype output_dtype;
    grkan_prologue prologue;
    grkan_tuning_kind kinds[PASSES];
} layers[] = {
    {GRKAN_F32, GRKAN_OUTPUT_AS_INPUT, GRKAN_PROLOGUE_NONE, {GRKAN_TUNING_FORWARD, GRKAN_TUNING_BACKWARD}},
    {GRKAN_BF16,
     GRKAN_OUTPUT_AS_INPUT,
     GRKAN_PROLOGUE_NONE,
     {GRKAN_TUNING_FORWARD_16_BIT, GRKAN_TUNING_BACKWARD_16_BIT}},
    {GRKAN_F32, GRKAN_OUTPUT_BF16, GRKAN_PROLOGUE_LAYER_NORM, {GRKAN_TUNING_FORWARD_NORM, GRKAN_TUNING_BACKWARD_NORM}},
};

enum { LAYERS = sizeof layers / sizeof layers[0] };

/** The members that are tried, and their values; of processors, which run a block as a loop, the first alone. */
static const struct {
    size_t offset;
    int32_t values[MOST_VALUES]; /* up to the first 0 */
} members[] = {{offsetof(grkan_tuning, block), {96, 128, 192, 256, 384, 480}},
               {offsetof(grkan_tuning, occupancy), {384, 512, 768, 960, 1152, 1536}},
               {offsetof(grkan_tuning, step), {4, 8, 16}},
               {offsetof(grkan_tuning, stages), {1, 2}},
               {offsetof(grkan_tuning, grid_waves), {1, 6, 24}}};

enum { MEMBERS = sizeof members / sizeof members[0], PROCESSOR_MEMBERS = 1 };

/** What was found of one kind. Milliseconds are 0 where nothing was measured. */
typedef struct tuned_pass {
    grkan_tuning best;
    double milliseconds; /**< of the best */
    double default_milliseconds;
    double table_milliseconds;
    double found_milliseconds; /**< of the best before the table's was tried */
    char *why_not;             /**< it is not measured, of the last tuning tried; NULL where one was */
} tuned_pass;

struct bench_tuned {
    grkan_tunings defaults;
    grkan_tunings table; /**< its source is the default where the table has none */
    tuned_pass passes[LAYERS][PASSES];
    double started;
    double seconds;
    char *why_not; /**< it is not kept; NULL: it is */
};

/* ------------------------------------------------------------------------------------------------------ trying */

static int is_over(const bench_tuned *tuned)
{
    return grkan_milliseconds() - tuned->started > most_milliseconds;
}

static grkan_operation operation_of(const bench_device *device, int layer)
{
    enum { CHANNELS = 768, GPU_ROWS = 512 * 197, OTHER_ROWS = 8 * 197, SHARE = 64 };
    const int64_t row_bytes = CHANNELS * (int64_t)grkan_dtype_bytes(layers[layer].dtype);
    const int64_t room = (int64_t)(device->properties.memory_bytes / SHARE) / row_bytes;
    const int64_t rows = device->properties.is_gpu ? GPU_ROWS : OTHER_ROWS;
    grkan_operation operation = GRKAN_OPERATION_INIT;
    operation.outer = room > 0 && room < rows ? room : rows;
    operation.channels = CHANNELS;
    operation.dtype = layers[layer].dtype;
    operation.output_dtype = layers[layer].output_dtype;
    operation.prologue = layers[layer].prologue;
    operation.norm.epsilon = 1e-5;
    operation.norm.has_scale = operation.norm.has_shift = operation.prologue == GRKAN_PROLOGUE_LAYER_NORM;
    return operation;
}

/** Time both passes of a layer with tunings of their kinds. What the device does not run, or fails at, is no tuning for it.
    @param milliseconds out: 0 of one that was not measured */
static void time_layer(bench_device *device, int layer, const grkan_tuning of[PASSES], double milliseconds[PASSES])
{
    grkan_tunings tunings = device->tuned->defaults;
    for (int pass = 0; pass < PASSES; pass++)
        tunings.of[layers[layer].kinds[pass]] = of[pass];
    for (int pass = 0; pass < PASSES; pass++) {
        char **const why_not = &device->tuned->passes[layer][pass].why_not;
        bench_case one = {.operation = operation_of(device, layer), .pass = (bench_pass)pass};
        grkan_status status = grkan_device_tune(device->device, &tunings);
        if (status == GRKAN_SUCCESS)
            status = bench_run_case(device, &one, effort, bench_device_time);
        const int is_measured = status == GRKAN_SUCCESS && one.refusal == NULL;
        milliseconds[pass] = is_measured ? one.milliseconds.median : 0.0;
        free(*why_not);
        *why_not = is_measured ? NULL : tool_copy_text(one.refusal != NULL ? one.refusal : grkan_last_error());
        bench_free_case(&one);
    }
}

/** Whether a time is clearly below the best, either 0 where there is none. */
static int is_faster(double milliseconds, double best)
{
    return milliseconds > 0.0 && (best <= 0.0 || milliseconds < margin * best);
}

/**
 * Try a tuning for each pass of a layer in the place of its best. Those that seem faster are measured once more, and so are
 * the best, after them.
 */
static void challenge(bench_device *device, int layer, const grkan_tuning tried[PASSES])
{
    tuned_pass *const passes = device->tuned->passes[layer];
    const grkan_tuning best[PASSES] = {passes[0].best, passes[1].best};
    double first[PASSES], again[PASSES], of_best[PASSES];
    time_layer(device, layer, tried, first);
    if (!is_faster(first[0], passes[0].milliseconds) && !is_faster(first[1], passes[1].milliseconds))
        return;
    time_layer(device, layer, tried, again);
    time_layer(device, layer, best, of_best);
    for (int pass = 0; pass < PASSES; pass++) {
        const double slower = first[pass] > again[pass] ? first[pass] : again[pass];
        if (of_best[pass] > 0.0 && of_best[pass] < passes[pass].milliseconds)
            passes[pass].milliseconds = of_best[pass];
        if (first[pass] > 0.0 && again[pass] > 0.0 && is_faster(slower, passes[pass].milliseconds)) {
            passes[pass].best = tried[pass];
            passes[pass].milliseconds = slower;
        }
    }
}

static int32_t *member_of(grkan_tuning *tuning, int member)
{
    return (int32_t *)(void *)((char *)tuning + members[member].offset);
}

/** Try all values of a member. */
static void try_member(bench_device *device, int layer, int member)
{
    const tuned_pass *const passes = device->tuned->passes[layer];
    grkan_tuning start[PASSES] = {passes[0].best, passes[1].best};
    for (int i = 0; i < MOST_VALUES && members[member].values[i] != 0; i++) {
        const int32_t value = members[member].values[i];
        grkan_tuning tried[PASSES] = {start[0], start[1]};
        *member_of(&tried[0], member) = *member_of(&tried[1], member) = value;
        if (is_over(device->tuned) ||
            (*member_of(&start[0], member) == value && *member_of(&start[1], member) == value))
            continue;
        challenge(device, layer, tried);
    }
}

/** Both passes of a layer, from the defaults on. */
static void tune_layer(bench_device *device, int layer)
{
    bench_tuned *const tuned = device->tuned;
    tuned_pass *const passes = tuned->passes[layer];
    const int count = device->properties.is_gpu ? MEMBERS : PROCESSOR_MEMBERS;
    grkan_tuning of_table[PASSES];
    double milliseconds[PASSES];
    if (is_over(tuned))
        return;
    const grkan_tuning defaults[PASSES] = {passes[0].best, passes[1].best};
    time_layer(device, layer, defaults, milliseconds);
    for (int pass = 0; pass < PASSES; pass++) {
        passes[pass].default_milliseconds = passes[pass].milliseconds = milliseconds[pass];
        of_table[pass] = tuned->table.of[layers[layer].kinds[pass]];
    }
    for (int member = 0; member < count; member++) {
        progress_show((size_t)(layer * MEMBERS + member), LAYERS * MEMBERS, device->properties.selector);
        try_member(device, layer, member);
    }
    for (int pass = 0; pass < PASSES; pass++)
        passes[pass].found_milliseconds = passes[pass].milliseconds;
    if (tuned->table.source != GRKAN_TUNING_TABLE)
        return;
    /* The other way round: the table's is what a found one has to beat. */
    const grkan_tuning found[PASSES] = {passes[0].best, passes[1].best};
    time_layer(device, layer, of_table, milliseconds);
    for (int pass = 0; pass < PASSES; pass++) {
        passes[pass].table_milliseconds = passes[pass].milliseconds = milliseconds[pass];
        passes[pass].best = of_table[pass];
    }
    challenge(device, layer, found);
}

/* ---------------------------------------------------------------------------------------------------- the whole */

/** Of kinds that were not measured, what the device has without a file. */
static grkan_tunings found_tunings(const bench_tuned *tuned)
{
    grkan_tunings found = tuned->table;
    for (int layer = 0; layer < LAYERS; layer++)
        for (int pass = 0; pass < PASSES; pass++)
            if (tuned->passes[layer][pass].milliseconds > 0.0)
                found.of[layers[layer].kinds[pass]] = tuned->passes[layer][pass].best;
    return found;
}

static void keep(bench_device *device)
{
    const grkan_tunings found = found_tunings(device->tuned);
    grkan_status status = grkan_device_tune(device->device, &found);
    if (status == GRKAN_SUCCESS)
        status = grkan_device_keep_tunings(device->device);
    device->tuned->why_not = status == GRKAN_SUCCESS ? NULL : tool_copy_text(grkan_last_error());
}

/** Kernels that are compiled for a trial would fill the cache. */
static void tune_layers(bench_device *device)
{
    const char *const cache = grkan_environment("GRKAN_CACHE");
    char *const before = cache != NULL ? tool_copy_text(cache) : NULL;
    (void)grkan_set_environment("GRKAN_CACHE", "off");
    for (int layer = 0; layer < LAYERS; layer++)
        tune_layer(device, layer);
    (void)grkan_set_environment("GRKAN_CACHE", before);
    free(before);
}

static int is_any_measured(const bench_tuned *tuned)
{
    for (int layer = 0; layer < LAYERS; layer++)
        for (int pass = 0; pass < PASSES; pass++)
            if (tuned->passes[layer][pass].milliseconds > 0.0)
                return 1;
    return 0;
}

static void print_time(text_table *to, double milliseconds)
{
    if (milliseconds > 0.0)
        text_table_cell(to, "%.4f", milliseconds);
    else
        text_table_cell(to, "%s", "");
}

static void print_tuning(text_table *to, const bench_tuned *tuned, int layer, int pass)
{
    const tuned_pass *const one = &tuned->passes[layer][pass];
    text_table_row(to);
    text_table_cell(to, "%s", grkan_tuning_name(layers[layer].kinds[pass]));
    if (one->milliseconds <= 0.0) {
        text_table_note(to, one->why_not != NULL ? one->why_not : "not measured: a minute is over");
        return;
    }
    print_time(to, one->default_milliseconds);
    print_time(to, one->found_milliseconds);
    print_time(to, one->table_milliseconds);
    text_table_cell(to, "%d", (int)one->best.block);
    text_table_cell(to, "%d", (int)one->best.occupancy);
    text_table_cell(to, "%d", (int)one->best.step);
    text_table_cell(to, "%d", (int)one->best.stages);
    text_table_cell(to, "%d", (int)one->best.grid_waves);
}

static void print(const bench_device *device, FILE *stream)
{
    static const text_table_column columns[] = {{"tuning", 'l'}, {"default ms", 'r'}, {"found", 'r'},
                                                {"table", 'r'},  {"block", 'r'},      {"occupancy", 'r'},
                                                {"step", 'r'},   {"stages", 'r'},     {"waves", 'r'}};
    const bench_tuned *const tuned = device->tuned;
    text_table *const rows = TEXT_TABLE_OF(columns);
    fprintf(stream, "%s: %s (%s), tuned in %.0f s\n", device->properties.selector, device->properties.name,
            device->properties.driver, tuned->seconds);
    for (int layer = 0; layer < LAYERS; layer++)
        for (int pass = 0; pass < PASSES; pass++)
            print_tuning(rows, tuned, layer, pass);
    text_table_finish(rows, stream);
    fprintf(stream, "%s\n", tuned->why_not == NULL ? "kept for this device and driver" : tuned->why_not);
    fflush(stream);
}

grkan_status bench_tune_begin(bench_device *device)
{
    bench_tuned *const tuned = device->tuned = tool_allocate(sizeof *tuned);
    grkan_status status = grkan_device_tunings(device->device, GRKAN_TUNING_DEFAULT, &tuned->defaults);
    if (status == GRKAN_SUCCESS)
        status = grkan_device_tunings(device->device, GRKAN_TUNING_TABLE, &tuned->table);
    for (int layer = 0; layer < LAYERS; layer++)
        for (int pass = 0; pass < PASSES; pass++)
            tuned->passes[layer][pass].best = tuned->defaults.of[layers[layer].kinds[pass]];
    return status == GRKAN_SUCCESS ? grkan_device_tune(device->device, &tuned->defaults) : status;
}

grkan_status bench_tune(bench_device *device, FILE *stream)
{
    bench_tuned *const tuned = device->tuned;
    tuned->started = grkan_milliseconds();
    tune_layers(device);
    progress_clear();
    if (!is_any_measured(tuned))
        return GRKAN_ERROR_DEVICE; /* the last error is that of the last trial */
    keep(device);
    tuned->seconds = (grkan_milliseconds() - tuned->started) / 1000.0;
    print(device, stream);
    return GRKAN_SUCCESS;
}

int bench_is_kept(const bench_device *device)
{
    return device->tuned->why_not == NULL;
}

void bench_free_tuned(bench_device *device)
{
    for (int i = 0; device->tuned != NULL && i < LAYERS * PASSES; i++)
        free(device->tuned->passes[i / PASSES][i % PASSES].why_not);
    if (device->tuned != NULL)
        free(device->tuned->why_not);
    free(device->tuned);
}

static void add_time(cJSON *to, const char *name, double milliseconds)
{
    if (milliseconds > 0.0)
        report_add_measured(to, name, milliseconds);
}

cJSON *bench_json_of_tuning(const bench_device *device)
{
    const bench_tuned *const tuned = device->tuned;
    const grkan_tunings found = found_tunings(tuned);
    cJSON *const object = cJSON_CreateObject();
    report_add_device(object, &device->properties);
    report_add_measured(object, "seconds", tuned->seconds);
    cJSON_AddBoolToObject(object, "is_kept", bench_is_kept(device));
    cJSON *const all = report_add_tunings(object, &found);
    for (int layer = 0; layer < LAYERS; layer++) {
        for (int pass = 0; pass < PASSES; pass++) {
            const tuned_pass *const one = &tuned->passes[layer][pass];
            cJSON *const to = cJSON_GetObjectItem(all, grkan_tuning_name(layers[layer].kinds[pass]));
            add_time(to, "default_milliseconds", one->default_milliseconds);
            add_time(to, "found_milliseconds", one->found_milliseconds);
            add_time(to, "table_milliseconds", one->table_milliseconds);
        }
    }
    return object;
}
