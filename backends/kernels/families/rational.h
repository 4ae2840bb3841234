/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file rational.h
 * @brief The rational family: F(x) = P(x) / Q(x), its derivative, and what one element adds to the gradients.
 *
 * A family gives what is marked "for the kernels": its tables, the coefficients that arithmetic works with, forward and
 * backward where plain arithmetic serves (here) and where it could overflow (rational_scaled.h), and what is left to the
 * end of a sum.
 *
 * The denominator's coefficients are kept as one polynomial B with a constant term in b[0]: 1 for abs_terms (with |b_j|) and
 * plain, 0 for abs_sum and square, b0 for abs_sum_offset. So every form is one Horner scheme and a closing step.
 */
#ifndef GRKAN_RATIONAL_H
#define GRKAN_RATIONAL_H

#include "../words.h"

#define MAX_DEGREE 15

/* Values of grkan_form. */
#define FORM_ABS_TERMS 0
#define FORM_ABS_SUM 1
#define FORM_ABS_SUM_OFFSET 2
#define FORM_PLAIN 3
#define FORM_SQUARE 4

/** Which function, for the kernels: the family's parameters in their order, constants once a kernel is specialised. */
typedef struct family {
    int m;             /* degree of the numerator */
    int n;             /* degree of the denominator */
    int form;          /* FORM_... */
    int near_exponent; /* |x| <= 2^near_exponent is near zero: evaluated in x, unless a coefficient is large */
} family;

/** Tables of the family, for the kernels: the numerator's [groups or 1][m + 1], the denominator's [groups or 1][n], or n + 1. */
#define FAMILY_TABLES 2
#define NUMERATOR 0
#define DENOMINATOR 1

/** Most sums of a thread, for the kernels. */
#define MOST_SUMS (2 * (MAX_DEGREE + 1))

#ifdef GRKAN_PARAMETER_0
/** Sums of a thread, for the kernels: one for each number of a row of the tables. */
#define FAMILY_SUMS (GRKAN_PARAMETER_0 + 1 + GRKAN_PARAMETER_1 + (GRKAN_PARAMETER_2 == FORM_ABS_SUM_OFFSET ? 1 : 0))

/** Whether the sign of x is asked for, for the kernels. */
#define ASKS_SIGN_OF_X (GRKAN_PARAMETER_2 == FORM_ABS_TERMS)

/** The function that a kernel is specialised for, for the kernels. */
DEVICE family the_family(void)
{
    family f;
    f.m = GRKAN_PARAMETER_0;
    f.n = GRKAN_PARAMETER_1;
    f.form = GRKAN_PARAMETER_2;
    f.near_exponent = GRKAN_PARAMETER_3;
    return f;
}
#endif

/** Likewise, from the parameters of a plan, where kernels are not specialised. */
DEVICE family family_from(const int *parameters)
{
    family f;
    f.m = parameters[0];
    f.n = parameters[1];
    f.form = parameters[2];
    f.near_exponent = parameters[3];
    return f;
}

/** A function by its degrees and form. */
DEVICE family common_function(int m, int n, int form)
{
    family f;
    f.m = m;
    f.n = n;
    f.form = form;
    f.near_exponent = 0;
    return f;
}

DEVICE int is_same_function(family f, family other)
{
    return f.m == other.m && f.n == other.n && f.form == other.form;
}

/**
 * DO(function) for each that is common enough for code of its own on the cpu, where kernels are not specialised: KAT's
 * degrees, those of the rational networks of Boulle, Nakatsukasa and Townsend (2020), and the next that fit better than
 * KAT's.
 */
#define FIRST_COMMON_FUNCTION(DO) DO(common_function(5, 4, FORM_ABS_TERMS))
#define COMMON_FUNCTIONS(DO)                                                                                           \
    IN_EVERY_FORM(DO, 5, 4) IN_EVERY_FORM(DO, 3, 2) IN_EVERY_FORM(DO, 7, 6) DO(common_function(5, 4, FORM_SQUARE))
#define IN_EVERY_FORM(DO, m, n)                                                                                        \
    DO(common_function(m, n, FORM_ABS_TERMS))                                                                          \
    DO(common_function(m, n, FORM_ABS_SUM))                                                                            \
    DO(common_function(m, n, FORM_ABS_SUM_OFFSET))                                                                     \
    DO(common_function(m, n, FORM_PLAIN))

/* ------------------------------------------------------------------------------------- tables and coefficients */

/** Numbers of a row of a table, for the kernels. */
DEVICE int table_width(family f, int table)
{
    return table == NUMERATOR ? f.m + 1 : f.form == FORM_ABS_SUM_OFFSET ? f.n + 1 : f.n;
}

/** The first of a thread's sums that belongs to a table, for the kernels. */
DEVICE int first_sum(family f, int table)
{
    return table == NUMERATOR ? 0 : f.m + 1;
}

