/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file standin.h
 * @brief A PyTorch that stands in for the real one where operators are tested: the functions of its C interface that they call
 * (python/operators/torch_functions.h), on the cpu's memory. It counts tensors, and lets each call fail in turn.
 */
#ifndef GRKAN_TORCH_STANDIN_H
#define GRKAN_TORCH_STANDIN_H

#include "../../python/operators/torch.h"

/** PyTorch's numbers of types and devices; those of the real one are others. */
enum { STANDIN_F32 = 106, STANDIN_F16, STANDIN_BF16, STANDIN_F64, STANDIN_UINT8, STANDIN_INT32 };
enum { STANDIN_CPU = 40, STANDIN_CUDA };

/** A tensor; its memory is apart. */
struct torch_tensor {
    int64_t dim;
    int64_t sizes[8];
    int64_t strides[8];
    int32_t dtype;
    int32_t device_type;
    int32_t device_index;
    char *data;
    size_t bytes;
};

/** What has happened. */
typedef struct standin_state {
    int alive;          /**< tensors that are not deleted */
    int calls;          /**< of functions that may fail */
    int fails_at;       /**< that call, from 1 on; 0: none */
    int made;           /**< tensors that operators asked for */
    int cleared;        /**< and set to zero */
    void *stream;       /**< that is current */
    int is_capturing;   /**< whether a graph is made of what goes there */
    char failed[64];    /**< the function that failed */
    char error[2048];   /**< what aoti_torch_check would have thrown; "" without */
    char thrower[64];   /**< and which operator */
    char schemas[4096]; /**< of all operators, a line each */
} standin_state;

/** Of the process. */
standin_state *standin(void);

/** A kernel that was registered, by "name key"; NULL: there is none. */
torch_kernel standin_kernel(const char *name, const char *key);

/** A tensor with memory of a size; the caller's, or the kernel's that it is passed to. */
torch_tensor *standin_tensor(int64_t dim, const int64_t *sizes, const int64_t *strides, int32_t dtype);

#endif
