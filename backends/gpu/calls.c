/* SPDX-License-Identifier: Apache-2.0 */
/** @file calls.c @brief The current device while a vendor's driver is called, and what failed. */
#include "calls.h"

gpu_calls calls_begin_anywhere(void)
{
    return (gpu_calls){.call = "", .code = CUDA_SUCCESS};
}

gpu_calls calls_begin(const grkan_backend_device *device)
{
    gpu_calls c = calls_begin_anywhere();
    vendor_enter(&c, device);
    return c;
}

static void put_back(gpu_calls *c)
{
    if (c->is_changed)
        vendor_leave(c);
    c->is_changed = 0;
}

grkan_status calls_end(gpu_calls *c)
{
    put_back(c);
    if (c->code == CUDA_SUCCESS)
        return GRKAN_SUCCESS;
    vendor_forget_error(); /* or the caller's next check would see it */
    return gpu_host->set_error(c->code == CUDA_ERROR_OUT_OF_MEMORY ? GRKAN_ERROR_OUT_OF_MEMORY : GRKAN_ERROR_DEVICE,
                               "%s failed: %s (%d)", c->call, vendor_error_text(c->code), (int)c->code);
}

void calls_end_silently(gpu_calls *c)
{
    put_back(c);
    if (c->code != CUDA_SUCCESS)
        vendor_forget_error();
}
