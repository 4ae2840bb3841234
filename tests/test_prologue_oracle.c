/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file test_prologue_oracle.c
 * @brief The oracle of prologues: numbers by hand, finite differences, and a device in f32 whose faults the judge must see.
 */
#include <float.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "cases.h"
#include "judge.h"
#include "prologue_oracle.h"
#include "random.h"
#include "storage_types.h"

static void assert_near(const char *what, long double got, long double want, long double scale)
{
    const long double bound = 1e-7L * (fabsl(want) + scale);
    if (!(fabsl(got - want) <= bound))
        fail_msg("%s is %.18Lg, should be %.18Lg, bound %.3Lg", what, got, want, bound);
}

/* --------------------------------------------------------------------------------------------- numbers by hand */

enum { FOUR = 4 };

static const long double one_to_four[FOUR] = {1, 2, 3, 4};

static oracle_norm norm_of(grkan_prologue kind, long double epsilon, int64_t channels)
{
    return (oracle_norm){.kind = kind, .epsilon = epsilon, .channels = channels, .unit = 0x1p-24L, .tiny = 0x1p-126L};
}

static void row_of_four(const oracle_norm *norm, long double mean, long double variance, const long double dx[FOUR])
{
    static const oracle_number first_alone[FOUR] = {{1, 0}};
    const oracle_statistics s = oracle_statistics_of(norm, one_to_four);
    oracle_number xhat[FOUR], gradient[FOUR];
    assert_near("mean", s.mean.value, mean, 0);
    assert_near("rstd", s.rstd.value, 1 / sqrtl(variance), 0);
    for (int c = 0; c < FOUR; c++) {
        xhat[c] = oracle_standardised(norm, &s, one_to_four[c]);
        assert_near("xhat", xhat[c].value, (one_to_four[c] - mean) / sqrtl(variance), 0);
    }
    oracle_norm_gradient(norm, &s, xhat, first_alone, gradient);
    for (int c = 0; c < FOUR; c++)
        assert_near("dx", gradient[c].value, dx[c] / sqrtl(variance), 0);
}

/** The squares of deviations from 2.5 are 2.25, 0.25, 0.25, 2.25; those of the numbers 1, 4, 9, 16. */
static void rows_by_hand(void **state)
{
    (void)state;
    oracle_norm norm = norm_of(GRKAN_PROLOGUE_LAYER_NORM, 0.75L, FOUR);
    const long double of_layer_norm[FOUR] = {1 - 0.25L - 2.25L / 2 / 4, -0.25L - 0.75L / 2 / 4, -0.25L + 0.75L / 2 / 4,
                                             -0.25L + 2.25L / 2 / 4};
    row_of_four(&norm, 2.5L, 2, of_layer_norm);
    norm = norm_of(GRKAN_PROLOGUE_RMS_NORM, 0.5L, FOUR);
    const long double of_rms_norm[FOUR] = {1 - 1 / 32.L, -2 / 32.L, -3 / 32.L, -4 / 32.L};
    row_of_four(&norm, 0, 8, of_rms_norm);
}

static void scale_and_shift_by_hand(void **state)
{
    (void)state;
    const long double scale[2] = {3, -2}, shift[2] = {0.5L, 8};
    const oracle_number xhat = {0.25L, 0}, dz = {-6, 0};
    oracle_norm norm = norm_of(GRKAN_PROLOGUE_LAYER_NORM, 0, 2);
    assert_near("xhat", oracle_scaled(&norm, xhat, 0).value, 0.25L, 0);
    norm.shift = shift;
    assert_near("shifted", oracle_scaled(&norm, xhat, 1).value, 8.25L, 0);
    norm.scale = scale;
    assert_near("scaled and shifted", oracle_scaled(&norm, xhat, 0).value, 1.25L, 0);
    norm.shift = NULL;
    assert_near("scaled", oracle_scaled(&norm, xhat, 1).value, -0.5L, 0);
    assert_near("share of scale", oracle_scale_share(&norm, xhat, dz).value, -1.5L, 0);
    assert_near("biased", oracle_biased(0.25L, 8, 0x1p-24L).value, 8.25L, 0);
}

