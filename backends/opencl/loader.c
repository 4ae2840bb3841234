/* SPDX-License-Identifier: Apache-2.0 */
/** @file loader.c @brief The ICD loader, which the module finds when it is asked for devices: it loads without one. */
#include <stdio.h>
#include <string.h>

#include "../../core/platform/platform.h"
#include "../gpu/engine.h"
#include "opencl.h"

struct opencl_functions opencl;

#define OPENCL_NAME(name) "cl" #name,

/** Its file, under the name that programs are linked with, and that of its development files. */
static grkan_library *open_loader(void)
{
    grkan_library *const library = grkan_library_open("libOpenCL.so.1");
    return library != NULL ? library : grkan_library_open("libOpenCL.so");
}

grkan_status opencl_find(void)
{
    static const char *const names[] = {OPENCL_FUNCTIONS(OPENCL_NAME)};
    struct opencl_functions found;
    if (opencl.Finish != NULL)
        return GRKAN_SUCCESS;
    grkan_library *const library = open_loader();
    if (library == NULL)
        return gpu_host->set_error(
            GRKAN_ERROR_NO_DEVICE,
            "no OpenCL: %s; expected an ICD loader (Debian's package ocl-icd-libopencl1) and the "
            "driver of a device",
            grkan_library_error());
    for (size_t i = 0; i < sizeof names / sizeof names[0]; ++i) {
        void *const function = grkan_library_symbol(library, names[i]);
        if (function == NULL)
            return gpu_host->set_error(
                GRKAN_ERROR_NO_DEVICE,
                "no OpenCL: libOpenCL.so.1 has no function %s; expected a loader of OpenCL 1.2 or "
                "later",
                names[i]);
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
