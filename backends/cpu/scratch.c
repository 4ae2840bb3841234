/* SPDX-License-Identifier: Apache-2.0 */
/** @file scratch.c @brief Memory of a device that is lent to the threads that run blocks. No thread waits for any. */
#include <stdint.h>
#include <stdlib.h>

#include "../../core/platform/platform.h"
#include "cpu.h"

/** What is known of one. */
typedef struct loan {
    atomic_int is_taken;
    cpu_known_runs runs; /* whoever takes it sees to that they are right */
} loan;

struct cpu_scratches {
    int count;
    char *bytes;
    loan loans[];
};

cpu_scratches *cpu_scratches_create(int count)
{
    cpu_scratches *const made = calloc(1, sizeof *made + (size_t)count * sizeof made->loans[0]);
    if (made == NULL)
        return NULL;
    made->count = count;
    made->bytes =
        grkan_allocate_aligned((size_t)count * CPU_SCRATCH_BYTES); /* pages that no block touches take nothing */
    if (made->bytes == NULL) {
        free(made);
        return NULL;
    }
    return made;
}

void cpu_scratches_destroy(cpu_scratches *scratches)
{
    if (scratches != NULL)
        grkan_free_aligned(scratches->bytes);
    free(scratches);
}

/** A thread begins at a place that its stack gives, so that it mostly finds what it has in its cache. */
cpu_scratch cpu_scratch_take(cpu_scratches *scratches)
{
    const cpu_scratch none = {NULL, NULL, NULL};
    const int count = scratches == NULL ? 0 : scratches->count;
    const uintptr_t start = (uintptr_t)&none >> 16;
    for (int i = 0; i < count; ++i) {
        const size_t place = (start + (uintptr_t)i) % (uintptr_t)count;
        loan *const l = &scratches->loans[place];
        if (atomic_load_explicit(&l->is_taken, memory_order_relaxed) == 0 &&
            atomic_exchange_explicit(&l->is_taken, 1, memory_order_acquire) == 0)
            return (cpu_scratch){scratches->bytes + place * CPU_SCRATCH_BYTES, &l->runs, &l->is_taken};
    }
    return none;
}

void cpu_scratch_give_back(cpu_scratch scratch)
{
    atomic_store_explicit(scratch.is_taken, 0, memory_order_release);
}
