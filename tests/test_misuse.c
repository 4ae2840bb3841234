/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file test_misuse.c
 * @brief What plans and devices refuse: each case with its status and its text. Calls are in test_misuse_calls.c.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "../backends/backend.h"
#include "../core/platform/platform.h"

#include "misuse.h"
#include "on_cpu.h"
#include "operations.h"
#include "present.h"

/* ------------------------------------------------------------------------------------------------------- plans */

/** A field of a struct, set to a value. */
typedef struct change {
    size_t offset, bytes;
    int64_t value;
} change;

#define SET(type, field, value) {offsetof(type, field), sizeof(((type *)NULL)->field), value}
#define OPERATION(field, value) SET(grkan_operation, field, value)
#define OPTION(field, value) SET(grkan_options, field, value)

typedef struct plan_case {
    change operation[3];
    change options[2];
    grkan_status status;
    const char *text;
} plan_case;

/* A refusal names the field that it is about; make_plan sees that it also says what was expected. */
#define INVALID_OPERATION(field, value)                                                                                \
    {{OPERATION(field, value)}, {{0}}, GRKAN_ERROR_INVALID_ARGUMENT, "operation." #field " is ..."}
#define INVALID_OPTION(field, value)                                                                                   \
    {{{0}}, {OPTION(field, value)}, GRKAN_ERROR_INVALID_ARGUMENT, "options." #field " is ..."}
#define OVERFLOWING(field, value)                                                                                      \
    {{OPERATION(field, value)},                                                                                        \
     {{0}},                                                                                                            \
     GRKAN_ERROR_INVALID_ARGUMENT,                                                                                     \
     "operation.outer x channels x inner overflows: ..."}
#define UNLIKE(dtype_, output_dtype_, text)                                                                            \
    {{OPERATION(dtype, dtype_), OPERATION(output_dtype, output_dtype_)}, {{0}}, GRKAN_ERROR_INVALID_ARGUMENT, text}
#define UNORDERED(strategy_, determinism_, name)                                                                       \
    {{{0}},                                                                                                            \
     {OPTION(strategy, strategy_), OPTION(determinism, determinism_)},                                                 \
     GRKAN_ERROR_UNSUPPORTED,                                                                                          \
     "options.strategy " name " adds in no fixed order and cannot keep options.determinism ..."}

static const plan_case refused_plans[] = {
    INVALID_OPERATION(outer, -1),
    INVALID_OPERATION(channels, 0),
    INVALID_OPERATION(channels, -8),
    INVALID_OPERATION(inner, -1),
    INVALID_OPERATION(groups, 0),
    INVALID_OPERATION(groups, -8),
    INVALID_OPERATION(groups, 9),
    INVALID_OPERATION(family, 1),
    INVALID_OPERATION(family, -1),
    INVALID_OPERATION(rational.numerator_scope, GRKAN_SCOPE_CHANNEL),
    INVALID_OPERATION(rational.numerator_scope, -1),
    INVALID_OPERATION(rational.denominator_scope, GRKAN_SCOPE_CHANNEL),
    INVALID_OPERATION(rational.denominator_scope, 7),
    INVALID_OPERATION(rational.numerator_degree, -1),
    INVALID_OPERATION(rational.numerator_degree, 16),
    INVALID_OPERATION(rational.denominator_degree, -1),
    INVALID_OPERATION(rational.denominator_degree, 16),
    INVALID_OPERATION(dtype, 4),
    INVALID_OPERATION(dtype, -1),
    INVALID_OPERATION(output_dtype, 5),
    INVALID_OPERATION(output_dtype, -1),
    UNLIKE(GRKAN_F64, GRKAN_OUTPUT_F32,
           "operation.output_dtype is f32 and operation.dtype f64; expected f64 for both or for neither"),
    UNLIKE(GRKAN_BF16, GRKAN_OUTPUT_F64,
           "operation.output_dtype is f64 and operation.dtype bf16; expected f64 for both or for neither"),
    INVALID_OPERATION(rational.form, 5),
    INVALID_OPERATION(rational.form, -1),
    OVERFLOWING(outer, INT64_MAX),
    OVERFLOWING(inner, INT64_MAX),
    OVERFLOWING(outer, INT64_MAX / 32 + 1), /* the elements fit, their bytes do not */
    {{OPERATION(outer, INT64_MAX / 32 + 1), OPERATION(dtype, GRKAN_F16), OPERATION(output_dtype, GRKAN_OUTPUT_F32)},
     {{0}},
     GRKAN_ERROR_INVALID_ARGUMENT,
     "operation.outer x channels x inner overflows: ..."}, /* those of x fit, those of y do not */
    {{OPERATION(channels, 1 << 26), OPERATION(groups, 1 << 26), OPERATION(rational.denominator_scope, SHARED)},
     {{0}},
     GRKAN_ERROR_INVALID_ARGUMENT,
     "operation.groups is ..."},
    INVALID_OPTION(strategy, 4),
    INVALID_OPTION(strategy, -1),
    INVALID_OPTION(determinism, 3),
    INVALID_OPTION(determinism, -1),
    INVALID_OPTION(cpu_threads, -1),
    INVALID_OPTION(cpu_threads, 1025),
    INVALID_OPTION(cpu_simd, 2),
    INVALID_OPTION(cpu_simd, -1),
    INVALID_OPTION(cpu_parallel_context, 0x10),
    UNORDERED(GRKAN_STRATEGY_ELEMENT, GRKAN_RUN_TO_RUN, "element"),
    UNORDERED(GRKAN_STRATEGY_BLOCK, GRKAN_RUN_TO_RUN, "block"),
    UNORDERED(GRKAN_STRATEGY_ELEMENT, GRKAN_DEVICE_TO_DEVICE, "element"),
    UNORDERED(GRKAN_STRATEGY_BLOCK, GRKAN_DEVICE_TO_DEVICE, "block"),
};

static const plan_case largest_plans[] = {
    {{OPERATION(outer, INT64_MAX / 32)}, {{0}}, GRKAN_SUCCESS, "largest outer"},
    {{OPERATION(outer, 1), OPERATION(inner, INT64_MAX / 32)}, {{0}}, GRKAN_SUCCESS, "largest inner"},
    {{OPERATION(outer, 1), OPERATION(channels, INT64_MAX / 4)}, {{0}}, GRKAN_SUCCESS, "most channels"},
    {{OPERATION(channels, (1 << 26) - 1), OPERATION(groups, (1 << 26) - 1),
      OPERATION(rational.denominator_scope, SHARED)},
     {{0}},
     GRKAN_SUCCESS,
     "most groups"},
    {{OPERATION(outer, INT64_MAX / 32)},
     {OPTION(determinism, GRKAN_DEVICE_TO_DEVICE)},
     GRKAN_SUCCESS,
     "largest outer, the same bits everywhere"},
    {{{0}}, {OPTION(cpu_threads, 1024), OPTION(cpu_simd, GRKAN_CPU_SIMD_OFF)}, GRKAN_SUCCESS, "most threads"},
};

static void apply(void *to, const change *changes, size_t count)
{
    for (size_t i = 0; i < count && changes[i].bytes > 0; i++) {
        const int narrow = (int)changes[i].value;
        const void *const value = changes[i].bytes == sizeof narrow ? (const void *)&narrow : &changes[i].value;
        memcpy((char *)to + changes[i].offset, value, changes[i].bytes);
    }
}

/** Make the plan of a case. Its text is compared only if it is to be refused. */
static grkan_plan *make_plan(grkan_device *device, const plan_case *one)
{
    grkan_operation operation = GRKAN_OPERATION_INIT;
    grkan_options options = {0};
    int anything = 0;
    grkan_plan *plan = (grkan_plan *)&anything;
    operation.outer = 2;
    apply(&operation, one->operation, COUNT_OF(one->operation));
    apply(&options, one->options, COUNT_OF(one->options));
    const grkan_status status = grkan_plan_create(device, &operation, &options, &plan);
    expect(status, one->status, one->status == GRKAN_SUCCESS ? one->text : grkan_last_error(), one->text);
    if (one->status == GRKAN_ERROR_INVALID_ARGUMENT && strstr(grkan_last_error(), "; expected ") == NULL)
        fail_msg("\"%s\" does not say what was expected", grkan_last_error());
    if (one->status != GRKAN_SUCCESS)
        assert_null(plan);
    return plan;
}

static void test_plans_that_are_refused(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(refused_plans); i++)
        (void)make_plan(cpu, &refused_plans[i]);
}

static void test_plans_at_the_limits_are_made(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(largest_plans); i++) {
        grkan_plan_description description;
        grkan_plan *const plan = make_plan(cpu, &largest_plans[i]);
        assert_int_equal(grkan_plan_describe(plan, &description), GRKAN_SUCCESS);
        assert_true(description.forward.blocks >= 1 && description.backward.blocks >= 1);
        grkan_plan_destroy(plan);
    }
}

