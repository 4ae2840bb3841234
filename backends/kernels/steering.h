/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file steering.h
 * @brief Words that steer a compiler and change no value. Each is what it says unless a dialect defines it; what defines
 * it, what it does there, and what it gained where.
 *
 *     HIDE(value)           The value, of which the compiler must not remember how it was computed: it computes it once and
 *                           keeps the result, instead of the way to it in more registers. ptx.h. One comparison for each
 *                           step of a bf16 backward takes 2 to 4 % less time on an H200.
 *     HIDE_POINTER(p)       Likewise, of a pointer to results: else it is computed anew at every row. ptx.h.
 *     HIDE_REAL(value)      Likewise, of a coefficient where the rare path is inlined into the loop around it: what is
 *                           computed of coefficients alone would be computed before the loop otherwise, and take registers
 *                           all along. dialect.hip.
 *     AFTER(value, other)   The value, not to be used before the other is known: else all elements of a vector are computed
 *                           side by side, and registers spill. ptx.h, dialect.hip.
 *     SETTLED(value)        The value; what computes it comes before what stands after it. ptx.h: the assembler puts the older
 *                           of two factors first, and neighbours whose first factor is the same register read it once
 *                           (docs/notebook/nvidia.md).
 *     RENEWED(value, after) The value, computed anew after another where that saves reading registers. ptx.h; likewise.
 *     ANY_WORD()            0, or any other number of 32 bits where nobody will look. dialect.hip: what a load may leave
 *                           without a value is cleared before it otherwise, 1 or 2 instructions an element.
 *     UNROLL_RARE           In front of loops over coefficients in the rare formulas: those stay loops, unless no function can
 *                           have an array in memory. dialect.hip.
 *     IN_TURN               In front of a loop each of whose steps takes the one's before it. dialect.cl: Intel's runtime for
 *                           processors makes a vector of 16 factors and multiplies its elements at last, which rounds otherwise.
 *     APART                 Qualifiers of a function that an element's path seldom meets: DEVICE, or where calls cost nothing there
 *                           OUTLINE. dialect.cl: PoCL has its compiler go over all that a kernel has five times; a first plan
 *                           takes a fifth less work.
 *     PARTIALS_BATCH        Partials that a thread loads before it adds them, a multiple of 12, so that the additions are
 *                           everywhere the same. dialect.cu: PARTIALS_AT_ONCE; OpenCL has no bound of registers for it, which
 *                           other code of a kernel would pay for.
 *     LOOP_OVER_TABLES      Defined where loops over the tables' pointers serve better than their bodies written out for each
 *                           (EACH_POINTER of tables.h). dialect.cu: a 16-bit backward of 25216 x 768 and x 3072 takes 2 to 3 %
 *                           less time on an H200; NVIDIA's OpenCL takes 36 % more of an f32 one with the loops.
 */
#ifndef GRKAN_STEERING_H
#define GRKAN_STEERING_H

#ifndef APART
#define APART DEVICE
#endif
#ifndef HIDE
#define HIDE(value) (value)
#endif
#ifndef HIDE_POINTER
#define HIDE_POINTER(p) (p)
#endif
#ifndef HIDE_REAL
#define HIDE_REAL(value) (value)
#endif
#ifndef AFTER
#define AFTER(value, other) ((void)(other), (value))
#endif
#ifndef SETTLED
#define SETTLED(value) (value)
#endif
#ifndef RENEWED
#define RENEWED(value, after) ((void)(after), (value))
#endif
#ifndef ANY_WORD
#define ANY_WORD() 0
#endif
#ifndef UNROLL_RARE
#define UNROLL_RARE NO_UNROLL
#endif
#ifndef IN_TURN
#define IN_TURN
#endif
#ifndef PARTIALS_BATCH
#define PARTIALS_BATCH 12
#endif

#endif
