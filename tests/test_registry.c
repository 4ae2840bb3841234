/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file test_registry.c
 * @brief The registry of backends, and the selectors of devices.
 *
 * The module that the registry found holds for the life of a process, so each case asks a process of its own: this program again,
 * as `test_registry --ask HOW WHAT`. GRKAN_FAKE_BACKENDS names the directory of the modules that it is given to load.
 */
#define _GNU_SOURCE 1

#include <fcntl.h>
#include <fenv.h>
#include <limits.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "../core/internal.h"
#include "interface.h"

#define COUNT_OF(array) (sizeof(array) / sizeof((array)[0]))

/* ------------------------------------------------------------------------------------- the process that is asked */

static void *count_in_thread(void *result)
{
    int count = 0;
    *(grkan_status *)result = grkan_device_count("hip", &count);
    return NULL;
}

/* The first bad status of many threads that load one backend at once; the fake one refuses to be counted twice. */
static grkan_status count_in_threads(void)
{
    pthread_t threads[16];
    grkan_status results[COUNT_OF(threads)];
    for (size_t i = 0; i < COUNT_OF(threads); i++) {
        if (pthread_create(&threads[i], NULL, count_in_thread, &results[i]) != 0) {
            abort();
        }
    }
    grkan_status worst = GRKAN_SUCCESS;
    for (size_t i = 0; i < COUNT_OF(threads); i++) {
        (void)pthread_join(threads[i], NULL);
        worst = results[i] != GRKAN_SUCCESS ? results[i] : worst;
    }
    return worst;
}

/* Do what is asked, and print status, result and error text, one below the other. */
static int answer(const char *how, const char *what)
{
    char result[64] = "";
    grkan_status status = GRKAN_SUCCESS;
    int count = 0;
    grkan_device *device = NULL;
    const grkan_backend *backend = NULL;
    if (strcmp(how, "count") == 0) {
        status = grkan_device_count(what, &count);
        (void)snprintf(result, sizeof result, "%d", count);
    } else if (strcmp(how, "count again") == 0) {
        /* Whatever could be found with this path is too late. */
        (void)grkan_device_count(what, &count);
        (void)setenv("GRKAN_BACKEND_PATH", getenv("GRKAN_TEST_LATER_PATH"), 1);
        (void)grkan_fail(GRKAN_ERROR_DEVICE, "an error in between");
        status = grkan_device_count(what, &count);
        (void)snprintf(result, sizeof result, "%d", count);
    } else if (strcmp(how, "find") == 0) {
        status = grkan_registry_find(what, &backend, NULL);
        (void)snprintf(result, sizeof result, "%s", backend == NULL ? "none" : backend->name);
    } else if (strcmp(how, "threads") == 0) {
        status = count_in_threads();
    } else if (strcmp(how, "rounding") == 0) {
        (void)fesetround(FE_DOWNWARD);
        status = grkan_device_count(what, &count);
        (void)snprintf(result, sizeof result, "%s", fegetround() == FE_DOWNWARD ? "kept" : "changed");
    } else if (strcmp(how, "native") == 0) {
        status = grkan_device_open_native(what, &count, &count, &device);
    } else {
        device = (grkan_device *)&count; /* to see that it is set */
        status = grkan_device_open(strcmp(how, "open nothing") == 0 ? NULL : what, &device);
        (void)snprintf(result, sizeof result, "%s", device == NULL ? "NULL" : device->properties.selector);
        grkan_device_close(device);
    }
    (void)printf("%s\n%s\n%s", grkan_status_name(status), result, grkan_last_error());
    return 0;
}

/* ------------------------------------------------------------------------------------- the process that asks it */

static char scratch[] = "/tmp/grkan-test-registry-XXXXXX";
static char fakes[PATH_MAX];

