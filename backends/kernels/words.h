/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file words.h
 * @brief The words that a dialect gives: what the kernels, one text for every backend, need beside C.
 *
 * The kernels are written in the common subset of C99, OpenCL C 1.2, CUDA and HIP. A backend puts its dialect in front of
 * them, a file that defines these words. Nothing else of floating point is used, and contraction is off: this fixes every
 * bit. Words that only steer a compiler are in steering.h.
 *
 * Everywhere:
 *
 *     DEVICE               qualifiers of a function that is always inlined
 *     UNROLL, NO_UNROLL    in front of a loop that shall be unrolled, or stay one
 *     GLOBAL, SHARED       address spaces of pointers
 *     scalar               float, or double for f64
 *     real, REAL(c)        the type of arithmetic: scalar, or on the cpu a vector of them, one lane for each thread; a constant
 *     LANES                where real is a vector
 *     FMA(a, b, c)         fused multiply and add
 *     RECIPROCAL(q)        1 / q; correctly rounded where GRKAN_IEEE says so, and where GRKAN_MAY_HAVE_POLES does: an
 *                          approximation's refinement gives NaN at a pole
 *     DIVIDE(a, b)         a / b, correctly rounded; rounded.h has one by fma
 *     SQRT(v)              the square root of a scalar that is not negative; correctly rounded where GRKAN_IEEE says so;
 *                          likewise
 *     RECIPROCAL_ROOT(v)   1 / SQRT(v), the quotient likewise; has a default
 *     RESULT_RECIPROCAL(q) likewise, where only y is computed of it; has a default
 *     ABS(x)               absolute value; SCALAR_ABS(x), of a scalar, where real is another type
 *     FLIP(v, by)          by < 0 ? -v : v, so that sign(0) = +1, for a by that has been through PLUS_ZERO
 *     PLUS_ZERO(by)        by, with +0 in the place of -0 if FLIP takes that for negative
 *     FLIP_POSITIVE(v, by) FLIP of a v that has no sign, or is NaN; has a default
 *     ANY_ABOVE(v, limit)  v > limit, in any lane; has a default
 *     BITS_OF(float), FLOAT_OF(unsigned int)
 *     DOUBLE_OF(low, high), LOW_OF(double), HIGH_OF(double)   for f64 only
 *     ATOMIC_ADD(pointer, value)                              for the strategies that use it
 *     SEGMENTS(g), TILE_SEGMENTS(g), VECTOR_ELEMENTS(g), VECTOR_GROUPS(g), BLOCK_THREADS(g)
 *                          of a geometry: segments, tile_segments, vector, vector_groups and block; constants in specialised
 *                          kernels, where grid.h has tile_segments
 *
 * GPUs, whose kernels are specialised by macros (core/specialise.c): GRKAN_PARAMETER_0.. (of the family),
 * GRKAN_MAY_HAVE_POLES, GRKAN_DTYPE, GRKAN_OUTPUT_DTYPE, GRKAN_VECTOR, GRKAN_VECTOR_GROUPS, GRKAN_SEGMENTED, GRKAN_STRATEGY, GRKAN_IEEE,
 * GRKAN_FORWARD_BLOCK, GRKAN_FORWARD_RESIDENT, GRKAN_FORWARD_STAGES, GRKAN_FORWARD_STEP, and the same four of
 * GRKAN_BACKWARD:
 *
 *     KERNEL(threads, resident)    qualifiers and type of a kernel; how many blocks a multiprocessor shall hold
 *     OUTLINE                      qualifiers of a function that is called, not inlined
 *     SHARED_ARRAY(type, n, size)  an array of a block
 *     LAUNCH_ARRAY(type, n)        what the launch gives a block beside: GRKAN_LAUNCH_BYTES, where that is defined
 *     BLOCK_INDEX(), THREAD_INDEX(), BARRIER()
 *     OFFSET(pointer, elements)    pointer + elements; HAS_OFFSETS 0: the pointer, as the host has added them already
 *     MAXIMUM(a, b)                the larger number
 *     words2, words4               2 and 4 unsigned ints, .x .y .z .w, aligned to their size
 *     STREAM_WAIT()                where kernels may begin while the one before them ends: what it wrote is there now
 *
 * and where the last block of a launch may read what the others wrote, LAST_BLOCK_REDUCES with TICKET(counter, last): the
 * previous value of a counter that is raised by 1 atomically, and back to 0 by whom gets the last one. What a thread saw
 * written before it, a thread that gets a later value sees, too. NVIDIA's barriers and atomics see to that for what the
 * block's other threads wrote, as PTX's memory model has it: causality passes through barriers. Elsewhere each thread has
 *
 *     RELEASE_PARTIALS()   after it wrote a partial, and before the barrier in front of the ticket
 *     ACQUIRE_PARTIALS()   before it reads partials, after the barrier behind the ticket
 *
 * What hardware may do better (see storage.h and vector.h for what happens elsewhere):
 *
 *     HALF_TO_FLOAT, FLOAT_TO_HALF, FLOAT_TO_BF16       conversions
 *     PACK_HALVES, PACK_BF16S(low, high)                two floats at once
 *     LARGER_HALVES, LARGER_BF16S(a, b)                 of two words with two elements each, the larger absolute values with
 *                                                       any sign
 *     PLUS_ZERO_HALVES, PLUS_ZERO_BF16S(word)           what PLUS_ZERO does, for both elements of a word
 *     COPY_ASYNC(to, from, bytes, exists)               starts a copy of 4, 8 or 16 bytes from global to shared memory,
 *                                                       zeros where nothing exists
 *     COPIES_END(), COPIES_WAIT(n)                      after the copies of a step; until at most the last n steps' copies are
 *                                                       on their way
 *     WAVE_SYNC()                                       beside those: what threads of an aligned 32 left in shared memory before
 *                                                       it, or waited for, the others see after it
 *     WAVE_XOR(value, mask)                             the value of the thread whose index differs by the mask, 1, 2, 4, 8 or
 *                                                       16: all threads of an aligned 32 exchange theirs. Elsewhere shared
 *                                                       memory serves (row_reduction.h)
 *
 * Where instructions take two elements at once, PAIRS is defined. The formulas near zero are templates there, of elements
 * alone and of pairs of neighbours in a vector; so what they are written with has names, which are plain elsewhere:
 *
 *     reals                        what such a formula works with: real, or a pair
 *     NEAR                         qualifiers of the formula
 *     NEAR_STRUCT(name)            declares a struct of reals, and OF_REALS(name) is that type
 *     running_sum                  what a thread keeps of each sum: real, or where bits are not everybody's a pair, of the
 *                                  elements with even and with odd places in their vectors
 *     ADD_TERM(sum, term), ADD_PRODUCT(a, b, sum)   a running sum with a term or a product added; of pairs to a real, one element
 *                                  after the other
 *     FIRST_OF(sum), TOTAL_OF(sum), WITH_FIRST(sum, value)   of a running sum: what rare elements are added to; both added; a
 *                                  running sum with another first part
 *     ABREAST, abreast             how many elements of a vector are computed at once, 1 or 2; the type of those
 *     ELEMENTS_AT(values, i), SET_ELEMENTS(values, i, value) of an array of real: elements i to i + ABREAST - 1
 */
