/* SPDX-License-Identifier: Apache-2.0 */
/** @file compile.c @brief The compilers' input: the dialect in front of the kernels. */
#include <stdlib.h>
#include <string.h>

#include "compiler_program.h"
#include "gpu_dialect.h"
#include "runtime.h"

static grkan_status compile_by_program(const char *source, const grkan_compile_request *request, grkan_blob *binary,
                                       grkan_compiler_report *report)
{
    const char *command[COMPILER_ARGUMENTS + 1] = {request->compiler};
    char options[1024], none[] = "", *log = NULL;
    grkan_status status = vendor_options(NULL, request, report != NULL, options, sizeof options);
    if (status != GRKAN_SUCCESS)
        return status;
    int count = 1 + compiler_split_options(options, command + 1, COMPILER_ARGUMENTS - 4);
    command[count++] = "-o";
    command[count++] = compiler_binary;
    command[count] = compiler_source;
    status = compiler_program_run(source, command, binary, &log);
    if (status == GRKAN_SUCCESS && report != NULL)
        vendor_report(log != NULL ? log : none, binary, report);
    free(log);
    return status;
}

grkan_status runtime_compile(grkan_backend_device *device, const grkan_compile_request *request, grkan_blob *binary,
                             grkan_compiler_report *report)
{
    const size_t dialect = sizeof gpu_dialect - 1;
    char *source = malloc(dialect + strlen(request->source) + 1);
    if (source == NULL)
        return gpu_host->set_error(GRKAN_ERROR_OUT_OF_MEMORY, "no memory for the kernels' source");
    memcpy(source, gpu_dialect, dialect);
    strcpy(source + dialect, request->source);
    const grkan_status status = request->compiler != NULL ? compile_by_program(source, request, binary, report)
                                                          : rtc_compile(device, source, request, binary, report);
    free(source);
    return status;
}
