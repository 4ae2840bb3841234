/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file test_platform.c
 * @brief What platform.h promises of any operating system, where no other test asks for it: test_cache has the private
 * folders, test_output the files of a program, test_pool the threads.
 */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "../core/platform/platform.h"

/* ------------------------------------------------------------------------------------------------------ libraries */

static void test_a_library_gives_its_symbols(void **state)
{
    (void)state;
    grkan_library *const library = grkan_library_open("libm.so.6");
    if (library == NULL)
        skip(); /* another C library's name */
    double (*square_root)(double) = NULL;
    void *const found = grkan_library_symbol(library, "sqrt");
    assert_non_null(found);
    memcpy(&square_root, &found, sizeof found);
    assert_true(square_root(9) == 3);
    assert_null(grkan_library_symbol(library, "grkan_no_such_symbol"));
    assert_non_null(strstr(grkan_library_error(), "grkan_no_such_symbol"));
}

static void test_a_library_that_is_not_there_is_named(void **state)
{
    (void)state;
    assert_null(grkan_library_open("grkan_no_such_library"));
    assert_non_null(strstr(grkan_library_error(), "grkan_no_such_library"));
    assert_string_equal(grkan_library_error(), "no reason given"); /* a second time */
}

static void test_the_folder_of_an_address(void **state)
{
    static const char mine;
    char folder[GRKAN_PATH_BYTES], file[GRKAN_PATH_BYTES + 32], small[4] = "old";
    (void)state;
    assert_true(grkan_library_folder(&mine, folder, sizeof folder));
    assert_true(grkan_is_absolute(folder));
    (void)snprintf(file, sizeof file, "%s/test_platform", folder);
    assert_true(grkan_is_file(file));
    assert_false(grkan_library_folder(&mine, small, sizeof small));
    assert_string_equal(small, "");
    assert_false(grkan_library_folder(NULL, folder, sizeof folder));
    assert_string_equal(folder, "");
}

/* ------------------------------------------------------------------------------------------------------- programs */

/** Run a shell's command, and compare what it left. */
static void check_run(const char *folder, const char *command, int status, const char *printed)
{
    char log[GRKAN_PATH_BYTES], text[64] = "";
    const char *const arguments[] = {"sh", "-c", command, NULL};
    int exit_status = 100;
    (void)snprintf(log, sizeof log, "%s/log", folder);
    assert_true(grkan_run_program(arguments, log, &exit_status));
    assert_int_equal(exit_status, status);
    FILE *const file = fopen(log, "r");
    assert_non_null(file);
    text[fread(text, 1, sizeof text - 1, file)] = '\0';
    (void)fclose(file);
    assert_string_equal(text, printed);
    assert_int_equal(remove(log), 0);
}

static void test_programs(void **state)
{
    static const char *const missing[] = {"grkan_no_such_program", NULL};
    char folder[GRKAN_PATH_BYTES / 2], log[GRKAN_PATH_BYTES];
    int exit_status = 100;
    (void)state;
    assert_true(grkan_temporary_folder(folder, sizeof folder));
    assert_true(grkan_is_private_folder(folder));
    check_run(folder, "echo out; echo error >&2", 0, "out\nerror\n");
    check_run(folder, "read line || echo nothing to read; exit 7", 7, "nothing to read\n");
    check_run(folder, "kill -9 $$", -1, "");
    (void)snprintf(log, sizeof log, "%s/log", folder);
    assert_false(grkan_run_program(missing, log, &exit_status));
    assert_int_equal(errno, ENOENT);
    assert_int_equal(exit_status, -1);
    (void)remove(log);
    grkan_remove_folder(folder);
    assert_false(grkan_is_file(folder));
}

/** In a process of its own: no file that it opens gets the number of a standard stream that was closed, nor does one work again. */
static void test_a_program_without_standard_streams(void **state)
{
    int status = 0;
    (void)state;
    const pid_t program = fork();
    if (program == 0) {
        char byte = 0;
        for (int i = STDIN_FILENO; i <= STDERR_FILENO; i++)
            (void)close(i);
        grkan_program_begin(NULL, NULL);
        _exit(open("/dev/null", O_RDWR) > STDERR_FILENO && read(STDIN_FILENO, &byte, 1) < 0 &&
                      write(STDOUT_FILENO, &byte, 1) < 0 && write(STDERR_FILENO, &byte, 1) < 0
                  ? 0
                  : 1);
    }
    assert_int_equal(waitpid(program, &status, 0), program);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
}

