/* SPDX-License-Identifier: Apache-2.0 */
/** @file bench_options.c @brief The command line of grkan bench. */
#include <argp.h>
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
    KEY_STUDY
};

static const struct argp_option options[] = {
    {NULL, 0, NULL, 0, "Where:", 1},
    {"device", KEY_DEVICE, "D", 0, "Device, as `grkan devices' lists them; may be repeated", 1},
    {"cpu-threads", KEY_CPU_THREADS, "N", 0, "Threads of the cpu backend (all processors)", 1},
    {"pass", KEY_PASS, "P", 0, "forward or backward (both); may be repeated", 2},
    {"study", KEY_STUDY, NULL, 0,
     "Instead of these, the cases of a study, with predictions: the parts named (times, ladder, sizes, groups, "
     "degrees, "
     "determinism, errors), or all",
     2},
    {NULL, 0, NULL, 0, "How:", 3},
    {"repeats", KEY_REPEATS, "N", 0, "Samples of each case (about half a second's worth, 5 at least)", 3},
    {"rounds", KEY_ROUNDS, "N", 0,
     "Measure all cases N times, one after another, and take the samples together (1): where others change the "
     "machine's pace for seconds",
     3},
    {"predict", KEY_PREDICT, NULL, 0,
     "Measure layers of KAT's too, and predict every case from them by the library's cost model", 3},
    {"host-time", KEY_HOST_TIME, NULL, 0,
     "Measure the host instead: opening the device, the plan, the first call until it is done, and calls that only "
     "enqueue",
     3},
    {"json", KEY_JSON, "FILE", 0,
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

static void add_selector(bench_request *request, const char *selector)
{
    size_t count = (size_t)request->selector_count + 1;
    request->selectors = tool_resize(request->selectors, count * sizeof *request->selectors);
    request->selectors[count - 1] = selector;
    request->selector_count = (int)count;
}

/** Whether anything but the default was asked for. */
static int has_cases(const operation_request *what)
{
    return what->preset != NULL || what->batch || what->outer || what->channels || what->inner || what->groups ||
           what->dtypes || what->strategies || what->determinisms;
}

static error_t parse_option(int key, char *text, struct argp_state *state)
{
    bench_request *request = state->input;
    switch (key) {
    case ARGP_KEY_INIT:
        state->child_inputs[0] = &request->what;
        return 0;
    case KEY_DEVICE:
        add_selector(request, text);
        return 0;
    case KEY_PASS:
        request->passes |= 1u << option_parse_name(state, "pass", text, pass_name);
        return 0;
    case KEY_REPEATS:
        request->repeats = option_parse_number(state, "repeats", text, 100000);
        return 0;
    case KEY_ROUNDS:
        request->rounds = option_parse_number(state, "rounds", text, 1000);
        return 0;
    case KEY_CPU_THREADS:
        request->cpu_threads = (int)option_parse_number(state, "cpu-threads", text, 1024);
        return 0;
    case KEY_PREDICT:
        request->is_predicted = 1;
        return 0;
    case KEY_HOST_TIME:
        request->is_host_time = 1;
        return 0;
    case KEY_JSON:
        request->json = text;
        return 0;
    case KEY_STUDY:
        request->is_study = 1;
        return 0;
    case ARGP_KEY_ARG:
        if (!request->is_study)
            argp_error(state, "'%s' is not an option; parts are named after --study", text);
        request->parts |= 1u << option_parse_name(state, "study", text, study_part_name);
        return 0;
    case ARGP_KEY_END:
        if (request->is_study && (has_cases(&request->what) || request->passes))
            argp_error(state, "--study has its own cases; leave out the options of single cases");
        if (request->is_study && request->is_host_time)
            argp_error(state, "--study measures the device; leave out --host-time");
        if (request->rounds != 0 && request->is_host_time)
            argp_error(state, "--rounds are of the device; leave out --host-time");
        if (request->is_predicted && request->is_host_time)
            argp_error(state, "--predict is of the device; leave out --host-time");
        if (request->rounds == 0)
            request->rounds = 1;
        request->is_predicted |= request->is_study;
        if (request->is_study && request->parts == 0)
            request->parts = (1u << STUDY_PARTS) - 1;
        if (request->selector_count == 0)
            add_selector(request, NULL);
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static const struct argp_child children[] = {{&operation_parser, 0, NULL, 0}, {0}};

static const struct argp parser = {
    .options = options,
    .parser = parse_option,
    .children = children,
    .args_doc = "[--study [PART...]]",
    .doc = "Measure forward and backward, and the device's copy beside them."
           "\vTimes are the device's own, of one call, after a warm-up, over more memory than its caches hold. "
           "GB/s counts the bytes that a pass must move: 2 tensors forward, 3 backward. `copy' is a copy within the "
           "device's memory, bytes read plus bytes written. `of copy' is "
           "the measured speed over the copy's.\n\n"
           "Without --device it is the environment's GRKAN_DEVICE, else the first that works. What a device cannot do "
           "or promise gives a row that says why.",
};

void bench_parse(int argc, char **argv, bench_request *request)
{
    *request = (bench_request){.what = OPERATION_REQUEST_INIT};
    argp_parse(&parser, argc, argv, 0, NULL, request);
}