static void test_missing_arguments_of_plans(void **state)
{
    (void)state;
    const grkan_operation operation = GRKAN_OPERATION_INIT;
    grkan_plan_description description, before;
    grkan_plan *plan = NULL, *none = (grkan_plan *)&description;
    EXPECT_INVALID(grkan_plan_create(cpu, &operation, NULL, NULL), "plan is NULL; expected where to put the plan");
    EXPECT_INVALID(grkan_plan_create(NULL, &operation, NULL, &none), "device is NULL; expected an open device");
    assert_null(none);
    none = (grkan_plan *)&description;
    EXPECT_INVALID(grkan_plan_create(cpu, NULL, NULL, &none), "operation is NULL; expected an operation");
    assert_null(none);

    memset(&description, 0xA5, sizeof description);
    before = description;
    EXPECT_INVALID(grkan_plan_describe(NULL, &description), "plan is NULL; expected a plan");
    assert_memory_equal(&description, &before, sizeof before);
    assert_int_equal(grkan_plan_create(cpu, &operation, NULL, &plan), GRKAN_SUCCESS);
    EXPECT_INVALID(grkan_plan_describe(plan, NULL), "description is NULL; expected where to put it");
    grkan_plan_destroy(plan);
    grkan_plan_destroy(NULL);
    assert_int_equal(grkan_plan_workspace_bytes(NULL), 0);
}