typedef struct question {
    const char *module; /* a fake; "text" for a file that is no shared object; NULL for none */
    const char *place;  /* where it is put; "@" stands for a directory of the test's here and below */
    const char *path;   /* GRKAN_BACKEND_PATH; NULL: not set */
    const char *chosen; /* GRKAN_DEVICE; NULL: not set */
    const char *self;   /* by what name the program is started; NULL: one that tells of no directory */
    const char *how;    /* see answer */
    const char *what;
    const char *status;
    const char *result; /* NULL: not looked at */
    const char *text;   /* "": no text; otherwise a part of it; NULL: not looked at */
} question;

/* Put the test's directory in the place of every "@". */
static const char *expand(const char *text, char *expanded, size_t bytes)
{
    size_t used = 0;
    for (; *text != '\0'; text++) {
        const int written = *text == '@' ? snprintf(expanded + used, bytes - used, "%s", scratch)
                                         : snprintf(expanded + used, bytes - used, "%c", *text);
        used += (size_t)written;
        assert_true(used < bytes);
    }
    expanded[used] = '\0';
    return expanded;
}

static void set_variable(const char *name, const char *value)
{
    char expanded[PATH_MAX];
    if (value == NULL) {
        (void)unsetenv(name);
    } else {
        (void)setenv(name, expand(value, expanded, sizeof expanded), 1);
    }
}

static void put_module(const question *asked)
{
    char place[PATH_MAX];
    char module[PATH_MAX + 64];
    (void)expand(asked->place, place, sizeof place);
    if (strcmp(asked->module, "text") == 0) {
        FILE *const file = fopen(place, "wx");
        assert_non_null(file);
        (void)fputs("this is no shared object\n", file);
        assert_int_equal(fclose(file), 0);
        return;
    }
    (void)snprintf(module, sizeof module, "%s/%s.so", fakes, asked->module);
    assert_int_equal(access(module, R_OK), 0);
    assert_int_equal(symlink(module, place), 0);
}

/* The current directory is the test's, so that a module lies there for those who would look. */
static void become_asked(const question *asked, int output)
{
    char self[PATH_MAX];
    (void)expand(asked->self == NULL ? "test_registry" : asked->self, self, sizeof self);
    set_variable("GRKAN_BACKEND_PATH", asked->path);
    set_variable("GRKAN_TEST_LATER_PATH", "@");
    set_variable("GRKAN_DEVICE", asked->chosen);
    if (chdir(scratch) == 0 && dup2(output, STDOUT_FILENO) >= 0) {
        (void)execl("/proc/self/exe", self, "--ask", asked->how, asked->what == NULL ? "" : asked->what, (char *)NULL);
    }
    _exit(127);
}

static void ask(const question *asked, char *answered, size_t bytes)
{
    int ends[2];
    assert_int_equal(pipe(ends), 0);
    const pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        become_asked(asked, ends[1]);
    }
    (void)close(ends[1]);
    size_t used = 0;
    ssize_t got = 0;
    while (used < bytes - 1 && (got = read(ends[0], answered + used, bytes - 1 - used)) > 0) {
        used += (size_t)got;
    }
    answered[used] = '\0';
    (void)close(ends[0]);
    int exited = 0;
    assert_int_equal(waitpid(child, &exited, 0), child);
    assert_true(WIFEXITED(exited) && WEXITSTATUS(exited) == 0);
}

/* answered is taken apart into its three lines. */
static void check_answer(const question *asked, char *answered)
{
    char wanted[PATH_MAX];
    char *const result = strchr(answered, '\n') + 1;
    result[-1] = '\0';
    char *const text = strchr(result, '\n') + 1;
    text[-1] = '\0';
    (void)expand(asked->text == NULL ? "" : asked->text, wanted, sizeof wanted);
    const bool is_text_right =
        asked->text == NULL || (wanted[0] == '\0' ? text[0] == '\0' : strstr(text, wanted) != NULL);
    const bool is_result_right = asked->result == NULL || strcmp(result, asked->result) == 0;
    if (strcmp(answered, asked->status) != 0 || !is_result_right || !is_text_right) {
        fail_msg("%s \"%s\":\n  got      %s, \"%s\", %s\n  expected %s, \"%s\", ... %s ...", asked->how,
                 asked->what == NULL ? "" : asked->what, answered, result, text, asked->status,
                 asked->result == NULL ? "" : asked->result, wanted);
    }
}

