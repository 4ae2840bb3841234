/* SPDX-License-Identifier: Apache-2.0 */
/** @file bench_options.c @brief The command line of grkan bench. */
#include <stdlib.h>
#include <string.h>

#include "bench.h"

enum key {
    KEY_DEVICE = 256,
    KEY_PASS,
    KEY_REPEATS,
    KEY_ROUNDS,
    KEY_CPU_THREADS,
    KEY_PREDICT,
    KEY_HOST_TIME,
    KEY_JSON,
    KEY_STUDY,
    KEY_TUNE
};

static const command_option options[] = {
    {NULL, 0, NULL, "Where:", 1},
    {"device", KEY_DEVICE, "D", "Device, as `grkan devices' lists them; may be repeated", 1},
    {"cpu-threads", KEY_CPU_THREADS, "N", "Threads of the cpu backend (all processors)", 1},
    {"pass", KEY_PASS, "P", "forward or backward (both); may be repeated", 2},
    {"study", KEY_STUDY, NULL,
     "Instead of these, the cases of a study, with predictions: the parts named (times, ladder, sizes, groups, "
     "degrees, "
     "determinism, errors), or all",
     2},
    {"tune", KEY_TUNE, NULL,
     "Instead of these, find in a minute how forward and backward run best on the device, and keep that for plans "
     "of later processes, beside the compiled kernels; `grkan devices' shows where a device's tunings come from, "
     "and the file to remove if they shall be forgotten",
     2},
    {NULL, 0, NULL, "How:", 3},
    {"repeats", KEY_REPEATS, "N", "Samples of each case (about half a second's worth, 5 at least)", 3},
    {"rounds", KEY_ROUNDS, "N",
     "Measure all cases N times, one after another, and take the samples together (1): where others change the "
     "machine's pace for seconds",
     3},
    {"predict", KEY_PREDICT, NULL,
     "Measure layers of KAT's too, and predict every case from them by the library's cost model", 3},
    {"host-time", KEY_HOST_TIME, NULL,
     "Measure the host instead: opening the device, the plan, the first call until it is done, and calls that only "
     "enqueue",
     3},
    {"json", KEY_JSON, "FILE",
     "Write the results as JSON too; - is the standard output, and the table goes to "
     "the standard error",
     3},
    {0},
};

const char *bench_pass_name(bench_pass pass)
{
    static const char *const names[] = {"forward", "backward"};
    return pass == BENCH_FORWARD || pass == BENCH_BACKWARD ? names[pass] : NULL;
}

static const char *pass_name(int value)
{
    return value == BENCH_FORWARD || value == BENCH_BACKWARD ? bench_pass_name((bench_pass)value) : NULL;
}

/** Whether anything but the default was asked for. */
static int has_cases(const operation_request *what)
{
    static const operation_request plain = OPERATION_REQUEST_INIT;
    return what->numerator_degree != plain.numerator_degree || what->denominator_degree != plain.denominator_degree ||
           what->form != plain.form || what->preset != NULL || what->batch || what->outer || what->channels ||
           what->inner || what->groups || what->dtypes || what->output_dtype || what->strategies ||
           what->determinisms || what->prologue || what->frozen_names || what->writes_y;
}

static void take(void *to, const char *who, int key, const char *text)
{
    bench_request *request = to;
    switch (key) {
    case KEY_DEVICE:
        tool_append_text(&request->selectors, &request->selector_count, text);
        break;
    case KEY_PASS:
        request->passes |= 1u << option_parse_name(who, "pass", text, pass_name);
        break;
    case KEY_REPEATS:
        request->repeats = option_parse_number(who, "repeats", text, 100000);
        break;
    case KEY_ROUNDS:
        request->rounds = option_parse_number(who, "rounds", text, 1000);
        break;
    case KEY_CPU_THREADS:
        request->cpu_threads = (int)option_parse_number(who, "cpu-threads", text, 1024);
        break;
    case KEY_PREDICT:
        request->is_predicted = 1;
        break;
    case KEY_HOST_TIME:
        request->is_host_time = 1;
        break;
    case KEY_JSON:
        request->json = text;
        break;
    case KEY_STUDY:
        request->is_study = 1;
        break;
    case KEY_TUNE:
        request->is_tuned = 1;
        break;
    }
}

/** A part of the study. */
static void take_operand(void *to, const char *who, const char *text)
{
    bench_request *request = to;
    if (!request->is_study)
        options_complain(who, "'%s' is not an option; parts are named after --study", text);
    request->parts |= 1u << option_parse_name(who, "study", text, study_part_name);
}

/** After the last option: what does not go together, and what was not said. */
static void check(void *to, const char *who)
{
    bench_request *request = to;
    if (request->is_study && (has_cases(&request->what) || request->passes))
        options_complain(who, "--study has its own cases; leave out the options of single cases");
    if (request->is_study && request->is_host_time)
        options_complain(who, "--study measures the device; leave out --host-time");
    if (request->rounds != 0 && request->is_host_time)
        options_complain(who, "--rounds are of the device; leave out --host-time");
    if (request->is_predicted && request->is_host_time)
        options_complain(who, "--predict is of the device; leave out --host-time");
    if (request->is_tuned &&
        (has_cases(&request->what) || request->passes || request->is_study || request->is_host_time ||
         request->is_predicted || request->rounds || request->repeats || request->cpu_threads))
        options_complain(who, "--tune has its own cases; leave out all but --device and --json");
    if (request->rounds == 0)
        request->rounds = 1;
    request->is_predicted |= request->is_study;
    if (request->is_study && request->parts == 0)
        request->parts = (1u << STUDY_PARTS) - 1;
    if (request->selector_count == 0)
        tool_append_text(&request->selectors, &request->selector_count, NULL);
}

static const option_set own = {options, take, check};

static const command_line command = {
    .summary = "Measure forward and backward, and the device's copy beside them.",
    .operands = "[--study [PART...] | --tune]",
    .notes =
        {
            "Times are the device's own, of one call, after a warm-up, over more memory than its caches hold. GB/s "
            "counts the bytes that a pass must move: 2 tensors forward, 3 backward, less what is frozen, y again, a "
            "norm's statistics of rows. `copy' is a copy within the device's memory, bytes read plus bytes written. "
            "`of copy' is the measured speed over the copy's.",
            "Without --device it is the environment's GRKAN_DEVICE, else the first that works. What a device cannot "
            "do or promise gives a row that says why.",
        },
    .own = &own,
    .shared = &operation_options,
    .operand = take_operand,
};

void bench_parse(int argc, char **argv, bench_request *request)
{
    *request = (bench_request){.what = OPERATION_REQUEST_INIT};
    options_parse(&command, argc, argv, request, &request->what);
}
