/* SPDX-License-Identifier: Apache-2.0 */
/** @file programs.c @brief Programs and kernels: for which devices, with which options, by which thread. */
#include <stdatomic.h>
#include <string.h>
#include <time.h>

#include "layer.h"

static void remember_devices(layer_object *program, const layer_object *context, cl_uint count,
                             const cl_device_id *devices)
{
    program->device_count = count > 0 ? count : context->device_count;
    memcpy(program->devices, count > 0 ? devices : context->devices, program->device_count * sizeof *devices);
}

static cl_program make_from_source(cl_context context, cl_uint count, const char **texts, const size_t *lengths,
                                   cl_int *code)
{
    const layer_object *const within = layer_find(CONTEXT, context);
    *code = CL_INVALID_CONTEXT;
    if (within == NULL)
        return NULL;
    for (cl_uint i = 0; i < count && texts != NULL; ++i)
        if (texts[i] == NULL)
            texts = NULL;
    if (count == 0 || texts == NULL) {
        *code = layer_refuse(CL_INVALID_VALUE, "%u texts, or one of them NULL", count);
        return NULL;
    }
    const cl_program program = layer_next.clCreateProgramWithSource(context, count, texts, lengths, code);
    layer_object *const known = layer_add(PROGRAM, program, context);
    if (known != NULL)
        remember_devices(known, within, 0, NULL);
    return program;
}

static CL_API_ENTRY cl_program CL_API_CALL create_from_source(cl_context context, cl_uint count, const char **texts,
                                                              const size_t *lengths, cl_int *code)
{
    cl_int own = layer_enter("clCreateProgramWithSource");
    const cl_program program = own == CL_SUCCESS ? make_from_source(context, count, texts, lengths, &own) : NULL;
    layer_leave();
    if (code != NULL)
        *code = own;
    return program;
}

/** @return CL_SUCCESS if devices are a context's, and each has a binary */
static cl_int check_binaries(const layer_object *context, cl_uint count, const cl_device_id *devices,
                             const size_t *lengths, const unsigned char **binaries)
{
    REQUIRE(count > 0 && count <= layer_most_devices && devices != NULL && lengths != NULL && binaries != NULL,
            CL_INVALID_VALUE, "%u devices, or something NULL", count);
    for (cl_uint i = 0; i < count; ++i) {
        REQUIRE(layer_has_device(context, devices[i], NULL), CL_INVALID_DEVICE, "device %u is none of the context's",
                i);
        REQUIRE(lengths[i] > 0 && binaries[i] != NULL, CL_INVALID_VALUE, "device %u has no binary", i);
    }
    return CL_SUCCESS;
}

static cl_program make_from_binary(cl_context context, cl_uint count, const cl_device_id *devices,
                                   const size_t *lengths, const unsigned char **binaries, cl_int *each, cl_int *code)
{
    const layer_object *const within = layer_find(CONTEXT, context);
    *code = within == NULL ? CL_INVALID_CONTEXT : check_binaries(within, count, devices, lengths, binaries);
    if (*code != CL_SUCCESS)
        return NULL;
    const cl_program program =
        layer_next.clCreateProgramWithBinary(context, count, devices, lengths, binaries, each, code);
    layer_object *const known = layer_add(PROGRAM, program, context);
    if (known != NULL)
        remember_devices(known, within, count, devices);
    return program;
}

static CL_API_ENTRY cl_program CL_API_CALL create_from_binary(cl_context context, cl_uint count,
                                                              const cl_device_id *devices, const size_t *lengths,
                                                              const unsigned char **binaries, cl_int *each,
                                                              cl_int *code)
{
    cl_int own = layer_enter("clCreateProgramWithBinary");
    const cl_program program =
        own == CL_SUCCESS ? make_from_binary(context, count, devices, lengths, binaries, each, &own) : NULL;
    layer_leave();
    if (code != NULL)
        *code = own;
    return program;
}

/** Options of the specification, and NVIDIA's. -D and -I may stand apart from their words. */
static cl_int check_options(const char *options)
{
    static const char *const known[] = {"-D", "-I", "-cl-", "-w", "-Werror"};
    for (const char *at = options; at != NULL && *at != '\0';) {
        at += strspn(at, " ");
        const size_t length = strcspn(at, " ");
        bool is_known = length == 0;
        for (size_t i = 0; i < sizeof known / sizeof known[0] && !is_known; ++i)
            is_known = strncmp(at, known[i], strlen(known[i])) == 0;
        REQUIRE(is_known, CL_INVALID_BUILD_OPTIONS, "the option %.*s", (int)length, at);
        at += length;
        if (length == 2)
            at += strspn(at, " ") + strcspn(at + strspn(at, " "), " ");
    }
    return CL_SUCCESS;
}

typedef void(CL_CALLBACK *program_callback)(cl_program, void *);

