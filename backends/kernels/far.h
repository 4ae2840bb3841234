/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file far.h
 * @brief The formulas where plain arithmetic could overflow: where |x| or a coefficient is large. Here, nothing overflows
 * or vanishes on the way to a result.
 *
 * With e the highest power whose coefficient is not zero, P(x) = x^e p(t) and Q(x) = x^k q(t), t = 1 / x. Exponents are
 * integers of their own: x is a significand times 2^exponent, so that powers of it are products of significands, and the
 * terms of a polynomial are taken in units of about the largest of them. Only what becomes a result is scaled back.
 * x = +-infinity gives the limit. Rare, so written for size; scalars only.
 */

/* Loops over coefficients stay loops, unless a dialect says UNROLL: where no function can have them in memory. */
#ifndef UNROLL_RARE
#define UNROLL_RARE NO_UNROLL
#endif

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

/** Of what is zero, and of x that is zero or infinite: no coefficients make up for it, nor does it overflow an int. */
#define NO_EXPONENT (-(1 << 20))
#define ENDLESS 4096

/** value 2^exponent, the value a significand of any normal size. */
typedef struct scaled {
    real value;
    int exponent;
} scaled;

/** value factor 2^n, rounded once; 0 or infinity where that has no place. The factor is from 1/2 to 2, or 0 or infinite. */
DEVICE real scaled_product(real value, real factor, int n)
{
    const int most = n > MOST_SCALING ? MOST_SCALING : n;
    const int all = most < -MOST_SCALING ? -MOST_SCALING : most;
    return value * POWER(all / 2) * (factor * POWER(all - all / 2));
}

DEVICE real scale(real value, int n)
{
    return scaled_product(value, REAL(1.0), n);
}

DEVICE int larger_of(int a, int b)
{
    return a > b ? a : b;
}

/** 1 <= |value| < 2, but of 0, infinity and NaN. The second step is for subnormals. */
DEVICE scaled split(real v)
{
    scaled s;
    s.exponent = EXPONENT(v);
    s.value = scale(v, -s.exponent);
    if (ABS(s.value) < REAL(1.0)) {
        const int more = EXPONENT(s.value);
        s.value = scale(s.value, -more);
        s.exponent += more;
    }
    return s;
}

/** x, with the sign of +0 for zeros. */
DEVICE scaled split_argument(real x)
{
    scaled s = split(x);
    if (x == REAL(0.0)) {
        s.value = REAL(1.0);
        s.exponent = -ENDLESS;
    } else if (s.value - s.value != REAL(0.0)) {
        s.exponent = ENDLESS;
    }
    return s;
}

