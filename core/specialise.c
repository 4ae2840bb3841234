/* SPDX-License-Identifier: Apache-2.0 */
/** @file specialise.c @brief From a plan to loaded kernels: macro values, the cache, the backend's compiler. */
#include "specialise.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "plan/plan.h"
#include "prologues.h"

/** Append -DGRKAN_NAME=VALUE. A text that were too long would lack its end, which no kernel compiles without. */
static void define(char text[GRKAN_DEFINITION_BYTES], const char *name, int value)
{
    const size_t used = strlen(text);
    snprintf(text + used, GRKAN_DEFINITION_BYTES - used, "%s-DGRKAN_%s=%d", used > 0 ? " " : "", name, value);
}

/** Append -DGRKAN_NAME where it is not 0, so that programs that do not know of it keep their names in caches. */
static void define_if(char text[GRKAN_DEFINITION_BYTES], const char *name, int value)
{
    if (value != 0)
        define(text, name, value);
}

/** 32s of threads that a row has in a block, where norms have it whole; else 0. */
static int row_waves(const grkan_plan_data *data, const grkan_columns *columns)
{
    return grkan_row_statistics(&data->operation) > 0 && grkan_has_whole_rows(columns) ? columns->tile_vectors / 32 : 0;
}

/** What differs between the passes. */
static void define_pass(char text[GRKAN_DEFINITION_BYTES], const char *pass, const grkan_columns *columns,
                        const grkan_tuning *tuning, int waves)
{
    const struct {
        const char *name;
        int value;
    } all[] = {{"BLOCK", columns->block},
               {"RESIDENT", grkan_resident_blocks(tuning, columns)},
               {"STAGES", tuning->stages},
               {"STEP", tuning->step}};
    for (size_t i = 0; i < sizeof all / sizeof *all; ++i) {
        char name[24];
        snprintf(name, sizeof name, "%s_%s", pass, all[i].name);
        define(text, name, all[i].value);
    }
    if (waves > 0) {
        char name[24];
        snprintf(name, sizeof name, "%s_ROW_WAVES", pass);
        define(text, name, waves);
    }
}

/** Append the bits of a norm's epsilon: as a constant it would need hexadecimal floats, which not all compilers know, or a
    decimal point, which depends on the locale. */
static void define_epsilon(char text[GRKAN_DEFINITION_BYTES], double epsilon, bool is_f64)
{
    const float rounded = (float)epsilon;
    uint32_t narrow;
    uint64_t wide;
    memcpy(&narrow, &rounded, sizeof narrow);
    memcpy(&wide, &epsilon, sizeof wide);
    define(text, "EPSILON_LOW", (int)(is_f64 ? (uint32_t)wide : narrow));
    define_if(text, "EPSILON_HIGH", (int)(is_f64 ? wide >> 32 : 0));
}

/** What stands before the family's function, and what backward has to give beside or less. */
static void define_prologue(char text[GRKAN_DEFINITION_BYTES], const grkan_plan_data *data)
{
    const grkan_operation *const o = &data->operation;
    define_if(text, "PROLOGUE", (int)o->prologue);
    if (o->prologue != GRKAN_PROLOGUE_NONE)
        define(text, "CHANNEL_SUMS", o->inner == 1 ? data->backward.columns.vector : 1);
    if (grkan_row_statistics(o) > 0) {
        define(text, "HAS_SCALE", o->norm.has_scale);
        define(text, "HAS_SHIFT", o->norm.has_shift);
        define_epsilon(text, o->norm.epsilon, o->dtype == GRKAN_F64);
    }
    define_if(text, "FROZEN", (int)(data->options.frozen & ~GRKAN_FROZEN_X));
    define_if(text, "FROZEN_X", (data->options.frozen & GRKAN_FROZEN_X) != 0);
    define_if(text, "WRITES_Y", data->options.writes_y);
}

