/* SPDX-License-Identifier: Apache-2.0 */
/** @file test_standin.c @brief Whether the HIP stand-in sees what it is there to see: first of all, kernels that are wrong. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "control.h"
#include <hip/hip_runtime_api.h>
#include <hip/hiprtc.h>

/** The kernels; with WRONG, some are. Every one writes an int for each of its threads. */
static const char source[] =
    "#define KERNEL extern \"C\" __global__ void\n"
    "#define THREAD ((int)__builtin_amdgcn_workitem_id_x())\n"
    "#define BLOCK ((int)__builtin_amdgcn_workgroup_id_x())\n"
    "#define SIZE ((int)__builtin_amdgcn_workgroup_size_x())\n"
    "struct by_value { char tag; double factor; };\n"
    "KERNEL arguments(int *out, char first, struct by_value second, long third)\n"
    "{ out[BLOCK * SIZE + THREAD] = first + second.tag + (int)(second.factor * third) + 1000 * BLOCK + THREAD; }\n"
    "KERNEL neighbours(int *out, int step)\n"
    "{\n"
    "    __shared__ int shared[1024];\n"
    "    shared[THREAD] = THREAD + 1;\n"
    "#ifndef WRONG\n"
    "    __builtin_amdgcn_s_barrier();\n"
    "#endif\n"
    "    out[BLOCK * SIZE + THREAD] = shared[(THREAD + step + SIZE) % SIZE];\n"
    "}\n"
    "KERNEL divergent(int *out)\n"
    "{\n"
    "#ifdef WRONG\n"
    "    if (THREAD < SIZE / 2)\n"
    "#endif\n"
    "        __builtin_amdgcn_s_barrier();\n"
    "    out[BLOCK * SIZE + THREAD] = 1;\n"
    "}\n"
    "KERNEL uninitialised(int *out)\n"
    "{\n"
    "    __shared__ int kept[1];\n"
    "    out[BLOCK * SIZE + THREAD] = kept[0];\n"
    "    __builtin_amdgcn_s_barrier();\n"
    "    kept[0] = 0;\n"
    "}\n"
    "KERNEL wave(int *out)\n"
    "{\n"
    "#ifdef WRONG\n"
    "    if (THREAD % 64 >= 32) return;\n"
    "#endif\n"
    "    out[BLOCK * SIZE + THREAD] = __builtin_amdgcn_ds_bpermute((THREAD ^ 32) * 4, THREAD) +\n"
    "                                 10000 * __builtin_amdgcn_wavefrontsize();\n"
    "}\n"
    "extern \"C\" __global__ __attribute__((amdgpu_flat_work_group_size(1, 128))) void count(int *out)\n"
    "{ __hip_atomic_fetch_add(out, 1, __ATOMIC_RELAXED, __HIP_MEMORY_SCOPE_AGENT); }\n";

enum { blocks = 5, threads = 128, total = blocks * threads };

/** Program, and what its kernels write, of one test. */
typedef struct bench {
    hipModule_t module;
    int *memory;
    int out[total];
} bench;

static void compile(const char *wrong, char **code)
{
    hiprtcProgram program;
    size_t bytes;
    const char *options[] = {wrong != NULL ? wrong : "-DRIGHT", "-ffp-contract=off"};
    assert_int_equal(hiprtcCreateProgram(&program, source, "source", 0, NULL, NULL), HIPRTC_SUCCESS);
    assert_int_equal(hiprtcCompileProgram(program, 2, options), HIPRTC_SUCCESS);
    assert_int_equal(hiprtcGetCodeSize(program, &bytes), HIPRTC_SUCCESS);
    *code = malloc(bytes);
    assert_non_null(*code);
    assert_int_equal(hiprtcGetCode(program, *code), HIPRTC_SUCCESS);
    assert_int_equal(hiprtcDestroyProgram(&program), HIPRTC_SUCCESS);
}

static bench *open_bench(const char *wrong)
{
    char *code;
    bench *const b = calloc(1, sizeof *b);
    assert_non_null(b);
    compile(wrong, &code);
    assert_int_equal(hipModuleLoadData(&b->module, code), hipSuccess);
    free(code);
    assert_int_equal(hipMalloc((void **)&b->memory, sizeof b->out), hipSuccess);
    return b;
}

static void close_bench(bench *b)
{
    assert_int_equal(hipModuleUnload(b->module), hipSuccess);
    assert_int_equal(hipFree(b->memory), hipSuccess);
    assert_string_equal(standin_alive(), "");
    free(b);
}

