/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file operators.c
 * @brief The operators, a row each. Schemas are as in python/grkan/torch/_operators.py.
 */
#include "operators.h"

#include <string.h>

#include "../../core/platform/platform.h"
#include "inputs.h"
#include "direct.h"
#include "rational.h"
#include "registration.h"

#define PROLOGUE_TABLES "Tensor numerator, Tensor denominator, Tensor first, Tensor second"
#define PROLOGUE_NUMBERS "int form, int channel_dim, int prologue, float epsilon"
#define PROLOGUE_INPUTS "(Tensor x, " PROLOGUE_TABLES ", " PROLOGUE_NUMBERS ", int output)"

#define KERNELS(name) name##_on_cpu, name##_on_gpu, name

static const torch_operator operators[] = {
    {"rational", "rational(Tensor x, Tensor numerator, Tensor denominator, int form, int channel_dim) -> Tensor",
     KERNELS(rational_forward)},
    {"rational_forward",
     "rational_forward(Tensor x, Tensor numerator, Tensor denominator, int form, int channel_dim) -> Tensor",
     KERNELS(rational_forward)},
    {"rational_backward",
     "rational_backward(Tensor dy, Tensor x, Tensor numerator, Tensor denominator, int form, int channel_dim) -> "
     "(Tensor, Tensor, Tensor)",
     KERNELS(rational_backward)},
    {"prologue_rational", "prologue_rational" PROLOGUE_INPUTS " -> Tensor", KERNELS(prologue_forward)},
    {"prologue_rational_forward", "prologue_rational_forward" PROLOGUE_INPUTS " -> Tensor", KERNELS(prologue_forward)},
    {"norm_rational_forward", "norm_rational_forward" PROLOGUE_INPUTS " -> (Tensor, Tensor, Tensor)",
     KERNELS(norm_forward)},
    {"prologue_rational_backward",
     "prologue_rational_backward(Tensor dy, Tensor x, " PROLOGUE_TABLES ", Tensor mean, Tensor rstd, " PROLOGUE_NUMBERS
     ", int wanted) -> (Tensor, Tensor, Tensor, Tensor, Tensor, Tensor)",
     KERNELS(prologue_backward)},
};

enum { operator_count = sizeof operators / sizeof operators[0] };

/** What programs of Inductor call, whose memory is planned: functions of Python's alone, which PyTorch knows nothing of. */
static const torch_operator functions[] = {
    {.name = "rational_forward_into",
     .schema = "(Tensor y, Tensor x, Tensor numerator, Tensor denominator, int form, int channel_dim) -> ()",
     .compute = rational_forward_into},
    {.name = "prologue_rational_forward_into",
     .schema = "(Tensor y, Tensor x, " PROLOGUE_TABLES ", " PROLOGUE_NUMBERS ", int output) -> ()",
     .compute = prologue_forward_into},
};

enum { function_count = sizeof functions / sizeof functions[0] };

const char *grkan_torch_register(void)
{
    static grkan_lock lock = GRKAN_LOCK_INIT;
    static bool is_over; /* with PyTorch there, whatever came of it: there is no second time */
    static const char *outcome;
    grkan_lock_take(&lock);
    if (!is_over) {
        outcome = torch_register("grkan", operators, operator_count);
        is_over = torch.aoti_torch_check != NULL;
    }
    const char *const words = outcome;
    grkan_lock_release(&lock);
    return words;
}

python_object *grkan_torch_direct(const char *name, const direct_rules *rules)
{
    const torch_operator *found = NULL;
    for (int i = 0; i < operator_count; ++i)
        if (strcmp(operators[i].name, name) == 0)
            found = &operators[i];
    for (int i = 0; i < function_count; ++i)
        if (strcmp(functions[i].name, name) == 0)
            found = &functions[i];
    return torch.aoti_torch_check != NULL && found != NULL
               ? direct_function(found->name, found->schema, found->compute, rules)
               : NULL;
}

int grkan_torch_set_determinism(int determinism)
{
    if (determinism < GRKAN_RUN_TO_RUN || determinism > GRKAN_DEVICE_TO_DEVICE)
        return GRKAN_ERROR_INVALID_ARGUMENT;
    inputs_set_determinism((grkan_determinism)determinism);
    return GRKAN_SUCCESS;
}

/** A program that loads this library after PyTorch need not call anything. */
__attribute__((constructor)) static void register_when_loaded(void)
{
    (void)grkan_torch_register();
}
