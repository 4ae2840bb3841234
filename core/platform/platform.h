/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file platform.h
 * @brief The operating system, behind one header. Private: not installed.
 *
 * The static library of this folder is linked into the library, its modules and the program; each has a copy of what it
 * uses. A folder here is for one kind of system: posix/, windows/. Nothing outside of them depends on which one it is but
 * the few lines below that choose between them; pool.c is the same for all.
 *
 * Paths and names are text in UTF-8 that ends with a zero; folders are separated by "/", and where the system has it, in
 * what comes from outside, by "\\", too. Functions that say so leave a reason in errno.
 */
#ifndef GRKAN_PLATFORM_H
#define GRKAN_PLATFORM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <grkan/grkan.h>

#ifdef _WIN32
#include "windows/system.h"
#else
#include "posix/system.h"
#endif

/*
 * What system.h defines, beside the types below:
 *
 *   GRKAN_OF_SYSTEM(posix, windows)   one of its arguments: a name that differs, such as that of a vendor's library
 *   GRKAN_FORMAT                      for __attribute__((format(...))): how the format of printf is called
 *   GRKAN_MODULE_FILE                 the file of a module, printf style, its argument being a backend's name
 *   GRKAN_LIST_SEPARATOR              what stands between the folders of a list in the environment
 */

/* ------------------------------------------------------------------------------------------- machine.c: the machine */

/** Processors that the calling thread may run on; at least 1. */
int grkan_processors(void);

/** The processor's name as the system has it. @return false, and text is as it was, if the system does not tell */
bool grkan_processor_name(char *text, size_t bytes);

/** Bytes of the machine's memory; 0: unknown. */
uint64_t grkan_memory_bytes(void);

/** Bytes of the cache that all processors share; 0: unknown. */
uint64_t grkan_cache_bytes(void);

/** What the machine is, without its name. Texts end in 0 and are cut when too long; "unknown" and 0: not told. */
typedef struct grkan_machine {
    char processor[128]; /**< its name, else its architecture */
    char system[128];    /**< the operating system's name and version */
    char kernel[128];    /**< its kernel's version */
    int processors;      /**< that run */
    uint64_t memory_bytes;
} grkan_machine;

/** Describe the machine. */
void grkan_machine_describe(grkan_machine *machine);

/** A clock that nobody sets, in milliseconds since some time in the past. */
double grkan_milliseconds(void);

/** A variable of the environment. @return NULL if it is not set; valid until the variable is set again */
const char *grkan_environment(const char *name);

/** The same, and NULL as well if the process has more rights than its caller. */
const char *grkan_trusted_environment(const char *name);

/** Set a variable of the process's own environment; NULL: remove it. @return false if there is no memory */
bool grkan_set_environment(const char *name, const char *value);

/** Memory that begins at a multiple of 64 bytes; grkan_free_aligned frees it. @return NULL if there is none */
void *grkan_allocate_aligned(size_t bytes);

/** Free what grkan_allocate_aligned gave, or NULL. */
void grkan_free_aligned(void *memory);

/* --------------------------------------------------------------------------------- threads.c: threads, locks, forks */

/*
 * grkan_thread    a thread
 * grkan_lock      what one thread holds at a time. GRKAN_LOCK_INIT makes one that nobody holds, of static storage, which
 *                 needs neither grkan_lock_init nor _destroy
 * grkan_semaphore a counter that waits to get positive. Nothing has to be freed
 */

/**
 * Start a thread, which ends when `run` returns NULL. It gets no signal that is not of its own making, so that no
 * handler of the program's runs on its small stack, and begins with the C language's floating-point environment, long
 * double having all of its digits. It allocates nothing.
 * @return false if the system gives none now: a limit is reached, or memory ran out
 */
bool grkan_thread_start(grkan_thread *thread, void *(*run)(void *argument), void *argument, size_t stack_bytes);

/** Wait until a thread has ended. */
void grkan_thread_join(grkan_thread thread);

/** Or let it end with the process. */
void grkan_thread_detach(grkan_thread thread);

