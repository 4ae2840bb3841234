/* SPDX-License-Identifier: Apache-2.0 */
/** @file fit_options.c @brief The command line of grkan fit. */
#include <stdlib.h>

#include "fit_tool.h"
#include "common/operation_options.h"

enum key {
    KEY_FUNCTION = 256,
    KEY_POINTS,
    KEY_PRESET,
    KEY_LIST,
    KEY_DEGREES,
    KEY_FORM,
    KEY_RANGE,
    KEY_DTYPE,
    KEY_GROWTH,
    KEY_JSON,
    KEY_PLOT
};

static const struct argp_option options[] = {
    {NULL, 0, NULL, 0, "What to approximate (one of these):", 1},
    {"function", KEY_FUNCTION, "F", 0,
     "identity, relu, leaky_relu, leaky_relu_0.1, sigmoid, tanh, swish, gelu, mish, softplus or sin", 1},
    {"points", KEY_POINTS, "FILE", 0, "The points of a file: a line is \"x y\" or \"x,y\", and # begins a comment", 1},
    {"preset", KEY_PRESET, "NAME", 0, "Fit nothing, show this preset of the library; --form says of which form", 1},
    {"list", KEY_LIST, NULL, 0, "Fit nothing, list the presets and their errors", 1},
    {NULL, 0, NULL, 0, "With what:", 2},
    {"degrees", KEY_DEGREES, "m,n", 0, "Degrees of numerator and denominator (5,4)", 2},
    {"form", KEY_FORM, "D", 0, "Denominator: abs_terms (the default), abs_sum, abs_sum_offset or plain", 2},
    {"denominator", KEY_FORM, "D", OPTION_ALIAS, NULL, 2},
    {"range", KEY_RANGE, "lo,hi", 0, "Where a function is approximated (-3,3)", 2},
    {"dtype", KEY_DTYPE, "T", 0,
     "Type of the tensors, f32 (the default), f16, bf16 or f64: coefficients are judged as such a layer stores them",
     2},
    {"growth", KEY_GROWTH, "G", 0,
     "Outside the range: linear (at most; without a pole), any (whatever is best inside), or auto, the default: linear "
     "for a function whose degrees allow it",
     2},
    {NULL, 0, NULL, 0, "How to report:", 3},
    {"json", KEY_JSON, "FILE", 0,
     "Write the result as JSON too; - is the standard output, and the table goes to the standard error", 3},
    {"plot", KEY_PLOT, "FILE.svg", 0, "Draw function, fit and error", 3},
    {0},
};

/** "lo,hi". Whether they are a range, the library says. */
static void parse_range(struct argp_state *state, const char *text, fit_request *request)
{
    char *comma, *end;
    request->low = strtod(text, &comma);
    if (comma == text || *comma != ',') {
        argp_error(state, "--range: '%s' is not two numbers with a comma between them, as -3,3", text);
        return;
    }
    request->high = strtod(comma + 1, &end);
    if (end == comma + 1 || *end != '\0')
        argp_error(state, "--range: '%s' is not two numbers with a comma between them, as -3,3", text);
    request->has_range = 1;
}

static const char *growth_name(int value)
{
    return grkan_growth_name((grkan_growth)value);
}

/** After the last option: what does not go together. */
static void check_request(struct argp_state *state, const fit_request *request)
{
    const int sources =
        (request->function != NULL) + (request->points != NULL) + (request->preset != NULL) + request->lists;
    if (sources != 1)
        argp_error(state, "expected one of --function, --points, --preset and --list, as in --function gelu");
    if (request->points != NULL && request->has_range)
        argp_error(state, "--range is where a function is approximated; points have theirs");
    if (request->preset != NULL &&
        (request->has_range || request->has_degrees || request->has_dtype || request->has_growth))
        argp_error(state, "a preset has its degrees and range; leave out --degrees, --range, --dtype and --growth");
    if (request->lists && (request->json != NULL || request->plot != NULL))
        argp_error(state, "--list prints a table; --json and --plot go with coefficients");
}

static error_t parse_option(int key, char *text, struct argp_state *state)
{
    fit_request *request = state->input;
    switch (key) {
    case KEY_FUNCTION:
        request->function = text;
        return 0;
    case KEY_POINTS:
        request->points = text;
        return 0;
    case KEY_PRESET:
        request->preset = text;
        return 0;
    case KEY_LIST:
        request->lists = 1;
        return 0;
    case KEY_DEGREES:
        option_parse_degrees(state, text, &request->numerator_degree, &request->denominator_degree);
        request->has_degrees = 1;
        return 0;
    case KEY_FORM:
        request->form = (grkan_denominator)option_parse_name(state, "form", text, option_denominator_name);
        request->has_form = 1;
        return 0;
    case KEY_RANGE:
        parse_range(state, text, request);
        return 0;
    case KEY_DTYPE:
        request->dtype = (grkan_dtype)option_parse_name(state, "dtype", text, option_dtype_name);
        request->has_dtype = 1;
        return 0;
    case KEY_GROWTH:
        request->growth = (grkan_growth)option_parse_name(state, "growth", text, growth_name);
        request->has_growth = 1;
        return 0;
    case KEY_JSON:
        request->json = text;
        return 0;
    case KEY_PLOT:
        request->plot = text;
        return 0;
    case ARGP_KEY_ARG:
        argp_error(state, "'%s' is not an option; fit takes options only", text);
        return 0;
    case ARGP_KEY_END:
        check_request(state, request);
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static const struct argp parser = {
    .options = options,
    .parser = parse_option,
    .doc =
        "Coefficients whose rational function has the least largest error from a function, or from points."
        "\vThe largest error is given for the coefficients in f64 and for the same rounded to f32, as layers of f32, "
        "f16 and bf16 take them. "
        "With --growth any the form plain has no pole in the range, but may have one outside.",
};

void fit_parse(int argc, char **argv, fit_request *request)
{
    const grkan_fit_problem problem = GRKAN_FIT_PROBLEM_INIT;
    *request = (fit_request){.form = problem.denominator,
                             .dtype = problem.dtype,
                             .growth = problem.growth,
                             .numerator_degree = problem.numerator_degree,
                             .denominator_degree = problem.denominator_degree,
                             .low = problem.low,
                             .high = problem.high};
    argp_parse(&parser, argc, argv, 0, NULL, request);
}
