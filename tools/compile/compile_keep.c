/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file compile_keep.c
 * @brief A compiled program as a file, and beside it all that it takes to launch its kernels on any runtime.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "compile_tool.h"
#include "../../core/platform/platform.h"
#include "common/operation_report.h"

/** Arguments of kernels lie one behind the other, each at a multiple of this. */
enum { ARGUMENT_ALIGNMENT = 8, POINTER_BYTES = 8, TENSOR_ALIGNMENT = 16 };

static void add_tensor(cJSON *to, const char *name, grkan_dtype dtype, const int64_t *shape, int dimensions)
{
    cJSON *tensor = cJSON_AddObjectToObject(to, name);
    cJSON *sizes = cJSON_CreateArray();
    uint64_t bytes = grkan_dtype_bytes(dtype);
    for (int i = 0; i < dimensions; i++) {
        cJSON_AddItemToArray(sizes, report_count((uint64_t)shape[i]));
        bytes *= (uint64_t)shape[i];
    }
    cJSON_AddStringToObject(tensor, "dtype", grkan_dtype_name(dtype));
    cJSON_AddItemToObject(tensor, "shape", sizes);
    report_add_count(tensor, "bytes", bytes);
}

static bool has_norm(const grkan_operation *o)
{
    return o->prologue == GRKAN_PROLOGUE_LAYER_NORM || o->prologue == GRKAN_PROLOGUE_RMS_NORM;
}

static void add_tensors(cJSON *document, const compile_program *program)
{
    const grkan_operation *o = &program->operation;
    const grkan_dtype coefficient = o->dtype == GRKAN_F64 ? GRKAN_F64 : GRKAN_F32;
    const int64_t elements[] = {o->outer, o->channels, o->inner};
    cJSON *tensors = cJSON_AddObjectToObject(document, "tensors");
    add_tensor(tensors, "x", o->dtype, elements, 3);
    add_tensor(tensors, "y", grkan_operation_output_dtype(o), elements, 3);
    add_tensor(tensors, "dy", grkan_operation_output_dtype(o), elements, 3);
    add_tensor(tensors, "dx", o->dtype, elements, 3);
    if (o->prologue == GRKAN_PROLOGUE_LAYER_NORM)
        add_tensor(tensors, "mean", coefficient, &o->outer, 1);
    if (has_norm(o))
        add_tensor(tensors, "rstd", coefficient, &o->outer, 1);
    grkan_table tables[GRKAN_MOST_TABLES];
    int count = 0;
    (void)grkan_operation_tables(o, tables, &count);
    for (int k = 0; k < 2 * count; k++) {
        const grkan_table *const table = &tables[k % count];
        add_tensor(tensors, k < count ? table->name : table->gradient, coefficient,
                   (const int64_t[]){table->rows, table->width}, 2);
    }
    cJSON *workspace = cJSON_AddObjectToObject(tensors, "workspace");
    report_add_count(workspace, "bytes", program->compilation.workspace_bytes);
    cJSON_AddBoolToObject(workspace, "is_zero_before_the_first_use", 1);
    cJSON_AddNumberToObject(document, "tensor_alignment", TENSOR_ALIGNMENT);
}

static void add_sizes(cJSON *to, const char *name, int64_t size)
{
    cJSON *sizes = cJSON_AddArrayToObject(to, name);
    cJSON_AddItemToArray(sizes, report_count((uint64_t)size));
    cJSON_AddItemToArray(sizes, cJSON_CreateNumber(1));
    cJSON_AddItemToArray(sizes, cJSON_CreateNumber(1));
}

static void add_hex(cJSON *to, const unsigned char *bytes, size_t count)
{
    char *text = tool_allocate(2 * count + 1);
    for (size_t i = 0; i < count; i++)
        snprintf(text + 2 * i, 3, "%02x", bytes[i]);
    cJSON_AddStringToObject(to, "hex", text);
    free(text);
}

/** @param offset in: where the argument before it ends; out: where this one does */
static cJSON *json_of_argument(const grkan_kernel_argument *argument, size_t *offset)
{
    const int is_tensor = argument->bytes == 0;
    const size_t start = (*offset + ARGUMENT_ALIGNMENT - 1) / ARGUMENT_ALIGNMENT * ARGUMENT_ALIGNMENT;
    const size_t bytes = is_tensor ? POINTER_BYTES : argument->bytes;
    cJSON *object = cJSON_CreateObject();
    cJSON_AddStringToObject(object, "name", argument->name);
    cJSON_AddStringToObject(object, "kind", is_tensor ? "pointer" : "value");
    report_add_count(object, "offset", start);
    report_add_count(object, "bytes", bytes);
    if (!is_tensor)
        add_hex(object, argument->value, bytes);
    *offset = start + bytes;
    return object;
}

