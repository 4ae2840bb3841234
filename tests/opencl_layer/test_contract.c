/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file test_contract.c
 * @brief What the caller of the OpenCL backend may hand over: contexts of several devices, queues, memory of every kind.
 *
 * The layer watches every call, and no test may end with a complaint, or with an object that was not released.
 */
#define CL_TARGET_OPENCL_VERSION 200
#define CL_USE_DEPRECATED_OPENCL_1_2_APIS /* clCreateCommandQueue: of every version */
#include "control.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "../call.h"
#include "../misuse.h"
#include "watched.h"

static const check_case f32 = {.name = "f32",
                               .seed = 1,
                               .operation = {SHAPE(2500, 96, 1), GROUPS(8, SHARED, PER_GROUP),
                                             RATIONAL(5, 4, GRKAN_ABS_TERMS), .dtype = GRKAN_F32}};
static const check_case bf16 = {.name = "bf16",
                                .seed = 2,
                                .operation = {SHAPE(2000, 64, 1), GROUPS(4, PER_GROUP, PER_GROUP),
                                              RATIONAL(3, 2, GRKAN_ABS_SUM), .dtype = GRKAN_BF16}};
static const check_case f64 = {.name = "f64",
                               .seed = 3,
                               .operation = {SHAPE(2000, 64, 1), GROUPS(4, PER_GROUP, PER_GROUP),
                                             RATIONAL(3, 2, GRKAN_ABS_SUM), .dtype = GRKAN_F64}};

enum { most_devices = 8 };

/** What a program that uses OpenCL already has: all devices of the first platform in one context. */
static struct {
    cl_device_id ids[most_devices];
    cl_uint count;
    cl_context context;
    cl_command_queue queue; /* of the first device, in order */
} own;

static void check_cl(cl_int code, const char *what)
{
    if (code != CL_SUCCESS)
        fail_msg("%s: %d", what, code);
}

#define CHECK_CL(call) check_cl(call, #call)

static cl_command_queue make_queue(cl_context context, cl_device_id id, cl_command_queue_properties properties)
{
    cl_int code = CL_SUCCESS;
    const cl_command_queue queue = clCreateCommandQueue(context, id, properties, &code);
    CHECK_CL(code);
    return queue;
}

static grkan_device *open_on(cl_uint place)
{
    grkan_device *device = NULL;
    expect_success(grkan_device_open_native("opencl", own.context, own.ids[place], &device));
    return device;
}

/* -------------------------------------------------------------------------------------------------------- memory */

static size_t misalignment; /* of memory of the host's, from 128 bytes; 0 for memory of OpenCL's */
static bool is_part;        /* of such memory, a part in the middle */
enum { before_part = 4096 /* bytes, where every device lets a part begin */ };

static void *allocate(size_t bytes)
{
    cl_int code = CL_SUCCESS;
    if (misalignment == 0) {
        const cl_mem plain = clCreateBuffer(own.context, CL_MEM_READ_WRITE, bytes, NULL, &code);
        CHECK_CL(code);
        return plain;
    }
    char *host = NULL;
    assert_int_equal(posix_memalign((void **)&host, 128, before_part + bytes + misalignment), 0);
    cl_mem memory = clCreateBuffer(own.context, CL_MEM_READ_WRITE | CL_MEM_USE_HOST_PTR, before_part + bytes,
                                   host + misalignment, &code);
    CHECK_CL(code);
    if (is_part) {
        const cl_buffer_region region = {before_part, bytes};
        const cl_mem whole = memory;
        memory = clCreateSubBuffer(whole, 0, CL_BUFFER_CREATE_TYPE_REGION, &region, &code);
        CHECK_CL(code);
        CHECK_CL(clReleaseMemObject(whole));
    }
    return memory;
}

static void release(void *base)
{
    char *host = NULL;
    size_t origin = 0;
    CHECK_CL(clGetMemObjectInfo((cl_mem)base, CL_MEM_HOST_PTR, sizeof host, &host, NULL));
    CHECK_CL(clGetMemObjectInfo((cl_mem)base, CL_MEM_OFFSET, sizeof origin, &origin, NULL));
    CHECK_CL(clFinish(own.queue));
    CHECK_CL(clReleaseMemObject((cl_mem)base));
    if (host != NULL)
        free((void *)((uintptr_t)(host - origin) & ~(uintptr_t)127));
}

static void write_memory(grkan_buffer to, const void *from, size_t bytes)
{
    CHECK_CL(clEnqueueWriteBuffer(own.queue, (cl_mem)to.base, CL_TRUE, to.offset, bytes, from, 0, NULL, NULL));
}

