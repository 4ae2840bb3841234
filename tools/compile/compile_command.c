/* SPDX-License-Identifier: Apache-2.0 */
/** @file compile_command.c @brief grkan compile: compiles what was asked for, reports, keeps. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "compile_tool.h"
#include "../../core/platform/platform.h"
#include "common/operation_report.h"
#include "common/progress.h"

/** Every architecture with every operation and its options. @param count out. Free it. */
static compile_program *list_programs(const compile_request *request, int *count)
{
    grkan_operation operations[REQUEST_OPERATIONS];
    grkan_options options[REQUEST_OPTIONS];
    const int operation_count = request_operations(&request->what, 1, operations);
    const int option_count = request_options(&request->what, options);
    *count = request->architecture_count * operation_count * option_count;
    compile_program *programs = tool_allocate((size_t)*count * sizeof *programs);
    for (int i = 0; i < *count; i++)
        programs[i] = (compile_program){.backend = request->backend,
                                        .architecture = request->architectures[i / (operation_count * option_count)],
                                        .operation = operations[i / option_count % operation_count],
                                        .options = options[i % option_count]};
    return programs;
}

static void free_programs(compile_program *programs, int count)
{
    for (int i = 0; i < count; i++)
        grkan_compilation_free(&programs[i].compilation);
    free(programs);
}

static int keep(const char *who, const compile_request *request, const compile_program *program, int argc, char **argv)
{
    char *path = NULL;
    int result = TOOL_GOOD;
    if (compile_keep(program, request->keep, argc, argv, &path) != 0)
        result = tool_complain_of_file(who, "keep", path);
    free(path);
    return result;
}

static int compile_all(const compile_request *request, compile_program *programs, int count, int argc, char **argv)
{
    int result = TOOL_GOOD;
    for (int i = 0; i < count && result == TOOL_GOOD; i++) {
        compile_program *program = &programs[i];
        char label[96];
        snprintf(label, sizeof label, "%s %s", program->architecture, operation_types(&program->operation).text);
        progress_show((size_t)i, (size_t)count, label);
        const grkan_status status = grkan_compile(program->backend, program->architecture, request->compiler,
                                                  &program->operation, &program->options, &program->compilation);
        progress_clear();
        if (status != GRKAN_SUCCESS)
            result = tool_complain(argv[0], program->architecture, status);
        else if (request->keep != NULL)
            result = keep(argv[0], request, program, argc, argv);
    }
    return result;
}

/** A compiler that does not tell of spills has not shown that there are none. */
static int check_spills(const char *who, const compile_program *programs, int count)
{
    int kernels = 0, bad = 0;
    for (int i = 0; i < count; i++) {
        const grkan_compilation *made = &programs[i].compilation;
        bad += made->kernel_count == 0;
        kernels += made->kernel_count == 0;
        for (int k = 0; k < made->kernel_count; k++, kernels++)
            bad += made->kernels[k].spill_bytes != 0;
    }
    if (bad == 0)
        return TOOL_GOOD;
    fprintf(stderr, "%s: --fail-on-spill: %d of %d kernels spill, or it is not known whether they do\n", who, bad,
            kernels);
    return TOOL_CHECK_FAILED;
}

static cJSON *make_document(const compile_program *programs, int count, int argc, char **argv)
{
    cJSON *document = report_new("grkan-compile/1", argc, argv);
    cJSON *array = cJSON_AddArrayToObject(document, "programs");
    for (int i = 0; i < count; i++) {
        cJSON *object = cJSON_CreateObject();
        compile_add_program(object, &programs[i]);
        cJSON_AddItemToArray(array, object);
    }
    return document;
}

static int run_and_report(const compile_request *request, compile_program *programs, int count, int argc, char **argv)
{
    int result = compile_all(request, programs, count, argc, argv);
    if (result == TOOL_GOOD)
        compile_print_table(programs, count, report_table_stream(request->json));
    if (result == TOOL_GOOD && request->json != NULL)
        result = report_finish(argv[0], request->json, make_document(programs, count, argc, argv));
    return result == TOOL_GOOD && request->fails_on_spill ? check_spills(argv[0], programs, count) : result;
}

/** Make a directory the cache of this process. The library uses one only if nobody else can enter it. */
static int use_cache(const char *who, const char *directory)
{
    if (!grkan_make_folder(directory, true) || !grkan_is_private_folder(directory)) {
        fprintf(stderr, "%s: --out: '%s' cannot be a cache: expected a directory of your own with mode 0700\n", who,
                directory);
        return TOOL_BAD_USAGE;
    }
    if (compile_check_directory(directory, true) != 0)
        return tool_complain_of_file(who, "out", directory);
    const bool is_set =
        grkan_set_environment("GRKAN_CACHE_DIR", directory) && grkan_set_environment("GRKAN_CACHE", NULL);
    return is_set ? TOOL_GOOD : TOOL_CHECK_FAILED;
}

int grkan_tool_compile(int argc, char **argv)
{
    compile_request request;
    int count = 0;
    compile_parse(argc, argv, &request);
    int result = report_check(argv[0], request.json);
    if (result == TOOL_GOOD && request.keep != NULL && compile_check_directory(request.keep, false) != 0)
        result = tool_complain_of_file(argv[0], "keep", request.keep);
    if (result == TOOL_GOOD && request.cache != NULL)
        result = use_cache(argv[0], request.cache);
    if (result == TOOL_GOOD) {
        compile_program *programs = list_programs(&request, &count);
        result = run_and_report(&request, programs, count, argc, argv);
        free_programs(programs, count);
    }
    free(request.architectures);
    return result;
}
