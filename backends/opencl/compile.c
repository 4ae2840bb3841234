/* SPDX-License-Identifier: Apache-2.0 */
/** @file compile.c @brief From the kernels' source to a binary for one device. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../gpu/engine.h"
#include "opencl.h"
#include "opencl_dialect.h"

/** The place of a device among `count` of a program: all of its context's, built for or not. */
static grkan_status find_place(cl_program program, cl_device_id id, size_t count, size_t *place)
{
    cl_device_id *const ids = calloc(count, sizeof *ids);
    if (ids == NULL)
        return gpu_host->set_error(GRKAN_ERROR_OUT_OF_MEMORY, "no memory for %zu devices", count);
    const cl_int code = opencl.GetProgramInfo(program, CL_PROGRAM_DEVICES, count * sizeof *ids, ids, NULL);
    for (*place = 0; *place < count && ids[*place] != id;)
        ++*place;
    free(ids);
    if (code != CL_SUCCESS)
        return opencl_failed("clGetProgramInfo", code);
    if (*place == count)
        return gpu_host->set_error(GRKAN_ERROR_DEVICE, "the device is none of the %zu of its program", count);
    return GRKAN_SUCCESS;
}

/** The binaries of all devices of a program, one behind the other, of which one is wanted: some runtimes write to NULL. */
static grkan_status read_binary_at(cl_program program, size_t count, size_t place, size_t *sizes,
                                   unsigned char **binaries, grkan_blob *binary)
{
    size_t all = 0, before = 0;
    OPENCL_TRY(GetProgramInfo, (program, CL_PROGRAM_BINARY_SIZES, count * sizeof *sizes, sizes, NULL));
    for (size_t i = 0; i < count; all += sizes[i++])
        if (i == place)
            before = all;
    unsigned char *const data = malloc(all > 0 ? all : 1);
    if (data == NULL)
        return gpu_host->set_error(GRKAN_ERROR_OUT_OF_MEMORY, "no memory for programs of %zu bytes", all);
    binaries[0] = data;
    for (size_t i = 1; i < count; ++i)
        binaries[i] = binaries[i - 1] + sizes[i - 1];
    const cl_int code = opencl.GetProgramInfo(program, CL_PROGRAM_BINARIES, count * sizeof *binaries, binaries, NULL);
    if (code != CL_SUCCESS) {
        free(data);
        return opencl_failed("clGetProgramInfo", code);
    }
    memmove(data, data + before, sizes[place]);
    *binary = (grkan_blob){data, sizes[place]};
    return GRKAN_SUCCESS;
}

/** Some runtimes (PoCL) have only the devices that were built for among the binaries: one, then. */
static grkan_status read_binary(const grkan_backend_device *device, cl_program program, grkan_blob *binary)
{
    size_t bytes = 0, place = 0;
    OPENCL_TRY(GetProgramInfo, (program, CL_PROGRAM_BINARY_SIZES, 0, NULL, &bytes));
    const size_t count = bytes / sizeof(size_t);
    grkan_status status = count == 1 ? GRKAN_SUCCESS : find_place(program, device->id, count, &place);
    if (status != GRKAN_SUCCESS)
        return status;
    size_t *const sizes = calloc(count, sizeof *sizes);
    unsigned char **const binaries = calloc(count, sizeof *binaries);
    status = sizes == NULL || binaries == NULL
                 ? gpu_host->set_error(GRKAN_ERROR_OUT_OF_MEMORY, "no memory for %zu devices", count)
                 : read_binary_at(program, count, place, sizes, binaries, binary);
    free(sizes);
    free(binaries);
    return status;
}

/**
 * PoCL 3.1 (LLVM 15) compiles the sums of a bias wrongly if it optimises: threads without a channel store, too, past
 * the end of the gradient, whichever way the loop is written. Programs with a prologue do without its optimiser.
 */
static int is_compiled_wrongly(const grkan_backend_device *device, const grkan_compile_request *request)
{
    return device->keeps_sources && strstr(request->definitions, "-DGRKAN_PROLOGUE=") != NULL;
}

static void write_options(const grkan_backend_device *device, const grkan_compile_request *request,
                          char options[OPENCL_OPTION_BYTES])
{
    char ptx[64] = "", wave[32] = "";
    if (device->ptx_architecture > 0)
        snprintf(ptx, sizeof ptx, " -DPTX_ARCHITECTURE=%d", device->ptx_architecture);
    if (device->wave > 0)
        snprintf(wave, sizeof wave, " -DOPENCL_WAVE=%d", device->wave);
    snprintf(options, OPENCL_OPTION_BYTES, OPENCL_OPTIONS " %s%s%s%s%s%s", request->definitions,
             device->declares ? " -DOPENCL_DECLARES -D_OPENCL_H_" : "",
             !request->is_ieee          ? ""
             : device->rounds_correctly ? " -cl-fp32-correctly-rounded-divide-sqrt"
                                        : " -DOPENCL_ESTIMATES",
             is_compiled_wrongly(device, request) ? " -cl-opt-disable" : "", ptx, wave);
}

