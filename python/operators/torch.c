/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file torch.c
 * @brief The search for PyTorch's functions: in the libraries that it has loaded, which are never closed; or in the program,
 * where that has PyTorch in it.
 */
#include "torch.h"

#include <stdio.h>
#include <string.h>

#include "../../core/platform/platform.h"

torch_functions torch;
torch_numbers torch_number;
const char *torch_gpu_backend = "cuda";

#define FUNCTION(result, name, arguments) {#name, offsetof(torch_functions, name), 0},
#define OPTIONAL(result, name, arguments) {#name, offsetof(torch_functions, name), 1},
static const struct {
    const char *name;
    size_t offset; /* of its pointer in torch_functions */
    int is_optional;
} functions[] = {
#include "torch_functions.h"
};

enum { function_count = sizeof functions / sizeof functions[0] };

static const char *const stems[] = {"libtorch_cpu", "libtorch_cuda", "libtorch_hip"};

enum { stem_count = sizeof stems / sizeof stems[0] };

static grkan_library *loaded(const char *stem)
{
    char path[GRKAN_PATH_BYTES];
    return grkan_library_loaded(stem, 0, path, sizeof path) ? grkan_library_open(path) : NULL;
}

static void *find(grkan_library *const *libraries, const char *name)
{
    void *address = NULL;
    for (int i = 0; address == NULL && i < stem_count; ++i)
        if (libraries[i] != NULL)
            address = grkan_library_symbol(libraries[i], name);
    return address != NULL ? address : grkan_library_symbol(NULL, name);
}

const char *torch_find(void)
{
    static char words[256];
    grkan_library *libraries[stem_count];
    torch_functions found;
    for (int i = 0; i < stem_count; ++i)
        libraries[i] = loaded(stems[i]);
    for (int i = 0; i < function_count; ++i) {
        void *const address = find(libraries, functions[i].name);
        memcpy((char *)&found + functions[i].offset, &address, sizeof address);
        if (address == NULL && !functions[i].is_optional) {
            snprintf(words, sizeof words, "%s has no function %s; expected PyTorch 2.9 or later",
                     libraries[0] != NULL ? "the PyTorch that is loaded" : "this process, without libtorch_cpu,",
                     functions[i].name);
            return words;
        }
    }
    if (libraries[2] != NULL)
        torch_gpu_backend = "hip";
    torch = found;
    torch_number = (torch_numbers){.float32 = found.aoti_torch_dtype_float32(),
                                   .float16 = found.aoti_torch_dtype_float16(),
                                   .bfloat16 = found.aoti_torch_dtype_bfloat16(),
                                   .float64 = found.aoti_torch_dtype_float64(),
                                   .uint8 = found.aoti_torch_dtype_uint8(),
                                   .cpu = found.aoti_torch_device_type_cpu(),
                                   .cuda = found.aoti_torch_device_type_cuda()};
    return NULL;
}
