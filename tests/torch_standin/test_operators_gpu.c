/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file test_operators_gpu.c
 * @brief PyTorch's operators in C on a GPU's streams, captured ones too: PyTorch and CUDA's driver are stand-ins, that of
 * cuda_standin, where nothing may wait, allocate or load while a stream captures. Takes the paths of libgrkan_torch.so and
 * of the stand-in for PyTorch.
 */
#include <dlfcn.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <grkan/grkan.h>

#include "../cuda_program.h"
#include "loading.h"

enum { rows = 4096, channels = 64, groups = 4 };

static cuda_program driver;
static const char *(*called)(int index);

/** A tensor on the first GPU. */
static torch_tensor *of_dimensions(int64_t dim, const int64_t *sizes, const int64_t *strides)
{
    torch_tensor *const t = tensor_of(dim, sizes, strides, STANDIN_F32);
    t->device_type = STANDIN_CUDA;
    t->device_index = 0;
    return t;
}

static torch_tensor *on_gpu(int64_t first, int64_t second)
{
    return of_dimensions(2, (int64_t[]){first, second}, (int64_t[]){second, 1});
}

static torch_tensor *row_on_gpu(int64_t size)
{
    return of_dimensions(1, &size, (int64_t[]){1});
}

/** Enqueue backward, and delete what it gives. @return whether it threw nothing */
static bool try_backward(void)
{
    torch_tensor *const tensors[] = {on_gpu(rows, channels), on_gpu(rows, channels), on_gpu(1, 6), on_gpu(groups, 4)};
    torch_tensor *made[3];
    pytorch->made = pytorch->cleared = 0;
    const bool is_good = call_operator("rational_backward", "CUDA", tensors, 4, GRKAN_ABS_TERMS, -1, 3, made);
    for (int i = 0; is_good && i < 3; ++i)
        delete_tensor(made[i]);
    assert_int_equal(pytorch->alive, 0);
    return is_good;
}

/** The same, which shall work. @return how many tensors the operator asked PyTorch for */
static int backward(void)
{
    if (!try_backward())
        fail_msg("%s", pytorch->error);
    return pytorch->made;
}

/** Calls of an entry point of the driver's so far. */
static int count_called(const char *name)
{
    int count = 0;
    for (int i = 0; called(i) != NULL; ++i)
        count += strcmp(called(i), name) == 0;
    return count;
}

/** The first call of a stream makes its workspace; later ones take it. */
static void test_a_stream_keeps_its_workspace(void **state)
{
    CUstream other;
    (void)state;
    pytorch->stream = NULL;
    assert_int_equal(backward(), 3);
    const int allocated = count_called("cuMemAlloc"), launched = count_called("cuLaunchKernelEx");
    assert_int_equal(allocated, 1);
    assert_int_equal(backward(), 3);
    assert_int_equal(count_called("cuMemAlloc"), allocated);
    assert_true(count_called("cuLaunchKernelEx") > launched);
    assert_int_equal(driver.cuStreamCreate(&other, CU_STREAM_NON_BLOCKING), 0);
    pytorch->stream = other;
    assert_int_equal(backward(), 3);
    assert_int_equal(count_called("cuMemAlloc"), allocated + 1);
    assert_int_equal(pytorch->cleared, 0);
}

/** That of a bias's gradient is larger than those without a prologue, and kept likewise. */
static void test_a_stream_keeps_its_large_workspace(void **state)
{
    enum { many = 4096, wide = 3072, results = 6 };
    const uint64_t numbers[] = {GRKAN_ABS_TERMS, (uint64_t)-1, GRKAN_PROLOGUE_BIAS, 0 /* epsilon */, 0xf /* wanted */};
    (void)state;
    pytorch->stream = NULL;
    assert_int_equal(backward(), 3);
    const int allocated = count_called("cuMemAlloc");
    for (int again = 0; again < 3; ++again) {
        torch_tensor *const tensors[] = {on_gpu(many, wide), on_gpu(many, wide), on_gpu(1, 6),  on_gpu(groups, 4),
                                         row_on_gpu(wide),   row_on_gpu(0),      row_on_gpu(0), row_on_gpu(0)};
        torch_tensor *made[results];
        pytorch->made = pytorch->cleared = 0;
        if (!call_with_numbers("prologue_rational_backward", "CUDA", tensors, 8, numbers, 5, results, made))
            fail_msg("%s", pytorch->error);
        for (int i = 0; i < results; ++i)
            delete_tensor(made[i]);
        assert_int_equal(pytorch->made, results);
        assert_int_equal(pytorch->cleared, 0);
        assert_int_equal(count_called("cuMemAlloc"), allocated + 1);
    }
    assert_int_equal(backward(), 3);
    assert_int_equal(count_called("cuMemAlloc"), allocated + 1);
}

