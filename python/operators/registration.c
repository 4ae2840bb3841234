/* SPDX-License-Identifier: Apache-2.0 */
/** @file registration.c @brief How PyTorch learns of operators: their schemas as a fragment, then a kernel for each backend. */
#include "registration.h"

#include <stdbool.h>

/** How values pass to kernels and back: as in PyTorch 2.10. */
static const uint64_t values_version = UINT64_C(0x020a000000000000);

/** PyTorch's own, which would take back all that they hold if they were deleted: of schemas, and of each backend. */
static struct {
    torch_library *schemas, *cpu, *gpu;
} libraries;

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
static const char *register_kernels(const char *library, bool is_gpu, const torch_operator *operators, int count)
{
    torch_library **const kept = is_gpu ? &libraries.gpu : &libraries.cpu;
    const char *const key = is_gpu ? "CUDA" : "CPU"; /* CUDA is ROCm's, too */
    if (torch.aoti_torch_library_init_impl(library, key, "grkan", 0, kept) != 0)
        return "PyTorch took no library of kernels";
    for (int i = 0; i < count; ++i)
        if (implement(*kept, operators[i].name, is_gpu ? operators[i].on_gpu : operators[i].on_cpu) != 0)
            return "PyTorch refused a kernel";
    return NULL;
}

const char *torch_register(const char *library, const torch_operator *operators, int count)
{
    const char *words = torch_find();
    if (words != NULL)
        return words;
    if (torch.aoti_torch_library_init_fragment(library, "grkan", 0, &libraries.schemas) != 0)
        return "PyTorch took no library of operators";
    for (int i = 0; i < count; ++i)
        if (define(libraries.schemas, operators[i].schema) != 0)
            return "PyTorch refused an operator: are those of another copy of grkan registered?";
    words = register_kernels(library, false, operators, count);
    return words != NULL ? words : register_kernels(library, true, operators, count);
}
