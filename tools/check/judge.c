/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file judge.c
 * @brief Comparing results with the oracle.
 *
 * The bound of a stored number is the oracle's, plus half an ulp of the storage type, plus its smallest subnormal. A sum
 * adds the roundings of its additions: each is one unit roundoff of a partial sum, and no partial sum exceeds the sum
 * of the absolute values. How many there are on the path of one element is what the plan says, never more than there are
 * elements, and one for what the caller adds to.
 */
#include "judge.h"

#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

#include "storage_types.h"

/** A sum of contributions, as the oracle has them. */
typedef struct total {
    long double value, error;
    long double size; /* of absolute values, for the roundings of the additions */
    bool is_nan, is_open, is_infinite;
    bool has_sign[2]; /* +, - */
} total;

/** The totals of all coefficients. */
typedef struct totals {
    grkan_table tables[GRKAN_MOST_TABLES];
    int count;
    total *of[GRKAN_MOST_TABLES];
    int64_t elements[GRKAN_MOST_TABLES]; /* that go into one total */
} totals;

long double judge_number(grkan_dtype dtype, oracle_number want, long double got, long double *bound)
{
    const long double max = storage_max(dtype), overflow = max + storage_ulp(dtype, max) / 2;
    *bound = want.error;
    if (isnan(want.value) && want.error == 0)
        return isnan(got) ? 0 : INFINITY;
    if (isinf(want.value) && isinf(want.error))
        return isfinite(got) ? INFINITY : 0;
    if (isinf(want.value))
        return got == want.value ? 0 : INFINITY;
    if (!(want.error < INFINITY))
        return -1;
    if (isnan(got))
        return INFINITY;
    if (isinf(got)) {
        const long double reach = (got > 0 ? want.value : -want.value) + want.error;
        return reach >= overflow ? 0 : INFINITY;
    }
    const long double reach = fabsl(want.value) + want.error;
    const long double storing = storage_ulp(dtype, reach < max ? reach : max) / 2 + storage_ulp(dtype, 0);
    const long double error = fabsl(got - want.value) - storing; /* that storing the result does not explain */
    *bound += storing;
    return error <= 0 ? 0 : error / want.error;
}

static void note(judge_worst *worst, grkan_dtype dtype, check_tensor tensor, int64_t index, oracle_number want,
                 long double got)
{
    long double bound;
    const long double fraction = judge_number(dtype, want, got, &bound);
    if (fraction < 0)
        worst->open++;
    if (fraction > worst->fraction)
        *worst = (judge_worst){tensor, index, got, want.value, bound, fraction, worst->open};
}

static void add(total *t, oracle_number share)
{
    if (isnan(share.value) && share.error == 0)
        t->is_nan = true;
    else if (isinf(share.value))
        t->is_infinite = true;
    else if (!(share.error < INFINITY))
        t->is_open = true;
    if (share.value != 0)
        t->has_sign[share.value < 0] = true;
    t->value += share.value;
    t->error += share.error;
    t->size += fabsl(share.value);
}

long double judge_chain(const grkan_plan_description *plan, int64_t elements)
{
    return (long double)(plan->longest_chain < elements ? plan->longest_chain : elements);
}

/** What the oracle wants of a sum. unit: roundoff of the arithmetic. */
static oracle_number wanted(const total *t, grkan_dtype dtype, long double chain, int64_t elements)
{
    const long double unit = storage_ulp(dtype, 1) / 2;
    if (t->is_nan)
        return (oracle_number){NAN, 0};
    if (t->is_open)
        return (oracle_number){0, INFINITY};
    if (t->is_infinite)
        return (oracle_number){INFINITY, INFINITY};
    const long double own = (long double)elements * LDBL_EPSILON; /* the oracle's additions round, too */
    const long double error = t->error + (chain * unit + own) * t->size;
    if (t->size + error < storage_max(dtype) || !(t->has_sign[0] && t->has_sign[1]))
        return (oracle_number){t->value, error};
    if (fabsl(t->value) > storage_max(dtype) + error)
        return (oracle_number){INFINITY, INFINITY}; /* partial sums may have overflowed either way */
    return (oracle_number){t->value, INFINITY};
}

