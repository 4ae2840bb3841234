/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file test_cuda_native.c
 * @brief CUDA as its users have it: their pointers, streams, threads, graphs and devices, and kernels launched by hand.
 *
 * This program's runtime is its own, linked statically; what it shares with the module is the primary context.
 */
#include <cuda.h>
#include <cuda_runtime_api.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include <grkan/compile.h>

#include "call.h"
#include "misuse.h"
#include "present.h"

/** With a workspace each; rows are vectors when aligned. Bits of the second are the same whatever the device. */
static const check_case cases[] = {
    {.name = "f32",
     .seed = 1,
     .operation = {SHAPE(2500, 96, 1), GROUPS(8, SHARED, PER_GROUP), RATIONAL(5, 4, GRKAN_ABS_TERMS),
                   .dtype = GRKAN_F32}},
    {.name = "bf16, device_to_device",
     .seed = 2,
     .operation = {SHAPE(9000, 64, 1), GROUPS(4, PER_GROUP, PER_GROUP), RATIONAL(3, 2, GRKAN_ABS_SUM),
                   .dtype = GRKAN_BF16},
     .options = {.determinism = GRKAN_DEVICE_TO_DEVICE}},
};

enum { case_count = sizeof cases / sizeof cases[0], fixed_case = 1 };

static void check_cuda(cudaError_t code, const char *what)
{
    if (code != cudaSuccess)
        fail_msg("%s: %s", what, cudaGetErrorString(code));
}

#define CHECK_CUDA(call) check_cuda(call, #call)

static void find_driver_function(const char *name, void *function)
{
    enum cudaDriverEntryPointQueryResult found = cudaDriverEntryPointSymbolNotFound;
    void *address = NULL;
#if CUDART_VERSION >= 12050
    CHECK_CUDA(cudaGetDriverEntryPointByVersion(name, &address, 12000, cudaEnableDefault, &found));
#else
    CHECK_CUDA(cudaGetDriverEntryPoint(name, &address, cudaEnableDefault, &found));
#endif
    assert_non_null(address);
    memcpy(function, &address, sizeof address);
}

static CUmodule load_module(const void *image)
{
    CUmodule module = NULL;
    CUresult (*load)(CUmodule *, const void *);
    find_driver_function("cuModuleLoadData", &load);
    assert_int_equal(load(&module, image), CUDA_SUCCESS);
    return module;
}

static void unload_module(CUmodule module)
{
    CUresult (*unload)(CUmodule);
    find_driver_function("cuModuleUnload", &unload);
    assert_int_equal(unload(module), CUDA_SUCCESS);
}

/** A kernel of a module by name, launched as any program does it. */
static void launch_kernel(CUmodule module, const char *name, unsigned blocks, unsigned threads, CUstream stream,
                          void **arguments)
{
    CUfunction kernel = NULL;
    CUresult (*find)(CUfunction *, CUmodule, const char *);
    CUresult (*launch)(CUfunction, unsigned, unsigned, unsigned, unsigned, unsigned, unsigned, unsigned, CUstream,
                       void **, void **);
    find_driver_function("cuModuleGetFunction", &find);
    find_driver_function("cuLaunchKernel", &launch);
    assert_int_equal(find(&kernel, module, name), CUDA_SUCCESS);
    assert_int_equal(launch(kernel, blocks, 1, 1, threads, 1, 1, 0, stream, arguments, NULL), CUDA_SUCCESS);
}

/* --------------------------------------------------------------------------------------------------------- memory */

static void *own_allocate(size_t bytes)
{
    void *base = NULL;
    CHECK_CUDA(cudaMalloc(&base, bytes));
    return base;
}

static void own_release(void *base)
{
    CHECK_CUDA(cudaFree(base));
}

static void own_write(grkan_buffer to, const void *from, size_t bytes)
{
    CHECK_CUDA(cudaMemcpy((char *)to.base + to.offset, from, bytes, cudaMemcpyHostToDevice));
}

