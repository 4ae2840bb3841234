/* SPDX-License-Identifier: Apache-2.0 */
/** @file compile_report.c @brief What compile found, as a table and as JSON; both show the same. */
#include "compile_tool.h"
#include "common/operation_report.h"

static const text_table_column columns[] = {
    {"architecture", 'l'}, {"channels", 'r'}, OPERATION_COLUMNS, OPTIONS_COLUMNS,   {"kernel", 'l'}, {"registers", 'r'},
    {"scalar", 'r'},       {"spill B", 'r'},  {"stack B", 'r'},  {"shared B", 'r'}, {"wave", 'r'},
};

/** What the program was made for: its strategy is no longer auto. */
static grkan_options options_of(const compile_program *program)
{
    grkan_options options = program->options;
    options.strategy = program->compilation.strategy;
    return options;
}

static void add_what(text_table *to, const compile_program *program)
{
    const grkan_operation *operation = &program->operation;
    const grkan_options options = options_of(program);
    text_table_row(to);
    text_table_cell(to, "%s", program->architecture);
    text_table_cell(to, "%lld", (long long)operation->channels);
    operation_cells(to, operation);
    options_cells(to, operation, &options);
}

static void add_number(text_table *to, int32_t number)
{
    if (number < 0)
        text_table_cell(to, "-");
    else
        text_table_cell(to, "%d", number);
}

static void add_kernel(text_table *to, const grkan_kernel_resources *kernel)
{
    text_table_cell(to, "%s", kernel->name);
    add_number(to, kernel->vector_registers);
    add_number(to, kernel->scalar_registers);
    add_number(to, kernel->spill_bytes);
    add_number(to, kernel->stack_bytes);
    add_number(to, kernel->shared_bytes);
    add_number(to, kernel->wave_width);
}

void compile_print_table(const compile_program *programs, int count, FILE *stream)
{
    text_table *rows = TEXT_TABLE_OF(columns);
    for (const compile_program *program = programs; program < programs + count; program++) {
        const grkan_compilation *made = &program->compilation;
        for (int k = 0; k < made->kernel_count; k++) {
            add_what(rows, program);
            add_kernel(rows, &made->kernels[k]);
        }
        if (made->kernel_count == 0) {
            add_what(rows, program);
            text_table_note(rows, "compiled; the compiler says no more");
        }
    }
    text_table_finish(rows, stream);
}

static void add_json_number(cJSON *to, const char *name, int32_t number)
{
    if (number < 0)
        cJSON_AddNullToObject(to, name);
    else
        cJSON_AddNumberToObject(to, name, number);
}

static cJSON *json_of_kernel(const grkan_kernel_resources *kernel)
{
    cJSON *object = cJSON_CreateObject();
    cJSON_AddStringToObject(object, "kernel", kernel->name);
    add_json_number(object, "vector_registers", kernel->vector_registers);
    add_json_number(object, "scalar_registers", kernel->scalar_registers);
    add_json_number(object, "spill_bytes", kernel->spill_bytes);
    add_json_number(object, "stack_bytes", kernel->stack_bytes);
    add_json_number(object, "shared_bytes", kernel->shared_bytes);
    add_json_number(object, "wave_width", kernel->wave_width);
    return object;
}

void compile_add_program(cJSON *to, const compile_program *program)
{
    const grkan_compilation *made = &program->compilation;
    const grkan_options options = options_of(program);
    cJSON_AddStringToObject(to, "backend", program->backend);
    cJSON_AddStringToObject(to, "architecture", program->architecture);
    report_add_operation(to, &program->operation);
    report_add_options(to, &program->operation, &options);
    report_add_count(to, "bytes", made->bytes);
    cJSON *kernels = cJSON_AddArrayToObject(to, "kernels");
    for (int i = 0; i < made->kernel_count; i++)
        cJSON_AddItemToArray(kernels, json_of_kernel(&made->kernels[i]));
}