/** The text that a program is kept as: options and source, each with the zero at its end. */
static grkan_status write_text(const char *source, const char *options, grkan_blob *binary)
{
    const size_t lengths[] = {strlen(options) + 1, strlen(opencl_dialect), strlen(source) + 1};
    char *const data = malloc(lengths[0] + lengths[1] + lengths[2]);
    if (data == NULL)
        return gpu_host->set_error(GRKAN_ERROR_OUT_OF_MEMORY, "no memory for an OpenCL program");
    memcpy(data, options, lengths[0]);
    memcpy(data + lengths[0], opencl_dialect, lengths[1]);
    memcpy(data + lengths[0] + lengths[1], source, lengths[2]);
    *binary = (grkan_blob){data, lengths[0] + lengths[1] + lengths[2]};
    return GRKAN_SUCCESS;
}

/** For a device that is not there, of those that ocloc knows: their quotients are rounded correctly. */
static grkan_status compile_for_absent(const grkan_compile_request *request, grkan_blob *binary,
                                       grkan_compiler_report *report)
{
    const grkan_backend_device absent = {.rounds_correctly = 1, .wave = opencl_offline_wave(request->architecture)};
    char options[OPENCL_OPTION_BYTES];
    grkan_blob text = {NULL, 0};
    if (request->compiler == NULL)
        return gpu_host->set_error(GRKAN_ERROR_UNSUPPORTED,
                                   "no OpenCL runtime compiles for a device that is not there; expected a compiler: "
                                   "Intel's ocloc");
    write_options(&absent, request, options);
    grkan_status status = write_text(request->source, "", &text);
    if (status == GRKAN_SUCCESS)
        status = opencl_compile_offline((const char *)text.data + 1, options, request, binary, report);
    free(text.data);
    return status;
}

grkan_status opencl_compile(grkan_backend_device *device, const grkan_compile_request *request, grkan_blob *binary,
                            grkan_compiler_report *report)
{
    char options[OPENCL_OPTION_BYTES];
    const char *sources[] = {opencl_dialect, request->source};
    cl_int code;
    if (device == NULL)
        return compile_for_absent(request, binary, report);
    const cl_program program = opencl.CreateProgramWithSource(device->context, 2, sources, NULL, &code);
    if (code != CL_SUCCESS)
        return opencl_failed("clCreateProgramWithSource", code);
    write_options(device, request, options);
    code = opencl.BuildProgram(program, 1, &device->id, options, NULL, NULL);
    const grkan_status status = code != CL_SUCCESS      ? opencl_build_failed(device, program, code)
                                : device->keeps_sources ? write_text(request->source, options, binary)
                                                        : read_binary(device, program, binary);
    opencl.ReleaseProgram(program);
    return status;
}

static grkan_status create_of_binary(const grkan_backend_device *device, const grkan_blob *binary, cl_program *program)
{
    const unsigned char *data = binary->data;
    cl_int code, of_device;
    *program =
        opencl.CreateProgramWithBinary(device->context, 1, &device->id, &binary->bytes, &data, &of_device, &code);
    return code == CL_SUCCESS ? GRKAN_SUCCESS : opencl_failed("clCreateProgramWithBinary", code);
}

static grkan_status create_of_text(const grkan_backend_device *device, const grkan_blob *binary, cl_program *program,
                                   char options[OPENCL_OPTION_BYTES])
{
    const char *const text = binary->data;
    const char *const end = text != NULL ? memchr(text, '\0', binary->bytes) : NULL;
    cl_int code;
    if (end == NULL || end + 1 >= text + binary->bytes || text[binary->bytes - 1] != '\0')
        return opencl_failed("clCreateProgramWithSource", CL_INVALID_VALUE);
    const char *source = end + 1;
    snprintf(options, OPENCL_OPTION_BYTES, "%s", text);
    *program = opencl.CreateProgramWithSource(device->context, 1, &source, NULL, &code);
    return code == CL_SUCCESS ? GRKAN_SUCCESS : opencl_failed("clCreateProgramWithSource", code);
}

grkan_status opencl_create_program(const grkan_backend_device *device, const grkan_blob *binary, cl_program *program,
                                   char options[OPENCL_OPTION_BYTES])
{
    options[0] = '\0';
    return device->keeps_sources ? create_of_text(device, binary, program, options)
                                 : create_of_binary(device, binary, program);
}
