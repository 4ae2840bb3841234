/* SPDX-License-Identifier: Apache-2.0 */
/** @file fit_plot.c @brief A fit as a drawing: above, what is approximated and the fit; below, the error. Plain SVG. */
#include <math.h>
#include <stdlib.h>

#include "fit_tool.h"

enum { SAMPLES = 1201, WIDTH = 800, HEIGHT = 640, LEFT = 90, RIGHT = 770 };

/** A panel: pixels from top to bottom, and the values there. x is shared. */
typedef struct panel {
    double top, bottom, low, high;
} panel;

typedef struct plot {
    const fit_outcome *outcome;
    FILE *stream;
    double x[SAMPLES], target[SAMPLES], fit[SAMPLES];
    double *at_points; /* the fit there */
} plot;

/* ----------------------------------------------------------------------------------------------------- evaluation */

static grkan_status forward(const fit_outcome *outcome, grkan_device *device, double *x, double *y, size_t count)
{
    grkan_operation operation = GRKAN_OPERATION_INIT;
    grkan_plan *plan = NULL;
    operation.outer = (int64_t)count;
    operation.channels = operation.groups = operation.denominator_groups = 1;
    operation.numerator_degree = outcome->numerator_degree;
    operation.denominator_degree = outcome->denominator_degree;
    operation.denominator = outcome->form;
    operation.dtype = GRKAN_F64;
    grkan_fit_result result = outcome->result;
    grkan_status status = grkan_plan_create(device, &operation, NULL, &plan);
    if (status == GRKAN_SUCCESS)
        status = grkan_forward(
            plan,
            &(grkan_forward_arguments){
                .x = {x, 0}, .numerator = {result.numerator, 0}, .denominator = {result.denominator, 0}, .y = {y, 0}},
            NULL);
    grkan_plan_destroy(plan);
    return status;
}

/** Fill in the curves, the fit by the cpu's own forward in f64. */
static grkan_status evaluate(plot *p)
{
    const fit_outcome *outcome = p->outcome;
    grkan_device *device = NULL;
    for (int i = 0; i < SAMPLES; i++) {
        p->x[i] = outcome->low + (outcome->high - outcome->low) * i / (SAMPLES - 1);
        if (outcome->function != NULL)
            (void)grkan_function_value(outcome->function, p->x[i], &p->target[i]);
    }
    grkan_status status = grkan_device_open("cpu", &device);
    if (status == GRKAN_SUCCESS)
        status = forward(outcome, device, p->x, p->fit, SAMPLES);
    if (status == GRKAN_SUCCESS && outcome->points > 0)
        status = forward(outcome, device, outcome->x, p->at_points, outcome->points);
    grkan_device_close(device);
    return status;
}

/* -------------------------------------------------------------------------------------------------------- drawing */

static double x_pixel(const plot *p, double x)
{
    const double width = p->outcome->high - p->outcome->low;
    return LEFT + (RIGHT - LEFT) * (width > 0 ? (x - p->outcome->low) / width : 0.5);
}

static double y_pixel(const panel *area, double y)
{
    return area->bottom - (area->bottom - area->top) * (y - area->low) / (area->high - area->low);
}

static void put_text(FILE *stream, const char *text)
{
    for (; *text; text++)
        if (*text == '&' || *text == '<' || *text == '>')
            fprintf(stream, "&#%d;", *text);
        else
            fputc(*text, stream);
}

/** 1, 2 or 5 times a power of ten, so that some five steps fill a width. */
static double step_of(double width)
{
    const double power = pow(10, floor(log10(width / 4)));
    const double digit = width / 4 / power;
    return power * (digit >= 5 ? 5 : digit >= 2 ? 2 : 1);
}

/** Make room above and below, and never a panel of no height. */
static void pad(panel *area)
{
    const double height = area->high - area->low;
    const double room = height > 0 ? height / 12 : area->high != 0 ? fabs(area->high) / 2 : 1;
    area->low -= room;
    area->high += room;
}

static void include(panel *area, double value)
{
    if (isfinite(value)) {
        area->low = fmin(area->low, value);
        area->high = fmax(area->high, value);
    }
}

static void draw_frame(const plot *p, const panel *area)
{
    const double low = p->outcome->low, high = p->outcome->high;
    fprintf(p->stream, "<rect class=\"frame\" x=\"%d\" y=\"%g\" width=\"%d\" height=\"%g\"/>\n", LEFT, area->top,
            RIGHT - LEFT, area->bottom - area->top);
    const double across = high > low ? step_of(high - low) : 1, up = step_of(area->high - area->low);
    for (double k = ceil(low / across) + 0.0; k * across <= high; k++) /* + 0.0: no tick is called -0 */
        fprintf(p->stream,
                "<path class=\"grid\" d=\"M%.2f %.2fV%.2f\"/><text x=\"%.2f\" y=\"%.2f\" text-anchor=\"middle\">%.6g"
                "</text>\n",
                x_pixel(p, k * across), area->top, area->bottom, x_pixel(p, k * across), area->bottom + 18, k * across);
    for (double k = ceil(area->low / up) + 0.0; k * up <= area->high; k++)
        fprintf(p->stream,
                "<path class=\"grid\" d=\"M%d %.2fH%d\"/><text x=\"%d\" y=\"%.2f\" text-anchor=\"end\">%.6g</text>\n",
                LEFT, y_pixel(area, k * up), RIGHT, LEFT - 8, y_pixel(area, k * up) + 4, k * up);
}

