/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file test_prologue_operators.c
 * @brief PyTorch's operators of prologues in C against a PyTorch that stands in for it, as test_operators.c has those without.
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
    rows = 6,
    channels = 10,
    elements = rows * channels,
    groups = 4,
    a_width = 6,
    b_width = 4,
    most_results = 2 + GRKAN_MOST_TABLES,
    y_at = most_results - 1,
    everything = (1 << most_results) - 1
};

static const double epsilon = 0.125;
static const int64_t shape[] = {rows, channels}, contiguous[] = {channels, 1}, transposed[] = {1, rows};
static const int64_t a_shape[] = {1, a_width}, b_shape[] = {groups, b_width}, one[] = {1};
static const int64_t widths[GRKAN_MOST_TABLES] = {a_width, b_width *groups, channels, channels};

/** What is computed, on an x that lies so. */
typedef struct variant {
    const char *name;
    grkan_prologue prologue;
    bool has_first, has_second;
    const int64_t *x, *dy; /* strides */
    const int64_t *dense;  /* how kernels take x, and results lie */
} variant;

static const variant variants[] = {
    {"none", GRKAN_PROLOGUE_NONE, false, false, contiguous, transposed, contiguous},
    {"bias", GRKAN_PROLOGUE_BIAS, true, false, contiguous, contiguous, contiguous},
    {"bias, transposed", GRKAN_PROLOGUE_BIAS, true, false, transposed, contiguous, transposed},
    {"layer_norm", GRKAN_PROLOGUE_LAYER_NORM, true, true, contiguous, contiguous, contiguous},
    {"layer_norm without scale, transposed", GRKAN_PROLOGUE_LAYER_NORM, false, true, transposed, transposed,
     contiguous},
    {"rms_norm without shift", GRKAN_PROLOGUE_RMS_NORM, true, false, contiguous, transposed, contiguous},
};

enum { variant_count = sizeof variants / sizeof variants[0] };

static bool is_norm(const variant *v)
{
    return v->prologue >= GRKAN_PROLOGUE_LAYER_NORM;
}

static bool has_table(const variant *v, int table)
{
    return table < GRKAN_BIAS || (table == GRKAN_BIAS ? v->has_first : v->has_second);
}

/* ------------------------------------------------------------------------------------------------------ reference */

/** What grkan itself computes: results of backward in the operator's order, dx first and y last. */
typedef struct expected {
    float mean[rows], rstd[rows], results[most_results][elements];
} expected;

/** Element n of a tensor that `filled` makes, where it lies with other strides. */
static void fill(float *numbers, const int64_t *strides, int seed)
{
    for (int64_t n = 0; n < elements; ++n)
        numbers[n / channels * strides[0] + n % channels * strides[1]] = value_of(n, seed);
}

static void compute(const variant *v, unsigned wanted, expected *e)
{
    grkan_device *device;
    grkan_plan *plan;
    float x[elements], dy[elements], tables[GRKAN_MOST_TABLES][elements];
    const bool is_last = v->dense == contiguous;
    const uint32_t known = (1u << (v->prologue == GRKAN_PROLOGUE_NONE ? 2 : is_norm(v) ? 4 : 3)) - 1;
    const grkan_options options = {.cpu_threads = 1,
                                   .frozen = (~wanted >> 1 & known) | ((wanted & 1) != 0 ? 0 : GRKAN_FROZEN_X),
                                   .writes_y = (int)(wanted >> y_at & 1)};
    const grkan_operation o = {.outer = is_last ? rows : 1,
                               .channels = channels,
                               .inner = is_last ? 1 : rows,
                               .groups = groups,
                               .rational = {a_width - 1, b_width, GRKAN_SQUARE, GRKAN_SCOPE_SHARED, GRKAN_SCOPE_GROUP},
                               .prologue = v->prologue,
                               .norm = {is_norm(v) ? epsilon : 0, is_norm(v) && v->has_first, v->has_second}};
    grkan_forward_arguments f = {.x = {x, 0}, .y = {e->results[y_at], 0}, .mean = {e->mean, 0}, .rstd = {e->rstd, 0}};
    grkan_backward_arguments b = {.x = {x, 0},
                                  .dy = {dy, 0},
                                  .dx = {e->results[0], 0},
                                  .mean = {e->mean, 0},
                                  .rstd = {e->rstd, 0},
                                  .y = {e->results[y_at], 0}};
    fill(x, v->dense, 1);
    fill(dy, v->dense, 2);
    for (int k = 0; k < GRKAN_MOST_TABLES; ++k) {
        for (int64_t n = 0; n < widths[k]; ++n)
            tables[k][n] = value_of(n, 3 + k);
        f.tables[k] = b.tables[k] = (grkan_buffer){tables[k], 0};
        b.gradients[k] = (grkan_buffer){e->results[1 + k], 0};
    }
    assert_int_equal(grkan_device_open("cpu", &device), GRKAN_SUCCESS);
    assert_int_equal(grkan_plan_create(device, &o, &options, &plan), GRKAN_SUCCESS);
    b.workspace_bytes = grkan_plan_workspace_bytes(plan);
    b.workspace.base = b.workspace_bytes > 0 ? calloc(1, b.workspace_bytes) : NULL;
    assert_int_equal(grkan_forward(plan, &f, NULL), GRKAN_SUCCESS);
    assert_int_equal(grkan_backward(plan, &b, NULL), GRKAN_SUCCESS);
    free(b.workspace.base);
    grkan_plan_destroy(plan);
    grkan_device_close(device);
}

