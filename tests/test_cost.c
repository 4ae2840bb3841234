/* SPDX-License-Identifier: Apache-2.0 */
/** @file test_cost.c @brief Repeated arithmetic, predictions, what is remembered of them, and the strategy they pick. */
#define _XOPEN_SOURCE 700 /* mkdtemp */
#include <locale.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "present.h"

enum { ROWS = 40, CHANNELS = 96, ELEMENTS = ROWS * CHANNELS, GROUPS = 8, NUMERATOR = 6, DENOMINATOR = 4 * GROUPS };

static grkan_operation layer_of(int64_t rows, grkan_dtype dtype)
{
    grkan_operation operation = GRKAN_OPERATION_INIT;
    operation.outer = rows;
    operation.channels = CHANNELS;
    operation.dtype = dtype;
    return operation;
}

/** What one plan gives. */
typedef struct results {
    float y[ELEMENTS], dx[ELEMENTS], da[NUMERATOR], db[DENOMINATOR];
} results;

static grkan_buffer upload(grkan_device *device, const float *values, size_t count)
{
    void *base = NULL;
    assert_int_equal(grkan_memory_allocate(device, count * sizeof *values, &base), GRKAN_SUCCESS);
    assert_int_equal(grkan_memory_upload(device, (grkan_buffer){base, 0}, values, count * sizeof *values),
                     GRKAN_SUCCESS);
    return (grkan_buffer){base, 0};
}

static void download(grkan_device *device, float *values, grkan_buffer from, size_t count)
{
    assert_int_equal(grkan_memory_download(device, values, from, count * sizeof *values), GRKAN_SUCCESS);
}

static void run(grkan_device *device, int repeats, results *out)
{
    static const float zeros[1 << 18];
    const grkan_operation operation = layer_of(ROWS, GRKAN_F32);
    float x[ELEMENTS], dy[ELEMENTS], a[NUMERATOR], b[DENOMINATOR];
    grkan_plan *plan = NULL;
    for (int i = 0; i < ELEMENTS; i++) {
        x[i] = (float)((i * 37) % 1000 - 500) / 150.0f;
        dy[i] = (float)((i * 91) % 1000 - 400) / 300.0f;
    }
    x[7] = 1e20f; /* in 1 / x, where nothing is repeated */
    for (int i = 0; i < NUMERATOR; i++)
        a[i] = 1.0f / (float)(1 + i);
    for (int i = 0; i < DENOMINATOR; i++)
        b[i] = (i % 2 == 0 ? 0.3f : -0.2f) / (float)(1 + i % 4);
    assert_int_equal(grkan_plan_create_repeated(device, &operation, NULL, repeats, &plan), GRKAN_SUCCESS);
    const size_t workspace = grkan_plan_workspace_bytes(plan);
    assert_true(workspace <= sizeof zeros);
    const grkan_backward_arguments back = {.x = upload(device, x, ELEMENTS),
                                           .dy = upload(device, dy, ELEMENTS),
                                           .numerator = upload(device, a, NUMERATOR),
                                           .denominator = upload(device, b, DENOMINATOR),
                                           .dx = upload(device, zeros, ELEMENTS),
                                           .dnumerator = upload(device, zeros, NUMERATOR),
                                           .ddenominator = upload(device, zeros, DENOMINATOR),
                                           .workspace = upload(device, zeros, workspace / sizeof(float) + 1),
                                           .workspace_bytes = workspace};
    const grkan_forward_arguments forth = {
        .x = back.x, .numerator = back.numerator, .denominator = back.denominator, .y = back.dx};
    assert_int_equal(grkan_forward(plan, &forth, NULL), GRKAN_SUCCESS);
    download(device, out->y, back.dx, ELEMENTS);
    assert_int_equal(grkan_backward(plan, &back, NULL), GRKAN_SUCCESS);
    download(device, out->dx, back.dx, ELEMENTS);
    download(device, out->da, back.dnumerator, NUMERATOR);
    download(device, out->db, back.ddenominator, DENOMINATOR);
    const grkan_buffer all[] = {back.x,  back.dy,         back.numerator,    back.denominator,
                                back.dx, back.dnumerator, back.ddenominator, back.workspace};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        grkan_memory_free(device, all[i].base);
    grkan_plan_destroy(plan);
}

static void assert_near(const float *got, const float *want, int count, float relative)
{
    float largest = 0;
    for (int i = 0; i < count; i++)
        largest = fabsf(want[i]) > largest && fabsf(want[i]) < 1e10f ? fabsf(want[i]) : largest;
    for (int i = 0; i < count; i++)
        if (!(fabsf(got[i] - want[i]) <= relative * fmaxf(largest, fabsf(want[i]))))
            fail_msg("[%d] is %.9g; expected %.9g", i, (double)got[i], (double)want[i]);
}

static void check_repeats(grkan_device *device)
{
    static results once, often;
    run(device, 1, &once);
    run(device, 8, &often);
    assert_memory_equal(once.y, often.y, sizeof once.y);
    assert_near(often.dx, once.dx, ELEMENTS, 1e-6f);
    assert_near(often.da, once.da, NUMERATOR, 1e-5f);
    assert_near(often.db, once.db, DENOMINATOR, 1e-5f);
}

