/* SPDX-License-Identifier: Apache-2.0 */
/** @file test_plan.c @brief What plans decide for many shapes on many devices, none of which need be there. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define DEVICE static inline __attribute__((unused))
typedef int64_t grkan_int64;
#define SEGMENTS(g) ((g)->columns.segments)
#define TILE_SEGMENTS(g) ((g)->columns.tile_segments)
#define PADS_TILES 1
#define VECTOR_ELEMENTS(g) ((g)->columns.vector)
#define smaller smaller_of_kernels /* arithmetic.h has one, too */
#include "../backends/kernels/grid.h"
#undef smaller
#include "../backends/gpu/tuning.h"
#include "../core/plan/arithmetic.h"
#include "../core/plan/plan.h"
#include "../core/prologues.h"
#include "../tools/check/operations.h"

#define COUNT_OF(array) (sizeof(array) / sizeof((array)[0]))
#define ONE_MIB ((size_t)1 << 20)

static grkan_tuning tune_small(const grkan_device_limits *limits, const grkan_pass_shape *shape)
{
    (void)limits, (void)shape;
    return (grkan_tuning){.block = 64, .occupancy = 1, .grid_waves = 1, .stages = 1};
}

static grkan_tuning tune_large(const grkan_device_limits *limits, const grkan_pass_shape *shape)
{
    (void)limits, (void)shape;
    return (grkan_tuning){.block = 1024, .occupancy = 16384, .grid_waves = 1, .stages = 1};
}

static grkan_tuning tune_rows(const grkan_device_limits *limits, const grkan_pass_shape *shape)
{
    (void)limits, (void)shape;
    return (grkan_tuning){.block = 768};
}

/** From a device with little of everything to one with more than there is yet. Two get their tunings from set_tunings. */
enum { nvidia_device = 1, unknown_device = 4 };
static grkan_device_limits devices[] = {
    {.compute_units = 1,
     .least_elements = 1,
     .max_block = 64,
     .max_row_block = 64,
     .max_vector_bytes = 0,
     .tune = tune_small,
     .local_bytes = 32768},
    {.compute_units = 132,
     .least_elements = 32,
     .max_block = 512,
     .max_row_block = 1024,
     .max_vector_bytes = 16,
     .has_async_copies = 1,
     .exchanges_registers = 1,
     .local_bytes = 49152,
     .launch_local_bytes = 65536},
    {.compute_units = 1024,
     .least_elements = 1,
     .max_block = 1024,
     .max_row_block = 1024,
     .max_vector_bytes = 16,
     .tune = tune_large,
     .local_bytes = 262144},
    {.compute_units = 128,
     .is_fixed = 1,
     .least_elements = 160,
     .max_block = 1024,
     .max_row_block = 1024,
     .max_vector_bytes = 0,
     .tune = tune_rows,
     .local_bytes = 262144},
    {.compute_units = 12,
     .least_elements = 32,
     .max_block = 256,
     .max_row_block = 256,
     .max_vector_bytes = 16,
     .block_step = 64,
     .local_bytes = 32768},
};

static int set_tunings(void **state)
{
    const gpu_told nvidia = {.maker = GPU_NVIDIA, .name = "NVIDIA H200"}, unknown = {.name = "a GPU", .wave = 64};
    grkan_device_limits *const d = &devices[nvidia_device];
    (void)state;
    gpu_set_tunings(&nvidia, d);
    memcpy(d->tunings, d->known->of, sizeof d->tunings);
    gpu_set_tunings(&unknown, &devices[unknown_device]);
    return devices[unknown_device].known == NULL ? 0 : -1;
}

static const int64_t outers[] = {1, 7, 197, 201728, INT64_C(1) << 32};
static const int64_t channels[] = {1, 3, 24, 255, 768, 1000, 3072, 65536, 1000003};
static const int64_t groups[] = {1, 2, 8, 64, 255, 10000, 1000003};
static const int64_t inners[] = {1, 4, 49, 3136, 1000003};
static const int degrees[][2] = {{5, 4}, {0, 0}, {15, 15}};

