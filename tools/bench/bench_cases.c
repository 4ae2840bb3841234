/* SPDX-License-Identifier: Apache-2.0 */
/** @file bench_cases.c @brief The list of cases that bench measures on a device. */
#include <stdlib.h>

#include "bench.h"

void bench_add_case(bench_device *device, bench_case one)
{
    size_t count = (size_t)device->case_count + 1;
    device->cases = tool_resize(device->cases, count * sizeof *device->cases);
    device->cases[count - 1] = one;
    device->case_count = (int)count;
}

/** Cases of one pass. Strategies and what is wanted of backward are about gradients, so forward has only one. */
static void add_pass(const bench_request *request, bench_device *device, const grkan_operation *operation,
                     bench_pass pass)
{
    grkan_options options[REQUEST_OPTIONS];
    operation_request what = request->what;
    if (pass == BENCH_FORWARD) {
        what.strategies = 1u << GRKAN_STRATEGY_AUTO;
        what.frozen = 0;
        what.writes_y = 0;
    }
    int count = request_options(&what, options);
    for (int i = 0; i < count; i++) {
        options[i].cpu_threads = request->cpu_threads;
        bench_add_case(device, (bench_case){.operation = *operation, .options = options[i], .pass = pass});
    }
}

void bench_list_cases(const bench_request *request, bench_device *device)
{
    grkan_operation operations[REQUEST_OPERATIONS];
    int count = request_operations(&request->what, device->properties.is_gpu, operations);
    unsigned passes = request->passes ? request->passes : 1u << BENCH_FORWARD | 1u << BENCH_BACKWARD;
    for (int i = 0; i < count; i++)
        for (int pass = BENCH_FORWARD; pass <= BENCH_BACKWARD; pass++)
            if (passes >> pass & 1u)
                add_pass(request, device, &operations[i], (bench_pass)pass);
}

void bench_free_case(bench_case *one)
{
    free(one->refusal);
    free(one->samples.values);
}

void bench_free_cases(bench_device *device)
{
    for (int i = 0; i < device->case_count; i++)
        bench_free_case(&device->cases[i]);
    for (int i = 0; i < device->error_count; i++)
        free(device->errors[i].refusal);
    free(device->cases);
    free(device->errors);
    device->cases = NULL;
    device->errors = NULL;
    device->case_count = device->error_count = 0;
}
