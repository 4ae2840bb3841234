/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file operators.h
 * @brief What libgrkan_torch.so exports: grkan's operators for PyTorch 2.9 and later, in C.
 *
 *     grkan::rational(Tensor x, Tensor numerator, Tensor denominator, int form, int channel_dim) -> Tensor
 *
 * and its like (operators.c) are registered with PyTorch's dispatcher when the library is loaded, if PyTorch is there by
 * then: with dlopen, or torch.ops.load_library. A form is a grkan_form. They compute what grkan_forward and grkan_backward
 * compute, on the cpu and on CUDA's and ROCm's GPUs, on the stream that is current. Errors are C++ exceptions of
 * PyTorch's; the text ends in the name of a grkan_status, in brackets.
 *
 * Derivatives are Python's to add (grkan.torch): without it, calls are for inference. The result of a tensor that requires
 * a gradient is right then; backward through it warns, as for any operator without a derivative, and gives none.
 */
#ifndef GRKAN_TORCH_OPERATORS_H
#define GRKAN_TORCH_OPERATORS_H

#include <grkan/grkan.h>

/**
 * Register the operators, unless they are: for a library that was loaded before PyTorch. From any thread.
 * @return NULL, or a sentence about why that cannot be; it lives as long as the process
 */
GRKAN_API const char *grkan_torch_register(void);

/**
 * An operator as a function of Python's that passes by PyTorch's dispatcher where that changes nothing (direct.h). For
 * grkan.torch; with Python's lock. The objects that the rules name must live on, as the function does.
 * @return a new function; NULL, without an exception: there is no such operator, Python or PyTorch is not as expected
 */
struct direct_rules;
GRKAN_API struct python_object *grkan_torch_direct(const char *name, const struct direct_rules *rules);

/** What calls promise from now on, in all threads. @param determinism a grkan_determinism @return a grkan_status */
GRKAN_API int grkan_torch_set_determinism(int determinism);

#endif
