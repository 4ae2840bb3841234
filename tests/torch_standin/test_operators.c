/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file test_operators.c
 * @brief PyTorch's operators in C against a PyTorch that stands in for it: results, refusals, and what is left over when any
 * of PyTorch's functions fails. Takes the paths of libgrkan_torch.so and of the stand-in.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <grkan/grkan.h>

#include "loading.h"

enum {
    batch = 3,
    channels = 10,
    length = 4,
    elements = batch * channels * length,
    groups = 4,
    a_width = 6,
    b_width = 4
};

static const int64_t shape[] = {batch, channels, length};
static const int64_t a_shape[] = {1, a_width}, a_strides[] = {a_width, 1};
static const int64_t b_shape[] = {groups, b_width}, b_strides[] = {b_width, 1}, b_transposed[] = {1, groups};

/* --------------------------------------------------------------------------------------------- numbers and layouts */

/** How x and its like lie. */
typedef struct layout {
    const char *name;
    int64_t x[3];
    int64_t dy[3];
    int64_t dense[3]; /* how kernels take x, and results lie: */
    int64_t outer;    /* what lies slower than the channels, */
    int64_t inner;    /* and what faster */
    const int64_t *b;
} layout;

#define CONTIGUOUS {channels * length, length, 1}
#define CHANNELS_LAST {channels * length, 1, channels}
#define REVERSED {1, batch, batch * channels}

static const layout layouts[] = {
    {"contiguous", CONTIGUOUS, CONTIGUOUS, CONTIGUOUS, batch, length, b_strides},
    {"channels last", CHANNELS_LAST, CHANNELS_LAST, CHANNELS_LAST, batch *length, 1, b_strides},
    {"reversed, dy and a table otherwise", REVERSED, CONTIGUOUS, REVERSED, length, batch, b_transposed},
    {"with gaps", {2 * channels * length, 2 * length, 2}, REVERSED, CONTIGUOUS, batch, length, b_strides},
    {"one for all", {0, length, 1}, {0, 0, 0}, CONTIGUOUS, batch, length, b_strides},
};

enum { layout_count = sizeof layouts / sizeof layouts[0] };

/** A tensor of x's shape, without memory. */
static torch_tensor shaped(const int64_t *strides)
{
    torch_tensor t = {.dim = 3};
    memcpy(t.sizes, shape, sizeof shape);
    memcpy(t.strides, strides, sizeof shape);
    return t;
}

/** What element n holds when several may lie at one place. */
static float value_in(const int64_t *strides, int64_t n, int seed)
{
    const torch_tensor t = shaped(strides);
    const int64_t place = place_of(&t, n);
    float found = 0.0f;
    for (int64_t other = 0; other < elements; ++other) /* the last that was written there */
        if (place_of(&t, other) == place)
            found = value_of(other, seed);
    return found;
}

/* ------------------------------------------------------------------------------------------------------ reference */

/** What grkan itself computes, from memory that lies as kernels take it. */
typedef struct expected {
    float y[elements], dx[elements], da[a_width], db[groups * b_width];
} expected;

static void compute(const layout *l, grkan_determinism determinism, expected *e)
{
    grkan_device *device;
    grkan_plan *plan;
    float x[elements], dy[elements], a[a_width], b[groups * b_width];
    const grkan_options options = {.determinism = determinism, .cpu_threads = 1};
    const torch_tensor dense = shaped(l->dense);
    const grkan_operation o = {
        .outer = l->outer,
        .channels = channels,
        .inner = l->inner,
        .groups = groups,
        .rational = {a_width - 1, b_width, GRKAN_ABS_TERMS, GRKAN_SCOPE_SHARED, GRKAN_SCOPE_GROUP},
    };
    for (int64_t n = 0; n < elements; ++n) {
        x[place_of(&dense, n)] = value_in(l->x, n, 1);
        dy[place_of(&dense, n)] = value_in(l->dy, n, 2);
    }
    for (int64_t n = 0; n < a_width; ++n)
        a[n] = value_of(n, 3);
    for (int64_t n = 0; n < groups * b_width; ++n)
        b[n] = value_of(n, 4);
    assert_int_equal(grkan_device_open("cpu", &device), GRKAN_SUCCESS);
    assert_int_equal(grkan_plan_create(device, &o, &options, &plan), GRKAN_SUCCESS);
    const size_t bytes = grkan_plan_workspace_bytes(plan);
    void *const workspace = bytes > 0 ? calloc(1, bytes) : NULL;
    assert_int_equal(
        grkan_forward(plan, &(grkan_forward_arguments){.x = {x, 0}, .tables = {{a, 0}, {b, 0}}, .y = {e->y, 0}}, NULL),
        GRKAN_SUCCESS);
    assert_int_equal(grkan_backward(plan,
                                    &(grkan_backward_arguments){.x = {x, 0},
                                                                .dy = {dy, 0},
                                                                .tables = {{a, 0}, {b, 0}},
                                                                .dx = {e->dx, 0},
                                                                .gradients = {{e->da, 0}, {e->db, 0}},
                                                                .workspace = {workspace, 0},
                                                                .workspace_bytes = bytes},
                                    NULL),
                     GRKAN_SUCCESS);
    free(workspace);
    grkan_plan_destroy(plan);
    grkan_device_close(device);
}

