/* SPDX-License-Identifier: Apache-2.0 */
/** @file test_layer.c @brief The layer refuses what the specification forbids: else its silence would mean nothing. */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "watched.h"

static const char source[] = "kernel void fill(global float *x, float4 value)"
                             "{ x[get_global_id(0)] = value.x; }"
                             "kernel __attribute__((reqd_work_group_size(8, 1, 1))) void fixed(global float *x)"
                             "{ x[get_global_id(0)] = 1; }";

enum { items = 64, bytes = items * sizeof(float), most_devices = 4 };

static struct {
    cl_device_id ids[most_devices];
    cl_uint count;
    cl_context context, other;
    cl_command_queue queue, strange, out_of_order;
    cl_mem memory, stranger;
    cl_program program;
    cl_kernel fill, fixed;
} own;

static const float value[4] = {1, 2, 3, 4};
static float host[items];

#define GOOD(call) assert_int_equal(call, CL_SUCCESS)

/** The call gives a code, and the layer says why. */
static void expect(cl_int code, cl_int expected, const char *words)
{
    const char *const complaint = opencl_layer_complaint();
    assert_int_equal(code, expected);
    if (strstr(complaint, words) == NULL || complaint[0] == '\0')
        fail_msg("the layer says \"%s\"; expected \"%s\"", complaint, words);
}

#define REFUSED(call, expected, words) expect(call, expected, words)

/** Of a call that makes something, with code the name of its code. */
#define NOT_MADE(call, expected, words)                                                                                \
    do {                                                                                                               \
        cl_int code = CL_SUCCESS;                                                                                      \
        assert_null(call);                                                                                             \
        expect(code, expected, words);                                                                                 \
    } while (0)

static void set_both(void)
{
    GOOD(clSetKernelArg(own.fill, 0, sizeof own.memory, &own.memory));
    GOOD(clSetKernelArg(own.fill, 1, sizeof value, value));
}

static cl_int run(cl_command_queue queue, size_t global, size_t local)
{
    return clEnqueueNDRangeKernel(queue, own.fill, 1, NULL, &global, &local, 0, NULL, NULL);
}

/** The kernel that is for groups of 8. */
static cl_int run_fixed(size_t local)
{
    const size_t global = items;
    GOOD(clSetKernelArg(own.fixed, 0, sizeof own.memory, &own.memory));
    return clEnqueueNDRangeKernel(own.queue, own.fixed, 1, NULL, &global, &local, 0, NULL, NULL);
}

/* --------------------------------------------------------------------------------------------------------- tests */

static void answers_must_fit(void **state)
{
    (void)state;
    char text[4096] = "";
    unsigned char *binaries[most_devices] = {NULL};
    size_t sizes[most_devices], needed = 0;
    assert_int_equal(clGetDeviceInfo(own.ids[0], CL_DEVICE_NAME, 1, text, NULL), CL_INVALID_VALUE);
    GOOD(clGetProgramInfo(own.program, CL_PROGRAM_BINARY_SIZES, 0, NULL, &needed));
    assert_int_equal(needed, own.count * sizeof *sizes);
    GOOD(clGetProgramInfo(own.program, CL_PROGRAM_BINARY_SIZES, sizeof sizes, sizes, NULL));
    assert_true(sizes[0] > 0);
    for (cl_uint i = 1; i < own.count; i++) {
        assert_int_equal(sizes[i], 0); /* was not built for */
        assert_int_equal(clGetProgramInfo(own.program, CL_PROGRAM_BINARY_SIZES, i * sizeof *sizes, sizes, NULL),
                         CL_INVALID_VALUE);
        REFUSED(clGetProgramInfo(own.program, CL_PROGRAM_BINARIES, i * sizeof *binaries, binaries, NULL),
                CL_INVALID_VALUE, "clGetProgramInfo: room for");
    }
    GOOD(clGetProgramInfo(own.program, CL_PROGRAM_BINARIES, sizeof binaries, binaries, NULL)); /* NULL takes none */
}

static void objects_must_be_alive(void **state)
{
    (void)state;
    cl_int code = CL_SUCCESS;
    const cl_mem memory = clCreateBuffer(own.context, CL_MEM_READ_WRITE, bytes, NULL, &code);
    GOOD(code);
    GOOD(clRetainMemObject(memory));
    GOOD(clReleaseMemObject(memory));
    set_both();
    GOOD(clSetKernelArg(own.fill, 0, sizeof memory, &memory));
    GOOD(clReleaseMemObject(memory));
    REFUSED(clReleaseMemObject(memory), CL_INVALID_MEM_OBJECT, "is no buffer, or was released");
    REFUSED(clSetKernelArg(own.fill, 0, sizeof memory, &memory), CL_INVALID_MEM_OBJECT, "is no buffer");
    REFUSED(run(own.queue, items, 8), CL_INVALID_KERNEL_ARGS, "is no buffer, or was released");
    REFUSED(clEnqueueReadBuffer(own.queue, memory, CL_TRUE, 0, 4, host, 0, NULL, NULL), CL_INVALID_MEM_OBJECT,
            "clEnqueueReadBuffer");
    REFUSED(clFinish((cl_command_queue)own.context), CL_INVALID_COMMAND_QUEUE, "is no queue");
}

