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
    const int64_t elements = check_tensor_count(one, CHECK_X);
    (void)grkan_operation_tables(&one->operation, sums->tables, &sums->count);
    for (int k = 0; k < sums->count; k++) {
        const check_tensor tensor = (check_tensor)(CHECK_GRADIENT + k);
        const bool is_shared = sums->tables[k].rows == 1;
        const int64_t count = check_tensor_count(one, tensor);
        const int64_t width = check_group_start(&one->operation, 1); /* channels of the widest group */
        sums->elements[k] = is_shared ? elements : one->operation.outer * width * one->operation.inner;
        sums->of[k] = calloc((size_t)count + 1, sizeof(total));
        if (!sums->of[k])
            return false;
        for (int64_t i = 0; i < count && one->accumulation == GRKAN_ADD; i++)
            add(&sums->of[k][i],
                (oracle_number){storage_load(check_tensor_dtype(one, tensor), data->tensor[tensor], i), 0});
    }
    return true;
}

static void add_element(const oracle_function *function, const oracle_element *e, int64_t group, totals *sums)
{
    for (int k = 0; k < sums->count; k++) {
        const oracle_number *const added = oracle_added(function, e, k);
        const int64_t start = check_row_start(&sums->tables[k], group);
        for (int i = 0; i < sums->tables[k].width; i++)
            add(&sums->of[k][start + i], added[i]);
    }
}

/** The elements of one group at one outer index; index is the first. */
static void judge_run(const check_case *one, const check_data *data, const check_data *results,
                      const oracle_function *function, int64_t group, int64_t index, totals *sums, judge_worst *worst)
{
    const grkan_operation *o = &one->operation;
    const grkan_dtype output = check_tensor_dtype(one, CHECK_Y);
    const int64_t channels = check_group_start(o, group + 1) - check_group_start(o, group);
    for (int64_t k = index; k < index + channels * o->inner; k++) {
        oracle_element e;
        const long double x = storage_load(o->dtype, data->tensor[CHECK_X], k);
        const long double dy = storage_load(output, data->tensor[CHECK_DY], k);
        oracle_evaluate(function, x, dy, &e);
        note(worst, output, CHECK_Y, k, e.y, storage_load(output, results->tensor[CHECK_Y], k));
        note(worst, o->dtype, CHECK_DX, k, e.dx, storage_load(o->dtype, results->tensor[CHECK_DX], k));
        add_element(function, &e, group, sums);
    }
}

static void judge_sums(const check_case *one, const check_data *results, const grkan_plan_description *plan,
                       const totals *sums, judge_worst *worst)
{
    for (int k = 0; k < sums->count; k++) {
        const check_tensor tensor = (check_tensor)(CHECK_GRADIENT + k);
        const grkan_dtype dtype = check_tensor_dtype(one, tensor);
        const long double chain = judge_chain(plan, sums->elements[k]) + (one->accumulation == GRKAN_ADD);
        for (int64_t i = 0; i < check_tensor_count(one, tensor); i++)
            note(worst, dtype, tensor, i, wanted(&sums->of[k][i], dtype, chain, sums->elements[k]),
                 storage_load(dtype, results->tensor[tensor], i));
    }
}

bool judge_results(const check_case *one, const check_data *data, const check_data *results,
                   const grkan_plan_description *plan, judge_worst *worst)
{
    const grkan_operation *o = &one->operation;
    totals sums = {0};
    *worst = (judge_worst){.fraction = -1};
    const bool made = totals_create(one, data, &sums);
    for (int64_t group = 0; group < o->groups && made; group++) {
        const oracle_function function = check_function(one, data, group);
        for (int64_t outer = 0; outer < o->outer; outer++)
            judge_run(one, data, results, &function, group,
                      (outer * o->channels + check_group_start(o, group)) * o->inner, &sums, worst);
    }
    if (made)
        judge_sums(one, results, plan, &sums, worst);
    for (int k = 0; k < sums.count; k++)
        free(sums.of[k]);
    return made;
}

int64_t judge_bits(const check_case *one, check_tensor tensor, const check_data *first, const check_data *second)
{
    const grkan_dtype dtype = check_tensor_dtype(one, tensor);
    const size_t element = grkan_dtype_bytes(dtype);
    const unsigned char *a = first->tensor[tensor], *b = second->tensor[tensor];
    for (int64_t i = 0; i < check_tensor_count(one, tensor); i++) {
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
        if (!check_has_tensor(&one->operation, tensor))
            continue;
        for (int64_t i = 0; i < count; i++)
            if (isnan(storage_load(dtype, values, i)))
                storage_store(dtype, values, i, NAN);
        digest = XXH64(values, check_tensor_bytes(one, tensor), digest);
    }
    return digest;
}
