/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file test_opencl_native.c
 * @brief The caller's own OpenCL context, queue and buffers: same bits as through grkan's, errors named, nothing kept.
 */
#define CL_TARGET_OPENCL_VERSION 120
#include <CL/cl.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>

#include <cmocka.h>

#include "call.h"
#include "misuse.h"
#include "present.h"

/** Of every type, with a workspace, and rows that are vectors when aligned. */
static const check_case cases[] = {
    {.name = "f32",
     .seed = 1,
     .operation = {SHAPE(2500, 96, 1), GROUPS(8, SHARED, PER_GROUP), RATIONAL(5, 4, GRKAN_ABS_TERMS),
                   .dtype = GRKAN_F32}},
    {.name = "bf16",
     .seed = 2,
     .operation = {SHAPE(2000, 64, 1), GROUPS(4, PER_GROUP, PER_GROUP), RATIONAL(3, 2, GRKAN_ABS_SUM),
                   .dtype = GRKAN_BF16},
     .accumulation = GRKAN_ADD},
};

enum { case_count = sizeof cases / sizeof cases[0] };

/** The caller's: what a program that uses OpenCL already has. Context and queue are new for every test. */
static struct {
    cl_device_id id;
    cl_context context;
    cl_command_queue queue;
} own;

static void check_cl(cl_int code, const char *what)
{
    if (code != CL_SUCCESS)
        fail_msg("%s: %d", what, code);
}

#define CHECK_CL(call) check_cl(call, #call)

static grkan_device *open_own(void)
{
    grkan_device *device = NULL;
    expect_success(grkan_device_open_native("opencl", own.context, own.id, &device));
    return device;
}

/* --------------------------------------------------------------------------------------------------------- memory */

static void *own_allocate(size_t bytes)
{
    cl_int code = CL_SUCCESS;
    const cl_mem memory = clCreateBuffer(own.context, CL_MEM_READ_WRITE, bytes, NULL, &code);
    CHECK_CL(code);
    return memory;
}

static void own_release(void *base)
{
    CHECK_CL(clReleaseMemObject((cl_mem)base));
}

static void own_write(grkan_buffer to, const void *from, size_t bytes)
{
    CHECK_CL(clEnqueueWriteBuffer(own.queue, (cl_mem)to.base, CL_TRUE, to.offset, bytes, from, 0, NULL, NULL));
}

static void own_read(grkan_buffer from, void *to, size_t bytes)
{
    CHECK_CL(clEnqueueReadBuffer(own.queue, (cl_mem)from.base, CL_TRUE, from.offset, bytes, to, 0, NULL, NULL));
}

static const call_memory own_memory = {own_allocate, own_release, own_write, own_read};

/* ------------------------------------------------------------------------------------------------------ good use */

/** On the caller's queue, and on grkan's queue in the caller's context; 8 elements keep 16 bytes aligned, 1 does not. */
static void test_own_buffers_give_the_same_bits(void **state)
{
    (void)state;
    static const size_t offsets[] = {0, 8, 1, 5};
    grkan_device *const device = open_own();
    for (int i = 0; i < case_count; i++) {
        char *const expected = call_expected("opencl", &cases[i]);
        for (size_t k = 0; k < 2 * sizeof offsets / sizeof offsets[0]; k++) {
            call r = call_begin(device, &cases[i], &own_memory, offsets[k / 2]);
            call_run(&r, k % 2 == 0 ? own.queue : NULL);
            call_expect(&r, expected, k % 2 == 0 ? "own queue" : "default queue");
            call_end(&r);
        }
        free(expected);
    }
    grkan_device_close(device);
}

static void test_an_own_device_is_the_one_that_was_given(void **state)
{
    (void)state;
    grkan_device *const device = open_own();
    grkan_device_properties properties;
    char name[128] = "";
    CHECK_CL(clGetDeviceInfo(own.id, CL_DEVICE_NAME, sizeof name - 1, name, NULL));
    expect_success(grkan_device_describe(device, &properties));
    assert_string_equal(properties.name, name);
    assert_string_equal(properties.backend, "opencl");
    assert_string_equal(properties.selector, "opencl:0:0");
    grkan_device_close(device);
}

/* --------------------------------------------------------------------------------------------------------- misuse */

static void test_missing_natives_are_refused(void **state)
{
    (void)state;
    int anything = 0;
    grkan_device *device = (grkan_device *)&anything;
    EXPECT_INVALID(grkan_device_open_native("opencl", NULL, own.id, &device),
                   "context is NULL; expected a context of the backend's runtime");
    assert_null(device);
    device = (grkan_device *)&anything;
    EXPECT_INVALID(grkan_device_open_native("opencl", own.context, NULL, &device),
                   "native is NULL; expected a device of that context");
    assert_null(device);
    EXPECT_INVALID(grkan_device_open_native("opencl", own.context, own.id, NULL),
                   "device is NULL; expected where to put the device");
}