/** Sums of a thread, for the kernels. */
DEVICE int sum_count(family f)
{
    return f.m + 1 + table_width(f, DENOMINATOR);
}

/** What arithmetic works with, of one group; numbers only, for the kernels. */
typedef struct coefficients {
    real a[MAX_DEGREE + 1]; /* a0..am */
    real b[MAX_DEGREE + 1]; /* constant term, b1..bn; see above */
} coefficients;

/** Of one lane. */
#ifdef LANES
typedef struct scalar_coefficients {
    scalar a[MAX_DEGREE + 1];
    scalar b[MAX_DEGREE + 1];
} scalar_coefficients;
#else
typedef coefficients scalar_coefficients;
#endif

/** How many coefficients come of a row of a table, for the kernels. */
DEVICE int coefficient_count(family f, int table)
{
    return table == NUMERATOR ? f.m + 1 : f.n + 1;
}

/** Where coefficient i of those of a table is, for the kernels. A macro, since OpenCL's pointers have address spaces. */
#define COEFFICIENT(c, table, i) ((table) == NUMERATOR ? (c)->a : (c)->b)[i]

/** Coefficient i of those of a table, from the table's row, for the kernels. */
DEVICE scalar coefficient_of(family f, int table, GLOBAL const scalar *row, int i)
{
    if (table == NUMERATOR || f.form == FORM_ABS_SUM_OFFSET)
        return row[i];
    if (i == 0)
        return f.form == FORM_ABS_TERMS || f.form == FORM_PLAIN ? (scalar)1 : (scalar)0;
    return f.form == FORM_ABS_TERMS ? SCALAR_ABS(row[i - 1]) : row[i - 1];
}

/**
 * What is left to the end of a sum, for the kernels: whether a table's sums have the factor sign(b_j) of abs_terms, which
 * every element of a group shares. @param number of the table, the one that the sum is the gradient of
 */
DEVICE int is_negated(family f, int table, GLOBAL const scalar *number)
{
    return table == DENOMINATOR && f.form == FORM_ABS_TERMS && *number < 0;
}

/** The leading coefficients, which are factors of x: newer than it, so that it is the first factor everywhere. For the
    kernels; see RENEWED. */
DEVICE coefficients renewed_coefficients(family f, const coefficients *c, real x)
{
    coefficients renewed = *c;
    renewed.a[f.m] = RENEWED(c->a[f.m], x);
    renewed.b[f.n] = RENEWED(c->b[f.n], x);
    return renewed;
}

/* ------------------------------------------------------------------------------------- where plain arithmetic serves */

/**
 * Near zero, powers of x stay below 2^60 (f64: 2^480), and Q, unless its terms cancel, above 0.1. With no coefficient above
 * this, P, Q, their derivatives and the quotients of any two are normal numbers then, with room for dy on either side.
 * B^2 has twice the exponents of B: |x|^n stays below 2^30 (2^240) for it, and the 15 terms of B below 2^54 (2^371) when
 * their coefficients are not above the second limit.
 */
#ifdef DOUBLE_OF
#define LARGE_COEFFICIENT 1e77
#define LARGE_SQUARED_COEFFICIENT 1e38
#else
#define LARGE_COEFFICIENT 4e9f
#define LARGE_SQUARED_COEFFICIENT 1e6f
#endif

/** Whether a coefficient of a group, or of several, is large, for the kernels. */
DEVICE int has_large(family f, const coefficients *c)
{
    int large = 0;
    UNROLL
    for (int i = 0; i <= f.m; ++i)
        large |= ANY_ABOVE(ABS(HIDE_REAL(c->a[i])), LARGE_COEFFICIENT);
    UNROLL
    for (int j = 0; j <= f.n; ++j)
        large |=
            ANY_ABOVE(ABS(HIDE_REAL(c->b[j])), f.form == FORM_SQUARE ? LARGE_SQUARED_COEFFICIENT : LARGE_COEFFICIENT);
    return large;
}

/** Up to which |x| elements can be near zero, for the kernels. */
DEVICE scalar near_limit(family f)
{
    return (scalar)((grkan_int64)1 << f.near_exponent);
}

/** A polynomial and its derivative at one x. */
NEAR_STRUCT(polynomial)
{
    reals value;
    reals slope;
};

/** Horner's scheme for c0 + c1 x + ... and its derivative: one fma for each term of either. */
NEAR OF_REALS(polynomial) horner(const real *c, int degree, reals x)
{
    OF_REALS(polynomial) p;
    p.value = c[degree];
    p.slope = REAL(0.0);
    UNROLL
    for (int i = degree - 1; i >= 0; --i) {
        p.slope = i == degree - 1 ? p.value : FMA(p.slope, x, p.value);
        p.value = FMA(p.value, x, c[i]);
    }
    return p;
}

/** What abs_sum and abs_sum_offset add to |B|. */
DEVICE scalar sum_offset(family f)
{
    return f.form == FORM_ABS_SUM ? SCALAR(1.0) : SCALAR(0.1);
}