/* ---------------------------------------------------------------------------------------------------------- calls */

static torch_tensor *empty(void)
{
    static const int64_t none[] = {0};
    return tensor_of(1, none, one, STANDIN_F32);
}

/** The tables, those that there are not as empty tensors. */
static void make_tables(const variant *v, torch_tensor **tables)
{
    static const int64_t a_strides[] = {a_width, 1}, b_strides[] = {b_width, 1}, of_channels[] = {channels};
    tables[GRKAN_NUMERATOR] = filled(2, a_shape, a_strides, 3);
    tables[GRKAN_DENOMINATOR] = filled(2, b_shape, b_strides, 4);
    for (int k = GRKAN_BIAS; k < GRKAN_MOST_TABLES; ++k)
        tables[k] = has_table(v, k) ? filled(1, of_channels, one, 3 + k) : empty();
}

static uint64_t bits_of(double number)
{
    uint64_t bits;
    memcpy(&bits, &number, sizeof bits);
    return bits;
}

static bool call_forward(const variant *v, bool with_statistics, grkan_output_dtype output, torch_tensor **made)
{
    const uint64_t numbers[] = {GRKAN_SQUARE, 1, (uint64_t)v->prologue, bits_of(epsilon), (uint64_t)output};
    torch_tensor *tensors[1 + GRKAN_MOST_TABLES] = {filled(2, shape, v->x, 1)};
    make_tables(v, &tensors[1]);
    return call_with_numbers(with_statistics ? "norm_rational_forward" : "prologue_rational_forward", "CPU", tensors,
                             1 + GRKAN_MOST_TABLES, numbers, 5, with_statistics ? 3 : 1, made);
}

/** Numbers of rows, as forward gives them; behind every second one of a longer tensor, to be copied. */
static torch_tensor *of_rows(const float *numbers)
{
    static const int64_t sizes[] = {rows}, strides[] = {2};
    torch_tensor *const t = tensor_of(1, sizes, strides, STANDIN_F32);
    for (int64_t n = 0; n < rows; ++n)
        ((float *)(void *)t->data)[2 * n] = numbers[n];
    return t;
}

static bool call_backward(const variant *v, const expected *e, unsigned wanted, torch_tensor **made)
{
    enum { count = 4 + GRKAN_MOST_TABLES };
    const uint64_t numbers[] = {GRKAN_SQUARE, (uint64_t)-1, (uint64_t)v->prologue, bits_of(epsilon), wanted};
    torch_tensor *tensors[count] = {filled(2, shape, v->dy, 2), filled(2, shape, v->x, 1)};
    make_tables(v, &tensors[2]);
    tensors[count - 2] = v->prologue == GRKAN_PROLOGUE_LAYER_NORM ? of_rows(e->mean) : empty();
    tensors[count - 1] = is_norm(v) ? of_rows(e->rstd) : empty();
    return call_with_numbers("prologue_rational_backward", "CPU", tensors, count, numbers, 5, most_results, made);
}