static void draw_curve(const plot *p, const panel *area, const char *kind, const double *y, const double *minus)
{
    int is_on = 0;
    fprintf(p->stream, "<path class=\"%s\" d=\"", kind);
    for (int i = 0; i < SAMPLES; i++) {
        const double value = y[i] - (minus ? minus[i] : 0);
        if (isfinite(value))
            fprintf(p->stream, "%c%.2f %.2f", is_on ? 'L' : 'M', x_pixel(p, p->x[i]), y_pixel(area, value));
        is_on = isfinite(value);
    }
    fputs("\"/>\n", p->stream);
}

/** The points, or with minus what the fit is off there. */
static void draw_points(const plot *p, const panel *area, const char *kind, const double *y, const double *minus)
{
    for (size_t i = 0; i < p->outcome->points; i++)
        fprintf(p->stream, "<circle class=\"%s\" cx=\"%.2f\" cy=\"%.2f\" r=\"2.5\"/>\n", kind,
                x_pixel(p, p->outcome->x[i]), y_pixel(area, y[i] - (minus ? minus[i] : 0)));
}

static void draw_functions(const plot *p)
{
    const fit_outcome *outcome = p->outcome;
    panel area = {60, 350, p->fit[0], p->fit[0]};
    for (int i = 0; i < SAMPLES; i++) {
        include(&area, p->fit[i]);
        if (outcome->function != NULL)
            include(&area, p->target[i]);
    }
    for (size_t i = 0; i < outcome->points; i++)
        include(&area, outcome->y[i]);
    pad(&area);
    draw_frame(p, &area);
    if (outcome->function != NULL)
        draw_curve(p, &area, "target", p->target, NULL);
    draw_points(p, &area, "point", outcome->y, NULL);
    draw_curve(p, &area, "fit", p->fit, NULL);
}

static void draw_errors(const plot *p)
{
    const fit_outcome *outcome = p->outcome;
    panel area = {430, 600, 0, 0};
    for (int i = 0; i < SAMPLES && outcome->function != NULL; i++)
        include(&area, p->fit[i] - p->target[i]);
    for (size_t i = 0; i < outcome->points; i++)
        include(&area, p->at_points[i] - outcome->y[i]);
    pad(&area);
    draw_frame(p, &area);
    if (outcome->function != NULL)
        draw_curve(p, &area, "error", p->fit, p->target);
    draw_points(p, &area, "off", p->at_points, outcome->y);
}

static void draw_words(const plot *p)
{
    const fit_outcome *outcome = p->outcome;
    const grkan_fit_error *error = outcome->preset ? &outcome->result.f32 : &outcome->result.f64;
    fprintf(p->stream, "<text class=\"title\" x=\"%d\" y=\"28\">", LEFT);
    put_text(p->stream, outcome->target);
    fprintf(p->stream, " by %s, degrees (%d, %d)</text>\n", grkan_denominator_name(outcome->form),
            outcome->numerator_degree, outcome->denominator_degree);
    fprintf(p->stream,
            outcome->function ? "<path class=\"target\" d=\"M%d 46h30\"/>"
                              : "<circle class=\"point\" cx=\"%d\" cy=\"46\" r=\"2.5\"/>",
            outcome->function ? LEFT : LEFT + 15);
    fprintf(p->stream, "<text x=\"%d\" y=\"50\">", LEFT + 36);
    put_text(p->stream, outcome->target);
    fprintf(p->stream, "</text><path class=\"fit\" d=\"M%d 46h30\"/><text x=\"%d\" y=\"50\">%s</text>\n", LEFT + 200,
            LEFT + 236, outcome->preset ? "preset" : "fit");
    fprintf(p->stream, "<text class=\"title\" x=\"%d\" y=\"410\">error: at most %.3g, at x = %.4g</text>\n", LEFT,
            error->error, error->x);
}

grkan_status fit_plot(const fit_outcome *outcome, FILE *stream)
{
    plot *p = tool_allocate(sizeof *p);
    *p = (plot){.outcome = outcome, .stream = stream, .at_points = tool_allocate(outcome->points * sizeof(double))};
    const grkan_status status = evaluate(p);
    if (status == GRKAN_SUCCESS) {
        fprintf(stream,
                "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%d\" height=\"%d\" viewBox=\"0 0 %d %d\" "
                "font-family=\"sans-serif\" font-size=\"13\">\n"
                "<style>path{fill:none}.frame{fill:none;stroke:#444}.grid{stroke:#ddd}.target{stroke:#bbb;"
                "stroke-width:6}.fit{stroke:#1553a8;stroke-width:1.8}.error{stroke:#b3261e;stroke-width:1.5}"
                ".point{fill:#999}.off{fill:#b3261e}.title{font-size:16px}</style>\n"
                "<rect width=\"%d\" height=\"%d\" fill=\"#fff\"/>\n",
                WIDTH, HEIGHT, WIDTH, HEIGHT, WIDTH, HEIGHT);
        draw_functions(p);
        draw_errors(p);
        draw_words(p);
        fputs("</svg>\n", stream);
    }
    free(p->at_points);
    free(p);
    return status;
}
