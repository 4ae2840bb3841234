/* SPDX-License-Identifier: Apache-2.0 */
/** @file registration.c @brief How PyTorch learns of operators: their schemas as a fragment, then a kernel for each backend. */
#include "registration.h"

#include <stdbool.h>
#include <string.h>

/** How values pass to kernels and back: as in PyTorch 2.10. */
static const uint64_t values_version = UINT64_C(0x020a000000000000);

static torch_status define(torch_library *library, const char *schema)
{
    if (torch.torch_library_def_with_tags == NULL || torch.torch_tag_pt2_compliant_tag == NULL)
        return torch.aoti_torch_library_def(library, schema);
    const int32_t tag = torch.torch_tag_pt2_compliant_tag();
    return torch.torch_library_def_with_tags(library, schema, &tag, 1);
}

static torch_status implement(torch_library *library, const char *name, torch_kernel kernel)
{
    return torch.torch_library_impl != NULL ? torch.torch_library_impl(library, name, kernel, values_version)
                                            : torch.aoti_torch_library_impl(library, name, kernel);
}

/** Register the kernels of one of PyTorch's backends. */
static const char *register_kernels(const char *library, const char *key, const torch_operator *operators, int count)
{
    const bool is_gpu = strcmp(key, "CUDA") == 0;
    torch_library *handle = NULL;
    if (torch.aoti_torch_library_init_impl(library, key, "grkan", 0, &handle) != 0)
        return "PyTorch took no library of kernels";
    for (int i = 0; i < count; ++i)
        if (implement(handle, operators[i].name, is_gpu ? operators[i].on_gpu : operators[i].on_cpu) != 0)
            return "PyTorch refused a kernel";
    return NULL;
}

const char *torch_register(const char *library, const torch_operator *operators, int count)
{
    torch_library *handle = NULL;
    const char *words = torch_find();
    if (words != NULL)
        return words;
    if (torch.aoti_torch_library_init_fragment(library, "grkan", 0, &handle) != 0)
        return "PyTorch took no library of operators";
    for (int i = 0; i < count; ++i)
        if (define(handle, operators[i].schema) != 0)
            return "PyTorch refused an operator: are those of another copy of grkan registered?";
    words = register_kernels(library, "CPU", operators, count);
    return words != NULL ? words : register_kernels(library, "CUDA", operators, count); /* ROCm's key, too */
}