/** After all streams: those made here do not wait for the default one. */
static void own_read(grkan_buffer from, void *to, size_t bytes)
{
    CHECK_CUDA(cudaDeviceSynchronize());
    CHECK_CUDA(cudaMemcpy(to, (const char *)from.base + from.offset, bytes, cudaMemcpyDeviceToHost));
}

static const call_memory own_memory = {own_allocate, own_release, own_write, own_read};

static int current_device(void)
{
    int current = -1;
    CHECK_CUDA(cudaGetDevice(&current));
    return current;
}

/* ------------------------------------------------------------------------------------------- pointers and streams */

/** 8 elements keep 16 bytes aligned, 1 and 5 do not. */
static void test_own_pointers_and_streams_give_the_same_bits(void **state)
{
    (void)state;
    static const size_t offsets[] = {0, 8, 1, 5};
    cudaStream_t stream;
    CHECK_CUDA(cudaStreamCreateWithFlags(&stream, cudaStreamNonBlocking));
    grkan_device *const device = open_device("cuda");
    for (int i = 0; i < case_count; i++) {
        char *const expected = call_expected("cuda", &cases[i]);
        for (size_t k = 0; k < 2 * COUNT_OF(offsets); k++) {
            call run = call_begin(device, &cases[i], &own_memory, offsets[k / 2]);
            call_spoil_outputs(&run);
            CHECK_CUDA(cudaDeviceSynchronize());
            call_run(&run, k % 2 == 0 ? stream : NULL);
            call_expect(&run, expected, k % 2 == 0 ? "own stream" : "default stream");
            call_end(&run);
        }
        free(expected);
    }
    grkan_device_close(device);
    CHECK_CUDA(cudaStreamDestroy(stream));
}

/** Captured in the strictest mode, in which a call that allocates or waits fails and breaks the capture. */
static cudaGraphExec_t capture(const call *run, cudaStream_t stream)
{
    cudaGraph_t graph = NULL;
    cudaGraphExec_t made = NULL;
    size_t nodes = 0;
    CHECK_CUDA(cudaStreamBeginCapture(stream, cudaStreamCaptureModeGlobal));
    call_run(run, stream);
    CHECK_CUDA(cudaStreamEndCapture(stream, &graph));
    CHECK_CUDA(cudaGraphGetNodes(graph, NULL, &nodes));
    assert_int_equal(nodes, 2); /* a kernel for each pass */
    CHECK_CUDA(cudaGraphInstantiateWithFlags(&made, graph, 0));
    CHECK_CUDA(cudaGraphDestroy(graph));
    return made;
}

static void test_a_graph_can_be_replayed(void **state)
{
    (void)state;
    cudaStream_t stream;
    CHECK_CUDA(cudaStreamCreateWithFlags(&stream, cudaStreamNonBlocking));
    grkan_device *const device = open_device("cuda");
    for (int i = 0; i < case_count; i++) {
        char *const expected = call_expected("cuda", &cases[i]);
        call run = call_begin(device, &cases[i], &own_memory, 0);
        const cudaGraphExec_t graph = capture(&run, stream);
        for (int replay = 0; replay < 5; replay++) {
            call_spoil_outputs(&run);
            CHECK_CUDA(cudaDeviceSynchronize());
            CHECK_CUDA(cudaGraphLaunch(graph, stream));
            call_expect(&run, expected, "replayed");
        }
        CHECK_CUDA(cudaGraphExecDestroy(graph));
        call_end(&run);
        free(expected);
    }
    grkan_device_close(device);
    CHECK_CUDA(cudaStreamDestroy(stream));
}

/** The first thing that a new thread does with CUDA. Assertions stay on the test's thread. */
static void *run_on_new_thread(void *context)
{
    const call *const run = context;
    static char text[256];
    if (call_both(run->plan, &run->at, NULL) == GRKAN_SUCCESS)
        return NULL;
    snprintf(text, sizeof text, "%s", grkan_last_error());
    return text;
}