static void test_repeats_change_no_result(void **state)
{
    (void)state;
    static const char *const backends[] = {"cpu", "opencl", "cuda", "hip"};
    for (size_t i = 0; i < sizeof backends / sizeof *backends; i++) {
        grkan_device *device = open_if_present(backends[i]);
        if (device == NULL) {
            assert_false(must_be_present(backends[i]));
            continue;
        }
        check_repeats(device);
        grkan_device_close(device);
    }
}

static void test_misuse(void **state)
{
    (void)state;
    static const int bad[] = {-1, 0, 3, 128};
    const grkan_operation operation = layer_of(ROWS, GRKAN_F32);
    grkan_prediction prediction;
    grkan_device *device = NULL;
    grkan_plan *plan = NULL;
    char text[80];
    assert_int_equal(grkan_device_open("cpu", &device), GRKAN_SUCCESS);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        assert_int_equal(grkan_plan_create_repeated(device, &operation, NULL, bad[i], &plan),
                         GRKAN_ERROR_INVALID_ARGUMENT);
        snprintf(text, sizeof text, "repeats is %d; expected a power of 2 from 1 to 64", bad[i]);
        assert_string_equal(grkan_last_error(), text);
        assert_null(plan);
    }
    assert_int_equal(grkan_plan_predict(NULL, &prediction), GRKAN_ERROR_INVALID_ARGUMENT);
    assert_string_equal(grkan_last_error(), "plan is NULL; expected a plan");
    assert_int_equal(grkan_plan_create(device, &operation, NULL, &plan), GRKAN_SUCCESS);
    assert_int_equal(grkan_plan_predict(plan, NULL), GRKAN_ERROR_INVALID_ARGUMENT);
    assert_string_equal(grkan_last_error(), "prediction is NULL; expected where to put it");
    grkan_plan_destroy(plan);
    grkan_device_close(device);
}

/** Make the calling process write 0,5. @return false where no such locale can be made */
static bool use_decimal_comma(void)
{
    static const char make[] =
        "printf 'LC_NUMERIC\\ndecimal_point \",\"\\nthousands_sep \"\"\\ngrouping -1\\nEND LC_NUMERIC\\n' >%s/source &&"
        " localedef -c -i %s/source %s/comma >%s/log 2>&1";
    char folder[] = "/tmp/grkan-locale-XXXXXX", command[512];
    if (mkdtemp(folder) == NULL)
        return false;
    (void)snprintf(command, sizeof command, make, folder, folder, folder, folder);
    (void)!system(command); /* it warns of the categories that this locale does without */
    (void)setenv("LOCPATH", folder, 1);
    const bool is_made = setlocale(LC_NUMERIC, "comma") != NULL && *localeconv()->decimal_point == ',';
    (void)snprintf(command, sizeof command, "rm -r %s", folder);
    (void)!system(command);
    (void)unsetenv("LOCPATH");
    return is_made;
}

static void test_patience_is_a_number(void **state)
{
    (void)state;
    const grkan_operation operation = layer_of(ROWS, GRKAN_F32);
    const char *const usual = getenv("GRKAN_MEASURE_SECONDS");
    char *const kept = usual != NULL ? strdup(usual) : NULL;
    grkan_prediction prediction;
    grkan_device *device = NULL;
    grkan_plan *plan = NULL;
    assert_int_equal(grkan_device_open("cpu", &device), GRKAN_SUCCESS);
    assert_int_equal(grkan_plan_create(device, &operation, NULL, &plan), GRKAN_SUCCESS);
    assert_int_equal(setenv("GRKAN_CACHE", "off", 1), 0); /* nothing is known */
    assert_int_equal(setenv("GRKAN_MEASURE_SECONDS", "long", 1), 0);
    assert_int_equal(grkan_plan_predict(plan, &prediction), GRKAN_ERROR_INVALID_ARGUMENT);
    assert_string_equal(grkan_last_error(),
                        "GRKAN_MEASURE_SECONDS is 'long'; expected a number of seconds from 0 to 3600");
    if (use_decimal_comma()) {
        assert_int_equal(setenv("GRKAN_MEASURE_SECONDS", "0.01", 1), 0);
        const grkan_status status = grkan_plan_predict(plan, &prediction);
        assert_non_null(setlocale(LC_NUMERIC, "C"));
        if (status != GRKAN_SUCCESS)
            fail_msg("with a decimal comma: %s", grkan_last_error());
    } else {
        printf("no localedef: the decimal comma is left out\n");
    }
    assert_int_equal(unsetenv("GRKAN_CACHE"), 0);
    assert_int_equal(kept != NULL ? setenv("GRKAN_MEASURE_SECONDS", kept, 1) : unsetenv("GRKAN_MEASURE_SECONDS"), 0);
    free(kept);
    grkan_plan_destroy(plan);
    grkan_device_close(device);
}

