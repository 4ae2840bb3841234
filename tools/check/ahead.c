/* SPDX-License-Identifier: Apache-2.0 */
/** @file ahead.c @brief Other processes run a case of each program before the check gets there. */
#include "ahead.h"

#include <stdlib.h>
#include <string.h>

#include "../../core/platform/platform.h"
#include "runner.h"

/** Each has a context of its own on the device, which costs more than a program or two that is left for each. */
#define MOST_HELPERS 15

struct check_ahead {
    grkan_helpers *helpers;
    const char *const *selectors;
    int count;              /* of programs */
    grkan_device *device;   /* a helper's own: what it has open */
    int opened;             /* which one that is */
    bool is_cold;           /* a helper's own: it had to compile */
    const check_case *of[]; /* a case of each program, in the order of the check */
};

/** Whether cases have the same program: one that differs in nothing that a plan's kernels may depend on. */
static bool have_one_program(const check_case *a, const check_case *b)
{
    const grkan_operation *const p = &a->operation, *const q = &b->operation;
    const grkan_options *const s = &a->options, *const t = &b->options;
    const bool of_tree = s->strategy == GRKAN_STRATEGY_AUTO || s->strategy == GRKAN_STRATEGY_TREE;
    return p->channels == q->channels && p->inner == q->inner && p->groups == q->groups && p->dtype == q->dtype &&
           grkan_operation_output_dtype(p) == grkan_operation_output_dtype(q) && p->family == q->family &&
           p->rational.numerator_degree == q->rational.numerator_degree &&
           p->rational.denominator_degree == q->rational.denominator_degree && p->rational.form == q->rational.form &&
           p->prologue == q->prologue && p->norm.epsilon == q->norm.epsilon && p->norm.has_scale == q->norm.has_scale &&
           p->norm.has_shift == q->norm.has_shift && s->determinism == t->determinism && s->frozen == t->frozen &&
           s->writes_y == t->writes_y &&
           (s->strategy == t->strategy ||
            (of_tree && (t->strategy == GRKAN_STRATEGY_AUTO || t->strategy == GRKAN_STRATEGY_TREE)));
}

static void add_program(check_ahead *ahead, const check_case *one)
{
    for (int i = 0; i < ahead->count; i++)
        if (have_one_program(ahead->of[i], one))
            return;
    ahead->of[ahead->count++] = one;
}

/** @return whether a plan had to compile its kernels; false, too, if there is no plan */
static bool was_compiled(grkan_device *device, const check_case *one, bool *is_made)
{
    grkan_plan *plan = NULL;
    grkan_plan_description description = {0};
    *is_made = grkan_plan_create(device, &one->operation, &one->options, &plan) == GRKAN_SUCCESS &&
               grkan_plan_describe(plan, &description) == GRKAN_SUCCESS;
    grkan_plan_destroy(plan);
    return *is_made && description.is_compiled;
}

static bool open_device(check_ahead *ahead, int device)
{
    if (ahead->device != NULL && ahead->opened == device)
        return true;
    grkan_device_close(ahead->device);
    ahead->device = NULL;
    ahead->opened = device;
    return grkan_device_open(ahead->selectors[device], &ahead->device) == GRKAN_SUCCESS;
}

/** In a helper: run a case. Some compilers compile when a kernel is launched. @return false: the caches have all, or so it seems */
static bool run_ahead(void *context, int number)
{
    check_ahead *const ahead = context;
    const check_case *const one = ahead->of[number % ahead->count];
    check_report report;
    bool is_made;
    if (!open_device(ahead, number / ahead->count))
        return false;
    ahead->is_cold = was_compiled(ahead->device, one, &is_made) || ahead->is_cold;
    if (!is_made)
        return true;
    if (ahead->is_cold)
        check_run(ahead->device, one, &report);
    return ahead->is_cold;
}

static bool has_no_cache(void)
{
    const char *const use = grkan_trusted_environment("GRKAN_CACHE");
    return use != NULL && strcmp(use, "off") == 0;
}

check_ahead *check_ahead_start(const char *const *selectors, int devices, const check_table *tables, int count)
{
    int cases = 0;
    for (int t = 0; t < count; t++)
        cases += tables[t].count;
    check_ahead *const made = has_no_cache() ? NULL : calloc(1, sizeof *made + (size_t)cases * sizeof made->of[0]);
    if (made == NULL)
        return NULL;
    made->selectors = selectors;
    for (int t = 0; t < count; t++)
        for (int i = 0; i < tables[t].count; i++)
            add_program(made, &tables[t].cases[i]);
    const int others = grkan_processors() - 1, useful = devices * made->count - 1;
    const int most = others < MOST_HELPERS ? others : MOST_HELPERS;
    made->helpers = made->count > 1 ? grkan_helpers_start(most < useful ? most : useful, run_ahead, made) : NULL;
    if (made->helpers != NULL)
        return made;
    free(made);
    return NULL;
}

void check_ahead_compile(check_ahead *ahead, int device)
{
    for (int i = ahead != NULL ? ahead->count - 1 : -1; i >= 0; i--)
        if (!grkan_helpers_give(ahead->helpers, device * ahead->count + i))
            return;
}

void check_ahead_end(check_ahead *ahead)
{
    if (ahead == NULL)
        return;
    grkan_helpers_end(ahead->helpers);
    free(ahead);
}