/* ---------------------------------------------------------------------------------------------------------- calls */

static bool call(const char *name, torch_tensor *const *tensors, int count, int64_t form, int64_t channel_dim,
                 int results, torch_tensor **made)
{
    return call_operator(name, "CPU", tensors, count, form, channel_dim, results, made);
}

static bool call_forward(const layout *l, torch_tensor **y)
{
    torch_tensor *const tensors[] = {filled(3, shape, l->x, 1), filled(2, a_shape, a_strides, 3),
                                     filled(2, b_shape, l->b, 4)};
    return call("rational_forward", tensors, 3, GRKAN_ABS_TERMS, 1, 1, y);
}

static bool call_backward(const layout *l, torch_tensor **gradients)
{
    torch_tensor *const tensors[] = {filled(3, shape, l->dy, 2), filled(3, shape, l->x, 1),
                                     filled(2, a_shape, a_strides, 3), filled(2, b_shape, l->b, 4)};
    return call("rational_backward", tensors, 4, GRKAN_ABS_TERMS, -2, 3, gradients);
}

/** Compare a result with numbers that lie with the same strides, and delete it. */
static void assert_result(torch_tensor *t, const float *numbers, const int64_t *strides)
{
    for (int64_t i = 0; i < t->dim; ++i)
        assert_int_equal(t->strides[i], strides[i]);
    if (t->bytes > 0)
        assert_memory_equal(t->data, numbers, t->bytes);
    delete_tensor(t);
}

/* ---------------------------------------------------------------------------------------------------------- tests */

static void test_registration(void **state)
{
    static const char *const names[] = {"rational", "rational_forward", "rational_backward"};
    (void)state;
    for (size_t i = 0; i < sizeof names / sizeof names[0]; ++i) {
        char start[64];
        snprintf(start, sizeof start, "%s(Tensor ", names[i]);
        assert_non_null(strstr(pytorch->schemas, start));
        assert_non_null(kernel_of(names[i], "CPU"));
        assert_non_null(kernel_of(names[i], "CUDA"));
    }
}

static void test_results_are_those_of_grkan(void **state)
{
    (void)state;
    for (int i = 0; i < layout_count; ++i) {
        const layout *const l = &layouts[i];
        torch_tensor *y, *gradients[3];
        expected e;
        compute(l, GRKAN_RUN_TO_RUN, &e);
        print_message("%s\n", l->name);
        assert_true(call_forward(l, &y));
        assert_result(y, e.y, l->dense);
        assert_true(call_backward(l, gradients));
        assert_result(gradients[0], e.dx, l->dense);
        assert_result(gradients[1], e.da, a_strides);
        assert_result(gradients[2], e.db, b_strides);
        assert_int_equal(pytorch->alive, 0);
    }
}

static void test_determinism(void **state)
{
    torch_tensor *gradients[3];
    expected e;
    (void)state;
    assert_int_equal(set_determinism(GRKAN_DEVICE_TO_DEVICE), GRKAN_SUCCESS);
    compute(&layouts[0], GRKAN_DEVICE_TO_DEVICE, &e);
    assert_true(call_backward(&layouts[0], gradients));
    assert_result(gradients[0], e.dx, layouts[0].x);
    assert_result(gradients[1], e.da, a_strides);
    assert_result(gradients[2], e.db, b_strides);
    assert_int_equal(set_determinism(GRKAN_DEVICE_TO_DEVICE + 1), GRKAN_ERROR_INVALID_ARGUMENT);
    assert_int_equal(set_determinism(-1), GRKAN_ERROR_INVALID_ARGUMENT);
    assert_int_equal(set_determinism(GRKAN_RUN_TO_RUN), GRKAN_SUCCESS);
    assert_int_equal(pytorch->alive, 0);
}