static void arguments_must_be_set(void **state)
{
    (void)state;
    cl_int code = CL_SUCCESS;
    const cl_kernel kernel = clCreateKernel(own.program, "fill", &code);
    const size_t global = items, local = 8;
    GOOD(code);
    GOOD(clSetKernelArg(kernel, 0, sizeof own.memory, &own.memory));
    REFUSED(clEnqueueNDRangeKernel(own.queue, kernel, 1, NULL, &global, &local, 0, NULL, NULL), CL_INVALID_KERNEL_ARGS,
            "argument 1 was not set");
    REFUSED(clSetKernelArg(kernel, 2, sizeof value, value), CL_INVALID_ARG_INDEX, "argument 2 of a kernel that has 2");
    REFUSED(clBuildProgram(own.program, 1, &own.ids[0], "", NULL, NULL), CL_INVALID_OPERATION, "the program has");
    GOOD(clReleaseKernel(kernel));
    assert_int_equal(clSetKernelArg(own.fill, 0, sizeof own.stranger, &own.stranger), CL_INVALID_CONTEXT);
}

static void groups_must_fit(void **state)
{
    (void)state;
    size_t most[8] = {0};
    GOOD(clGetDeviceInfo(own.ids[0], CL_DEVICE_MAX_WORK_ITEM_SIZES, sizeof most, most, NULL));
    set_both();
    REFUSED(run(own.queue, items, 7), CL_INVALID_WORK_GROUP_SIZE, "64 items in groups of 7");
    set_both();
    REFUSED(run(own.queue, 0, 8), CL_INVALID_GLOBAL_WORK_SIZE, "0 items");
    set_both();
    REFUSED(run(own.queue, most[0] * 2, most[0] * 2), CL_INVALID_WORK_ITEM_SIZE, "at most");
    REFUSED(run_fixed(16), CL_INVALID_WORK_GROUP_SIZE, "groups of 16; the kernel is for groups of 8");
    set_both();
    GOOD(run(own.queue, items, 8));
}

/** The device's limit is every kernel's; a kernel has one of its own only where it does not require a size. */
static void groups_have_two_limits(void **state)
{
    (void)state;
    static const size_t four = 4;
    size_t most = 0;
    opencl_layer_answer(CL_KERNEL_WORK_GROUP_SIZE, &four, sizeof four);
    GOOD(clGetKernelWorkGroupInfo(own.fill, own.ids[0], CL_KERNEL_WORK_GROUP_SIZE, sizeof most, &most, NULL));
    assert_int_equal(most, four);
    set_both();
    REFUSED(run(own.queue, items, 8), CL_INVALID_WORK_GROUP_SIZE, "groups of 8; the kernel has at most 4");
    GOOD(run_fixed(8));
    opencl_layer_answer(CL_DEVICE_MAX_WORK_GROUP_SIZE, &four, sizeof four);
    opencl_layer_answer(CL_KERNEL_WORK_GROUP_SIZE, NULL, 0);
    set_both();
    REFUSED(run(own.queue, items, 8), CL_INVALID_WORK_GROUP_SIZE, "groups of 8; the device has at most 4");
    REFUSED(run_fixed(8), CL_INVALID_WORK_GROUP_SIZE, "groups of 8; the device has at most 4");
    opencl_layer_answer(CL_DEVICE_MAX_WORK_GROUP_SIZE, NULL, 0);
    GOOD(run_fixed(8));
}

