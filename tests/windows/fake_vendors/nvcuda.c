/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file nvcuda.c
 * @brief A CUDA driver that finds no device; with FAKE_OLD one from before CUDA 12, with FAKE_POOR one that lacks a function.
 */
#include <stdint.h>
#include <string.h>

#define EXPORTED __attribute__((dllexport))

int cuInit(unsigned flags);
int cuGetProcAddress_v2(const char *name, void **address, int version, uint64_t flags, int *found);

enum { no_device = 100 };

EXPORTED int cuInit(unsigned flags)
{
    (void)flags;
    return no_device;
}

#ifndef FAKE_OLD
static int get_version(int *version)
{
    *version = 12040;
    return 0;
}

static int get_text(int code, const char **text)
{
    *text = code == no_device ? "no CUDA-capable device is detected" : "no error";
    return 0;
}

static int find_nothing(void)
{
    return no_device;
}

EXPORTED int cuGetProcAddress_v2(const char *name, void **address, int version, uint64_t flags, int *found)
{
    (void)version;
    (void)flags;
    *found = 0;
    if (strcmp(name, "cuDriverGetVersion") == 0)
        *address = (void *)(uintptr_t)get_version;
    else if (strcmp(name, "cuGetErrorString") == 0)
        *address = (void *)(uintptr_t)get_text;
#ifdef FAKE_POOR
    else if (strcmp(name, "cuLibraryLoadData") == 0)
        return *found = 1;
#endif
    else
        *address = (void *)(uintptr_t)find_nothing;
    return 0;
}
#endif