/** Let each call of PyTorch's fail in turn: the operator throws, names the function, and keeps nothing. */
static void test_every_failure(void **state)
{
    (void)state;
    for (int i = 0; i < 2 * layout_count; ++i) {
        const layout *const l = &layouts[i / 2];
        const bool is_forward = i % 2 == 0;
        for (int at = 1;; ++at) {
            torch_tensor *made[3];
            char start[128];
            pytorch->calls = 0;
            pytorch->fails_at = at;
            pytorch->failed[0] = '\0';
            const bool is_good = is_forward ? call_forward(l, made) : call_backward(l, made);
            pytorch->fails_at = 0;
            for (int k = 0; is_good && k < (is_forward ? 1 : 3); ++k)
                delete_tensor(made[k]);
            assert_int_equal(pytorch->alive, 0);
            if (pytorch->failed[0] == '\0') {
                assert_true(is_good);
                assert_true(at > 20); /* there were failures */
                break;
            }
            snprintf(start, sizeof start, "PyTorch's %s failed", pytorch->failed);
            assert_false(is_good);
            assert_int_equal(strncmp(pytorch->error, start, strlen(start)), 0);
            assert_non_null(strstr(pytorch->error, " [GRKAN_ERROR_DEVICE]"));
            assert_string_equal(pytorch->thrower, is_forward ? "grkan::rational" : "grkan::rational_backward");
        }
    }
}

/** Calls of the cpu come with no stream, and share a workspace: the allocator makes their results alone. */
static void test_a_workspace_is_kept(void **state)
{
    enum { rows = 4096, wide = 64 };
    static const int64_t sizes[] = {rows, wide}, strides[] = {wide, 1};
    (void)state;
    for (int again = 0; again < 2; ++again) {
        torch_tensor *const tensors[] = {filled(2, sizes, strides, 2), filled(2, sizes, strides, 1),
                                         filled(2, a_shape, a_strides, 3), filled(2, b_shape, b_strides, 4)};
        torch_tensor *made[3];
        pytorch->made = pytorch->cleared = 0;
        assert_true(call("rational_backward", tensors, 4, GRKAN_ABS_TERMS, -1, 3, made));
        assert_int_equal(pytorch->made, 3);
        assert_int_equal(pytorch->cleared, 0);
        for (int i = 0; i < 3; ++i)
            delete_tensor(made[i]);
    }
    assert_int_equal(pytorch->alive, 0);
}

static void test_without_elements(void **state)
{
    static const int64_t sizes[] = {4, 0, 10}, strides[] = {10, 10, 1};
    static const float zeros[groups * b_width];
    torch_tensor *const tensors[] = {filled(3, sizes, strides, 2), filled(3, sizes, strides, 1),
                                     filled(2, a_shape, a_strides, 3), filled(2, b_shape, b_strides, 4)};
    torch_tensor *made[3];
    (void)state;
    assert_true(call("rational_backward", tensors, 4, GRKAN_SQUARE, -1, 3, made));
    assert_result(made[0], zeros, strides);
    assert_result(made[1], zeros, a_strides);
    assert_result(made[2], zeros, b_strides);
    assert_int_equal(pytorch->alive, 0);
}

/** More sizes than plans are kept: those beyond are made for their call. */
static void test_more_sizes_than_plans(void **state)
{
    (void)state;
    for (int64_t rows = 1; rows <= 1100; ++rows) {
        const int64_t sizes[] = {rows, channels}, strides[] = {channels, 1};
        torch_tensor *const tensors[] = {filled(2, sizes, strides, 1), filled(2, a_shape, a_strides, 3),
                                         filled(2, b_shape, b_strides, 4)};
        torch_tensor *y;
        assert_true(call("rational", tensors, 3, GRKAN_ABS_TERMS, -1, 1, &y));
        delete_tensor(y);
    }
    assert_int_equal(pytorch->alive, 0);
}