/** Have a function called in every forked child, by its only thread, before fork returns. Once for each function. */
void grkan_on_fork(void (*in_child)(void));

/** Make a lock, which nobody holds. */
void grkan_lock_init(grkan_lock *lock);

/** Free what a lock has. Nobody holds it. */
void grkan_lock_destroy(grkan_lock *lock);

/** Wait until nobody holds the lock, and hold it. A thread that holds it already waits for ever. */
void grkan_lock_take(grkan_lock *lock);

/** Let go. */
void grkan_lock_release(grkan_lock *lock);

/** Begin at 0. */
void grkan_semaphore_init(grkan_semaphore *semaphore);

/** Add 1, and wake a thread that waits. */
void grkan_semaphore_post(grkan_semaphore *semaphore);

/** Wait until it is positive, and take 1 off. No thread is cancelled here. */
void grkan_semaphore_wait(grkan_semaphore *semaphore);

/** Tell the processor that this is a loop that waits. */
static inline void grkan_relax(void)
{
#if defined(__x86_64__) || defined(__i386__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    __asm__ volatile("isb");
#endif
}

/* ------------------------------------------------------------------------------------------------- pool.c: the pool */

/**
 * A library or a program has one pool. Its threads stay as long as anybody holds it, parked when there is nothing to
 * do. A forked child starts without any.
 */
void grkan_pool_hold(void);

/** Whoever lets go last ends its threads, and waits until they have gone. */
void grkan_pool_release(void);

/** See to it that so many threads can help a caller; fewer if the system does not give them. */
void grkan_pool_grow(int helpers);

/**
 * Call task(argument, i) for each i of 0..count - 1, once each: by the calling thread, and by those threads of the pool
 * that have nothing else to do. Allocates nothing. With no thread at hand the caller does all.
 */
void grkan_pool_run(int64_t count, grkan_task task, void *argument);

/* ------------------------------------------------------------------------------------ libraries.c: shared libraries */

/** A shared library that is loaded. */
typedef struct grkan_library grkan_library;

/**
 * Load a library, whose symbols nobody else sees.
 * @param file its path, or a name alone for one of the system's
 * @return NULL if that fails: see grkan_library_error
 */
grkan_library *grkan_library_open(const char *file);

/** Take back one grkan_library_open. */
void grkan_library_close(grkan_library *library);

/**
 * The address of a symbol.
 * @param library NULL: the program, with what it is linked with and what was put before it (LD_PRELOAD)
 * @return NULL if there is none: see grkan_library_error
 */
void *grkan_library_symbol(grkan_library *library, const char *symbol);

/** Why the last of this thread's calls of grkan_library_open or _symbol failed. Valid until the next one. */
const char *grkan_library_error(void);

/**
 * Of the libraries in the process, those whose file's name is STEM and what systems and packages add to it: STEM.so,
 * STEM-HASH.so, either with more behind it (.so.5); STEM.dll, STEM_130_0.dll, either with -HASH.
 * @param index 0 for the first one
 * @return false if there are no more, or the path does not fit
 */
bool grkan_library_loaded(const char *stem, int index, char *path, size_t bytes);

/** The file of the library or program that has an address. @return false, and path is "", if that cannot be told */
bool grkan_library_file(const void *address, char *path, size_t bytes);

/** The folder of that file. */
bool grkan_library_folder(const void *address, char *path, size_t bytes);

/* --------------------------------------------------------------------------------------------------- files.c: files */

/** Bytes that hold the paths which the system takes. */
#define GRKAN_PATH_BYTES 4096

/** Whether a character stands between the names in a path. */
bool grkan_is_separator(char character);

/** Whether a path begins at the root, and does not depend on the current folder. */
bool grkan_is_absolute(const char *path);

/** The name in a path: what follows its last separator. */
const char *grkan_path_name(const char *path);

/** Whether there is something under this name. */
bool grkan_is_file(const char *path);

/** fopen. */
FILE *grkan_file_open(const char *path, const char *mode);

/** Remove a file, if it is there. */
void grkan_file_remove(const char *path);

