/* SPDX-License-Identifier: Apache-2.0 */
/** @file operation_options.c @brief Parsing the options that describe operations. */
#include "operation_options.h"

#include <string.h>

#include "tools.h"

enum key {
    KEY_PRESET = 256,
    KEY_BATCH,
    KEY_OUTER,
    KEY_CHANNELS,
    KEY_INNER,
    KEY_GROUPS,
    KEY_DTYPE,
    KEY_OUTPUT_DTYPE,
    KEY_STRATEGY,
    KEY_DETERMINISM,
    KEY_DEGREES,
    KEY_FORM,
    KEY_PROLOGUE,
    KEY_EPSILON,
    KEY_NO_SCALE,
    KEY_NO_SHIFT,
    KEY_FROZEN,
    KEY_WRITES_Y
};

static const command_option options[] = {
    {NULL, 0, NULL, "What (values that are repeated give one case each):", 2},
    {"preset", KEY_PRESET, "P", "Both activations of a block of a published model: kat-t, kat-s or kat-b", 2},
    {"batch", KEY_BATCH, "N", "Images of 197 tokens each (1024 on a GPU, 8 elsewhere)", 2},
    {"outer", KEY_OUTER, "N", "Rows of the tensor outer x channels x inner (batch x 197)", 2},
    {"channels", KEY_CHANNELS, "N", "Channels (768)", 2},
    {"inner", KEY_INNER, "N", "Elements of a channel in a row (1)", 2},
    {"groups", KEY_GROUPS, "N", "Groups of channels (8)", 2},
    {"dtype", KEY_DTYPE, "T", "Of x and dx: f32 (the default), f16, bf16 or f64; may be repeated", 2},
    {"output-dtype", KEY_OUTPUT_DTYPE, "T", "Of y and dy: f32, f16 or bf16 (that of x and dx)", 2},
    {"strategy", KEY_STRATEGY, "S", "Of backward: auto (the default), element, block or tree; may be repeated", 2},
    {"determinism", KEY_DETERMINISM, "L",
     "run_to_run, none or device_to_device (none for the strategies element and block, else run_to_run); may be "
     "repeated",
     2},
    {"degrees", KEY_DEGREES, "m,n", "Degrees of numerator and denominator (5,4)", 2},
    {"form", KEY_FORM, "F", "Denominator: abs_terms (the default), abs_sum, abs_sum_offset, plain or square", 2},
    {"denominator", KEY_FORM, "F", NULL, 2},
    {"prologue", KEY_PROLOGUE, "P", "What stands before it: none (the default), bias, layer_norm or rms_norm", 2},
    {"epsilon", KEY_EPSILON, "E", "Of a norm: added to the variance (1e-5)", 2},
    {"no-scale", KEY_NO_SCALE, NULL, "A norm without factors", 2},
    {"no-shift", KEY_NO_SHIFT, NULL, "A norm that adds nothing", 2},
    {"frozen", KEY_FROZEN, "LIST",
     "Gradients that backward leaves out, with commas between them: x, numerator, denominator, bias, scale, shift", 2},
    {"writes-y", KEY_WRITES_Y, NULL, "Backward writes y again, for layers that do not store it", 2},
    {0},
};

void option_parse_degrees(const char *who, const char *text, int *numerator, int *denominator)
{
    int64_t degrees[2] = {0, 0};
    char first[8] = "";
    const char *comma = strchr(text, ',');
    if (comma != NULL && comma - text < (long)sizeof first)
        memcpy(first, text, (size_t)(comma - text));
    if (comma == NULL || tool_parse_integer(first, 0, GRKAN_MAX_DEGREE, &degrees[0]) != 0 ||
        tool_parse_integer(comma + 1, 0, GRKAN_MAX_DEGREE, &degrees[1]) != 0)
        options_complain(who, "--degrees: '%s' is not two whole numbers from 0 to %d with a comma between them, as 5,4",
                         text, GRKAN_MAX_DEGREE);
    *numerator = (int)degrees[0];
    *denominator = (int)degrees[1];
}

static void parse_preset(const char *who, const char *text, operation_request *request)
{
    int64_t channels[2];
    if (preset_channels(text, channels) != 0)
        options_complain(who, "--preset: '%s' is none of kat-t, kat-s, kat-b", text);
    request->preset = text;
}