static void hear_nothing(void *context, const grkan_kernel_launch *launch)
{
    (void)context;
    fail_msg("a refused call told of %s", launch->kernel);
}

static void test_misuse_of_compiling_without_a_device(void **state)
{
    (void)state;
    grkan_operation operation = GRKAN_OPERATION_INIT;
    const grkan_compilation nothing = {0};
    grkan_compilation made;
    EXPECT_INVALID(grkan_compile("cuda", "sm_90", NULL, &operation, NULL, NULL),
                   "compilation is NULL; expected where to put it");
    memset(&made, 0xA5, sizeof made);
    EXPECT_INVALID(grkan_compile(NULL, "sm_90", NULL, &operation, NULL, &made),
                   "backend is NULL; expected a backend's name");
    assert_memory_equal(&made, &nothing, sizeof made);
    EXPECT_INVALID(grkan_compile("cpu", NULL, NULL, &operation, NULL, &made),
                   "architecture is NULL; expected an architecture, as sm_90");
    EXPECT_INVALID(grkan_compile("cpu", "sm_90", NULL, NULL, NULL, &made), "operation is NULL; expected an operation");
    EXPECT(grkan_compile("cdua", "sm_90", NULL, &operation, NULL, &made), GRKAN_ERROR_NO_BACKEND,
           "there is no backend \"cdua\"; did you mean \"cuda\"?...");
    EXPECT(grkan_compile("cpu", "sm_90", NULL, &operation, NULL, &made), GRKAN_ERROR_UNSUPPORTED,
           "backend \"cpu\" compiles for a device that is there only; expected cuda, hip or opencl");
    operation.groups = 9;
    EXPECT_INVALID(grkan_compile("cpu", "sm_90", NULL, &operation, NULL, &made),
                   "operation.groups is 9; expected 1 to 8, the channels");
    assert_memory_equal(&made, &nothing, sizeof made);
    grkan_compilation_free(NULL);

    EXPECT_INVALID(grkan_list_launches("cpu", "sm_90", &operation, NULL, NULL, NULL),
                   "listener is NULL; expected what hears of the launches");
    EXPECT_INVALID(grkan_list_launches("cpu", "sm_90", NULL, NULL, hear_nothing, NULL),
                   "operation is NULL; expected an operation");
    operation.groups = 8;
    EXPECT(grkan_list_launches("cpu", "sm_90", &operation, NULL, hear_nothing, NULL), GRKAN_ERROR_UNSUPPORTED,
           "backend \"cpu\" compiles for a device that is there only; expected cuda, hip or opencl");
}

