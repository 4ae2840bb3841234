/* SPDX-License-Identifier: Apache-2.0 */
/** @file compile_options.c @brief The command line of grkan compile. */
#include "compile.h"

enum key { KEY_BACKEND = 256, KEY_ARCH, KEY_COMPILER, KEY_JSON, KEY_KEEP, KEY_OUT, KEY_FAIL_ON_SPILL };

static const struct argp_option options[] = {
    {NULL, 0, NULL, 0, "For what:", 1},
    {"backend", KEY_BACKEND, "B", 0, "cuda or hip", 1},
    {"arch", KEY_ARCH, "A", 0, "Architecture, as sm_90 or gfx90a; may be repeated", 1},
    {"compiler", KEY_COMPILER, "PATH", 0,
     "Compile with this program, clang for hip and nvcc for cuda: for architectures that the vendor's library does not "
     "know. Its kernels do not go to the cache",
     1},
    {NULL, 0, NULL, 0, "How:", 3},
    {"fail-on-spill", KEY_FAIL_ON_SPILL, NULL, 0, "Exit with 1 if a kernel spills registers to memory", 3},
    {"json", KEY_JSON, "FILE", 0,
     "Write what the table shows as JSON too; - is the standard output, and the table goes to the standard error", 3},
    {"keep", KEY_KEEP, "DIR", 0,
     "Leave each program in this directory, with a JSON document beside it that says how to launch its kernels", 3},
    {"out", KEY_OUT, "DIR", 0,
     "Fill this cache instead of the environment's: a process with GRKAN_CACHE_DIR=DIR and the same version of grkan "
     "and of the compiler finds the kernels there",
     3},
    {0},
};

static void add_architecture(compile_request *request, const char *architecture)
{
    size_t count = (size_t)request->architecture_count + 1;
    request->architectures = tool_resize(request->architectures, count * sizeof *request->architectures);
    request->architectures[count - 1] = architecture;
    request->architecture_count = (int)count;
}

static error_t parse_option(int key, char *text, struct argp_state *state)
{
    compile_request *request = state->input;
    switch (key) {
    case ARGP_KEY_INIT:
        state->child_inputs[0] = &request->what;
        return 0;
    case KEY_BACKEND:
        request->backend = text;
        return 0;
    case KEY_ARCH:
        add_architecture(request, text);
        return 0;
    case KEY_COMPILER:
        request->compiler = text;
        return 0;
    case KEY_JSON:
        request->json = text;
        return 0;
    case KEY_KEEP:
        request->keep = text;
        return 0;
    case KEY_OUT:
        request->cache = text;
        return 0;
    case KEY_FAIL_ON_SPILL:
        request->fails_on_spill = 1;
        return 0;
    case ARGP_KEY_ARG:
        argp_error(state, "'%s' is not an option; compile takes options only", text);
        return 0;
    case ARGP_KEY_END:
        if (request->backend == NULL || request->architecture_count == 0)
            argp_error(state, "%s is missing, as in --backend cuda --arch sm_90",
                       request->backend == NULL ? "--backend" : "--arch");
        if (request->compiler != NULL && request->cache != NULL)
            argp_error(state, "--out does not go with --compiler: a cache holds what the vendor's own compiler makes");
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static const struct argp_child children[] = {{&operation_parser, 0, NULL, 0}, {0}};

static const struct argp parser = {
    .options = options,
    .parser = parse_option,
    .children = children,
    .doc =
        "Compile kernels for a device that need not be there, and tell what they take of it."
        "\vRegisters, spills and stack are of a thread, scalar registers of a wave, shared memory of a block; - is "
        "what a vendor does not have or its compiler does not say. Sizes of a tensor change no kernel, only its "
        "launches, which --keep writes for a device of one compute unit. Kernels go to the cache, as those of a plan "
        "do.",
};

void compile_parse(int argc, char **argv, compile_request *request)
{
    *request = (compile_request){.what = OPERATION_REQUEST_INIT};
    argp_parse(&parser, argc, argv, 0, NULL, request);
}
