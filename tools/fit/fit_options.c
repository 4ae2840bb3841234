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

static const command_option options[] = {
    {NULL, 0, NULL, "What to approximate (one of these):", 1},
    {"function", KEY_FUNCTION, "F",
     "identity, relu, leaky_relu, leaky_relu_0.1, sigmoid, tanh, swish, gelu, mish, softplus or sin", 1},
    {"points", KEY_POINTS, "FILE", "The points of a file: a line is \"x y\" or \"x,y\", and # begins a comment", 1},
    {"preset", KEY_PRESET, "NAME", "Fit nothing, show this preset of the library; --form says of which form", 1},
    {"list", KEY_LIST, NULL, "Fit nothing, list the presets and their errors", 1},
    {NULL, 0, NULL, "With what:", 2},
    {"degrees", KEY_DEGREES, "m,n", "Degrees of numerator and denominator (5,4)", 2},
    {"form", KEY_FORM, "D", "Denominator: abs_terms (the default), abs_sum, abs_sum_offset, plain or square", 2},
    {"denominator", KEY_FORM, "D", NULL, 2},
    {"range", KEY_RANGE, "lo,hi", "Where a function is approximated (-3,3)", 2},
    {"dtype", KEY_DTYPE, "T",
     "Type of the tensors, f32 (the default), f16, bf16 or f64: coefficients are judged as such a layer stores them",
     2},
    {"growth", KEY_GROWTH, "G",
     "Outside the range: linear (at most; without a pole), any (whatever is best inside), or auto, the default: linear "
     "for a function whose degrees allow it",
     2},
    {NULL, 0, NULL, "How to report:", 3},
    {"json", KEY_JSON, "FILE",
     "Write the result as JSON too; - is the standard output, and the table goes to the standard error", 3},
    {"plot", KEY_PLOT, "FILE.svg", "", 3},
    {0},
};

/** "lo,hi". Whether they are a range, the library says. */
static void parse_range(const char *who, const char *text, fit_request *request)
{
    char *comma, *end;
    request->low = strtod(text, &comma);
    if (comma == text || *comma != ',')
        options_complain(who, "--range: '%s' is not two numbers with a comma between them, as -3,3", text);
    request->high = strtod(comma + 1, &end);
    if (end == comma + 1 || *end != '\0')
        options_complain(who, "--range: '%s' is not two numbers with a comma between them, as -3,3", text);
    request->has_range = 1;
}

static const char *growth_name(int value)
{
    return grkan_growth_name((grkan_growth)value);
}

/** After the last option: what does not go together. */
static void check(void *to, const char *who)
{
    const fit_request *request = to;
    const int sources =
        (request->function != NULL) + (request->points != NULL) + (request->preset != NULL) + request->lists;
    if (sources != 1)
        options_complain(who, "expected one of --function, --points, --preset and --list, as in --function gelu");
    if (request->points != NULL && request->has_range)
        options_complain(who, "--range is where a function is approximated; points have theirs");
    if (request->preset != NULL &&
        (request->has_range || request->has_degrees || request->has_dtype || request->has_growth))
        options_complain(who, "a preset has its degrees and range; leave out --degrees, --range, --dtype and --growth");
    if (request->lists && request->json != NULL)
        options_complain(who, "--list prints a table; --json goes with coefficients");
}

static void take(void *to, const char *who, int key, const char *text)
{
    fit_request *request = to;
    switch (key) {
    case KEY_FUNCTION:
        request->function = text;
        break;
    case KEY_POINTS:
        request->points = text;
        break;
    case KEY_PRESET:
        request->preset = text;
        break;
    case KEY_LIST:
        request->lists = 1;
        break;
    case KEY_DEGREES:
        option_parse_degrees(who, text, &request->numerator_degree, &request->denominator_degree);
        request->has_degrees = 1;
        break;
    case KEY_FORM:
        request->form = (grkan_form)option_parse_name(who, "form", text, option_form_name);
        request->has_form = 1;
        break;
    case KEY_RANGE:
        parse_range(who, text, request);
        break;
    case KEY_DTYPE:
        request->dtype = (grkan_dtype)option_parse_name(who, "dtype", text, option_dtype_name);
        request->has_dtype = 1;
        break;
    case KEY_GROWTH:
        request->growth = (grkan_growth)option_parse_name(who, "growth", text, growth_name);
        request->has_growth = 1;
        break;
    case KEY_JSON:
        request->json = text;
        break;
    case KEY_PLOT:
        options_complain(who,
                         "--plot: the program draws no more; use --json fit.json, and then python3 -m grkan.report.fit "
                         "fit.json -o '%s'",
                         text);
    }
}

static const option_set own = {options, take, check};

static const command_line command = {
    .summary = "Coefficients whose rational function has the least largest error from a function, or from points.",
    .notes =
        {
            "The largest error is given for the coefficients in f64 and for the same rounded to f32, as layers of f32, "
            "f16 and bf16 take them. With --growth any the form plain has no pole in the range, but may have one "
            "outside.",
        },
    .own = &own,
};

void fit_parse(int argc, char **argv, fit_request *request)
{
    const grkan_fit_problem problem = GRKAN_FIT_PROBLEM_INIT;
    *request = (fit_request){.form = problem.form,
                             .dtype = problem.dtype,
                             .growth = problem.growth,
                             .numerator_degree = problem.numerator_degree,
                             .denominator_degree = problem.denominator_degree,
                             .low = problem.low,
                             .high = problem.high};
    options_parse(&command, argc, argv, request, NULL);
}
