/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file layer.c
 * @brief A whole use of grkan: a device, a plan, forward, backward, and what happens when something is wrong.
 *
 *     layer [DEVICE]        DEVICE: cpu, opencl, cuda:1, ...; without it, grkan chooses
 *
 * The layer is one of KAT's (8 groups, degrees 5 and 4, numerator shared), with coefficients that make every group
 * x / (1 + |x|), so that the result is easy to check.
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include <grkan/grkan.h>

enum { ROWS = 32, CHANNELS = 192, GROUPS = 8, A_COUNT = 6, B_COUNT = 4, ELEMENTS = ROWS * CHANNELS };

/* What lies in the memory of the device. */
enum { X, A, B, Y, DY, DX, DA, DB, WORKSPACE, BUFFERS };

typedef struct layer {
    grkan_device *device;
    grkan_plan *plan;
    grkan_buffer memory[BUFFERS];
    size_t workspace_bytes;
} layer;

static float x[ELEMENTS], y[ELEMENTS], dy[ELEMENTS], dx[ELEMENTS];
static float a[A_COUNT] = {0, 1}, b[GROUPS][B_COUNT], da[A_COUNT], db[GROUPS][B_COUNT];

static grkan_status open_layer(layer *l, const char *selector)
{
    grkan_operation operation = GRKAN_OPERATION_INIT;
    operation.outer = ROWS;
    operation.channels = CHANNELS;
    grkan_status status = grkan_device_open(selector, &l->device);
    if (status == GRKAN_SUCCESS)
        status = grkan_plan_create(l->device, &operation, NULL, &l->plan);
    return status;
}

static grkan_status upload(layer *l)
{
    l->workspace_bytes = grkan_plan_workspace_bytes(l->plan);
    void *zeros = calloc(1, l->workspace_bytes + 1); /* a new workspace is filled with zero bytes */
    const void *const from[BUFFERS] = {x, a, b, y, dy, dx, da, db, zeros};
    const size_t bytes[BUFFERS] = {sizeof x,  sizeof a,  sizeof b,  sizeof y,          sizeof dy,
                                   sizeof dx, sizeof da, sizeof db, l->workspace_bytes};
    grkan_status status = zeros ? GRKAN_SUCCESS : GRKAN_ERROR_OUT_OF_MEMORY;
    for (int i = 0; i < BUFFERS && status == GRKAN_SUCCESS; i++) {
        if (bytes[i] == 0)
            continue;
        status = grkan_memory_allocate(l->device, bytes[i], &l->memory[i].base);
        if (status == GRKAN_SUCCESS)
            status = grkan_memory_upload(l->device, l->memory[i], from[i], bytes[i]);
    }
    free(zeros);
    return status;
}

/* Both calls only enqueue; the downloads wait for them. */
static grkan_status compute(const layer *l)
{
    const grkan_forward_arguments forward = {
        .x = l->memory[X], .tables = {l->memory[A], l->memory[B]}, .y = l->memory[Y]};
    const grkan_backward_arguments backward = {.x = l->memory[X],
                                               .dy = l->memory[DY],
                                               .tables = {l->memory[A], l->memory[B]},
                                               .dx = l->memory[DX],
                                               .gradients = {l->memory[DA], l->memory[DB]},
                                               .accumulation = GRKAN_OVERWRITE,
                                               .workspace = l->memory[WORKSPACE],
                                               .workspace_bytes = l->workspace_bytes};
    grkan_status status = grkan_forward(l->plan, &forward, NULL);
    if (status == GRKAN_SUCCESS)
        status = grkan_backward(l->plan, &backward, NULL);
    return status;
}

static grkan_status download(layer *l)
{
    grkan_status status = grkan_memory_download(l->device, y, l->memory[Y], sizeof y);
    if (status == GRKAN_SUCCESS)
        status = grkan_memory_download(l->device, dx, l->memory[DX], sizeof dx);
    if (status == GRKAN_SUCCESS)
        status = grkan_memory_download(l->device, da, l->memory[DA], sizeof da);
    if (status == GRKAN_SUCCESS)
        status = grkan_memory_download(l->device, db, l->memory[DB], sizeof db);
    return status;
}

static void close_layer(layer *l)
{
    for (int i = 0; i < BUFFERS; i++)
        if (l->memory[i].base)
            grkan_memory_free(l->device, l->memory[i].base);
    grkan_plan_destroy(l->plan);
    grkan_device_close(l->device);
}

/* With dy = 1: da1 is the sum of x / Q over all elements, which is the sum of y. */
static int is_right(void)
{
    double sum_of_y = 0, error = 0;
    for (int i = 0; i < ELEMENTS; i++) {
        const double q = 1 + fabs((double)x[i]);
        error = fmax(error, fabs(y[i] - x[i] / q) + fabs(dx[i] - 1 / (q * q)));
        sum_of_y += x[i] / q;
    }
    printf("y and dx: largest error %.1e; da1 = %.4f, expected %.4f; db1 of the first group = %.4f\n", error,
           (double)da[1], sum_of_y, (double)db[0][0]);
    return error < 1e-6 && fabs(da[1] - sum_of_y) < 1e-3;
}

int main(int argc, char **argv)
{
    layer l = {0};
    for (int i = 0; i < ELEMENTS; i++) {
        x[i] = (float)(i % 601) / 100 - 2;
        dy[i] = 1;
    }
    for (int group = 0; group < GROUPS; group++)
        b[group][0] = 1;

    grkan_status status = open_layer(&l, argc > 1 ? argv[1] : NULL);
    if (status == GRKAN_SUCCESS)
        status = upload(&l);
    if (status == GRKAN_SUCCESS)
        status = compute(&l);
    if (status == GRKAN_SUCCESS)
        status = download(&l);
    if (status != GRKAN_SUCCESS)
        fprintf(stderr, "%s: %s\n", grkan_status_name(status), grkan_last_error());
    close_layer(&l);
    return status == GRKAN_SUCCESS && is_right() ? EXIT_SUCCESS : EXIT_FAILURE;
}
