/* SPDX-License-Identifier: Apache-2.0 */
/** @file operation_options.c @brief Parsing the options that describe operations. */
#include "operation_options.h"

#include <string.h>

enum key {
    KEY_PRESET = 256,
    KEY_BATCH,
    KEY_OUTER,
    KEY_CHANNELS,
    KEY_INNER,
    KEY_GROUPS,
    KEY_DTYPE,
    KEY_STRATEGY,
    KEY_DETERMINISM,
    KEY_DEGREES,
    KEY_DENOMINATOR
};

static const struct argp_option options[] = {
    {NULL, 0, NULL, 0, "What (values that are repeated give one case each):", 2},
    {"preset", KEY_PRESET, "P", 0, "Both activations of a block of a published model: kat-t, kat-s or kat-b", 2},
    {"batch", KEY_BATCH, "N", 0, "Images of 197 tokens each (1024 on a GPU, 8 elsewhere)", 2},
    {"outer", KEY_OUTER, "N", 0, "Rows of the tensor outer x channels x inner (batch x 197)", 2},
    {"channels", KEY_CHANNELS, "N", 0, "Channels (768)", 2},
    {"inner", KEY_INNER, "N", 0, "Elements of a channel in a row (1)", 2},
    {"groups", KEY_GROUPS, "N", 0, "Groups of channels (8)", 2},
    {"dtype", KEY_DTYPE, "T", 0, "f32 (the default), f16, bf16 or f64; may be repeated", 2},
    {"strategy", KEY_STRATEGY, "S", 0, "Of backward: auto (the default), element, block or tree; may be repeated", 2},
    {"determinism", KEY_DETERMINISM, "L", 0,
     "run_to_run, none or device_to_device (none for the strategies element and block, else run_to_run); may be "
     "repeated",
     2},
    {"degrees", KEY_DEGREES, "m,n", 0, "Degrees of numerator and denominator (5,4)", 2},
    {"denominator", KEY_DENOMINATOR, "F", 0, "abs_terms (the default), abs_sum, abs_sum_offset or plain", 2},
    {0},
};

/* The library's names by number, so that one function can look them all up. */
const char *option_dtype_name(int value)
{
    return grkan_dtype_name((grkan_dtype)value);
}

const char *option_denominator_name(int value)
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

int option_parse_name(struct argp_state *state, const char *option, const char *text, const char *(*name_of)(int))
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

int64_t option_parse_number(struct argp_state *state, const char *option, const char *text, int64_t high)
{
    int64_t value = 1;
    if (tool_parse_integer(text, 1, high, &value) != 0)
        argp_error(state, "--%s: '%s' is not a whole number from 1 to %lld", option, text, (long long)high);
    return value;
}

void option_parse_degrees(struct argp_state *state, const char *text, int *numerator, int *denominator)
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
    *numerator = (int)degrees[0];
    *denominator = (int)degrees[1];
}

static void parse_preset(struct argp_state *state, const char *text, operation_request *request)
{
    int64_t channels[2];
    if (preset_channels(text, channels) != 0)
        argp_error(state, "--preset: '%s' is none of kat-t, kat-s, kat-b", text);
    request->preset = text;
}

/** After the last option: what does not go together. */
static void check_request(struct argp_state *state, const operation_request *request)
{
    if (request->preset != NULL && (request->outer || request->channels || request->inner || request->groups))
        argp_error(state, "--preset gives the shape; leave out --outer, --channels, --inner and --groups");
    if (request->batch != 0 && request->outer != 0)
        argp_error(state, "--batch and --outer both give the rows; leave one out");
}

static error_t parse_option(int key, char *text, struct argp_state *state)
{
    operation_request *request = state->input;
    const int64_t most = INT64_C(1) << 40;
    switch (key) {
    case KEY_PRESET:
        parse_preset(state, text, request);
        return 0;
    case KEY_BATCH:
        request->batch = option_parse_number(state, "batch", text, INT64_C(1) << 30);
        return 0;
    case KEY_OUTER:
        request->outer = option_parse_number(state, "outer", text, most);
        return 0;
    case KEY_CHANNELS:
        request->channels = option_parse_number(state, "channels", text, most);
        return 0;
    case KEY_INNER:
        request->inner = option_parse_number(state, "inner", text, most);
        return 0;
    case KEY_GROUPS:
        request->groups = option_parse_number(state, "groups", text, most);
        return 0;
    case KEY_DTYPE:
        request->dtypes |= 1u << option_parse_name(state, "dtype", text, option_dtype_name);
        return 0;
    case KEY_STRATEGY:
        request->strategies |= 1u << option_parse_name(state, "strategy", text, strategy_name);
        return 0;
    case KEY_DETERMINISM:
        request->determinisms |= 1u << option_parse_name(state, "determinism", text, determinism_name);
        return 0;
    case KEY_DEGREES:
        option_parse_degrees(state, text, &request->numerator_degree, &request->denominator_degree);
        return 0;
    case KEY_DENOMINATOR:
        request->denominator =
            (grkan_denominator)option_parse_name(state, "denominator", text, option_denominator_name);
        return 0;
    case ARGP_KEY_END:
        check_request(state, request);
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

const struct argp operation_parser = {.options = options, .parser = parse_option};