static void what_is_not_finite_spreads_over_its_row(void **state)
{
    (void)state;
    const long double with_nan[FOUR] = {1, NAN, 3, INFINITY}, constant[FOUR] = {2, 2, 2, 2};
    oracle_number xhat[FOUR], dz[FOUR] = {{1, 0}, {INFINITY, INFINITY}, {1, 0}, {1, 0}}, dx[FOUR];
    oracle_norm norm = norm_of(GRKAN_PROLOGUE_LAYER_NORM, 0, FOUR);
    oracle_statistics s = oracle_statistics_of(&norm, with_nan);
    assert_true(isnan(s.mean.value) && s.mean.error == 0 && isnan(s.rstd.value) && s.rstd.error == 0);
    assert_true(isnan(oracle_standardised(&norm, &s, 1).value));
    s = oracle_statistics_of(&norm, constant); /* 1 / 0: nothing is said */
    assert_true(s.mean.value == 2 && isinf(s.rstd.error));
    s = oracle_statistics_of(&norm, one_to_four);
    for (int c = 0; c < FOUR; c++)
        xhat[c] = oracle_standardised(&norm, &s, one_to_four[c]);
    oracle_norm_gradient(&norm, &s, xhat, dz, dx);
    for (int c = 0; c < FOUR; c++)
        assert_true(isinf(dx[c].value) && isinf(dx[c].error));
    dz[3] = (oracle_number){NAN, 0};
    oracle_norm_gradient(&norm, &s, xhat, dz, dx);
    for (int c = 0; c < FOUR; c++)
        assert_true(isnan(dx[c].value) && dx[c].error == 0);
}

/* ------------------------------------------------------------------------------------------ finite differences */

enum { ROW = 7 };

/** A row, and sum_c dy_c F(z_c) of it. */
typedef struct row_function {
    oracle_norm norm; /**< with scale and shift, or NULL */
    long double x[ROW], scale[ROW], shift[ROW], dy[ROW];
    oracle_function f;
} row_function;

/** Variances by E x^2 - (E x)^2: not the oracle's way. */
static long double loss(const row_function *r)
{
    long double mean = 0, square = 0, sum = 0;
    for (int c = 0; c < ROW; c++) {
        mean += r->x[c] / ROW;
        square += r->x[c] * r->x[c] / ROW;
    }
    if (r->norm.kind == GRKAN_PROLOGUE_RMS_NORM)
        mean = 0;
    for (int c = 0; c < ROW; c++) {
        const long double xhat = (r->x[c] - mean) / sqrtl(square - mean * mean + r->norm.epsilon);
        const long double z = xhat * (r->norm.scale ? r->scale[c] : 1) + (r->norm.shift ? r->shift[c] : 0);
        oracle_element e;
        oracle_evaluate(&r->f, z, 1, &e);
        sum += r->dy[c] * e.y.value;
    }
    return sum;
}

static long double slope(row_function *r, long double *moved)
{
    const long double kept = *moved, h = 1e-6L;
    *moved = kept + h;
    const long double above = loss(r), high = *moved;
    *moved = kept - h;
    const long double below = loss(r), low = *moved;
    *moved = kept;
    return (above - below) / (high - low);
}