/** A row of more column tiles than this may need more, if groups share a table: one partial sum for each tile. */
enum { most_tiles = 4000 };

static struct {
    long plans, exceptions, of_pairs, of_fewer; /* vectors of two groups; blocks with fewer groups than fit */
    long of_rows, of_cut_groups;                /* blocks of whole rows for norms; groups in several tiles */
    size_t largest;
} seen;

/** The tiles of a row, as kernels find them: one after the other, each channel in one alone. */
static void check_tiles(const grkan_geometry *g)
{
    enum { most_looked_at = 2000 };
    const grkan_columns *c = &g->columns;
    int64_t end = 0;
    for (int i = 0; i < c->tiles && i < most_looked_at; i++) {
        const tile b = tile_of_block(g, i);
        const int64_t size = b.vectors * c->vector;
        assert_true(b.start == end && b.vectors >= 0 && (c->segments > 1 || b.vectors <= c->tile_vectors));
        assert_true(b.start >= group_start(g, b.first_group) && b.start + size <= group_start(g, b.end_group));
        assert_true(c->inner <= 1 || (b.start % c->inner == 0 && size % c->inner == 0));
        end = b.start + size;
    }
    assert_true(c->tiles > most_looked_at || end == c->row_elements);
}

/** Hold the cut of a pass against what kernels rely on. */
static void check_pass(const grkan_operation *o, const grkan_geometry *g)
{
    const grkan_columns *c = &g->columns;
    assert_true(grkan_columns_hold(o, c));
    assert_true(grkan_rows_hold(c, &g->rows));
    seen.of_pairs += c->vector_groups > 1;
    if (o->prologue != GRKAN_PROLOGUE_NONE)
        check_tiles(g);
    seen.of_rows += grkan_row_statistics(o) > 0 && grkan_has_whole_rows(c);
    seen.of_cut_groups += c->tile_segments > 1;
    seen.of_fewer += c->tiles > 1 && c->tile_groups * 2 * c->group_size * c->inner <= (int64_t)c->block * c->vector;
}

/** Hold the plan of one operation on one device against what every plan promises. */
static void check_plan(const grkan_device_limits *limits, const grkan_operation *o, grkan_determinism determinism)
{
    const grkan_options options = {.determinism = determinism};
    grkan_plan_data data = {0};
    if (grkan_plan_decide(o, &options, &data) != GRKAN_SUCCESS)
        return; /* more elements than 64 bits can count */
    const grkan_status status = grkan_plan_shape(limits, &data);
    if (status == GRKAN_ERROR_UNSUPPORTED)
        return; /* too little local memory, or threads */
    assert_int_equal(status, GRKAN_SUCCESS);
    const size_t most = ONE_MIB + (o->prologue == GRKAN_PROLOGUE_NONE
                                       ? 0
                                       : (size_t)grkan_operation_elements(o) * grkan_dtype_bytes(o->dtype) / 16);
    if (data.workspace_bytes > most && data.backward.rows.splits > 1)
        fail_msg("%s: %zu bytes of workspace for %lld x %lld x %lld, %lld groups, scopes %d and %d, degrees %d "
                 "and %d, %s, on a device of %d units",
                 grkan_prologue_name(o->prologue), data.workspace_bytes, (long long)o->outer, (long long)o->channels,
                 (long long)o->inner, (long long)o->groups, (int)o->rational.numerator_scope,
                 (int)o->rational.denominator_scope, o->rational.numerator_degree, o->rational.denominator_degree,
                 grkan_dtype_name(o->dtype), limits->compute_units);
    assert_true(data.workspace_bytes <= most || data.backward.columns.tiles > most_tiles);
    check_pass(&data.operation, &data.forward); /* where all groups share all tables, it has one group */
    check_pass(&data.operation, &data.backward);
    assert_true(grkan_grid_reduction_holds(&data, &data.backward));
    assert_true(grkan_block_reduction_holds(&data, &data.backward));
    seen.plans++;
    seen.exceptions += data.workspace_bytes > most;
    seen.largest = data.workspace_bytes > seen.largest ? data.workspace_bytes : seen.largest;
}

