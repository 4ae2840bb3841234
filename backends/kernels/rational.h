/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file rational.h
 * @brief The formulas: F(x), its derivative, and one element's share in the gradients of the coefficients.
 *
 * Written once for every backend, in the common subset of C99, OpenCL C, CUDA and HIP. A backend's dialect gives
 *
 *     DEVICE          qualifiers of a function that is always inlined
 *     UNROLL          in front of a loop over coefficients
 *     real            the type of arithmetic: float, double, or (cpu) a vector of either, one lane per thread
 *     FMA(a, b, c)    fused multiply and add
 *     RECIPROCAL(q)   1 / q; correctly rounded where the plan promises the same bits on every device
 *     ABS(x)          absolute value
 *     FLIP(v, by)     by < 0 ? -v : v, so that sign(0) = +1, for a by that has been through
 *     PLUS_ZERO(by)   by, with +0 in the place of -0 if FLIP takes that for negative
 *     NO_UNROLL       in front of a loop that shall stay one
 *     ANY_ABOVE(v, limit)  v > limit, in any lane
 *     HIDE_REAL(value)     the value, of which the compiler knows nothing; only where the rare path is inlined into the loop
 *                     around it. What it computes of coefficients alone would be computed before the loop otherwise, and
 *                     take registers all along
 *
 * Nothing else of floating point is used, and contraction is off: this fixes every bit.
 *
 * Denominator coefficients are kept as Q's own polynomial B with a constant term in b[0]: 1 for abs_terms (with |b_j|)
 * and plain, 0 for abs_sum, b0 for abs_sum_offset. So every form is one Horner scheme and a closing step.
 */

#define MAX_DEGREE 15
#define MAX_COEFFICIENTS (2 * (MAX_DEGREE + 1))

#ifndef ANY_ABOVE
#define ANY_ABOVE(v, limit) ((v) > (limit))
#endif
#ifndef HIDE_REAL
#define HIDE_REAL(value) (value)
#endif

/**
 * Near zero, powers of x stay below 2^60 (f64: 2^480), and Q, unless its terms cancel, above 0.1. With no coefficient above
 * this, P, Q, their derivatives and the quotients of any two are normal numbers then, with room for dy on either side.
 */
#ifdef DOUBLE_OF
#define LARGE_COEFFICIENT 1e77
#else
#define LARGE_COEFFICIENT 4e9f
#endif

/* Values of grkan_denominator. */
#define FORM_ABS_TERMS 0
#define FORM_ABS_SUM 1
#define FORM_ABS_SUM_OFFSET 2
#define FORM_PLAIN 3

/** Which function: all constants once a kernel is specialised. */
typedef struct rational {
    int m;             /* degree of the numerator */
    int n;             /* degree of the denominator */
    int form;          /* FORM_... */
    int near_exponent; /* |x| <= 2^near_exponent is near zero: evaluated in x, unless a coefficient is large */
    int repeats;       /* how often an element near zero is computed: 1, but in studies of what bounds the time */
} rational;

typedef struct coefficients {
    real a[MAX_DEGREE + 1]; /* a0..am */
    real b[MAX_DEGREE + 1]; /* constant term, b1..bn; see above */
} coefficients;

/** A polynomial and its derivative at one x. */
typedef struct polynomial {
    real value;
    real slope;
} polynomial;

/** Gradients of the denominator's coefficients per group. */
DEVICE int denominator_count(rational kind)
{
    return kind.form == FORM_ABS_SUM_OFFSET ? kind.n + 1 : kind.n;
}

/** Gradients of coefficients per group: the numerator's, then the denominator's. */
DEVICE int coefficient_count(rational kind)
{
    return kind.m + 1 + denominator_count(kind);
}

/** What abs_sum and abs_sum_offset add to |B|. */
DEVICE real sum_offset(rational kind)
{
    return kind.form == FORM_ABS_SUM ? REAL(1.0) : REAL(0.1);
}

DEVICE int has_abs_sum(rational kind)
{
    return kind.form == FORM_ABS_SUM || kind.form == FORM_ABS_SUM_OFFSET;
}

/** Whether a coefficient of a group, or of several, is large. */
DEVICE int has_large(rational kind, const coefficients *c)
{
    int large = 0;
    UNROLL
    for (int i = 0; i <= kind.m; ++i)
        large |= ANY_ABOVE(ABS(HIDE_REAL(c->a[i])), LARGE_COEFFICIENT);
    UNROLL
    for (int j = 0; j <= kind.n; ++j)
        large |= ANY_ABOVE(ABS(HIDE_REAL(c->b[j])), LARGE_COEFFICIENT);
    return large;
}

/** Up to which |x| elements can be near zero. */
DEVICE scalar near_limit(rational kind)
{
    return (scalar)((grkan_int64)1 << kind.near_exponent);
}

/** Horner's scheme for c0 + c1 x + ... and its derivative: one fma for each term of either. */
DEVICE polynomial horner(const real *c, int degree, real x)
{
    polynomial p;
    p.value = c[degree];
    p.slope = REAL(0.0);
    UNROLL
    for (int i = degree - 1; i >= 0; --i) {
        p.slope = i == degree - 1 ? p.value : FMA(p.slope, x, p.value);
        p.value = FMA(p.value, x, c[i]);
    }
    return p;
}

