/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file call.h
 * @brief A call of an operator: the tensors that it owns, and what went wrong in it. Everything that can fail returns whether
 * it did not, so that a call is one condition; whatever it owns is deleted at its end.
 */
#ifndef GRKAN_TORCH_CALL_H
#define GRKAN_TORCH_CALL_H

#include <grkan/grkan.h>
#include <stdbool.h>

#include "../../core/platform/platform.h"
#include "torch.h"

enum { most_dimensions = 64 /* of PyTorch's tensors */, most_owned = 24 };

/** What is read of a tensor. */
typedef struct tensor {
    torch_tensor *handle;
    int64_t dim;
    const int64_t *sizes;
    const int64_t *strides; /**< in elements */
    int32_t dtype;          /**< PyTorch's number of it */
    int32_t device_index;   /**< -1: the cpu */
    void *data;             /**< its first element; may be NULL where it has none */
} tensor;

/** Begins with zeros, but for is_gpu, and `read`. */
typedef struct call {
    const tensor *read; /**< the tensors among the arguments, which stay another's and are no handles; NULL: they are */
    bool is_gpu;        /**< which kernel it is: PyTorch picks that of a GPU if any of the tensors is on one */
    torch_tensor *owned[most_owned];
    int count;
    grkan_status status;
    char words[1024]; /**< of what failed */
} call;

/** Say what is wrong: grkan's status, and a sentence. @return false */
bool call_fail(call *c, grkan_status status, const char *format, ...) __attribute__((format(GRKAN_FORMAT, 3, 4)));

/** Say that grkan has failed, in its words. @return false */
bool call_fail_as_grkan(call *c, grkan_status status);

/** Whether a function of PyTorch's went well, as its status has it. */
bool call_of_torch(call *c, torch_status status, const char *function);
#define TORCH(c, function, ...) call_of_torch(c, torch.function(__VA_ARGS__), #function)

/** Own the tensors among a kernel's arguments, and read them; where they are read already, values are their places. */
bool call_take(call *c, const uint64_t *values, int count, tensor *tensors);

/** Make a tensor of sizes and strides, of a type, on the device of another. */
bool call_make(call *c, int64_t dim, const int64_t *sizes, const int64_t *strides, int32_t dtype, const tensor *on,
               tensor *made);

/** The same with a tensor's own sizes and strides, which are read through `t` from then on. */
bool call_make_like(call *c, const tensor *t, int32_t dtype, tensor *made);

/** Let t be a copy of it, with the strides that PyTorch gives copies. */
bool call_clone(call *c, tensor *t);

/** Copy a tensor's elements to one that was made of its sizes, and let it be that one. */
bool call_copy(call *c, const tensor *made, tensor *t);

/** Delete what the call owns, but for `count` results, which are handed over. If it has failed, delete all and throw,
    but not where arguments were read already. */
void call_end(call *c, const char *operator, const tensor * results, int count, uint64_t *values);

#endif
