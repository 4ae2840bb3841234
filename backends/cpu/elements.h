/* SPDX-License-Identifier: Apache-2.0 */
/** @file elements.h @brief The coefficients of CPU_LANES neighbouring threads, and elements that need the rare formulas. */

#if CPU_BYTES == 0
/* The reference is what others are compared with, and takes what is rare: one loop serves every function. */
#define FOR_EACH_KNOWN(DO)
#elif defined(CPU_FEW_KNOWN)
#define FOR_EACH_KNOWN(DO) DO(5, 4, FORM_ABS_TERMS, 1)
#else
#define IN_EVERY_FORM(DO, m, n)                                                                                        \
    DO(m, n, FORM_ABS_TERMS, 1)                                                                                        \
    DO(m, n, FORM_ABS_SUM, 1)                                                                                          \
    DO(m, n, FORM_ABS_SUM_OFFSET, 1)                                                                                   \
    DO(m, n, FORM_PLAIN, 1)

/**
 * The functions whose loops over coefficients the compiler unrolls: KAT's degrees, those of the rational networks of
 * Boulle, Nakatsukasa and Townsend (2020), and the next that fit better than KAT's; last, KAT's function in studies that
 * repeat the arithmetic. All others share one loop.
 */
#define FOR_EACH_KNOWN(DO)                                                                                             \
    IN_EVERY_FORM(DO, 5, 4)                                                                                            \
    IN_EVERY_FORM(DO, 3, 2)                                                                                            \
    IN_EVERY_FORM(DO, 7, 6)                                                                                            \
    DO(5, 4, FORM_ABS_TERMS, kind.repeats)
#endif

/** A function that the compiler knows. */
DEVICE rational known(int m, int n, int form, int repeats)
{
    const rational kind = {.m = m, .n = n, .form = form, .repeats = repeats};
    return kind;
}

DEVICE int is_known(rational kind, int m, int n, int form, int repeats)
{
    return kind.m == m && kind.n == n && kind.form == form && kind.repeats == repeats;
}

DEVICE rational kind_of(const grkan_plan_data *plan)
{
    const rational kind = {plan->operation.numerator_degree, plan->operation.denominator_degree,
                           (int)plan->operation.denominator, plan->near_exponent, plan->repeats};
    return kind;
}

/** A function as everyone but a study computes it, or as a study does: what the compiler knows need not be looked up. */
DEVICE rational repeated(rational kind, int repeats)
{
    kind.repeats = repeats;
    return kind;
}

/** Q's polynomial of one group as rational.h wants it. */
DEVICE scalar denominator_term(rational kind, const scalar *b, int j)
{
    if (kind.form == FORM_ABS_SUM_OFFSET)
        return b[j];
    if (j == 0)
        return kind.form == FORM_ABS_SUM ? 0 : 1;
    return kind.form == FORM_ABS_TERMS ? SCALAR_ABS(b[j - 1]) : b[j - 1];
}

/** Whether CPU_LANES neighbouring threads have one group. Where rows are narrow, others may lie between equal ones. */
DEVICE int is_one_group(const int64_t *groups)
{
    for (int lane = 1; lane < CPU_LANES; ++lane)
        if (groups[lane] != groups[0])
            return 0;
    return 1;
}

/** The coefficients of CPU_LANES neighbouring threads with these groups. */
DEVICE void load_coefficients(rational kind, const cpu_job *job, const grkan_tiling *t, const int64_t *groups,
                              coefficients *c)
{
    const int count = denominator_count(kind);
    const int is_one = is_one_group(groups);
    for (int lane = 0; lane < (is_one ? 1 : CPU_LANES); ++lane) {
        const scalar *a = (const scalar *)job->numerator + (t->numerator_shared ? 0 : groups[lane] * (kind.m + 1));
        const scalar *b = (const scalar *)job->denominator + (t->denominator_shared ? 0 : groups[lane] * count);
        for (int i = 0; i <= kind.m; ++i)
            SET_LANES(c->a[i], lane, is_one, a[i]);
        for (int j = 0; j <= kind.n; ++j)
            SET_LANES(c->b[j], lane, is_one, denominator_term(kind, b, j));
    }
}

#if CPU_BYTES == 0

DEVICE real forward_lanes(const grkan_plan_data *plan, const coefficients *c, real x)
{
    return forward_element(kind_of(plan), c, x);
}

DEVICE real backward_lanes(const grkan_plan_data *plan, const coefficients *c, real x, real dy, real *sums)
{
    return backward_element(kind_of(plan), c, x, dy, sums);
}

#if CPU_DTYPE == 0 || CPU_DTYPE == 3
#if CPU_DTYPE == 0
#define FORWARD_ELEMENT grkan_cpu_forward_float
#define BACKWARD_ELEMENT grkan_cpu_backward_float
#else
#define FORWARD_ELEMENT grkan_cpu_forward_double
#define BACKWARD_ELEMENT grkan_cpu_backward_double
#endif

scalar FORWARD_ELEMENT(const grkan_plan_data *plan, const scalar *c, scalar x)
{
    return forward_element(kind_of(plan), (const coefficients *)(const void *)c, x);
}

scalar BACKWARD_ELEMENT(const grkan_plan_data *plan, const scalar *c, scalar x, scalar dy, scalar *sums)
{
    return backward_element(kind_of(plan), (const coefficients *)(const void *)c, x, dy, sums);
}
#endif

#else

#if CPU_DTYPE == 3
#define FORWARD_ELEMENT grkan_cpu_forward_double
#define BACKWARD_ELEMENT grkan_cpu_backward_double
#else
#define FORWARD_ELEMENT grkan_cpu_forward_float
#define BACKWARD_ELEMENT grkan_cpu_backward_float
#endif

static void lane_coefficients(const coefficients *c, int lane, scalar *out)
{
    for (int i = 0; i <= MAX_DEGREE; ++i) {
        out[i] = c->a[i][lane];
        out[MAX_DEGREE + 1 + i] = c->b[i][lane];
    }
}

static __attribute__((noinline, cold)) real forward_lanes(const grkan_plan_data *plan, const coefficients *c, real x)
{
    scalar own[CPU_COEFFICIENTS];
    for (int lane = 0; lane < CPU_LANES; ++lane) {
        lane_coefficients(c, lane, own);
        x[lane] = FORWARD_ELEMENT(plan, own, x[lane]);
    }
    return x;
}

static __attribute__((noinline, cold)) real backward_lanes(const grkan_plan_data *plan, const coefficients *c, real x,
                                                           real dy, real *sums)
{
    const int count = coefficient_count(kind_of(plan));
    scalar own[CPU_COEFFICIENTS], own_sums[CPU_COEFFICIENTS];
    for (int lane = 0; lane < CPU_LANES; ++lane) {
        lane_coefficients(c, lane, own);
        for (int i = 0; i < count; ++i)
            own_sums[i] = sums[i][lane];
        dy[lane] = BACKWARD_ELEMENT(plan, own, x[lane], dy[lane], own_sums);
        for (int i = 0; i < count; ++i)
            sums[i][lane] = own_sums[i];
    }
    return dy;
}

#endif