static cl_int build(cl_program program, cl_uint count, const cl_device_id *devices, const char *options,
                    program_callback notify, void *user)
{
    layer_object *const known = layer_find(PROGRAM, program);
    cl_int code = CL_INVALID_PROGRAM;
    if (known == NULL || (code = check_options(options)) != CL_SUCCESS)
        return code;
    REQUIRE((count > 0) == (devices != NULL), CL_INVALID_VALUE, "%u devices at %p", count, (const void *)devices);
    REQUIRE(notify != NULL || user == NULL, CL_INVALID_VALUE, "data, but no function for it");
    REQUIRE(known->kernels == 0, CL_INVALID_OPERATION, "the program has %d kernels", known->kernels);
    for (cl_uint i = 0; i < count; ++i)
        REQUIRE(layer_has_device(known, devices[i], NULL), CL_INVALID_DEVICE, "device %u is none of the program's", i);
    code = layer_next.clBuildProgram(program, count, devices, options, notify, user);
    for (cl_uint i = 0; i < (count > 0 ? count : known->device_count) && code == CL_SUCCESS; ++i) {
        cl_uint place = 0;
        (void)layer_has_device(known, count > 0 ? devices[i] : known->devices[i], &place);
        known->is_built[place] = true;
    }
    return code;
}

static CL_API_ENTRY cl_int CL_API_CALL build_program(cl_program program, cl_uint count, const cl_device_id *devices,
                                                     const char *options, program_callback notify, void *user)
{
    GUARDED("clBuildProgram", build(program, count, devices, options, notify, user));
}

static cl_kernel make_kernel(cl_program program, const char *name, cl_int *code)
{
    layer_object *const of = layer_find(PROGRAM, program);
    bool is_built = false;
    for (cl_uint i = 0; of != NULL && i < of->device_count; ++i)
        is_built = is_built || of->is_built[i];
    *code = of == NULL     ? CL_INVALID_PROGRAM
            : !is_built    ? layer_refuse(CL_INVALID_PROGRAM_EXECUTABLE, "the program was not built")
            : name == NULL ? layer_refuse(CL_INVALID_VALUE, "the name is NULL")
                           : CL_SUCCESS;
    if (*code != CL_SUCCESS)
        return NULL;
    const cl_kernel kernel = layer_next.clCreateKernel(program, name, code);
    layer_object *const known = layer_add(KERNEL, kernel, of->context);
    if (known != NULL) {
        known->program = program;
        ++of->kernels;
        (void)layer_next.clGetKernelInfo(kernel, CL_KERNEL_NUM_ARGS, sizeof known->argument_count,
                                         &known->argument_count, NULL);
    }
    return kernel;
}

static CL_API_ENTRY cl_kernel CL_API_CALL create_kernel(cl_program program, const char *name, cl_int *code)
{
    cl_int own = layer_enter("clCreateKernel");
    const cl_kernel kernel = own == CL_SUCCESS ? make_kernel(program, name, &own) : NULL;
    layer_leave();
    if (code != NULL)
        *code = own;
    return kernel;
}

/** Values of the size of a handle are buffers: no kernel here takes a number of that size. */
static cl_int set(cl_kernel kernel, cl_uint index, size_t bytes, const void *value)
{
    layer_object *const known = layer_find(KERNEL, kernel);
    const bool is_memory = bytes == sizeof(cl_mem) && value != NULL;
    const cl_mem memory = is_memory ? *(cl_mem const *)value : NULL;
    if (known == NULL)
        return CL_INVALID_KERNEL;
    REQUIRE(index < known->argument_count && index < layer_most_arguments, CL_INVALID_ARG_INDEX,
            "argument %u of a kernel that has %u", index, known->argument_count);
    REQUIRE(!known->is_taken || pthread_equal(known->by, pthread_self()), CL_INVALID_OPERATION,
            "another thread set arguments of the kernel and has not enqueued it");
    if (memory != NULL) {
        const layer_object *const of = layer_find(MEMORY, memory);
        if (of == NULL)
            return CL_INVALID_MEM_OBJECT;
        if (of->context != known->context)
            return CL_INVALID_CONTEXT; /* no complaint: how a caller learns that his buffer is a stranger */
    }
    known->is_taken = true;
    known->by = pthread_self();
    const cl_int code = layer_next.clSetKernelArg(kernel, index, bytes, value);
    known->is_set[index] = code == CL_SUCCESS;
    known->memory[index] = memory;
    return code;
}

static cl_int guard_set(cl_kernel kernel, cl_uint index, size_t bytes, const void *value)
{
    GUARDED("clSetKernelArg", set(kernel, index, bytes, value));
}

/** Where an application has several threads, the others get a chance to come between. */
static CL_API_ENTRY cl_int CL_API_CALL set_argument(cl_kernel kernel, cl_uint index, size_t bytes, const void *value)
{
    static const struct timespec pause = {0, 20000};
    static atomic_uintptr_t first;
    uintptr_t nobody = 0;
    const cl_int code = guard_set(kernel, index, bytes, value);
    if (!atomic_compare_exchange_strong(&first, &nobody, (uintptr_t)pthread_self()) &&
        nobody != (uintptr_t)pthread_self())
        (void)nanosleep(&pause, NULL);
    return code;
}

void layer_fill_programs(cl_icd_dispatch *own)
{
    own->clCreateProgramWithSource = create_from_source;
    own->clCreateProgramWithBinary = create_from_binary;
    own->clBuildProgram = build_program;
    own->clCreateKernel = create_kernel;
    own->clSetKernelArg = set_argument;
}