static void compare_slopes(row_function *r)
{
    oracle_number xhat[ROW], dz[ROW], dx[ROW];
    const oracle_statistics s = oracle_statistics_of(&r->norm, r->x);
    for (int c = 0; c < ROW; c++) {
        oracle_element e;
        xhat[c] = oracle_standardised(&r->norm, &s, r->x[c]);
        oracle_evaluate(&r->f, oracle_scaled(&r->norm, xhat[c], c).value, r->dy[c], &e);
        dz[c] = e.dx;
    }
    oracle_norm_gradient(&r->norm, &s, xhat, dz, dx);
    for (int c = 0; c < ROW; c++) {
        assert_near("dx", dx[c].value, slope(r, &r->x[c]), 1);
        if (r->norm.scale)
            assert_near("dscale", oracle_scale_share(&r->norm, xhat[c], dz[c]).value, slope(r, &r->scale[c]), 1);
        if (r->norm.shift)
            assert_near("dshift", dz[c].value, slope(r, &r->shift[c]), 1);
    }
}

static void gradients_match_finite_differences(void **state)
{
    (void)state;
    check_random random = {5};
    for (int k = 0; k < 80; k++) {
        row_function r = {.norm = norm_of(k % 2 ? GRKAN_PROLOGUE_RMS_NORM : GRKAN_PROLOGUE_LAYER_NORM, 1e-2L, ROW),
                          .f = {.form = GRKAN_SQUARE, .m = 3, .n = 2, .unit = 0x1p-24L, .tiny = 0x1p-126L}};
        for (int i = 0; i <= 3; i++) {
            r.f.a[i] = check_random_normal(&random);
            r.f.b[i] = i == 0 || i == 3 ? 0 : check_random_normal(&random);
        }
        for (int c = 0; c < ROW; c++) {
            r.x[c] = check_random_normal(&random);
            r.scale[c] = 1 + check_random_normal(&random) / 4;
            r.shift[c] = check_random_normal(&random);
            r.dy[c] = check_random_normal(&random);
        }
        r.norm.scale = k / 2 % 2 ? r.scale : NULL;
        r.norm.shift = k / 4 % 2 ? r.shift : NULL;
        compare_slopes(&r);
    }
}

/* -------------------------------------------------------------------------------- a device in f32, and its faults */

typedef enum fault {
    NO_FAULT = 0,
    FUSED,           /**< products that are not rounded: as good */
    ONE_PASS,        /**< variances as E x^2 - (E x)^2 */
    SAMPLE_VARIANCE, /**< of C - 1 */
    NO_EPSILON,
    MEAN_IN_RMS,
    NO_SHIFT,
    NO_FIRST_SUM,  /**< dx without the mean of g */
    NO_SECOND_SUM, /**< dx without the mean of g xhat */
    SCALE_LATE,    /**< the means of dz instead of dz scale */
    SCALE_OF_Z,    /**< dscale sums dz z */
    LOST_ELEMENT,  /**< sums of channels without the last row */
    LOST_NAN,      /**< dx of a row with a NaN is 0 */
    WRONG_Y,       /**< y again of x, not of z */
    FAULTS
} fault;

/** A case on that device. F is the oracle's own, rounded. */
typedef struct machine {
    const check_case *one;
    const check_data *data;
    check_data results;
    fault fault;
    float *x, *scale, *shift, *xhat, *z, *g, *term;
    double *sums[GRKAN_MOST_TABLES];
} machine;

static float take(const machine *m, check_tensor tensor, int64_t index)
{
    return (float)storage_load(check_tensor_dtype(m->one, tensor), m->data->tensor[tensor], index);
}

static void give(machine *m, check_tensor tensor, int64_t index, float value)
{
    if (check_has_tensor(m->one, tensor))
        storage_store(check_tensor_dtype(m->one, tensor), m->results.tensor[tensor], index, (long double)value);
}

/** Halves of the index range, padded to a power of two. */
static float tree(const float *values, int64_t count, int64_t width)
{
    if (width == 1)
        return count > 0 ? values[0] : 0;
    return tree(values, count, width / 2) +
           (count > width / 2 ? tree(values + width / 2, count - width / 2, width / 2) : 0);
}

static float row_mean(const float *values, int64_t count)
{
    int64_t width = 1;
    while (width < count)
        width *= 2;
    return tree(values, count, width) / (float)count;
}