DEVICE int has_abs_sum(family f)
{
    return f.form == FORM_ABS_SUM || f.form == FORM_ABS_SUM_OFFSET;
}

/** B and its derivative by x. x has been through PLUS_ZERO. */
NEAR OF_REALS(polynomial) inner_near(family f, const coefficients *c, reals x)
{
    OF_REALS(polynomial) b = horner(c->b, f.n, f.form == FORM_ABS_TERMS ? ABS(x) : x);
    if (f.form == FORM_ABS_TERMS)
        b.slope = FLIP_POSITIVE(b.slope, x);
    if (has_abs_sum(f))
        b.value = PLUS_ZERO(b.value);
    return b;
}

/** Q, of B's value. */
NEAR reals denominator_of(family f, reals b)
{
    if (has_abs_sum(f))
        return sum_offset(f) + ABS(b);
    return f.form == FORM_SQUARE ? FMA(b, b, REAL(1.0)) : b;
}

/** v dQ/dB, of B's value: the closing step's part in every derivative. */
NEAR reals times_closing_slope(family f, reals v, reals b)
{
    if (has_abs_sum(f))
        return FLIP(v, b);
    return f.form == FORM_SQUARE ? v * (b + b) : v;
}

/** P(x) and P'(x). A constant function has to look at x all the same: NaN in gives NaN out. */
NEAR OF_REALS(polynomial) numerator_near(family f, const coefficients *c, reals x)
{
    OF_REALS(polynomial) p = horner(c->a, f.m, x);
    if (f.m == 0 && f.n == 0)
        p.value = p.value + (x - x);
    return p;
}

/** F(x) near zero, for the kernels. */
NEAR reals forward_near(family f, const coefficients *c, reals x)
{
    const reals q = denominator_of(f, inner_near(f, c, x).value);
    return numerator_near(f, c, x).value * RESULT_RECIPROCAL(q);
}

/** What an element adds to the sums, for the kernels: w x^i for each a_i, and u x^j (abs_terms: u |x|^j) for each b_j. */
NEAR_STRUCT(element_terms)
{
    reals w; /* dy / Q */
    reals u; /* -w F dQ/dB */
};

/** dx and y near zero, and what the element adds. x has been through PLUS_ZERO. */
NEAR reals value_and_slope_near(family f, const coefficients *c, reals x, reals dy, reals *y,
                                OF_REALS(element_terms) * terms)
{
    const OF_REALS(polynomial) p = numerator_near(f, c, x);
    const OF_REALS(polynomial) b = inner_near(f, c, x);
    const reals inverse = RECIPROCAL(denominator_of(f, b.value));
    *y = p.value * inverse;
    const reals y_closing = times_closing_slope(f, *y, b.value);
    terms->w = dy * inverse;
    terms->u = -(terms->w * y_closing);
    return terms->w * FMA(-y_closing, b.slope, p.slope);
}

/** dx near zero, and what the element adds, for the kernels. x has been through PLUS_ZERO. */
NEAR reals slope_near(family f, const coefficients *c, reals x, reals dy, OF_REALS(element_terms) * terms)
{
    reals y;
    return value_and_slope_near(f, c, x, dy, &y, terms);
}

/**
 * Add term x^i to sums[i] for i from first (0 or 1) to last. By way of the even powers: half of the sums are plain
 * additions then, which read fewer registers than an fma.
 */
NEAR void add_powers(reals term, reals x, reals square, int first, int last, running_sum *sums)
{
    UNROLL
    for (int i = 0; i <= last; i += 2) {
        if (i > 0 && i == last) {
            sums[i] = ADD_PRODUCT(term, square, sums[i]);
        } else {
            if (i > 0)
                term = term * square;
            if (i >= first)
                sums[i] = ADD_TERM(sums[i], term);
            if (i < last)
                sums[i + 1] = ADD_PRODUCT(term, x, sums[i + 1]);
        }
    }
}

/** Add what an element adds, for the kernels; see is_negated for what is left. */
NEAR void add_terms(family f, reals x, OF_REALS(element_terms) terms, running_sum *sums)
{
    const reals square = x * x;
    add_powers(terms.w, x, square, 0, f.m, sums);
    if (f.form == FORM_ABS_SUM_OFFSET)
        add_powers(terms.u, x, square, 0, f.n, sums + f.m + 1);
    else
        add_powers(terms.u, f.form == FORM_ABS_TERMS ? ABS(x) : x, square, 1, f.n, sums + f.m);
}

/** dx and y near zero; adds to sums what the element adds. For the kernels. x has been through PLUS_ZERO. */
NEAR reals backward_near(family f, const coefficients *c, reals x, reals dy, reals *y, running_sum *sums)
{
    OF_REALS(element_terms) terms;
    const reals dx = value_and_slope_near(f, c, x, dy, y, &terms);
    add_terms(f, x, terms, sums);
    return dx;
}

#endif