static void ranges_must_lie_inside(void **state)
{
    (void)state;
    const cl_buffer_region region = {0, bytes + 4}, odd = {128, 4};
    static const cl_uint base = 2048; /* bits */
    REFUSED(clEnqueueReadBuffer(own.queue, own.memory, CL_TRUE, 4, bytes, host, 0, NULL, NULL), CL_INVALID_VALUE,
            "256 bytes from 4 on; the buffer has 256");
    REFUSED(clEnqueueWriteBuffer(own.queue, own.memory, CL_TRUE, (size_t)-4, 8, host, 0, NULL, NULL), CL_INVALID_VALUE,
            "the buffer has 256");
    REFUSED(clEnqueueReadBuffer(own.queue, own.memory, CL_FALSE, 0, bytes, host, 0, NULL, NULL), CL_INVALID_VALUE,
            "nothing tells when");
    REFUSED(clEnqueueCopyBuffer(own.queue, own.memory, own.memory, 0, 8, 16, 0, NULL, NULL), CL_MEM_COPY_OVERLAP,
            "16 bytes from 0 to 8");
    NOT_MADE(clCreateSubBuffer(own.memory, 0, CL_BUFFER_CREATE_TYPE_REGION, &region, &code), CL_INVALID_VALUE,
             "260 bytes from 0 on; the buffer has 256");
    opencl_layer_answer(CL_DEVICE_MEM_BASE_ADDR_ALIGN, &base, sizeof base);
    NOT_MADE(clCreateSubBuffer(own.memory, 0, CL_BUFFER_CREATE_TYPE_REGION, &odd, &code),
             CL_MISALIGNED_SUB_BUFFER_OFFSET, "a part from 128 on, where no device's may begin");
    opencl_layer_answer(CL_DEVICE_MEM_BASE_ADDR_ALIGN, NULL, 0);
    NOT_MADE(clCreateBuffer(own.context, CL_MEM_USE_HOST_PTR, bytes, NULL, &code), CL_INVALID_HOST_PTR, "host_ptr");
    NOT_MADE(clCreateBuffer(own.context, CL_MEM_READ_WRITE, 0, NULL, &code), CL_INVALID_BUFFER_SIZE, "0 bytes");
    assert_int_equal(clEnqueueReadBuffer(own.queue, own.stranger, CL_TRUE, 0, 4, host, 0, NULL, NULL),
                     CL_INVALID_CONTEXT);
}

static void commands_need_an_order(void **state)
{
    (void)state;
    cl_event event = NULL;
    const size_t global = items, local = 8;
    set_both();
    REFUSED(run(own.strange, items, 8), CL_INVALID_CONTEXT, "queue and kernel are of two contexts");
    set_both();
    GOOD(clEnqueueNDRangeKernel(own.out_of_order, own.fill, 1, NULL, &global, &local, 0, NULL, &event));
    set_both();
    REFUSED(run(own.out_of_order, items, 8), CL_INVALID_OPERATION, "nothing orders the kernel behind 1 commands");
    set_both();
    GOOD(clEnqueueNDRangeKernel(own.out_of_order, own.fill, 1, NULL, &global, &local, 1, &event, NULL));
    set_both();
    REFUSED(clEnqueueNDRangeKernel(own.queue, own.fill, 1, NULL, &global, &local, 1, NULL, NULL),
            CL_INVALID_EVENT_WAIT_LIST, "1 events at");
    GOOD(clFinish(own.out_of_order));
    cl_ulong time = 0;
    REFUSED(clGetEventProfilingInfo(event, CL_PROFILING_COMMAND_START, sizeof time, &time, NULL),
            CL_PROFILING_INFO_NOT_AVAILABLE, "no profiling");
    GOOD(clReleaseEvent(event));
    set_both();
    REFUSED(clEnqueueNDRangeKernel(own.queue, own.fill, 1, NULL, &global, &local, 1, &event, NULL),
            CL_INVALID_EVENT_WAIT_LIST, "is no event, or was released");
}

static void *set_one(void *code)
{
    *(cl_int *)code = clSetKernelArg(own.fill, 1, sizeof value, value);
    return NULL;
}

static void kernels_are_one_threads(void **state)
{
    (void)state;
    pthread_t thread;
    cl_int code = CL_SUCCESS;
    set_both();
    assert_int_equal(pthread_create(&thread, NULL, set_one, &code), 0);
    assert_int_equal(pthread_join(thread, NULL), 0);
    REFUSED(code, CL_INVALID_OPERATION, "another thread set arguments of the kernel");
    GOOD(run(own.queue, items, 8));
}

static void programs_are_of_their_devices(void **state)
{
    (void)state;
    const size_t length = 0;
    const unsigned char *const binary = (const unsigned char *)source;
    cl_int made = CL_SUCCESS;
    const char *const text = source;
    const cl_program program = clCreateProgramWithSource(own.context, 1, (const char **)&text, NULL, &made);
    GOOD(made);
    REFUSED(clBuildProgram(program, 1, &own.ids[0], "--fast", NULL, NULL), CL_INVALID_BUILD_OPTIONS, "--fast");
    REFUSED(clBuildProgram(program, 1, NULL, "", NULL, NULL), CL_INVALID_VALUE, "1 devices at");
    NOT_MADE(clCreateKernel(program, "fill", &code), CL_INVALID_PROGRAM_EXECUTABLE, "was not built");
    NOT_MADE(clCreateProgramWithBinary(own.context, 1, own.ids, &length, (const unsigned char **)&binary, NULL, &code),
             CL_INVALID_VALUE, "device 0 has no binary");
    if (own.count > 1) {
        assert_null(clCreateCommandQueue(own.other, own.ids[1], 0, &made));
        assert_int_equal(made, CL_INVALID_DEVICE);
    }
    GOOD(clReleaseProgram(program));
}

