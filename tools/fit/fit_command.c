/* SPDX-License-Identifier: Apache-2.0 */
/** @file fit_command.c @brief grkan fit: fits or looks up coefficients, and reports them. */
#include <stdlib.h>
#include <string.h>

#include "../../core/platform/platform.h"
#include "fit_tool.h"

static int fit(const char *who, const fit_request *request, fit_outcome *outcome)
{
    *outcome = (fit_outcome){.target = request->function ? request->function : grkan_path_name(request->points),
                             .function = request->function,
                             .low = request->low,
                             .high = request->high,
                             .form = request->form,
                             .dtype = request->dtype,
                             .growth = request->growth,
                             .numerator_degree = request->numerator_degree,
                             .denominator_degree = request->denominator_degree};
    const int result = request->points ? fit_read_points(who, request->points, outcome) : TOOL_GOOD;
    if (result != TOOL_GOOD)
        return result;
    const grkan_fit_problem problem = {.function = outcome->function,
                                       .low = outcome->low,
                                       .high = outcome->high,
                                       .x = outcome->x,
                                       .y = outcome->y,
                                       .points = outcome->points,
                                       .form = outcome->form,
                                       .numerator_degree = outcome->numerator_degree,
                                       .denominator_degree = outcome->denominator_degree,
                                       .dtype = outcome->dtype,
                                       .growth = outcome->growth};
    const grkan_status status = grkan_fit(&problem, &outcome->result);
    return status == GRKAN_SUCCESS ? TOOL_GOOD : tool_complain(who, outcome->target, status);
}

/** Without --form, the first preset of the name: KAT's have one form each, ours are listed with abs_terms first. */
static grkan_form form_of_preset(const fit_request *request)
{
    const grkan_preset *preset = NULL;
    for (int i = 0; !request->has_form && (preset = grkan_preset_at(i)) != NULL; i++)
        if (strcmp(preset->name, request->preset) == 0)
            return preset->form;
    return request->form;
}

static int look_up(const char *who, const fit_request *request, fit_outcome *outcome)
{
    const grkan_preset *preset;
    const grkan_status status = grkan_preset_find(request->preset, form_of_preset(request), &preset);
    if (status != GRKAN_SUCCESS)
        return tool_complain(who, "--preset", status);
    *outcome = (fit_outcome){.target = preset->function,
                             .preset = preset->name,
                             .function = preset->function,
                             .low = preset->low,
                             .high = preset->high,
                             .form = preset->form,
                             .numerator_degree = preset->numerator_degree,
                             .denominator_degree = preset->denominator_degree,
                             .result.f32 = preset->f32};
    memcpy(outcome->result.numerator, preset->numerator, sizeof preset->numerator);
    memcpy(outcome->result.denominator, preset->denominator, sizeof preset->denominator);
    return TOOL_GOOD;
}

int grkan_tool_fit(int argc, char **argv)
{
    fit_request request;
    fit_outcome outcome = {0};
    fit_parse(argc, argv, &request);
    if (request.lists) {
        fit_list_presets(stdout);
        return TOOL_GOOD;
    }
    int result = report_check(argv[0], request.json);
    if (result == TOOL_GOOD)
        result = (request.preset ? look_up : fit)(argv[0], &request, &outcome);
    if (result == TOOL_GOOD)
        fit_print(&outcome, report_table_stream(request.json));
    if (result == TOOL_GOOD && request.json != NULL)
        result = report_finish(argv[0], request.json, fit_document(&outcome, argc, argv));
    free(outcome.x);
    free(outcome.y);
    return result;
}