/* ----------------------------------------------------------------------- devices that cannot do what is asked */

static char scratch[GRKAN_PATH_BYTES];
static char module[GRKAN_PATH_BYTES + 64]; /* of hip, in there */

static void copy_file(const char *from, const char *to)
{
    static char bytes[1 << 16];
    FILE *const source = grkan_file_open(from, "rb"), *const target = grkan_file_open(to, "wb");
    assert_true(source != NULL && target != NULL);
    for (size_t got; (got = fread(bytes, 1, sizeof bytes, source)) > 0;)
        assert_int_equal(fwrite(bytes, 1, got, target), got);
    assert_int_equal(fclose(source), 0);
    assert_int_equal(fclose(target), 0);
}

/** A folder with fake_backends/weak.c as the module of hip, in front of the others. */
static void install_weak_module(void)
{
    const char *const fakes = grkan_environment("GRKAN_FAKE_BACKENDS");
    const char *const path = grkan_environment("GRKAN_BACKEND_PATH");
    char from[GRKAN_PATH_BYTES], folders[2 * GRKAN_PATH_BYTES];
    assert_true(grkan_temporary_folder(scratch, sizeof scratch));
    (void)snprintf(module, sizeof module, "%s/" GRKAN_MODULE_FILE, scratch, "hip");
    if (fakes == NULL)
        return;
    (void)snprintf(from, sizeof from, "%s/weak%s", fakes, strrchr(GRKAN_MODULE_FILE, '.'));
    copy_file(from, module);
    (void)snprintf(folders, sizeof folders, "%s%s%s", scratch, path == NULL ? "" : GRKAN_LIST_SEPARATOR,
                   path == NULL ? "" : path);
    assert_true(grkan_set_environment("GRKAN_BACKEND_PATH", folders));
}

static const struct {
    const char *selector;
    plan_case plan;
} weak_plans[] = {
    {"hip:0",
     {{OPERATION(dtype, GRKAN_F16)},
      {{0}},
      GRKAN_ERROR_UNSUPPORTED,
      "operation.dtype is f16; hip:0 (Weakling 0) does not run it"}},
    {"hip:0",
     {{OPERATION(output_dtype, GRKAN_OUTPUT_BF16)},
      {{0}},
      GRKAN_ERROR_UNSUPPORTED,
      "operation.output_dtype is bf16; hip:0 (Weakling 0) does not run it"}},
    {"hip:0",
     {{{0}},
      {OPTION(determinism, GRKAN_DEVICE_TO_DEVICE)},
      GRKAN_ERROR_UNSUPPORTED,
      "options.determinism is device_to_device; hip:0 (Weakling 0) does not promise subnormals, fma and correctly "
      "rounded division"}},
    {"hip:0",
     {{{0}},
      {OPTION(determinism, GRKAN_NONE), OPTION(strategy, GRKAN_STRATEGY_BLOCK)},
      GRKAN_ERROR_UNSUPPORTED,
      "options.strategy is block; hip:0 (Weakling 0) has no atomics for it"}},
    {"hip:0", {{{0}}, {{0}}, GRKAN_ERROR_UNSUPPORTED, "the device runs blocks of 16 threads; expected at least 32"}},
    {"hip:1",
     {{OPERATION(channels, 4096)},
      {OPTION(determinism, GRKAN_DEVICE_TO_DEVICE)},
      GRKAN_ERROR_UNSUPPORTED,
      "device_to_device needs blocks of ..."}},
    {"hip:1", {{{0}}, {{0}}, GRKAN_ERROR_DEVICE, "a fake backend runs nothing"}}, /* at its very last step */
};