/** Hears of a launch. @param context the object "launches", with an array for each pass */
static void add_launch(void *context, const grkan_kernel_launch *launch)
{
    size_t offset = 0;
    cJSON *object = cJSON_CreateObject();
    cJSON_AddStringToObject(object, "kernel", launch->kernel);
    add_sizes(object, "grid", launch->blocks);
    add_sizes(object, "block", launch->block);
    cJSON_AddNumberToObject(object, "dynamic_shared_bytes", launch->local_bytes);
    cJSON *arguments = cJSON_AddArrayToObject(object, "arguments");
    for (int i = 0; i < launch->argument_count; i++)
        cJSON_AddItemToArray(arguments, json_of_argument(&launch->arguments[i], &offset));
    cJSON_AddItemToArray(cJSON_GetObjectItem(context, launch->pass), object);
}

static cJSON *make_document(const compile_program *program, const char *binary, int argc, char **argv)
{
    cJSON *document = report_new("grkan-program/1", argc, argv);
    cJSON_AddStringToObject(document, "binary", binary);
    compile_add_program(document, program);
    add_tensors(document, program);
    cJSON_AddStringToObject(document, "accumulation", "overwrite");
    cJSON *launches = cJSON_AddObjectToObject(document, "launches");
    cJSON_AddArrayToObject(launches, "forward");
    cJSON_AddArrayToObject(launches, "backward");
    /* Cannot fail: the same has just been compiled. */
    (void)grkan_list_launches(program->backend, program->architecture, &program->operation, &program->options,
                              add_launch, launches);
    return document;
}

static const char *suffix_of(const char *backend)
{
    return strcmp(backend, "cuda") == 0 ? "cubin" : strcmp(backend, "hip") == 0 ? "hsaco" : "bin";
}

/** The name of a program's files, without the suffix. */
static void write_name(const compile_program *program, char *name, size_t bytes)
{
    const grkan_operation *o = &program->operation;
    snprintf(name, bytes, "%s-%d_%d-%s-%s-%lldx%lldx%lld-%lld-%s-%s", program->architecture,
             o->rational.numerator_degree, o->rational.denominator_degree, grkan_form_name(o->rational.form),
             operation_types(o).text, (long long)o->outer, (long long)o->channels, (long long)o->inner,
             (long long)o->groups, grkan_strategy_name(program->compilation.strategy),
             grkan_determinism_name(program->options.determinism));
    const size_t used = strlen(name);
    snprintf(name + used, bytes - used, "%s%s%s%s%s", o->prologue ? "-" : "",
             o->prologue ? grkan_prologue_name(o->prologue) : "", has_norm(o) && o->norm.has_scale ? "_scale" : "",
             has_norm(o) && o->norm.has_shift ? "_shift" : "", program->options.writes_y ? "-writes_y" : "");
    if (program->options.frozen)
        snprintf(name + strlen(name), bytes - strlen(name), "-frozen_%x", (unsigned)program->options.frozen);
}

static char *join(const char *directory, const char *name, const char *suffix)
{
    size_t bytes = strlen(directory) + strlen(name) + strlen(suffix) + 3;
    char *path = tool_allocate(bytes);
    snprintf(path, bytes, "%s/%s.%s", directory, name, suffix);
    return path;
}

int compile_check_directory(const char *directory, bool is_private)
{
    if (!grkan_make_folder(directory, is_private))
        return -1;
    char *path = join(directory, "program", "json");
    const int result = grkan_output_check(path) ? 0 : -1;
    const int reason = errno;
    free(path);
    errno = reason;
    return result;
}

int compile_keep(const compile_program *program, const char *directory, int argc, char **argv, char **path)
{
    char name[256];
    write_name(program, name, sizeof name);
    *path = join(directory, name, suffix_of(program->backend));
    if (!grkan_output_write(*path, program->compilation.binary, program->compilation.bytes))
        return -1;
    cJSON *document = make_document(program, grkan_path_name(*path), argc, argv);
    free(*path);
    *path = join(directory, name, "json");
    const int result = report_write(*path, document);
    const int reason = errno;
    cJSON_Delete(document);
    errno = reason;
    return result;
}