static void test_a_temporary_folder_that_cannot_be(void **state)
{
    char folder[GRKAN_PATH_BYTES];
    (void)state;
    assert_true(grkan_set_environment("TMPDIR", "/grkan/no/such/folder"));
    assert_false(grkan_temporary_folder(folder, sizeof folder));
    assert_int_equal(errno, ENOENT);
    assert_true(grkan_set_environment("TMPDIR", NULL));
    assert_null(getenv("TMPDIR"));
}

/* -------------------------------------------------------------------------------------------------------- helpers */

enum { NUMBERS = 20, CRASH = -1, LEAVE = -2, STAY = -3 };

/** A folder in which each number that was worked on has a file; a pipe that ends when nobody can write to it any more. */
typedef struct helped {
    char folder[GRKAN_PATH_BYTES / 2];
    int ends[2];
} helped;

static void name_of(const helped *h, int number, char path[GRKAN_PATH_BYTES])
{
    (void)snprintf(path, GRKAN_PATH_BYTES, "%s/%d", h->folder, number);
}

/** In a helper. A number that comes twice leaves a second file. */
static bool work(void *context, int number)
{
    const helped *const h = context;
    char path[GRKAN_PATH_BYTES];
    (void)printf("number %d\n", number);
    (void)fflush(stdout);
    name_of(h, number, path);
    const int file = open(path, O_CREAT | O_EXCL | O_WRONLY, 0600);
    if (file < 0)
        name_of(h, NUMBERS + number, path);
    (void)close(file >= 0 ? file : open(path, O_CREAT | O_WRONLY, 0600));
    if (number == CRASH)
        abort();
    while (number == STAY)
        (void)pause();
    return number != LEAVE;
}

/** Wait until a number has been worked on; a test that waits for ever fails by meson's limit. Its file is removed. */
static void await(const helped *h, int number)
{
    char path[GRKAN_PATH_BYTES];
    name_of(h, number, path);
    while (!grkan_is_file(path))
        (void)usleep(1000);
    assert_int_equal(remove(path), 0);
}

static void set_up(helped *h)
{
    assert_true(grkan_temporary_folder(h->folder, sizeof h->folder));
    assert_int_equal(pipe(h->ends), 0);
}

/** Nobody is left that has the pipe, and the folder is empty. */
static void check_gone(const helped *h)
{
    char byte;
    (void)close(h->ends[1]);
    assert_int_equal(read(h->ends[0], &byte, 1), 0);
    (void)close(h->ends[0]);
    assert_int_equal(rmdir(h->folder), 0);
}

static void test_helpers_work_on_each_number_once_and_print_nothing(void **state)
{
    helped h;
    char printed[8];
    (void)state;
    set_up(&h);
    FILE *const log = tmpfile();
    assert_non_null(log);
    (void)fflush(stdout);
    const int earlier = dup(STDOUT_FILENO);
    assert_int_equal(dup2(fileno(log), STDOUT_FILENO), STDOUT_FILENO);
    grkan_helpers *const helpers = grkan_helpers_start(3, work, &h);
    bool is_given = helpers != NULL;
    for (int i = 0; i < NUMBERS && is_given; i++)
        is_given = grkan_helpers_give(helpers, i);
    for (int i = 0; i < NUMBERS && is_given; i++)
        await(&h, i);
    grkan_helpers_end(helpers);
    assert_int_equal(dup2(earlier, STDOUT_FILENO), STDOUT_FILENO);
    (void)close(earlier);
    assert_true(is_given);
    rewind(log);
    assert_int_equal(fread(printed, 1, sizeof printed, log), 0);
    (void)fclose(log);
    check_gone(&h);
}

static void test_helpers_that_crash_leave_or_stay_change_nothing(void **state)
{
    helped h;
    (void)state;
    set_up(&h);
    grkan_helpers *const helpers = grkan_helpers_start(3, work, &h);
    assert_non_null(helpers);
    for (int number = CRASH; number >= STAY; number--) {
        assert_true(grkan_helpers_give(helpers, number));
        await(&h, number);
    }
    int status, ended = 0; /* of itself: what crashed, and what left */
    while (ended < 2)
        ended += waitpid(-1, &status, WNOHANG) > 0;
    bool is_given = true;
    for (int i = 0; i < 1 << 20 && is_given; i++) /* nobody takes them; they are no reason to wait, nor to die */
        is_given = grkan_helpers_give(helpers, i);
    assert_false(is_given);
    grkan_helpers_end(helpers);
    check_gone(&h);
}

