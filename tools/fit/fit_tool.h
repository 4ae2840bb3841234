/* SPDX-License-Identifier: Apache-2.0 */
/** @file fit_tool.h @brief What the parts of grkan fit share: the request, and the coefficients that came out. */
#ifndef GRKAN_TOOLS_FIT_H
#define GRKAN_TOOLS_FIT_H

#include <grkan/fit.h>

#include "common/json_report.h"

/** The command line. */
typedef struct fit_request {
    const char *function, *points, *preset, *json; /**< NULL: not given */
    grkan_form form;
    grkan_dtype dtype;
    grkan_growth growth;
    int has_form, has_dtype, has_growth, has_degrees, has_range, lists;
    int numerator_degree, denominator_degree;
    double low, high;
} fit_request;

/** Coefficients, wherever they come from, and what they stand for. */
typedef struct fit_outcome {
    const char *target;   /**< the function's name, or the points' file without its folders */
    const char *preset;   /**< NULL: fitted */
    const char *function; /**< NULL: the points */
    double *x, *y;        /**< the points; free them */
    size_t points;
    double low, high;
    grkan_form form;
    grkan_dtype dtype;
    grkan_growth growth;
    int numerator_degree, denominator_degree;
    grkan_fit_result result;
} fit_outcome;

/** Parse the command line; a bad usage ends the program. */
void fit_parse(int argc, char **argv, fit_request *request);

/** Read points, "x y" or "x,y" a line, # begins a comment. @return an exit status; what is wrong has been said */
int fit_read_points(const char *who, const char *path, fit_outcome *outcome);

void fit_print(const fit_outcome *outcome, FILE *stream);
void fit_list_presets(FILE *stream);
cJSON *fit_document(const fit_outcome *outcome, int argc, char **argv);

#endif
