/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file gpu.h
 * @brief What forward.h and backward.h share, the kernels of the GPU backends: one thread of a block each.
 *
 * Specialised by macros (core/specialise.c): GRKAN_NUMERATOR_DEGREE, GRKAN_DENOMINATOR_DEGREE, GRKAN_FORM,
 * GRKAN_NEAR_EXPONENT, GRKAN_REPEATS, GRKAN_DTYPE, GRKAN_VECTOR, GRKAN_SETS, GRKAN_FOLDED, GRKAN_STRATEGY, GRKAN_IEEE,
 * GRKAN_FORWARD_BLOCK, GRKAN_FORWARD_RESIDENT, GRKAN_FORWARD_AHEAD, GRKAN_FORWARD_STEP, and the same four of
 * GRKAN_BACKWARD. What goes with backward (grkan_combine, grkan_clear) has its blocks.
 *
 * Beside the words of rational.h and storage.h, a dialect gives
 *
 *     KERNEL(threads, resident)   qualifiers and type of a kernel; how many blocks a multiprocessor shall hold
 *     OUTLINE                     qualifiers of a function that is called, not inlined
 *     GLOBAL, SHARED              address spaces of pointers
 *     SHARED_ARRAY(type, n, size) an array of a block
 *     BLOCK_INDEX(), THREAD_INDEX(), BARRIER()
 *     OFFSET(pointer, elements)   pointer + elements, or the pointer where the host has added them already
 *     AFTER(value, other)         the value; a compiler that would spill registers must not use it before other is known
 *     HIDE(value)                 the value, which the compiler must not remember
 *     words2, words4              2 and 4 unsigned ints, .x .y .z .w, aligned to their size
 *     DOUBLE_OF(low, high), LOW_OF(double), HIGH_OF(double)   only for f64
 *     ATOMIC_ADD(pointer, value)  only for the strategies that use it
 *
 * and, where the last block of a launch may read what the others wrote, LAST_BLOCK_COMBINES with FENCE() and
 * TICKET(counter): the previous value of a counter that is raised by 1 atomically.
 */

#define B_COUNT (GRKAN_DENOMINATOR_DEGREE + (GRKAN_FORM == FORM_ABS_SUM_OFFSET ? 1 : 0))
#define COUNT (GRKAN_NUMERATOR_DEGREE + 1 + B_COUNT)

/** Visits of a step, whose chunks are asked for, waited for and computed together: narrow chunks need many. */
#define STEP_ROWS(elements)                                                                                            \
    ((elements)*4 / SCALAR_BYTES > GRKAN_VECTOR ? (elements)*4 / SCALAR_BYTES / GRKAN_VECTOR : 1)

/** Whether a visit is one of the first `visits` and has a chunk: without folding, all of a thread's visits have. */
DEVICE int has_chunk(const grkan_tiling *t, const tile *b, const place *p, const cursor *at, int visit, int visits)
{
    return visit < visits && (!GRKAN_FOLDED || chunks_left(t, b, p, at) > 0);
}

DEVICE rational the_kind(void)
{
    rational kind;
    kind.m = GRKAN_NUMERATOR_DEGREE;
    kind.n = GRKAN_DENOMINATOR_DEGREE;
    kind.form = GRKAN_FORM;
    kind.near_exponent = GRKAN_NEAR_EXPONENT;
    kind.repeats = GRKAN_REPEATS;
    return kind;
}

/** The coefficients of one group, the denominator as rational.h wants it. */
DEVICE coefficients load_coefficients(const grkan_tiling *t, grkan_int64 group, GLOBAL const scalar *numerator,
                                      GLOBAL const scalar *denominator)
{
    coefficients c;
    GLOBAL const scalar *a = numerator + (t->numerator_shared ? 0 : group * (GRKAN_NUMERATOR_DEGREE + 1));
    GLOBAL const scalar *b = denominator + (t->denominator_shared ? 0 : group * B_COUNT);
    UNROLL
    for (int i = 0; i <= GRKAN_NUMERATOR_DEGREE; ++i)
        c.a[i] = a[i];
#if GRKAN_FORM == FORM_ABS_SUM_OFFSET
    UNROLL
    for (int j = 0; j <= GRKAN_DENOMINATOR_DEGREE; ++j)
        c.b[j] = b[j];
#else
    c.b[0] = GRKAN_FORM == FORM_ABS_SUM ? REAL(0.0) : REAL(1.0);
    UNROLL
    for (int j = 1; j <= GRKAN_DENOMINATOR_DEGREE; ++j)
        c.b[j] = GRKAN_FORM == FORM_ABS_TERMS ? ABS(b[j - 1]) : b[j - 1];
#endif
    return c;
}

/** The coefficients of each set of a thread's chunks. */
DEVICE void load_sets(const grkan_tiling *t, const tile *b, const place *p, GLOBAL const scalar *numerator,
                      GLOBAL const scalar *denominator, coefficients *c)
{
    UNROLL
    for (int s = 0; s < GRKAN_SETS; ++s)
        c[s] = load_coefficients(t, group_in_chunk(t, b, p, s), numerator, denominator);
}

/** Whether all of count elements may use the formulas in x; they need no branch then. */
DEVICE int all_near(const real *x, int count)
{
    real largest = ABS(x[0]);
    UNROLL
    for (int v = 1; v < count; ++v)
        largest = MAXIMUM(largest, ABS(x[v]));
    return is_near(the_kind(), largest);
}