static void check_shape(grkan_operation o)
{
    for (int k = 0; k < 4; k++) {
        o.rational.numerator_scope = k % 2 ? PER_GROUP : SHARED;
        o.rational.denominator_scope = k / 2 ? PER_GROUP : SHARED;
        for (int dtype = GRKAN_F32; dtype <= GRKAN_F64; dtype++) {
            o.dtype = (grkan_dtype)dtype;
            for (size_t d = 0; d < COUNT_OF(devices); d++) {
                check_plan(&devices[d], &o, GRKAN_RUN_TO_RUN);
                check_plan(&devices[d], &o, GRKAN_DEVICE_TO_DEVICE);
                for (int p = GRKAN_PROLOGUE_BIAS; k == 2 && p <= GRKAN_PROLOGUE_LAYER_NORM; p++) {
                    o.prologue = (grkan_prologue)p;
                    check_plan(&devices[d], &o, d % 2 ? GRKAN_RUN_TO_RUN : GRKAN_DEVICE_TO_DEVICE);
                }
                o.prologue = GRKAN_PROLOGUE_NONE;
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
        o.rational.numerator_degree = degrees[rest][0];
        o.rational.denominator_degree = degrees[rest][1];
        if (o.groups <= o.channels)
            check_shape(o);
    }
    printf("%ld plans; largest workspace %zu bytes; %ld need more than 1 MiB\n", seen.plans, seen.largest,
           seen.exceptions);
    printf("%ld passes in pairs of 16-bit elements, %ld with fewer groups side by side than fit\n", seen.of_pairs,
           seen.of_fewer);
    printf("%ld passes of norms with whole rows, %ld with groups in several tiles\n", seen.of_rows, seen.of_cut_groups);
    assert_true(seen.plans > 100000 && seen.of_pairs > 1000 && seen.of_fewer > 500 && seen.of_rows > 1000 &&
                seen.of_cut_groups > 1000);
}

/* ------------------------------------------------------------------------------------------- the longest chain */

/** Additions so far, of a sum that an element is in; negative: a zero, to which an addition is exact. */
typedef int64_t depth;

enum { nothing = -1 };

static depth add(depth a, depth b)
{
    return a < 0 ? b : b < 0 ? a : larger(a, b) + 1;
}

static depth add_four(const depth *d)
{
    return add(add(d[0], d[1]), add(d[2], d[3]));
}

/** As threads add what others left, in batches of the plan's own constant. */
static depth add_exchanged(const depth *d, int count)
{
    depth sum = nothing;
    for (int first = 0; first < count; first += 4) {
        depth four[4];
        for (int i = 0; i < 4; i++)
            four[i] = first + i < count ? d[first + i] : nothing;
        sum = add(sum, add_four(four));
    }
    return sum;
}

/** As a thread of the grid reduction adds its partial sums. */
static depth add_partials(const depth *d, int64_t count, int step)
{
    depth sum = nothing;
    for (int64_t first = 0; first < count; first += 12 * (int64_t)step) {
        depth twelve[12];
        for (int i = 0; i < 12; i++)
            twelve[i] = first + i * (int64_t)step < count ? d[first + i * (int64_t)step] : nothing;
        sum = add(sum, add(add(add_four(twelve), add_four(twelve + 4)), add_four(twelve + 8)));
    }
    return sum;
}

/** What a thread has when it has added all of its rows, so many elements of each to one sum. */
static depth depth_of_thread(const grkan_geometry *g, int rows, int elements)
{
    depth own = nothing;
    for (int first = 0; first < rows; first += g->rows.chain)
        own = add(own, smaller(g->rows.chain, rows - first) * elements);
    return own;
}

/** What a block has for an output of a table, which has so many columns, and so many elements in a vector. */
static depth depth_of_block(const grkan_geometry *g, const grkan_table_reduction *table, int split, int64_t columns,
                            int elements)
{
    static depth sums[4096], exchanged[MOST_OUTPUT_THREADS];
    const int kept = g->block.column_partials, threads = 1 << table->output_threads_log2;
    for (int row = 0; row < g->columns.block_rows; row++) {
        const int more = split * g->rows.split_stride + row < g->rows.remainder;
        const depth own =
            depth_of_thread(g, split < g->rows.whole_splits ? g->rows.most : g->rows.fewer + more, elements);
        for (int64_t i = 0; i < columns; i++) {
            depth *const sum = &sums[row % kept * columns + i];
            *sum = row < kept ? own : add(*sum, own);
        }
    }
    for (int thread = 0; thread < threads; thread++) {
        exchanged[thread] = nothing;
        for (int64_t i = thread; i < columns * kept; i += threads)
            exchanged[thread] = add(exchanged[thread], sums[i]);
    }
    return add_exchanged(exchanged, threads);
}

/** What a gradient of a table has in the end, where groups are alike. */
static depth depth_of_table(const grkan_plan_data *data, int32_t k)
{
    static depth partials[1 << 20], exchanged[MOST_GRID_THREADS];
    const grkan_geometry *const g = &data->backward;
    const grkan_table_reduction *const table = &g->tables[k];
    const bool is_of_channels = data->tables[k].scope == GRKAN_SCOPE_CHANNEL;
    const int64_t of_tile = smaller(g->columns.row_elements / g->columns.vector, g->columns.tile_vectors);
    const int64_t of_group = g->columns.group_size * g->columns.inner / g->columns.vector;
    const int64_t of_channel = larger(1, g->columns.inner / g->columns.vector);
    const int64_t columns = table->is_shared ? of_tile : smaller(of_tile, is_of_channels ? of_channel : of_group);
    const int64_t tiles = table->is_shared ? g->columns.tiles : is_of_channels ? 1 : g->columns.tile_segments;
    const int64_t count = g->rows.splits * tiles;
    const int elements = is_of_channels && g->columns.inner == 1 ? 1 : g->columns.vector / g->columns.vector_groups;
    for (int64_t i = 0; i < count; i++)
        partials[i] = depth_of_block(g, table, (int)(i / tiles), columns, elements);
    if (table->partials == 1)
        return partials[0];
    assert_int_equal(table->partials, count);
    for (int thread = 0; thread < table->grid_threads; thread++)
        exchanged[thread] = add_partials(partials + thread, count - thread, table->grid_threads);
    return add_exchanged(exchanged, table->grid_threads);
}

/** A short tensor goes to all compute units: to more than half of them, as whole rows come out. */
static void test_a_short_tensor_occupies_the_device(void **state)
{
    (void)state;
    const grkan_device_limits *const limits = &devices[nvidia_device]; /* of an H200 */
    for (int dtype = GRKAN_F32; dtype <= GRKAN_F64; dtype++) {
        const grkan_operation o = {SHAPE(197, 768, 1), GROUPS(8, SHARED, PER_GROUP), RATIONAL(5, 4, GRKAN_ABS_TERMS),
                                   .dtype = (grkan_dtype)dtype};
        grkan_plan_data data = {0};
        assert_int_equal(grkan_plan_decide(&o, NULL, &data), GRKAN_SUCCESS);
        assert_int_equal(grkan_plan_shape(limits, &data), GRKAN_SUCCESS);
        const grkan_geometry *const passes[] = {&data.forward, &data.backward};
        for (size_t p = 0; p < COUNT_OF(passes); p++) {
            const grkan_geometry *const g = passes[p];
            const int64_t most = ceil_div(g->rows.all, g->columns.block_rows) * g->columns.tiles; /* of a row each */
            const int64_t blocks = (int64_t)g->rows.splits * g->columns.tiles;
            assert_true(blocks == most || 2 * blocks > limits->compute_units);
        }
    }
}

/** The longest chain is that of sums which are followed through the blocks as kernels add them, give or take a few. */
static void test_the_longest_chain_is_as_kernels_add(void **state)
{
    static const grkan_operation operations[] = {
        {SHAPE(201728, 768, 1), GROUPS(8, SHARED, PER_GROUP), RATIONAL(5, 4, GRKAN_ABS_TERMS), .dtype = GRKAN_F32},
        {SHAPE(201728, 768, 1), GROUPS(8, PER_GROUP, PER_GROUP), RATIONAL(5, 4, GRKAN_ABS_TERMS), .dtype = GRKAN_BF16},
        {SHAPE(25216, 3072, 1), GROUPS(8, SHARED, PER_GROUP), RATIONAL(5, 4, GRKAN_ABS_TERMS), .dtype = GRKAN_F64},
        {SHAPE(1, 64, 1), GROUPS(8, SHARED, PER_GROUP), RATIONAL(5, 4, GRKAN_ABS_TERMS), .dtype = GRKAN_F32},
        {SHAPE(37, 1000, 1), GROUPS(1000, SHARED, PER_GROUP), RATIONAL(3, 0, GRKAN_ABS_SUM), .dtype = GRKAN_F32},
        {SHAPE(64, 96, 3136), GROUPS(4, SHARED, PER_GROUP), RATIONAL(5, 4, GRKAN_ABS_TERMS), .dtype = GRKAN_F16},
        {SHAPE(5000, 8192, 4), GROUPS(1, SHARED, SHARED), RATIONAL(5, 4, GRKAN_PLAIN), .dtype = GRKAN_F32},
        {SHAPE(25216, 3072, 1), GROUPS(8, SHARED, PER_GROUP), RATIONAL(0, 0, GRKAN_ABS_TERMS), .dtype = GRKAN_BF16,
         .prologue = GRKAN_PROLOGUE_BIAS},
        {SHAPE(64, 96, 3136), GROUPS(4, SHARED, PER_GROUP), RATIONAL(0, 0, GRKAN_ABS_TERMS), .dtype = GRKAN_F16,
         .prologue = GRKAN_PROLOGUE_BIAS},
        {SHAPE(9001, 8192, 1), GROUPS(2, SHARED, PER_GROUP), RATIONAL(5, 4, GRKAN_ABS_TERMS), .dtype = GRKAN_F32,
         .prologue = GRKAN_PROLOGUE_BIAS},
        {SHAPE(25216, 768, 1), GROUPS(8, SHARED, PER_GROUP), RATIONAL(5, 4, GRKAN_ABS_TERMS), .dtype = GRKAN_F32,
         .prologue = GRKAN_PROLOGUE_LAYER_NORM, .norm = {1e-5, 1, 1}}};
    (void)state;
    for (size_t i = 0; i < COUNT_OF(operations) * COUNT_OF(devices) * 2; i++) {
        const grkan_operation *o = &operations[i / 2 / COUNT_OF(devices)];
        const grkan_options options = {.determinism = i % 2 ? GRKAN_RUN_TO_RUN : GRKAN_DEVICE_TO_DEVICE};
        grkan_plan_data data = {0};
        depth deepest = nothing;
        assert_int_equal(grkan_plan_decide(o, &options, &data), GRKAN_SUCCESS);
        if (grkan_plan_shape(&devices[i / 2 % COUNT_OF(devices)], &data) != GRKAN_SUCCESS)
            continue; /* too few threads */
        for (int32_t k = 0; k < data.table_count; k++)
            if (data.tables[k].width > 0)
                deepest = larger(deepest, depth_of_table(&data, k));
        const int64_t chain = grkan_plan_longest_chain(&data);
        if (chain < deepest || chain > deepest + deepest / 8 + 1)
            fail_msg("case %zu: the longest chain is %lld; sums have %lld additions", i, (long long)chain,
                     (long long)deepest);
    }
}

static void test_atomics_follow_one_another(void **state)
{
    (void)state;
    grkan_operation o = GRKAN_OPERATION_INIT;
    o.outer = 10000;
    for (int strategy = GRKAN_STRATEGY_ELEMENT; strategy <= GRKAN_STRATEGY_BLOCK; strategy++) {
        const grkan_options options = {.strategy = (grkan_strategy)strategy, .determinism = GRKAN_NONE};
        grkan_plan_data data = {0};
        assert_int_equal(grkan_plan_decide(&o, &options, &data), GRKAN_SUCCESS);
        assert_int_equal(grkan_plan_shape(&devices[nvidia_device], &data), GRKAN_SUCCESS);
        const int64_t blocks = data.backward.rows.splits * (int64_t)data.backward.columns.tiles;
        const int64_t chain = grkan_plan_longest_chain(&data);
        if (strategy == GRKAN_STRATEGY_ELEMENT)
            assert_int_equal(chain, grkan_operation_elements(&o)); /* the numerator is shared */
        else
            assert_true(chain > blocks && chain < blocks + 200);
    }
}

/* -------------------------------------------------------------------------------------------------- rows of norms */

static bool rows_are_whole(const grkan_device_limits *limits, grkan_dtype x, grkan_output_dtype y, int64_t count,
                           grkan_prologue prologue, bool is_backward)
{
    grkan_operation o = GRKAN_OPERATION_INIT;
    grkan_plan_data data = {0};
    o.outer = 1000;
    o.channels = count;
    o.dtype = x;
    o.output_dtype = y;
    o.prologue = prologue;
    o.norm = (grkan_norm){.epsilon = 1e-5, .has_scale = 1, .has_shift = 1};
    assert_int_equal(grkan_plan_decide(&o, NULL, &data), GRKAN_SUCCESS);
    assert_int_equal(grkan_plan_shape(limits, &data), GRKAN_SUCCESS);
    return grkan_has_whole_rows(is_backward ? &data.backward.columns : &data.forward.columns);
}

/** A norm reads x once, forward and backward, in rows up to so many channels, on GPUs of NVIDIA with 48 KiB for a block, and
    64 where a launch asks for it. */
static void test_norms_take_whole_rows(void **state)
{
    static const struct {
        grkan_dtype x;
        grkan_output_dtype y;
        int64_t forward, backward;
    } cases[] = {{GRKAN_F32, GRKAN_OUTPUT_BF16, 4096, 4096},
                 {GRKAN_F32, GRKAN_OUTPUT_F32, 4096, 4096},
                 {GRKAN_BF16, GRKAN_OUTPUT_F32, 4096, 4096},
                 {GRKAN_BF16, GRKAN_OUTPUT_BF16, 8192, 4096},
                 {GRKAN_F64, GRKAN_OUTPUT_F64, 2048, 1536}};
    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++)
        for (int64_t count = 64; count <= 8192; count += 64)
            for (int prologue = GRKAN_PROLOGUE_LAYER_NORM; prologue <= GRKAN_PROLOGUE_RMS_NORM; prologue++)
                for (int is_backward = 0; is_backward < 2; is_backward++)
                    if (count <= (is_backward ? cases[i].backward : cases[i].forward) &&
                        !rows_are_whole(&devices[nvidia_device], cases[i].x, cases[i].y, count,
                                        (grkan_prologue)prologue, is_backward))
                        fail_msg("case %zu: rows of %lld channels are cut %s", i, (long long)count,
                                 is_backward ? "backward" : "forward");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_workspace_is_small_for_any_shape),
        cmocka_unit_test(test_a_short_tensor_occupies_the_device),
        cmocka_unit_test(test_the_longest_chain_is_as_kernels_add),
        cmocka_unit_test(test_atomics_follow_one_another),
        cmocka_unit_test(test_norms_take_whole_rows),
    };
    return cmocka_run_group_tests_name("plan", tests, set_tunings, NULL);
}
