/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The functions of PyTorch's stable C interface that the operators call: FUNCTION(result, name, arguments). All are there
 * since PyTorch 2.9; those that came later, or come with a GPU's build, and without which it can do, are OPTIONAL. Each
 * file that makes something of the list defines these words and includes it; it has no guard.
 *
 * torch_status is 0 if all went well. A torch_tensor that a function writes is the caller's, to delete; sizes, strides and
 * data are PyTorch's, and last as long as the tensor.
 */
#ifndef OPTIONAL
#define OPTIONAL FUNCTION
#endif

FUNCTION(int32_t, aoti_torch_dtype_float32, (void))
FUNCTION(int32_t, aoti_torch_dtype_float16, (void))
FUNCTION(int32_t, aoti_torch_dtype_bfloat16, (void))
FUNCTION(int32_t, aoti_torch_dtype_float64, (void))
FUNCTION(int32_t, aoti_torch_dtype_uint8, (void))
FUNCTION(int32_t, aoti_torch_device_type_cpu, (void))
FUNCTION(int32_t, aoti_torch_device_type_cuda, (void))

FUNCTION(torch_status, aoti_torch_get_dim, (torch_tensor * tensor, int64_t *dim))
FUNCTION(torch_status, aoti_torch_get_sizes, (torch_tensor * tensor, int64_t **sizes))
FUNCTION(torch_status, aoti_torch_get_strides, (torch_tensor * tensor, int64_t **strides))
FUNCTION(torch_status, aoti_torch_get_dtype, (torch_tensor * tensor, int32_t *dtype))
FUNCTION(torch_status, aoti_torch_get_device_index, (torch_tensor * tensor, int32_t *index))
FUNCTION(torch_status, aoti_torch_get_data_ptr, (torch_tensor * tensor, void **data))

FUNCTION(torch_status, aoti_torch_empty_strided,
         (int64_t dim, const int64_t *sizes, const int64_t *strides, int32_t dtype, int32_t device_type,
          int32_t device_index, torch_tensor **made))
FUNCTION(torch_status, aoti_torch_clone, (torch_tensor * tensor, torch_tensor **made))
FUNCTION(torch_status, aoti_torch_copy_, (torch_tensor * to, torch_tensor *from, int32_t is_non_blocking))
FUNCTION(torch_status, aoti_torch_zero_, (torch_tensor * tensor))
FUNCTION(torch_status, aoti_torch_delete_tensor_object, (torch_tensor * tensor))

/* Of a GPU's build, ROCm's too. Its stream is the one that is current in this thread. */
OPTIONAL(torch_status, aoti_torch_get_current_cuda_stream, (int32_t device_index, void **stream))
/* Of the runtime that comes with it: an error is not 0, nor is the status while a graph is being captured. */
OPTIONAL(int, cudaStreamIsCapturing, (void *stream, int *status))
OPTIONAL(int, hipStreamIsCapturing, (void *stream, int *status))

OPTIONAL(torch_status, torch_get_num_threads, (uint32_t *threads))         /* since PyTorch 2.10 */
OPTIONAL(const char *, torch_exception_get_what_without_backtrace, (void)) /* since PyTorch 2.13 */

FUNCTION(torch_status, aoti_torch_library_init_fragment,
         (const char *operators, const char *file, uint32_t line, torch_library **made))
FUNCTION(torch_status, aoti_torch_library_init_impl,
         (const char *operators, const char *key, const char *file, uint32_t line, torch_library **made))
FUNCTION(torch_status, aoti_torch_library_def, (torch_library * library, const char *schema))
FUNCTION(torch_status, aoti_torch_library_impl, (torch_library * library, const char *name, torch_kernel kernel))
/* Since PyTorch 2.10: values pass between them as they did in the version that the kernel was written for. */
OPTIONAL(torch_status, torch_library_impl,
         (torch_library * library, const char *name, torch_kernel kernel, uint64_t version))
OPTIONAL(int32_t, torch_tag_pt2_compliant_tag, (void)) /* since PyTorch 2.12, as the next */
OPTIONAL(torch_status, torch_library_def_with_tags,
         (torch_library * library, const char *schema, const int32_t *tags, int32_t count))

/* Throws the C++ exception that PyTorch makes of a text, if `is_good` is false. */
FUNCTION(void, aoti_torch_check,
         (_Bool is_good, const char *function, const char *file, uint32_t line, const char *text))

#undef FUNCTION
#undef OPTIONAL
