/* SPDX-License-Identifier: Apache-2.0 */
/** @file bench_options.c @brief The command line of grkan bench. */
#include <argp.h>
#include <stdlib.h>
#include <string.h>

#include "bench.h"

enum key {
    KEY_DEVICE = 256,
    KEY_PRESET,
    KEY_BATCH,
    KEY_OUTER,
    KEY_CHANNELS,
    KEY_INNER,
    KEY_GROUPS,
    KEY_DTYPE,
    KEY_PASS,
    KEY_STRATEGY,
    KEY_DETERMINISM,
    KEY_DEGREES,
    KEY_DENOMINATOR,
    KEY_REPEATS,
    KEY_CPU_THREADS,
    KEY_JSON
};

static const struct argp_option options[] = {
    {NULL, 0, NULL, 0, "Where:", 1},
    {"device", KEY_DEVICE, "D", 0, "Device, as `grkan devices' lists them; may be repeated", 1},
    {"cpu-threads", KEY_CPU_THREADS, "N", 0, "Threads of the cpu backend (OpenMP's choice)", 1},
    {NULL, 0, NULL, 0, "What (values that are repeated give one case each):", 2},
    {"preset", KEY_PRESET, "P", 0, "Both activations of a block of a published model: kat-t, kat-s or kat-b", 2},
    {"batch", KEY_BATCH, "N", 0, "Images of 197 tokens each (1024 on a GPU, 8 elsewhere)", 2},
    {"outer", KEY_OUTER, "N", 0, "Rows of the tensor outer x channels x inner (batch x 197)", 2},
    {"channels", KEY_CHANNELS, "N", 0, "Channels (768)", 2},
    {"inner", KEY_INNER, "N", 0, "Elements of a channel in a row (1)", 2},
    {"groups", KEY_GROUPS, "N", 0, "Groups of channels (8)", 2},
    {"dtype", KEY_DTYPE, "T", 0, "f32 (the default), f16, bf16 or f64; may be repeated", 2},
    {"pass", KEY_PASS, "P", 0, "forward or backward (both); may be repeated", 2},
    {"strategy", KEY_STRATEGY, "S", 0, "Of backward: auto (the default), element, block or tree; may be repeated", 2},
    {"determinism", KEY_DETERMINISM, "L", 0,
     "run_to_run, none or device_to_device (none for the strategies element and block, else run_to_run); may be "
     "repeated",
     2},
    {"degrees", KEY_DEGREES, "m,n", 0, "Degrees of numerator and denominator (5,4)", 2},
    {"denominator", KEY_DENOMINATOR, "F", 0, "abs_terms (the default), abs_sum, abs_sum_offset or plain", 2},
    {NULL, 0, NULL, 0, "How:", 3},
    {"repeats", KEY_REPEATS, "N", 0, "Samples of each case (about half a second's worth, 5 at least)", 3},
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

/* The library's names by number, so that one function can look them all up. */
static const char *dtype_name(int value)
{
    return grkan_dtype_name((grkan_dtype)value);
}

static const char *denominator_name(int value)
{
    return grkan_denominator_name((grkan_denominator)value);
}

static const char *strategy_name(int value)
{
    return grkan_strategy_name((grkan_strategy)value);
}

static const char *determinism_name(int value)
{
    return grkan_determinism_name((grkan_determinism)value);
}

static const char *pass_name(int value)
{
    return value == BENCH_FORWARD || value == BENCH_BACKWARD ? bench_pass_name((bench_pass)value) : NULL;
}

/** The value whose name is text; otherwise a bad usage that lists the names. */
static int parse_name(struct argp_state *state, const char *option, const char *text, const char *(*name_of)(int))
{
    char names[128] = "";
    for (int value = 0; name_of(value) != NULL; value++) {
        if (strcmp(text, name_of(value)) == 0)
            return value;
        strncat(names, value ? ", " : "", sizeof names - strlen(names) - 1);
        strncat(names, name_of(value), sizeof names - strlen(names) - 1);
    }
    argp_error(state, "--%s: '%s' is none of %s", option, text, names);
    return 0;
}

static int64_t parse_number(struct argp_state *state, const char *option, const char *text, int64_t high)
{
    int64_t value = 1;
    if (tool_parse_integer(text, 1, high, &value) != 0)
        argp_error(state, "--%s: '%s' is not a whole number from 1 to %lld", option, text, (long long)high);
    return value;
}

static void parse_degrees(struct argp_state *state, char *text, bench_request *request)
{
    int64_t degrees[2] = {0, 0};
    char first[8] = "";
    const char *comma = strchr(text, ',');
    if (comma != NULL && comma - text < (long)sizeof first)
        memcpy(first, text, (size_t)(comma - text));
    if (comma == NULL || tool_parse_integer(first, 0, GRKAN_MAX_DEGREE, &degrees[0]) != 0 ||
        tool_parse_integer(comma + 1, 0, GRKAN_MAX_DEGREE, &degrees[1]) != 0)
        argp_error(state, "--degrees: '%s' is not two whole numbers from 0 to %d with a comma between them, as 5,4",
                   text, GRKAN_MAX_DEGREE);
    request->numerator_degree = (int)degrees[0];
    request->denominator_degree = (int)degrees[1];
}

static void add_selector(bench_request *request, const char *selector)
{
    size_t count = (size_t)request->selector_count + 1;
    request->selectors = tool_resize(request->selectors, count * sizeof *request->selectors);
    request->selectors[count - 1] = selector;
    request->selector_count = (int)count;
}

/** After the last option: what does not go together, and the default device. */
static void finish_request(struct argp_state *state, bench_request *request)
{
    if (request->preset != NULL && (request->outer || request->channels || request->inner || request->groups))
        argp_error(state, "--preset gives the shape; leave out --outer, --channels, --inner and --groups");
    if (request->batch != 0 && request->outer != 0)
        argp_error(state, "--batch and --outer both give the rows; leave one out");
    if (request->selector_count == 0)
        add_selector(request, NULL);
}

static void parse_preset(struct argp_state *state, const char *text, bench_request *request)
{
    int64_t channels[2];
    if (preset_channels(text, channels) != 0)
        argp_error(state, "--preset: '%s' is none of kat-t, kat-s, kat-b", text);
    request->preset = text;
}

static error_t parse_option(int key, char *text, struct argp_state *state)
{
    bench_request *request = state->input;
    const int64_t most = INT64_C(1) << 40;
    switch (key) {
    case KEY_DEVICE:
        add_selector(request, text);
        return 0;
    case KEY_PRESET:
        parse_preset(state, text, request);
        return 0;
    case KEY_BATCH:
        request->batch = parse_number(state, "batch", text, INT64_C(1) << 30);
        return 0;
    case KEY_OUTER:
        request->outer = parse_number(state, "outer", text, most);
        return 0;
    case KEY_CHANNELS:
        request->channels = parse_number(state, "channels", text, most);
        return 0;
    case KEY_INNER:
        request->inner = parse_number(state, "inner", text, most);
        return 0;
    case KEY_GROUPS:
        request->groups = parse_number(state, "groups", text, most);
        return 0;
    case KEY_DTYPE:
        request->dtypes |= 1u << parse_name(state, "dtype", text, dtype_name);
        return 0;
    case KEY_PASS:
        request->passes |= 1u << parse_name(state, "pass", text, pass_name);
        return 0;
    case KEY_STRATEGY:
        request->strategies |= 1u << parse_name(state, "strategy", text, strategy_name);
        return 0;
    case KEY_DETERMINISM:
        request->determinisms |= 1u << parse_name(state, "determinism", text, determinism_name);
        return 0;
    case KEY_DEGREES:
        parse_degrees(state, text, request);
        return 0;
    case KEY_DENOMINATOR:
        request->denominator = (grkan_denominator)parse_name(state, "denominator", text, denominator_name);
        return 0;
    case KEY_REPEATS:
        request->repeats = parse_number(state, "repeats", text, 100000);
        return 0;
    case KEY_CPU_THREADS:
        request->cpu_threads = (int)parse_number(state, "cpu-threads", text, 1024);
        return 0;
    case KEY_JSON:
        request->json = text;
        return 0;
    case ARGP_KEY_ARG:
        argp_error(state, "'%s' is not an option; bench takes options only", text);
        return 0;
    case ARGP_KEY_END:
        finish_request(state, request);
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static const struct argp parser = {
    .options = options,
    .parser = parse_option,
    .doc = "Measure forward and backward, and the device's copy beside them."
           "\vTimes are the device's own, of one call, after a warm-up, over more memory than its caches hold. "
           "GB/s counts the bytes that a pass must move: 2 tensors forward, 3 backward. `copy' is a copy within the "
           "device's memory, bytes read plus bytes written. `predicted' is those necessary bytes at the copy's speed "
           "(the IO model), `of copy' the measured speed over the copy's.\n\n"
           "Without --device it is the environment's GRKAN_DEVICE, else the first that works. What a device cannot do "
           "or promise gives a row that says why.",
};

void bench_parse(int argc, char **argv, bench_request *request)
{
    *request = (bench_request){.numerator_degree = 5, .denominator_degree = 4, .denominator = GRKAN_ABS_TERMS};
    argp_parse(&parser, argc, argv, 0, NULL, request);
}