static bool totals_create(const check_case *one, const check_data *data, totals *sums)
{
    const grkan_operation *const o = &one->operation;
    const int64_t of_scope[] = {
        [GRKAN_SCOPE_SHARED] = check_tensor_count(one, CHECK_X),
        [GRKAN_SCOPE_GROUP] = o->outer * check_group_start(o, 1) * o->inner, /* of the widest group */
        [GRKAN_SCOPE_CHANNEL] = o->outer * o->inner,
    };
    (void)grkan_operation_tables(o, sums->tables, &sums->count);
    for (int k = 0; k < sums->count; k++) {
        const check_tensor tensor = (check_tensor)(CHECK_GRADIENT + k);
        const int64_t count = check_tensor_count(one, tensor);
        sums->elements[k] = of_scope[sums->tables[k].rows == 1 ? GRKAN_SCOPE_SHARED : sums->tables[k].scope];
        sums->of[k] = calloc((size_t)count + 1, sizeof(total));
        if (!sums->of[k])
            return false;
        for (int64_t i = 0; i < count && one->accumulation == GRKAN_ADD; i++)
            add(&sums->of[k][i],
                (oracle_number){storage_load(check_tensor_dtype(one, tensor), data->tensor[tensor], i), 0});
    }
    return true;
}

/* ------------------------------------------------------------------------------------------------------- elements */

/** What is being judged. */
typedef struct judging {
    const check_case *one;
    const check_data *data, *results;
    judge_worst *worst;
    totals sums;
    oracle_function *functions; /**< of each group */
    oracle_norm norm;           /**< of norms; from here on */
    long double *numbers;       /**< x of a row, scale, shift */
    oracle_number *xhat, *dz;   /**< of a row */
} judging;

static bool judging_create(judging *j)
{
    const grkan_operation *const o = &j->one->operation;
    const size_t channels = (size_t)o->channels;
    j->functions = calloc((size_t)o->groups, sizeof *j->functions);
    j->numbers = calloc(3 * channels, sizeof *j->numbers);
    j->xhat = calloc(2 * channels, sizeof *j->xhat);
    if (!j->functions || !j->numbers || !j->xhat || !totals_create(j->one, j->data, &j->sums))
        return false;
    for (int64_t group = 0; group < o->groups; group++)
        j->functions[group] = check_function(j->one, j->data, group);
    j->dz = j->xhat + channels;
    return true;
}

static void judging_free(judging *j)
{
    for (int k = 0; k < j->sums.count; k++)
        free(j->sums.of[k]);
    free(j->functions);
    free(j->numbers);
    free(j->xhat);
}

static long double load(const judging *j, const check_data *from, check_tensor tensor, int64_t index)
{
    return storage_load(check_tensor_dtype(j->one, tensor), from->tensor[tensor], index);
}

/** Hold an element of an output against what is wanted of it, if the case has that output. */
static void judge_output(judging *j, check_tensor tensor, int64_t index, oracle_number want)
{
    if (check_has_tensor(j->one, tensor))
        note(j->worst, check_tensor_dtype(j->one, tensor), tensor, index, want, load(j, j->results, tensor, index));
}

/** Add what an element gives to the gradients. of_prologue: what its channel's numbers get, table by table */
static void add_element(judging *j, const oracle_element *e, int64_t group, int64_t channel,
                        const oracle_number *of_prologue)
{
    totals *const sums = &j->sums;
    for (int k = 0; k < sums->count; k++) {
        const grkan_table *const table = &sums->tables[k];
        const bool is_of_channels = table->scope == GRKAN_SCOPE_CHANNEL;
        const oracle_number *const added = is_of_channels ? of_prologue++ : oracle_added(&j->functions[group], e, k);
        const int64_t start = check_row_start(table, is_of_channels ? channel : group);
        for (int i = 0; i < table->width && check_has_tensor(j->one, (check_tensor)(CHECK_GRADIENT + k)); i++)
            add(&sums->of[k][start + i], added[i]);
    }
}

