/* SPDX-License-Identifier: Apache-2.0 */
/** @file fit_report.c @brief Coefficients and errors as tables and as JSON. */
#include "fit_tool.h"
#include "common/text_table.h"

static int denominator_count(const fit_outcome *outcome)
{
    return outcome->denominator_degree + (outcome->form == GRKAN_ABS_SUM_OFFSET ? 1 : 0);
}

static void add_rows(text_table *table, char letter, int first, const double *values, int count)
{
    for (int i = 0; i < count; i++) {
        text_table_row(table);
        text_table_cell(table, "%c%d", letter, first + i);
        text_table_cell(table, "%.17g", values[i]);
        text_table_cell(table, "%.9g", (double)(float)values[i]);
    }
}

void fit_print(const fit_outcome *outcome, FILE *stream)
{
    static const text_table_column columns[] = {{"coefficient", 'l'}, {"f64", 'r'}, {"f32", 'r'}};
    text_table *table = TEXT_TABLE_OF(columns);
    const grkan_fit_result *result = &outcome->result;
    add_rows(table, 'a', 0, result->numerator, outcome->numerator_degree + 1);
    add_rows(table, 'b', outcome->form == GRKAN_ABS_SUM_OFFSET ? 0 : 1, result->denominator,
             denominator_count(outcome));
    if (outcome->preset != NULL)
        fprintf(stream, "preset %s: ", outcome->preset);
    fprintf(stream, "%s on [%g, %g] by %s, degrees (%d, %d)\n", outcome->target, outcome->low, outcome->high,
            grkan_form_name(outcome->form), outcome->numerator_degree, outcome->denominator_degree);
    text_table_finish(table, stream);
    if (outcome->preset == NULL)
        fprintf(stream, "largest error in f64: %.4g at x = %.6g\n", result->f64.error, result->f64.x);
    fprintf(stream, "largest error with coefficients in f32: %.4g at x = %.6g\n", result->f32.error, result->f32.x);
}

void fit_list_presets(FILE *stream)
{
    static const text_table_column columns[] = {{"preset", 'l'},  {"function", 'l'}, {"form", 'l'},
                                                {"degrees", 'l'}, {"range", 'l'},    {"largest error", 'r'}};
    text_table *table = TEXT_TABLE_OF(columns);
    const grkan_preset *preset;
    for (int i = 0; (preset = grkan_preset_at(i)) != NULL; i++) {
        text_table_row(table);
        text_table_cell(table, "%s", preset->name);
        text_table_cell(table, "%s", preset->function);
        text_table_cell(table, "%s", grkan_form_name(preset->form));
        text_table_cell(table, "%d, %d", preset->numerator_degree, preset->denominator_degree);
        text_table_cell(table, "[%g, %g]", preset->low, preset->high);
        text_table_cell(table, "%.3g", preset->f32.error);
    }
    text_table_finish(table, stream);
}

static void add_error(cJSON *to, const char *name, const grkan_fit_error *error)
{
    cJSON *object = cJSON_AddObjectToObject(to, name);
    cJSON_AddNumberToObject(object, "error", error->error);
    cJSON_AddNumberToObject(object, "x", error->x);
}

cJSON *fit_document(const fit_outcome *outcome, int argc, char **argv)
{
    const grkan_fit_result *result = &outcome->result;
    const double range[] = {outcome->low, outcome->high};
    const int degrees[] = {outcome->numerator_degree, outcome->denominator_degree};
    cJSON *document = report_new("grkan-fit/1", argc, argv);
    if (outcome->preset != NULL)
        cJSON_AddStringToObject(document, "preset", outcome->preset);
    cJSON_AddStringToObject(document, outcome->function ? "function" : "points", outcome->target);
    if (outcome->function == NULL) {
        cJSON_AddItemToObject(document, "x", cJSON_CreateDoubleArray(outcome->x, (int)outcome->points));
        cJSON_AddItemToObject(document, "y", cJSON_CreateDoubleArray(outcome->y, (int)outcome->points));
    }
    cJSON_AddItemToObject(document, "range", cJSON_CreateDoubleArray(range, 2));
    cJSON_AddStringToObject(document, "form", grkan_form_name(outcome->form));
    if (outcome->preset == NULL) {
        cJSON_AddStringToObject(document, "dtype", grkan_dtype_name(outcome->dtype));
        cJSON_AddStringToObject(document, "growth", grkan_growth_name(outcome->growth));
    }
    cJSON_AddItemToObject(document, "degrees", cJSON_CreateIntArray(degrees, 2));
    cJSON_AddItemToObject(document, "numerator",
                          cJSON_CreateDoubleArray(result->numerator, outcome->numerator_degree + 1));
    cJSON_AddItemToObject(document, "denominator",
                          cJSON_CreateDoubleArray(result->denominator, denominator_count(outcome)));
    if (outcome->preset == NULL)
        add_error(document, "f64", &result->f64);
    add_error(document, "f32", &result->f32);
    return document;
}