static void read_memory(grkan_buffer from, void *to, size_t bytes)
{
    CHECK_CL(clEnqueueReadBuffer(own.queue, (cl_mem)from.base, CL_TRUE, from.offset, bytes, to, 0, NULL, NULL));
}

static const call_memory memory = {allocate, release, write_memory, read_memory};

/** As call_begin, with a workspace of OpenCL's, since that must be aligned. */
static call begin(grkan_device *device, const check_case *one)
{
    call run = call_begin(device, one, &memory, 0);
    const size_t kept = misalignment;
    call_release(&run, run.at.workspace, run.at.workspace_bytes);
    misalignment = 0;
    run.at.workspace = call_allocate(&run, run.at.workspace_bytes, 0);
    misalignment = kept;
    call_fill(&run, run.at.workspace, 0, run.at.workspace_bytes);
    return run;
}

/* ---------------------------------------------------------------------------------------------------- contexts */

/** Kernels are compiled, not taken from the cache: a compiled program has a binary for each device of its context. */
static void contexts_of_several_devices(void **state)
{
    (void)state;
    if (own.count < 2)
        print_message("the platform has one device only\n");
    check_case one = f32;
    one.options.determinism = GRKAN_DEVICE_TO_DEVICE;
    char *const expected = call_expected("cpu", &one);
    setenv("GRKAN_CACHE", "off", 1);
    for (cl_uint i = 0; i < own.count; i++) {
        grkan_device *const device = open_on(i);
        const cl_command_queue queue = make_queue(own.context, own.ids[i], 0);
        call run = begin(device, &one);
        call_run(&run, queue);
        CHECK_CL(clFinish(queue));
        call_expect(&run, expected, "a device of several");
        call_end(&run);
        CHECK_CL(clReleaseCommandQueue(queue));
        grkan_device_close(device);
    }
    unsetenv("GRKAN_CACHE");
    free(expected);
}

/* ------------------------------------------------------------------------------------------------------ queues */

/** Neither pass goes to a queue, and nothing is written. */
static void expect_refused(const call *run, cl_command_queue queue, const char *text)
{
    call_spoil_outputs(run);
    char *const before = call_outputs(run);
    EXPECT_INVALID(call_forward(run->plan, &run->at, queue), text);
    EXPECT_INVALID(call_backward(run->plan, &run->at, queue), text);
    CHECK_CL(clFinish(queue));
    call_expect(run, before, "a queue that was refused");
    free(before);
}

static const char out_of_order[] = "stream is a queue that may run commands out of order; expected one without "
                                   "CL_QUEUE_OUT_OF_ORDER_EXEC_MODE_ENABLE";

static void queues_must_be_in_order(void **state)
{
    (void)state;
    grkan_device *const device = open_on(0);
    char *const expected = call_expected("opencl:0:0", &f32);
    call run = begin(device, &f32);
    for (int i = 0; i < 8; i++) { /* a handle that is released is soon another's: good and bad in turn */
        const bool is_good = i % 2 == 0;
        const cl_command_queue queue = make_queue(own.context, own.ids[0],
                                                  (is_good ? 0 : CL_QUEUE_OUT_OF_ORDER_EXEC_MODE_ENABLE) |
                                                      (i % 4 < 2 ? 0 : CL_QUEUE_PROFILING_ENABLE));
        if (is_good) {
            call_run(&run, queue);
            CHECK_CL(clFinish(queue));
            call_expect(&run, expected, "a queue in order");
        } else {
            expect_refused(&run, queue, out_of_order);
        }
        CHECK_CL(clReleaseCommandQueue(queue));
    }
    opencl_layer_add_queue_properties(CL_QUEUE_ON_DEVICE | CL_QUEUE_OUT_OF_ORDER_EXEC_MODE_ENABLE);
    expect_refused(&run, own.queue, out_of_order);
    opencl_layer_add_queue_properties(0);
    call_end(&run);
    free(expected);
    grkan_device_close(device);
}

static void queues_must_be_the_devices(void **state)
{
    (void)state;
    cl_int code = CL_SUCCESS;
    const cl_context other = clCreateContext(NULL, 1, &own.ids[0], NULL, NULL, &code);
    CHECK_CL(code);
    const cl_command_queue strange = make_queue(other, own.ids[0], 0);
    grkan_device *const device = open_on(0);
    call run = begin(device, &f32);
    expect_refused(&run, strange, "stream is a queue of another context; expected one of the plan's device's");
    if (own.count > 1) {
        const cl_command_queue neighbour = make_queue(own.context, own.ids[1], 0);
        expect_refused(&run, neighbour,
                       "stream is a queue of another device of the context; expected the plan's device's");
        CHECK_CL(clReleaseCommandQueue(neighbour));
    }
    call_end(&run);
    grkan_device_close(device);
    CHECK_CL(clReleaseCommandQueue(strange));
    CHECK_CL(clReleaseContext(other));
}

