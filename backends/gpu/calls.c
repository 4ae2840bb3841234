/* SPDX-License-Identifier: Apache-2.0 */
/** @file calls.c @brief The current device while a vendor's runtime is called, and what failed. */
#include "calls.h"

void calls_forget(rt(Error_t) code)
{
    if (code != rt(Success))
        (void)rt(GetLastError)();
}

/**
 * A thread that has never set a device has no context yet, which the calls that load and launch need, though the
 * runtime calls device 0 its current one.
 */
gpu_calls calls_begin(int index)
{
    static _Thread_local int has_context = -1; /* the last device that was set here */
    gpu_calls c = {-1, "", rt(Success)};
    int current = 0;
    CALL(&c, GetDevice, (&current));
    if (c.code == rt(Success) && (current != index || has_context != index)) {
        CALL(&c, SetDevice, (index));
        if (c.code == rt(Success)) {
            has_context = index;
            c.before = current != index ? current : -1;
        }
    }
    return c;
}

grkan_status calls_end(gpu_calls *c)
{
    const rt(Error_t) code = c->before >= 0 ? rt(SetDevice)(c->before) : rt(Success);
    if (c->code == rt(Success) && code != rt(Success)) {
        c->call = rt_string("SetDevice");
        c->code = code;
    }
    if (c->code == rt(Success))
        return GRKAN_SUCCESS;
    (void)rt(GetLastError)(); /* or the caller's next check would see it */
    return gpu_host->set_error(c->code == rt(ErrorMemoryAllocation) ? GRKAN_ERROR_OUT_OF_MEMORY : GRKAN_ERROR_DEVICE,
                               "%s failed: %s (%d)", c->call, rt(GetErrorString)(c->code), (int)c->code);
}