/**
 * Make a folder, that nobody else can enter or with what the umask allows.
 * @return false with errno set; true, too, if there is something of that name already
 */
bool grkan_make_folder(const char *path, bool is_private);

/** Whether a folder is there that is the user's own, and that only he can enter. */
bool grkan_is_private_folder(const char *path);

/** The folder for what this user's programs can make again. @return false if there is none, or it cannot be trusted */
bool grkan_caches_folder(char *path, size_t bytes);

/**
 * Read a file of a private folder (grkan_is_private_folder).
 * @param most the bytes that a file may have
 * @return its content; free it; NULL if anything is wrong: the file is missing, not the user's, not regular, empty or
 *         too large, or the folder is not private
 */
void *grkan_private_read(const char *folder, const char *name, size_t most, size_t *bytes);

/** A new file that has not got its place within an hour belongs to a process that was killed; to write one takes less than a second. */
#define GRKAN_ABANDONED_SECONDS 3600

/**
 * Give a file of a private folder this content: who reads it sees all of the old one or of the new one. It is not
 * flushed to the disk, so what a crash of the system leaves of it has to be told by its content. What processes that were killed
 * have left of theirs in the folder is removed.
 * @return false if anything went wrong; the file is then as it was
 */
bool grkan_private_write(const char *folder, const char *name, const void *data, size_t bytes);

/* ---------------------------------------------------------------------------- output.c: files that a program leaves */

/*
 * A regular file, or a name that is not there yet, is written under another name in the same folder, which then becomes
 * the file's: who reads it sees the old content or the new, and an error or an interrupt leaves the old. Links are
 * followed and stay. An existing file keeps its mode, and its owner where that is possible (on Windows it has what
 * its folder passes on); its other hard links keep the old content. A new file has the mode that the umask allows. Whatever else a path names is written to: a device, a
 * pipe, a descriptor (/dev/stdout, /dev/fd/N). "-" is the standard output.
 *
 * For a program alone, not for a library: while a file is open, signals that end the process remove it.
 */

/** Whether a path can be written, to know before a long run. It is left as it is. @return false with errno set */
bool grkan_output_check(const char *path);

/** Write bytes to a path. @return false with errno set */
bool grkan_output_write(const char *path, const void *bytes, size_t count);

/* --------------------------------------------------------------------------------------------- programs.c: programs */

/** What a program begins with: its arguments are UTF-8, and its output is what it writes, byte by byte. */
void grkan_program_begin(int *argc, char ***argv);

/** Whether a person watches what is printed there. */
bool grkan_is_terminal(FILE *stream);

/** Make a folder of the user's alone for temporary files. @return false with errno set; path names what was tried */
bool grkan_temporary_folder(char *path, size_t bytes);

/** Remove a folder in which nothing is left. */
void grkan_remove_folder(const char *path);

/**
 * Run a program to its end. It reads nothing; what it prints goes to a new file.
 * @param arguments the program, which is looked for as a shell does, and its arguments; NULL ends them
 * @param log path of the file
 * @param exit_status out: -1 if the program did not end by itself
 * @return false with errno set if it did not start
 */
bool grkan_run_program(const char *const arguments[], const char *log, int *exit_status);

/* ------------------------------------------------------------------------- helpers.c: processes beside a program's own */

/** Processes that work on numbers. */
typedef struct grkan_helpers grkan_helpers;

/**
 * Fork processes that call work(context, number) for each number that one of them is given, until it returns false. What
 * they print goes nowhere, and nothing that they do changes this process: they are of use by the files that they leave. They
 * end with this process at the latest, or when what they were doing then is done. For a program with one thread.
 * @return NULL: none, the system gives none or knows no fork
 */
grkan_helpers *grkan_helpers_start(int count, bool (*work)(void *context, int number), void *context);

/** Have a number worked on, after those given before, by whichever helper is free. Waits for nobody. @return false: too many wait */
bool grkan_helpers_give(grkan_helpers *helpers, int number);

/** End them, wherever they are. @param helpers NULL: none */
void grkan_helpers_end(grkan_helpers *helpers);

#endif