/** Q(x), Q'(x), and in *b the polynomial B at its own argument, whose sign abs_sum needs. x has been through PLUS_ZERO. */
DEVICE polynomial denominator_near(rational kind, const coefficients *c, real x, polynomial *b)
{
    polynomial q;
    *b = horner(c->b, kind.n, kind.form == FORM_ABS_TERMS ? ABS(x) : x);
    q = *b;
    if (kind.form == FORM_ABS_TERMS)
        q.slope = FLIP(b->slope, x);
    if (has_abs_sum(kind)) {
        b->value = PLUS_ZERO(b->value);
        q.value = sum_offset(kind) + ABS(b->value);
        q.slope = FLIP(b->slope, b->value);
    }
    return q;
}

/** P(x) and P'(x). A constant function has to look at x all the same: NaN in gives NaN out. */
DEVICE polynomial numerator_near(rational kind, const coefficients *c, real x)
{
    polynomial p = horner(c->a, kind.m, x);
    if (kind.m == 0 && kind.n == 0)
        p.value = p.value + (x - x);
    return p;
}

DEVICE real forward_once(rational kind, const coefficients *c, real x)
{
    polynomial b;
    polynomial q = denominator_near(kind, c, x, &b);
    return numerator_near(kind, c, x).value * RECIPROCAL(q.value);
}

/** F(x) for |x| <= 2^near_exponent. */
DEVICE real forward_near(rational kind, const coefficients *c, real x)
{
    real y = forward_once(kind, c, x);
    real positive = x - x; /* then 1, 2, ...: that FLIP leaves x alone, no compiler can know, since x could be NaN */
    NO_UNROLL
    for (int i = 1; i < kind.repeats; ++i) {
        positive = positive + REAL(1.0);
        y = FLIP(forward_once(kind, c, FLIP(x, positive)), y - y);
    }
    return y;
}

/** What an element adds to the sums: w x^i for each a_i, and u x^j (abs_terms: u |x|^j) for each b_j. */
typedef struct share {
    real w; /* dy / Q */
    real u; /* -w F, for abs_sum with the sign of B */
} share;

DEVICE real slope_once(rational kind, const coefficients *c, real x, real dy, share *s)
{
    polynomial b;
    const polynomial p = numerator_near(kind, c, x);
    const polynomial q = denominator_near(kind, c, x, &b);
    const real inverse = RECIPROCAL(q.value);
    const real f = p.value * inverse;
    s->w = dy * inverse;
    s->u = -(s->w * f);
    if (has_abs_sum(kind))
        s->u = FLIP(s->u, b.value);
    return s->w * FMA(-f, q.slope, p.slope);
}

/**
 * Add term x^i to sums[i] for i from first (0 or 1) to last. By way of the even powers: half of the sums are plain
 * additions then, which read fewer registers than an fma.
 */
DEVICE void add_powers(real term, real x, real square, int first, int last, real *sums)
{
    UNROLL
    for (int i = 0; i <= last; i += 2) {
        if (i > 0 && i == last) {
            sums[i] = FMA(term, square, sums[i]);
        } else {
            if (i > 0)
                term = term * square;
            if (i >= first)
                sums[i] = sums[i] + term;
            if (i < last)
                sums[i + 1] = FMA(term, x, sums[i + 1]);
        }
    }
}

DEVICE void add_share_once(rational kind, real x, share s, real *sums)
{
    const real square = x * x;
    add_powers(s.w, x, square, 0, kind.m, sums);
    if (kind.form == FORM_ABS_SUM_OFFSET)
        add_powers(s.u, x, square, 0, kind.n, sums + kind.m + 1);
    else
        add_powers(s.u, kind.form == FORM_ABS_TERMS ? ABS(x) : x, square, 1, kind.n, sums + kind.m);
}

/** dx for |x| <= 2^near_exponent, and the element's share. Each repetition has its part of dy. x has been through PLUS_ZERO. */
DEVICE real slope_near(rational kind, const coefficients *c, real x, real dy, share *s)
{
    real positive = x - x; /* as in forward_near */
    real dx = positive;
    share part;
    if (kind.repeats == 1)
        return slope_once(kind, c, x, dy, s);
    s->w = positive;
    s->u = positive;
    dy = dy * ((scalar)1 / (scalar)kind.repeats);
    NO_UNROLL
    for (int i = 0; i < kind.repeats; ++i) {
        positive = positive + REAL(1.0);
        dx = dx + slope_once(kind, c, FLIP(x, positive), dy, &part);
        s->w = s->w + part.w;
        s->u = s->u + part.u;
    }
    return dx;
}

/**
 * Add an element's share. For abs_terms the factor sign(b_j) is left to the end of the accumulation (see deliver in
 * tile.h). Each repetition adds its part.
 */
DEVICE void add_share(rational kind, real x, share s, real *sums)
{
    real positive = x - x; /* as in forward_near */
    if (kind.repeats == 1) {
        add_share_once(kind, x, s, sums);
        return;
    }
    s.w = s.w * ((scalar)1 / (scalar)kind.repeats);
    s.u = s.u * ((scalar)1 / (scalar)kind.repeats);
    NO_UNROLL
    for (int i = 0; i < kind.repeats; ++i) {
        positive = positive + REAL(1.0);
        add_share_once(kind, FLIP(x, positive), s, sums);
    }
}

/** dx for |x| <= 2^near_exponent; adds the element's share to sums. x has been through PLUS_ZERO. */
DEVICE real backward_near(rational kind, const coefficients *c, real x, real dy, real *sums)
{
    share s;
    const real dx = slope_near(kind, c, x, dy, &s);
    add_share(kind, x, s, sums);
    return dx;
}