static void test_devices_that_lack_something(void **state)
{
    (void)state;
    if (grkan_environment("GRKAN_FAKE_BACKENDS") == NULL) {
        printf("GRKAN_FAKE_BACKENDS is not set\n");
        skip();
    }
    for (size_t i = 0; i < COUNT_OF(weak_plans); i++) {
        grkan_device *device = NULL;
        if (grkan_device_open(weak_plans[i].selector, &device) != GRKAN_SUCCESS)
            fail_msg("%s", grkan_last_error());
        (void)make_plan(device, &weak_plans[i].plan);
        grkan_device_close(device);
    }
}

/* ------------------------------------------------------------- refusals of a vendor's runtime, through the module */

static char said[16384];

static grkan_status hear(grkan_status status, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(said, sizeof said, format, arguments);
    va_end(arguments);
    return status;
}

static const grkan_host own_host = {.set_error = hear};

/** Load the module of OpenCL from a folder; NULL if it is not there. */
static const grkan_backend *load_from(const char *folder, size_t length)
{
    char file[GRKAN_PATH_BYTES];
    (void)snprintf(file, sizeof file, "%.*s/" GRKAN_MODULE_FILE, (int)length, folder, "opencl");
    if (length == 0 || !grkan_is_file(file))
        return NULL;
    grkan_library *const library = grkan_library_open(file);
    if (library == NULL)
        fail_msg("%s", grkan_library_error());
    return grkan_library_symbol(library, GRKAN_BACKEND_SYMBOL);
}

/** From GRKAN_BACKEND_PATH, or from beside the library, as in a build folder. */
static const grkan_backend *load_opencl(void)
{
    const grkan_backend *found = NULL;
    char own[GRKAN_PATH_BYTES];
    for (const char *folder = grkan_environment("GRKAN_BACKEND_PATH"); folder != NULL && found == NULL;) {
        const size_t length = strcspn(folder, GRKAN_LIST_SEPARATOR);
        found = load_from(folder, length);
        folder = folder[length] != '\0' ? folder + length + 1 : NULL;
    }
    if (found == NULL && grkan_library_folder((const void *)(uintptr_t)grkan_version, own, sizeof own))
        found = load_from(own, strlen(own));
    return found;
}

/** Open its first device, heard by this program. Skips the test if there is none and none was asked for. */
static grkan_backend_device *open_opencl(const grkan_backend **backend)
{
    grkan_backend_device *device = NULL;
    int count = 0;
    (void)snprintf(said, sizeof said, "there is no module");
    *backend = load_opencl();
    if (*backend != NULL && (*backend)->count(&own_host, &count) == GRKAN_SUCCESS)
        assert_int_equal((*backend)->open(0, &device), GRKAN_SUCCESS);
    if (device == NULL) {
        printf("absent: opencl: %s\n", said);
        if (must_be_present("opencl"))
            fail_msg("GRKAN_TEST_DEVICES names opencl");
        skip();
    }
    return device;
}

static grkan_compile_request request_of(const char *source)
{
    return (grkan_compile_request){source, "-DGRKAN_DTYPE=0 -DGRKAN_STRATEGY=3 -DGRKAN_SEGMENTED=0", 0, 0, "", NULL};
}

