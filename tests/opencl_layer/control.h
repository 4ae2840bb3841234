/* SPDX-License-Identifier: Apache-2.0 */
/** @file control.h @brief What a test asks of the OpenCL layer beside OpenCL itself. */
#ifndef OPENCL_LAYER_CONTROL_H
#define OPENCL_LAYER_CONTROL_H

#ifndef CL_TARGET_OPENCL_VERSION
#define CL_TARGET_OPENCL_VERSION 120
#endif
#include <CL/cl.h>

/** The nth call from now on of an entry point (NULL: of any) fails with a code and does nothing. nth 0: none does. */
void opencl_layer_fail(const char *entry_point, int nth, cl_int code);

/** Entry points that were called since the process began, in order; NULL past the last, or where there is no layer. */
const char *opencl_layer_called(int index);

/** What was created and not released, as "2 buffers, 1 event"; "" if there is nothing. Valid until the next call. */
const char *opencl_layer_alive(void);

/** What the first call that broke the specification did, since the last time that this was asked; "" if none did. */
const char *opencl_layer_complaint(void);

/**
 * Another answer of clGetDeviceInfo or clGetKernelWorkGroupInfo, whose questions are numbers of one list, from now on:
 * bytes of value, which must live on. NULL: the device's own. The layer holds calls against what it answers.
 */
void opencl_layer_answer(cl_uint what, const void *value, size_t bytes);

/** All queues have these properties, too, for who asks; for kinds that no runtime at hand makes. */
void opencl_layer_add_queue_properties(cl_command_queue_properties properties);

#endif
