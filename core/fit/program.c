/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file program.c
 * @brief The linear program of a minimax step, by exchanges of one constraint at a time (the dual's simplex method).
 *
 * With z = (step, t), every constraint reads normal . z >= limit. As many constraints as z has components hold with
 * equality: the active ones. Their matrix is known by its inverse only, and an exchange changes that by one outer
 * product. The multipliers, objective times inverse, never get negative; when no constraint is violated, z is the
 * solution. The bounds of the step give active constraints to begin with, and keep the program solvable.
 *
 * The objective is t and a trace of the step, each component with another weight: without it multipliers are 0 where
 * two constraints settle t between them, and exchanges go round in circles.
 */
#include "model.h"

#include <math.h>

enum { SIZE = FIT_PARAMETERS + 1, MAX_EXCHANGES = 2000 };

/** What the trace of the step may add to t, beside the largest residual. */
#define TRACE 1e-6L

/** A violation that is not worth an exchange, beside the largest value. */
#define TOLERANCE 1e-15L

/** A weight that is nothing but rounding errors. */
#define LEAST_WEIGHT 1e-14L

typedef struct constraint {
    long double normal[SIZE];
    long double limit;
} constraint;

typedef struct state {
    const fit_program *program;
    int size;                        /* of z */
    long double objective[SIZE];     /* . z shall be small */
    long double inverse[SIZE][SIZE]; /* of the matrix whose rows are the active constraints' normals */
    long double limits[SIZE];        /* of the active constraints */
    long double z[SIZE];
} state;

/** t - side (gradient . step) >= side value, for side 1 and -1. */
static constraint of_residual(const fit_program *program, size_t index, long double side)
{
    const fit_term *residual = &program->residuals[index];
    constraint c = {.limit = side * residual->value};
    for (int k = 0; k < program->parameters; k++)
        c.normal[k] = -side * residual->gradient[k];
    c.normal[program->parameters] = 1;
    return c;
}

/** gradient . step >= -value. */
static constraint of_limit(const fit_program *program, size_t index)
{
    const fit_term *limit = &program->limits[index];
    constraint c = {.limit = -limit->value};
    for (int k = 0; k < program->parameters; k++)
        c.normal[k] = limit->gradient[k];
    return c;
}

/** step_k >= lower_k (side 1) or -step_k >= -upper_k (side -1). */
static constraint of_bound(const fit_program *program, int k, long double side)
{
    constraint c = {.limit = side > 0 ? program->lower[k] : -program->upper[k]};
    c.normal[k] = side;
    return c;
}

static void find_vertex(state *s)
{
    for (int i = 0; i < s->size; i++) {
        s->z[i] = 0;
        for (int j = 0; j < s->size; j++)
            s->z[i] += s->inverse[i][j] * s->limits[j];
    }
}

static size_t largest_residual(const fit_program *program)
{
    size_t largest = 0;
    for (size_t i = 1; i < program->residual_count; i++)
        if (fabsl(program->residuals[i].value) > fabsl(program->residuals[largest].value))
            largest = i;
    return largest;
}

/** Begin with the largest residual, and with those bounds that its gradient pushes the step against. */
static void begin(state *s, const fit_program *program)
{
    const size_t largest = largest_residual(program);
    const long double value = program->residuals[largest].value;
    const constraint first = of_residual(program, largest, value < 0 ? -1 : 1);
    const int last = program->parameters;
    *s = (state){.program = program, .size = last + 1};
    for (int k = 0; k < last; k++) {
        const long double weight = (long double)(k + 1) / (long double)(last * last); /* their sum is about 1 / 2 */
        s->objective[k] = TRACE * weight * fabsl(value) / program->upper[k];
        const long double direction = s->objective[k] >= first.normal[k] ? 1 : -1;
        s->limits[k] = of_bound(program, k, direction).limit;
        s->inverse[k][k] = direction;
        s->inverse[last][k] = -first.normal[k] * direction;
    }
    s->objective[last] = 1;
    s->limits[last] = first.limit;
    s->inverse[last][last] = 1;
    find_vertex(s);
}

/** What a residual or a limit is after the step. */
static long double after(const state *s, const fit_term *term)
{
    long double value = term->value;
    for (int k = 0; k < s->program->parameters; k++)
        value += term->gradient[k] * s->z[k];
    return value;
}

/** The constraint that z violates most. @return by how much */
static long double most_violated(const state *s, constraint *worst)
{
    const fit_program *program = s->program;
    const int last = program->parameters;
    long double most = 0;
    for (int k = 0; k < last; k++) {
        const long double under = program->lower[k] - s->z[k], over = s->z[k] - program->upper[k];
        if (fmaxl(under, over) > most) {
            most = fmaxl(under, over);
            *worst = of_bound(program, k, under > over ? 1 : -1);
        }
    }
    for (size_t i = 0; i < program->residual_count; i++) {
        const long double value = after(s, &program->residuals[i]);
        if (fabsl(value) - s->z[last] > most) {
            most = fabsl(value) - s->z[last];
            *worst = of_residual(program, i, value < 0 ? -1 : 1);
        }
    }
    for (size_t i = 0; i < program->limit_count; i++) {
        const long double value = after(s, &program->limits[i]);
        if (-value > most) {
            most = -value;
            *worst = of_limit(program, i);
        }
    }
    return most;
}

/** Let a constraint in for an active one, so that no multiplier gets negative. @return false: none can leave */
static bool exchange(state *s, const constraint *in)
{
    long double weights[SIZE], least = INFINITY;
    int out = -1;
    for (int j = 0; j < s->size; j++) {
        long double multiplier = 0;
        weights[j] = 0;
        for (int i = 0; i < s->size; i++) {
            weights[j] += in->normal[i] * s->inverse[i][j];
            multiplier += s->objective[i] * s->inverse[i][j];
        }
        const long double ratio = weights[j] > LEAST_WEIGHT ? fmaxl(multiplier, 0) / weights[j] : INFINITY;
        if (ratio < least || (ratio <= least && out >= 0 && weights[j] > weights[out])) {
            least = ratio;
            out = j;
        }
    }
    if (out < 0)
        return false;
    for (int i = 0; i < s->size; i++) {
        const long double column = s->inverse[i][out] / weights[out];
        for (int j = 0; j < s->size; j++)
            s->inverse[i][j] = j == out ? column : s->inverse[i][j] - weights[j] * column;
    }
    s->limits[out] = in->limit;
    find_vertex(s);
    return true;
}

long double grkan_fit_solve(const fit_program *program, long double step[FIT_PARAMETERS])
{
    state s;
    constraint worst = {0};
    begin(&s, program);
    for (int i = 0; i < MAX_EXCHANGES; i++)
        if (most_violated(&s, &worst) <= TOLERANCE || !exchange(&s, &worst))
            break;
    for (int k = 0; k < program->parameters; k++)
        step[k] = fminl(fmaxl(s.z[k], program->lower[k]), program->upper[k]);
    return s.z[program->parameters];
}