static float fused_or_not(const machine *m, float a, float b, float c)
{
    const float product = a * b;
    return m->fault == FUSED ? fmaf(a, b, c) : product + c;
}

static void find_statistics(machine *m, float *mean, float *rstd)
{
    const grkan_operation *const o = &m->one->operation;
    const bool has_mean = o->prologue == GRKAN_PROLOGUE_LAYER_NORM || m->fault == MEAN_IN_RMS;
    const float channels = (float)o->channels, epsilon = m->fault == NO_EPSILON ? 0 : (float)o->norm.epsilon;
    *mean = has_mean ? row_mean(m->x, o->channels) : 0;
    for (int64_t c = 0; c < o->channels; c++) {
        const float d = m->x[c] - (m->fault == ONE_PASS ? 0 : *mean);
        m->term[c] = d * d;
    }
    float variance = row_mean(m->term, o->channels);
    if (m->fault == ONE_PASS)
        variance = fmaxf(variance - *mean * *mean, 0);
    if (m->fault == SAMPLE_VARIANCE)
        variance = variance * channels / (channels - 1);
    *rstd = 1 / sqrtf(variance + epsilon);
}

static oracle_element evaluate(const machine *m, int64_t group, float z, float dy)
{
    const oracle_function f = check_function(m->one, m->data, group);
    oracle_element e;
    oracle_evaluate(&f, (long double)z, (long double)dy, &e);
    return e;
}

static void add_shares(machine *m, const oracle_element *e, int64_t row, int64_t group, int64_t c)
{
    const grkan_operation *const o = &m->one->operation;
    const oracle_function f = check_function(m->one, m->data, group);
    const bool is_lost = m->fault == LOST_ELEMENT && row == o->outer - 1;
    const float dz = (float)e->dx.value, of_scale = m->fault == SCALE_OF_Z ? m->z[c] : m->xhat[c];
    for (int k = 0; k < 2; k++) {
        const grkan_table table = check_table_of(o, k);
        for (int i = 0; i < table.width; i++)
            m->sums[k][check_row_start(&table, group) + i] += (double)oracle_added(&f, e, k)[i].value;
    }
    m->sums[GRKAN_SCALE][c] += is_lost ? 0 : (double)dz * (double)of_scale;
    m->sums[GRKAN_SHIFT][c] += is_lost ? 0 : (double)dz;
}

static void run_row(machine *m, int64_t row)
{
    const grkan_operation *const o = &m->one->operation;
    const int64_t first = row * o->channels;
    float mean, rstd;
    for (int64_t c = 0; c < o->channels; c++)
        m->x[c] = take(m, CHECK_X, first + c);
    find_statistics(m, &mean, &rstd);
    give(m, CHECK_MEAN, row, mean);
    give(m, CHECK_RSTD, row, rstd);
    for (int64_t group = 0; group < o->groups; group++)
        for (int64_t c = check_group_start(o, group); c < check_group_start(o, group + 1); c++) {
            m->xhat[c] = (m->x[c] - mean) * rstd;
            m->z[c] = fused_or_not(m, m->xhat[c], m->scale[c], m->fault == NO_SHIFT ? 0 : m->shift[c]);
            const oracle_element e = evaluate(m, group, m->z[c], take(m, CHECK_DY, first + c));
            give(m, CHECK_Y, first + c, (float)e.y.value);
            give(m, CHECK_Y_AGAIN, first + c,
                 (float)(m->fault == WRONG_Y ? evaluate(m, group, m->x[c], 1).y : e.y).value);
            m->g[c] = (float)e.dx.value * (m->fault == SCALE_LATE ? 1 : m->scale[c]);
            m->term[c] = m->g[c] * m->xhat[c];
            add_shares(m, &e, row, group, c);
        }
    const float m1 =
        o->prologue == GRKAN_PROLOGUE_RMS_NORM || m->fault == NO_FIRST_SUM ? 0 : row_mean(m->g, o->channels);
    const float m2 = m->fault == NO_SECOND_SUM ? 0 : row_mean(m->term, o->channels);
    for (int64_t c = 0; c < o->channels; c++) {
        const float g = m->fault == SCALE_LATE ? m->g[c] * m->scale[c] : m->g[c];
        const float dx = rstd * fused_or_not(m, -m->xhat[c], m2, g - m1);
        give(m, CHECK_DX, first + c, m->fault == LOST_NAN && isnan(dx) ? 0 : dx);
    }
}

