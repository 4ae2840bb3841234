/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file rational_scaled.h
 * @brief The rational family where plain arithmetic could overflow: where |x| or a coefficient is large. Here, nothing
 * overflows or vanishes on the way to a result.
 *
 * With e the highest power whose coefficient is not zero, P(x) = x^e p(t) and B(x) = x^k b(t), t = 1 / x. Exponents are
 * integers of their own: x is a significand times 2^exponent, so that powers of it are products of significands, and the
 * terms of a polynomial are taken in units of about the largest of them. Only what becomes a result is scaled back.
 * x = +-infinity gives the limit. Rare, so written for size; scalars only.
 */

#ifndef GRKAN_RATIONAL_SCALED_H
#define GRKAN_RATIONAL_SCALED_H

#include "rational.h"

/* EXPONENT(v): floor(log2 |v|) of a normal number; one less than the least for 0 and subnormals, one more than the greatest
   for infinity and NaN. POWER(n): 2^n, a normal number. */
#ifdef DOUBLE_OF
#define EXPONENT(v) ((int)(HIGH_OF(v) >> 20 & 0x7FFu) - 1023)
#define POWER(n) DOUBLE_OF(0u, (unsigned int)((n) + 1023) << 20)
#define MOST_SCALING 2044
#else
#define EXPONENT(v) ((int)(BITS_OF(v) >> 23 & 0xFFu) - 127)
#define POWER(n) FLOAT_OF((unsigned int)((n) + 127) << 23)
#define MOST_SCALING 252
#endif

/** Of what is zero, and of x that is zero or infinite: no numbers make up for it, of which six meet in f64 (dy a / b^3 of
    square, and the least result), nor does it overflow an int. */
#define NO_EXPONENT (-(1 << 20))
#define ENDLESS 8192

/** value 2^exponent, the value a significand of any normal size. */
typedef struct scaled {
    scalar value;
    int exponent;
} scaled;

/** value factor 2^n, rounded once; 0 or infinity where that has no place. The factor is from 1/2 to 2, or 0 or infinite. */
DEVICE scalar scaled_product(scalar value, scalar factor, int n)
{
    const int most = n > MOST_SCALING ? MOST_SCALING : n;
    const int all = most < -MOST_SCALING ? -MOST_SCALING : most;
    return value * POWER(all / 2) * (factor * POWER(all - all / 2));
}

DEVICE scalar scale(scalar value, int n)
{
    return scaled_product(value, SCALAR(1.0), n);
}

DEVICE int larger_of(int a, int b)
{
    return a > b ? a : b;
}

/** 1 <= |value| < 2, but of 0, infinity and NaN. The second step is for subnormals. */
DEVICE scaled split(scalar v)
{
    scaled s;
    s.exponent = EXPONENT(v);
    s.value = scale(v, -s.exponent);
    if (ABS(s.value) < SCALAR(1.0)) {
        const int more = EXPONENT(s.value);
        s.value = scale(s.value, -more);
        s.exponent += more;
    }
    return s;
}

/** x, with the sign of +0 for zeros. */
DEVICE scaled split_argument(scalar x)
{
    scaled s = split(x);
    if (x == SCALAR(0.0)) {
        s.value = SCALAR(1.0);
        s.exponent = -ENDLESS;
    } else if (s.value - s.value != SCALAR(0.0)) {
        s.exponent = ENDLESS;
    }
    return s;
}

/** Highest power with a coefficient that is not zero; 0 if there is none. */
DEVICE int effective_degree(const scalar *c, int degree)
{
    int effective = 0;
    UNROLL_RARE
    for (int i = 1; i <= degree; ++i)
        if (HIDE_REAL(c[i]) != SCALAR(0.0))
            effective = i;
    return effective;
}

/** base * x^k, by the factors x or t = 1 / x. */
DEVICE scalar times_power(scalar base, scalar x, scalar t, int k)
{
    IN_TURN
    for (; k > 0; --k)
        base = base * x;
    IN_TURN
    for (; k < 0; ++k)
        base = base * t;
    return base;
}

