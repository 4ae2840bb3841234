/* SPDX-License-Identifier: Apache-2.0 */
/** @file specialise.c @brief From a plan to loaded kernels: macro values, the cache, the backend's compiler. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "internal.h"
#include "kernel_source.h"

enum { definition_bytes = 512 };

/** The constants of a plan's kernels. Sizes of the tensor are not among them. */
static void write_definitions(const grkan_plan_data *data, char text[definition_bytes])
{
    const grkan_operation *o = &data->operation;
    const grkan_tiling *const forward = &data->forward, *const backward = &data->backward;
    snprintf(
        text, definition_bytes,
        "-DGRKAN_NUMERATOR_DEGREE=%d -DGRKAN_DENOMINATOR_DEGREE=%d -DGRKAN_FORM=%d -DGRKAN_NEAR_EXPONENT=%d "
        "-DGRKAN_REPEATS=%d -DGRKAN_DTYPE=%d -DGRKAN_VECTOR=%d -DGRKAN_SETS=%d -DGRKAN_FOLDED=%d -DGRKAN_STRATEGY=%d "
        "-DGRKAN_IEEE=%d "
        "-DGRKAN_FORWARD_BLOCK=%d -DGRKAN_FORWARD_RESIDENT=%d -DGRKAN_FORWARD_AHEAD=%d -DGRKAN_FORWARD_STEP=%d "
        "-DGRKAN_BACKWARD_BLOCK=%d -DGRKAN_BACKWARD_RESIDENT=%d -DGRKAN_BACKWARD_AHEAD=%d -DGRKAN_BACKWARD_STEP=%d",
        o->numerator_degree, o->denominator_degree, (int)o->denominator, data->near_exponent, data->repeats,
        (int)o->dtype, backward->vector, backward->sets, forward->folds > 1 || backward->folds > 1,
        (int)data->options.strategy, data->options.determinism == GRKAN_DEVICE_TO_DEVICE, forward->block,
        grkan_resident_blocks(&data->forward_tuning, forward), data->forward_tuning.ahead, data->forward_tuning.step,
        backward->block, grkan_resident_blocks(&data->backward_tuning, backward), data->backward_tuning.ahead,
        data->backward_tuning.step);
}

static grkan_compile_request request_of(const grkan_plan_data *data, const char *definitions, const char *architecture)
{
    return (grkan_compile_request){.source = grkan_kernel_source,
                                   .definitions = definitions,
                                   .is_ieee = data->options.determinism == GRKAN_DEVICE_TO_DEVICE,
                                   .architecture = architecture};
}

/** All that a compiled program depends on. */
static grkan_cache_key key_of(const grkan_backend *backend, const grkan_backend_device *device,
                              const grkan_compile_request *request)
{
    const char *const identity = backend->identity != NULL ? backend->identity(device) : NULL;
    const char *const parts[] = {backend->name,        backend->dialect_hash, grkan_kernel_source_hash,
                                 request->definitions, request->architecture, identity};
    return grkan_cache_key_of(parts, sizeof parts / sizeof parts[0]);
}

/** Name of a plan's program. */
static grkan_cache_key plan_key(const grkan_device *device, const grkan_plan_data *data)
{
    char definitions[definition_bytes];
    write_definitions(data, definitions);
    const grkan_compile_request request = request_of(data, definitions, device->properties.architecture);
    return key_of(device->backend, device->state, &request);
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
    char definitions[definition_bytes];
    if (backend->compile == NULL)
        return backend->load(device->state, &plan->data, &binary, &plan->program);
    if (load_cached(plan, key))
        return GRKAN_SUCCESS;

    write_definitions(&plan->data, definitions);
    const grkan_compile_request request = request_of(&plan->data, definitions, device->properties.architecture);
    grkan_status status = backend->compile(device->state, &request, &binary, NULL);
    if (status != GRKAN_SUCCESS)
        return status;
    plan->is_compiled = true;
    status = backend->load(device->state, &plan->data, &binary, &plan->program);
    if (status == GRKAN_SUCCESS)
        grkan_cache_store(key, &binary);
    free(binary.data);
    return status;
}

