/* SPDX-License-Identifier: Apache-2.0 */
/** @file loader.c @brief The ICD loader, which the module finds when it is asked for devices: it loads without one. */
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "../../core/platform/platform.h"
#include "../gpu/engine.h"
#include "opencl.h"

struct opencl_functions opencl;

#define LOADER GRKAN_OF_SYSTEM("libOpenCL.so.1", "OpenCL.dll")
#define OPENCL_NAME(name) "cl" #name,

/**
 * Where the functions are: in what the program is linked with, or was put before it, as oclgrind is (*library is NULL then);
 * else in the loader's file, under the name that programs are linked with, or that of its development files.
 */
static bool find_library(grkan_library **library)
{
    *library = NULL;
    if (grkan_library_symbol(NULL, "clGetPlatformIDs") != NULL)
        return true;
    if ((*library = grkan_library_open(LOADER)) == NULL)
        *library = grkan_library_open(GRKAN_OF_SYSTEM("libOpenCL.so", LOADER));
    return *library != NULL;
}

grkan_status opencl_find(void)
{
    static const char *const names[] = {OPENCL_FUNCTIONS(OPENCL_NAME)};
    struct opencl_functions found;
    if (opencl.Finish != NULL)
        return GRKAN_SUCCESS;
    grkan_library *library;
    if (!find_library(&library))
        return gpu_host->set_error(GRKAN_ERROR_NO_DEVICE,
                                   "no OpenCL: %s; expected an ICD loader" GRKAN_OF_SYSTEM(
                                       " (Debian's package ocl-icd-libopencl1)", "") " and the driver of a device",
                                   grkan_library_error());
    for (size_t i = 0; i < sizeof names / sizeof names[0]; ++i) {
        void *const function = grkan_library_symbol(library, names[i]);
        if (function == NULL)
            return gpu_host->set_error(GRKAN_ERROR_NO_DEVICE,
                                       "no OpenCL: %s has no function %s; expected a loader of OpenCL 1.2 or later",
                                       library == NULL ? "what the program is linked with" : LOADER, names[i]);
        memcpy((char *)&found + i * sizeof function, &function, sizeof function);
    }
    opencl = found;
    return GRKAN_SUCCESS;
}

void opencl_libraries(char *text, size_t bytes)
{
    char file[GRKAN_PATH_BYTES] = "";
    const void *function;
    memcpy(&function, &opencl.Finish, sizeof function);
    if (function != NULL)
        (void)grkan_library_file(function, file, sizeof file);
    snprintf(text, bytes, "ICD loader: %s\n", function == NULL ? "none" : file);
}
