/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file oracle.c
 * @brief The operation in long double, and the bound on a device's error.
 *
 * How the bound comes about. Let u be the unit roundoff of the device's arithmetic. For every sum of terms the oracle
 * also adds the absolute values of the terms, its size: Horner's rule of degree m with one rounding a step gives the
 * sum within m u times its size. A device may evaluate in r = 1/x where |x| is large; r may be wrong by 2 u (a fast
 * division is good to one ulp), which each step takes in once more: 3 roundings a degree in all. Therefore, in units of u:
 *
 *   P     (3 m + 2) size(P)                      2 for the coefficients i a_i of P' and the last scaling
 *   Q     (3 n + 4) size(Q)                      and 2 more for "1 +" and for 0.1, which no binary type holds
 *   1/Q   as Q, relative; 2 for the reciprocal
 *   x^k   3 roundings a factor; k <= max(m, n)   what is left when x^m / x^n is shortened; in db_j k <= m + 2 n
 *
 * and through quotients and products by the usual first-order rules, divided by (1 - e)^2 where e, the relative error
 * of Q, is not small: the rest of the geometric series. At e > 1/2, beside a pole, nothing can be said.
 *
 * Where B(x) of |B(x)| is smaller than its own error, or than an underflow, its sign is open, and the derivatives may
 * jump by twice the part that it turns.
 */
#include "oracle.h"

#include <float.h>
#include <math.h>
#include <stdbool.h>

_Static_assert(LDBL_MAX_10_EXP >= 4900, "the oracle needs a long double that holds 1e320^15");

/** Stands for infinity: a limit has settled here, beyond the range of every storage type. */
#define FAR 1e320L

/** A sum of terms, and the sum of their absolute values. */
typedef struct sum {
    long double value;
    long double size;
} sum;

/** Q and its derivative by x; direction is that of dQ/db_j, sign(B), where the form has |B|. */
typedef struct quotient {
    sum q, dq;
    long double direction;
    long double error; /* relative, of Q */
    bool open;         /* whether the direction is within the error of B */
} quotient;

static long double sign_of(long double value)
{
    return value < 0 ? -1 : 1; /* sign(0) = +1, also of -0.0 */
}

static sum polynomial(const long double *c, int degree, long double x)
{
    sum s = {0, 0};
    long double power = 1;
    for (int i = 0; i <= degree; i++, power *= x) {
        s.value += c[i] * power;
        s.size += fabsl(c[i] * power);
    }
    return s;
}

static sum derivative(const long double *c, int degree, long double x)
{
    sum s = {0, 0};
    long double power = 1;
    for (int i = 1; i <= degree; i++, power *= x) {
        s.value += (long double)i * c[i] * power;
        s.size += fabsl((long double)i * c[i] * power);
    }
    return s;
}

static quotient quotient_of(const oracle_function *f, long double x)
{
    long double c[ORACLE_COEFFICIENTS];
    for (int j = 0; j <= f->n; j++)
        c[j] = f->form == GRKAN_ABS_TERMS ? fabsl(f->b[j]) : f->b[j];
    const long double at = f->form == GRKAN_ABS_TERMS ? fabsl(x) : x;
    const long double roundings = (3 * (long double)f->n + 4) * f->unit;
    const sum b = polynomial(c, f->n, at);
    const sum db = derivative(c, f->n, at);

    quotient r = {.direction = 1};
    long double turn = 1; /* of B' */
    if (f->form == GRKAN_ABS_TERMS) {
        turn = sign_of(x);
    } else if (f->form != GRKAN_PLAIN) {
        turn = r.direction = sign_of(b.value);
        r.open = fabsl(b.value) < roundings * b.size || (b.value != 0 && fabsl(b.value) < f->tiny);
    }
    const long double start = f->form == GRKAN_ABS_SUM_OFFSET ? 0.1L : 1;
    r.q.value = start + (f->form == GRKAN_PLAIN ? b.value : fabsl(b.value));
    r.q.size = start + b.size;
    r.dq.value = turn * db.value;
    r.dq.size = db.size;
    r.error = roundings * r.q.size / fabsl(r.q.value);
    return r;
}

/** da_i is w x^i, and db_j -y w dQ/db_j. @param w dy / Q @param y P / Q */
static void share(const oracle_function *f, long double x, const quotient *q, long double w, long double y,
                  oracle_shares *shares)
{
    const bool has_terms = f->form == GRKAN_ABS_TERMS;
    long double power = 1;
    for (int i = 0; i <= f->m; i++, power *= x)
        shares->da[i] = w * power;
    power = 1;
    for (int j = 0; j <= f->n; j++, power *= has_terms ? fabsl(x) : x)
        shares->db[j] = -y * (w * (has_terms ? sign_of(f->b[j]) : q->direction) * power);
}

void oracle_share(const oracle_function *f, long double x, long double dy, oracle_shares *shares)
{
    const quotient q = quotient_of(f, x);
    share(f, x, &q, dy / q.q.value, polynomial(f->a, f->m, x).value / q.q.value, shares);
}