/** Launch a kernel and wait for it. Arguments behind the first one, which is the memory, as the launch has them. */
static hipError_t run(bench *b, const char *name, void *second, void *third, void *fourth)
{
    hipFunction_t kernel;
    void *arguments[] = {&b->memory, second, third, fourth};
    memset(b->out, 0, sizeof b->out);
    assert_int_equal(hipMemcpyHtoD(b->memory, b->out, sizeof b->out), hipSuccess);
    assert_int_equal(hipModuleGetFunction(&kernel, b->module, name), hipSuccess);
    assert_int_equal(hipModuleLaunchKernel(kernel, blocks, 1, 1, threads, 1, 1, 0, NULL, arguments, NULL), hipSuccess);
    const hipError_t code = hipStreamSynchronize(NULL);
    assert_int_equal(hipMemcpyDtoH(b->out, b->memory, sizeof b->out), hipSuccess);
    return code;
}

static void arguments_arrive(void **state)
{
    (void)state;
    struct {
        char tag;
        double factor;
    } second = {3, 0.5};
    char first = 2;
    long third = 14;
    bench *const b = open_bench(NULL);
    assert_int_equal(run(b, "arguments", &first, &second, &third), hipSuccess);
    for (int i = 0; i < total; ++i)
        assert_int_equal(b->out[i], 12 + 1000 * (i / threads) + i % threads);
    hipFunction_t kernel;
    assert_int_equal(hipModuleGetFunction(&kernel, b->module, "no_such_kernel"), hipErrorNotFound);
    close_bench(b);
}

/** How many threads saw what their neighbour had written. */
static int right_neighbours(bench *b, int step)
{
    int right = 0;
    assert_int_equal(run(b, "neighbours", &step, NULL, NULL), hipSuccess);
    for (int i = 0; i < total; ++i)
        right += b->out[i] == (i % threads + step + threads) % threads + 1;
    return right;
}

static void missing_barriers_show(void **state)
{
    (void)state;
    bench *b = open_bench(NULL);
    assert_int_equal(right_neighbours(b, 1), total);
    assert_int_equal(right_neighbours(b, -1), total);
    close_bench(b);
    b = open_bench("-DWRONG");
    assert_in_range(right_neighbours(b, 1), 0, total - threads);
    assert_in_range(right_neighbours(b, -1), 0, total - threads);
    close_bench(b);
}

static void divergent_barriers_fail(void **state)
{
    (void)state;
    bench *b = open_bench(NULL);
    assert_int_equal(run(b, "divergent", NULL, NULL, NULL), hipSuccess);
    close_bench(b);
    b = open_bench("-DWRONG");
    assert_int_equal(run(b, "divergent", NULL, NULL, NULL), hipErrorLaunchFailure);
    assert_int_equal(hipGetLastError(), hipErrorLaunchFailure);
    assert_int_equal(hipGetLastError(), hipSuccess);
    close_bench(b);
}

static void shared_memory_is_not_initialised(void **state)
{
    (void)state;
    bench *const b = open_bench(NULL);
    assert_int_equal(run(b, "uninitialised", NULL, NULL, NULL), hipSuccess);
    for (int i = 0; i < total; ++i)
        assert_int_equal(b->out[i], -1);
    close_bench(b);
}

/** With waves of 32, lane 32 of a thread's wave is lane 0: a program that takes them for 64 gets its own values. */
static void waves_have_their_width(void **state)
{
    (void)state;
    for (int width = 32; width <= 64; width += 32) {
        int wave = 0;
        setenv("HIP_STANDIN_WAVE", width == 32 ? "32" : "64", 1);
        assert_int_equal(hipDeviceGetAttribute(&wave, hipDeviceAttributeWarpSize, 0), hipSuccess);
        assert_int_equal(wave, width);
        bench *b = open_bench(NULL);
        assert_int_equal(run(b, "wave", NULL, NULL, NULL), hipSuccess);
        for (int i = 0; i < total; ++i)
            assert_int_equal(b->out[i], 10000 * width + (width == 64 ? (i % threads) ^ 32 : i % threads));
        close_bench(b);
        b = open_bench("-DWRONG"); /* half a wave of 64 is missing, but none of 32 */
        assert_int_equal(run(b, "wave", NULL, NULL, NULL), width == 64 ? hipErrorLaunchFailure : hipSuccess);
        close_bench(b);
    }
    unsetenv("HIP_STANDIN_WAVE");
}