/** A context beside the caller's, with a queue and a buffer. */
typedef struct stranger {
    cl_context context;
    cl_command_queue queue;
    grkan_buffer buffer;
} stranger;

static stranger make_stranger(size_t bytes)
{
    cl_int code = CL_SUCCESS;
    stranger made = {.context = clCreateContext(NULL, 1, &own.id, NULL, NULL, &code)};
    CHECK_CL(code);
    made.queue = clCreateCommandQueue(made.context, own.id, 0, &code);
    CHECK_CL(code);
    made.buffer.base = clCreateBuffer(made.context, CL_MEM_READ_WRITE, bytes, NULL, &code);
    CHECK_CL(code);
    return made;
}

static void release_stranger(const stranger *made)
{
    CHECK_CL(clReleaseMemObject((cl_mem)made->buffer.base));
    CHECK_CL(clReleaseCommandQueue(made->queue));
    CHECK_CL(clReleaseContext(made->context));
}

static void test_a_buffer_of_another_context_is_not_copied(void **state)
{
    (void)state;
    char bytes[64] = "";
    grkan_device *const device = open_own();
    const call r = {.device = device, .memory = &own_memory};
    const stranger other = make_stranger(sizeof bytes);
    const grkan_buffer good = call_allocate(&r, sizeof bytes, 0);
    EXPECT(grkan_memory_upload(device, other.buffer, bytes, sizeof bytes), GRKAN_ERROR_DEVICE,
           "clEnqueueWriteBuffer failed: CL_INVALID_CONTEXT (-34)");
    EXPECT(grkan_memory_download(device, bytes, other.buffer, sizeof bytes), GRKAN_ERROR_DEVICE,
           "clEnqueueReadBuffer failed: CL_INVALID_CONTEXT (-34)");
    EXPECT(grkan_memory_copy(device, good, other.buffer, sizeof bytes), GRKAN_ERROR_DEVICE,
           "clEnqueueCopyBuffer failed: CL_INVALID_CONTEXT (-34)");
    call_release(&r, good, sizeof bytes);
    release_stranger(&other);
    grkan_device_close(device);
}

/** OpenCL leaves it to a runtime whether a kernel takes a buffer of another context. If not, the text tells. */
static void expect_buffer_refused_or_used(const call *r, grkan_buffer buffer)
{
    device_layer at = r->at;
    at.tensor[CHECK_Y] = buffer;
    const grkan_status status = call_forward(r->plan, &at, own.queue);
    if (status == GRKAN_SUCCESS) {
        printf("this runtime takes buffers of other contexts\n");
        CHECK_CL(clFinish(own.queue));
    } else if (strncmp(grkan_last_error(), "clSetKernelArg failed: CL_INVALID_", 34) != 0) {
        EXPECT(status, GRKAN_ERROR_DEVICE, "clEnqueueNDRangeKernel failed: CL_INVALID_...");
    }
}

/** And the plan works on afterwards. */
static void test_a_queue_of_another_context_is_refused(void **state)
{
    (void)state;
    static const char *const text = "stream is a queue of another context; expected one of the plan's device's";
    grkan_device *const device = open_own();
    call r = call_begin(device, &cases[0], &own_memory, 0);
    const stranger other = make_stranger(check_tensor_bytes(&cases[0], CHECK_Y));
    EXPECT_INVALID(call_forward(r.plan, &r.at, other.queue), text);
    EXPECT_INVALID(call_backward(r.plan, &r.at, other.queue), text);
    expect_buffer_refused_or_used(&r, other.buffer);

    char *const expected = call_expected("opencl", &cases[0]);
    call_run(&r, own.queue);
    call_expect(&r, expected, "after what was refused");
    free(expected);
    call_end(&r);
    release_stranger(&other);
    grkan_device_close(device);
}

/* ----------------------------------------------------------------------------------------------------- references */

static cl_uint references_of_context(const void *unused)
{
    (void)unused;
    cl_uint count = 0;
    CHECK_CL(clGetContextInfo(own.context, CL_CONTEXT_REFERENCE_COUNT, sizeof count, &count, NULL));
    return count;
}

static cl_uint references_of_queue(const void *unused)
{
    (void)unused;
    cl_uint count = 0;
    CHECK_CL(clGetCommandQueueInfo(own.queue, CL_QUEUE_REFERENCE_COUNT, sizeof count, &count, NULL));
    return count;
}

static cl_uint references_of_memory(const void *memory)
{
    cl_uint count = 0;
    CHECK_CL(clGetMemObjectInfo((cl_mem)memory, CL_MEM_REFERENCE_COUNT, sizeof count, &count, NULL));
    return count;
}

/** Some runtimes drop the references of finished commands a little later: wait for a count, at most 5 seconds. */
static void expect_references(cl_uint (*count)(const void *), const void *of, cl_uint expected)
{
    const struct timespec pause = {0, 10000000};
    for (int i = 0; i < 500 && count(of) != expected; i++)
        (void)nanosleep(&pause, NULL);
    assert_int_equal(count(of), expected);
}