/** Compare a result with numbers that lie one after the other, and delete it. */
static void assert_numbers(torch_tensor *t, const float *numbers)
{
    assert_int_equal(t->dtype, STANDIN_F32);
    assert_memory_equal(t->data, numbers, (size_t)count_of(t) * sizeof *numbers);
    assert_int_equal(delete_tensor(t), 0);
}

static void assert_empty(torch_tensor *t)
{
    assert_int_equal(t->dim, 1);
    assert_int_equal(t->sizes[0], 0);
    assert_int_equal(delete_tensor(t), 0);
}

static void assert_tensor(torch_tensor *t, const float *numbers, const int64_t *strides)
{
    assert_int_equal(count_of(t), elements);
    assert_memory_equal(t->strides, strides, 2 * sizeof *strides);
    assert_numbers(t, numbers);
}

/* ---------------------------------------------------------------------------------------------------------- tests */

static void test_forward(void **state)
{
    (void)state;
    for (int i = 0; i < variant_count; ++i) {
        const variant *const v = &variants[i];
        torch_tensor *made[3];
        expected e;
        print_message("%s\n", v->name);
        compute(v, everything, &e);
        assert_true(call_forward(v, false, GRKAN_OUTPUT_AS_INPUT, made));
        assert_tensor(made[0], e.results[y_at], v->dense);
        if (is_norm(v)) {
            assert_true(call_forward(v, true, GRKAN_OUTPUT_AS_INPUT, made));
            assert_tensor(made[0], e.results[y_at], v->dense);
            if (v->prologue == GRKAN_PROLOGUE_LAYER_NORM)
                assert_numbers(made[1], e.mean);
            else
                assert_empty(made[1]);
            assert_int_equal(count_of(made[2]), rows);
            assert_numbers(made[2], e.rstd);
        }
        assert_int_equal(pytorch->alive, 0);
    }
}

static void test_backward_gives_what_is_wanted(void **state)
{
    static const unsigned sets[] = {everything, 0x1f, 0x21, 0x2a, 0};
    (void)state;
    for (int i = 0; i < variant_count; ++i)
        for (size_t k = 0; k < sizeof sets / sizeof sets[0]; ++k) {
            const variant *const v = &variants[i];
            torch_tensor *made[most_results];
            expected e;
            compute(v, sets[k], &e);
            if (!call_backward(v, &e, sets[k], made))
                fail_msg("%s: %s", v->name, pytorch->error);
            for (int result = 0; result < most_results; ++result)
                if ((sets[k] >> result & 1) == 0 || (result > 0 && result < y_at && !has_table(v, result - 1)))
                    assert_empty(made[result]);
                else if (result == 0 || result == y_at)
                    assert_tensor(made[result], e.results[result], v->dense);
                else
                    assert_numbers(made[result], e.results[result]);
            assert_int_equal(pytorch->alive, 0);
        }
}

static void test_another_type_of_y(void **state)
{
    const variant *const v = &variants[3];
    torch_tensor *y;
    (void)state;
    assert_true(call_forward(v, false, GRKAN_OUTPUT_BF16, &y));
    assert_int_equal(y->dtype, STANDIN_BF16);
    assert_int_equal(y->bytes, elements * 2);
    expected e;
    compute(v, everything, &e);
    for (int n = 0; n < elements; ++n) {
        uint16_t high;
        memcpy(&high, y->data + 2 * n, sizeof high);
        const uint32_t bits = (uint32_t)high << 16;
        float found;
        memcpy(&found, &bits, sizeof found);
        const float wanted = e.results[y_at][n], error = found > wanted ? found - wanted : wanted - found;
        assert_true(error <= 0.004f * (wanted > 0 ? wanted : -wanted));
    }
    delete_tensor(y);
    assert_int_equal(pytorch->alive, 0);
}

