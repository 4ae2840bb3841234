/* SPDX-License-Identifier: Apache-2.0 */
/** @file driver.c @brief CUDA's driver: where it is found, and its words for errors. */
#include "../gpu/runtime.h"
#include "cuda.h"

gpu_driver driver;

#define FUNCTION(result, name, arguments) {#name, offsetof(gpu_driver, name), 0},
#define OPTIONAL(result, name, arguments) {#name, offsetof(gpu_driver, name), 1},
static const gpu_function functions[] = {
#include "driver_functions.h"
};

/** The driver's own search, which has a function as it was in each version of CUDA. */
typedef CUresult (*address_finder)(const char *name, void **address, int version, uint64_t flags,
                                   CUdriverProcAddressQueryResult *found);

/** A function as it was in CUDA 12.0, or, if it came later, in 13.0. A stream of NULL is the legacy default stream. */
static void *find_function(void *context, const char *name)
{
    const address_finder find = *(const address_finder *)context;
    void *address = NULL;
    for (int version = 12000; address == NULL && version <= 13000; version += 1000) {
        CUdriverProcAddressQueryResult found = CU_GET_PROC_ADDRESS_SUCCESS;
        const CUresult code = find(name, &address, version, CU_GET_PROC_ADDRESS_LEGACY_STREAM, &found);
        if (code != CUDA_SUCCESS || found != CU_GET_PROC_ADDRESS_SUCCESS)
            address = NULL;
    }
    return address;
}

const char *vendor_error_text(CUresult code)
{
    const char *text = NULL;
    return driver.cuGetErrorString(code, &text) == CUDA_SUCCESS && text != NULL ? text : "unknown error";
}

/** The driver keeps no error for the next call. */
void vendor_forget_error(void)
{
}

static int driver_version;

int cuda_driver_version(void)
{
    return driver_version;
}

static int take_driver(grkan_library *handle, char *version, size_t bytes, gpu_refusal *refusal)
{
    static const gpu_function search[] = {{"cuGetProcAddress_v2", 0, 0}}; /* since CUDA 12.0 */
    address_finder find;
    int number = 0;
    if (!gpu_functions_find(gpu_library_symbol, handle, search, 1, &find, refusal) ||
        !gpu_functions_find(find_function, &find, functions, sizeof functions / sizeof functions[0], &driver, refusal))
        return 0;
    const CUresult code = driver.cuDriverGetVersion(&number);
    if (code != CUDA_SUCCESS) {
        snprintf(refusal->words, sizeof refusal->words, "cuDriverGetVersion failed: %s (%d)", vendor_error_text(code),
                 (int)code);
        return 0;
    }
    driver_version = number;
    snprintf(version, bytes, "%d.%d", number / 1000, number % 1000 / 10);
    return 1;
}

static const gpu_library_search search_driver = {
    .label = "CUDA driver",
    .stem = GRKAN_OF_SYSTEM("libcuda", "nvcuda"),
    .files = (const char *const[]){GRKAN_OF_SYSTEM("libcuda.so.1", "nvcuda.dll"), NULL},
    .symbol = "cuInit",
    .homes = (const char *const[]){NULL},
    .folders = (const char *const[]){"/usr/lib/wsl/lib", NULL}, /* Windows puts it there */
    .is_single = 1,
    .status = GRKAN_ERROR_NO_DEVICE,
    .advice = "install NVIDIA's driver, 525 (CUDA 12.0) or later",
    .take = take_driver,
};

gpu_library vendor_driver = {.search = &search_driver, .lock = GRKAN_LOCK_INIT};
