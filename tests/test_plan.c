/* SPDX-License-Identifier: Apache-2.0 */
/** @file test_plan.c @brief What plans decide for many shapes on many devices, none of which need be there. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "../core/internal.h"

#define COUNT_OF(array) (sizeof(array) / sizeof((array)[0]))
#define ONE_MIB ((size_t)1 << 20)

/** The same tuning for everything. */
#define ALIKE(...)                                                                                                     \
    {                                                                                                                  \
        __VA_ARGS__, __VA_ARGS__, __VA_ARGS__, __VA_ARGS__, __VA_ARGS__, __VA_ARGS__                                   \
    }

/** From a device with little of everything to one with more than there is yet. */
static const grkan_device_limits devices[] = {
    {.compute_units = 1,
     .least_elements = 1,
     .max_block = 64,
     .max_vector_bytes = 0,
     .tunings = ALIKE({64, 1, 1, 1}),
     .local_bytes = 32768},
    {.compute_units = 132,
     .least_elements = 32,
     .max_block = 512,
     .max_vector_bytes = 16,
     .tunings = {{384, 1152, 3, 1},
                 {384, 1152, 3, 1},
                 {480, 960, 1, 1, 4, 1536},
                 {384, 384, 1, 2},
                 {384, 768, 1, 1},
                 {384, 512, 1, 1}},
     .registers = 65536,
     .local_bytes = 49152},
    {.compute_units = 1024,
     .least_elements = 1,
     .max_block = 1024,
     .max_vector_bytes = 16,
     .tunings = ALIKE({1024, 16384, 1, 1}),
     .local_bytes = 262144},
    {.compute_units = 128,
     .is_fixed = 1,
     .least_elements = 160,
     .max_block = 1024,
     .max_vector_bytes = 0,
     .tunings = ALIKE({768, 1, 1, 1}),
     .local_bytes = 262144},
};

static const int64_t outers[] = {1, 7, 197, 201728, INT64_C(1) << 32};
static const int64_t channels[] = {1, 3, 24, 255, 768, 1000, 3072, 65536, 1000003};
static const int64_t groups[] = {1, 2, 8, 64, 255, 10000, 1000003};
static const int64_t inners[] = {1, 4, 49, 3136, 1000003};
static const int degrees[][2] = {{5, 4}, {0, 0}, {15, 15}};

/** A row that is cut into more spans than this may need more, if groups share gradients: one part for each span. */
enum { most_spans = 4000 };

static struct {
    long plans, exceptions, of_pairs, of_parts; /* chunks of two groups; blocks with fewer groups than fit */
    size_t largest;
} seen;

/** Hold the cut of a pass against what kernels rely on. */
static void check_cut(const grkan_operation *o, const grkan_tiling *t)
{
    const int64_t smallest = o->channels / o->groups * o->inner;
    assert_true(t->block > 0 && t->row_lanes > 0 && t->row_lanes * t->span_chunks <= t->block);
    assert_true(t->span_groups > 0 && t->spans == (o->groups + t->span_groups - 1) / t->span_groups);
    assert_true(t->sets == 1 || t->sets == t->vector);
    if (t->sets == 1)
        assert_true(smallest % t->vector == 0 && (t->larger_groups == 0 || o->inner % t->vector == 0));
    if (t->folds > 1)
        assert_true(t->span_groups == 1 && t->sets == 1);
    else
        assert_true(grkan_operation_group_start(o, t->span_groups) * o->inner <= (int64_t)t->span_chunks * t->vector);
    for (int64_t group = 0; group < o->groups; group += t->span_groups * (1 + t->spans / 8))
        assert_true(grkan_operation_group_start(o, group) * o->inner % t->vector == 0);
    assert_true(o->channels * o->inner % t->vector == 0);
    seen.of_pairs += t->sets > 1;
    seen.of_parts += t->spans > 1 && t->span_groups * 2 * smallest <= (int64_t)t->block * t->vector;
}

/** Hold how often threads visit rows, and where a block's threads are, against what kernels rely on. */
static void check_visits(const grkan_tiling *t)
{
    const int64_t whole = t->whole_stripes * t->stripe_rows; /* rows of the stripes where all have most_visits */
    if (t->tile_rows / t->row_step > INT32_MAX)
        return; /* more rows for one block than any memory holds */
    assert_int_equal(t->fewer_visits * t->row_step + t->more_rows, t->tile_rows);
    assert_true(t->more_rows >= whole && t->more_rows < whole + t->row_step);
    if (t->whole_stripes == 0)
        assert_int_equal(t->most_visits, t->fewer_visits + (t->more_rows > 0));
    int wrong = 0; /* quotients by the inverse */
    for (int thread = 0; thread < t->block; ++thread)
        wrong += (int64_t)thread * t->span_inverse >> 31 != thread / t->span_chunks;
    assert_int_equal(wrong, 0);
}

