/* SPDX-License-Identifier: Apache-2.0 */
/** @file compile_options.c @brief The command line of grkan compile. */
#include "compile_tool.h"

enum key { KEY_BACKEND = 256, KEY_ARCH, KEY_COMPILER, KEY_JSON, KEY_KEEP, KEY_OUT, KEY_FAIL_ON_SPILL };

static const command_option options[] = {
    {NULL, 0, NULL, "For what:", 1},
    {"backend", KEY_BACKEND, "B", "cuda, hip or opencl", 1},
    {"arch", KEY_ARCH, "A", "Architecture, as sm_90, gfx90a or dg2; may be repeated", 1},
    {"compiler", KEY_COMPILER, "PATH",
     "Compile with this program, clang for hip, nvcc for cuda and Intel's ocloc for opencl: for architectures that the "
     "vendor's library does not know. Its kernels do not go to the cache",
     1},
    {NULL, 0, NULL, "How:", 3},
    {"fail-on-spill", KEY_FAIL_ON_SPILL, NULL, "Exit with 1 if a kernel spills registers to memory", 3},
    {"json", KEY_JSON, "FILE",
     "Write what the table shows as JSON too; - is the standard output, and the table goes to the standard error", 3},
    {"keep", KEY_KEEP, "DIR",
     "Leave each program in this directory, with a JSON document beside it that says how to launch its kernels", 3},
    {"out", KEY_OUT, "DIR",
     "Fill this cache instead of the environment's: a process with GRKAN_CACHE_DIR=DIR and the same version of grkan "
     "and of the compiler finds the kernels there",
     3},
    {0},
};

static void take(void *to, const char *who, int key, const char *text)
{
    compile_request *request = to;
    (void)who;
    switch (key) {
    case KEY_BACKEND:
        request->backend = text;
        break;
    case KEY_ARCH:
        tool_append_text(&request->architectures, &request->architecture_count, text);
        break;
    case KEY_COMPILER:
        request->compiler = text;
        break;
    case KEY_JSON:
        request->json = text;
        break;
    case KEY_KEEP:
        request->keep = text;
        break;
    case KEY_OUT:
        request->cache = text;
        break;
    case KEY_FAIL_ON_SPILL:
        request->fails_on_spill = 1;
        break;
    }
}

/** After the last option: what is missing, and what does not go together. */
static void check(void *to, const char *who)
{
    const compile_request *request = to;
    if (request->backend == NULL || request->architecture_count == 0)
        options_complain(who, "%s is missing, as in --backend cuda --arch sm_90",
                         request->backend == NULL ? "--backend" : "--arch");
    if (request->compiler != NULL && request->cache != NULL)
        options_complain(who, "--out does not go with --compiler: a cache holds what the vendor's own compiler makes");
}

static const option_set own = {options, take, check};

static const command_line command = {
    .summary = "Compile kernels for a device that need not be there, and tell what they take of it.",
    .notes =
        {
            "Registers, spills and stack are of a thread, scalar registers of a wave, shared memory of a block; "
            "Intel's "
            "registers are of a wave, too. - is what a vendor does not have or its compiler does not say. Sizes of a "
            "tensor change no kernel, only its launches, which --keep writes for a device of one compute unit. Kernels "
            "go "
            "to the cache, as those of a plan do.",
        },
    .own = &own,
    .shared = &operation_options,
};

void compile_parse(int argc, char **argv, compile_request *request)
{
    *request = (compile_request){.what = OPERATION_REQUEST_INIT};
    options_parse(&command, argc, argv, request, &request->what);
}