static void test_helpers_end_with_their_program(void **state)
{
    helped h;
    int status = 0;
    (void)state;
    set_up(&h);
    const pid_t program = fork();
    if (program == 0) {
        grkan_helpers *const helpers = grkan_helpers_start(2, work, &h);
        if (helpers != NULL)
            (void)grkan_helpers_give(helpers, 0);
        (void)kill(getpid(), helpers != NULL ? SIGKILL : SIGTERM);
    }
    assert_int_equal(waitpid(program, &status, 0), program);
    assert_true(WIFSIGNALED(status));
    assert_int_equal(WTERMSIG(status), SIGKILL);
    char path[GRKAN_PATH_BYTES], byte;
    (void)close(h.ends[1]);
    assert_int_equal(read(h.ends[0], &byte, 1), 0); /* they are gone */
    (void)close(h.ends[0]);
    name_of(&h, 0, path); /* one of them may have been fast */
    grkan_file_remove(path);
    assert_int_equal(rmdir(h.folder), 0);
}

static void test_no_helpers(void **state)
{
    (void)state;
    assert_null(grkan_helpers_start(0, work, NULL));
    assert_null(grkan_helpers_start(-1, work, NULL));
    grkan_helpers_end(NULL);
}

/* -------------------------------------------------------------------------------------------------------- machine */

static void test_the_machine(void **state)
{
    grkan_machine machine;
    char name[64] = "as it was";
    (void)state;
    grkan_machine_describe(&machine);
    assert_true(machine.processor[0] != '\0' && machine.system[0] != '\0' && machine.kernel[0] != '\0');
    assert_true(grkan_processors() >= 1);
    assert_true(machine.processors == 0 || machine.processors >= grkan_processors());
    assert_int_equal(machine.memory_bytes, grkan_memory_bytes());
    if (grkan_processor_name(name, sizeof name))
        assert_int_equal(strncmp(name, machine.processor, sizeof name - 1), 0);
    else
        assert_string_equal(name, "as it was");
}

static void test_the_clock(void **state)
{
    (void)state;
    const double start = grkan_milliseconds();
    double now = start;
    while (now == start)
        now = grkan_milliseconds();
    assert_true(now > start);
}

/* --------------------------------------------------------------------------------------------------------- threads */

static grkan_lock lock = GRKAN_LOCK_INIT;
static grkan_semaphore began;
static int left; /* by the thread that holds the lock */

static void *look(void *seen)
{
    grkan_semaphore_post(&began);
    grkan_lock_take(&lock);
    *(int *)seen = left;
    grkan_lock_release(&lock);
    return NULL;
}

/** The others have time to go wrong in, which they do not need to go right. */
static void test_one_thread_at_a_time_holds_a_lock(void **state)
{
    grkan_thread threads[4];
    int seen[4] = {0, 0, 0, 0};
    (void)state;
    grkan_semaphore_init(&began);
    grkan_lock_take(&lock);
    for (int i = 0; i < 4; i++)
        assert_true(grkan_thread_start(&threads[i], look, &seen[i], 65536));
    for (int i = 0; i < 4; i++)
        grkan_semaphore_wait(&began);
    for (const double start = grkan_milliseconds(); grkan_milliseconds() - start < 20;)
        grkan_relax();
    left = 7;
    grkan_lock_release(&lock);
    for (int i = 0; i < 4; i++)
        grkan_thread_join(threads[i]);
    for (int i = 0; i < 4; i++)
        assert_int_equal(seen[i], 7);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_library_gives_its_symbols),
        cmocka_unit_test(test_a_library_that_is_not_there_is_named),
        cmocka_unit_test(test_the_folder_of_an_address),
        cmocka_unit_test(test_programs),
        cmocka_unit_test(test_a_temporary_folder_that_cannot_be),
        cmocka_unit_test(test_a_program_without_standard_streams),
        cmocka_unit_test(test_helpers_work_on_each_number_once_and_print_nothing),
        cmocka_unit_test(test_helpers_that_crash_leave_or_stay_change_nothing),
        cmocka_unit_test(test_helpers_end_with_their_program),
        cmocka_unit_test(test_no_helpers),
        cmocka_unit_test(test_the_machine),
        cmocka_unit_test(test_the_clock),
        cmocka_unit_test(test_one_thread_at_a_time_holds_a_lock),
    };
    return cmocka_run_group_tests_name("platform", tests, NULL, NULL);
}