static void what_is_alive_and_what_fails(void **state)
{
    (void)state;
    cl_int code = CL_SUCCESS;
    char before[256];
    (void)snprintf(before, sizeof before, "%s", opencl_layer_alive());
    assert_string_equal(before, "2 contexts, 3 queues, 2 buffers, 1 program, 2 kernels");
    opencl_layer_fail("clCreateBuffer", 2, CL_OUT_OF_RESOURCES);
    const cl_mem memory = clCreateBuffer(own.context, CL_MEM_READ_WRITE, bytes, NULL, &code);
    GOOD(code);
    assert_string_equal(opencl_layer_alive(), "2 contexts, 3 queues, 3 buffers, 1 program, 2 kernels");
    assert_null(clCreateBuffer(own.context, CL_MEM_READ_WRITE, bytes, NULL, &code));
    assert_int_equal(code, CL_OUT_OF_RESOURCES);
    GOOD(clReleaseMemObject(memory));
    assert_string_equal(opencl_layer_alive(), before);
    assert_string_equal(opencl_layer_complaint(), "");
}

/* --------------------------------------------------------------------------------------------------------------- */

static int set_up(void **state)
{
    (void)state;
    const char *const text = source;
    cl_int code[11] = {0};
    int i = 0;
    own.context = clCreateContext(NULL, own.count, own.ids, NULL, NULL, &code[i++]);
    own.other = clCreateContext(NULL, 1, own.ids, NULL, NULL, &code[i++]);
    own.queue = clCreateCommandQueue(own.context, own.ids[0], 0, &code[i++]);
    own.out_of_order =
        clCreateCommandQueue(own.context, own.ids[0], CL_QUEUE_OUT_OF_ORDER_EXEC_MODE_ENABLE, &code[i++]);
    own.strange = clCreateCommandQueue(own.other, own.ids[0], 0, &code[i++]);
    own.memory = clCreateBuffer(own.context, CL_MEM_READ_WRITE, bytes, NULL, &code[i++]);
    own.stranger = clCreateBuffer(own.other, CL_MEM_READ_WRITE, bytes, NULL, &code[i++]);
    own.program = clCreateProgramWithSource(own.context, 1, (const char **)&text, NULL, &code[i++]);
    code[i++] = clBuildProgram(own.program, 1, own.ids, "-cl-std=CL1.2", NULL, NULL);
    own.fill = clCreateKernel(own.program, "fill", &code[i++]);
    own.fixed = clCreateKernel(own.program, "fixed", &code[i++]);
    while (i > 0)
        if (code[--i] != CL_SUCCESS)
            return -1;
    return opencl_layer_complaint()[0] == '\0' ? 0 : -1;
}

static int tear_down(void **state)
{
    (void)state;
    const cl_int code[] = {clFinish(own.queue),
                           clReleaseKernel(own.fill),
                           clReleaseKernel(own.fixed),
                           clReleaseProgram(own.program),
                           clReleaseMemObject(own.memory),
                           clReleaseMemObject(own.stranger),
                           clReleaseCommandQueue(own.queue),
                           clReleaseCommandQueue(own.strange),
                           clReleaseCommandQueue(own.out_of_order),
                           clReleaseContext(own.context),
                           clReleaseContext(own.other)};
    for (size_t i = 0; i < sizeof code / sizeof code[0]; i++)
        if (code[i] != CL_SUCCESS)
            return -1;
    return watched_end();
}

#define WATCHED(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WATCHED(answers_must_fit),
        WATCHED(objects_must_be_alive),
        WATCHED(arguments_must_be_set),
        WATCHED(groups_must_fit),
        WATCHED(groups_have_two_limits),
        WATCHED(ranges_must_lie_inside),
        WATCHED(commands_need_an_order),
        WATCHED(kernels_are_one_threads),
        WATCHED(programs_are_of_their_devices),
        WATCHED(what_is_alive_and_what_fails),
    };
    const int absent = watched_begin(own.ids, most_devices, &own.count);
    return absent != 0 ? absent : cmocka_run_group_tests_name("opencl_layer", tests, NULL, NULL);
}