static void machine_start(machine *m)
{
    const grkan_operation *const o = &m->one->operation;
    float **const rows[] = {&m->x, &m->scale, &m->shift, &m->xhat, &m->z, &m->g, &m->term};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        assert_non_null(*rows[i] = calloc((size_t)o->channels, sizeof(float)));
    for (int t = CHECK_FIRST_OUTPUT; t < CHECK_TENSORS; t++)
        assert_non_null(m->results.tensor[t] = calloc(check_tensor_bytes(m->one, (check_tensor)t) + 1, 1));
    for (int k = 0; k < GRKAN_MOST_TABLES; k++) {
        const grkan_table table = check_table_of(o, k);
        assert_non_null(m->sums[k] = calloc((size_t)(table.rows * table.width + o->channels), sizeof(double)));
    }
    for (int64_t c = 0; c < o->channels; c++) {
        m->scale[c] = o->norm.has_scale ? take(m, CHECK_TABLE + GRKAN_SCALE, c) : 1;
        m->shift[c] = o->norm.has_shift ? take(m, CHECK_TABLE + GRKAN_SHIFT, c) : 0;
    }
}

static void machine_end(machine *m)
{
    float *const rows[] = {m->x, m->scale, m->shift, m->xhat, m->z, m->g, m->term};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        free(rows[i]);
    for (int k = 0; k < GRKAN_MOST_TABLES; k++)
        free(m->sums[k]);
    check_data_free(&m->results);
}

/** Run a case, and hold it against the oracle. */
static judge_worst judge_machine(const check_case *one, fault with)
{
    const grkan_plan_description plan = {.longest_chain = INT64_MAX};
    check_data data;
    judge_worst worst;
    assert_true(check_data_create(one, &data));
    machine m = {.one = one, .data = &data, .fault = with};
    machine_start(&m);
    for (int64_t row = 0; row < one->operation.outer; row++)
        run_row(&m, row);
    for (int k = 0; k < GRKAN_MOST_TABLES; k++) {
        const check_tensor tensor = (check_tensor)(CHECK_GRADIENT + k);
        for (int64_t i = 0; i < check_tensor_count(one, tensor); i++)
            give(&m, tensor, i, (float)m.sums[k][i] + (one->accumulation == GRKAN_ADD ? take(&m, tensor, i) : 0));
    }
    assert_true(judge_results(one, &data, &m.results, &plan, &worst));
    machine_end(&m);
    check_data_free(&data);
    return worst;
}

/** Of so many elements, and in f32. */
static bool runs(const check_case *one, int64_t most)
{
    const grkan_operation *const o = &one->operation;
    return check_has_tensor(one, CHECK_RSTD) && o->dtype != GRKAN_F64 && o->outer * o->channels <= most;
}