static void test_a_new_thread_needs_no_preparation(void **state)
{
    (void)state;
    pthread_t thread;
    void *error = NULL;
    char *const expected = call_expected("cuda", &cases[0]);
    grkan_device *const device = open_device("cuda");
    call run = call_begin(device, &cases[0], &own_memory, 0);
    assert_int_equal(pthread_create(&thread, NULL, run_on_new_thread, &run), 0);
    assert_int_equal(pthread_join(thread, &error), 0);
    if (error != NULL)
        fail_msg("on a new thread: %s", (const char *)error);
    call_expect(&run, expected, "new thread");
    call_end(&run);
    grkan_device_close(device);
    free(expected);
}

/* ------------------------------------------------------------------------------------------------ early launches */

/** Copies words after a while, and lets the next kernel begin before that, as kernels of other libraries may. */
static const char late_copy[] = ".version 7.8\n"
                                ".target sm_90\n"
                                ".address_size 64\n"
                                ".visible .entry late_copy(.param .u64 to, .param .u64 from, .param .u32 words)\n"
                                "{\n"
                                "    .reg .u64 %begin, %now, %to, %from, %offset;\n"
                                "    .reg .u32 %i, %thread, %size, %step, %words, %word;\n"
                                "    .reg .pred %more;\n"
                                "    griddepcontrol.launch_dependents;\n"
                                "    mov.u64 %begin, %globaltimer;\n"
                                "wait:\n"
                                "    mov.u64 %now, %globaltimer;\n"
                                "    sub.u64 %now, %now, %begin;\n"
                                "    setp.lt.u64 %more, %now, 100000;\n"
                                "    @%more bra wait;\n"
                                "    ld.param.u64 %to, [to];\n"
                                "    ld.param.u64 %from, [from];\n"
                                "    ld.param.u32 %words, [words];\n"
                                "    mov.u32 %thread, %tid.x;\n"
                                "    mov.u32 %size, %ntid.x;\n"
                                "    mov.u32 %i, %ctaid.x;\n"
                                "    mad.lo.u32 %i, %i, %size, %thread;\n"
                                "    mov.u32 %step, %nctaid.x;\n"
                                "    mul.lo.u32 %step, %step, %size;\n"
                                "copy:\n"
                                "    setp.ge.u32 %more, %i, %words;\n"
                                "    @%more exit;\n"
                                "    mul.wide.u32 %offset, %i, 4;\n"
                                "    add.u64 %now, %from, %offset;\n"
                                "    ld.global.u32 %word, [%now];\n"
                                "    add.u64 %now, %to, %offset;\n"
                                "    st.global.u32 [%now], %word;\n"
                                "    add.u32 %i, %i, %step;\n"
                                "    bra copy;\n"
                                "}\n";

/** The x of a run, zero until late_copy ends, which the stream has now. */
static void copy_x_late(const call *run, CUmodule module, grkan_buffer from, cudaStream_t stream)
{
    const size_t bytes = check_tensor_bytes(run->one, CHECK_X);
    unsigned words = (unsigned)(bytes / 4);
    void *arguments[] = {(void *)&run->at.tensor[CHECK_X].base, (void *)&from.base, &words};
    CHECK_CUDA(cudaMemset(run->at.tensor[CHECK_X].base, 0, bytes));
    CHECK_CUDA(cudaDeviceSynchronize());
    launch_kernel(module, "late_copy", 16, 128, stream, arguments);
}