static void work_waits_for_a_synchronisation(void **state)
{
    (void)state;
    hipFunction_t kernel;
    bench *const b = open_bench(NULL);
    hipEvent_t start, stop;
    float milliseconds;
    assert_int_equal(run(b, "count", NULL, NULL, NULL), hipSuccess);
    assert_int_equal(b->out[0], total); /* no addition of the concurrent blocks is lost */
    assert_int_equal(hipEventCreateWithFlags(&start, 0), hipSuccess);
    assert_int_equal(hipEventCreateWithFlags(&stop, 0), hipSuccess);
    assert_int_equal(hipEventElapsedTime(&milliseconds, start, stop), hipErrorInvalidHandle);
    assert_int_equal(hipEventRecord(start, NULL), hipSuccess);
    assert_int_equal(hipModuleGetFunction(&kernel, b->module, "count"), hipSuccess);
    assert_int_equal(hipModuleLaunchKernel(kernel, 1, 1, 1, 1, 1, 1, 0, NULL, (void *[]){&b->memory}, NULL),
                     hipSuccess);
    assert_int_equal(hipEventRecord(stop, NULL), hipSuccess);
    assert_int_equal(b->memory[0], total);
    assert_int_equal(hipEventElapsedTime(&milliseconds, start, stop), hipErrorNotReady);
    assert_int_equal(hipEventSynchronize(stop), hipSuccess);
    assert_int_equal(b->memory[0], total + 1);
    assert_int_equal(hipEventElapsedTime(&milliseconds, start, stop), hipSuccess);
    assert_true(milliseconds > 0);
    assert_string_equal(standin_alive(), "1 memory, 2 event, 1 module");
    assert_int_equal(hipEventDestroy(start), hipSuccess);
    assert_int_equal(hipEventDestroy(stop), hipSuccess);
    assert_int_equal(hipEventDestroy(stop), hipErrorInvalidHandle);
    close_bench(b);
}

static void wrong_calls_fail(void **state)
{
    (void)state;
    bench *const b = open_bench(NULL);
    hipFunction_t kernel;
    hipModule_t module;
    void *arguments[] = {&b->memory};
    assert_int_equal(hipMemcpyHtoD(b->memory, b->memory, 4), hipErrorInvalidValue);
    assert_int_equal(hipMemcpyHtoD(b->memory + 1, b->out, sizeof b->out), hipErrorInvalidValue);
    assert_int_equal(hipFree(b->out), hipErrorInvalidValue);
    assert_int_equal(hipModuleLoadData(&module, "no code of anybody, but long enough for a header"),
                     hipErrorInvalidImage);
    assert_int_equal(hipModuleGetFunction(&kernel, b->module, "count"), hipSuccess);
    assert_int_equal(hipModuleLaunchKernel(kernel, 1u << 24, 1, 1, 256, 1, 1, 0, NULL, arguments, NULL),
                     hipErrorInvalidConfiguration);
    assert_int_equal(hipModuleLaunchKernel(kernel, 1, 1, 1, threads + 1, 1, 1, 0, NULL, arguments, NULL),
                     hipErrorInvalidConfiguration);
    assert_int_equal(hipSetDevice(1), hipSuccess); /* the module is on device 0 */
    assert_int_equal(hipModuleLaunchKernel(kernel, 1, 1, 1, 1, 1, 1, 0, NULL, arguments, NULL), hipErrorInvalidHandle);
    assert_int_equal(hipSetDevice(2), hipErrorInvalidDevice);
    assert_int_equal(hipSetDevice(0), hipSuccess);
    close_bench(b);
}

static void faults_strike_once(void **state)
{
    (void)state;
    void *memory;
    standin_fail("hipMalloc", 2, hipErrorOutOfMemory);
    assert_int_equal(hipMalloc(&memory, 4), hipSuccess);
    assert_int_equal(hipFree(memory), hipSuccess);
    assert_int_equal(hipMalloc(&memory, 4), hipErrorOutOfMemory);
    assert_string_equal(standin_alive(), "");
    standin_fail(NULL, 1, hipErrorInvalidValue);
    assert_int_equal(hipStreamSynchronize(NULL), hipErrorInvalidValue);
    assert_int_equal(hipStreamSynchronize(NULL), hipSuccess);
    assert_string_equal(standin_called(0), "hiprtcCreateProgram");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(arguments_arrive),        cmocka_unit_test(missing_barriers_show),
        cmocka_unit_test(divergent_barriers_fail), cmocka_unit_test(shared_memory_is_not_initialised),
        cmocka_unit_test(waves_have_their_width),  cmocka_unit_test(work_waits_for_a_synchronisation),
        cmocka_unit_test(wrong_calls_fail),        cmocka_unit_test(faults_strike_once),
    };
    return cmocka_run_group_tests_name("hip_standin", tests, NULL, NULL);
}
