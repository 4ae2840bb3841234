/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file direct.h
 * @brief Operators as functions of Python's that pass by PyTorch's dispatcher, which takes the host longer than all else in a
 * call of an operator.
 *
 * Such a function does what the operator does, for plain tensors while nothing is active that wants to see operations; all
 * other calls, and those that fail, it hands on, so that they have the dispatcher's results and errors. Tensors are read as
 * PyTorch's table of DLPack functions gives them (torch.Tensor.__dlpack_c_exchange_api__, since PyTorch 2.10). Results are
 * made as those of operators are, and become Python's by PyTorch's THPVariable_Wrap; modes of __torch_dispatch__ and
 * __torch_function__ and a trace of torch.jit are asked for where PyTorch has them: functions of C++, without which there are
 * none of these. A function without a result writes to its first tensor, memory of its caller's, which is not asked for its
 * sign. A gradient that nobody wants is None, where the operator's is an empty tensor.
 */
#ifndef GRKAN_TORCH_DIRECT_H
#define GRKAN_TORCH_DIRECT_H

#include "call.h"

typedef struct python_object python_object;

/** What a function asks before it passes by the dispatcher: an object of Python's each, all of which live on with it. */
typedef struct direct_rules {
    python_object *otherwise; /**< what has all other calls: takes the same arguments */
    python_object *tensor;    /**< torch.Tensor */
    python_object *parameter; /**< torch.nn.Parameter */
    python_object *flags;     /**< a tuple of triples: in a dict, a name must have a value */
    python_object *is_neg;    /**< torch.Tensor.is_neg */
    python_object *exchange;  /**< the capsule with DLPack's functions */
    python_object *none;      /**< None */
} direct_rules;

/**
 * A function for an operator whose arguments are tensors, then integers and numbers, as its schema says.
 * @param compute the operator's, see torch_operator
 * @return a new function; NULL, and no exception is set: Python or PyTorch is not as expected
 */
python_object *direct_function(const char *name, const char *schema, void (*compute)(call *c, uint64_t *values),
                               const direct_rules *rules);

#endif