void grkan_write_definitions(const grkan_plan_data *data, char text[GRKAN_DEFINITION_BYTES])
{
    const grkan_columns *const forward = &data->forward.columns, *const backward = &data->backward.columns;
    text[0] = '\0';
    for (int32_t i = 0; i < grkan_family_of(&data->operation)->parameter_count; ++i) {
        char name[24];
        snprintf(name, sizeof name, "PARAMETER_%d", (int)i);
        define(text, name, data->parameters[i]);
    }
    define(text, "MAY_HAVE_POLES", data->may_have_poles);
    define(text, "DTYPE", (int)data->operation.dtype);
    define(text, "OUTPUT_DTYPE", (int)grkan_operation_output_dtype(&data->operation));
    define(text, "VECTOR", backward->vector);
    define(text, "VECTOR_GROUPS", backward->vector_groups);
    define(text, "SEGMENTED", forward->segments > 1 || backward->segments > 1);
    define(text, "STRATEGY", (int)data->options.strategy);
    define(text, "IEEE", data->options.determinism == GRKAN_DEVICE_TO_DEVICE);
    define_if(text, "LANES", data->lanes);
    define_prologue(text, data);
    define_pass(text, "FORWARD", forward, &data->forward_tuning, row_waves(data, forward));
    define_pass(text, "BACKWARD", backward, &data->backward_tuning, row_waves(data, backward));
    define_if(text, "LAUNCH_BYTES", data->launch_local_bytes);
}

grkan_compile_request grkan_request_of(const grkan_plan_data *data, const char *definitions, const char *architecture)
{
    const grkan_family_row *const family = grkan_family_of(&data->operation);
    return (grkan_compile_request){.source = data->lanes > 0 ? family->lane_source : family->source,
                                   .definitions = definitions,
                                   .is_ieee = data->options.determinism == GRKAN_DEVICE_TO_DEVICE,
                                   .has_norm = grkan_row_statistics(&data->operation) > 0,
                                   .architecture = architecture};
}

grkan_cache_key grkan_program_key(const grkan_backend *backend, const grkan_backend_device *device,
                                  const grkan_plan_data *data, const grkan_compile_request *request)
{
    const char *const identity = backend->identity != NULL ? backend->identity(device) : NULL;
    const grkan_family_row *const family = grkan_family_of(&data->operation);
    const char *const hash = data->lanes > 0 ? family->lane_source_hash : family->source_hash;
    const char *const parts[] = {backend->name,        backend->dialect_hash, hash,
                                 request->definitions, request->architecture, identity};
    return grkan_cache_key_of(parts, sizeof parts / sizeof parts[0]);
}

/** Name of a plan's program. */
static grkan_cache_key plan_key(const grkan_device *device, const grkan_plan_data *data)
{
    char definitions[GRKAN_DEFINITION_BYTES];
    grkan_write_definitions(data, definitions);
    const grkan_compile_request request = grkan_request_of(data, definitions, device->properties.architecture);
    return grkan_program_key(device->backend, device->state, data, &request);
}

/** Take the binary from the cache and load it. That a driver refuses it is no error of the caller's: it is compiled. */
static bool load_cached(grkan_plan *plan, const grkan_cache_key *key)
{
    grkan_blob binary = {NULL, 0};
    if (!grkan_cache_load(key, &binary))
        return false;
    char *const earlier = strdup(grkan_last_error());
    const grkan_status status = plan->device->backend->load(plan->device->state, &plan->data, &binary, &plan->program);
    if (status != GRKAN_SUCCESS && earlier != NULL)
        (void)grkan_fail(status, "%s", earlier);
    free(earlier);
    free(binary.data);
    return status == GRKAN_SUCCESS;
}

/** Take a plan's kernels from the cache, or compile them, and load them. */
static grkan_status build(grkan_plan *plan, const grkan_cache_key *key)
{
    const grkan_device *device = plan->device;
    const grkan_backend *backend = device->backend;
    grkan_blob binary = {NULL, 0};
    char definitions[GRKAN_DEFINITION_BYTES];
    if (backend->compile == NULL)
        return backend->load(device->state, &plan->data, &binary, &plan->program);
    if (load_cached(plan, key))
        return GRKAN_SUCCESS;

    grkan_write_definitions(&plan->data, definitions);
    const grkan_compile_request request = grkan_request_of(&plan->data, definitions, device->properties.architecture);
    grkan_status status = backend->compile(device->state, &request, &binary, NULL);
    if (status != GRKAN_SUCCESS)
        return status;
    plan->is_compiled = true;
    status = backend->load(device->state, &plan->data, &binary, &plan->program);
    if (status == GRKAN_SUCCESS)
        (void)grkan_cache_store(key, &binary);
    free(binary.data);
    return status;
}

grkan_status grkan_specialise(grkan_plan *plan)
{
    const grkan_cache_key key = plan_key(plan->device, &plan->data);
    plan->program = grkan_programs_find(plan->device, &key);
    if (plan->program != NULL)
        return GRKAN_SUCCESS;
    const grkan_status status = build(plan, &key);
    return status == GRKAN_SUCCESS ? grkan_programs_keep(plan->device, &key, &plan->program) : status;
}
