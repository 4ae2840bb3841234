/* SPDX-License-Identifier: Apache-2.0 */
/** @file test_unload.c @brief The library is unloaded, in vain, while threads of its pool run. Takes its path. */
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "call.h"

enum { rows = 1000, channels = 768 };

static int fail(const char *what)
{
    printf("FAIL: %s\n", what);
    return 1;
}

/** The address of a function; ends the test if there is none. */
static void find(void *library, const char *name, void *function, size_t bytes)
{
    void *const found = dlsym(library, name);
    if (found == NULL)
        exit(fail(name));
    memcpy(function, &found, bytes);
}

#define FIND(name) find(library, #name, &call_##name, sizeof call_##name)

int main(int count, char **arguments)
{
    grkan_status (*call_grkan_device_open)(const char *, grkan_device **);
    grkan_status (*call_grkan_plan_create)(grkan_device *, const grkan_operation *, const grkan_options *,
                                           grkan_plan **);
    grkan_status (*call_grkan_forward)(const grkan_plan *, const grkan_forward_arguments *, void *);
    static float x[rows * channels], y[rows * channels], a[6] = {1}, b[32];
    const grkan_forward_arguments tensors = device_layer_forward_arguments(&(device_layer){
        .tensor = {[CHECK_X] = {x, 0}, [CHECK_NUMERATOR] = {a, 0}, [CHECK_DENOMINATOR] = {b, 0}, [CHECK_Y] = {y, 0}}});
    const grkan_options options = {.cpu_threads = 4};
    const grkan_operation operation = layer_of(rows, channels);
    static grkan_device *device; /* static, since what is left open to the end is no leak */
    static grkan_plan *plan;
    void *const library = count == 2 ? dlopen(arguments[1], RTLD_NOW | RTLD_LOCAL) : NULL;
    if (library == NULL)
        return fail("no library");
    FIND(grkan_device_open);
    FIND(grkan_plan_create);
    FIND(grkan_forward);
    if (call_grkan_device_open("cpu", &device) != GRKAN_SUCCESS ||
        call_grkan_plan_create(device, &operation, &options, &plan) != GRKAN_SUCCESS ||
        call_grkan_forward(plan, &tensors, NULL) != GRKAN_SUCCESS)
        return fail("a call failed");
    (void)dlclose(library);
    if (dlopen(arguments[1], RTLD_NOW | RTLD_NOLOAD) == NULL)
        return fail("the library is gone, and its threads are not");
    /* The pool still works, and the process ends with its threads alive. */
    return call_grkan_forward(plan, &tensors, NULL) == GRKAN_SUCCESS && y[0] == 1.0f ? 0 : fail("a call failed");
}