/** Highest power with a coefficient that is not zero; 0 if there is none. */
DEVICE int effective_degree(const real *c, int degree)
{
    int effective = 0;
    UNROLL_RARE
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

/** c(x) / x^effective, or with slope 1 c'(x) / x^(effective - 1): as a polynomial in t 2^exponent. */
DEVICE scaled horner_reversed(const real *c, int degree, int effective, real t, int exponent, int slope)
{
    scaled p;
    p.value = REAL(0.0);
    p.exponent = NO_EXPONENT;
    UNROLL_RARE
    for (int i = slope; i <= degree; ++i) {
        const real own = HIDE_REAL(c[i]);
        if (i <= effective && own != REAL(0.0))
            p.exponent = larger_of(p.exponent, EXPONENT(own) + (effective - i) * exponent);
    }
    UNROLL_RARE
    for (int i = slope; i <= degree; ++i) {
        if (i <= effective) {
            const real own = scale(HIDE_REAL(c[i]), (effective - i) * exponent - p.exponent);
            const real term = slope ? (real)i * own : own;
            p.value = i == slope ? term : FMA(p.value, t, term);
        }
    }
    return p;
}

/** What forward and backward share: F(x) = ratio x^(e - k). */
typedef struct far_point {
    scaled x;
    real t;       /* 1 / x.value */
    scaled q;     /* Q(x) / x^k */
    scaled ratio; /* (P / x^e) / (Q / x^k) */
    real turn;    /* has the sign of Q' / B' over x^k, and but for abs_terms of dQ/db_j / x^j */
    int e;
    int k;
} far_point;

/** What the denominator's polynomial is evaluated in: 1 / x.value, or 1 / |x.value|. */
DEVICE real denominator_argument(rational kind, const far_point *f)
{
    return kind.form == FORM_ABS_TERMS ? ABS(f->t) : f->t;
}

DEVICE far_point evaluate_far(rational kind, const coefficients *c, real x)
{
    far_point f;
    real odd; /* sign(x)^k */
    scaled p;
    f.x = split_argument(x);
    f.t = DIVIDE(REAL(1.0), f.x.value);
    f.e = effective_degree(c->a, kind.m);
    f.k = effective_degree(c->b, kind.n);
    f.q = horner_reversed(c->b, kind.n, f.k, denominator_argument(kind, &f), -f.x.exponent, 0);
    f.turn = REAL(1.0);
    odd = (f.k & 1) ? FLIP(REAL(1.0), f.x.value) : REAL(1.0);
    if (kind.form == FORM_ABS_TERMS) {
        f.turn = odd;
        f.q.value = odd * f.q.value;
    }
    if (has_abs_sum(kind)) {
        const int offset = -f.k * f.x.exponent;
        const int exponent = larger_of(f.q.exponent, offset);
        f.turn = FLIP(odd, PLUS_ZERO(x == REAL(0.0) ? c->b[0] : f.q.value));
        f.q.value = odd * (scale(ABS(f.q.value), f.q.exponent - exponent) +
                           scale(times_power(sum_offset(kind), f.x.value, ABS(f.t), -f.k), offset - exponent));
        f.q.exponent = exponent;
    }
    p = horner_reversed(c->a, kind.m, f.e, f.t, -f.x.exponent, 0);
    f.ratio.value = DIVIDE(p.value, f.q.value);
    f.ratio.exponent = p.exponent - f.q.exponent;
    return f;
}

/** base x^k as a plain number. */
DEVICE real scaled_power(scaled base, const far_point *f, int k)
{
    const int last = k > 0 ? 1 : k < 0 ? -1 : 0; /* that factor's product is rounded with the scale that the result has */
    const real factor = k > 0 ? f->x.value : k < 0 ? f->t : REAL(1.0);
    return scaled_product(times_power(base.value, f->x.value, f->t, k - last), factor,
                          base.exponent + k * f->x.exponent);
}

/** P' - F Q', over x^(e - 1). */
DEVICE scaled slope_far(rational kind, const coefficients *c, const far_point *f)
{
    const scaled p = horner_reversed(c->a, kind.m, f->e, f->t, -f->x.exponent, 1);
    const scaled q = horner_reversed(c->b, kind.n, f->k, denominator_argument(kind, f), -f->x.exponent, 1);
    const int exponent = f->ratio.exponent + q.exponent; /* of F Q' */
    scaled s;
    s.exponent = larger_of(exponent, p.exponent);
    s.value = FMA(-f->ratio.value, scale(f->turn * q.value, exponent - s.exponent),
                  scale(p.value, p.exponent - s.exponent));
    return s;
}

/** F(x) where plain arithmetic could overflow. */
DEVICE real forward_far(rational kind, const coefficients *c, real x)
{
    const far_point f = evaluate_far(kind, c, x);
    return scaled_power(f.ratio, &f, f.e - f.k);
}

/** As backward_near, where plain arithmetic could overflow. */
DEVICE real backward_far(rational kind, const coefficients *c, real x, real dy, real *sums)
{
    const int count = denominator_count(kind);
    const int lowest = kind.form == FORM_ABS_SUM_OFFSET ? 0 : 1; /* the j of the first b_j */
    const far_point f = evaluate_far(kind, c, x);
    scaled g = split(dy); /* w x^k */
    scaled u;             /* -w F x^(2 k - e) */
    scaled slope;
    real dx;
    g.value = DIVIDE(g.value, f.q.value);
    g.exponent -= f.q.exponent;
    slope = slope_far(kind, c, &f);
    slope.value = g.value * slope.value;
    slope.exponent += g.exponent;
    dx = scaled_power(slope, &f, f.e - 1 - f.k);
    UNROLL_RARE
    for (int i = 0; i <= kind.m; ++i)
        sums[i] = sums[i] + scaled_power(g, &f, i - f.k);
    u.value = -(g.value * f.ratio.value);
    u.exponent = g.exponent + f.ratio.exponent;
    if (has_abs_sum(kind))
        u.value = u.value * f.turn;
    UNROLL_RARE
    for (int i = 0; i < count; ++i) {
        const int j = i + lowest;
        const real share = scaled_power(u, &f, f.e - 2 * f.k + j);
        sums[kind.m + 1 + i] += (kind.form == FORM_ABS_TERMS && (j & 1)) ? FLIP(share, f.x.value) : share;
    }
    return dx;
}

DEVICE int is_near(rational kind, const coefficients *c, real x)
{
    return !(ABS(x) > (has_large(kind, c) ? -REAL(1.0) : near_limit(kind))); /* NaN is near */
}

/** F(x) for any x. */
DEVICE real forward_element(rational kind, const coefficients *c, real x)
{
    return is_near(kind, c, x) ? forward_near(kind, c, x) : forward_far(kind, c, x);
}

/** dx for any x, and the element's shares added to sums. */
DEVICE real backward_element(rational kind, const coefficients *c, real x, real dy, real *sums)
{
    return is_near(kind, c, x) ? backward_near(kind, c, PLUS_ZERO(x), dy, sums) : backward_far(kind, c, x, dy, sums);
}