/** c(x) / x^effective, or with slope 1 c'(x) / x^(effective - 1): as a polynomial in t 2^exponent. */
APART scaled horner_reversed(const scalar *c, int degree, int effective, scalar t, int exponent, int slope)
{
    scaled p;
    p.value = SCALAR(0.0);
    p.exponent = NO_EXPONENT;
    UNROLL_RARE
    for (int i = slope; i <= degree; ++i) {
        const scalar own = HIDE_REAL(c[i]);
        if (i <= effective && own != SCALAR(0.0))
            p.exponent = larger_of(p.exponent, EXPONENT(own) + (effective - i) * exponent);
    }
    UNROLL_RARE
    for (int i = slope; i <= degree; ++i) {
        if (i <= effective) {
            const scalar own = scale(HIDE_REAL(c[i]), (effective - i) * exponent - p.exponent);
            const scalar term = slope ? (scalar)i * own : own;
            p.value = i == slope ? term : FMA(p.value, t, term);
        }
    }
    return p;
}

/** What forward and backward share: F(x) = ratio x^(e - q_degree). */
typedef struct scaled_point {
    scaled x;
    scalar t;     /* 1 / x.value */
    scaled q;     /* Q(x) / x^q_degree */
    scaled ratio; /* (P / x^e) / (Q / x^q_degree) */
    scaled turn;  /* dQ/dB / x^(q_degree - k); for abs_terms, where B is of |x|, sign(x)^k */
    int e;        /* effective degrees: of P, */
    int k;        /* of B */
    int q_degree; /* and of Q: k, or 2 k for square */
} scaled_point;

/** What the denominator's polynomial is evaluated in: 1 / x.value, or 1 / |x.value|. */
DEVICE scalar denominator_argument(family f, const scaled_point *at)
{
    return f.form == FORM_ABS_TERMS ? ABS(at->t) : at->t;
}

/** Q over x^q_degree as the sum of its constant and another part, a value of exponent. @param sign of x^q_degree */
DEVICE scaled plus_constant(scalar start, scaled part, scalar sign, const scaled_point *at)
{
    const int offset = -at->q_degree * at->x.exponent;
    scaled q;
    q.exponent = larger_of(part.exponent, offset);
    q.value = sign * (scale(part.value, part.exponent - q.exponent) +
                      scale(times_power(start, at->x.value, ABS(at->t), -at->q_degree), offset - q.exponent));
    return q;
}

APART scaled_point evaluate_scaled(family f, const scalar_coefficients *c, scalar x)
{
    scaled_point at;
    scalar odd; /* sign(x)^k */
    scaled b, p;
    at.x = split_argument(x);
    at.t = DIVIDE(SCALAR(1.0), at.x.value);
    at.e = effective_degree(c->a, f.m);
    at.k = effective_degree(c->b, f.n);
    at.q_degree = at.k;
    b = horner_reversed(c->b, f.n, at.k, denominator_argument(f, &at), -at.x.exponent, 0);
    at.q = b;
    at.turn.value = SCALAR(1.0);
    at.turn.exponent = 0;
    odd = (at.k & 1) ? FLIP(SCALAR(1.0), at.x.value) : SCALAR(1.0);
    if (f.form == FORM_ABS_TERMS) {
        at.turn.value = odd;
        at.q.value = odd * b.value;
    }
    if (has_abs_sum(f)) {
        at.turn.value = FLIP(odd, PLUS_ZERO(x == SCALAR(0.0) ? HIDE_REAL(c->b[0]) : b.value));
        b.value = ABS(b.value);
        at.q = plus_constant(sum_offset(f), b, odd, &at);
    }
    if (f.form == FORM_SQUARE) {
        scaled part = split(b.value); /* so that its square is a normal number */
        at.q_degree = 2 * at.k;
        at.turn.value = part.value + part.value;
        at.turn.exponent = part.exponent + b.exponent;
        part.value = part.value * part.value;
        part.exponent = 2 * at.turn.exponent;
        at.q = plus_constant(SCALAR(1.0), part, SCALAR(1.0), &at);
    }
    p = horner_reversed(c->a, f.m, at.e, at.t, -at.x.exponent, 0);
    at.ratio.value = DIVIDE(p.value, at.q.value);
    at.ratio.exponent = p.exponent - at.q.exponent;
    return at;
}