static void test_nothing_of_the_callers_is_kept(void **state)
{
    (void)state;
    const cl_uint context = references_of_context(NULL), queue = references_of_queue(NULL);
    double milliseconds = -1;
    grkan_device *device = open_own();
    assert_true(references_of_context(NULL) > context);
    call r = call_begin(device, &cases[0], &own_memory, 0);
    expect_success(grkan_timer_start(device));
    call_run(&r, NULL);
    expect_success(grkan_timer_stop(device, &milliseconds));
    call_run(&r, own.queue);
    CHECK_CL(clFinish(own.queue));
    grkan_plan_destroy(r.plan);
    r.plan = NULL;
    for (int t = 0; t < CHECK_TENSORS; t++)
        if (check_has_tensor(r.one, (check_tensor)t))
            expect_references(references_of_memory, r.at.tensor[t].base, 1);
    expect_references(references_of_memory, r.at.workspace.base, 1);
    call_end(&r);
    grkan_device_close(device);
    expect_references(references_of_context, NULL, context);
    expect_references(references_of_queue, NULL, queue);
}

/** A device outside the context: a part of its own one, or another one. NULL if there is neither. Release it. */
static cl_device_id other_device(void)
{
    const cl_device_partition_property by[] = {CL_DEVICE_PARTITION_BY_COUNTS, 1, CL_DEVICE_PARTITION_BY_COUNTS_LIST_END,
                                               0};
    cl_device_id other = NULL;
    cl_platform_id platforms[16];
    cl_uint count = 0;
    if (clCreateSubDevices(own.id, by, 1, &other, NULL) == CL_SUCCESS)
        return other;
    CHECK_CL(clGetPlatformIDs(16, platforms, &count));
    for (cl_uint i = 0; i < count && i < 16; i++) {
        cl_device_id ids[16];
        cl_uint found = 0;
        if (clGetDeviceIDs(platforms[i], CL_DEVICE_TYPE_ALL, 16, ids, &found) != CL_SUCCESS)
            continue;
        for (cl_uint k = 0; k < found && k < 16; k++)
            if (ids[k] != own.id)
                return ids[k];
    }
    return NULL;
}

static void test_a_refused_opening_keeps_nothing(void **state)
{
    (void)state;
    const cl_uint context = references_of_context(NULL);
    const cl_device_id other = other_device();
    grkan_device *device = NULL;
    EXPECT_INVALID(grkan_device_open_native("opencl", own.context, NULL, &device), "native is NULL...");
    expect_references(references_of_context, NULL, context);
    if (other == NULL) {
        printf("there is no second device to be refused\n");
        return;
    }
    EXPECT_INVALID(grkan_device_open_native("opencl", own.context, other, &device),
                   "native is no device of the context; expected one of its 1");
    assert_null(device);
    expect_references(references_of_context, NULL, context);
    CHECK_CL(clReleaseDevice(other)); /* means nothing to one that is no part */
}

/* --------------------------------------------------------------------------------------------------------------- */

/** The device that the selector "opencl" means: the first of the first platform that has any. */
static bool find_device(void)
{
    cl_platform_id platforms[16];
    cl_uint count = 0;
    if (clGetPlatformIDs(16, platforms, &count) != CL_SUCCESS)
        return false;
    for (cl_uint i = 0; i < count && i < 16; i++)
        if (clGetDeviceIDs(platforms[i], CL_DEVICE_TYPE_ALL, 1, &own.id, NULL) == CL_SUCCESS)
            return true;
    return false;
}

static int set_up(void **state)
{
    (void)state;
    cl_int code = CL_SUCCESS;
    own.context = clCreateContext(NULL, 1, &own.id, NULL, NULL, &code);
    if (code == CL_SUCCESS)
        own.queue = clCreateCommandQueue(own.context, own.id, 0, &code);
    return code;
}

static int tear_down(void **state)
{
    (void)state;
    return clReleaseCommandQueue(own.queue) == CL_SUCCESS && clReleaseContext(own.context) == CL_SUCCESS ? 0 : -1;
}

#define ON_OWN_CONTEXT(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
    enum { exit_skipped = 77 };
    const struct CMUnitTest tests[] = {
        ON_OWN_CONTEXT(test_own_buffers_give_the_same_bits),
        ON_OWN_CONTEXT(test_an_own_device_is_the_one_that_was_given),
        ON_OWN_CONTEXT(test_missing_natives_are_refused),
        ON_OWN_CONTEXT(test_a_buffer_of_another_context_is_not_copied),
        ON_OWN_CONTEXT(test_a_queue_of_another_context_is_refused),
        ON_OWN_CONTEXT(test_nothing_of_the_callers_is_kept),
        ON_OWN_CONTEXT(test_a_refused_opening_keeps_nothing),
    };
    if (!find_device()) {
        printf("absent: opencl: no device\n");
        return must_be_present("opencl") ? EXIT_FAILURE : exit_skipped;
    }
    return cmocka_run_group_tests_name("opencl native", tests, NULL, NULL);
}
