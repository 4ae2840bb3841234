/* SPDX-License-Identifier: Apache-2.0 */
/** @file specialise.c @brief From a plan to loaded kernels: macro values, the cache, the backend's compiler. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "internal.h"
#include "kernel_source.h"

/** The constants of a plan's kernels. Sizes of the tensor are not among them. */
static void write_definitions(const grkan_plan_data *data, char *text, size_t bytes)
{
    const grkan_operation *o = &data->operation;
    const grkan_tiling *t = &data->backward;
    snprintf(text, bytes,
             "-DGRKAN_NUMERATOR_DEGREE=%d -DGRKAN_DENOMINATOR_DEGREE=%d -DGRKAN_FORM=%d -DGRKAN_NEAR_EXPONENT=%d "
             "-DGRKAN_DTYPE=%d -DGRKAN_VECTOR=%d -DGRKAN_BLOCK=%d -DGRKAN_FOLDED=%d -DGRKAN_STRATEGY=%d "
             "-DGRKAN_IEEE=%d -DGRKAN_FORWARD_RESIDENT=%d -DGRKAN_FORWARD_AHEAD=%d "
             "-DGRKAN_BACKWARD_RESIDENT=%d -DGRKAN_BACKWARD_AHEAD=%d",
             o->numerator_degree, o->denominator_degree, (int)o->denominator, data->near_exponent, (int)o->dtype,
             t->vector, t->block, t->folds > 1, (int)data->options.strategy,
             data->options.determinism == GRKAN_DEVICE_TO_DEVICE, data->forward_tuning.resident,
             data->forward_tuning.ahead, data->backward_tuning.resident, data->backward_tuning.ahead);
}

static grkan_compile_request request_of(const grkan_plan_data *data, const char *definitions, const char *architecture)
{
    return (grkan_compile_request){.source = grkan_kernel_source,
                                   .definitions = definitions,
                                   .is_ieee = data->options.determinism == GRKAN_DEVICE_TO_DEVICE,
                                   .architecture = architecture};
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

grkan_status grkan_plan_build(grkan_plan *plan)
{
    const grkan_device *device = plan->device;
    const grkan_backend *backend = device->backend;
    grkan_blob binary = {NULL, 0};
    char definitions[512];
    if (backend->compile == NULL)
        return backend->load(device->state, &plan->data, &binary, &plan->program);

    write_definitions(&plan->data, definitions, sizeof definitions);
    const grkan_compile_request request = request_of(&plan->data, definitions, device->properties.architecture);
    const char *const parts[] = {backend->name,       backend->dialect,     request.source,
                                 request.definitions, request.architecture, backend->identity(device->state)};
    const grkan_cache_key key = grkan_cache_key_of(parts, sizeof parts / sizeof parts[0]);
    if (load_cached(plan, &key))
        return GRKAN_SUCCESS;

    grkan_status status = backend->compile(device->state, &request, &binary, NULL);
    if (status != GRKAN_SUCCESS)
        return status;
    status = backend->load(device->state, &plan->data, &binary, &plan->program);
    if (status == GRKAN_SUCCESS)
        grkan_cache_store(&key, &binary);
    free(binary.data);
    return status;
}

/** What the geometry of a device that is not there depends on: any GPU. */
static const grkan_device_limits any_gpu = {.compute_units = 1,
                                            .forward = {{1, 3, 1}, {1, 3, 1}},
                                            .backward = {{1, 2, 1}, {1, 2, 1}},
                                            .least_elements = 1,
                                            .max_block = 512,
                                            .preferred_block = 384,
                                            .max_vector_bytes = 16,
                                            .local_bytes = 49152};

static grkan_status compile_for(const grkan_backend *backend, const char *architecture, const grkan_plan_data *data,
                                grkan_compilation *compilation)
{
    char definitions[512];
    grkan_blob binary = {NULL, 0}, report = {NULL, 0};
    write_definitions(data, definitions, sizeof definitions);
    const grkan_compile_request request = request_of(data, definitions, architecture);
    const grkan_status status = backend->compile(NULL, &request, &binary, &report);
    if (status != GRKAN_SUCCESS)
        return status;
    compilation->binary = binary.data;
    compilation->bytes = binary.bytes;
    compilation->report = report.data != NULL ? report.data : calloc(1, 1);
    if (compilation->report == NULL) {
        grkan_compilation_free(compilation);
        return grkan_fail(GRKAN_ERROR_OUT_OF_MEMORY, "no memory for a compiler's report");
    }
    return GRKAN_SUCCESS;
}

grkan_status grkan_compile(const char *backend, const char *architecture, const grkan_operation *operation,
                           const grkan_options *options, grkan_compilation *compilation)
{
    const grkan_backend *found;
    grkan_plan_data data = {0};
    grkan_status status;
    if (compilation == NULL)
        return grkan_fail(GRKAN_ERROR_INVALID_ARGUMENT, "compilation is NULL; expected where to put it");
    *compilation = (grkan_compilation){0};
    if (backend == NULL || architecture == NULL || operation == NULL)
        return grkan_fail(GRKAN_ERROR_INVALID_ARGUMENT, "%s is NULL; expected %s",
                          backend == NULL        ? "backend"
                          : architecture == NULL ? "architecture"
                                                 : "operation",
                          backend == NULL        ? "a backend's name"
                          : architecture == NULL ? "an architecture, as sm_90"
                                                 : "an operation");
    if ((status = grkan_registry_find(backend, &found, NULL)) != GRKAN_SUCCESS ||
        (status = grkan_plan_decide(operation, options, &data)) != GRKAN_SUCCESS ||
        (status = grkan_plan_tile(&any_gpu, &data)) != GRKAN_SUCCESS)
        return status;
    if (found->compile == NULL || !found->compiles_alone)
        return grkan_fail(GRKAN_ERROR_UNSUPPORTED,
                          "backend \"%s\" compiles for a device that is there only; expected "
                          "cuda or hip",
                          backend);
    return compile_for(found, architecture, &data, compilation);
}

void grkan_compilation_free(grkan_compilation *compilation)
{
    if (compilation == NULL)
        return;
    free(compilation->binary);
    free(compilation->report);
    *compilation = (grkan_compilation){0};
}