/** Hold what a block does with its sums against what kernels rely on. */
static void check_sums(const grkan_plan_data *plan)
{
    const grkan_operation *const o = &plan->operation;
    const grkan_tiling *const t = &plan->backward;
    const int64_t reach = t->stripe_rows < t->tile_rows ? t->stripe_rows : t->tile_rows;
    assert_int_equal(t->most_visits, (int)((reach + t->row_step - 1) / t->row_step));
    assert_true(t->flush > 0 && t->kept_lanes > 0 && t->kept_lanes <= t->row_lanes);
    assert_true(1 << t->slices_log2 <= MOST_SLICES && 1 << t->shared_slices_log2 <= MOST_SLICES);
    /* Slices of an output are in one round of a block's threads. */
    if (t->slices_log2 > 0 || t->shared_slices_log2 > 0)
        assert_true(t->all_slices <= t->block);
    assert_int_equal(t->denominator_slices % (1 << (t->denominator_shared ? t->shared_slices_log2 : t->slices_log2)),
                     0);
    const int64_t numerator = o->numerator_groups * (o->numerator_degree + 1);
    const int64_t denominator = o->denominator_groups * plan->denominator_coefficients;
    assert_true(t->numerator_lanes >= 0 && t->numerator_lanes <= MOST_COMBINE_LANES);
    assert_true(t->denominator_lanes >= 0 && t->denominator_lanes <= MOST_COMBINE_LANES);
    assert_int_equal(t->numerator_lanes > 0, plan->numerator_parts > 1);
    assert_int_equal(t->denominator_lanes > 0, plan->denominator_parts > 1);
    /* Lanes of a number are in one round of a block's threads. */
    if (t->numerator_lanes > 1 || t->denominator_lanes > 1)
        assert_true(numerator * t->numerator_lanes + denominator * t->denominator_lanes <= t->block);
}

/** Hold the plan of one operation on one device against what every plan promises. */
static void check_plan(const grkan_device_limits *limits, const grkan_operation *o, grkan_determinism determinism)
{
    const grkan_options options = {.determinism = determinism};
    grkan_plan_data data = {0};
    if (grkan_plan_decide(o, &options, &data) != GRKAN_SUCCESS)
        return; /* more elements than 64 bits can count */
    const grkan_status status = grkan_plan_tile(limits, &data);
    if (status == GRKAN_ERROR_UNSUPPORTED)
        return; /* too little local memory, or threads */
    assert_int_equal(status, GRKAN_SUCCESS);
    if (data.workspace_bytes > ONE_MIB && data.backward.stripes > 1)
        fail_msg(
            "%zu bytes of workspace for %lld x %lld x %lld, %lld groups, %lld and %lld of coefficients, degrees %d "
            "and %d, %s, on a device of %d units",
            data.workspace_bytes, (long long)o->outer, (long long)o->channels, (long long)o->inner,
            (long long)o->groups, (long long)o->numerator_groups, (long long)o->denominator_groups, o->numerator_degree,
            o->denominator_degree, grkan_dtype_name(o->dtype), limits->compute_units);
    assert_true(data.workspace_bytes <= ONE_MIB || data.backward.spans > most_spans);
    check_cut(&data.operation, &data.forward); /* where all groups share all coefficients, it has one group */
    check_cut(&data.operation, &data.backward);
    check_visits(&data.forward);
    check_visits(&data.backward);
    check_sums(&data);
    seen.plans++;
    seen.exceptions += data.workspace_bytes > ONE_MIB;
    seen.largest = data.workspace_bytes > seen.largest ? data.workspace_bytes : seen.largest;
}

static void check_shape(grkan_operation o)
{
    for (int k = 0; k < 4; k++) {
        o.numerator_groups = k % 2 ? o.groups : 1;
        o.denominator_groups = k / 2 ? o.groups : 1;
        for (int dtype = GRKAN_F32; dtype <= GRKAN_F64; dtype++) {
            o.dtype = (grkan_dtype)dtype;
            for (size_t d = 0; d < COUNT_OF(devices); d++) {
                check_plan(&devices[d], &o, GRKAN_RUN_TO_RUN);
                check_plan(&devices[d], &o, GRKAN_DEVICE_TO_DEVICE);
            }
        }
    }
}

static void test_a_workspace_is_small_for_any_shape(void **state)
{
    (void)state;
    grkan_operation o = GRKAN_OPERATION_INIT;
    for (size_t i = 0;
         i < COUNT_OF(outers) * COUNT_OF(channels) * COUNT_OF(groups) * COUNT_OF(inners) * COUNT_OF(degrees); i++) {
        size_t rest = i;
        o.outer = outers[rest % COUNT_OF(outers)];
        rest /= COUNT_OF(outers);
        o.channels = channels[rest % COUNT_OF(channels)];
        rest /= COUNT_OF(channels);
        o.groups = groups[rest % COUNT_OF(groups)];
        rest /= COUNT_OF(groups);
        o.inner = inners[rest % COUNT_OF(inners)];
        rest /= COUNT_OF(inners);
        o.numerator_degree = degrees[rest][0];
        o.denominator_degree = degrees[rest][1];
        if (o.groups <= o.channels)
            check_shape(o);
    }
    printf("%ld plans; largest workspace %zu bytes; %ld need more than 1 MiB\n", seen.plans, seen.largest,
           seen.exceptions);
    printf("%ld passes in pairs of 16-bit elements, %ld with fewer groups side by side than fit\n", seen.of_pairs,
           seen.of_parts);
    assert_true(seen.plans > 100000 && seen.of_pairs > 1000 && seen.of_parts > 1000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_workspace_is_small_for_any_shape),
    };
    return cmocka_run_group_tests_name("plan", tests, NULL, NULL);
}