/** An element without a norm. */
static void judge_element(judging *j, int64_t group, int64_t channel, int64_t index)
{
    oracle_element e;
    oracle_number z = {load(j, j->data, CHECK_X, index), 0};
    if (j->one->operation.prologue == GRKAN_PROLOGUE_BIAS)
        z = oracle_biased(z.value, load(j, j->data, CHECK_TABLE + GRKAN_BIAS, channel), j->functions[group].unit);
    oracle_evaluate_near(&j->functions[group], z, load(j, j->data, CHECK_DY, index), &e);
    judge_output(j, CHECK_Y, index, e.y);
    judge_output(j, CHECK_Y_AGAIN, index, e.y);
    judge_output(j, CHECK_DX, index, e.dx);
    add_element(j, &e, group, channel, &e.dx);
}

static void judge_elements(judging *j, int64_t row)
{
    const grkan_operation *const o = &j->one->operation;
    int64_t index = row * o->channels * o->inner;
    for (int64_t group = 0; group < o->groups; group++)
        for (int64_t channel = check_group_start(o, group); channel < check_group_start(o, group + 1); channel++)
            for (int64_t i = 0; i < o->inner; i++)
                judge_element(j, group, channel, index++);
}

/* ---------------------------------------------------------------------------------------------------------- norms */

static void load_scale_and_shift(judging *j)
{
    const int64_t channels = j->norm.channels;
    for (int64_t i = 0; i < 2 * channels; i++) {
        const check_tensor tensor = (check_tensor)(CHECK_TABLE + (i < channels ? GRKAN_SCALE : GRKAN_SHIFT));
        if (check_tensor_count(j->one, tensor) > 0)
            j->numbers[channels + i] = load(j, j->data, tensor, i % channels);
    }
    j->norm.scale = j->one->operation.norm.has_scale ? j->numbers + channels : NULL;
    j->norm.shift = j->one->operation.norm.has_shift ? j->numbers + 2 * channels : NULL;
}

/** y, and what the row's statistics must be. */
static void judge_forward_of_norm(judging *j, int64_t row)
{
    const grkan_operation *const o = &j->one->operation;
    const oracle_statistics statistics = oracle_statistics_of(&j->norm, j->numbers);
    judge_output(j, CHECK_MEAN, row, statistics.mean);
    judge_output(j, CHECK_RSTD, row, statistics.rstd);
    for (int64_t group = 0; group < o->groups; group++)
        for (int64_t channel = check_group_start(o, group); channel < check_group_start(o, group + 1); channel++) {
            const oracle_number xhat = oracle_standardised(&j->norm, &statistics, j->numbers[channel]);
            oracle_element e;
            oracle_evaluate_near(&j->functions[group], oracle_scaled(&j->norm, xhat, channel), 1, &e);
            judge_output(j, CHECK_Y, row * o->channels + channel, e.y);
        }
}

