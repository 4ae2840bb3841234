/* SPDX-License-Identifier: Apache-2.0 */
/** @file compile.c @brief Kernels compiled, and launches listed, for a device that is not there. */
#include <stdlib.h>
#include <string.h>

#include "plan/plan.h"
#include "specialise.h"

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
                          "cuda, hip or opencl",
                          backend);
    if ((status = (*found)->assume(architecture, &limits)) != GRKAN_SUCCESS)
        return status;
    grkan_tunings_assume(&limits);
    return grkan_plan_shape(&limits, data);
}

grkan_status grkan_compile(const char *backend, const char *architecture, const char *compiler,
                           const grkan_operation *operation, const grkan_options *options,
                           grkan_compilation *compilation)
{
    const grkan_backend *found = NULL;
    grkan_plan_data data = {0};
    grkan_compiler_report report = {0};
    grkan_blob binary = {NULL, 0};
    char definitions[GRKAN_DEFINITION_BYTES];
    if (compilation == NULL)
        return grkan_fail(GRKAN_ERROR_INVALID_ARGUMENT, "compilation is NULL; expected where to put it");
    *compilation = (grkan_compilation){0};
    grkan_status status = assume_plan(backend, architecture, operation, options, &found, &data);
    if (status != GRKAN_SUCCESS)
        return status;
    grkan_write_definitions(&data, definitions);
    grkan_compile_request request = grkan_request_of(&data, definitions, architecture);
    request.compiler = compiler;
    status = found->compile(NULL, &request, &binary, &report);
    if (status != GRKAN_SUCCESS)
        return status;
    if (compiler == NULL) { /* a plan would look for what the vendor's own compiler makes */
        const grkan_cache_key key = grkan_program_key(found, NULL, &data, &request);
        (void)grkan_cache_store(&key, &binary);
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
