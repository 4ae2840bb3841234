/* SPDX-License-Identifier: Apache-2.0 */
/** @file table.c @brief The table of CUDA's or HIP's module. */
#include "gpu_dialect.h"
#include "interface.h"
#include "runtime.h"

GRKAN_API const grkan_backend grkan_backend_table = {
    .interface_hash = GRKAN_INTERFACE,
    .name = BACKEND_NAME,
    .dialect_hash = gpu_dialect_hash,
    .uses_pointers = 1,
    .count = runtime_count,
    .libraries = runtime_libraries,
    .open = runtime_open,
    .close = runtime_close,
    .describe = runtime_describe,
    .identity = runtime_identity,
    .assume = runtime_assume,
    .compile = runtime_compile,
    .load = gpu_load,
    .unload = gpu_unload,
    .prepare = gpu_prepare,
    .forward = gpu_forward,
    .backward = gpu_backward,
    .list_launches = gpu_list_launches,
    .allocate = runtime_allocate,
    .free = runtime_release,
    .upload = runtime_upload,
    .download = runtime_download,
    .copy = runtime_copy,
    .synchronize = runtime_synchronize,
    .timer_start = runtime_timer_start,
    .timer_stop = runtime_timer_stop,
};
