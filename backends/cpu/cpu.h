/* SPDX-License-Identifier: Apache-2.0 */
/** @file cpu.h @brief What the files of the cpu backend share. */
#ifndef GRKAN_CPU_H
#define GRKAN_CPU_H

#include <stdatomic.h>

#include "../../core/platform/platform.h"
#include "../backend.h"

/**
 * Memory for blocks: taken when a device is opened, so that no call allocates, and lent to whoever runs a
 * block. Whoever finds none does with a little of its stack.
 */
typedef struct cpu_scratches cpu_scratches;

/** Bytes of one: the sums, coefficients and staged rows of a block of the widest rows, with room to spare. */
#define CPU_SCRATCH_BYTES (640 << 10)

/** Which runs of columns (runs.h) the memory of a block of backward holds: the next block with the same need not find them. */
typedef struct cpu_known_runs {
    uint64_t call;    /* cpu_job's; 0: none */
    int64_t start;    /* of the column tile */
    int first, width; /* of the strip */
    int count;
} cpu_known_runs;

typedef struct cpu_scratch {
    char *bytes; /* CPU_SCRATCH_BYTES, from a cache line on; NULL: none was left */
    cpu_known_runs *runs;
    atomic_int *is_taken;
} cpu_scratch;

/** @return NULL if memory does not suffice, which the others take for none */
cpu_scratches *cpu_scratches_create(int count);
void cpu_scratches_destroy(cpu_scratches *scratches);
cpu_scratch cpu_scratch_take(cpu_scratches *scratches);
void cpu_scratch_give_back(cpu_scratch scratch);

/** A tensor of a call. */
typedef struct cpu_tensor {
    char *first;
    grkan_dtype dtype;
    int bytes; /* of an element */
} cpu_tensor;

/** One call, with buffers resolved to addresses. */
typedef struct cpu_job {
    const grkan_plan_data *plan;
    uint64_t call; /* its number, from 1 on */
    cpu_scratches *scratches;
    cpu_tensor x;
    cpu_tensor dy;
    cpu_tensor result; /* y, or dx; without memory where nobody wants it */
    cpu_tensor y;      /* again, of backward; likewise */
    const void *tables[GRKAN_MOST_TABLES];
    void *gradients[GRKAN_MOST_TABLES]; /* NULL where nobody wants it */
    void *workspace;
    int add;
    void *mean;    /* of norms, a number for each row: out of forward, NULL where nobody wants it; in for backward */
    void *rstd;    /* likewise */
    int turn_rows; /* of norms; results do not depend on it */
} cpu_job;

/** The kernels for one type of arithmetic and one set of instructions. */
typedef struct cpu_kernels {
    void (*forward_block)(const cpu_job *job, int64_t block);
    void (*backward_block)(const cpu_job *job, int64_t block);
    void (*reduce_number)(const cpu_job *job, int64_t number); /* of the tables, one after the other */
    /* Norms look at rows as wholes. A turn has turn_rows of them. */
    void (*forward_rows)(const cpu_job *job, int64_t turn); /* all of forward */
    void (*backward_rows)(const cpu_job *job,
                          int64_t turn); /* dx, and y again; blocks have left the tables' gradients */
} cpu_kernels;

/* One of each for every build of kernels.c. scalar is the reference. */
#define CPU_DECLARE(simd) extern const cpu_kernels grkan_cpu_##simd##_float, grkan_cpu_##simd##_double
CPU_DECLARE(scalar);
CPU_DECLARE(vector);
CPU_DECLARE(avx2);
CPU_DECLARE(avx512);

/** What rounding to bf16 takes, in every lane: in memory, since GCC 12 makes numbers that it knows anew for each vector. */
typedef struct cpu_bf16_words {
    _Alignas(64) uint32_t lowest[16]; /* the lowest bit that is kept, shifted down */
    uint32_t half[16];                /* just less than half of it */
    uint32_t nan[16];                 /* in the high half */
} cpu_bf16_words;
extern const cpu_bf16_words grkan_cpu_bf16_words;

/** Whether an operation's prologue is a norm. */
static inline int cpu_has_norm(const grkan_operation *o)
{
    return o->prologue == GRKAN_PROLOGUE_LAYER_NORM || o->prologue == GRKAN_PROLOGUE_RMS_NORM;
}

/** Rows of a turn, at most. */
#define CPU_MOST_TURN_ROWS 32

/** Threads of a block, at most: whole rows of common layers, so that memory is read as it lies. */
#define CPU_MOST_THREADS 1024

/** What a block keeps between its threads, at most. */
#define CPU_LOCAL_BYTES 65536

/** One element by the reference, for lanes that need the rare formulas. @param c the family's coefficients */
float grkan_cpu_forward_float(const grkan_plan_data *plan, const float *c, float x);
double grkan_cpu_forward_double(const grkan_plan_data *plan, const double *c, double x);

/** Likewise; adds to sums. @return dx */
float grkan_cpu_backward_float(const grkan_plan_data *plan, const float *c, float x, float dy, float *sums);
double grkan_cpu_backward_double(const grkan_plan_data *plan, const double *c, double x, double dy, double *sums);

#endif