/** A thread's own queue and tensors, on a plan of all. */
static void *run_often(void *argument)
{
    const call *const run = argument;
    cl_int code = CL_SUCCESS;
    const cl_command_queue queue = clCreateCommandQueue(own.context, own.ids[0], 0, &code);
    grkan_status status = code == CL_SUCCESS ? GRKAN_SUCCESS : GRKAN_ERROR_DEVICE;
    for (int i = 0; i < 4 && status == GRKAN_SUCCESS; i++)
        status = call_both(run->plan, &run->at, queue);
    if (code == CL_SUCCESS && (clFinish(queue) != CL_SUCCESS || clReleaseCommandQueue(queue) != CL_SUCCESS))
        status = GRKAN_ERROR_DEVICE;
    return status == GRKAN_SUCCESS ? argument : NULL;
}

/** A kernel keeps its arguments: to set them and to enqueue it is one step, which no other thread may come between. */
static void threads_share_a_plan(void **state)
{
    (void)state;
    enum { threads = 3 };
    pthread_t thread[threads];
    call runs[threads];
    grkan_device *const device = open_on(0);
    char *const expected = call_expected("opencl:0:0", &bf16);
    for (int i = 0; i < threads; i++) {
        runs[i] = begin(device, &bf16);
        if (i > 0) {
            grkan_plan_destroy(runs[i].plan);
            runs[i].plan = runs[0].plan;
        }
    }
    for (int i = 0; i < threads; i++)
        assert_int_equal(pthread_create(&thread[i], NULL, run_often, &runs[i]), 0);
    for (int i = 0; i < threads; i++) {
        void *good = NULL;
        assert_int_equal(pthread_join(thread[i], &good), 0);
        assert_non_null(good);
    }
    for (int i = threads - 1; i >= 0; i--) {
        call_expect(&runs[i], expected, "a plan of several threads");
        runs[i].plan = i > 0 ? NULL : runs[i].plan;
        call_end(&runs[i]);
    }
    free(expected);
    grkan_device_close(device);
}

/* ------------------------------------------------------------------------------------------------------ groups */

/** What a device says of its groups is kept; what it says of a kernel that requires a size is not asked. */
static void groups_are_as_devices_want_them(void **state)
{
    (void)state;
    static const size_t one = 1, small = 64, middle = 200;
    static const struct {
        cl_uint what;
        const size_t *most;
    } answers[] = {{CL_KERNEL_WORK_GROUP_SIZE, &one},
                   {CL_DEVICE_MAX_WORK_GROUP_SIZE, &small},
                   {CL_DEVICE_MAX_WORK_GROUP_SIZE, &middle}};
    for (size_t i = 0; i < COUNT_OF(answers); i++) {
        opencl_layer_answer(answers[i].what, answers[i].most, sizeof *answers[i].most);
        grkan_device *const device = open_on(0);
        char *const expected = call_expected("opencl:0:0", &f32);
        call run = begin(device, &f32);
        call_run(&run, own.queue);
        call_expect(&run, expected, "groups of a size that the device wants");
        call_end(&run);
        free(expected);
        grkan_device_close(device);
        opencl_layer_answer(answers[i].what, NULL, 0);
    }
}

/* ------------------------------------------------------------------------------------------------------ memory */

/** Every type with memory that is aligned to its elements and no more, whole or in part. */
static void memory_of_the_hosts(void **state)
{
    (void)state;
    static const check_case *const cases[] = {&f32, &bf16, &f64};
    grkan_device *const device = open_on(0);
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        const size_t element = grkan_dtype_bytes(cases[i]->operation.dtype);
        const size_t least = grkan_coefficient_bytes(cases[i]->operation.dtype);
        char *const expected = call_expected("opencl:0:0", cases[i]);
        for (int k = 0; k < 4; k++) {
            misalignment = k < 2 ? least : 16; /* the tensors of 16 bits lie at 4 bytes, as their coefficients */
            is_part = k % 2 == 1;
            call run = begin(device, cases[i]);
            call_run(&run, own.queue);
            call_expect(&run, expected, is_part ? "a part of the host's memory" : "the host's memory");
            call_end(&run);
        }
        free(expected);
        assert_true(element <= least);
    }
    misalignment = 0;
    is_part = false;
    grkan_device_close(device);
}