/** Where kernels may begin before their turn, both passes wait for what is before them. */
static void test_a_kernel_before_them_may_let_calls_begin(void **state)
{
    (void)state;
    int major = 0;
    CHECK_CUDA(cudaDeviceGetAttribute(&major, cudaDevAttrComputeCapabilityMajor, 0));
    if (major < 9) {
        printf("no kernel begins before its turn on this GPU\n");
        skip();
    }
    const check_case *const one = &cases[0];
    cudaStream_t stream;
    CHECK_CUDA(cudaStreamCreateWithFlags(&stream, cudaStreamNonBlocking));
    char *const expected = call_expected("cuda", one);
    grkan_device *const device = open_device("cuda");
    call run = call_begin(device, one, &own_memory, 0);
    const grkan_buffer x = call_allocate(&run, check_tensor_bytes(one, CHECK_X), 0);
    CHECK_CUDA(cudaMemcpy(x.base, run.at.tensor[CHECK_X].base, check_tensor_bytes(one, CHECK_X), cudaMemcpyDefault));
    const CUmodule module = load_module(late_copy);
    call_spoil_outputs(&run);
    copy_x_late(&run, module, x, stream);
    expect_success(call_forward(run.plan, &run.at, stream));
    CHECK_CUDA(cudaStreamSynchronize(stream));
    copy_x_late(&run, module, x, stream);
    expect_success(call_backward(run.plan, &run.at, stream));
    call_expect(&run, expected, "after a kernel that ends late");
    unload_module(module);
    call_release(&run, x, check_tensor_bytes(one, CHECK_X));
    call_end(&run);
    grkan_device_close(device);
    free(expected);
    CHECK_CUDA(cudaStreamDestroy(stream));
}

/* -------------------------------------------------------------------------------------------------------- devices */

/** Whatever device is the caller's current one, it still is after every call, and the bits are the device's own. */
static void run_beside(const char *selector, int current, const char *expected)
{
    CHECK_CUDA(cudaSetDevice(current));
    grkan_device *const device = open_device(selector);
    assert_int_equal(current_device(), current);
    call run = call_begin(device, &cases[fixed_case], NULL, 0);
    assert_int_equal(current_device(), current);
    call_run(&run, NULL);
    assert_int_equal(current_device(), current);
    call_expect(&run, expected, selector);
    assert_int_equal(current_device(), current);
    call_end(&run);
    grkan_device_close(device);
    assert_int_equal(current_device(), current);
}

static void test_the_current_device_stays(void **state)
{
    (void)state;
    int count = 0;
    CHECK_CUDA(cudaGetDeviceCount(&count));
    char *const expected = call_expected("cuda:0", &cases[fixed_case]);
    for (int current = 0; current < count && current < 2; current++) {
        run_beside("cuda:0", current, expected);
        if (count > 1)
            run_beside("cuda:1", current, expected);
    }
    if (count < 2)
        printf("there is no second GPU to be left alone\n");
    CHECK_CUDA(cudaSetDevice(0));
    free(expected);
}

/* --------------------------------------------------------------------------------------------------------- memory */

static size_t free_bytes(void)
{
    size_t available = 0, total = 0;
    CHECK_CUDA(cudaDeviceSynchronize());
    CHECK_CUDA(cudaMemGetInfo(&available, &total));
    return available;
}

static long long kib_less(size_t before, size_t after)
{
    return ((long long)before - (long long)after) / 1024;
}

/** A plan holds its code and nothing else, calls hold nothing, and destroying the plan gives all back. */
static void test_no_device_memory_is_held(void **state)
{
    (void)state;
    enum { calls = 100, most_code = 4 << 20 };
    grkan_device *const device = open_device("cuda");
    call warm = call_begin(device, &cases[0], NULL, 0); /* the context's own stacks grow at the first launch */
    call_run(&warm, NULL);
    const size_t before = free_bytes();
    grkan_plan *const plan = make_plan(device, &cases[0]);
    grkan_plan *const own = warm.plan;
    warm.plan = plan;
    call_run(&warm, NULL); /* a driver may load code no earlier */
    const size_t planned = free_bytes();
    for (int i = 0; i < calls; i++)
        call_run(&warm, NULL);
    const size_t called = free_bytes();
    warm.plan = own;
    grkan_plan_destroy(plan);
    const size_t after = free_bytes();
    printf("device memory in KiB: plan and its first calls %lld, %d later calls %lld, given back %lld; workspace %zu "
           "bytes\n",
           kib_less(before, planned), (int)calls, kib_less(planned, called), kib_less(after, called),
           warm.at.workspace_bytes);
    assert_true(kib_less(before, planned) <= most_code / 1024);
    assert_int_equal(called, planned);
    assert_int_equal(after, before);
    call_end(&warm);
    grkan_device_close(device);
}