static void bounds_are_kept_and_narrow(void **state)
{
    (void)state;
    check_table table = check_table_prologues(3, false);
    long double worst[2] = {0, 0};
    int ran = 0;
    for (int i = 0; i < 2 * table.count; i++) {
        const check_case *const one = &table.cases[i / 2];
        if (!runs(one, 5000))
            continue;
        const judge_worst found = judge_machine(one, i % 2 ? FUSED : NO_FAULT);
        if (found.fraction > 1)
            fail_msg("%s: %s[%lld] is %.9Lg, should be %.9Lg, bound %.3Lg", one->name,
                     check_tensor_name(&one->operation, found.tensor), (long long)found.index, found.got, found.want,
                     found.bound);
        worst[i % 2] = found.fraction > worst[i % 2] ? found.fraction : worst[i % 2];
        ran++;
    }
    printf("%d cases; worst error %.3Lf of its bound, %.3Lf with fused products\n", ran, worst[0], worst[1]);
    assert_true(ran > 40 && worst[0] > 0.05L && worst[1] > 0.05L);
    check_table_free(&table);
}

static void faults_are_seen(void **state)
{
    (void)state;
    static const char *const names[FAULTS] = {
        [ONE_PASS] = "variances in one pass",
        [SAMPLE_VARIANCE] = "variances of a sample",
        [NO_EPSILON] = "no epsilon",
        [MEAN_IN_RMS] = "a mean in rms_norm",
        [NO_SHIFT] = "no shift",
        [NO_FIRST_SUM] = "dx without the mean of g",
        [NO_SECOND_SUM] = "dx without the mean of g xhat",
        [SCALE_LATE] = "means without scale",
        [SCALE_OF_Z] = "dscale of z",
        [LOST_ELEMENT] = "a row that is not summed",
        [LOST_NAN] = "a NaN that is lost",
        [WRONG_Y] = "another y again",
    };
    check_table table = check_table_prologues(3, false);
    for (int f = ONE_PASS; f < FAULTS; f++) {
        int seen = 0;
        for (int i = 0; i < table.count && seen == 0; i++)
            seen += runs(&table.cases[i], 2600) && judge_machine(&table.cases[i], (fault)f).fraction > 1;
        if (seen == 0)
            fail_msg("no case sees %s", names[f]);
    }
    check_table_free(&table);
}

/* ------------------------------------------------------------------------------------------------------- the table */

/** How many cases of a prologue have a form (or any: -1) and a type (likewise). */
static int count_cases(const check_table *table, int prologue, int form, int dtype)
{
    int count = 0;
    for (int i = 0; i < table->count; i++) {
        const grkan_operation *const o = &table->cases[i].operation;
        count += (int)o->prologue == prologue && (form < 0 || (int)o->rational.form == form) &&
                 (dtype < 0 || (int)o->dtype == dtype);
    }
    return count;
}

static void table_is_complete(void **state)
{
    (void)state;
    static const grkan_form forms[] = {GRKAN_ABS_TERMS, GRKAN_SQUARE, GRKAN_ABS_SUM};
    for (uint64_t seed = 1; seed <= 5; seed++) {
        check_table table = check_table_prologues(seed, false);
        assert_true(table.count > 120); /* none: a pair of factors is missing */
        for (int prologue = GRKAN_PROLOGUE_BIAS; prologue <= GRKAN_PROLOGUE_RMS_NORM; prologue++) {
            for (size_t k = 0; k < sizeof forms / sizeof *forms; k++)
                assert_true(count_cases(&table, prologue, (int)forms[k], -1) > 0);
            for (int dtype = GRKAN_F32; dtype <= GRKAN_F64; dtype++)
                assert_true(count_cases(&table, prologue, -1, dtype) > 0);
        }
        for (int i = 0; seed == 1 && i < table.count; i++)
            assert_ptr_equal(check_table_find(&table, table.cases[i].name), &table.cases[i]);
        check_table_free(&table);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rows_by_hand),
        cmocka_unit_test(scale_and_shift_by_hand),
        cmocka_unit_test(what_is_not_finite_spreads_over_its_row),
        cmocka_unit_test(gradients_match_finite_differences),
        cmocka_unit_test(bounds_are_kept_and_narrow),
        cmocka_unit_test(faults_are_seen),
        cmocka_unit_test(table_is_complete),
    };
    return cmocka_run_group_tests_name("oracle of prologues", tests, NULL, NULL);
}
