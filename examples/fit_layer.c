/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file fit_layer.c
 * @brief Training with grkan: the coefficients of one layer learn four functions, one in each group.
 *
 *     fit_layer
 *
 * Every group starts as the preset swish. Forward gives y, the loss is the mean of (y - target)^2, backward turns its
 * gradient into those of the coefficients, and Adam (Kingma and Ba, 2015) steps along them. Where all that is wanted is
 * coefficients for a function that is known, grkan_fit finds them at once and better.
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <grkan/fit.h>

enum { ROWS = 256, GROUPS = 4, ELEMENTS = ROWS * GROUPS, A_COUNT = 6, B_COUNT = 4, STEPS = 3000 };

/* Errors below this are success. The presets themselves have between 0.00000002 and 0.0013. */
#define LEARNED 0.02F

/* Of the cpu: memory that it can reach is memory of the host. */
typedef struct layer {
    grkan_device *device;
    grkan_plan *plan;
    void *workspace;
    size_t workspace_bytes;
} layer;

typedef struct coefficients {
    float a[GROUPS][A_COUNT];
    float b[GROUPS][B_COUNT];
} coefficients;

enum { COEFFICIENTS = sizeof(coefficients) / sizeof(float) };

static const char *const functions[GROUPS] = {"gelu", "tanh", "sigmoid", "mish"};

static float x[ROWS][GROUPS], target[ROWS][GROUPS], y[ROWS][GROUPS], dy[ROWS][GROUPS], dx[ROWS][GROUPS];

static grkan_status open_layer(layer *l)
{
    grkan_operation operation = GRKAN_OPERATION_INIT;
    operation.outer = ROWS;
    operation.channels = operation.groups = GROUPS;
    operation.rational.numerator_scope = operation.rational.denominator_scope = GRKAN_SCOPE_GROUP;
    grkan_status status = grkan_device_open("cpu", &l->device);
    if (status == GRKAN_SUCCESS)
        status = grkan_plan_create(l->device, &operation, NULL, &l->plan);
    if (status != GRKAN_SUCCESS)
        return status;
    l->workspace_bytes = grkan_plan_workspace_bytes(l->plan);
    status = grkan_memory_allocate(l->device, l->workspace_bytes + 1, &l->workspace);
    if (status == GRKAN_SUCCESS)
        memset(l->workspace, 0, l->workspace_bytes);
    return status;
}

static void close_layer(layer *l)
{
    if (l->device)
        grkan_memory_free(l->device, l->workspace);
    grkan_plan_destroy(l->plan);
    grkan_device_close(l->device);
}

/* What the layer sees, what it shall give, and the coefficients that it starts from. */
static grkan_status prepare(coefficients *c)
{
    const grkan_preset *swish;
    grkan_status status = grkan_preset_find("swish", GRKAN_ABS_TERMS, &swish);
    for (int group = 0; group < GROUPS && status == GRKAN_SUCCESS; group++) {
        for (int i = 0; i < A_COUNT; i++)
            c->a[group][i] = (float)swish->numerator[i];
        for (int j = 0; j < B_COUNT; j++)
            c->b[group][j] = (float)swish->denominator[j];
        for (int row = 0; row < ROWS && status == GRKAN_SUCCESS; row++) {
            double value = 0;
            x[row][group] = 6 * (float)row / (ROWS - 1) - 3;
            status = grkan_function_value(functions[group], x[row][group], &value);
            target[row][group] = (float)value;
        }
    }
    return status;
}

/* y, and the gradients of the loss. */
static grkan_status compute(const layer *l, coefficients *c, coefficients *gradients)
{
    const grkan_buffer a = {c->a, 0}, b = {c->b, 0};
    const grkan_forward_arguments forward = {.x = {x, 0}, .tables = {a, b}, .y = {y, 0}};
    const grkan_backward_arguments backward = {.x = {x, 0},
                                               .dy = {dy, 0},
                                               .tables = {a, b},
                                               .dx = {dx, 0},
                                               .gradients = {{gradients->a, 0}, {gradients->b, 0}},
                                               .accumulation = GRKAN_OVERWRITE,
                                               .workspace = {l->workspace, 0},
                                               .workspace_bytes = l->workspace_bytes};
    grkan_status status = grkan_forward(l->plan, &forward, NULL);
    for (int row = 0; row < ROWS; row++)
        for (int group = 0; group < GROUPS; group++)
            dy[row][group] = 2 * (y[row][group] - target[row][group]) / ROWS;
    return status == GRKAN_SUCCESS ? grkan_backward(l->plan, &backward, NULL) : status;
}

/* Adam, with a step size that falls to 0. */
static void step(float *values, const float *gradients, int count)
{
    static double mean[COEFFICIENTS], square[COEFFICIENTS];
    const double first = 0.9, second = 0.999, size = 0.01 * (1 - (double)count / STEPS);
    for (int i = 0; i < COEFFICIENTS; i++) {
        mean[i] = first * mean[i] + (1 - first) * gradients[i];
        square[i] = second * square[i] + (1 - second) * gradients[i] * gradients[i];
        const double of_mean = 1 - pow(first, count + 1), of_square = 1 - pow(second, count + 1);
        values[i] -= (float)(size * (mean[i] / of_mean) / (sqrt(square[i] / of_square) + 1e-12));
    }
}

static float largest_error(int group)
{
    float largest = 0;
    for (int row = 0; row < ROWS; row++)
        largest = fmaxf(largest, fabsf(y[row][group] - target[row][group]));
    return largest;
}

static grkan_status train(const layer *l, float before[GROUPS], float after[GROUPS])
{
    coefficients c, gradients;
    grkan_status status = prepare(&c);
    for (int count = 0; count < STEPS && status == GRKAN_SUCCESS; count++) {
        status = compute(l, &c, &gradients);
        for (int group = 0; group < GROUPS; group++)
            (count ? after : before)[group] = largest_error(group);
        step((float *)&c, (const float *)&gradients, count);
    }
    return status;
}

static int report(const float before[GROUPS], const float after[GROUPS])
{
    int is_good = 1;
    for (int group = 0; group < GROUPS; group++) {
        printf("%-8s largest error %.4f as swish, %.4f after %d steps\n", functions[group], (double)before[group],
               (double)after[group], STEPS);
        is_good = is_good && after[group] < LEARNED;
    }
    return is_good;
}

int main(void)
{
    layer l = {0};
    float before[GROUPS] = {0}, after[GROUPS] = {0};
    grkan_status status = open_layer(&l);
    if (status == GRKAN_SUCCESS)
        status = train(&l, before, after);
    if (status != GRKAN_SUCCESS)
        fprintf(stderr, "%s: %s\n", grkan_status_name(status), grkan_last_error());
    close_layer(&l);
    return status == GRKAN_SUCCESS && report(before, after) ? EXIT_SUCCESS : EXIT_FAILURE;
}