/* -------------------------------------------------------------------------------------------------------- by hand */

/** What the listener of launches needs to launch them itself. */
typedef struct by_hand {
    const call *run;
    CUmodule module;
    int launches;
} by_hand;

static CUdeviceptr address_of(const call *run, const char *name)
{
    for (int t = 0; t < CHECK_TENSORS; t++)
        if (check_has_tensor(run->one, (check_tensor)t) &&
            strcmp(check_tensor_name(&run->one->operation, (check_tensor)t), name) == 0)
            return (CUdeviceptr)(uintptr_t)run->at.tensor[t].base;
    assert_string_equal(name, "workspace");
    return (CUdeviceptr)(uintptr_t)run->at.workspace.base;
}

/** Launch what grkan tells of, by the driver's own functions. */
static void launch_by_hand(void *context, const grkan_kernel_launch *launch)
{
    by_hand *const hand = context;
    CUdeviceptr addresses[16];
    void *arguments[16];
    assert_true(launch->argument_count <= 16);
    for (int i = 0; i < launch->argument_count; i++) {
        const grkan_kernel_argument *const argument = &launch->arguments[i];
        if (argument->bytes == 0)
            addresses[i] = address_of(hand->run, argument->name);
        arguments[i] = argument->bytes == 0 ? (void *)&addresses[i] : (void *)(uintptr_t)argument->value;
    }
    launch_kernel(hand->module, launch->kernel, (unsigned)launch->blocks, (unsigned)launch->block, NULL, arguments);
    hand->launches++;
}

/** What `grkan compile --keep` writes is enough to run the kernels, and they give a plan's own bits. */
static void test_listed_launches_are_what_a_plan_does(void **state)
{
    (void)state;
    const check_case *const one = &cases[fixed_case];
    grkan_device_properties properties;
    grkan_compilation made;
    char *const expected = call_expected("cuda", one);
    grkan_device *const device = open_device("cuda");
    expect_success(grkan_device_describe(device, &properties));
    call run = call_begin(device, one, &own_memory, 0);
    expect_success(grkan_compile("cuda", properties.architecture, NULL, &one->operation, &one->options, &made));
    assert_int_equal(made.workspace_bytes, run.at.workspace_bytes);
    by_hand hand = {.run = &run, .module = load_module(made.binary)};
    call_spoil_outputs(&run);
    expect_success(
        grkan_list_launches("cuda", properties.architecture, &one->operation, &one->options, launch_by_hand, &hand));
    assert_int_equal(hand.launches, 2);
    call_expect(&run, expected, "by hand");
    unload_module(hand.module);
    grkan_compilation_free(&made);
    call_end(&run);
    grkan_device_close(device);
    free(expected);
}

int main(void)
{
    enum { exit_skipped = 77 };
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_own_pointers_and_streams_give_the_same_bits),
        cmocka_unit_test(test_a_graph_can_be_replayed),
        cmocka_unit_test(test_a_new_thread_needs_no_preparation),
        cmocka_unit_test(test_a_kernel_before_them_may_let_calls_begin),
        cmocka_unit_test(test_the_current_device_stays),
        cmocka_unit_test(test_no_device_memory_is_held),
        cmocka_unit_test(test_listed_launches_are_what_a_plan_does),
    };
    int count = 0;
    const cudaError_t code = cudaGetDeviceCount(&count);
    if (code != cudaSuccess || count == 0) {
        printf("absent: cuda: %s\n", cudaGetErrorString(code));
        return must_be_present("cuda") ? EXIT_FAILURE : exit_skipped;
    }
    return cmocka_run_group_tests_name("cuda native", tests, NULL, NULL);
}