/** base x^k as a plain number. */
APART scalar scaled_power(scaled base, const scaled_point *at, int k)
{
    /* One factor's product is rounded with the scale that the result has. */
    const int last = k > 0 ? 1 : k < 0 ? -1 : 0;
    const scalar factor = k > 0 ? at->x.value : k < 0 ? at->t : SCALAR(1.0);
    return scaled_product(times_power(base.value, at->x.value, at->t, k - last), factor,
                          base.exponent + k * at->x.exponent);
}

/** P' - F Q', over x^(e - 1). */
DEVICE scaled slope_scaled(family f, const scalar_coefficients *c, const scaled_point *at)
{
    const scaled p = horner_reversed(c->a, f.m, at->e, at->t, -at->x.exponent, 1);
    const scaled b = horner_reversed(c->b, f.n, at->k, denominator_argument(f, at), -at->x.exponent, 1);
    const int exponent = at->ratio.exponent + at->turn.exponent + b.exponent; /* of F Q' */
    scaled s;
    s.exponent = larger_of(exponent, p.exponent);
    s.value = FMA(-at->ratio.value, scale(at->turn.value * b.value, exponent - s.exponent),
                  scale(p.value, p.exponent - s.exponent));
    return s;
}

/** F(x) where plain arithmetic could overflow. */
DEVICE scalar forward_scaled(family f, const scalar_coefficients *c, scalar x)
{
    const scaled_point at = evaluate_scaled(f, c, x);
    return scaled_power(at.ratio, &at, at.e - at.q_degree);
}

/** As backward_near, where plain arithmetic could overflow. */
DEVICE scalar backward_scaled(family f, const scalar_coefficients *c, scalar x, scalar dy, scalar *sums)
{
    const int count = table_width(f, DENOMINATOR);
    const int lowest = f.form == FORM_ABS_SUM_OFFSET ? 0 : 1; /* the j of the first b_j */
    const scaled_point at = evaluate_scaled(f, c, x);
    scaled g = split(dy); /* w x^q_degree */
    scaled u;             /* -w F dQ/dB x^(q_degree + k - e) */
    scaled slope;
    scalar dx;
    g.value = DIVIDE(g.value, at.q.value);
    g.exponent -= at.q.exponent;
    slope = slope_scaled(f, c, &at);
    slope.value = g.value * slope.value;
    slope.exponent += g.exponent;
    dx = scaled_power(slope, &at, at.e - 1 - at.q_degree);
    UNROLL_RARE
    for (int i = 0; i <= f.m; ++i)
        sums[i] = sums[i] + scaled_power(g, &at, i - at.q_degree);
    u.value = -(g.value * at.ratio.value);
    u.exponent = g.exponent + at.ratio.exponent + at.turn.exponent;
    if (f.form != FORM_ABS_TERMS)
        u.value = u.value * at.turn.value;
    UNROLL_RARE
    for (int i = 0; i < count; ++i) {
        const int j = i + lowest;
        const scalar term = scaled_power(u, &at, at.e - at.q_degree - at.k + j);
        sums[f.m + 1 + i] += (f.form == FORM_ABS_TERMS && (j & 1)) ? FLIP(term, at.x.value) : term;
    }
    return dx;
}

#ifndef LANES /* those look at all lanes first: see lanes.h */
DEVICE int is_near(family f, const coefficients *c, real x)
{
    return !(ABS(x) > (has_large(f, c) ? -REAL(1.0) : near_limit(f))); /* NaN is near */
}

/** F(x) for any x, for the kernels. */
DEVICE real forward_element(family f, const coefficients *c, real x)
{
    return is_near(f, c, x) ? forward_near(f, c, x) : forward_scaled(f, c, x);
}

/** For the kernels: dx for any x, and what the element adds added to sums. */
DEVICE real backward_element(family f, const coefficients *c, real x, real dy, real *sums)
{
    real y;
    return is_near(f, c, x) ? backward_near(f, c, PLUS_ZERO(x), dy, &y, sums) : backward_scaled(f, c, x, dy, sums);
}
#endif

#endif