/** The bit of options.frozen that a name of `length` letters means; otherwise a bad usage. */
static uint32_t frozen_bit(const char *who, const operation_request *request, const char *name, size_t length)
{
    grkan_operation operation = GRKAN_OPERATION_INIT;
    grkan_table tables[GRKAN_MOST_TABLES];
    int count = 0;
    char names[128] = "x";
    operation.prologue = request->prologue;
    operation.norm = request->norm;
    (void)grkan_operation_tables(&operation, tables, &count);
    if (length == 1 && *name == 'x')
        return GRKAN_FROZEN_X;
    for (int k = 0; k < count; k++) {
        if (tables[k].width > 0 && strlen(tables[k].name) == length && strncmp(tables[k].name, name, length) == 0)
            return 1u << k;
        if (tables[k].width > 0)
            strcat(strcat(names, ", "), tables[k].name);
    }
    options_complain(who, "--frozen: '%.*s' is none of %s", (int)length, name, names);
}

static uint32_t parse_frozen(const char *who, const operation_request *request)
{
    uint32_t frozen = 0;
    for (const char *name = request->frozen_names; name != NULL;) {
        const size_t length = strcspn(name, ",");
        frozen |= frozen_bit(who, request, name, length);
        name = name[length] == ',' ? name + length + 1 : NULL;
    }
    return frozen;
}

/** After the last option: what does not go together. */
static void check(void *to, const char *who)
{
    operation_request *request = to;
    if (request->has_norm_options && request->prologue != GRKAN_PROLOGUE_LAYER_NORM &&
        request->prologue != GRKAN_PROLOGUE_RMS_NORM)
        options_complain(who, "--epsilon, --no-scale and --no-shift go with --prologue layer_norm or rms_norm");
    request->frozen = parse_frozen(who, request);
    if (request->preset != NULL && (request->outer || request->channels || request->inner || request->groups))
        options_complain(who, "--preset gives the shape; leave out --outer, --channels, --inner and --groups");
    const unsigned f64 = 1u << GRKAN_F64, dtypes = request->dtypes ? request->dtypes : 1u << GRKAN_F32;
    if (request->output_dtype != GRKAN_OUTPUT_AS_INPUT &&
        (request->output_dtype == GRKAN_OUTPUT_F64 ? dtypes != f64 : (dtypes & f64) != 0))
        options_complain(who, "--output-dtype: f64 goes with --dtype f64, and that with no other");
    if (request->batch != 0 && request->outer != 0)
        options_complain(who, "--batch and --outer both give the rows; leave one out");
}

static void take(void *to, const char *who, int key, const char *text)
{
    operation_request *request = to;
    const int64_t most = INT64_C(1) << 40;
    switch (key) {
    case KEY_PRESET:
        parse_preset(who, text, request);
        break;
    case KEY_BATCH:
        request->batch = option_parse_number(who, "batch", text, INT64_C(1) << 30);
        break;
    case KEY_OUTER:
        request->outer = option_parse_number(who, "outer", text, most);
        break;
    case KEY_CHANNELS:
        request->channels = option_parse_number(who, "channels", text, most);
        break;
    case KEY_INNER:
        request->inner = option_parse_number(who, "inner", text, most);
        break;
    case KEY_GROUPS:
        request->groups = option_parse_number(who, "groups", text, most);
        break;
    case KEY_DTYPE:
        request->dtypes |= 1u << option_parse_name(who, "dtype", text, option_dtype_name);
        break;
    case KEY_OUTPUT_DTYPE:
        request->output_dtype =
            (grkan_output_dtype)(1 + option_parse_name(who, "output-dtype", text, option_dtype_name));
        break;
    case KEY_STRATEGY:
        request->strategies |= 1u << option_parse_name(who, "strategy", text, option_strategy_name);
        break;
    case KEY_DETERMINISM:
        request->determinisms |= 1u << option_parse_name(who, "determinism", text, option_determinism_name);
        break;
    case KEY_DEGREES:
        option_parse_degrees(who, text, &request->numerator_degree, &request->denominator_degree);
        break;
    case KEY_FORM:
        request->form = (grkan_form)option_parse_name(who, "form", text, option_form_name);
        break;
    case KEY_PROLOGUE:
        request->prologue = (grkan_prologue)option_parse_name(who, "prologue", text, option_prologue_name);
        break;
    case KEY_EPSILON:
        request->norm.epsilon = option_parse_not_negative(who, "epsilon", text);
        request->has_norm_options = 1;
        break;
    case KEY_NO_SCALE:
        request->norm.has_scale = 0;
        request->has_norm_options = 1;
        break;
    case KEY_NO_SHIFT:
        request->norm.has_shift = 0;
        request->has_norm_options = 1;
        break;
    case KEY_FROZEN:
        request->frozen_names = text;
        break;
    case KEY_WRITES_Y:
        request->writes_y = 1;
        break;
    }
}

const option_set operation_options = {options, take, check};