/** Let each call of PyTorch's fail in turn: the operator throws, names the function, and keeps nothing. */
static void test_every_failure(void **state)
{
    static const char *const names[] = {"grkan::prologue_rational", "grkan::norm_rational_forward",
                                        "grkan::prologue_rational_backward"};
    static const int counts[] = {1, 3, most_results};
    (void)state;
    for (int i = 0; i < 3 * variant_count; ++i) {
        const variant *const v = &variants[i / 3];
        const int which = i % 3;
        expected e;
        compute(v, everything, &e);
        for (int at = 1; which != 1 || is_norm(v); ++at) {
            torch_tensor *made[most_results];
            char start[128];
            pytorch->calls = 0;
            pytorch->fails_at = at;
            pytorch->failed[0] = '\0';
            const bool is_good = which == 2 ? call_backward(v, &e, everything, made)
                                            : call_forward(v, which == 1, GRKAN_OUTPUT_AS_INPUT, made);
            pytorch->fails_at = 0;
            for (int k = 0; is_good && k < counts[which]; ++k)
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
            assert_string_equal(pytorch->thrower, names[which]);
        }
    }
}

/** Call forward, or backward where a tensor stands in mean's place, which is refused. */
static void assert_refused(variant v, bool with_statistics, int64_t channel_dim, torch_tensor *first,
                           torch_tensor *mean, const char *words)
{
    enum { most = 4 + GRKAN_MOST_TABLES };
    const uint64_t numbers[] = {GRKAN_SQUARE, (uint64_t)channel_dim, (uint64_t)v.prologue, bits_of(epsilon), 0};
    torch_tensor *tensors[most], **const x = &tensors[mean != NULL];
    char text[256];
    torch_tensor *made[most_results];
    int count = 1 + GRKAN_MOST_TABLES;
    x[0] = filled(2, shape, v.x, 1);
    make_tables(&v, &x[1]);
    if (first != NULL) {
        delete_tensor(x[1 + GRKAN_BIAS]);
        x[1 + GRKAN_BIAS] = first;
    }
    if (mean != NULL) {
        tensors[0] = filled(2, shape, v.dy, 2);
        x[count] = mean;
        x[count + 1] = of_rows((const float[rows]){0});
        count = most;
    }
    assert_false(call_with_numbers(mean != NULL      ? "prologue_rational_backward"
                                   : with_statistics ? "norm_rational_forward"
                                                     : "prologue_rational_forward",
                                   "CPU", tensors, count, numbers, 5, 0, made));
    snprintf(text, sizeof text, "%s [GRKAN_ERROR_INVALID_ARGUMENT]", words);
    assert_string_equal(pytorch->error, text);
    assert_int_equal(pytorch->alive, 0);
}

static void test_refusals(void **state)
{
    static const int64_t few[] = {channels - 1}, two[] = {rows - 1, 1};
    const variant bias = variants[1], norm = variants[3];
    variant unknown = bias;
    unknown.prologue = (grkan_prologue)7;
    (void)state;
    assert_refused(bias, false, 1, filled(1, few, one, 1), NULL,
                   "bias has another shape than [10]; expected the channels of x");
    assert_refused(bias, false, 1, empty(), NULL, "bias has another shape than [10]; expected the channels of x");
    assert_refused(norm, false, 1, filled(1, few, one, 1), NULL,
                   "scale has another shape than [10]; expected the channels of x");
    assert_refused(bias, true, 1, NULL, NULL, "prologue is 1; expected that of a norm");
    assert_refused(unknown, false, 1, NULL, NULL, "operation.prologue is 7; expected a grkan_prologue");
    assert_refused(norm, false, 0, NULL, NULL, "the channels of x are dimension 0; expected the last one for a norm");
    assert_refused(norm, false, 1, NULL, filled(1, few, one, 1),
                   "mean has another shape than the rows of x; expected what forward gave");
    assert_refused(norm, false, 1, NULL, filled(2, two, (const int64_t[]){1, 1}, 1),
                   "mean has another shape than the rows of x; expected what forward gave");
    assert_refused(norm, false, 1, NULL, tensor_of(1, few, one, STANDIN_F64),
                   "mean has another dtype than goes with x; expected float32");
}

int main(int count, char **arguments)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_forward),           cmocka_unit_test(test_backward_gives_what_is_wanted),
        cmocka_unit_test(test_another_type_of_y), cmocka_unit_test(test_every_failure),
        cmocka_unit_test(test_refusals),
    };
    if (count != 3)
        return 2;
    load_operators(arguments[1], arguments[2]);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
