/* SPDX-License-Identifier: Apache-2.0 */
/** @file specialise.c @brief From a plan to loaded kernels: macro values, the cache, the backend's compiler. */
#include <stdio.h>
#include <stdlib.h>

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
             "-DGRKAN_IEEE=%d",
             o->numerator_degree, o->denominator_degree, (int)o->denominator, data->near_exponent, (int)o->dtype,
             t->vector, t->block, t->folds > 1, (int)data->options.strategy,
             data->options.determinism == GRKAN_DEVICE_TO_DEVICE);
}

/** Take the binary from the cache and load it. */
static bool load_cached(grkan_plan *plan, const grkan_cache_key *key)
{
    grkan_blob binary = {NULL, 0};
    if (!grkan_cache_load(key, &binary))
        return false;
    const grkan_status status = plan->device->backend->load(plan->device->state, &plan->data, &binary, &plan->program);
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
    const grkan_compile_request request = {.source = grkan_kernel_source,
                                           .definitions = definitions,
                                           .is_ieee = plan->data.options.determinism == GRKAN_DEVICE_TO_DEVICE,
                                           .architecture = device->properties.architecture};
    const char *const parts[] = {backend->name,       backend->dialect,     request.source,
                                 request.definitions, request.architecture, backend->identity(device->state)};
    const grkan_cache_key key = grkan_cache_key_of(parts, sizeof parts / sizeof parts[0]);
    if (load_cached(plan, &key))
        return GRKAN_SUCCESS;

    grkan_status status = backend->compile(device->state, &request, &binary);
    if (status != GRKAN_SUCCESS)
        return status;
    status = backend->load(device->state, &plan->data, &binary, &plan->program);
    if (status == GRKAN_SUCCESS)
        grkan_cache_store(&key, &binary);
    free(binary.data);
    return status;
}