static void evaluate_finite(const oracle_function *f, long double x, long double dy, oracle_element *e)
{
    const quotient q = quotient_of(f, x);
    const sum p = polynomial(f->a, f->m, x);
    const sum dp = derivative(f->a, f->m, x);
    const long double u = f->unit, size_q = fabsl(q.q.value);
    const long double of_p = (3 * (long double)f->m + 2) * u, of_dq = (3 * (long double)f->n + 4) * u;
    const long double scaling = (3 * (long double)(f->m > f->n ? f->m : f->n) + 5) * u;
    const long double scaling_b = (3 * (long double)(f->m + 2 * f->n) + 5) * u;
    const long double tail = q.error < 0.5L ? 1 / ((1 - q.error) * (1 - q.error)) : INFINITY;
    const long double w = dy / q.q.value, tiny = f->tiny * (1 + fabsl(dy));

    const long double y = p.value / q.q.value;
    const long double y_error = of_p * p.size / size_q + fabsl(y) * (q.error + scaling);
    e->y = (oracle_number){y, y_error * tail + f->tiny};

    const long double g = dp.value - y * q.dq.value;
    const long double jump = q.open ? 2 * fabsl(y * q.dq.value) : 0;
    const long double g_error = of_p * dp.size + y_error * fabsl(q.dq.value) + fabsl(y) * of_dq * q.dq.size +
                                scaling * (fabsl(dp.value) + fabsl(y * q.dq.value));
    e->dx = (oracle_number){w * g, fabsl(w) * ((g_error + fabsl(g) * (q.error + scaling)) * tail + jump) + tiny};

    oracle_shares shares;
    share(f, x, &q, w, y, &shares);
    for (int i = 0; i <= f->m; i++)
        e->da[i] = (oracle_number){shares.da[i], fabsl(shares.da[i]) * (q.error + scaling) * tail + tiny};
    long double power = 1;
    for (int j = 0; j <= f->n; j++, power *= x) {
        const long double error = fabsl(w * power) * (y_error + fabsl(y) * (q.error + scaling_b)) * tail;
        e->db[j] = (oracle_number){shares.db[j], error + (q.open ? 2 * fabsl(shares.db[j]) : 0) + tiny};
    }
}

/** The limit that a value at FAR stands for. */
static void settle(oracle_number *number, long double tiny)
{
    if (fabsl(number->value) > 1e300L)
        *number = (oracle_number){copysignl(INFINITY, number->value), 0};
    else if (fabsl(number->value) < 1e-300L)
        *number = (oracle_number){0, tiny};
}

static void fill(oracle_element *e, const oracle_function *f, oracle_number number)
{
    e->dx = number;
    for (int i = 0; i <= f->m; i++)
        e->da[i] = number;
    for (int j = 0; j <= f->n; j++)
        e->db[j] = number;
}

/** NaN everywhere, but in the sums that do not depend on x a device may skip it. */
static void evaluate_nan(const oracle_function *f, oracle_element *e)
{
    e->y = (oracle_number){NAN, 0};
    fill(e, f, e->y);
    if (f->n == 0)
        e->da[0].error = INFINITY;
    if (f->n == 0 && f->m == 0)
        e->db[0].error = INFINITY;
}

/** Whether P(x) is 0 for every x. */
static bool is_zero(const oracle_function *f)
{
    return polynomial(f->a, f->m, 1).size == 0;
}

static void evaluate_infinite(const oracle_function *f, long double x, long double dy, oracle_element *e)
{
    const long double tiny = f->tiny * (1 + fabsl(dy));
    evaluate_finite(f, copysignl(FAR, x), dy, e);
    settle(&e->y, tiny);
    settle(&e->dx, tiny);
    for (int i = 0; i <= f->m; i++)
        settle(&e->da[i], tiny);
    for (int j = 0; j <= f->n; j++)
        settle(&e->db[j], tiny);
    for (int j = 0; j <= f->n && is_zero(f); j++)
        e->db[j].error = INFINITY; /* 0 x^j: its limit is 0, its value at infinity is NaN; both will do */
}

int oracle_first_denominator(grkan_denominator form)
{
    return form == GRKAN_ABS_SUM_OFFSET ? 0 : 1;
}

void oracle_evaluate(const oracle_function *f, long double x, long double dy, oracle_element *e)
{
    const long double finite_dy = isfinite(dy) ? dy : 1;
    if (isnan(x))
        evaluate_nan(f, e);
    else if (isinf(x))
        evaluate_infinite(f, x, finite_dy, e);
    else
        evaluate_finite(f, x, finite_dy, e);
    if (isnan(dy) && !isnan(x))
        fill(e, f, (oracle_number){NAN, 0});
    else if (isinf(dy) && !isnan(x))
        fill(e, f, (oracle_number){INFINITY, INFINITY});
}
