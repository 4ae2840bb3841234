/* SPDX-License-Identifier: Apache-2.0 */
/** @file elements.h @brief The coefficients of CPU_LANES neighbouring threads, and elements that need the rare formulas. */

#if CPU_BYTES == 0
/* The reference is what others are compared with, and takes what is rare: one loop serves every function. */
#define FOR_EACH_UNROLLED(DO)
#elif defined(CPU_FEW_UNROLLED)
#define FOR_EACH_UNROLLED(DO) FIRST_COMMON_FUNCTION(DO)
#else
/** The functions whose loops over coefficients the compiler unrolls. All others share one loop. */
#define FOR_EACH_UNROLLED(DO) COMMON_FUNCTIONS(DO)
#endif

DEVICE family family_of(const grkan_plan_data *plan)
{
    return family_from(plan->parameters);
}

/** Whether CPU_LANES neighbouring threads have one group. Where rows are narrow, others may lie between equal ones. */
DEVICE int is_one_group(const int64_t *groups)
{
    for (int lane = 1; lane < CPU_LANES; ++lane)
        if (groups[lane] != groups[0])
            return 0;
    return 1;
}

/** The coefficients of a lane and those behind it. */
DEVICE void load_group(family f, const cpu_job *job, const grkan_geometry *g, int64_t group, int lane, coefficients *c)
{
    for (int table = 0; table < FAMILY_TABLES; ++table) {
        const scalar *const row =
            (const scalar *)job->tables[table] + (has_one_row(g, table) ? 0 : group * table_width(f, table));
        for (int i = 0; i < coefficient_count(f, table); ++i)
            SET_LANES_FROM(COEFFICIENT(c, table, i), lane, coefficient_of(f, table, row, i));
    }
}

/** The coefficients of CPU_LANES neighbouring threads with these groups. @param is_one whether all have the first one */
DEVICE void load_coefficients(family f, const cpu_job *job, const grkan_geometry *g, const int64_t *groups, int is_one,
                              coefficients *c)
{
    load_group(f, job, g, groups[0], 0, c);
    for (int lane = 1; !is_one && lane < CPU_LANES; ++lane)
        if (groups[lane] != groups[lane - 1])
            load_group(f, job, g, groups[lane], lane, c);
}

#if CPU_DOUBLE
#define FORWARD_ELEMENT grkan_cpu_forward_double
#define BACKWARD_ELEMENT grkan_cpu_backward_double
#else
#define FORWARD_ELEMENT grkan_cpu_forward_float
#define BACKWARD_ELEMENT grkan_cpu_backward_float
#endif

#if CPU_BYTES == 0

DEVICE real forward_lanes(const grkan_plan_data *plan, const coefficients *c, real x)
{
    return forward_element(family_of(plan), c, x);
}

DEVICE real backward_lanes(const grkan_plan_data *plan, const coefficients *c, real x, real dy, real *sums)
{
    return backward_element(family_of(plan), c, x, dy, sums);
}

scalar FORWARD_ELEMENT(const grkan_plan_data *plan, const scalar *c, scalar x)
{
    return forward_element(family_of(plan), (const coefficients *)(const void *)c, x);
}

scalar BACKWARD_ELEMENT(const grkan_plan_data *plan, const scalar *c, scalar x, scalar dy, scalar *sums)
{
    return backward_element(family_of(plan), (const coefficients *)(const void *)c, x, dy, sums);
}

#else

enum { all_coefficients = sizeof(coefficients) / sizeof(real) };

/** The coefficients of one lane: a family's are numbers only. */
static void lane_coefficients(const coefficients *c, int lane, scalar *out)
{
    const real *const all = (const real *)(const void *)c;
    for (int i = 0; i < all_coefficients; ++i)
        out[i] = all[i][lane];
}

static __attribute__((noinline, cold)) real forward_lanes(const grkan_plan_data *plan, const coefficients *c, real x)
{
    scalar own[all_coefficients];
    for (int lane = 0; lane < CPU_LANES; ++lane) {
        lane_coefficients(c, lane, own);
        x[lane] = FORWARD_ELEMENT(plan, own, x[lane]);
    }
    return x;
}

static __attribute__((noinline, cold)) real backward_lanes(const grkan_plan_data *plan, const coefficients *c, real x,
                                                           real dy, real *sums)
{
    const int count = sum_count(family_of(plan));
    scalar own[all_coefficients], own_sums[MOST_SUMS];
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