/** A pass with one tensor in other memory. */
static void expect_forward(const call *run, grkan_buffer x, const char *text)
{
    device_layer at = run->at;
    at.tensor[CHECK_X] = x;
    EXPECT_INVALID(call_forward(run->plan, &at, own.queue), text);
}

static void memory_that_does_not_do(void **state)
{
    (void)state;
    grkan_device *const device = open_on(0);
    call run = begin(device, &f64);
    const size_t bytes = check_tensor_bytes(&f64, CHECK_X);
    device_layer at = run.at;
    char text[128];
    misalignment = 4;
    for (int k = 0; k < 2; k++) {
        is_part = k == 1;
        const grkan_buffer low = call_allocate(&run, bytes, 0);
        expect_forward(&run, low, "x is not aligned: base + offset must be a multiple of 8");
        at.workspace = low;
        EXPECT_INVALID(call_backward(run.plan, &at, own.queue),
                       "workspace is not aligned: base + offset must be a multiple of 16");
        at.workspace.offset = 4; /* which makes it 8 */
        EXPECT_INVALID(call_backward(run.plan, &at, own.queue),
                       "workspace is not aligned: base + offset must be a multiple of 16");
        call_release(&run, low, bytes);
    }
    is_part = false;
    misalignment = 0;
    const grkan_buffer small = {allocate(bytes - 1), 0};
    (void)snprintf(text, sizeof text, "x.base has %zu bytes; expected %zu from the offset 0 on", bytes - 1, bytes);
    expect_forward(&run, small, text);
    (void)snprintf(text, sizeof text, "x.base has %zu bytes; expected %zu from the offset 8000000 on", bytes - 1,
                   bytes);
    expect_forward(&run, (grkan_buffer){small.base, 8000000}, text);
    release(small.base);
    call_end(&run);
    grkan_device_close(device);
}

/** Shared virtual memory as a buffer: the caller chooses where it begins. */
static void shared_virtual_memory(void **state)
{
    (void)state;
    const size_t bytes = check_tensor_bytes(&f32, CHECK_X);
    cl_device_svm_capabilities can = 0;
    cl_int code = CL_SUCCESS;
    if (clGetDeviceInfo(own.ids[0], CL_DEVICE_SVM_CAPABILITIES, sizeof can, &can, NULL) != CL_SUCCESS || can == 0) {
        print_message("the device has none\n");
        return;
    }
    char *const shared = clSVMAlloc(own.context, CL_MEM_READ_WRITE, bytes + 64, 0);
    assert_non_null(shared);
    grkan_device *const device = open_on(0);
    char *const expected = call_expected("opencl:0:0", &f32);
    call run = begin(device, &f32);
    const grkan_buffer kept = run.at.tensor[CHECK_X];
    run.at.tensor[CHECK_X].base =
        clCreateBuffer(own.context, CL_MEM_READ_WRITE | CL_MEM_USE_HOST_PTR, bytes, shared + 4, &code);
    CHECK_CL(code);
    write_memory(run.at.tensor[CHECK_X], run.data.tensor[CHECK_X], bytes);
    call_run(&run, own.queue);
    call_expect(&run, expected, "shared virtual memory");
    CHECK_CL(clReleaseMemObject((cl_mem)run.at.tensor[CHECK_X].base));
    run.at.tensor[CHECK_X] = kept;
    call_end(&run);
    free(expected);
    grkan_device_close(device);
    clSVMFree(own.context, shared);
}

/* --------------------------------------------------------------------------------------------------------------- */

static int set_up(void **state)
{
    (void)state;
    cl_int code = CL_SUCCESS;
    own.context = clCreateContext(NULL, own.count, own.ids, NULL, NULL, &code);
    if (code == CL_SUCCESS)
        own.queue = clCreateCommandQueue(own.context, own.ids[0], 0, &code);
    return code;
}

static int tear_down(void **state)
{
    (void)state;
    const bool is_released =
        clReleaseCommandQueue(own.queue) == CL_SUCCESS && clReleaseContext(own.context) == CL_SUCCESS;
    return is_released ? watched_end() : -1;
}

#define WATCHED(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WATCHED(contexts_of_several_devices),
        WATCHED(queues_must_be_in_order),
        WATCHED(queues_must_be_the_devices),
        WATCHED(threads_share_a_plan),
        WATCHED(memory_of_the_hosts),
        WATCHED(memory_that_does_not_do),
        WATCHED(groups_are_as_devices_want_them),
        WATCHED(shared_virtual_memory),
    };
    const int absent = watched_begin(own.ids, most_devices, &own.count);
    return absent != 0 ? absent : cmocka_run_group_tests_name("opencl_contract", tests, NULL, NULL);
}