static void check_answers(const question *questions, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        char place[PATH_MAX];
        char answered[16384];
        if (questions[i].module != NULL) {
            put_module(&questions[i]);
        }
        ask(&questions[i], answered, sizeof answered);
        if (questions[i].module != NULL) {
            assert_int_equal(unlink(expand(questions[i].place, place, sizeof place)), 0);
        }
        check_answer(&questions[i], answered);
    }
}

/* "@/program" is the file that own directories are told from; "@/second" always has a module that works. */
static int make_scratch(void **state)
{
    (void)state;
    const char *const named = getenv("GRKAN_FAKE_BACKENDS");
    char path[PATH_MAX];
    if (named == NULL || realpath(named, fakes) == NULL) {
        print_error("GRKAN_FAKE_BACKENDS does not name the directory of the fake backends\n");
        return -1;
    }
    if (mkdtemp(scratch) == NULL || mkdir(expand("@/grkan", path, sizeof path), 0700) != 0 ||
        mkdir(expand("@/second", path, sizeof path), 0700) != 0) {
        return -1;
    }
    put_module(&(question){.module = "devices", .place = "@/second/libgrkan_hip.so"});
    const int program = open(expand("@/program", path, sizeof path), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    return program < 0 ? -1 : close(program);
}

static int remove_scratch(void **state)
{
    (void)state;
    char path[PATH_MAX];
    (void)unlink(expand("@/program", path, sizeof path));
    (void)unlink(expand("@/second/libgrkan_hip.so", path, sizeof path));
    (void)rmdir(expand("@/second", path, sizeof path));
    (void)rmdir(expand("@/grkan", path, sizeof path));
    return rmdir(scratch);
}

/* ----------------------------------------------------------------------------------------------------- registry */

/* The parts of a question. */
#define MODULE(of, at) .module = of, .place = at
#define PATH(text) .path = text
#define CHOSEN(selector) .chosen = selector
#define SELF(name) .self = name
#define ASKED(how_, what_) .how = how_, .what = what_
#define ANSWERED(status_, result_, text_) .status = status_, .result = result_, .text = text_

#define HIP "@/libgrkan_hip.so"
#define OPENCL "@/libgrkan_opencl.so"
#define GOOD "GRKAN_SUCCESS"
#define INVALID "GRKAN_ERROR_INVALID_ARGUMENT"
#define NO_BACKEND "GRKAN_ERROR_NO_BACKEND"
#define NO_DEVICE "GRKAN_ERROR_NO_DEVICE"

static void test_modules_are_found_where_they_may_be(void **state)
{
    (void)state;
    static const question questions[] = {
        {MODULE("devices", HIP), PATH("@"), ASKED("count", "hip"), ANSWERED(GOOD, "3", "")},
        {MODULE("devices", HIP), PATH("/nowhere:@"), ASKED("count", "hip"), ANSWERED(GOOD, "3", "")},
        {MODULE("devices", "@/grkan/libgrkan_hip.so"), SELF("@/program"), ASKED("count", "hip"),
         ANSWERED(GOOD, "3", "")},
        {MODULE("devices", HIP), PATH(""), SELF("@/program"), ASKED("count", "hip"), ANSWERED(GOOD, "3", "")},
        {MODULE("devices", HIP), PATH("@"), ASKED("threads", "hip"), ANSWERED(GOOD, NULL, "")},
        {MODULE("rounding", HIP), PATH("@"), ASKED("rounding", "hip"), ANSWERED(GOOD, "kept", "")},
        {MODULE("no_device", HIP), PATH("@"), ASKED("find", "hip"), ANSWERED(GOOD, "hip", NULL)},
        /* The first that exists counts, whether it loads or not. */
        {PATH("@:@/second"), ASKED("count", "hip"), ANSWERED(GOOD, "3", "")},
        {MODULE("text", HIP), PATH("@/second:@"), ASKED("count", "hip"), ANSWERED(GOOD, "3", "")},
        {MODULE("text", HIP), PATH("@/second"), SELF("@/program"), ASKED("count", "hip"), ANSWERED(GOOD, "3", "")},
        {MODULE("text", HIP), PATH("@:@/second"), ASKED("count", "hip"),
         ANSWERED(NO_BACKEND, "0", "@/libgrkan_hip.so does not load")},
    };
    check_answers(questions, COUNT_OF(questions));
}

static void test_modules_are_not_found_elsewhere(void **state)
{
    (void)state;
    static const question questions[] = {
        {PATH("/nowhere:/elsewhere"), SELF("@/program"), ASKED("count", "hip"),
         ANSWERED(NO_BACKEND, "0",
                  "backend \"hip\" is not built: there is no libgrkan_hip.so in /nowhere, /elsewhere, @/grkan, @")},
        {MODULE("devices", HIP), ASKED("count", "hip"),
         ANSWERED(NO_BACKEND, "0", "there is no libgrkan_hip.so in any directory that could be named")},
        {MODULE("devices", HIP), PATH(""), ASKED("count", "hip"),
         ANSWERED(NO_BACKEND, "0", "backend \"hip\" is not built")},
        {MODULE("devices", HIP), PATH("."), ASKED("count", "hip"),
         ANSWERED(NO_BACKEND, "0", "GRKAN_BACKEND_PATH has the entry \".\"; expected absolute directories")},
        {MODULE("devices", HIP), PATH("@:"), ASKED("count", "hip"),
         ANSWERED(NO_BACKEND, "0", "GRKAN_BACKEND_PATH has the entry \"\"; expected absolute directories")},
        {MODULE("devices", HIP), PATH("@:build/modules:/nowhere"), ASKED("count", "hip"),
         ANSWERED(NO_BACKEND, "0", "GRKAN_BACKEND_PATH has the entry \"build/modules\"; expected absolute")},
        {MODULE("devices", HIP), PATH("/nowhere"), ASKED("count again", "hip"),
         ANSWERED(NO_BACKEND, "0", "backend \"hip\" is not built: there is no libgrkan_hip.so in /nowhere")},
    };
    check_answers(questions, COUNT_OF(questions));
}

/* A driver's library that comes later: a module that found no device is asked again, until it has some. */
static void test_devices_may_come_later(void **state)
{
    (void)state;
    static const question questions[] = {
        {MODULE("late_device", HIP), PATH("@"), ASKED("count again", "hip"),
         ANSWERED(GOOD, "1", "an error in between")},
        {MODULE("devices", HIP), PATH("@"), ASKED("count again", "hip"), ANSWERED(GOOD, "3", "an error in between")},
    };
    check_answers(questions, COUNT_OF(questions));
}

static void test_bad_modules_say_what_is_wrong(void **state)
{
    (void)state;
    char other[192];
    char older[192];
    static const char format[] =
        "@/libgrkan_hip.so was built from other sources than this library (interface %016llx); "
        "expected the module of the same build (interface %016llx)";
    (void)snprintf(other, sizeof other, format, GRKAN_INTERFACE ^ 1ull, GRKAN_INTERFACE + 0ull);
    (void)snprintf(older, sizeof older, format, 6ull << 32 | 16, GRKAN_INTERFACE + 0ull);
    const question questions[] = {
        {MODULE("text", HIP), PATH("@"), ASKED("count", "hip"),
         ANSWERED(NO_BACKEND, "0", "@/libgrkan_hip.so does not load: @/libgrkan_hip.so: ")},
        {MODULE("no_symbol", HIP), PATH("@"), ASKED("count", "hip"),
         ANSWERED(NO_BACKEND, "0", "backend \"hip\": @/libgrkan_hip.so has no symbol \"grkan_backend_table\"")},
        {MODULE("other_build", HIP), PATH("@"), ASKED("count", "hip"), ANSWERED(NO_BACKEND, "0", other)},
        {MODULE("older", HIP), PATH("@"), ASKED("count", "hip"), ANSWERED(NO_BACKEND, "0", older)},
        {MODULE("devices", "@/libgrkan_cuda.so"), PATH("@"), ASKED("count", "cuda"),
         ANSWERED(NO_BACKEND, "0", "backend \"cuda\": @/libgrkan_cuda.so calls itself \"hip\"")},
        {MODULE("missing_function", HIP), PATH("@"), ASKED("count", "hip"),
         ANSWERED(NO_BACKEND, "0", "@/libgrkan_hip.so lacks the function \"synchronize\"")},
        {MODULE("no_device", HIP), PATH("@"), ASKED("count", "hip"),
         ANSWERED(NO_DEVICE, "0", "fakeGetDeviceCount: no such hardware")},
        {MODULE("no_device", HIP), PATH("@"), ASKED("count again", "hip"),
         ANSWERED(NO_DEVICE, "0", "fakeGetDeviceCount: no such hardware")},
        {MODULE("late_device", HIP), PATH("@"), ASKED("count", "hip"),
         ANSWERED(NO_DEVICE, "0", "fakeGetDeviceCount: no such hardware")},
        {MODULE("zero_devices", HIP), PATH("@"), ASKED("count", "hip"),
         ANSWERED(NO_DEVICE, "0", "backend \"hip\" has no device")},
        {MODULE("missing_function", HIP), PATH("@"), ASKED("find", "hip"),
         ANSWERED(NO_BACKEND, "none", "lacks the function")},
    };
    check_answers(questions, COUNT_OF(questions));
}

/* ---------------------------------------------------------------------------------------------------- selectors */

static void test_selectors_open_their_device(void **state)
{
    (void)state;
    static const question questions[] = {
        {MODULE("devices", HIP), PATH("@"), ASKED("open", "hip:1"), ANSWERED(GOOD, "hip:1", "")},
        {MODULE("devices", HIP), PATH("@"), ASKED("open", "hip:002"), ANSWERED(GOOD, "hip:2", "")},
        {MODULE("platforms", OPENCL), PATH("@"), ASKED("open", "opencl"), ANSWERED(GOOD, "opencl:0:0", "")},
        {MODULE("platforms", OPENCL), PATH("@"), ASKED("open", "opencl:0:1"), ANSWERED(GOOD, "opencl:0:1", "")},
        {ASKED("open", "cpu"), ANSWERED(GOOD, "cpu", "")},
        /* Without one: GRKAN_DEVICE, or the first GPU that opens, or the cpu, and no word of what did not work. */
        {MODULE("devices", HIP), PATH("@"), CHOSEN("hip:2"), ASKED("open nothing", NULL), ANSWERED(GOOD, "hip:2", "")},
        {MODULE("devices", HIP), PATH("@"), CHOSEN("hip:2"), ASKED("open", ""), ANSWERED(GOOD, "hip:2", "")},
        {MODULE("devices", HIP), PATH("@"), CHOSEN("hip:2"), ASKED("open", "hip:1"), ANSWERED(GOOD, "hip:1", "")},
        {MODULE("devices", HIP), PATH("@"), ASKED("open nothing", NULL), ANSWERED(GOOD, "hip:1", "")},
        {MODULE("platforms", OPENCL), PATH("@"), CHOSEN(""), ASKED("open", ""), ANSWERED(GOOD, "opencl:0:1", "")},
        {MODULE("no_device", HIP), PATH("@"), ASKED("open nothing", NULL), ANSWERED(GOOD, "cpu", "")},
    };
    check_answers(questions, COUNT_OF(questions));
}

static void test_bad_selectors_say_what_is_wrong(void **state)
{
    (void)state;
    static const question questions[] = {
        {MODULE("devices", HIP), PATH("@"), ASKED("open", "hip:3"),
         ANSWERED(NO_DEVICE, "NULL", "device \"hip:3\": backend \"hip\" has 3 devices: index 3 is not in 0..2")},
        {MODULE("devices", HIP), PATH("@"), ASKED("open", "hip:0"),
         ANSWERED("GRKAN_ERROR_DEVICE", "NULL", "device \"hip:0\": fakeSetDevice: device is in use")},
        {MODULE("devices", HIP), PATH("@"), ASKED("open", "hip:-1"),
         ANSWERED(INVALID, "NULL", "device \"hip:-1\": the index \"-1\" is negative; expected 0 or more")},
        {MODULE("devices", HIP), PATH("@"), ASKED("open", "hip:"),
         ANSWERED(INVALID, "NULL", "device \"hip:\": expected an index after \":\", found \"\"")},
        {MODULE("devices", HIP), PATH("@"), ASKED("open", "hip:first"),
         ANSWERED(INVALID, "NULL", "device \"hip:first\": expected an index after \":\", found \"first\"")},
        {MODULE("devices", HIP), PATH("@"), ASKED("open", "hip:1x"),
         ANSWERED(INVALID, "NULL", "device \"hip:1x\": unexpected \"x\" after the index 1")},
        {MODULE("devices", HIP), PATH("@"), ASKED("open", "hip:1:1"),
         ANSWERED(INVALID, "NULL", "device \"hip:1:1\": unexpected \":1\" after the index 1")},
        {MODULE("devices", HIP), PATH("@"), ASKED("open", "hip:4294967296"),
         ANSWERED(INVALID, "NULL",
                  "device \"hip:4294967296\": the index 4294967296 is too large; expected at most 2147483647")},
        {MODULE("devices", HIP), PATH("@"), ASKED("open", "hip:99999999999999999999"),
         ANSWERED(INVALID, "NULL", "device \"hip:99999999999999999999\": the index 99999999999999999999 is too large")},
        {MODULE("platforms", OPENCL), PATH("@"), ASKED("open", "opencl:7:0"),
         ANSWERED(NO_DEVICE, "NULL", "device \"opencl:7:0\": there is no platform and device \"7:0\"")},
        {ASKED("open", ":0"), ANSWERED(INVALID, "NULL", "device \":0\": expected the name of a backend before \":\"")},
        {ASKED("open", "opncl:0"),
         ANSWERED(
             NO_BACKEND, "NULL",
             "device \"opncl:0\": there is no backend \"opncl\"; did you mean \"opencl\"? Expected one of cuda, hip, "
             "opencl, cpu")},
        {ASKED("open", "CUDA:0"),
         ANSWERED(NO_BACKEND, "NULL", "device \"CUDA:0\": there is no backend \"CUDA\"; did you mean \"cuda\"?")},
        {ASKED("open", "vulkan"),
         ANSWERED(NO_BACKEND, "NULL",
                  "device \"vulkan\": there is no backend \"vulkan\"; expected one of cuda, hip, opencl, cpu")},
        {PATH("/nowhere"), ASKED("open", "cuda:1"),
         ANSWERED(NO_BACKEND, "NULL",
                  "device \"cuda:1\": backend \"cuda\" is not built: there is no libgrkan_cuda.so in /nowhere")},
        {CHOSEN("cpu:one"), ASKED("open nothing", NULL),
         ANSWERED(INVALID, "NULL",
                  "device \"cpu:one\" (from GRKAN_DEVICE): expected an index after \":\", found \"one\"")},
        {MODULE("devices", HIP), PATH("@"), ASKED("native", "hip"),
         ANSWERED("GRKAN_ERROR_UNSUPPORTED", NULL,
                  "backend \"hip\" opens no device inside a context of the caller's; use grkan_device_open")},
    };
    check_answers(questions, COUNT_OF(questions));
}

int main(int count, char *arguments[])
{
    if (count == 4 && strcmp(arguments[1], "--ask") == 0) {
        return answer(arguments[2], arguments[3]);
    }
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_modules_are_found_where_they_may_be),
        cmocka_unit_test(test_modules_are_not_found_elsewhere),
        cmocka_unit_test(test_devices_may_come_later),
        cmocka_unit_test(test_bad_modules_say_what_is_wrong),
        cmocka_unit_test(test_selectors_open_their_device),
        cmocka_unit_test(test_bad_selectors_say_what_is_wrong),
    };
    return cmocka_run_group_tests_name("registry", tests, make_scratch, remove_scratch);
}
