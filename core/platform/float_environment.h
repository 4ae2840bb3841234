/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file float_environment.h
 * @brief The floating-point environment of a thread, put aside for arithmetic that promises bits.
 *
 * The caller's may round in another direction, flush subnormals (any library that was linked with -Ofast sets that), or
 * trap. What the arithmetic in between raised is told, so that it can be added to the flags of whoever asked for it. No
 * flag that is set here traps.
 *
 * grkan_float_enter is for calls that are short: of an x86 processor it sees SSE's register alone. grkan_float_enter_whole
 * is for what also computes in long double, or loads libraries that may set anything. It does what fegetenv and fesetenv
 * shall do, which with MinGW leave SSE's register as it is.
 *
 * The compiler knows nothing of these registers: have the arithmetic in a function that it cannot see into, such as one
 * that is called by its address.
 */
#ifndef GRKAN_FLOAT_ENVIRONMENT_H
#define GRKAN_FLOAT_ENVIRONMENT_H

#include <stdint.h>

#if defined(__x86_64__)

/** MXCSR. x87's registers are not used by what is called here. */
typedef struct grkan_float_environment {
    uint32_t control;
} grkan_float_environment;

#define GRKAN_MXCSR_FLAGS 0x3fu
#define GRKAN_MXCSR_DEFAULT 0x1f80u /* all masked, to nearest, subnormals kept */

static inline uint32_t grkan_mxcsr(void)
{
    uint32_t value;
    __asm__ volatile("stmxcsr %0" : "=m"(value) : : "memory");
    return value;
}

static inline void grkan_set_mxcsr(uint32_t value)
{
    __asm__ volatile("ldmxcsr %0" : : "m"(value) : "memory");
}

/** Begin with the default environment, nothing being raised. @return the thread's own, for grkan_float_leave */
static inline grkan_float_environment grkan_float_enter(void)
{
    const grkan_float_environment own = {grkan_mxcsr()};
    grkan_set_mxcsr(GRKAN_MXCSR_DEFAULT);
    return own;
}

/** Back to the thread's own environment. @return what was raised meanwhile, for grkan_float_raise */
static inline unsigned grkan_float_leave(grkan_float_environment own)
{
    const uint32_t raised = grkan_mxcsr() & GRKAN_MXCSR_FLAGS;
    grkan_set_mxcsr(own.control);
    return raised;
}

/** Add to this thread's flags. */
static inline void grkan_float_raise(unsigned raised)
{
    grkan_set_mxcsr(grkan_mxcsr() | raised);
}

/** MXCSR, and x87's environment as its instruction stores it. */
typedef struct grkan_whole_environment {
    uint32_t sse, x87[7];
} grkan_whole_environment;

/** Begin with the default environment, long double having all of its digits. @param own out: the thread's own */
static inline void grkan_float_enter_whole(grkan_whole_environment *own)
{
    own->sse = grkan_mxcsr();
    __asm__ volatile("fnstenv %0\n\tfninit" : "=m"(own->x87) : : "memory");
    grkan_set_mxcsr(GRKAN_MXCSR_DEFAULT);
}

/** Back to the thread's own environment, and its flags. */
static inline void grkan_float_leave_whole(const grkan_whole_environment *own)
{
    __asm__ volatile("fldenv %0" : : "m"(own->x87) : "memory");
    grkan_set_mxcsr(own->sse);
}

#elif defined(__aarch64__)

/** FPCR, where FZ, FZ16, AH and the direction of rounding are, and FPSR, where the flags are. */
typedef struct grkan_float_environment {
    uint64_t control, status;
} grkan_float_environment;

#define GRKAN_FPSR_FLAGS 0x9fu

static inline uint64_t grkan_fpsr(void)
{
    uint64_t value;
    __asm__ volatile("mrs %0, fpsr" : "=r"(value) : : "memory");
    return value;
}

static inline void grkan_set_fpsr(uint64_t value)
{
    __asm__ volatile("msr fpsr, %0" : : "r"(value) : "memory");
}

static inline void grkan_set_fpcr(uint64_t value)
{
    __asm__ volatile("msr fpcr, %0" : : "r"(value) : "memory");
}

static inline grkan_float_environment grkan_float_enter(void)
{
    grkan_float_environment own = {.status = grkan_fpsr()};
    __asm__ volatile("mrs %0, fpcr" : "=r"(own.control) : : "memory");
    grkan_set_fpcr(0);
    grkan_set_fpsr(0);
    return own;
}

static inline unsigned grkan_float_leave(grkan_float_environment own)
{
    const unsigned raised = (unsigned)grkan_fpsr() & GRKAN_FPSR_FLAGS;
    grkan_set_fpcr(own.control);
    grkan_set_fpsr(own.status);
    return raised;
}

static inline void grkan_float_raise(unsigned raised)
{
    grkan_set_fpsr(grkan_fpsr() | raised);
}

#else

#include <fenv.h>

typedef struct grkan_float_environment {
    fenv_t own;
} grkan_float_environment;

static inline grkan_float_environment grkan_float_enter(void)
{
    grkan_float_environment own;
    (void)fegetenv(&own.own);
    (void)fesetenv(FE_DFL_ENV);
    return own;
}

static inline unsigned grkan_float_leave(grkan_float_environment own)
{
    const int raised = fetestexcept(FE_ALL_EXCEPT);
    (void)fesetenv(&own.own);
    return (unsigned)raised;
}

/** feraiseexcept would trap where the caller wants traps. */
static inline void grkan_float_raise(unsigned raised)
{
    fenv_t own;
    fexcept_t flags;
    (void)feholdexcept(&own);
    (void)feraiseexcept((int)raised);
    (void)fegetexceptflag(&flags, (int)raised);
    (void)fesetenv(&own);
    (void)fesetexceptflag(&flags, (int)raised);
}

#endif

#if !defined(__x86_64__)

#include <fenv.h>

typedef struct grkan_whole_environment {
    fenv_t own;
} grkan_whole_environment;

static inline void grkan_float_enter_whole(grkan_whole_environment *own)
{
    (void)fegetenv(&own->own);
    (void)fesetenv(FE_DFL_ENV);
}

static inline void grkan_float_leave_whole(const grkan_whole_environment *own)
{
    (void)fesetenv(&own->own);
}

#endif
#endif
