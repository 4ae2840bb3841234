/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file operators.c
 * @brief The operators, a row each, and their registration with PyTorch's dispatcher. It lasts as long as the process.
 */
#include "operators.h"

#include <stdio.h>

#include "../../core/platform/platform.h"
#include "rational.h"

static const struct {
    const char *name;
    const char *schema; /* as in python/grkan/torch/_operators.py */
    torch_kernel kernel;
} operators[] = {
    {"rational", "rational(Tensor x, Tensor numerator, Tensor denominator, int form, int channel_dim) -> Tensor",
     rational_forward},
    {"rational_forward",
     "rational_forward(Tensor x, Tensor numerator, Tensor denominator, int form, int channel_dim) -> Tensor",
     rational_forward},
    {"rational_backward",
     "rational_backward(Tensor dy, Tensor x, Tensor numerator, Tensor denominator, int form, int channel_dim) -> "
     "(Tensor, Tensor, Tensor)",
     rational_backward},
};

enum { operator_count = sizeof operators / sizeof operators[0] };

/** The backends of PyTorch's that the kernels are for. ROCm's GPUs go by CUDA's name. */
static const char *const keys[] = {"CPU", "CUDA"};

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

/** @return NULL, or what failed */
static const char *register_all(void)
{
    torch_library *library = NULL;
    if (torch.aoti_torch_library_init_fragment("grkan", "grkan", 0, &library) != 0)
        return "PyTorch took no library of operators";
    for (int i = 0; i < operator_count; ++i)
        if (define(library, operators[i].schema) != 0)
            return "PyTorch refused an operator: are those of another copy of grkan registered?";
    for (size_t k = 0; k < sizeof keys / sizeof keys[0]; ++k) {
        if (torch.aoti_torch_library_init_impl("grkan", keys[k], "grkan", 0, &library) != 0)
            return "PyTorch took no library of kernels";
        for (int i = 0; i < operator_count; ++i)
            if (implement(library, operators[i].name, operators[i].kernel) != 0)
                return "PyTorch refused a kernel";
    }
    return NULL;
}

const char *grkan_torch_register(void)
{
    static grkan_lock lock = GRKAN_LOCK_INIT;
    static bool is_tried; /* with PyTorch there: then there is no second time */
    static const char *outcome;
    grkan_lock_take(&lock);
    if (!is_tried) {
        outcome = torch_find();
        if (outcome == NULL) {
            is_tried = true;
            outcome = register_all();
        }
    }
    const char *const words = outcome;
    grkan_lock_release(&lock);
    return words;
}

int grkan_torch_set_determinism(int determinism)
{
    if (determinism < GRKAN_RUN_TO_RUN || determinism > GRKAN_DEVICE_TO_DEVICE)
        return GRKAN_ERROR_INVALID_ARGUMENT;
    rational_set_determinism((grkan_determinism)determinism);
    return GRKAN_SUCCESS;
}

/** A program that loads this library after PyTorch need not call anything. */
__attribute__((constructor)) static void register_when_loaded(void)
{
    (void)grkan_torch_register();
}