static grkan_prediction predict(grkan_device *device, const grkan_operation *operation, const grkan_options *options)
{
    grkan_prediction prediction;
    grkan_plan *plan = NULL;
    assert_int_equal(grkan_plan_create(device, operation, options, &plan), GRKAN_SUCCESS);
    assert_int_equal(grkan_plan_predict(plan, &prediction), GRKAN_SUCCESS);
    grkan_plan_destroy(plan);
    return prediction;
}

static double total(const grkan_pass_prediction *pass)
{
    return pass->launch + pass->elements;
}

static void test_predictions_grow(void **state)
{
    (void)state;
    const grkan_operation small = layer_of(1000, GRKAN_F32), large = layer_of(100000, GRKAN_F32);
    grkan_operation steep = small;
    grkan_device *device = NULL;
    assert_int_equal(grkan_device_open("cpu", &device), GRKAN_SUCCESS);
    const grkan_prediction of_small = predict(device, &small, NULL), of_large = predict(device, &large, NULL);
    assert_true(of_small.forward.launch > 0 && of_small.backward.launch > 0);
    assert_true(of_small.backward.elements > 0 && of_small.backward.memory > 0);
    assert_float_equal((float)(of_large.backward.memory / of_small.backward.memory), 100, 0.01);
    assert_float_equal((float)(of_large.backward.elements / of_small.backward.elements), 100, 0.01);
    assert_int_equal(of_small.backward.launches, 1);
    assert_int_equal(of_small.backward.atomics, 0);
    steep.numerator_degree = steep.denominator_degree = 15;
    const grkan_prediction of_steep = predict(device, &steep, NULL);
    assert_true(of_steep.backward.elements >= of_small.backward.elements);
    grkan_device_close(device);
}

/** Layers narrower and wider than a block are measured on layers of their own; the fewest rows are those of `element`. */
static void test_every_width_is_predicted(void **state)
{
    (void)state;
    static const int64_t widths[] = {96, 768, 4096};
    const grkan_options options = {.strategy = GRKAN_STRATEGY_ELEMENT, .determinism = GRKAN_NONE};
    grkan_device *device = NULL;
    assert_int_equal(grkan_device_open("cpu", &device), GRKAN_SUCCESS);
    for (size_t i = 0; i < sizeof widths / sizeof *widths; i++) {
        grkan_operation operation = layer_of(1000, GRKAN_F32);
        operation.channels = widths[i];
        const grkan_prediction found = predict(device, &operation, &options);
        assert_true(found.forward.elements > 0 && found.backward.elements > 0);
    }
    grkan_device_close(device);
}

/** The same numbers again, from the device and, once it is closed, from the cache: nobody measures twice the same. */
static void test_measurements_are_kept(void **state)
{
    (void)state;
    const grkan_operation operation = layer_of(1000, GRKAN_BF16);
    grkan_device *device = NULL;
    grkan_prediction found[3];
    for (int i = 0; i < 3; i++) {
        if (i != 1)
            assert_int_equal(grkan_device_open("cpu", &device), GRKAN_SUCCESS);
        found[i] = predict(device, &operation, NULL);
        if (i != 0)
            grkan_device_close(device);
    }
    for (int i = 1; i < 3; i++) {
        assert_true(found[i].backward.elements == found[0].backward.elements);
        assert_true(found[i].backward.launch == found[0].backward.launch);
        assert_true(found[i].forward.memory == found[0].forward.memory);
    }
}

static void test_without_a_promise_the_fastest_is_picked(void **state)
{
    (void)state;
    const grkan_operation operation = layer_of(1000, GRKAN_F32);
    const grkan_options automatic = {.determinism = GRKAN_NONE};
    grkan_plan_description description;
    grkan_device *device = NULL;
    grkan_plan *plan = NULL;
    assert_int_equal(grkan_device_open("cpu", &device), GRKAN_SUCCESS);
    assert_int_equal(grkan_plan_create(device, &operation, &automatic, &plan), GRKAN_SUCCESS);
    assert_int_equal(grkan_plan_describe(plan, &description), GRKAN_SUCCESS);
    grkan_plan_destroy(plan);
    assert_int_not_equal(description.strategy, GRKAN_STRATEGY_AUTO);
    const grkan_prediction picked = predict(device, &operation, &automatic);
    for (int strategy = GRKAN_STRATEGY_ELEMENT; strategy <= GRKAN_STRATEGY_TREE; strategy++) {
        const grkan_options one = {.determinism = GRKAN_NONE, .strategy = (grkan_strategy)strategy};
        const grkan_prediction other = predict(device, &operation, &one);
        assert_true(total(&picked.backward) <= total(&other.backward));
        if (strategy == GRKAN_STRATEGY_ELEMENT)
            assert_true(other.backward.atomics == 1000u * CHANNELS * 10u);
    }
    grkan_device_close(device);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_repeats_change_no_result),
                                       cmocka_unit_test(test_misuse),
                                       cmocka_unit_test(test_patience_is_a_number),
                                       cmocka_unit_test(test_predictions_grow),
                                       cmocka_unit_test(test_every_width_is_predicted),
                                       cmocka_unit_test(test_measurements_are_kept),
                                       cmocka_unit_test(test_without_a_promise_the_fastest_is_picked)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
