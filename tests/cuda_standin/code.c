/* SPDX-License-Identifier: Apache-2.0 */
/** @file code.c @brief The stand-in's code: libraries, their kernels, what is loaded where, and launches. */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "standin.h"

/** What a launch's handle is of. */
typedef enum { A_KERNEL = 1, A_FUNCTION } launched;

/** A kernel in a context. */
struct CUfunc_st {
    launched what;
    CUcontext context;
    CUkernel kernel;
    int is_loaded;
};

struct CUkern_st {
    launched what;
    char name[32];
    int most_shared_bytes;                             /* that a launch may ask for, on any device */
    struct CUfunc_st functions[standin_most_contexts]; /* guarded by the mutex */
};

enum { most_kernels = 8 };

struct CUlib_st {
    int kernel_count;
    struct CUkern_st kernels[most_kernels];
};

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;

/**
 * Machine code of the stand-in's compiler has "sm_90" behind its mark, and fits that alone; PTX says what it is for, and
 * fits what is newer. Machine code of the real compiler is taken as it is.
 */
static int fits(const char *code)
{
    enum { elf_of_64_bits = 2 };
    const int capability = standin_number("CUDA_STANDIN_CAPABILITY", 90);
    int number = 0;
    if (memcmp(code, "\177ELF", 4) == 0 && code[4] == elf_of_64_bits)
        return 1;
    if (sscanf(code, "\177ELF sm_%d", &number) == 1)
        return number == capability;
    return strstr(code, ".target sm_") != NULL && atoi(strstr(code, ".target sm_") + 11) <= capability;
}

CUresult standin_cuLibraryLoadData(CUlibrary *library, const void *code, CUjit_option *jit_options, void **jit_values,
                                   unsigned int jit_count, CUlibraryOption *options, void **values, unsigned int count)
{
    ENTRY_POINT("cuLibraryLoadData");
    (void)options, (void)values;
    if (standin_captures())
        return (CUresult)standin_in_capture;
    if (count != 0 || jit_count > 1 ||
        (jit_count == 1 && (jit_options[0] != CU_JIT_OPTIMIZATION_LEVEL || (uintptr_t)jit_values[0] > 4)))
        return (CUresult)standin_invalid_value;
    if (!fits(code))
        return (CUresult)standin_no_binary;
    CUlibrary made = calloc(1, sizeof *made);
    if (made == NULL)
        return CUDA_ERROR_OUT_OF_MEMORY;
    standin_add(MODULE, made, sizeof *made, 0);
    *library = made;
    return CUDA_SUCCESS;
}

CUresult standin_cuLibraryUnload(CUlibrary library)
{
    ENTRY_POINT("cuLibraryUnload");
    if (!standin_remove(MODULE, library))
        return (CUresult)standin_invalid_handle;
    free(library);
    return CUDA_SUCCESS;
}

CUresult standin_cuLibraryGetKernel(CUkernel *kernel, CUlibrary library, const char *name)
{
    ENTRY_POINT("cuLibraryGetKernel");
    if (standin_device_of(MODULE, library, 0) < 0 || library->kernel_count == most_kernels)
        return (CUresult)standin_invalid_handle;
    if (strncmp(name, "grkan_", 6) != 0)
        return CUDA_ERROR_NOT_FOUND;
    CUkernel made = &library->kernels[library->kernel_count++];
    made->what = A_KERNEL;
    snprintf(made->name, sizeof made->name, "%s", name);
    *kernel = made;
    return CUDA_SUCCESS;
}

/** Kernels and their functions are parts of their library. */
static int is_a(launched what, const void *handle)
{
    return standin_device_of(MODULE, handle, sizeof what) >= 0 && *(const launched *)handle == what;
}

/** The place of a kernel in a context; NULL if there is no more room. */
static CUfunction in_context(CUkernel kernel, CUcontext context)
{
    CUfunction found = NULL;
    pthread_mutex_lock(&mutex);
    for (int i = 0; i < standin_most_contexts && found == NULL; ++i) {
        CUfunction function = &kernel->functions[i];
        if (function->context == NULL || standin_device_of(CONTEXT, function->context, 0) < 0)
            *function = (struct CUfunc_st){A_FUNCTION, context, kernel, 0};
        found = function->context == context ? function : NULL;
    }
    pthread_mutex_unlock(&mutex);
    return found;
}

