/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file far.h
 * @brief The formulas where |x| is so large that x^m or x^n could overflow: the same function in t = 1 / x.
 *
 * With e the highest power whose coefficient is not zero, P(x) = x^e p(t) and Q(x) = x^k q(t), where p and q stay near
 * their leading coefficients. Powers of x are multiplied onto a result one by one, so that they overflow or vanish
 * only when the result does. x = +-infinity gives the limit. Rare, so written for size; scalars only.
 */

/**
 * A dialect whose compiler inlines the rare path into the loop around it gives HIDE_REAL(value): the value, of which the
 * compiler knows nothing. Otherwise what this file computes of coefficients alone would be computed before the loop, and
 * take registers all along.
 */
#ifndef HIDE_REAL
#define HIDE_REAL(value) (value)
#endif

/** Highest power with a coefficient that is not zero; 0 if there is none. */
DEVICE int effective_degree(const real *c, int degree)
{
    int effective = 0;
    UNROLL
    for (int i = 1; i <= degree; ++i)
        if (HIDE_REAL(c[i]) != REAL(0.0))
            effective = i;
    return effective;
}

/** base * x^k, by the factors x or t = 1 / x. */
DEVICE real times_power(real base, real x, real t, int k)
{
    for (; k > 0; --k)
        base = base * x;
    for (; k < 0; ++k)
        base = base * t;
    return base;
}

/** value: c(x) / x^effective. slope: c'(x) / x^(effective - 1). Both as polynomials in t. */
DEVICE polynomial horner_reversed(const real *c, int degree, int effective, real t)
{
    polynomial p;
    p.value = HIDE_REAL(c[0]);
    p.slope = REAL(0.0);
    UNROLL
    for (int i = 1; i <= degree; ++i) {
        if (i <= effective) {
            const real own = HIDE_REAL(c[i]);
            p.value = FMA(p.value, t, own);
            p.slope = FMA(p.slope, t, (real)i * own);
        }
    }
    return p;
}

/** What forward and backward share: F(x) = ratio x^(e - k). */
typedef struct far_point {
    real t;       /* 1 / x */
    real p_slope; /* P'(x) / x^(e - 1) */
    real q;       /* Q(x) / x^k */
    real q_slope; /* Q'(x) / x^(k - 1) */
    real ratio;   /* (P / x^e) / (Q / x^k) */
    real b;       /* has the sign of dQ/db_j / x^j, for the abs_sum forms */
    int e;
    int k;
} far_point;

DEVICE far_point evaluate_far(rational kind, const coefficients *c, real x)
{
    far_point f;
    real odd; /* sign(x)^k */
    polynomial p, b;
    f.t = DIVIDE(REAL(1.0), x);
    f.e = effective_degree(c->a, kind.m);
    f.k = effective_degree(c->b, kind.n);
    odd = (f.k & 1) ? FLIP(REAL(1.0), x) : REAL(1.0);
    p = horner_reversed(c->a, kind.m, f.e, f.t);
    b = horner_reversed(c->b, kind.n, f.k, kind.form == FORM_ABS_TERMS ? ABS(f.t) : f.t);
    f.p_slope = p.slope;
    f.b = FLIP(odd, PLUS_ZERO(b.value));
    f.q = b.value;
    f.q_slope = b.slope;
    if (kind.form == FORM_ABS_TERMS) {
        f.q = odd * b.value;
        f.q_slope = odd * b.slope;
    }
    if (has_abs_sum(kind)) {
        f.q = odd * (ABS(b.value) + times_power(sum_offset(kind), x, ABS(f.t), -f.k));
        f.q_slope = odd * FLIP(b.slope, PLUS_ZERO(b.value));
    }
    f.ratio = DIVIDE(p.value, f.q);
    return f;
}

/** F(x) for |x| > 2^near_exponent. */
DEVICE real forward_far(rational kind, const coefficients *c, real x)
{
    const far_point f = evaluate_far(kind, c, x);
    return times_power(f.ratio, x, f.t, f.e - f.k);
}

/** As backward_near, for |x| > 2^near_exponent. */
DEVICE real backward_far(rational kind, const coefficients *c, real x, real dy, real *sums)
{
    const int count = denominator_count(kind);
    const int lowest = kind.form == FORM_ABS_SUM_OFFSET ? 0 : 1; /* the j of the first b_j */
    const far_point f = evaluate_far(kind, c, x);
    const real g = DIVIDE(dy, f.q); /* w x^k */
    real u = -(g * f.ratio);        /* -w F x^(2 k - e) */
    if (has_abs_sum(kind))
        u = u * f.b;
    UNROLL
    for (int i = 0; i <= kind.m; ++i)
        sums[i] = sums[i] + times_power(g, x, f.t, i - f.k);
    UNROLL
    for (int i = 0; i < count; ++i) {
        const int j = i + lowest;
        const real share = times_power(u, x, f.t, f.e - 2 * f.k + j);
        sums[kind.m + 1 + i] += (kind.form == FORM_ABS_TERMS && (j & 1)) ? FLIP(share, x) : share;
    }
    return times_power(g * FMA(-f.ratio, f.q_slope, f.p_slope), x, f.t, f.e - 1 - f.k);
}

DEVICE int is_near(rational kind, real x)
{
    return !(ABS(x) > (real)((grkan_int64)1 << kind.near_exponent));
}

/** F(x) for any x. */
DEVICE real forward_element(rational kind, const coefficients *c, real x)
{
    return is_near(kind, x) ? forward_near(kind, c, x) : forward_far(kind, c, x);
}

/** dx for any x, and the element's shares added to sums. */
DEVICE real backward_element(rational kind, const coefficients *c, real x, real dy, real *sums)
{
    return is_near(kind, x) ? backward_near(kind, c, PLUS_ZERO(x), dy, sums) : backward_far(kind, c, x, dy, sums);
}