/** What is refused. */
static const struct {
    const char *text;
    int64_t shape[2][2]; /* of numerator and denominator */
    int64_t form;
    int64_t channel_dim;
    int32_t x; /* types, of which 0 is f32 */
    int32_t a;
} refused[] = {
    {"x has a dtype (PyTorch's number 111) that no kernel takes; expected float32, float16, bfloat16 or float64",
     {{1, 6}, {4, 4}},
     0,
     1,
     STANDIN_INT32,
     0},
    {"numerator has another dtype than goes with x; expected float32", {{1, 6}, {4, 4}}, 0, 1, 0, STANDIN_F64},
    {"numerator has another dtype than goes with x; expected float64", {{1, 6}, {4, 4}}, 0, 1, STANDIN_F64, 0},
    {"channel_dim is 3; expected a dimension of x, which has 3", {{1, 6}, {4, 4}}, 0, 3, 0, 0},
    {"channel_dim is -4; expected a dimension of x, which has 3", {{1, 6}, {4, 4}}, 0, -4, 0, 0},
    {"numerator has 2 rows; expected 1, which all groups share, or 4", {{2, 6}, {4, 4}}, 0, 1, 0, 0},
    {"operation.groups is 11; expected 1 to 10, the channels", {{1, 6}, {11, 4}}, 0, 1, 0, 0},
    {"operation.rational.form is 5; expected a grkan_form", {{1, 6}, {4, 4}}, 5, 1, 0, 0},
    {"operation.rational.numerator_degree is -1; expected 0 to 15", {{1, 0}, {4, 4}}, 0, 1, 0, 0},
};

static void test_refusals(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof refused / sizeof refused[0]; ++i) {
        const int64_t *const a = refused[i].shape[0], *const b = refused[i].shape[1];
        const int32_t x_dtype = refused[i].x != 0 ? refused[i].x : STANDIN_F32;
        const int32_t a_dtype = refused[i].a != 0 ? refused[i].a : STANDIN_F32;
        torch_tensor *const tensors[] = {tensor_of(3, shape, layouts[0].x, x_dtype),
                                         tensor_of(2, a, (int64_t[]){a[1], 1}, a_dtype),
                                         tensor_of(2, b, (int64_t[]){b[1], 1}, STANDIN_F32)};
        char text[256];
        torch_tensor *y;
        snprintf(text, sizeof text, "%s [GRKAN_ERROR_INVALID_ARGUMENT]", refused[i].text);
        assert_false(call("rational", tensors, 3, refused[i].form, refused[i].channel_dim, 1, &y));
        assert_string_equal(pytorch->error, text);
        assert_int_equal(pytorch->alive, 0);
    }
}

/** dy that is not of x's kind, a table that is none, a GPU whose streams PyTorch does not tell of. */
static void test_refused_tensors(void **state)
{
    static const int64_t narrow[] = {batch, channels, length - 1};
    const layout *const l = &layouts[0];
    torch_tensor *made[3];
    (void)state;
    torch_tensor *const other_dy[] = {filled(3, narrow, l->x, 2), filled(3, shape, l->x, 1),
                                      filled(2, a_shape, a_strides, 3), filled(2, b_shape, b_strides, 4)};
    assert_false(call("rational_backward", other_dy, 4, 0, 1, 3, made));
    assert_string_equal(pytorch->error, "dy has another shape or dtype than x; expected both as those of x "
                                        "[GRKAN_ERROR_INVALID_ARGUMENT]");
    torch_tensor *const no_table[] = {filled(3, shape, l->x, 1), filled(1, a_shape + 1, a_strides + 1, 3),
                                      filled(2, b_shape, b_strides, 4)};
    assert_false(call("rational", no_table, 3, 0, 1, 1, made));
    assert_string_equal(pytorch->error,
                        "numerator has 1 dimensions; expected [groups, coefficients] [GRKAN_ERROR_INVALID_ARGUMENT]");
    torch_tensor *const elsewhere[] = {filled(3, shape, l->x, 1), filled(2, a_shape, a_strides, 3),
                                       filled(2, b_shape, b_strides, 4)};
    elsewhere[2]->device_type = STANDIN_CUDA;
    elsewhere[2]->device_index = 0;
    assert_false(call("rational", elsewhere, 3, 0, 1, 1, made));
    assert_string_equal(pytorch->error, "denominator lies on another device than x; expected that of x "
                                        "[GRKAN_ERROR_INVALID_ARGUMENT]");
    assert_int_equal(pytorch->alive, 0);
}

int main(int count, char **arguments)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_registration),
        cmocka_unit_test(test_results_are_those_of_grkan),
        cmocka_unit_test(test_determinism),
        cmocka_unit_test(test_every_failure),
        cmocka_unit_test(test_a_workspace_is_kept),
        cmocka_unit_test(test_without_elements),
        cmocka_unit_test(test_refusals),
        cmocka_unit_test(test_refused_tensors),
        cmocka_unit_test(test_more_sizes_than_plans),
    };
    if (count != 3)
        return 2;
    load_operators(arguments[1], arguments[2]);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
