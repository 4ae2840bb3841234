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
 *
 * Of Q = 1 + B^2, B has the error e = (3 n + 4) u size(B). So B^2 may be off by 2 |B| e + e^2, and dQ/dB by 2 e; where 1 is
 * shortened by x^(2 n), it takes 6 n roundings and 4 for the square and the sum. Powers of x reach 2 n, in db_j m + 4 n.
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

/** Q and what its derivatives are made of. */
typedef struct quotient {
    long double factors[2]; /* Q is their product, which may be beyond long double */
    int degree;
    sum db;                /* B' by x */
    long double direction; /* dQ/dB: 1, sign(B) where the form has |B|, or 2 B */
    long double slack;     /* how far the direction may be off */
    long double error;     /* relative, of Q */
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

    quotient r = {.factors = {1, 1}, .degree = f->n, .db = db, .direction = 1};
    if (f->form == GRKAN_SQUARE) {
        const long double root = hypotl(1, b.value), off = roundings * b.size; /* of Q; of B */
        r.factors[0] = r.factors[1] = root;
        r.degree = 2 * f->n;
        r.direction = 2 * b.value;
        r.slack = 2 * off;
        r.error = (2 * fabsl(b.value) / root + off / root) * (off / root) + (6 * (long double)f->n + 4) * f->unit;
        return r;
    }
    if (f->form == GRKAN_ABS_TERMS) {
        r.db.value *= sign_of(x);
    } else if (f->form != GRKAN_PLAIN) {
        r.direction = sign_of(b.value);
        if (fabsl(b.value) < roundings * b.size || (b.value != 0 && fabsl(b.value) < f->tiny))
            r.slack = 2;
    }
    const long double start = f->form == GRKAN_ABS_SUM_OFFSET ? 0.1L : 1;
    r.factors[0] = start + (f->form == GRKAN_PLAIN ? b.value : fabsl(b.value));
    r.error = roundings * (start + b.size) / fabsl(r.factors[0]);
    return r;
}

static long double divided(long double value, const quotient *q)
{
    return value / q->factors[0] / q->factors[1];
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
    share(f, x, &q, divided(dy, &q), divided(polynomial(f->a, f->m, x).value, &q), shares);
}

static void evaluate_finite(const oracle_function *f, long double x, long double dy, oracle_element *e)
{
    const quotient q = quotient_of(f, x);
    const sum p = polynomial(f->a, f->m, x);
    const sum dp = derivative(f->a, f->m, x);
    const long double u = f->unit;
    const long double of_p = (3 * (long double)f->m + 2) * u, of_db = (3 * (long double)f->n + 4) * u;
    const long double scaling = (3 * (long double)(f->m > q.degree ? f->m : q.degree) + 5) * u;
    const long double scaling_b = (3 * (long double)(f->m + 2 * q.degree) + 5) * u;
    const long double tail = q.error < 0.5L ? 1 / ((1 - q.error) * (1 - q.error)) : INFINITY;
    const long double w = divided(dy, &q), tiny = f->tiny * (1 + fabsl(dy));

    const long double y = divided(p.value, &q);
    const long double y_error = fabsl(divided(of_p * p.size, &q)) + fabsl(y) * (q.error + scaling);
    e->y = (oracle_number){y, y_error * tail + f->tiny};

    const long double turned = y * q.direction, turned_error = y_error * fabsl(q.direction); /* F dQ/dB */
    const long double jump = (fabsl(y) + y_error) * q.slack;
    const long double g = dp.value - turned * q.db.value;
    const long double g_error = of_p * dp.size + turned_error * fabsl(q.db.value) + fabsl(turned) * of_db * q.db.size +
                                jump * (fabsl(q.db.value) + of_db * q.db.size) +
                                scaling * (fabsl(dp.value) + fabsl(turned * q.db.value));
    e->dx = (oracle_number){w * g, fabsl(w) * (g_error + fabsl(g) * (q.error + scaling)) * tail + tiny};

    oracle_shares shares;
    share(f, x, &q, w, y, &shares);
    for (int i = 0; i <= f->m; i++)
        e->da[i] = (oracle_number){shares.da[i], fabsl(shares.da[i]) * (q.error + scaling) * tail + tiny};
    long double power = 1;
    for (int j = 0; j <= f->n; j++, power *= x) {
        const long double of_turned = turned_error + fabsl(turned) * (q.error + scaling_b) + jump;
        e->db[j] = (oracle_number){shares.db[j], fabsl(w * power) * of_turned * tail + tiny};
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

int oracle_first_denominator(grkan_form form)
{
    return form == GRKAN_ABS_SUM_OFFSET ? 0 : 1;
}

/** Take in what a result would be if x were elsewhere. */
static void widen(oracle_number *number, oracle_number low, oracle_number high)
{
    if (!isfinite(number->value))
        return;
    const long double off = fmaxl(fabsl(low.value - number->value), fabsl(high.value - number->value));
    number->error = fmaxl(number->error, fmaxl(low.error, high.error)) + off;
    if (!(number->error < INFINITY))
        number->error = INFINITY;
}

void oracle_evaluate_near(const oracle_function *f, oracle_number x, long double dy, oracle_element *e)
{
    oracle_element low, high;
    if (isinf(x.error)) {
        e->y = (oracle_number){0, INFINITY};
        fill(e, f, e->y);
        return;
    }
    oracle_evaluate(f, x.value, dy, e);
    if (x.error == 0 || !isfinite(x.value))
        return;
    oracle_evaluate(f, x.value - x.error, dy, &low);
    oracle_evaluate(f, x.value + x.error, dy, &high);
    widen(&e->y, low.y, high.y);
    widen(&e->dx, low.dx, high.dx);
    for (int i = 0; i <= f->m; i++)
        widen(&e->da[i], low.da[i], high.da[i]);
    for (int j = 0; j <= f->n; j++)
        widen(&e->db[j], low.db[j], high.db[j]);
}

const oracle_number *oracle_added(const oracle_function *f, const oracle_element *e, int k)
{
    return k == GRKAN_NUMERATOR ? e->da : e->db + oracle_first_denominator(f->form);
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
