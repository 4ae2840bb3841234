/* SPDX-License-Identifier: Apache-2.0 */
/** @file compile.c @brief The compilers' input: the dialect in front of the kernels. */
#include <stdlib.h>
#include <string.h>

#include "gpu_dialect.h"
#include "runtime.h"

grkan_status runtime_compile(grkan_backend_device *device, const grkan_compile_request *request, grkan_blob *binary,
                             grkan_compiler_report *report)
{
    const size_t dialect = sizeof gpu_dialect - 1;
    char *source = malloc(dialect + strlen(request->source) + 1);
    if (source == NULL)
        return gpu_host->set_error(GRKAN_ERROR_OUT_OF_MEMORY, "no memory for the kernels' source");
    memcpy(source, gpu_dialect, dialect);
    strcpy(source + dialect, request->source);
    const grkan_status status = request->compiler != NULL ? compiler_program_compile(source, request, binary, report)
                                                          : rtc_compile(device, source, request, binary, report);
    free(source);
    return status;
}