/** A graph owns the memory that it uses, and clears it, and none of its kernels begins early. Nothing that no capture bears is
    called. */
static void test_a_captured_call(void **state)
{
    CUstream stream;
    CUgraph graph;
    (void)state;
    assert_int_equal(driver.cuStreamCreate(&stream, CU_STREAM_NON_BLOCKING), 0);
    pytorch->stream = stream;
    for (int again = 0; again < 2; ++again) { /* the second time, the stream has a workspace that is kept */
        const int allocated = count_called("cuMemAlloc"), early = count_called("cuLaunchKernelEx"),
                  late = count_called("cuLaunchKernelEx, late");
        assert_int_equal(driver.cuStreamBeginCapture_v2(stream, CU_STREAM_CAPTURE_MODE_GLOBAL), 0);
        pytorch->is_capturing = 1;
        assert_int_equal(backward(), 4);
        assert_int_equal(pytorch->cleared, 1);
        pytorch->is_capturing = 0;
        assert_int_equal(driver.cuStreamEndCapture(stream, &graph), 0);
        assert_int_equal(count_called("cuMemAlloc"), allocated);
        assert_int_equal(count_called("cuLaunchKernelEx"), early);
        assert_true(count_called("cuLaunchKernelEx, late") > late);
        assert_int_equal(driver.cuGraphDestroy(graph), 0);
        assert_int_equal(backward(), 3);
        assert_true(count_called("cuLaunchKernelEx") > early);
    }
}

/** The handle that means another stream in each thread: nothing is kept for it. The stand-in has no such stream. */
static void test_the_stream_of_each_thread(void **state)
{
    (void)state;
    pytorch->stream = (void *)2;
    assert_false(try_backward());
    assert_int_equal(pytorch->made, 4);
    assert_int_equal(pytorch->cleared, 1);
}

/** Each call of PyTorch's fails in turn, those for a captured call's workspace among them. */
static void test_every_failure(void **state)
{
    (void)state;
    pytorch->stream = NULL;
    pytorch->is_capturing = 1;
    for (int at = 1;; ++at) {
        pytorch->calls = 0;
        pytorch->fails_at = at;
        pytorch->failed[0] = '\0';
        const bool is_good = try_backward();
        assert_int_equal(is_good, pytorch->failed[0] == '\0');
        if (is_good)
            break;
        assert_non_null(strstr(pytorch->error, pytorch->failed));
    }
    pytorch->fails_at = pytorch->is_capturing = 0;
}

int main(int count, char **arguments)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_stream_keeps_its_workspace),
        cmocka_unit_test(test_a_stream_keeps_its_large_workspace),
        cmocka_unit_test(test_a_captured_call),
        cmocka_unit_test(test_the_stream_of_each_thread),
        cmocka_unit_test(test_every_failure),
    };
    CUcontext context;
    if (count != 3)
        return 2;
    (void)setenv("CUDA_STANDIN_MULTIPROCESSORS", "132", 1); /* so many blocks leave more than 1 MiB of partial sums */
    load_operators(arguments[1], arguments[2]);
    void *const library = dlopen("libcuda.so.1", RTLD_NOW);
#define FUNCTION(result, name, arguments) find_function(library, #name, &driver.name);
#include "../cuda_program_functions.h"
    find_function(library, "standin_called", &called);
    if (driver.cuInit(0) != 0 || driver.cuDevicePrimaryCtxRetain(&context, 0) != 0 ||
        driver.cuCtxPushCurrent_v2(context) != 0)
        return 1;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
