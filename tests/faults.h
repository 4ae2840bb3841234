/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file faults.h
 * @brief Every call that a module makes fails once, in turn, while a program goes its whole way.
 *
 * Each time in a process of its own, because the registry remembers what it found. The step that meets the
 * fault must say which call failed, leave what is the caller's as it was, and be successful when it is tried again; the
 * results must be those of a run without a fault; nothing may be left over.
 */
#ifndef FAULTS_H
#define FAULTS_H

#include <grkan/grkan.h>

/** The runtime that is made to fail. `name` is an entry point's. */
typedef struct fault_runtime {
    const char *selector; /**< of the device */
    /** The nth call from now on fails with a code and does nothing (entry_point NULL: of any). nth 0: none does. */
    void (*strike)(const char *entry_point, int nth, int code);
    /** Entry points that were called since the process began, in order; NULL past the last. */
    const char *(*called)(int index);
    /** What was created and not destroyed; "" if there is nothing. */
    const char *(*alive)(void);
    /** What an entry point shall fail with; what that is called in an error's text; the status that it makes. */
    int (*code_of)(const char *name);
    const char *(*words_of)(const char *name);
    grkan_status (*status_of)(const char *name);
    /** Whether its failure changes nothing for the caller. @param is_opening while a device is opened */
    int (*is_soft)(const char *name, int is_opening);
    /** What is left over when it failed in a step, as `alive` says it. @param step NULL: in none */
    const char *(*left_by)(const char *name, const char *step);
    /** Begin a process. Optional. */
    void (*begin)(void);
    /** What is wrong with the caller's state after a step, or NULL. @param name of the call that failed in it, or NULL */
    const char *(*disturbed)(const char *name);
} fault_runtime;

/**
 * Before all else.
 * @param all whether each call fails; otherwise, of an entry point's calls in one step, the first and the last
 * @return 0 without memory
 */
int faults_begin(const fault_runtime *runtime, int all);

/** Compiled kernels are in the cache. @param names of entry points that must be called, up to NULL */
void faults_with_cache(const char *const *names);

/** Every plan compiles, so that nothing stands in for a call that fails; only what is called for that fails. */
void faults_without_cache(const char *const *names);

/** Plans of other sizes load nothing, and work that waits does not need its plan. Names are of entry points. */
void faults_sharing(const char *load, const char *unload);

/** A forward call makes these calls of the runtime, up to NULL, and no other. */
void faults_calls_of_forward(const char *const *names);

#endif
