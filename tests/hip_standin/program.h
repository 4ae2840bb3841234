/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file program.h
 * @brief Between the stand-in and the programs that its hipRTC compiles. C11 and C++14; also part of device.h.
 */
#ifndef HIP_STANDIN_PROGRAM_H
#define HIP_STANDIN_PROGRAM_H

/** A kernel as its program describes it. */
struct standin_kernel {
    const char *name;
    void (*call)(void *const *arguments);
    const unsigned long *bytes; /* of each argument */
    unsigned count;             /* of arguments */
    unsigned largest_block;     /* that it was compiled for */
};

/** What a running thread of a block reads and calls. The stand-in writes it before it goes on with the thread. */
struct standin_now {
    unsigned thread, block, block_threads;
    void (*barrier)(void);
    /** What another lane of the wave gave at the same call. */
    unsigned (*exchange)(unsigned lane, unsigned value);
};

/** What a program exports, as standin_program. */
struct standin_program {
    struct standin_now now;
    char *shared, *shared_end; /* the shared arrays of all kernels */
    const struct standin_kernel *kernels;
    unsigned kernel_count;
};

#endif