/** Backward reads the statistics that forward wrote: whatever they are, as they are. */
static void judge_backward_of_norm(judging *j, int64_t row)
{
    const grkan_operation *const o = &j->one->operation;
    const bool has_mean = check_has_tensor(j->one, CHECK_MEAN);
    const oracle_statistics statistics = {{has_mean ? load(j, j->results, CHECK_MEAN, row) : 0, 0},
                                          {load(j, j->results, CHECK_RSTD, row), 0}};
    const int64_t first = row * o->channels;
    for (int64_t group = 0; group < o->groups; group++)
        for (int64_t channel = check_group_start(o, group); channel < check_group_start(o, group + 1); channel++) {
            const oracle_number xhat = oracle_standardised(&j->norm, &statistics, j->numbers[channel]);
            oracle_element e;
            oracle_evaluate_near(&j->functions[group], oracle_scaled(&j->norm, xhat, channel),
                                 load(j, j->data, CHECK_DY, first + channel), &e);
            const oracle_number of_tables[] = {oracle_scale_share(&j->norm, xhat, e.dx), e.dx};
            judge_output(j, CHECK_Y_AGAIN, first + channel, e.y);
            add_element(j, &e, group, channel, of_tables);
            j->xhat[channel] = xhat;
            j->dz[channel] = e.dx;
        }
    oracle_norm_gradient(&j->norm, &statistics, j->xhat, j->dz, j->dz);
    for (int64_t channel = 0; channel < o->channels; channel++)
        judge_output(j, CHECK_DX, first + channel, j->dz[channel]);
}

static void judge_norm(judging *j, int64_t row)
{
    for (int64_t channel = 0; channel < j->norm.channels; channel++)
        j->numbers[channel] = load(j, j->data, CHECK_X, row * j->norm.channels + channel);
    judge_forward_of_norm(j, row);
    judge_backward_of_norm(j, row);
}

/* ---------------------------------------------------------------------------------------------------- all results */

static void judge_sums(judging *j, const grkan_plan_description *plan)
{
    for (int k = 0; k < j->sums.count; k++) {
        const check_tensor tensor = (check_tensor)(CHECK_GRADIENT + k);
        const int64_t elements = j->sums.elements[k];
        const long double chain = judge_chain(plan, elements) + (j->one->accumulation == GRKAN_ADD);
        for (int64_t i = 0; i < check_tensor_count(j->one, tensor); i++)
            judge_output(j, tensor, i, wanted(&j->sums.of[k][i], check_tensor_dtype(j->one, tensor), chain, elements));
    }
}

bool judge_results(const check_case *one, const check_data *data, const check_data *results,
                   const grkan_plan_description *plan, judge_worst *worst)
{
    const bool is_norm = check_has_tensor(one, CHECK_RSTD);
    judging j = {.one = one, .data = data, .results = results, .worst = worst, .norm = check_norm(one)};
    *worst = (judge_worst){.fraction = -1};
    const bool made = judging_create(&j);
    if (made && is_norm)
        load_scale_and_shift(&j);
    for (int64_t row = 0; row < one->operation.outer && made; row++)
        (is_norm ? judge_norm : judge_elements)(&j, row);
    if (made)
        judge_sums(&j, plan);
    judging_free(&j);
    return made;
}

int64_t judge_bits(grkan_dtype dtype, int64_t count, const void *first, const void *second)
{
    const size_t element = grkan_dtype_bytes(dtype);
    const unsigned char *a = first, *b = second;
    for (int64_t i = 0; i < count; i++) {
        const bool same = memcmp(a + (size_t)i * element, b + (size_t)i * element, element) == 0;
        if (!same && !(isnan(storage_load(dtype, a, i)) && isnan(storage_load(dtype, b, i))))
            return i;
    }
    return -1;
}

uint64_t judge_digest(const check_case *one, check_data *results, uint64_t digest)
{
    for (int t = CHECK_FIRST_OUTPUT; t < CHECK_TENSORS; t++) {
        const check_tensor tensor = (check_tensor)t;
        const grkan_dtype dtype = check_tensor_dtype(one, tensor);
        const int64_t count = check_tensor_count(one, tensor);
        void *const values = results->tensor[t];
        if (!check_has_tensor(one, tensor))
            continue;
        for (int64_t i = 0; i < count; i++)
            if (isnan(storage_load(dtype, values, i)))
                storage_store(dtype, values, i, NAN);
        digest = XXH64(values, check_tensor_bytes(one, tensor), digest);
    }
    return digest;
}