static void test_a_compile_error_holds_the_log(void **state)
{
    (void)state;
    const grkan_backend *opencl = NULL;
    grkan_backend_device *const device = open_opencl(&opencl);
    const grkan_compile_request request = request_of("#error the compiler repeats this sentence\n");
    grkan_blob binary = {NULL, 0};
    expect(opencl->compile(device, &request, &binary, NULL), GRKAN_ERROR_COMPILE, said, "clBuildProgram failed: ...");
    if (strstr(said, "the compiler repeats this sentence") == NULL)
        fail_msg("there is no log in \"%s\"", said);
    assert_null(binary.data);
    opencl->close(device);
}

/** Load a binary that is to be refused: by which call, and as what, is the runtime's to say. */
static void expect_unloadable(const grkan_backend *opencl, grkan_backend_device *device, grkan_blob binary)
{
    static const grkan_plan_data plan = {.backward.columns.block = 32};
    grkan_backend_program *program = NULL;
    said[0] = '\0';
    const grkan_status status = opencl->load(device, &plan, &binary, &program);
    if (status != GRKAN_ERROR_DEVICE && status != GRKAN_ERROR_COMPILE)
        fail_msg("%s for a binary of %zu bytes", grkan_status_name(status), binary.bytes);
    if (strncmp(said, "cl", 2) != 0 || strstr(said, " failed: ") == NULL)
        fail_msg("\"%s\" names no call that failed", said);
    assert_null(program);
}

static void test_damaged_binaries_are_refused(void **state)
{
    (void)state;
    const grkan_backend *opencl = NULL;
    grkan_backend_device *const device = open_opencl(&opencl);
    const grkan_compile_request request = request_of("__kernel void not_of_grkan(void) {}\n");
    grkan_blob binary = {NULL, 0};
    char garbage[256];
    memset(garbage, 0xA5, sizeof garbage);
    expect_unloadable(opencl, device, (grkan_blob){garbage, sizeof garbage});
    expect_unloadable(opencl, device, (grkan_blob){NULL, 0});

    if (opencl->compile(device, &request, &binary, NULL) != GRKAN_SUCCESS)
        fail_msg("%s", said);
    expect_unloadable(opencl, device, binary);
    assert_memory_equal(said, "clCreateKernel", strlen("clCreateKernel")); /* whole, but of other kernels */
    memset(binary.data, 0xA5, 16);
    expect_unloadable(opencl, device, binary);
    free(binary.data);
    opencl->close(device);
}

static void test_too_much_memory_is_refused(void **state)
{
    (void)state;
    const grkan_backend *opencl = NULL;
    grkan_backend_device *const device = open_opencl(&opencl);
    void *base = NULL;
    expect(opencl->allocate(device, SIZE_MAX / 2, &base), GRKAN_ERROR_OUT_OF_MEMORY, said,
           "bytes is 9223372036854775807; expected at most ...");
    assert_null(base);
    opencl->close(device);
}

/* --------------------------------------------------------------------------------------------------------------- */

static int set_up(void **state)
{
    install_weak_module();
    return open_cpu(state);
}

static int tear_down(void **state)
{
    (void)close_cpu(state);
    grkan_file_remove(module); /* where a library that is loaded can be removed */
    grkan_remove_folder(scratch);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_plans_that_are_refused),
        cmocka_unit_test(test_plans_at_the_limits_are_made),
        cmocka_unit_test(test_missing_arguments_of_plans),
        cmocka_unit_test(test_misuse_of_compiling_without_a_device),
        cmocka_unit_test(test_devices_that_lack_something),
        cmocka_unit_test(test_a_compile_error_holds_the_log),
        cmocka_unit_test(test_damaged_binaries_are_refused),
        cmocka_unit_test(test_too_much_memory_is_refused),
    };
    return cmocka_run_group_tests_name("misuse", tests, set_up, tear_down);
}