#ifndef GRKAN_WORDS_H
#define GRKAN_WORDS_H

#ifndef DEVICE
#include "editor.h"
#endif
#include "steering.h"

#ifndef PAIRS
#define ABREAST 1
#define NEAR DEVICE
#define NEAR_STRUCT(name)                                                                                              \
    typedef struct name name;                                                                                          \
    struct name
#define OF_REALS(name) name
#define ADD_TERM(sum, term) ((sum) + (term))
#define ADD_PRODUCT(a, b, sum) FMA(a, b, sum)
#define FIRST_OF(sum) (sum)
#define TOTAL_OF(sum) (sum)
#define WITH_FIRST(sum, value) (value)
#define ELEMENTS_AT(values, i) (values)[i]
#define SET_ELEMENTS(values, i, value) (values)[i] = (value)
#define reals real
#define abreast real
#define running_sum real
#endif
#ifndef FLIP_POSITIVE
#define FLIP_POSITIVE(v, by) FLIP(v, by)
#endif
#ifndef SCALAR
#define SCALAR(c) REAL(c)
#endif
#ifndef ANY_ABOVE
#define ANY_ABOVE(v, limit) ((v) > (limit))
#endif
#ifndef SCALAR_ABS
#define SCALAR_ABS(v) ABS(v)
#endif
#ifndef RECIPROCAL_ROOT
#define RECIPROCAL_ROOT(v) DIVIDE((scalar)1, SQRT(v))
#endif
#ifndef RESULT_RECIPROCAL
#define RESULT_RECIPROCAL(q) RECIPROCAL(q)
#endif
#ifndef STREAM_WAIT
#define STREAM_WAIT()
#endif
#ifndef RELEASE_PARTIALS
#define RELEASE_PARTIALS() ((void)0)
#define ACQUIRE_PARTIALS() ((void)0)
#endif

/* Values of grkan_prologue: GRKAN_PROLOGUE is one of them, and not defined where there is none. */
#define PROLOGUE_NONE 0
#define PROLOGUE_BIAS 1
#define PROLOGUE_LAYER_NORM 2
#define PROLOGUE_RMS_NORM 3

/* Values of grkan_strategy. */
#define STRATEGY_ELEMENT 1
#define STRATEGY_BLOCK 2
#define STRATEGY_TREE 3

#endif
