/* SPDX-License-Identifier: Apache-2.0 */
/** @file table.c @brief Building a table, naming its cases, and finding them again. */
#include "table.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "operations.h"

void table_add(table_builder *builder, check_case one)
{
    if (builder->table.count == builder->capacity) {
        const int capacity = builder->capacity ? 2 * builder->capacity : 64;
        check_case *cases = realloc(builder->table.cases, (size_t)capacity * sizeof *cases);
        if (!cases) {
            builder->failed = true;
            return;
        }
        builder->table.cases = cases;
        builder->capacity = capacity;
    }
    check_case_name(&one);
    builder->table.cases[builder->table.count++] = one;
}

check_table table_finish(table_builder *builder)
{
    if (builder->failed)
        check_table_free(&builder->table);
    return builder->table;
}

void check_table_free(check_table *table)
{
    free(table->cases);
    *table = (check_table){0};
}

static const char *values_name(const check_case *one)
{
    static const char *const names[] = {"", "/huge", "/special", "/grid", "/limits", "/rows", "/special_rows"};
    return names[one->values];
}

static const char *coefficients_name(const check_case *one)
{
    static const char *const names[] = {"", "/top_zero", "/identity", "/"};
    return names[one->coefficients];
}

void check_case_name(check_case *one)
{
    static const char *const placements[] = {"", "/dx=dy", "/dx=x"};
    const grkan_operation *o = &one->operation;
    const grkan_dtype output = grkan_operation_output_dtype(o);
    char run[32] = "", offset[16] = "", types[16], prologue[64] = "", frozen[24] = "";
    snprintf(types, sizeof types, "%s%s%s", grkan_dtype_name(o->dtype), output == o->dtype ? "" : ",",
             output == o->dtype ? "" : grkan_dtype_name(output));
    if (one->options.cpu_threads || one->options.cpu_simd)
        snprintf(run, sizeof run, "/t%d%s", one->options.cpu_threads, one->options.cpu_simd ? ",scalar" : "");
    if (o->prologue == GRKAN_PROLOGUE_BIAS)
        snprintf(prologue, sizeof prologue, "/bias");
    else if (o->prologue != GRKAN_PROLOGUE_NONE)
        snprintf(prologue, sizeof prologue, "/%s,%g%s%s", grkan_prologue_name(o->prologue), o->norm.epsilon,
                 o->norm.has_scale ? ",scale" : "", o->norm.has_shift ? ",shift" : "");
    if (one->options.frozen)
        snprintf(frozen, sizeof frozen, "/frozen%x", (unsigned)one->options.frozen);
    if (one->offset)
        snprintf(offset, sizeof offset, "/off%d", one->offset);
    snprintf(one->name, sizeof one->name, "%s/%d,%d%s/%s/%lldx%lldx%lld/g%lld,%lld,%lld/%s/%s%s%s%s%s%s%s%s%s%s",
             grkan_form_name(o->rational.form), o->rational.numerator_degree, o->rational.denominator_degree, prologue,
             types, (long long)o->outer, (long long)o->channels, (long long)o->inner, (long long)o->groups,
             (long long)rows_of_scope(o, o->rational.numerator_scope),
             (long long)rows_of_scope(o, o->rational.denominator_scope), grkan_strategy_name(one->options.strategy),
             grkan_determinism_name(one->options.determinism), frozen, one->options.writes_y ? "/writes_y" : "",
             placements[one->placement], one->accumulation ? "/add" : "", offset, values_name(one),
             coefficients_name(one), one->coefficients == CHECK_PUBLISHED ? one->preset->name : "", run);
}

const check_case *check_table_find(const check_table *table, const char *text)
{
    char *end;
    const long index = strtol(text, &end, 10);
    if (end != text && *end == 0)
        return index >= 0 && index < table->count ? &table->cases[index] : NULL;
    for (int i = 0; i < table->count; i++)
        if (strcmp(table->cases[i].name, text) == 0)
            return &table->cases[i];
    return NULL;
}