grkan_status grkan_plan_build(grkan_plan *plan)
{
    const grkan_cache_key key = plan_key(plan->device, &plan->data);
    plan->program = grkan_programs_find(plan->device, &key);
    if (plan->program != NULL)
        return GRKAN_SUCCESS;
    const grkan_status status = build(plan, &key);
    return status == GRKAN_SUCCESS ? grkan_programs_keep(plan->device, &key, &plan->program) : status;
}

/* ------------------------------------------------------------------------------------------- without a device */

/** A backend that compiles without a device, and the plan that it would have on one. */
static grkan_status assume_plan(const char *backend, const char *architecture, const grkan_operation *operation,
                                const grkan_options *options, const grkan_backend **found, grkan_plan_data *data)
{
    grkan_device_limits limits;
    grkan_status status;
    if (backend == NULL || architecture == NULL || operation == NULL)
        return grkan_fail(GRKAN_ERROR_INVALID_ARGUMENT, "%s is NULL; expected %s",
                          backend == NULL        ? "backend"
                          : architecture == NULL ? "architecture"
                                                 : "operation",
                          backend == NULL        ? "a backend's name"
                          : architecture == NULL ? "an architecture, as sm_90"
                                                 : "an operation");
    if ((status = grkan_registry_find(backend, found, NULL)) != GRKAN_SUCCESS ||
        (status = grkan_plan_decide(operation, options, data)) != GRKAN_SUCCESS)
        return status;
    if ((*found)->compile == NULL || (*found)->assume == NULL)
        return grkan_fail(GRKAN_ERROR_UNSUPPORTED,
                          "backend \"%s\" compiles for a device that is there only; expected "
                          "cuda or hip",
                          backend);
    status = (*found)->assume(architecture, &limits);
    return status == GRKAN_SUCCESS ? grkan_plan_tile(&limits, data) : status;
}

grkan_status grkan_compile(const char *backend, const char *architecture, const char *compiler,
                           const grkan_operation *operation, const grkan_options *options,
                           grkan_compilation *compilation)
{
    const grkan_backend *found = NULL;
    grkan_plan_data data = {0};
    grkan_compiler_report report = {0};
    grkan_blob binary = {NULL, 0};
    char definitions[definition_bytes];
    if (compilation == NULL)
        return grkan_fail(GRKAN_ERROR_INVALID_ARGUMENT, "compilation is NULL; expected where to put it");
    *compilation = (grkan_compilation){0};
    grkan_status status = assume_plan(backend, architecture, operation, options, &found, &data);
    if (status != GRKAN_SUCCESS)
        return status;
    write_definitions(&data, definitions);
    grkan_compile_request request = request_of(&data, definitions, architecture);
    request.compiler = compiler;
    status = found->compile(NULL, &request, &binary, &report);
    if (status != GRKAN_SUCCESS)
        return status;
    if (compiler == NULL) { /* a plan would look for what the vendor's own compiler makes */
        const grkan_cache_key key = key_of(found, NULL, &request);
        grkan_cache_store(&key, &binary);
    }
    compilation->binary = binary.data;
    compilation->bytes = binary.bytes;
    compilation->kernel_count = report.kernel_count;
    memcpy(compilation->kernels, report.kernels, sizeof report.kernels);
    compilation->strategy = data.options.strategy;
    compilation->workspace_bytes = data.workspace_bytes;
    return GRKAN_SUCCESS;
}

void grkan_compilation_free(grkan_compilation *compilation)
{
    if (compilation == NULL)
        return;
    free(compilation->binary);
    *compilation = (grkan_compilation){0};
}

grkan_status grkan_list_launches(const char *backend, const char *architecture, const grkan_operation *operation,
                                 const grkan_options *options, grkan_launch_listener listener, void *context)
{
    const grkan_backend *found = NULL;
    grkan_plan_data data = {0};
    if (listener == NULL)
        return grkan_fail(GRKAN_ERROR_INVALID_ARGUMENT, "listener is NULL; expected what hears of the launches");
    const grkan_status status = assume_plan(backend, architecture, operation, options, &found, &data);
    if (status != GRKAN_SUCCESS)
        return status;
    if (found->list_launches == NULL)
        return grkan_fail(GRKAN_ERROR_UNSUPPORTED, "backend \"%s\" does not tell what it launches", backend);
    return found->list_launches(&data, listener, context);
}
