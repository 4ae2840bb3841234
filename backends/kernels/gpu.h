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
 *     SETTLED(value)              the value; what computes it comes before what stands after it
 *     RENEWED(value, after)       the value, computed anew after another where that saves reading registers
 *     HIDE(value)                 the value, which the compiler must not remember; HIDE_POINTER(p) likewise, of results
 *     words2, words4              2 and 4 unsigned ints, .x .y .z .w, aligned to their size
 *     STREAM_WAIT()               where kernels may begin while the one before them ends: what it wrote is there now
 *     DOUBLE_OF(low, high), LOW_OF(double), HIGH_OF(double)   only for f64
 *     ATOMIC_ADD(pointer, value)  only for the strategies that use it
 *
 * and, where the last block of a launch may read what the others wrote, LAST_BLOCK_COMBINES with TICKET(counter, last): the
 * previous value of a counter that is raised by 1 atomically, and back to 0 by whom gets the last one. What a thread saw
 * written before it, a thread that gets a later value sees, too. NVIDIA's barriers and atomics see to that for what the
 * block's other threads wrote, as PTX's memory model has it: causality passes through barriers. Elsewhere each thread has
 *
 *     RELEASE_PARTS()             after it wrote a part, and before the barrier in front of the ticket
 *     ACQUIRE_PARTS()             before it reads parts, after the barrier behind the ticket
 */

#ifndef STREAM_WAIT
#define STREAM_WAIT()
#endif
#ifndef RELEASE_PARTS
#define RELEASE_PARTS()
#define ACQUIRE_PARTS()
#endif

#define B_COUNT (GRKAN_DENOMINATOR_DEGREE + (GRKAN_FORM == FORM_ABS_SUM_OFFSET ? 1 : 0))
#define COUNT (GRKAN_NUMERATOR_DEGREE + 1 + B_COUNT)

/** Visits of a step, whose chunks are asked for, waited for and computed together: narrow chunks need many. */
#define STEP_ROWS(elements)                                                                                            \
    ((elements)*4 / SCALAR_BYTES > GRKAN_VECTOR ? (elements)*4 / SCALAR_BYTES / GRKAN_VECTOR : 1)

/** Whether chunks are so narrow that steps have many visits, where every instruction of a visit counts. */
#define HAS_MANY_VISITS (CHUNK_BYTES < 8)

/**
 * A thread's way through the tensors, from pointers that stay. Without folding, the distance between the step at hand and
 * the one that is asked for stays too, so that one walk serves both: pointers to what is asked for begin at the thread's
 * first chunk, those to results lag behind them.
 */
typedef struct walk {
    cursor at;         /* with folding; from the tensors' first elements */
    grkan_int64 bytes; /* without, from the thread's first chunks */
    grkan_int64 step;  /* to the next visit, in bytes, where it is worth a register */
} walk;

#define AT(pointer, w)                                                                                                 \
    ((GLOBAL storage *)((GLOBAL char *)(pointer) + (GRKAN_FOLDED ? (w)->at.element * ELEMENT_BYTES : (w)->bytes)))

/** @param first where the thread begins @param pointers_at becomes the element that pointers begin at */
DEVICE walk start_walk(const grkan_tiling *t, cursor first, grkan_int64 *pointers_at)
{
    walk w;
    w.at = first;
    w.bytes = 0;
    w.step = HAS_MANY_VISITS ? HIDE(t->step_elements * ELEMENT_BYTES) : 0;
    *pointers_at = GRKAN_FOLDED ? 0 : first.element;
    return w;
}

/** To the next visit. */
DEVICE void walk_on(const grkan_tiling *t, walk *w)
{
    if (GRKAN_FOLDED)
        cursor_advance(t, &w->at);
    else
        w->bytes += HAS_MANY_VISITS ? w->step : t->step_elements * ELEMENT_BYTES;
}

/** Else the bytes become an offset into each tensor, each with an addition of its own. */
DEVICE void hide_walk(walk *w)
{
    w->bytes = HIDE(w->bytes);
}

/** The pointer to results for a walk so many visits ahead. @param first where the thread's results begin */
DEVICE GLOBAL storage *lagging(const grkan_tiling *t, GLOBAL storage *first, int visits)
{
    const grkan_int64 lag = GRKAN_FOLDED ? 0 : visits * t->step_elements;
    return HIDE_POINTER(first - lag); /* not to be computed at every visit */
}

/** Where a visit's results go. Of many visits, each pointer is one addition from the last if the compiler has to make all. */
DEVICE GLOBAL storage *result_at(GLOBAL storage *results, const walk *w)
{
    return HAS_MANY_VISITS ? HIDE_POINTER(AT(results, w)) : AT(results, w);
}

/** Whether row r of a step has a chunk: without folding, all of the visits have that are left. */
DEVICE int has_chunk(const grkan_tiling *t, const tile *b, const place *p, const walk *w, int r, int left)
{
    return r < left && (!GRKAN_FOLDED || chunks_left(t, b, p, &w->at) > 0);
}

/** The same for a step that is there, so that it has a row 0. */
DEVICE int has_result(const grkan_tiling *t, const tile *b, const place *p, const walk *w, int r, int left)
{
    return has_chunk(t, b, p, w, r, r == 0 ? 1 : left);
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

/** Up to where steps need only rational.h: no step does where a coefficient is large, or chunks are not loaded ahead. */
DEVICE real step_limit(const grkan_launch *launch, const coefficients *c)
{
    int rare = !launch->aligned;
    UNROLL
    for (int s = 0; s < GRKAN_SETS; ++s)
        rare |= has_large(the_kind(), &c[s]);
    const float limit = rare ? -1.0f : (float)((grkan_int64)1 << GRKAN_NEAR_EXPONENT);
    return FLOAT_OF((unsigned int)HIDE(BITS_OF(limit))); /* one number, one comparison: 2 to 4 % of a bf16 backward (H200) */
}