CUresult standin_cuKernelGetFunction(CUfunction *function, CUkernel kernel)
{
    ENTRY_POINT("cuKernelGetFunction");
    if (standin_current() == NULL)
        return CUDA_ERROR_INVALID_CONTEXT;
    if (!is_a(A_KERNEL, kernel))
        return (CUresult)standin_invalid_handle;
    *function = in_context(kernel, standin_current());
    return *function != NULL ? CUDA_SUCCESS : CUDA_ERROR_OUT_OF_MEMORY;
}

CUresult standin_cuKernelSetAttribute(CUfunction_attribute attribute, int value, CUkernel kernel, CUdevice device)
{
    ENTRY_POINT("cuKernelSetAttribute");
    if (!is_a(A_KERNEL, kernel))
        return (CUresult)standin_invalid_handle;
    if (attribute != CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES || value < 0 || value > standin_launch_bytes ||
        device < 0 || device >= standin_devices)
        return (CUresult)standin_invalid_value;
    kernel->most_shared_bytes = value;
    return CUDA_SUCCESS;
}

CUresult standin_cuFuncLoad(CUfunction function)
{
    ENTRY_POINT("cuFuncLoad");
    function->is_loaded = 1;
    return CUDA_SUCCESS;
}

CUresult standin_cuFuncGetAttribute(int *value, CUfunction_attribute attribute, CUfunction function)
{
    ENTRY_POINT("cuFuncGetAttribute");
    function->is_loaded = 1;
    *value = 64;
    return attribute == CU_FUNC_ATTRIBUTE_NUM_REGS ? CUDA_SUCCESS : (CUresult)standin_invalid_value;
}

double standin_clock;

/** A millisecond, and as much again for a block of twice the best one's threads. */
static void take_time(unsigned block)
{
    const int best = standin_number("CUDA_STANDIN_BLOCK", 0);
    if (best > 0)
        standin_clock += 1 + abs((int)block - best) / (double)best;
}

CUresult standin_cuLaunchKernelEx(const CUlaunchConfig *launch, CUfunction function, void **arguments, void **extra)
{
    ENTRY_POINT(launch->numAttrs > 0 ? "cuLaunchKernelEx" : "cuLaunchKernelEx, late");
    const CUcontext context = standin_context_of(launch->hStream);
    if (context == NULL)
        return CUDA_ERROR_INVALID_CONTEXT;
    if (!is_a(A_KERNEL, function) && (!is_a(A_FUNCTION, function) || function->context != context))
        return (CUresult)standin_invalid_handle;
    if (launch->gridDimX == 0 || launch->gridDimY != 1 || launch->gridDimZ != 1 || launch->blockDimX == 0 ||
        launch->blockDimX > 1024 || launch->blockDimY != 1 || launch->blockDimZ != 1 || launch->numAttrs > 1 ||
        arguments == NULL || extra != NULL)
        return (CUresult)standin_invalid_value;
    const CUkernel kernel = is_a(A_KERNEL, function) ? (CUkernel)function : function->kernel;
    if (launch->sharedMemBytes > (unsigned)kernel->most_shared_bytes)
        return (CUresult)standin_invalid_value;
    CUfunction place = is_a(A_KERNEL, function) ? in_context((CUkernel)function, context) : function;
    if (place == NULL)
        return CUDA_ERROR_OUT_OF_MEMORY;
    if (!place->is_loaded && standin_captures())
        return (CUresult)standin_in_capture;
    place->is_loaded = 1;
    if ((int)launch->blockDimX > standin_number("CUDA_STANDIN_MOST_THREADS", 1024))
        return (CUresult)standin_too_large;
    take_time(launch->blockDimX);
    return CUDA_SUCCESS;
}
