/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file test_modules.c
 * @brief The registry under Windows: modules where they may be, and bad ones. Each question is asked of a process of its own.
 */
#include "child.h"

#include "../../core/internal.h"
#include "interface.h"

typedef struct question {
    const char *module; /* a fake; NULL: none; "text": a file that is no library */
    const char *name;   /* of the backend */
    const char *path;   /* GRKAN_BACKEND_PATH; every "@" stands for the folder */
    int devices;        /* that are counted */
    const char *text;   /* a part of the error; "": there is none */
} question;

static char folder[GRKAN_PATH_BYTES];

static const char *expand(const char *text, char *expanded, size_t bytes)
{
    size_t used = 0;
    for (; *text != '\0'; text++)
        used += (size_t)(*text == '@' ? snprintf(expanded + used, bytes - used, "%s", folder)
                                      : snprintf(expanded + used, bytes - used, "%c", *text));
    expanded[used] = '\0';
    return expanded;
}

static int answer(const char *name)
{
    int count = 0;
    const grkan_status status = grkan_device_count(name, &count);
    (void)printf("%d\n%s", count, status == GRKAN_SUCCESS ? "" : grkan_last_error());
    return 0;
}

static void ask(const question *asked)
{
    char place[GRKAN_PATH_BYTES + 64], from[GRKAN_PATH_BYTES], log[GRKAN_PATH_BYTES + 16], text[8192], said[8192],
        wanted[64];
    (void)snprintf(place, sizeof place, "%s/libgrkan_%s.dll", folder, asked->name);
    (void)snprintf(log, sizeof log, "%s/log", folder);
    (void)snprintf(from, sizeof from, "%s/%s.dll", grkan_environment("GRKAN_FAKE_BACKENDS"),
                   asked->module != NULL ? asked->module : "");
    if (asked->module != NULL && strcmp(asked->module, "text") == 0)
        write_text(place, "this is no library");
    else if (asked->module != NULL)
        copy_file(from, place);
    assert_true(grkan_set_environment("GRKAN_BACKEND_PATH", expand(asked->path, text, sizeof text)));
    assert_int_equal(run_again((const char *const[]){"--ask", asked->name, NULL}, log, said, sizeof said), 0);
    if (asked->module != NULL)
        grkan_file_remove(place);
    (void)snprintf(wanted, sizeof wanted, "%d\n", asked->devices);
    (void)expand(asked->text, text, sizeof text);
    const char *const error = said + strlen(wanted);
    if (strncmp(said, wanted, strlen(wanted)) != 0 || (*text == '\0' ? *error != '\0' : strstr(error, text) == NULL))
        fail_msg("%s as %s: got\n%s\nexpected %s... %s ...", asked->module, asked->name, said, wanted, text);
}

static void test_modules(void **state)
{
    static const question questions[] = {
        {"devices", "hip", "@", 3, ""},
        {"devices", "hip", "C:/no where;@", 3, ""},
        {NULL, "hip", "C:/no where;@", 0,
         "backend \"hip\" is not built: there is no libgrkan_hip.dll in C:/no where, @, "},
        {"devices", "hip", "@;", 0,
         "GRKAN_BACKEND_PATH has the entry \"\"; expected absolute directories separated by \";\""},
        {"devices", "hip", ".", 0, "GRKAN_BACKEND_PATH has the entry \".\"; expected absolute"},
        {"devices", "hip", "/folder", 0, "GRKAN_BACKEND_PATH has the entry \"/folder\"; expected absolute"},
        {"text", "hip", "@", 0, "backend \"hip\": @/libgrkan_hip.dll does not load: "},
        {"no_symbol", "hip", "@", 0, "@/libgrkan_hip.dll has no symbol \"grkan_backend_table\""},
        {"other_build", "hip", "@", 0, "@/libgrkan_hip.dll was built from other sources than this library"},
        {"older", "hip", "@", 0, "@/libgrkan_hip.dll was built from other sources than this library"},
        {"devices", "cuda", "@", 0, "backend \"cuda\": @/libgrkan_cuda.dll calls itself \"hip\""},
        {"missing_function", "hip", "@", 0, "@/libgrkan_hip.dll lacks the function \"synchronize\""},
        {"no_device", "hip", "@", 0, "fakeGetDeviceCount: no such hardware"},
        {"zero_devices", "hip", "@", 0, "backend \"hip\" has no device"},
        {"platforms", "opencl", "@", 2, ""},
    };
    (void)state;
    for (size_t i = 0; i < COUNT_OF(questions); i++)
        ask(&questions[i]);
}

static int set_up(void **state)
{
    (void)state;
    make_odd_folder(folder, sizeof folder);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    remove_odd_folder(folder);
    return 0;
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_modules)};
    grkan_program_begin(&argc, &argv);
    if (argc == 3 && strcmp(argv[1], "--ask") == 0)
        return answer(argv[2]);
    return cmocka_run_group_tests_name("modules", tests, set_up, tear_down);
}
